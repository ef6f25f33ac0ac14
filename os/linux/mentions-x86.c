/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mentions-x86: of x86-64's functions which members they read and write of what they are handed.
 * States flow along branches until they no longer change, as in mentions-aarch64.
 */
#include "mentions.h"

#include <spi/insn.h>

#include <string.h>

#define MAX_INSTRUCTIONS 1024
#define MAX_PASSES 64

/* System V ABI, AMD64: arguments, and what a call leaves as it was. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
static const guint8 arguments[LINUX_MENTION_ARGUMENTS] = { RDI, RSI, RDX, RCX };
#define KEPT (1u << RBX | 1u << RSP | 1u << RBP | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 15)

typedef struct {
	LinuxOperand x[VMIFS_INSN_REGISTERS];
} State;

typedef struct {
	GArray *insns; /* of VmifsInsn */
	guint64 va;
	gsize len;
	guint16 *at;   /* of each byte: index + 1 of the instruction that begins there */
	State *states; /* before each instruction */
	gboolean changed;
	LinuxMentionVisit visit; /* NULL while states still flow */
	gpointer user;
} Flow;

static const LinuxOperand unknown = { .kind = LINUX_OPERAND_UNKNOWN };

static gboolean
is_same(const LinuxOperand *a, const LinuxOperand *b)
{
	return a->kind == b->kind && a->value == b->value && a->argument == b->argument &&
	       a->via == b->via;
}

static void
join(Flow *flow, gsize index, const State *from)
{
	if (index >= flow->insns->len)
		return;
	for (guint i = 0; i < VMIFS_INSN_REGISTERS; i++) {
		LinuxOperand *to = &flow->states[index].x[i];

		if (to->kind == LINUX_OPERAND_UNKNOWN || is_same(to, &from->x[i]))
			continue;
		*to = to->kind == LINUX_OPERAND_NONE ? from->x[i] : unknown;
		flow->changed = TRUE;
	}
}

static gboolean
is_place(const LinuxOperand *x)
{
	return x->kind == LINUX_OPERAND_HANDED || x->kind == LINUX_OPERAND_MEMBER;
}

static LinuxOperand
behind(const State *s, guint8 base, gint64 number)
{
	LinuxOperand x = base < VMIFS_INSN_REGISTERS ? s->x[base] : unknown;

	if (!is_place(&x))
		return unknown;
	x.value += (guint64) number;
	return x;
}

static void
tell(const Flow *flow, LinuxMentionKind kind, LinuxMention mention, const State *s)
{
	if (!flow->visit)
		return;
	mention.kind = kind;
	for (guint i = 0; i < LINUX_MENTION_ARGUMENTS; i++)
		mention.arguments[i] = s->x[arguments[i]];
	flow->visit(&mention, flow->user);
}

static void
step_memory(const Flow *flow, const VmifsInsn *insn, const State *s)
{
	LinuxMention mention = { .place = behind(s, insn->base, insn->number),
				 .width = insn->width };

	if (!is_place(&mention.place))
		return;
	if (insn->reads_memory)
		tell(flow, LINUX_MENTION_READ, mention, s);
	if (insn->writes_memory)
		tell(flow, LINUX_MENTION_WRITE, mention, s);
}

static void
step_data(const VmifsInsn *insn, State *s)
{
	LinuxOperand value = unknown;

	if (insn->kind == VMIFS_INSN_MOVE || insn->kind == VMIFS_INSN_ADDRESS)
		value = behind(s, insn->base, insn->number);
	if (insn->kind == VMIFS_INSN_LOAD) {
		LinuxOperand from = behind(s, insn->base, insn->number);
		if (from.kind == LINUX_OPERAND_HANDED)
			value = (LinuxOperand){ .kind = LINUX_OPERAND_MEMBER,
						.argument = from.argument,
						.via = from.value };
	}
	for (guint i = 0; i < VMIFS_INSN_REGISTERS; i++)
		if (insn->writes >> i & 1)
			s->x[i] = unknown;
	if (insn->reg < VMIFS_INSN_REGISTERS)
		s->x[insn->reg] = value;
}

static gsize
index_of(const Flow *flow, guint64 target)
{
	guint64 at = target - flow->va;

	return at < flow->len && flow->at[at] ? flow->at[at] - 1u : G_MAXSIZE;
}

static void
step_call(const Flow *flow, guint64 target, State *s)
{
	tell(flow, LINUX_MENTION_CALL, (LinuxMention){ .address = target }, s);
	for (guint i = 0; i < VMIFS_INSN_REGISTERS; i++)
		if (!(KEPT >> i & 1))
			s->x[i] = unknown;
}

static void
step(Flow *flow, gsize index, State *s)
{
	const VmifsInsn *insn = &g_array_index(flow->insns, VmifsInsn, index);
	gsize to = index_of(flow, insn->target);

	step_memory(flow, insn, s);
	switch (insn->kind) {
	case VMIFS_INSN_END:
		return;
	case VMIFS_INSN_CALL:
		step_call(flow, insn->target, s);
		break;
	case VMIFS_INSN_JUMP:
		if (to == G_MAXSIZE)
			step_call(flow, insn->target, s);
		else
			join(flow, to, s);
		return;
	case VMIFS_INSN_BRANCH:
		join(flow, to, s);
		break;
	default:
		step_data(insn, s);
	}
	join(flow, index + 1, s);
}

static void
pass(Flow *flow)
{
	for (gsize i = 0; i < flow->insns->len; i++) {
		State s = flow->states[i];

		if (s.x[0].kind != LINUX_OPERAND_NONE)
			step(flow, i, &s);
	}
}

static void
run(Flow *flow, LinuxMentionVisit visit)
{
	for (guint i = 0; i < VMIFS_INSN_REGISTERS; i++)
		flow->states[0].x[i] = unknown;
	for (guint i = 0; i < LINUX_MENTION_ARGUMENTS; i++)
		flow->states[0].x[arguments[i]] =
			(LinuxOperand){ .kind = LINUX_OPERAND_HANDED, .argument = i };
	for (guint i = 0; flow->changed; i++) {
		if (i == MAX_PASSES)
			return;
		flow->changed = FALSE;
		pass(flow);
	}
	flow->visit = visit;
	pass(flow);
}

void
linux_mentions_x86_64(const guint8 *code, gsize len, guint64 va, LinuxMentionVisit visit,
		      gpointer user)
{
	len = MIN(len, LINUX_MENTIONS_MAX);
	g_autoptr(GArray) insns = vmifs_insns("x86_64", code, len, va, MAX_INSTRUCTIONS);

	if (!insns || !insns->len)
		return;
	g_autofree guint16 *at = g_new0(guint16, len);
	g_autofree State *states = g_new0(State, insns->len);
	Flow flow = { .insns = insns,
		      .va = va,
		      .len = len,
		      .at = at,
		      .states = states,
		      .changed = TRUE,
		      .user = user };
	gsize begin = 0;
	for (guint i = 0; i < insns->len; i++) {
		at[begin] = (guint16) (i + 1);
		begin += g_array_index(insns, VmifsInsn, i).len;
	}
	run(&flow, visit);
}
