/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gdb-stop: see the header. Threads are vCPUs, counted from one: "thread:02", or "thread:p01.02"
 * where the stub tells of processes. Words that are not known say nothing.
 */
#include "gdb-stop.h"

#include "gdb.h"

#include <string.h>

/* ---- a stop ---- */

static gboolean
take_hex(const char *at, const char *end, guint64 *ret)
{
	guint64 value = 0;

	if (at == end || end - at > 16)
		return FALSE;
	for (; at < end; at++) {
		int digit = g_ascii_xdigit_value(*at);
		if (digit < 0)
			return FALSE;
		value = value << 4 | (guint64) digit;
	}
	*ret = value;
	return TRUE;
}

static gboolean
take_thread(const char *at, const char *end, QemuGdbStop *stop)
{
	const char *dot = memchr(at, '.', (gsize) (end - at));
	guint64 number;

	if (*at == 'p' && dot)
		at = dot + 1;
	if (!take_hex(at, end, &number) || !number || number > VMIFS_MAX_VCPUS)
		return FALSE;
	stop->vcpu = (guint) number - 1;
	return TRUE;
}

static gboolean
take_word(const char *name, gsize len, const char *value, const char *end, QemuGdbStop *stop)
{
	static const struct {
		const char *name;
		VmifsStopKind kind;
	} kinds[] = {
		{ "watch", VMIFS_STOP_WRITE },
		{ "rwatch", VMIFS_STOP_READ },
		{ "awatch", VMIFS_STOP_ACCESS },
	};

	if (len == strlen("thread") && !memcmp(name, "thread", len))
		return take_thread(value, end, stop);
	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (len != strlen(kinds[i].name) || memcmp(name, kinds[i].name, len))
			continue;
		stop->is_memory = TRUE;
		stop->kind = kinds[i].kind;
		return take_hex(value, end, &stop->address);
	}
	return TRUE;
}

gboolean
qemu_gdb_stop_parse(const char *text, QemuGdbStop *ret, GError **error)
{
	QemuGdbStop stop = { 0 };
	guint64 number;

	if ((text[0] != 'T' && text[0] != 'S') || strlen(text) < 3 ||
	    !take_hex(text + 1, text + 3, &number))
		return qemu_gdb_corrupt("a stop without a reason", error);
	stop.signal = (guint) number;
	for (const char *at = text + 3; *at;) {
		const char *end = strchrnul(at, ';');
		const char *colon = memchr(at, ':', (gsize) (end - at));
		if (colon && !take_word(at, (gsize) (colon - at), colon + 1, end, &stop))
			return qemu_gdb_corrupt("a stop of no vCPU or address", error);
		at = *end ? end + 1 : end;
	}
	*ret = stop;
	return TRUE;
}

/* ---- registers ---- */

gboolean
qemu_gdb_value_parse(const char *hex, gsize len, guint bits, guint64 *ret)
{
	guint64 value = 0;

	if (bits > 64 || bits % 8 || len != bits / 4)
		return FALSE;
	for (guint i = 0; i < bits / 8; i++) {
		int high = g_ascii_xdigit_value(hex[2 * i]);
		int low = g_ascii_xdigit_value(hex[2 * i + 1]);
		if (high < 0 || low < 0)
			return FALSE;
		value |= (guint64) (high << 4 | low) << 8 * i;
	}
	*ret = value;
	return TRUE;
}

#define EFER_LMA (1u << 10)

/* The stub of a QEMU for x86-64 has no other names for a system of 32 bits, whose registers are the
 * lower halves: as elsewhere they have their own. */
static void
add_halves(const QemuGdbTarget *target, VmifsRegs *regs)
{
	static const char *const halves[] = {
		"ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "ip"
	};
	guint64 efer, value;

	if (!target->architecture || !g_str_has_prefix(target->architecture, "i386") ||
	    !vmifs_regs_get(regs, "efer", &efer) || efer & EFER_LMA)
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(halves); i++) {
		const char whole[] = { 'r', halves[i][0], halves[i][1], '\0' };
		const char half[] = { 'e', halves[i][0], halves[i][1], '\0' };
		if (vmifs_regs_get(regs, whole, &value))
			vmifs_regs_set(regs, half, (guint32) value);
	}
}

VmifsRegs *
qemu_gdb_regs_parse(const QemuGdbTarget *target, const char *hex, gsize len, GError **error)
{
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	const QemuGdbReg *pc = qemu_gdb_target_pc(target);
	gsize at = 0;

	/* A hole in the numbers is not in it, and what comes after it cannot be placed. */
	for (guint i = 0; i < target->regs->len; i++) {
		const QemuGdbReg *reg = &g_array_index(target->regs, QemuGdbReg, i);
		gsize width = reg->bits / 4;
		guint64 value;
		if (reg->number != i || reg->bits % 8 || width > len - at)
			break;
		/* What the stub cannot tell is "xx". */
		if (qemu_gdb_value_parse(hex + at, width, reg->bits, &value))
			vmifs_regs_set(regs, reg->name, value);
		at += width;
	}
	add_halves(target, regs);
	if (pc && vmifs_regs_get(regs, pc->name, &(guint64){ 0 }))
		return g_steal_pointer(&regs);
	qemu_gdb_corrupt("registers that do not say where the vCPU is", error);
	return NULL;
}
