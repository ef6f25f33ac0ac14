/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session-step: whether a step was the instruction's, or an interrupt came instead, from which the
 * vCPU comes back to it. Where it goes on then, registers say, or what lies on the stack.
 */
#include "session.h"

static const struct {
	const char *vectors, *back;
	guint64 mask, span; /* of the former: its bits that are an address, and how far they go */
} interrupts[] = {
	{ "vbar_el1", "elr_el1", ~0ull, 0x800 },
	{ "vbar", "elr_el1", ~0ull, 0x800 }, /* as QEMU 7.2 calls it */
	{ "stvec", "sepc", ~3ull, 1 },
};

/* What cannot be told is zero. */
static gboolean
ask_register(QemuSession *session, const char *name, guint64 *ret, GError **error)
{
	const QemuGdbReg *reg = qemu_gdb_target_find(&session->target, name);
	g_autofree char *ask = g_strdup_printf("p%x", reg->number);
	g_autoptr(GByteArray) answer = qemu_gdb_ask(&session->gdb, ask, error);

	*ret = 0;
	if (answer)
		qemu_gdb_value_parse((const char *) answer->data, answer->len, reg->bits, ret);
	return answer != NULL;
}

static gboolean
came_by_registers(QemuSession *session, gsize which, guint64 pc, guint64 now, gboolean *ret,
		  GError **error)
{
	guint64 vectors, back;

	if (!ask_register(session, interrupts[which].vectors, &vectors, error) ||
	    !ask_register(session, interrupts[which].back, &back, error))
		return FALSE;
	*ret = back == pc && now - (vectors & interrupts[which].mask) < interrupts[which].span;
	return TRUE;
}

/* Behind an error code or not. */
static gboolean
came_by_stack(QemuSession *session, guint64 pc, guint64 sp, gboolean *ret, GError **error)
{
	g_autofree char *ask = g_strdup_printf("m%" G_GINT64_MODIFIER "x,10", sp);
	g_autoptr(GByteArray) answer = qemu_gdb_ask(&session->gdb, ask, error);
	guint64 words[2] = { 0 };

	if (!answer)
		return FALSE;
	for (gsize i = 0; i < 2 && answer->len == 32; i++)
		qemu_gdb_value_parse((const char *) answer->data + 16 * i, 16, 64, &words[i]);
	*ret = words[0] == pc || words[1] == pc;
	return TRUE;
}

static gboolean
came(QemuSession *session, guint64 pc, guint64 now, guint64 sp, gboolean *ret, GError **error)
{
	const QemuGdbTarget *target = &session->target;

	for (gsize i = 0; i < G_N_ELEMENTS(interrupts); i++)
		if (qemu_gdb_target_find(target, interrupts[i].vectors) &&
		    qemu_gdb_target_find(target, interrupts[i].back))
			return came_by_registers(session, i, pc, now, ret, error);
	return came_by_stack(session, pc, sp, ret, error);
}

gboolean
qemu_session_was_made(QemuSession *session, guint64 pc, gboolean *ret, GError **error)
{
	g_autoptr(VmifsRegs) regs = qemu_session_ask_regs(session, NULL, error)
					    ? qemu_session_hear_regs(session, NULL, error)
					    : NULL;
	guint64 now = 0, sp = 0;
	gboolean has_come;

	if (!regs)
		return FALSE;
	vmifs_regs_get(regs, qemu_gdb_target_pc(&session->target)->name, &now);
	vmifs_regs_get(regs, "rsp", &sp);
	if (!came(session, pc, now, sp, &has_come, error))
		return FALSE;
	*ret = now != pc && !has_come;
	return TRUE;
}
