/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* translate: see the header. "gpa: 0x40210000", or "Unmapped"; what else is said is a complaint. */
#include "translate.h"

#include <string.h>
#include <vmifs/error.h>

static gboolean
parse(const char *text, guint64 *ret)
{
	static const char head[] = "gpa: ";
	g_autofree char *line = g_strstrip(g_strdup(text));
	const char *number = line + strlen(head);

	if (!g_str_has_prefix(line, head))
		return FALSE;
	if (g_str_has_prefix(number, "0x"))
		return g_ascii_string_to_unsigned(number + 2, 16, 0, G_MAXUINT64, ret, NULL);
	return g_ascii_string_to_unsigned(number, 16, 0, 0, ret, NULL);
}

gboolean
qemu_translate(QemuMonitor *monitor, guint vcpu, guint64 va, guint64 *ret_pa, const VmifsCall *call,
	       GError **error)
{
	g_autofree char *line = g_strdup_printf("gva2gpa 0x%" G_GINT64_MODIFIER "x", va);
	json_auto_t *answer = qemu_monitor_qmp(
		monitor, "human-monitor-command",
		json_pack("{s:s, s:i}", "command-line", line, "cpu-index", (int) vcpu), call,
		error);
	const char *text = json_string_value(answer);

	if (!answer)
		return FALSE;
	if (text && parse(text, ret_pa))
		return TRUE;
	if (text && g_str_has_prefix(text, "Unmapped"))
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE,
			    "vCPU %u has nothing at 0x%" G_GINT64_MODIFIER "x", vcpu, va);
	else
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "QEMU does not walk page tables");
	return FALSE;
}
