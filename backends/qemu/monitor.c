/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* monitor: one question, or a line of the human monitor, as what every implementation offers. */
#include "monitor.h"

#include <vmifs/error.h>

gboolean
qemu_monitor_ask(QemuMonitor *monitor, QemuAsk *asks, gsize n, const VmifsCall *call,
		 GError **error)
{
	return monitor->ops->ask(monitor, asks, n, call, error);
}

GError *
qemu_monitor_refusal(const json_t *problem, const char *command)
{
	const char *class = json_string_value(json_object_get(problem, "class"));
	const char *what = json_string_value(json_object_get(problem, "desc"));
	g_autofree char *shown = g_strescape(what ? what : "no reason given", NULL);

	return g_error_new(VMIFS_ERROR,
			   g_strcmp0(class, "CommandNotFound") == 0 ? VMIFS_ERROR_UNSUPPORTED
								    : VMIFS_ERROR_IO,
			   "%s: %.200s", command, shown);
}

void
qemu_asks_clear(QemuAsk *asks, gsize n)
{
	for (gsize i = 0; i < n; i++) {
		g_clear_pointer(&asks[i].answer, json_decref);
		g_clear_error(&asks[i].error);
	}
}

json_t *
qemu_monitor_qmp(QemuMonitor *monitor, const char *command, json_t *arguments,
		 const VmifsCall *call, GError **error)
{
	json_auto_t *own = arguments;
	QemuAsk ask = { .command = command, .arguments = own };

	if (!qemu_monitor_ask(monitor, &ask, 1, call, error)) {
		qemu_asks_clear(&ask, 1);
		return NULL;
	}
	if (ask.error)
		g_propagate_error(error, ask.error);
	return ask.answer;
}

char *
qemu_monitor_hmp(QemuMonitor *monitor, const char *line, const VmifsCall *call, GError **error)
{
	const char *const lines[] = { line, NULL };
	g_auto(GStrv) texts = qemu_monitor_hmp_all(monitor, lines, call, error);

	return texts ? g_steal_pointer(&texts[0]) : NULL;
}

static gboolean
take_texts(const QemuAsk *asks, const char *const *lines, gsize n, char **texts, GError **error)
{
	for (gsize i = 0; i < n; i++) {
		const char *text = json_string_value(asks[i].answer);
		if (asks[i].error) {
			g_propagate_prefixed_error(error, g_error_copy(asks[i].error),
						   "\"%s\": ", lines[i]);
			return FALSE;
		}
		if (!text) {
			g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "\"%s\": the monitor's answer is no text", lines[i]);
			return FALSE;
		}
		texts[i] = g_strdup(text);
	}
	return TRUE;
}

char **
qemu_monitor_hmp_all(QemuMonitor *monitor, const char *const *lines, const VmifsCall *call,
		     GError **error)
{
	gsize n = g_strv_length((char **) lines);
	g_autofree QemuAsk *asks = g_new0(QemuAsk, n);
	g_auto(GStrv) texts = g_new0(char *, n + 1);
	gboolean good;

	for (gsize i = 0; i < n; i++) {
		asks[i].command = "human-monitor-command";
		asks[i].arguments = json_pack("{s:s}", "command-line", lines[i]);
	}
	good = qemu_monitor_ask(monitor, asks, n, call, error) &&
	       take_texts(asks, lines, n, texts, error);
	for (gsize i = 0; i < n; i++)
		json_decref(asks[i].arguments);
	qemu_asks_clear(asks, n);
	return good ? g_steal_pointer(&texts) : NULL;
}
