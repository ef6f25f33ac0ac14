/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mentions-x86: x86-64, as far as addresses flow through it; instructions are told apart by
 * <spi/insn.h>. States flow along branches until they no longer change, as in mentions-aarch64.
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

static void
join(Flow *flow, gsize index, const State *from)
{
	if (index >= flow->insns->len)
		return;
	for (guint i = 0; i < VMIFS_INSN_REGISTERS; i++)
		if (linux_operand_join(&flow->states[index].x[i], &from->x[i]))
			flow->changed = TRUE;
}

/* base + index + number */
static LinuxOperand
address(const State *s, const VmifsInsn *insn)
{
	LinuxOperand x = { .kind = LINUX_OPERAND_KNOWN };

	if (insn->base < VMIFS_INSN_REGISTERS)
		x = s->x[insn->base];
	if (insn->index < VMIFS_INSN_REGISTERS)
		x = insn->base < VMIFS_INSN_REGISTERS ? linux_operand_add(x, s->x[insn->index])
						      : s->x[insn->index];
	if (insn->adds)
		x = linux_operand_add(x, linux_operand_unknown());
	return linux_operand_add_number(x, (guint64) insn->number);
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
	LinuxOperand at = address(s, insn);
	LinuxMention mention = { .address = at.value, .place = at, .width = insn->width };

	switch (at.kind) {
	case LINUX_OPERAND_HANDED:
	case LINUX_OPERAND_MEMBER:
		if (insn->reads_memory)
			tell(flow, LINUX_MENTION_READ, mention, s);
		if (insn->writes_memory)
			tell(flow, LINUX_MENTION_WRITE, mention, s);
		break;
	case LINUX_OPERAND_KNOWN:
		if (insn->reads_memory)
			tell(flow, LINUX_MENTION_LOAD, mention, s);
		if (insn->writes_memory)
			tell(flow, LINUX_MENTION_STORE, mention, s);
		break;
	case LINUX_OPERAND_SUM:
		if (insn->reads_memory)
			tell(flow, LINUX_MENTION_INDEX, mention, s);
		break;
	default:
		break;
	}
}

static LinuxOperand
result(const VmifsInsn *insn, const State *s)
{
	switch (insn->kind) {
	case VMIFS_INSN_MOVE:
		return s->x[insn->base];
	case VMIFS_INSN_ADDRESS:
		return address(s, insn);
	case VMIFS_INSN_SUM:
		return linux_operand_add(s->x[insn->reg], linux_operand_unknown());
	case VMIFS_INSN_LOAD:
		return linux_operand_content(address(s, insn));
	default:
		return linux_operand_unknown();
	}
}

static void
step_data(const VmifsInsn *insn, State *s)
{
	LinuxOperand value = result(insn, s);

	for (guint i = 0; i < VMIFS_INSN_REGISTERS; i++)
		if (insn->writes >> i & 1)
			s->x[i] = linux_operand_unknown();
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
			s->x[i] = linux_operand_unknown();
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
		flow->states[0].x[i] = linux_operand_unknown();
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
