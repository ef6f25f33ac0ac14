/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-usage: what a task, its process and its memory have used. Functions tell where these parts
 * of the structures begin; their members follow each other:
 *
 *   task_struct      utime stime gtime prev_cputime { utime stime lock }
 *   signal_struct    utime stime cutime cstime gtime cgtime prev_cputime
 *                    nvcsw nivcsw cnvcsw cnivcsw  min_flt maj_flt cmin_flt cmaj_flt
 *                    inblock oublock cinblock coublock  maxrss cmaxrss  ioac
 *                    sum_sched_runtime rlim
 *   mm_struct        rss_stat { files, anonymous, swapped, shared }
 *                        (include/linux/sched.h, sched/signal.h, mm_types.h, 5.10 to 6.12)
 */
#include "infer-code.h"

/* Of one task: a thousand years. */
#define MAX_TIME_BITS 55
#define PREV_LEN 24
#define N_TIMES 6
#define N_LONGS 14
#define N_RSS 4
#define N_SWAPPED 2
#define MAX_BATCH 256 /* pages that a processor counts for itself, of all kinds */

static gboolean
lacks(const LinuxInfer *f, const char *what)
{
	return linux_infer_lacks(f, what, "functions do not agree");
}

static gboolean
is_time(guint64 ns)
{
	return ns >> MAX_TIME_BITS == 0;
}

/* ---- of a task ---- */

/* The kernel's own spend no time in programs. */
static gboolean
are_times(const LinuxInfer *f, guint64 utime, guint64 runtime)
{
	gboolean any = FALSE;

	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		guint64 user = linux_sample_u64(&f->tasks, i, utime);
		guint64 own = linux_sample_u64(&f->tasks, i, utime + 8);

		if (!is_time(user) || !is_time(own) ||
		    !is_time(linux_sample_u64(&f->tasks, i, utime + 16)) ||
		    !is_time(linux_sample_u64(&f->tasks, i, runtime)) ||
		    (f->is_kernel[i] && !linux_sample_ptr(&f->tasks, i, f->mm) && user))
			return FALSE;
		any |= own != 0;
	}
	return any;
}

/* Where prev_cputime is: handed on, or, where that function is a part of this one, read. */
static gboolean
is_prev(const LinuxInfer *f, const LinuxFunction *adjusted, LinuxPlaces read, guint64 utime)
{
	guint64 expected = utime + 3 * 8;
	LinuxPlaces prev =
		linux_function_hands(f, adjusted, "cputime_adjust", 1, LINUX_OF_ARGUMENT);

	if (prev.n)
		return prev.n == 1 && prev.at[0] == expected;
	return read.n >= 2 && read.at[read.n - 2] == expected &&
	       read.at[read.n - 1] == expected + 8;
}

static void
find_task_times(LinuxInfer *f)
{
	g_auto(LinuxFunction) user = { 0 }, own = { 0 }, adjusted = { 0 };
	guint64 utime, stime;

	/* p->utime += cputime, and so for stime */
	if (!linux_function_look(f->os, "account_user_time", &user) ||
	    !linux_function_look(f->os, "account_system_index_time", &own) ||
	    !linux_function_look(f->os, "task_cputime_adjusted", &adjusted) ||
	    !linux_function_only(
		    f, linux_function_places(&user, LINUX_MENTION_WRITE, LINUX_OF_ARGUMENT, 8),
		    "task_struct.utime", &utime) ||
	    !linux_function_only(
		    f, linux_function_places(&own, LINUX_MENTION_WRITE, LINUX_OF_ARGUMENT, 8),
		    "task_struct.stime", &stime))
		return;
	/* The lowest of all that this one reads is se.sum_exec_runtime. */
	LinuxPlaces read =
		linux_function_places(&adjusted, LINUX_MENTION_READ, LINUX_OF_ARGUMENT, 8);
	if (stime != utime + 8 || !is_prev(f, &adjusted, read, utime) || !read.n ||
	    read.at[0] >= utime || (read.n > 1 && read.at[1] < utime) ||
	    !are_times(f, utime, read.at[0])) {
		lacks(f, "task_struct.utime");
		return;
	}
	linux_inferred_put(f->table, "task_struct", "utime", utime, 8);
	linux_inferred_put(f->table, "task_struct", "stime", stime, 8);
	linux_inferred_put(f->table, "task_struct", "gtime", utime + 16, 8);
	linux_inferred_put(f->table, "task_struct", "prev_cputime.utime", utime + 24, 8);
	linux_inferred_put(f->table, "task_struct", "prev_cputime.stime", utime + 32, 8);
	linux_inferred_put(f->table, "task_struct", "se.sum_exec_runtime", read.at[0], 8);
}

/* ---- of a process ---- */

/* What there is between these times and the limits, of which the length of ioac alone is not fixed:
 * three numbers, four, or both, by configuration. */
static gboolean
are_in_row(const LinuxInfer *f, guint64 utime, guint64 runtime)
{
	guint64 ioac = runtime - (utime + N_TIMES * 8 + PREV_LEN + N_LONGS * f->ptr), rlim;

	return linux_inferred_get(f->table, "signal_struct", "rlim", &rlim) &&
	       runtime + 8 == rlim && (ioac == 0 || ioac == 24 || ioac == 32 || ioac == 56);
}

/* A lock that nobody holds is 0. */
static gboolean
are_process_times(const LinuxInfer *f, guint64 signal, guint64 utime)
{
	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		guint64 at = linux_sample_ptr(&f->tasks, i, signal) + utime, time;

		for (guint k = 0; k < N_TIMES + 2; k++)
			if (!vmifs_aspace_read_u64(f->os->aspace, at + k * 8, &time, NULL) ||
			    !is_time(time))
				return FALSE;
		if (!linux_infer_goes_on(f, N_TIMES) ||
		    linux_infer_u32(f, at + (N_TIMES + 2) * 8 + 4))
			return FALSE;
	}
	return TRUE;
}

static void
put_process(LinuxInfer *f, guint64 utime, guint64 runtime)
{
	static const char *const times[] = { "utime",
					     "stime",
					     "cutime",
					     "cstime",
					     "gtime",
					     "cgtime",
					     "prev_cputime.utime",
					     "prev_cputime.stime" };
	static const char *const faults[] = { "min_flt", "maj_flt", "cmin_flt", "cmaj_flt" };
	guint64 longs = utime + N_TIMES * 8 + PREV_LEN;

	for (guint i = 0; i < G_N_ELEMENTS(times); i++)
		linux_inferred_put(f->table, "signal_struct", times[i], utime + i * 8, 8);
	for (guint i = 0; i < G_N_ELEMENTS(faults); i++)
		linux_inferred_put(f->table, "signal_struct", faults[i], longs + (4 + i) * f->ptr,
				   f->ptr);
	linux_inferred_put(f->table, "signal_struct", "sum_sched_runtime", runtime, 8);
}

static void
find_process_times(LinuxInfer *f, guint64 signal)
{
	g_auto(LinuxFunction) sum = { 0 }, adjusted = { 0 };

	/* times->utime = sig->utime, and so for stime and sum_sched_runtime; thread_head */
	if (!linux_function_look(f->os, "thread_group_cputime", &sum) ||
	    !linux_function_look(f->os, "thread_group_cputime_adjusted", &adjusted))
		return;
	LinuxPlaces read = linux_function_places(&sum, LINUX_MENTION_READ, signal, 8);
	LinuxPlaces prev = linux_function_hands(f, &adjusted, "cputime_adjust", 1, signal);
	if (read.n != 4 || read.at[2] != read.at[1] + 8 || prev.n != 1 ||
	    prev.at[0] != read.at[1] + N_TIMES * 8 || !are_in_row(f, read.at[1], read.at[3]) ||
	    !are_process_times(f, signal, read.at[1])) {
		lacks(f, "signal_struct.utime");
		return;
	}
	put_process(f, read.at[1], read.at[3]);
}

/* ---- of memory ---- */

/* Files, anonymous, shared: all but the third of four. */
static gboolean
are_rss(const LinuxPlaces *places, guint64 *ret_step)
{
	*ret_step = places->n == 3 ? places->at[1] - places->at[0] : 0;
	return *ret_step && places->at[2] - places->at[0] == (N_RSS - 1) * *ret_step;
}

/* Nobody has more of his memory in RAM than he has; but for what processors have counted for
 * themselves so far. */
static gboolean
are_counts(const LinuxInfer *f, guint64 rss, guint64 step)
{
	gint64 slack = (gint64) linux_n_cpus(f->os) * MAX_BATCH;
	gboolean any = FALSE;
	guint64 total_vm;

	if (!linux_inferred_get(f->table, "mm_struct", "total_vm", &total_vm) ||
	    step > f->mms.len || rss > f->mms.len - N_RSS * step)
		return FALSE;
	for (guint i = 0; i < linux_sample_n(&f->mms); i++) {
		gint64 sum = 0, most = (gint64) linux_sample_ptr(&f->mms, i, total_vm);

		for (guint k = 0; k < N_RSS; k++) {
			gint64 n = (gint64) linux_sample_ptr(&f->mms, i, rss + k * step);
			if (n < -slack || n > most + slack)
				return FALSE;
			sum += k == N_SWAPPED ? 0 : n;
		}
		if (sum > most + slack)
			return FALSE;
		any |= sum > 0;
	}
	return any;
}

static gboolean
put_rss(LinuxInfer *f, guint64 rss, guint64 step)
{
	static const char *const kinds[N_RSS] = { "MM_FILEPAGES", "MM_ANONPAGES", "MM_SWAPENTS",
						  "MM_SHMEMPAGES" };

	for (guint i = 0; i < N_RSS; i++)
		linux_inferred_put_value(f->table, kinds[i], i);
	if (step == f->ptr)
		linux_inferred_put_array(f->table, "mm_struct", "rss_stat.count", rss, step, N_RSS);
	else
		linux_inferred_put_array(f->table, "mm_struct", "rss_stat", rss, step, N_RSS);
	return TRUE;
}

/* Since 6.2 counters of which each processor has a part. */
static gboolean
find_counters(LinuxInfer *f, const LinuxFunction *statm)
{
	g_auto(LinuxFunction) sum = { 0 };
	LinuxPlaces of_mm =
		linux_function_hands(f, statm, "__percpu_counter_sum", 0, LINUX_OF_ARGUMENT);
	guint64 step;

	if (!are_rss(&of_mm, &step) || !linux_function_look(f->os, "__percpu_counter_sum", &sum))
		return FALSE;
	/* count, counters */
	LinuxPlaces of_counter =
		linux_function_places(&sum, LINUX_MENTION_READ, LINUX_OF_ARGUMENT, 8);
	if (of_counter.n != 2 || of_counter.at[1] + 8 > step ||
	    !are_counts(f, of_mm.at[0] + of_counter.at[0], step))
		return FALSE;
	linux_inferred_put(f->table, "percpu_counter", "count", of_counter.at[0], 8);
	linux_inferred_put(f->table, "percpu_counter", "counters", of_counter.at[1], f->ptr);
	return put_rss(f, of_mm.at[0], step);
}

/* Before, numbers; among what is known already. */
static gboolean
find_numbers(LinuxInfer *f, const LinuxFunction *statm)
{
	static const char *const known[] = { "start_code", "end_code", "total_vm", "data_vm",
					     "stack_vm" };
	LinuxPlaces all =
		linux_function_places(statm, LINUX_MENTION_READ, LINUX_OF_ARGUMENT, f->ptr);
	LinuxPlaces rest = { 0 };
	guint64 at, step;

	for (guint i = 0; i < all.n; i++) {
		gboolean is_known = FALSE;

		for (guint k = 0; k < G_N_ELEMENTS(known); k++)
			is_known |= linux_inferred_get(f->table, "mm_struct", known[k], &at) &&
				    at == all.at[i];
		if (!is_known)
			rest.at[rest.n++] = all.at[i];
	}
	return are_rss(&rest, &step) && step == f->ptr && are_counts(f, rest.at[0], step) &&
	       put_rss(f, rest.at[0], step);
}

static void
find_rss(LinuxInfer *f)
{
	g_auto(LinuxFunction) statm = { 0 };

	/* *shared = files + shared, *resident = *shared + anonymous */
	if (linux_function_look(f->os, "task_statm", &statm) && !find_counters(f, &statm) &&
	    !find_numbers(f, &statm))
		lacks(f, "mm_struct.rss_stat");
}

void
linux_infer_usage(LinuxInfer *f)
{
	guint64 signal;

	find_task_times(f);
	if (linux_inferred_get(f->table, "task_struct", "signal", &signal))
		find_process_times(f, signal);
	if (f->mms.at)
		find_rss(f);
}
