/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stat: /proc/<pid>/stat and statm: one line of numbers whose order never changes. The stat of a
 * process adds up its threads; that of a thread, below task/, does not.
 */
#include "counters.h"
#include "numbers.h"
#include "state.h"

#define PF_EXITING 0x00000004
#define PF_POSTCOREDUMP 0x00000008
#define PF_DUMPCORE 0x00000200
#define SIGNAL_STOP_STOPPED 0x1
#define SIGNAL_GROUP_EXIT 0x4
#define RLIMIT_RSS_INDEX 5
#define MAX_RT_PRIO 100
#define DEFAULT_PRIO 120

typedef struct {
	const Linux *os;
	const VmifsTask *task;
	GString *out;
	gboolean whole; /* the process, not the thread */
	gboolean no_usage;
	LinuxCursor c;
	guint64 flags, signal, sighand, threads;
	LinuxUsage usage;
} Stat;

static guint64
own(Stat *s, LinuxField field)
{
	return linux_take(&s->c, s->task->object, field);
}

static guint64
of_signal(Stat *s, LinuxField field)
{
	return linux_take(&s->c, s->signal, field);
}

static guint64
mm(Stat *s, LinuxField field)
{
	return s->task->mm ? linux_take(&s->c, s->task->mm, field) : 0;
}

static void
put_unknown(Stat *s)
{
	g_string_append(s->out, " ?");
}

static void
put(Stat *s, guint64 value)
{
	if (linux_cursor_is_unknown(&s->c))
		return put_unknown(s);
	g_string_append_c(s->out, ' ');
	linux_append_number(s->out, value);
}

static void
put_signed(Stat *s, gint64 value)
{
	if (linux_cursor_is_unknown(&s->c))
		return put_unknown(s);
	g_string_append_c(s->out, ' ');
	linux_append_signed(s->out, value);
}

static void
put_usage(Stat *s, guint64 value)
{
	if (s->no_usage)
		put_unknown(s);
	else
		put(s, value);
}

/* The device number of a terminal, as the kernel passes it to programs. */
static guint64
encode_dev(guint64 major, guint64 minor)
{
	return (minor & 0xff) | major << 8 | (minor & ~0xffULL) << 12;
}

static void
put_terminal(Stat *s, guint64 ns)
{
	guint64 tty = s->sighand ? of_signal(s, LINUX_FIELD_SIGNAL_TTY) : 0;

	if (linux_cursor_is_unknown(&s->c)) {
		put_unknown(s);
		put_unknown(s);
		return;
	}
	if (!tty) {
		put(s, 0);
		put_signed(s, -1);
		return;
	}
	guint64 driver = linux_take(&s->c, tty, LINUX_FIELD_TTY_DRIVER);
	guint64 dev = linux_take(&s->c, driver, LINUX_FIELD_TTY_DRIVER_MAJOR) << LINUX_MINOR_BITS;
	dev |= linux_take(&s->c, driver, LINUX_FIELD_TTY_DRIVER_MINOR_START);
	dev += linux_take(&s->c, tty, LINUX_FIELD_TTY_INDEX);
	put_signed(s, (gint32) encode_dev(dev >> LINUX_MINOR_BITS,
					  dev & ((1U << LINUX_MINOR_BITS) - 1)));
	put(s, linux_pid_number(&s->c, linux_take(&s->c, tty, LINUX_FIELD_TTY_PGRP), ns));
}

static void
put_identity(Stat *s)
{
	g_autoptr(GString) name = g_string_new(NULL);
	guint64 ns = 0;

	if (!s->c.error)
		linux_symbol(s->os, "init_pid_ns", &ns, &s->c.error);
	if (!s->c.error)
		linux_task_name(s->os, s->task, name, &s->c.error);
	gboolean no_name = linux_cursor_is_unknown(&s->c);
	char state = *linux_task_state(&s->c, s->task->object);
	g_string_append_printf(s->out, "%u (%s) %c", s->task->pid, no_name ? "?" : name->str,
			       linux_cursor_is_unknown(&s->c) ? '?' : state);
	if (s->sighand) {
		put(s, s->task->ppid);
		put(s, linux_pid_number(
			       &s->c, linux_signal_pid(&s->c, s->signal, LINUX_VALUE_PIDTYPE_PGID),
			       ns));
		put(s, linux_pid_number(&s->c,
					linux_signal_pid(&s->c, s->signal, LINUX_VALUE_PIDTYPE_SID),
					ns));
	} else {
		put(s, 0);
		put_signed(s, -1);
		put_signed(s, -1);
	}
	put_terminal(s, ns);
	put(s, s->flags);
}

static void
put_times(Stat *s)
{
	put_usage(s, s->usage.min_flt);
	put(s, of_signal(s, LINUX_FIELD_SIGNAL_CMIN_FLT));
	put_usage(s, s->usage.maj_flt);
	put(s, of_signal(s, LINUX_FIELD_SIGNAL_CMAJ_FLT));
	put_usage(s, s->usage.utime / LINUX_NS_PER_TICK);
	put_usage(s, s->usage.stime / LINUX_NS_PER_TICK);
	put(s, of_signal(s, LINUX_FIELD_SIGNAL_CUTIME) / LINUX_NS_PER_TICK);
	put(s, of_signal(s, LINUX_FIELD_SIGNAL_CSTIME) / LINUX_NS_PER_TICK);
	put_signed(s, (gint32) (own(s, LINUX_FIELD_TASK_PRIO) - MAX_RT_PRIO));
	put_signed(s, (gint32) (own(s, LINUX_FIELD_TASK_STATIC_PRIO) - DEFAULT_PRIO));
	put(s, s->threads);
	put(s, 0);
	put(s, own(s, LINUX_FIELD_TASK_START_BOOTTIME) / LINUX_NS_PER_TICK);
}

/* Stack and instruction pointer: told only of a task that will never run its program again. */
static void
put_registers(Stat *s)
{
	guint64 regs = 0;

	if (s->task->mm && s->flags & (PF_EXITING | PF_DUMPCORE | PF_POSTCOREDUMP))
		regs = linux_task_regs(&s->c, s->task->object);
	if (linux_cursor_is_unknown(&s->c)) {
		put_unknown(s);
		put_unknown(s);
		return;
	}
	put(s, regs ? linux_take(&s->c, regs, LINUX_FIELD_PT_REGS_SP) : 0);
	put(s, regs ? linux_take(&s->c, regs, LINUX_FIELD_PT_REGS_IP) : 0);
}

static void
put_memory(Stat *s)
{
	LinuxRss rss = { 0 };

	if (s->task->mm && !s->c.error)
		linux_rss(s->os, s->task->mm, FALSE, &rss, NULL, &s->c.error);
	gboolean no_rss = linux_cursor_is_unknown(&s->c);
	put(s, mm(s, LINUX_FIELD_MM_TOTAL_VM) << linux_page_shift(s->os));
	if (no_rss)
		put_unknown(s);
	else
		put(s, rss.file + rss.anon + rss.shmem);
	put(s, s->sighand ? linux_rlimit(&s->c, s->signal, RLIMIT_RSS_INDEX) : 0);
	put(s, mm(s, LINUX_FIELD_MM_START_CODE));
	put(s, mm(s, LINUX_FIELD_MM_END_CODE));
	put(s, mm(s, LINUX_FIELD_MM_START_STACK));
	put_registers(s);
}

static void
put_signals(Stat *s)
{
	guint64 ignored = 0, caught = 0;

	if (s->sighand && !s->c.error)
		linux_signal_actions(s->os, s->sighand, &ignored, &caught, &s->c.error);
	gboolean no_actions = linux_cursor_is_unknown(&s->c);
	put(s, own(s, LINUX_FIELD_TASK_PENDING) & G_MAXINT32);
	put(s, own(s, LINUX_FIELD_TASK_BLOCKED) & G_MAXINT32);
	if (no_actions) {
		put_unknown(s);
		put_unknown(s);
	} else {
		put(s, ignored & G_MAXINT32);
		put(s, caught & G_MAXINT32);
	}
	/* Whether wchan would tell anything, for a process of many threads never. */
	put(s, (!s->whole || s->threads < 2) && linux_waits(&s->c, s->task->object));
	put(s, 0);
	put(s, 0);
	put_signed(s, (gint32) own(s, LINUX_FIELD_TASK_EXIT_SIGNAL));
}

static void
put_scheduling(Stat *s)
{
	guint64 delays =
		linux_has(s->os, LINUX_FIELD_TASK_DELAYS) ? own(s, LINUX_FIELD_TASK_DELAYS) : 0;
	gboolean no_delays = s->os->is_partial && !delays;

	put_signed(s, (gint32) own(s, LINUX_FIELD_TASK_CPU));
	put(s, own(s, LINUX_FIELD_TASK_RT_PRIORITY));
	put(s, own(s, LINUX_FIELD_TASK_POLICY));
	if (no_delays)
		put_unknown(s);
	else
		put(s,
		    delays ? linux_take(&s->c, delays, LINUX_FIELD_DELAYS_BLKIO) / LINUX_NS_PER_TICK
			   : 0);
	put_usage(s, s->usage.gtime / LINUX_NS_PER_TICK);
	put(s, of_signal(s, LINUX_FIELD_SIGNAL_CGTIME) / LINUX_NS_PER_TICK);
}

static void
put_end(Stat *s)
{
	static const LinuxField fields[] = {
		LINUX_FIELD_MM_START_DATA, LINUX_FIELD_MM_END_DATA, LINUX_FIELD_MM_START_BRK,
		LINUX_FIELD_MM_ARG_START,  LINUX_FIELD_MM_ARG_END,  LINUX_FIELD_MM_ENV_START,
		LINUX_FIELD_MM_ENV_END,
	};
	guint64 exit_code = own(s, LINUX_FIELD_TASK_EXIT_CODE);

	for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
		put(s, mm(s, fields[i]));
	/* Before 5.16 every thread showed its own. */
	if (s->whole && s->sighand && !linux_looks_for_frames(s->os) &&
	    of_signal(s, LINUX_FIELD_SIGNAL_FLAGS) & (SIGNAL_GROUP_EXIT | SIGNAL_STOP_STOPPED))
		exit_code = of_signal(s, LINUX_FIELD_SIGNAL_GROUP_EXIT_CODE);
	put_signed(s, (gint32) exit_code);
	g_string_append_c(s->out, '\n');
}

static gboolean
render_stat(const Linux *os, const VmifsTask *task, gboolean whole, GString *out,
	    const VmifsCall *call, GError **error)
{
	Stat s = { .os = os, .task = task, .out = out, .whole = whole, .c = { .os = os } };

	s.flags = own(&s, LINUX_FIELD_TASK_FLAGS);
	s.signal = own(&s, LINUX_FIELD_TASK_SIGNAL);
	s.sighand = own(&s, LINUX_FIELD_TASK_SIGHAND);
	s.threads = s.sighand ? of_signal(&s, LINUX_FIELD_SIGNAL_NR_THREADS) : 0;
	if (s.c.error)
		return linux_cursor_end(&s.c, error);
	if (whole)
		linux_process_usage(os, task, &s.usage, call, &s.c.error);
	else
		linux_thread_usage(os, task->object, &s.usage, &s.c.error);
	s.no_usage = linux_cursor_is_unknown(&s.c);
	put_identity(&s);
	put_times(&s);
	put_memory(&s);
	put_signals(&s);
	put_scheduling(&s);
	put_end(&s);
	return linux_cursor_end(&s.c, error);
}

LINUX_VIEW(linux_render_process_stat)
{
	return render_stat(os, task, TRUE, out, call, error);
}

LINUX_VIEW(linux_render_thread_stat)
{
	return render_stat(os, task, FALSE, out, call, error);
}

LINUX_VIEW(linux_render_statm)
{
	LinuxCursor c = { .os = os };
	LinuxRss rss = { 0 };

	if (!task->mm) {
		g_string_append(out, "0 0 0 0 0 0 0\n");
		return TRUE;
	}
	if (!linux_rss(os, task->mm, TRUE, &rss, call, error))
		return FALSE;
	guint64 end_code = linux_take(&c, task->mm, LINUX_FIELD_MM_END_CODE);
	guint64 start_code = linux_take(&c, task->mm, LINUX_FIELD_MM_START_CODE);
	guint64 page = linux_page_size(os);
	guint64 text = (end_code + page - 1) / page - start_code / page;
	guint64 total = linux_take(&c, task->mm, LINUX_FIELD_MM_TOTAL_VM);
	guint64 data = linux_take(&c, task->mm, LINUX_FIELD_MM_DATA_VM) +
		       linux_take(&c, task->mm, LINUX_FIELD_MM_STACK_VM);
	if (!linux_cursor_end(&c, error))
		return FALSE;
	g_string_append_printf(out,
			       "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
			       " %" G_GUINT64_FORMAT " 0 %" G_GUINT64_FORMAT " 0\n",
			       total, rss.file + rss.shmem + rss.anon, rss.file + rss.shmem, text,
			       data);
	return TRUE;
}
