/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * usage: what a task has used, as procfs counts it: bytes read and written in io, processor time
 * and turns in schedstat. The io of a process adds up its threads, those that have ended too; that
 * of a thread does not.
 */
#include "linux.h"

typedef struct {
	const char *name;
	LinuxField field;
} Counter;

static const Counter counters[] = {
	{ "rchar", LINUX_FIELD_IO_RCHAR },
	{ "wchar", LINUX_FIELD_IO_WCHAR },
	{ "syscr", LINUX_FIELD_IO_SYSCR },
	{ "syscw", LINUX_FIELD_IO_SYSCW },
	{ "read_bytes", LINUX_FIELD_IO_READ_BYTES },
	{ "write_bytes", LINUX_FIELD_IO_WRITE_BYTES },
	{ "cancelled_write_bytes", LINUX_FIELD_IO_CANCELLED_WRITE_BYTES },
};
#define N_COUNTERS G_N_ELEMENTS(counters)

static void
add_counters(LinuxCursor *c, guint64 object, LinuxField field, guint64 sums[N_COUNTERS])
{
	guint64 at;

	if (c->error || !linux_offset(c->os, field, &at, &c->error))
		return;
	for (gsize i = 0; i < N_COUNTERS; i++)
		sums[i] += linux_take(c, object + at, counters[i].field);
}

static void
append_counters(GString *out, const guint64 sums[N_COUNTERS])
{
	for (gsize i = 0; i < N_COUNTERS; i++)
		g_string_append_printf(out, "%s: %" G_GUINT64_FORMAT "\n", counters[i].name,
				       sums[i]);
}

LINUX_VIEW(linux_render_thread_io)
{
	LinuxCursor c = { .os = os };
	guint64 sums[N_COUNTERS] = { 0 };

	add_counters(&c, task->object, LINUX_FIELD_TASK_IO, sums);
	if (!linux_cursor_end(&c, error))
		return FALSE;
	append_counters(out, sums);
	return TRUE;
}

LINUX_VIEW(linux_render_process_io)
{
	LinuxCursor c = { .os = os };
	guint64 sums[N_COUNTERS] = { 0 };
	g_autoptr(GArray) threads = g_array_new(FALSE, FALSE, sizeof(guint64));
	guint64 signal = linux_take(&c, task->object, LINUX_FIELD_TASK_SIGNAL);

	/* Who has been waited for stands alone. */
	if (!linux_take(&c, task->object, LINUX_FIELD_TASK_SIGHAND))
		return linux_cursor_end(&c, error) &&
		       linux_render_thread_io(os, task, entry, out, call, error);
	if (!linux_task_threads(os, task, threads, call, error))
		return FALSE;
	add_counters(&c, signal, LINUX_FIELD_SIGNAL_IO, sums);
	for (guint i = 0; i < threads->len && !c.error; i++) {
		if (i % 256 == 0 && !vmifs_call_check(call, &c.error))
			break;
		add_counters(&c, g_array_index(threads, guint64, i), LINUX_FIELD_TASK_IO, sums);
	}
	if (!linux_cursor_end(&c, error))
		return FALSE;
	append_counters(out, sums);
	return TRUE;
}

LINUX_VIEW(linux_render_schedstat)
{
	LinuxCursor c = { .os = os };
	guint64 runtime = linux_take(&c, task->object, LINUX_FIELD_TASK_SUM_EXEC_RUNTIME);
	guint64 delay = linux_take(&c, task->object, LINUX_FIELD_TASK_RUN_DELAY);
	guint64 turns = linux_take(&c, task->object, LINUX_FIELD_TASK_PCOUNT);

	if (!linux_cursor_end(&c, error))
		return FALSE;
	g_string_append_printf(
		out, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", runtime,
		delay, turns);
	return TRUE;
}
