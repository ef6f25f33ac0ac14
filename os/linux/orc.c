/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* orc: see the header. Numbers of types are part of the format. */
#include "orc.h"

#include <spi/bytes.h>

#include <string.h>

typedef enum {
	BY_NOTHING_KNOWN,
	BY_UNDEFINED,
	BY_PREV_SP,
	BY_DX,
	BY_DI,
	BY_BP,
	BY_SP,
	BY_R10,
	BY_R13,
	BY_BP_INDIRECT,
	BY_SP_INDIRECT,
} By;

/* What the numbers in entries mean. */
static const guint8 numbers[LINUX_ORC_N_NUMBERS][16] = {
	[LINUX_ORC_FIRST_NUMBERS] = { BY_UNDEFINED, BY_PREV_SP, BY_DX, BY_DI, BY_BP, BY_SP, BY_R10,
				      BY_R13, BY_BP_INDIRECT, BY_SP_INDIRECT },
	[LINUX_ORC_SECOND_NUMBERS] = { BY_UNDEFINED, BY_NOTHING_KNOWN, BY_DX, BY_SP, BY_BP,
				       BY_NOTHING_KNOWN, BY_R10, BY_R13, BY_PREV_SP, BY_SP_INDIRECT,
				       BY_BP_INDIRECT },
};

typedef enum {
	TYPE_UNDEFINED,
	TYPE_END,
	TYPE_CALL,
	TYPE_REGS,
	TYPE_REGS_PARTIAL, /* only those that the processor itself saves */
} Type;

typedef struct {
	gint16 sp_offset, bp_offset;
	By sp_reg, bp_reg;
	guint8 type; /* Type, or more */
	gboolean signal;
} Entry;

/* ---- tables ---- */

static guint64
get_bits(const guint8 *entry, LinuxOrcBits bits)
{
	guint64 number = 0;

	for (guint i = 0; i < bits.size; i++)
		number |= (guint64) entry[bits.offset + i] << 8 * i;
	return bits.size ? number >> bits.shift & ((G_GUINT64_CONSTANT(1) << bits.len) - 1) : 0;
}

static Entry
decode(const LinuxOrcFormat *format, const guint8 *bytes)
{
	Entry e = {
		.sp_offset = (gint16) get_bits(bytes, format->sp_offset),
		.bp_offset = (gint16) get_bits(bytes, format->bp_offset),
		.sp_reg = numbers[format->numbers][get_bits(bytes, format->sp_reg) & 15],
		.bp_reg = numbers[format->numbers][get_bits(bytes, format->bp_reg) & 15],
		.type = (guint8) get_bits(bytes, format->type),
	};

	if (format->end.size) {
		if (e.sp_reg == BY_UNDEFINED)
			e.type = get_bits(bytes, format->end) ? TYPE_END : TYPE_UNDEFINED;
		else
			e.type += TYPE_CALL;
	}
	e.signal = format->signal.size ? get_bits(bytes, format->signal) != 0 : e.type != TYPE_CALL;
	return e;
}

static gboolean
read_at(const LinuxOrc *orc, LinuxOrcState *s, guint64 va, gpointer buf, gsize len)
{
	if (orc->read(orc->user, va, buf, len))
		return TRUE;
	s->unread = va ? va : 1;
	return FALSE;
}

/* The last entry that holds from ip or before on. */
static gboolean
look_up(const LinuxOrc *orc, LinuxOrcState *s, const LinuxOrcTable *table, guint64 ip, Entry *ret)
{
	guint8 bytes[LINUX_ORC_MAX_ENTRY];
	guint64 low = 0, high = table->n;

	while (low < high) {
		guint64 middle = low + (high - low) / 2;
		guint64 at = table->ips + middle * 4;
		if (!read_at(orc, s, at, bytes, 4))
			return FALSE;
		if (at + (guint64) (gint64) (gint32) vmifs_load_u32(bytes) <= ip)
			low = middle + 1;
		else
			high = middle;
	}
	if (!read_at(orc, s, table->entries + (low ? low - 1 : 0) * orc->format.size, bytes,
		     orc->format.size))
		return FALSE;
	*ret = decode(&orc->format, bytes);
	return TRUE;
}

static gboolean
find_entry(const LinuxOrc *orc, LinuxOrcState *s, Entry *ret)
{
	/* Code made at run time keeps a frame pointer. */
	static const Entry framed = { 16, -16, BY_BP, BY_PREV_SP, TYPE_CALL, FALSE };
	/* A call of NULL has only pushed where it came from. */
	static const Entry null_call = { 8, 0, BY_SP, BY_UNDEFINED, TYPE_CALL, FALSE };
	/* A call may be the last instruction of its function. */
	guint64 ip = s->exact ? s->ip : s->ip - 1;
	LinuxOrcTable table;

	if (ip == 0) {
		*ret = null_call;
		return TRUE;
	}
	if (!orc->find(orc->user, ip, &table) || !table.n) {
		*ret = framed;
		return TRUE;
	}
	return look_up(orc, s, &table, ip, ret);
}

/* ---- the stack ---- */

static gboolean
read_stack(const LinuxOrc *orc, LinuxOrcState *s, guint64 va, gpointer buf, gsize len)
{
	return vmifs_in_bounds(va - orc->stack, len, orc->stack_len) &&
	       read_at(orc, s, va, buf, len);
}

static gboolean
read_word(const LinuxOrc *orc, LinuxOrcState *s, guint64 va, guint64 *ret)
{
	guint8 word[8];

	if (!read_stack(orc, s, va, word, sizeof word))
		return FALSE;
	*ret = vmifs_load_u64(word);
	return TRUE;
}

static gboolean
get_reg(const LinuxOrcState *s, LinuxOrcReg reg, guint64 *ret)
{
	if (!s->has_regs && reg != LINUX_ORC_BP)
		return FALSE;
	*ret = s->regs[reg];
	return TRUE;
}

/* The stack as it was before the call. */
static gboolean
find_frame(const LinuxOrc *orc, LinuxOrcState *s, const Entry *e, guint64 *ret)
{
	guint64 offset = (guint64) (gint64) e->sp_offset;
	guint64 sp;

	switch (e->sp_reg) {
	case BY_SP:
		*ret = s->sp + offset;
		return TRUE;
	case BY_BP:
		*ret = s->regs[LINUX_ORC_BP] + offset;
		return TRUE;
	case BY_SP_INDIRECT:
		if (!read_word(orc, s, s->sp, &sp))
			return FALSE;
		*ret = sp + offset;
		return TRUE;
	case BY_BP_INDIRECT:
		return read_word(orc, s, s->regs[LINUX_ORC_BP] + offset, ret);
	case BY_R10:
		return get_reg(s, LINUX_ORC_R10, ret);
	case BY_R13:
		return get_reg(s, LINUX_ORC_R13, ret);
	case BY_DI:
		return get_reg(s, LINUX_ORC_DI, ret);
	case BY_DX:
		return get_reg(s, LINUX_ORC_DX, ret);
	default:
		return FALSE;
	}
}

static void
take_saved(const LinuxOrc *orc, LinuxOrcState *s, const guint8 *saved)
{
	s->ip = vmifs_load_u64(saved + orc->pt_regs.ip);
	s->sp = vmifs_load_u64(saved + orc->pt_regs.sp);
	s->is_user = (saved[orc->pt_regs.cs] & 3) != 0;
}

/* Where it was called, or interrupted, from. */
static gboolean
find_caller(const LinuxOrc *orc, LinuxOrcState *s, const Entry *e, guint64 frame)
{
	guint8 saved[LINUX_ORC_MAX_REGS] = { 0 };
	const LinuxOrcPtRegs *layout = &orc->pt_regs;

	switch (e->type) {
	case TYPE_CALL:
		if (!read_word(orc, s, frame - 8, &s->ip))
			return FALSE;
		s->sp = frame;
		s->has_regs = FALSE;
		return TRUE;
	case TYPE_REGS:
		if (!read_stack(orc, s, frame, saved, layout->size))
			return FALSE;
		take_saved(orc, s, saved);
		/* BP is told by the entry, as of calls. */
		for (guint i = LINUX_ORC_BP + 1; i < LINUX_ORC_N_REGS; i++)
			s->regs[i] = vmifs_load_u64(saved + layout->regs[i]);
		if (e->bp_reg == BY_UNDEFINED)
			s->regs[LINUX_ORC_BP] = vmifs_load_u64(saved + layout->regs[LINUX_ORC_BP]);
		s->has_regs = TRUE;
		return TRUE;
	case TYPE_REGS_PARTIAL:
		if (!read_stack(orc, s, frame, saved + layout->ip,
				(gsize) layout->size - layout->ip))
			return FALSE;
		take_saved(orc, s, saved);
		return TRUE;
	default:
		return FALSE;
	}
}

static gboolean
find_bp(const LinuxOrc *orc, LinuxOrcState *s, const Entry *e, guint64 frame, guint64 old_bp)
{
	guint64 offset = (guint64) (gint64) e->bp_offset;

	switch (e->bp_reg) {
	case BY_UNDEFINED:
		return TRUE;
	case BY_PREV_SP:
		return read_word(orc, s, frame + offset, &s->regs[LINUX_ORC_BP]);
	case BY_BP:
		return read_word(orc, s, old_bp + offset, &s->regs[LINUX_ORC_BP]);
	default:
		return FALSE;
	}
}

gboolean
linux_orc_next(const LinuxOrc *orc, LinuxOrcState *state)
{
	guint64 old_sp = state->sp, old_bp = state->regs[LINUX_ORC_BP], frame;
	Entry e;

	state->unread = 0;
	if (state->is_user || !find_entry(orc, state, &e) || e.type == TYPE_UNDEFINED ||
	    e.type == TYPE_END)
		return FALSE;
	if (!find_frame(orc, state, &e, &frame) || !find_caller(orc, state, &e, frame) ||
	    !find_bp(orc, state, &e, frame, old_bp))
		return FALSE;
	state->exact = e.signal;
	return state->is_user || orc->may_switch || state->sp > old_sp;
}

gboolean
linux_orc_learn(LinuxOrc *orc, guint64 function)
{
	LinuxOrcState s = { .ip = function, .exact = TRUE };
	Entry e;

	for (guint i = 0; i < LINUX_ORC_N_NUMBERS; i++) {
		orc->format.numbers = (LinuxOrcNumbers) i;
		if (find_entry(orc, &s, &e) && e.type == TYPE_CALL && e.sp_reg == BY_SP &&
		    e.sp_offset == 8)
			return TRUE;
	}
	return FALSE;
}
