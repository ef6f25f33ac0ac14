/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-signals: signals that wait, of a task and of its process, and the limits of a process.
 *
 *   task.signal sighand blocked real_blocked saved_sigmask pending { list signal }
 *   signal_struct: .. curr_target shared_pending { list signal } .. rlim[16]
 *                                            (include/linux/sched.h, sched/signal.h, 5.10 to 6.12)
 */
#include "infer.h"

#define SIGNAL_WINDOW 1152
#define N_LIMITS 16
#define LIMIT_STACK 3
#define LIMIT_NOFILE 7
#define SIGSET 8
#define N_MASKS 3 /* blocked, real_blocked, saved_sigmask */
/* No process may have more; sysctl_nr_open. */
#define MAX_FILES (1u << 30)

/* A list's head in an object, behind which stands the set of signals in it. */
static gboolean
is_pending(const LinuxInfer *f, const LinuxSample *s, guint i, gsize off)
{
	guint64 head = linux_sample_at(s, i) + off;
	guint64 next = linux_sample_ptr(s, i, off), last = linux_sample_ptr(s, i, off + f->ptr);

	if (next == head)
		return last == head && !linux_sample_u64(s, i, off + 2 * f->ptr);
	return linux_infer_is_kernel(f, next) && linux_infer_is_kernel(f, last) &&
	       linux_infer_ptr(f, next + f->ptr) == head && linux_infer_ptr(f, last) == head;
}

static void
find_pending(LinuxInfer *f, guint64 sighand)
{
	gsize blocked = sighand + f->ptr, pending = blocked + N_MASKS * SIGSET;

	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		if (!linux_infer_goes_on(f, 1) || !is_pending(f, &f->tasks, i, pending)) {
			linux_infer_lacks(f, "task_struct.pending", "no list is there");
			return;
		}
	}
	linux_inferred_put(f->table, "task_struct", "blocked", blocked, SIGSET);
	linux_inferred_put(f->table, "task_struct", "pending.signal", pending + 2 * f->ptr, SIGSET);
}

/* curr_target: a thread of that process. The first task has none. */
static gboolean
are_shared(const LinuxInfer *f, const LinuxSample *signals, gsize off)
{
	for (guint i = 1; i < linux_sample_n(signals); i++) {
		guint64 target = linux_sample_ptr(signals, i, off);

		if (!linux_infer_is_kernel(f, target) ||
		    (target != linux_sample_at(&f->tasks, i) &&
		     linux_infer_u32(f, target + f->pid + 4) !=
			     linux_sample_u32(&f->tasks, i, f->pid + 4)) ||
		    !is_pending(f, signals, i, off + f->ptr))
			return FALSE;
	}
	return TRUE;
}

static void
find_shared(LinuxInfer *f, const LinuxSample *signals)
{
	LinuxOnly shared = { 0 };

	for (gsize off = 0; off + 3 * f->ptr + SIGSET <= SIGNAL_WINDOW; off += f->ptr) {
		if (linux_infer_goes_on(f, linux_sample_n(signals)) && are_shared(f, signals, off))
			linux_only_add(&shared, off);
	}
	if (linux_infer_only(f, &shared, "signal_struct.shared_pending"))
		linux_inferred_put(f->table, "signal_struct", "shared_pending.signal",
				   shared.at + 3 * f->ptr, SIGSET);
}

/* ---- limits ---- */

/* Nobody may have more than he may allow himself; everybody has a stack, and may open files. */
static gboolean
are_limits(const LinuxInfer *f, const LinuxSample *signals, gsize off)
{
	for (guint i = 0; i < linux_sample_n(signals); i++) {
		for (guint k = 0; k < N_LIMITS; k++) {
			guint64 now = linux_sample_ptr(signals, i, off + 2 * k * f->ptr);
			guint64 most = linux_sample_ptr(signals, i, off + (2 * k + 1) * f->ptr);

			if (now > most || (k == LIMIT_NOFILE && most > MAX_FILES) ||
			    (k == LIMIT_STACK && !most))
				return FALSE;
		}
	}
	return TRUE;
}

/* The first task's are built in: "without" for processor time, size of files and of data, 8 MiB of
 * stack, of core files 0 and then "without", (include/asm-generic/resource.h). */
static gboolean
are_first_limits(const LinuxInfer *f, const LinuxSample *signals, gsize off)
{
	guint64 none = f->ptr == 8 ? G_MAXUINT64 : G_MAXUINT32;

	for (guint k = 0; k < 6; k++)
		if (linux_sample_ptr(signals, 0, off + k * f->ptr) != none)
			return FALSE;
	return linux_sample_ptr(signals, 0, off + 6 * f->ptr) == 8 << 20 &&
	       linux_sample_ptr(signals, 0, off + 7 * f->ptr) == none &&
	       linux_sample_ptr(signals, 0, off + 8 * f->ptr) == 0 &&
	       linux_sample_ptr(signals, 0, off + 9 * f->ptr) == none;
}

static void
find_limits(LinuxInfer *f, const LinuxSample *signals)
{
	LinuxOnly rlim = { 0 };

	for (gsize off = 0; off + 2 * N_LIMITS * f->ptr <= SIGNAL_WINDOW; off += f->ptr) {
		if (linux_infer_goes_on(f, N_LIMITS) && are_first_limits(f, signals, off) &&
		    linux_infer_goes_on(f, N_LIMITS * linux_sample_n(signals)) &&
		    are_limits(f, signals, off))
			linux_only_add(&rlim, off);
	}
	if (!linux_infer_only(f, &rlim, "signal_struct.rlim"))
		return;
	linux_inferred_put_array(f->table, "signal_struct", "rlim", rlim.at, 2 * f->ptr, N_LIMITS);
	linux_inferred_put(f->table, "rlimit", "rlim_cur", 0, f->ptr);
	linux_inferred_put(f->table, "rlimit", "rlim_max", f->ptr, f->ptr);
}

void
linux_infer_signals(LinuxInfer *f)
{
	guint64 signal, sighand;
	LinuxSample signals;

	if (linux_inferred_get(f->table, "task_struct", "sighand", &sighand))
		find_pending(f, sighand);
	if (!linux_inferred_get(f->table, "task_struct", "signal", &signal))
		return;
	linux_sample_init(&signals, f->ptr, SIGNAL_WINDOW);
	for (guint i = 0; i < linux_sample_n(&f->tasks); i++)
		linux_sample_add(&signals, f->os->aspace, linux_sample_ptr(&f->tasks, i, signal));
	if (linux_sample_n(&signals) == linux_sample_n(&f->tasks)) {
		find_shared(f, &signals);
		find_limits(f, &signals);
	}
	linux_sample_clear(&signals);
}
