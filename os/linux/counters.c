/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * counters: sums as the kernel makes them. Times are shown adjusted: the precise run time of the
 * scheduler, split into user and system by the ratio of the ticks, and never going back behind what
 * was shown before.
 */
#include "counters.h"

#include <spi/bytes.h>

#define N_SIGNALS 64
#define MAX_ACTION 64 /* bytes; there are 32 */
#define SIG_DFL_VALUE 0
#define SIG_IGN_VALUE 1

/* ---- memory ---- */

static gboolean
read_rss(const Linux *os, guint64 mm, LinuxValue kind, gboolean exact, guint64 *ret,
	 const VmifsCall *call, GError **error)
{
	VmifsMember counts, counters;
	guint64 index;
	gint64 n;

	if (!linux_value(os, kind, &index, error) ||
	    !linux_member(os, LINUX_FIELD_MM_RSS_STAT, &counters, error))
		return FALSE;
	/* An array of per-CPU counters since 6.2; before, a structure with an array of numbers. */
	if (counters.count > 1) {
		guint64 at = mm + counters.offset + index * counters.elem_size;
		if (exact ? !linux_percpu_counter(os, at, &n, call, error)
			  : !linux_get(os, at, LINUX_FIELD_PERCPU_COUNTER_COUNT, (guint64 *) &n,
				       error))
			return FALSE;
	} else {
		if (!linux_member(os, LINUX_FIELD_MM_RSS_COUNT, &counts, error) ||
		    !linux_load(os, mm + counts.offset + index * counts.elem_size, counts.elem_size,
				(guint64 *) &n, error))
			return FALSE;
	}
	*ret = (guint64) MAX(n, 0);
	return TRUE;
}

gboolean
linux_rss(const Linux *os, guint64 mm, gboolean exact, LinuxRss *ret, const VmifsCall *call,
	  GError **error)
{
	LinuxRss rss;

	if (!read_rss(os, mm, LINUX_VALUE_MM_FILEPAGES, exact, &rss.file, call, error) ||
	    !read_rss(os, mm, LINUX_VALUE_MM_ANONPAGES, exact, &rss.anon, call, error) ||
	    !read_rss(os, mm, LINUX_VALUE_MM_SWAPENTS, exact, &rss.swap, call, error) ||
	    !read_rss(os, mm, LINUX_VALUE_MM_SHMEMPAGES, exact, &rss.shmem, call, error))
		return FALSE;
	*ret = rss;
	return TRUE;
}

/* ---- processor time ---- */

/* How often c goes into what rest and more, both less than c, are together; the rest is left. */
static guint64
carry(guint64 *rest, guint64 more, guint64 c)
{
	if (*rest < c - more) {
		*rest += more;
		return 0;
	}
	*rest -= c - more;
	return 1;
}

/* a * b / c without losing bits, at most 2^64 - 1; c > 0. Products that are longer than any number
 * of this host are divided by hand, bit by bit of a. */
static guint64
scale(guint64 a, guint64 b, guint64 c)
{
	guint64 product, ratio = 0, rest = 0;

	if (g_uint64_checked_mul(&product, a, b))
		return product / c;
	for (guint bit = 64; bit-- > 0;) {
		if (!g_uint64_checked_mul(&ratio, ratio, 2))
			return G_MAXUINT64;
		ratio += carry(&rest, rest, c);
		if (!(a >> bit & 1))
			continue;
		if (!g_uint64_checked_add(&ratio, ratio, b / c) ||
		    !g_uint64_checked_add(&ratio, ratio, carry(&rest, b % c, c)))
			return G_MAXUINT64;
	}
	return ratio;
}

static void
adjust(guint64 runtime, guint64 prev_utime, guint64 prev_stime, guint64 *utime, guint64 *stime)
{
	if (prev_stime + prev_utime >= runtime) {
		*utime = prev_utime;
		*stime = prev_stime;
		return;
	}
	guint64 user, system;
	if (*stime == 0)
		system = 0;
	else if (*utime == 0 || *stime + *utime < *stime)
		system = runtime;
	else
		system = MIN(scale(*stime, runtime, *stime + *utime), runtime);
	system = MAX(system, prev_stime);
	user = runtime - system;
	if (user < prev_utime) {
		user = prev_utime;
		system = runtime - user;
	}
	*utime = user;
	*stime = system;
}

gboolean
linux_thread_usage(const Linux *os, guint64 task, LinuxUsage *ret, GError **error)
{
	LinuxCursor c = { .os = os };
	LinuxUsage u = {
		.utime = linux_take(&c, task, LINUX_FIELD_TASK_UTIME),
		.stime = linux_take(&c, task, LINUX_FIELD_TASK_STIME),
		.gtime = linux_take(&c, task, LINUX_FIELD_TASK_GTIME),
		.min_flt = linux_take(&c, task, LINUX_FIELD_TASK_MIN_FLT),
		.maj_flt = linux_take(&c, task, LINUX_FIELD_TASK_MAJ_FLT),
	};

	adjust(linux_take(&c, task, LINUX_FIELD_TASK_SUM_EXEC_RUNTIME),
	       linux_take(&c, task, LINUX_FIELD_TASK_PREV_UTIME),
	       linux_take(&c, task, LINUX_FIELD_TASK_PREV_STIME), &u.utime, &u.stime);
	if (!linux_cursor_end(&c, error))
		return FALSE;
	*ret = u;
	return TRUE;
}

gboolean
linux_process_usage(const Linux *os, const VmifsTask *task, LinuxUsage *ret, const VmifsCall *call,
		    GError **error)
{
	g_autoptr(GArray) threads = g_array_new(FALSE, FALSE, sizeof(guint64));
	LinuxCursor c = { .os = os };
	guint64 signal = linux_take(&c, task->object, LINUX_FIELD_TASK_SIGNAL);
	LinuxUsage u = {
		.utime = linux_take(&c, signal, LINUX_FIELD_SIGNAL_UTIME),
		.stime = linux_take(&c, signal, LINUX_FIELD_SIGNAL_STIME),
		.gtime = linux_take(&c, signal, LINUX_FIELD_SIGNAL_GTIME),
		.min_flt = linux_take(&c, signal, LINUX_FIELD_SIGNAL_MIN_FLT),
		.maj_flt = linux_take(&c, signal, LINUX_FIELD_SIGNAL_MAJ_FLT),
	};
	guint64 runtime = linux_take(&c, signal, LINUX_FIELD_SIGNAL_SUM_SCHED_RUNTIME);

	if (!linux_task_threads(os, task, threads, call, error)) {
		g_clear_error(&c.error);
		return FALSE;
	}
	for (guint i = 0; i < threads->len && !c.error; i++) {
		guint64 thread = g_array_index(threads, guint64, i);
		if (i % 256 == 0 && !vmifs_call_check(call, &c.error))
			break;
		u.utime += linux_take(&c, thread, LINUX_FIELD_TASK_UTIME);
		u.stime += linux_take(&c, thread, LINUX_FIELD_TASK_STIME);
		u.gtime += linux_take(&c, thread, LINUX_FIELD_TASK_GTIME);
		u.min_flt += linux_take(&c, thread, LINUX_FIELD_TASK_MIN_FLT);
		u.maj_flt += linux_take(&c, thread, LINUX_FIELD_TASK_MAJ_FLT);
		runtime += linux_take(&c, thread, LINUX_FIELD_TASK_SUM_EXEC_RUNTIME);
	}
	adjust(runtime, linux_take(&c, signal, LINUX_FIELD_SIGNAL_PREV_UTIME),
	       linux_take(&c, signal, LINUX_FIELD_SIGNAL_PREV_STIME), &u.utime, &u.stime);
	if (!linux_cursor_end(&c, error))
		return FALSE;
	*ret = u;
	return TRUE;
}

/* ---- signals, ids ---- */

gboolean
linux_signal_actions(const Linux *os, guint64 sighand, guint64 *ret_ignored, guint64 *ret_caught,
		     GError **error)
{
	guint64 ignored = 0, caught = 0;
	guint8 actions[N_SIGNALS * MAX_ACTION];
	VmifsMember action, handler;

	if (!linux_member(os, LINUX_FIELD_SIGHAND_ACTION, &action, error) ||
	    !linux_member(os, LINUX_FIELD_K_SIGACTION_HANDLER, &handler, error))
		return FALSE;
	guint n = (guint) MIN(action.count, N_SIGNALS);
	if (action.elem_size > MAX_ACTION || handler.size != linux_word(os) ||
	    !vmifs_in_bounds(handler.offset, handler.size, action.elem_size)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "what a signal does is told in an unknown form");
		return FALSE;
	}
	/* All in one go: reading them one by one took as long as the rest of status. */
	if (!vmifs_aspace_read(os->aspace, sighand + action.offset, actions, n * action.elem_size,
			       error))
		return FALSE;
	for (guint i = 0; i < n; i++) {
		guint64 value =
			linux_word_at(os, actions + i * action.elem_size + handler.offset, 0);
		if (value == SIG_IGN_VALUE)
			ignored |= 1ULL << i;
		else if (value != SIG_DFL_VALUE)
			caught |= 1ULL << i;
	}
	*ret_ignored = ignored;
	*ret_caught = caught;
	return TRUE;
}
