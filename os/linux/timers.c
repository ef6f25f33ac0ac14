/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * timers: /proc/<pid>/timers: the timers that a process has made, newest first. They hang on a ring
 * or, since 6.10, on a chain with an end; what a timer sends lies behind a pointer or, since 6.13,
 * within it.
 */
#include "list.h"
#include "state.h"

/* Each is a hundred bytes of text; the usual limit of signals allows some ten thousand. */
#define MAX_TIMERS (256 * 1024)
#define LEAST_TIMER 128
#define NOTIFY_THREAD_ID 4

typedef struct {
	LinuxCursor c;
	GString *out;
	guint64 node_at, ns;
} Timers;

static void
append_timer(Timers *t, guint64 timer)
{
	static const char *const kinds[] = { "signal", "none", "thread" };
	const Linux *os = t->c.os;
	VmifsMember sent;
	guint64 queue = 0;

	if (!t->c.error && linux_member(os, LINUX_FIELD_TIMER_SIGQ, &sent, &t->c.error))
		queue = sent.size == 8 ? linux_take(&t->c, timer, LINUX_FIELD_TIMER_SIGQ)
				       : timer + sent.offset;
	guint64 notify = linux_take(&t->c, timer, LINUX_FIELD_TIMER_NOTIFY);
	guint64 kind = notify & ~(guint64) NOTIFY_THREAD_ID;
	guint64 pid = linux_take(&t->c, timer, LINUX_FIELD_TIMER_PID);
	g_string_append_printf(
		t->out,
		"ID: %d\nsignal: %d/%0*" G_GINT64_MODIFIER "x\nnotify: %s/%s.%d\nClockID: %d\n",
		(gint32) linux_take(&t->c, timer, LINUX_FIELD_TIMER_ID),
		(gint32) linux_take(&t->c, queue, LINUX_FIELD_SIGQUEUE_SIGNO), linux_digits(os),
		linux_take(&t->c, queue, LINUX_FIELD_SIGQUEUE_VALUE),
		kind < G_N_ELEMENTS(kinds) ? kinds[kind] : "",
		notify & NOTIFY_THREAD_ID ? "tid" : "pid",
		(gint32) linux_pid_number(&t->c, pid, t->ns),
		(gint32) linux_take(&t->c, timer, LINUX_FIELD_TIMER_CLOCK));
}

static gboolean
visit_timer(guint64 node, gpointer user)
{
	Timers *t = user;

	append_timer(t, node - t->node_at);
	return !t->c.error;
}

static gboolean
visit_chain(Timers *t, guint64 head, guint64 max, const VmifsCall *call, GError **error)
{
	guint64 node = 0;

	if (!linux_load_word(t->c.os, head, &node, error))
		return FALSE;
	for (guint64 i = 0; node; i++) {
		if (!vmifs_call_check(call, error))
			return FALSE;
		if (i >= max) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
					    "a chain of timers without an end");
			return FALSE;
		}
		if (!visit_timer(node, t))
			return TRUE;
		if (!linux_load_word(t->c.os, node, &node, error))
			return FALSE;
	}
	return TRUE;
}

LINUX_VIEW(linux_render_timers)
{
	const Linux *self = os;
	g_autoptr(GString) text = g_string_new(NULL);
	Timers t = { .c = { .os = os }, .out = text };
	guint64 max = MIN(MAX_TIMERS, linux_room_for(self, LEAST_TIMER));
	VmifsMember timers;

	guint64 signal = linux_take(&t.c, task->object, LINUX_FIELD_TASK_SIGNAL);
	/* Who has been waited for has none. */
	if (!linux_take(&t.c, task->object, LINUX_FIELD_TASK_SIGHAND))
		return linux_cursor_end(&t.c, error);
	if (!linux_member(self, LINUX_FIELD_SIGNAL_POSIX_TIMERS, &timers, error) ||
	    !linux_offset(self, LINUX_FIELD_TIMER_LIST, &t.node_at, error) ||
	    !linux_symbol(self, "init_pid_ns", &t.ns, error))
		return FALSE;
	guint64 head = signal + timers.offset;
	gboolean whole = timers.size == 8 ? visit_chain(&t, head, max, call, error)
					  : linux_list_each(self->aspace, head, max, visit_timer,
							    &t, call, error);
	if (!whole) {
		g_clear_error(&t.c.error);
		return FALSE;
	}
	if (!linux_cursor_end(&t.c, error))
		return FALSE;
	g_string_append_len(out, text->str, (gssize) text->len);
	return TRUE;
}
