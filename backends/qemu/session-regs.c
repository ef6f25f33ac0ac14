/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session-regs: what the vCPU that stopped holds, and the bytes that it is about to execute: asked
 * in one go, as each wait for QEMU costs as much as an answer.
 */
#include "session.h"

static void
wrap_code(GString *out, const QemuCode *code)
{
	g_autofree char *packet =
		g_strdup_printf("m%" G_GINT64_MODIFIER "x,%zx", code->address, sizeof code->bytes);

	qemu_gdb_wrap(out, packet);
}

/* Of what is not there it says an error, which is shorter. */
static gboolean
hear_code(QemuSession *session, QemuCode *code, GError **error)
{
	g_autoptr(GByteArray) answer = qemu_gdb_answer(&session->gdb, error);
	guint64 byte;

	code->len = 0;
	if (!answer)
		return FALSE;
	while (answer->len == 2 * sizeof code->bytes && code->len < sizeof code->bytes &&
	       qemu_gdb_value_parse((const char *) answer->data + 2 * code->len, 2, 8, &byte))
		code->bytes[code->len++] = (guint8) byte;
	return TRUE;
}

gboolean
qemu_session_code(QemuSession *session, QemuCode *code, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);

	wrap_code(text, code);
	qemu_session_be_patient(session);
	return qemu_gdb_send(&session->gdb, text->str, text->len, error) &&
	       hear_code(session, code, error);
}

gboolean
qemu_session_ask_regs(QemuSession *session, const QemuCode *code, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);

	qemu_gdb_wrap(text, "g");
	if (code)
		wrap_code(text, code);
	qemu_session_be_patient(session);
	return qemu_gdb_send(&session->gdb, text->str, text->len, error);
}

VmifsRegs *
qemu_session_hear_regs(QemuSession *session, QemuCode *code, GError **error)
{
	g_autoptr(GByteArray) answer = qemu_gdb_answer(&session->gdb, error);

	if (!answer || (code && !hear_code(session, code, error)))
		return NULL;
	return qemu_gdb_regs_parse(&session->target, (const char *) answer->data, answer->len,
				   error);
}
