/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* limits: /proc/<pid>/limits: the resource limits of a process, a table of fixed columns. */
#include "linux.h"

/* By RLIMIT number, as Linux has them on every architecture but three. */
static const struct {
	const char *name;
	const char *unit;
} limits[] = {
	{ "Max cpu time", "seconds" },     { "Max file size", "bytes" },
	{ "Max data size", "bytes" },      { "Max stack size", "bytes" },
	{ "Max core file size", "bytes" }, { "Max resident set", "bytes" },
	{ "Max processes", "processes" },  { "Max open files", "files" },
	{ "Max locked memory", "bytes" },  { "Max address space", "bytes" },
	{ "Max file locks", "locks" },     { "Max pending signals", "signals" },
	{ "Max msgqueue size", "bytes" },  { "Max nice priority", NULL },
	{ "Max realtime priority", NULL }, { "Max realtime timeout", "us" },
};

static void
append_limit(const Linux *os, GString *out, guint64 value)
{
	g_autofree char *text = value == linux_wrap(os, G_MAXUINT64)
					? g_strdup("unlimited")
					: g_strdup_printf("%" G_GUINT64_FORMAT, value);
	g_string_append_printf(out, "%-20s ", text);
}

LINUX_VIEW(linux_render_limits)
{
	const Linux *self = os;
	LinuxCursor c = { .os = os };
	VmifsMember rlim;
	guint64 signal = linux_take(&c, task->object, LINUX_FIELD_TASK_SIGNAL);
	g_autoptr(GString) text = g_string_new(NULL);

	/* Who has been waited for has no limits any more. */
	if (!linux_take(&c, task->object, LINUX_FIELD_TASK_SIGHAND))
		return linux_cursor_end(&c, error);
	if (!c.error)
		linux_member(self, LINUX_FIELD_SIGNAL_RLIM, &rlim, &c.error);
	g_string_append_printf(text, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit",
			       "Hard Limit", "Units");
	for (gsize i = 0; i < G_N_ELEMENTS(limits) && !c.error; i++) {
		guint64 at = signal + rlim.offset + i * rlim.elem_size;

		g_string_append_printf(text, "%-25s ", limits[i].name);
		append_limit(self, text, linux_take(&c, at, LINUX_FIELD_RLIMIT_CUR));
		append_limit(self, text, linux_take(&c, at, LINUX_FIELD_RLIMIT_MAX));
		if (limits[i].unit)
			g_string_append_printf(text, "%-10s", limits[i].unit);
		g_string_append_c(text, '\n');
	}
	if (!linux_cursor_end(&c, error))
		return FALSE;
	g_string_append_len(out, text->str, (gssize) text->len);
	return TRUE;
}
