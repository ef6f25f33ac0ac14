/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mentions-aarch64: A64, as far as compilers make addresses of it: ADRP and ADD, loads, calls. Of
 * all other instructions only what they may write matters. States flow along branches until they
 * no longer change: a register can only go from no path to a value, and from there to unknown.
 */
#include "mentions.h"

#include <spi/bytes.h>

#include <string.h>

#define N_REGISTERS 32 /* the last is zero, or the stack: never known */
#define ZERO 31
/* What a call leaves as it was. */
#define FIRST_KEPT 19
#define LAST_KEPT 29
#define PAGE 12
/* Compilers' code needs some; of what needs more, nothing is told. */
#define MAX_PASSES 64

typedef struct {
	LinuxOperand x[N_REGISTERS];
} State;

typedef struct {
	const guint8 *code;
	gsize n; /* instructions */
	guint64 va;
	State *states; /* before each */
	gboolean changed;
	LinuxMentionVisit visit; /* NULL while states still flow */
	gpointer user;
} Flow;

/* The field of that many bits, as a signed number. */
static gint64
signed_field(guint32 word, guint shift, guint bits)
{
	return (gint64) ((guint64) word >> shift << (64 - bits)) >> (64 - bits);
}

static void
forget(State *s, guint reg)
{
	s->x[reg] = linux_operand_unknown();
}

static void
set(State *s, guint reg, LinuxOperand value)
{
	if (reg != ZERO)
		s->x[reg] = value;
}

static void
join(Flow *flow, guint64 index, const State *from)
{
	if (index >= flow->n)
		return;
	for (guint i = 0; i < N_REGISTERS; i++)
		if (linux_operand_join(&flow->states[index].x[i], &from->x[i]))
			flow->changed = TRUE;
}

static void
tell(const Flow *flow, LinuxMentionKind kind, LinuxOperand at, guint width, const State *s)
{
	LinuxMention mention = { .kind = kind, .address = at.value, .place = at, .width = width };

	if (!flow->visit)
		return;
	memcpy(mention.arguments, s->x, sizeof mention.arguments);
	flow->visit(&mention, flow->user);
}

/* ---- instructions: Arm Architecture Reference Manual, "A64 instruction set encoding" ---- */

/* How a base is moved. */
#define MOVES_AFTER 1
#define UNPRIVILEGED 2

static void
load(const Flow *flow, State *s, guint target, LinuxOperand from, guint size)
{
	if (from.kind == LINUX_OPERAND_KNOWN)
		tell(flow, LINUX_MENTION_LOAD, from, 1U << size, s);
	else if (from.kind == LINUX_OPERAND_SUM)
		tell(flow, LINUX_MENTION_INDEX, from, 1U << size, s);
	else if (linux_operand_is_of_argument(from))
		tell(flow, LINUX_MENTION_READ, from, 1U << size, s);
	set(s, target, size == 3 ? linux_operand_content(from) : linux_operand_unknown());
}

static void
store(const Flow *flow, const State *s, LinuxOperand at, guint size)
{
	if (at.kind == LINUX_OPERAND_KNOWN)
		tell(flow, LINUX_MENTION_STORE, at, 1U << size, s);
	else if (linux_operand_is_of_argument(at))
		tell(flow, LINUX_MENTION_WRITE, at, 1U << size, s);
}

/* Of two registers of 64 bits, what is the function's own to the stack mostly; FALSE: another. */
static gboolean
step_pair(const Flow *flow, State *s, guint32 word)
{
	guint base = word >> 5 & 31, moves = word >> 23 & 3;
	LinuxOperand moved =
		linux_operand_add_number(s->x[base], (guint64) signed_field(word, 15, 7) << 3);
	LinuxOperand at = moves == MOVES_AFTER ? s->x[base] : moved;

	if ((word & 0xfe000000) != 0xa8000000)
		return FALSE;
	for (guint i = 0; i < 2; i++) {
		LinuxOperand half = linux_operand_is_of_argument(at)
					    ? linux_operand_add_number(at, i * 8)
					    : linux_operand_unknown();
		if (word >> 22 & 1)
			load(flow, s, i ? word >> 10 & 31 : word & 31, half, 3);
		else
			store(flow, s, half, 3);
	}
	if (moves & 1)
		set(s, base, moved);
	return TRUE;
}

/* Loads and stores; FALSE: another instruction. */
static gboolean
step_memory(const Flow *flow, State *s, guint32 word)
{
	guint size = word >> 30, operation = word >> 22 & 3;
	LinuxOperand base = s->x[word >> 5 & 31];
	gboolean is_load = operation && !(size == 3 && operation == 2); /* PRFM */

	if ((word & 0x0a000000) != 0x08000000)
		return FALSE;
	/* At its base and a number; a small one the base may be moved by, before that or after. */
	gboolean is_small = (word & 0x3f200000) == 0x38000000 && (word >> 10 & 3) != UNPRIVILEGED;
	if (is_small || (word & 0x3f000000) == 0x39000000) {
		guint moves = is_small ? word >> 10 & 3 : 0;
		LinuxOperand moved = linux_operand_add_number(
			base, is_small ? (guint64) signed_field(word, 12, 9)
				       : (guint64) (word >> 10 & 0xfff) << size);
		LinuxOperand at = moves == MOVES_AFTER ? base : moved;
		if (is_load)
			load(flow, s, word & 31, at, size);
		else if (!operation)
			store(flow, s, at, size);
		if (moves)
			set(s, word >> 5 & 31, moved);
		return TRUE;
	}
	if ((word & 0x3f200c00) == 0x38200800) {
		if (is_load)
			load(flow, s, word & 31, linux_operand_add(base, s->x[word >> 16 & 31]),
			     size);
		return TRUE;
	}
	if (step_pair(flow, s, word))
		return TRUE;
	/* Of exclusive ones, and atomic ones, the base stays; a pair has no third register, but for
	 * CASP, which writes two that follow each other. */
	gboolean is_exclusive = (word & 0x3f000000) == 0x08000000;
	gboolean is_atomic = (word & 0x3f200c00) == 0x38200000;
	gboolean is_pair = (word & 0x3a000000) == 0x28000000;
	if (!is_pair || word >> 22 & 1) {
		forget(s, word & 31);
		forget(s, word >> 10 & 31);
	}
	if (!is_pair)
		forget(s, word >> 16 & 31);
	if (is_exclusive)
		forget(s, ((word >> 16) + 1) & 31);
	if (is_pair ? word >> 23 & 1 : !is_exclusive && !is_atomic)
		forget(s, word >> 5 & 31);
	return TRUE;
}

static void
step_data(const Flow *flow, State *s, guint32 word, guint64 pc)
{
	guint target = word & 31;
	LinuxOperand value = linux_operand_unknown();
	LinuxOperand first = s->x[word >> 5 & 31], second = s->x[word >> 16 & 31];
	guint64 number = word >> 10 & 0xfff;

	if ((word & 0x9f000000) == 0x90000000) { /* ADRP */
		guint64 pages = (guint64) signed_field(word, 5, 19) << 2 | (word >> 29 & 3);
		value = (LinuxOperand){ .kind = LINUX_OPERAND_KNOWN,
					.value = (pc >> PAGE << PAGE) + (pages << PAGE) };
	} else if ((word & 0x9f000000) == 0x10000000) { /* ADR */
		guint64 bytes = (guint64) signed_field(word, 5, 19) << 2 | (word >> 29 & 3);
		value = (LinuxOperand){ .kind = LINUX_OPERAND_KNOWN, .value = pc + bytes };
	} else if ((word & 0xff800000) == 0x91000000) { /* ADD of a number */
		value = linux_operand_add_number(first, word >> 22 & 1 ? number << 12 : number);
	} else if ((word & 0xff200000) == 0x8b000000 || (word & 0xff200000) == 0x8b200000) {
		/* A known number may be shifted: then nothing is known. */
		if (second.kind == LINUX_OPERAND_KNOWN && word & 0xfc00 && !(word & 1 << 21))
			second.kind = LINUX_OPERAND_UNKNOWN;
		value = linux_operand_add(first, second);
	} else if ((word & 0xffe0ffe0) == 0xaa0003e0) { /* MOV */
		value = second;
	}
	set(s, target, value);
}

static void
after_call(State *s)
{
	for (guint i = 0; i < ZERO; i++)
		if (i < FIRST_KEPT || i > LAST_KEPT)
			forget(s, i);
}

/* FALSE: the next instruction does not follow. */
static gboolean
step(Flow *flow, guint64 index, State *s)
{
	guint32 word = vmifs_load_u32(flow->code + index * 4);
	guint64 pc = flow->va + index * 4;

	if ((word & 0x7c000000) == 0x14000000) { /* B, BL */
		guint64 to = index + (guint64) signed_field(word, 0, 26);
		gboolean is_call = word >> 31;
		if (is_call || to >= flow->n)
			tell(flow, LINUX_MENTION_CALL,
			     (LinuxOperand){ .kind = LINUX_OPERAND_KNOWN,
					     .value = flow->va + to * 4 },
			     0, s);
		else
			join(flow, to, s);
		if (is_call)
			after_call(s);
		return is_call;
	}
	if ((word & 0xff000010) == 0x54000000 || (word & 0x7e000000) == 0x34000000) {
		/* B.cond, CBZ */
		join(flow, index + (guint64) signed_field(word, 5, 19), s);
	} else if ((word & 0x7e000000) == 0x36000000) { /* TBZ */
		join(flow, index + (guint64) signed_field(word, 5, 14), s);
	} else if ((word & 0xfe000000) == 0xd6000000) { /* BR, BLR, RET */
		after_call(s);
		return (word >> 21 & 3) == 1;
	} else if ((word & 0xff000000) == 0xd4000000) { /* BRK and the like */
		after_call(s);
	} else if (!step_memory(flow, s, word)) {
		step_data(flow, s, word, pc);
	}
	return TRUE;
}

static void
pass(Flow *flow)
{
	for (guint64 i = 0; i < flow->n; i++) {
		State s = flow->states[i];

		if (s.x[ZERO].kind != LINUX_OPERAND_NONE && step(flow, i, &s))
			join(flow, i + 1, &s);
	}
}

void
linux_mentions_aarch64(const guint8 *code, gsize len, guint64 va, LinuxMentionVisit visit,
		       gpointer user)
{
	gsize n = MIN(len, LINUX_MENTIONS_MAX) / 4;
	g_autofree State *states = g_new0(State, n + 1);
	Flow flow = { .code = code, .n = n, .va = va, .states = states, .changed = TRUE };

	for (guint i = 0; i < N_REGISTERS; i++)
		forget(&states[0], i);
	for (guint i = 0; i < LINUX_MENTION_ARGUMENTS; i++)
		states[0].x[i] = (LinuxOperand){ .kind = LINUX_OPERAND_HANDED, .argument = i };
	for (guint i = 0; flow.changed; i++) {
		if (i == MAX_PASSES)
			return;
		flow.changed = FALSE;
		pass(&flow);
	}
	flow.visit = visit;
	flow.user = user;
	pass(&flow);
}
