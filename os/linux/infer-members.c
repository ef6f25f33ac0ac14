/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-members: numbers of a task. A place is taken when the bits of all tasks agree with what is
 * known of them by now: which are the kernel's, which are its workers, in which order they came.
 */
#include "infer.h"

#include <string.h>

#define PF_WQ_WORKER 0x20
#define SIGCHLD 17
#define TASK_IDLE 0x402
/* Of states, with all modifiers that there have been. */
#define STATE_BITS 0x1ffff
#define EXIT_ZOMBIE 0x20
#define EXIT_DEAD 0x10
/* Two processors may take start times and the lock of the list in different orders. */
#define TORN_NS G_GUINT64_CONSTANT(1000000000)
#define MAX_UPTIME (G_GUINT64_CONSTANT(100) * 365 * 86400 * 1000000000)

static gboolean
is_worker(const LinuxInfer *f, guint i)
{
	return f->is_kernel[i] &&
	       !strncmp((const char *) linux_sample_bytes(&f->tasks, i, f->comm), "kworker/", 8);
}

static gboolean
has_mm(const LinuxInfer *f, guint i)
{
	return linux_sample_ptr(&f->tasks, i, f->mm) != 0;
}

/* ---- flags ---- */

static gboolean
are_flags(const LinuxInfer *f, gsize off)
{
	guint n_workers = 0;

	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		guint32 flags = linux_sample_u32(&f->tasks, i, off);
		gboolean kernel = (flags & LINUX_PF_KTHREAD) != 0;

		if (f->is_kernel[i] && !has_mm(f, i) && !kernel)
			return FALSE;
		if (!f->is_kernel[i] && (kernel || flags & PF_WQ_WORKER))
			return FALSE;
		if (is_worker(f, i)) {
			if (!(flags & PF_WQ_WORKER))
				return FALSE;
			n_workers++;
		}
	}
	return n_workers > 0;
}

/* ptrace, behind flags: of those whom another than the parent looks at, and none of the kernel's.
 */
static gboolean
are_traced(const LinuxInfer *f, gsize off)
{
	guint64 real;

	linux_inferred_get(f->table, "task_struct", "real_parent", &real);
	for (guint i = 0; i < f->threads->len; i++) {
		guint64 task = g_array_index(f->threads, guint64, i);
		gboolean traced =
			linux_infer_ptr(f, task + real) != linux_infer_ptr(f, task + real + f->ptr);

		if (traced && !linux_infer_u32(f, task + off))
			return FALSE;
	}
	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		if (f->is_kernel[i] && linux_sample_u32(&f->tasks, i, off))
			return FALSE;
	}
	return TRUE;
}

static void
find_flags(LinuxInfer *f)
{
	LinuxOnly flags = { 0 }, ptrace = { 0 };

	for (gsize off = 0; off + 4 <= f->mm; off += 4) {
		if (linux_infer_goes_on(f, linux_sample_n(&f->tasks)) && are_flags(f, off))
			linux_only_add(&flags, off);
	}
	if (!linux_infer_put_only(f, &flags, "task_struct", "flags", 4))
		return;
	if (are_traced(f, flags.at + 4))
		linux_only_add(&ptrace, flags.at + 4);
	linux_infer_put_only(f, &ptrace, "task_struct", "ptrace", 4);
}

/* ---- state ---- */

static gboolean
are_states(const LinuxInfer *f, gsize off)
{
	guint workers = 0, idle = 0, asleep = 0, n = linux_sample_n(&f->tasks);

	for (guint i = 0; i < n; i++) {
		guint32 state = linux_sample_u32(&f->tasks, i, off);

		if (state & ~STATE_BITS || __builtin_popcount(state) > 4)
			return FALSE;
		/* The idle task is never anything but running. */
		if (i == 0 && state)
			return FALSE;
		if (is_worker(f, i)) {
			workers++;
			idle += state == TASK_IDLE;
		} else if (has_mm(f, i)) {
			if (state == TASK_IDLE)
				return FALSE;
			asleep += state == 1 || state == 2;
		}
	}
	return workers && idle * 2 > workers && asleep;
}

static void
find_state(LinuxInfer *f)
{
	LinuxOnly state = { 0 };

	for (gsize off = 0; off + 4 <= f->mm; off += 4) {
		if (linux_infer_goes_on(f, linux_sample_n(&f->tasks)) && are_states(f, off))
			linux_only_add(&state, off);
	}
	if (linux_infer_only(f, &state, "task_struct.state"))
		linux_inferred_put(f->table, "task_struct", "__state", state.at, 4);
}

/* exit_state, exit_code, exit_signal: the last of which is SIGCHLD of nearly everybody, the first
 * two are nothing of who lives. */
static gboolean
are_exits(const LinuxInfer *f, gsize off)
{
	guint n = linux_sample_n(&f->tasks), with = 0;

	for (guint i = 0; i < n; i++) {
		guint32 state = linux_sample_u32(&f->tasks, i, off);
		guint32 signal = linux_sample_u32(&f->tasks, i, off + 8);

		/* What a stopped task was stopped by stands in exit_code. */
		if (has_mm(f, i) || f->is_kernel[i]
			    ? state
			    : state && state != EXIT_ZOMBIE && state != EXIT_DEAD)
			return FALSE;
		if (linux_sample_u32(&f->tasks, i, off + 4) > 0xffff ||
		    (f->is_kernel[i] && linux_sample_u32(&f->tasks, i, off + 4)) ||
		    (gint32) signal < -1 || (gint32) signal > 64)
			return FALSE;
		with += signal == SIGCHLD;
	}
	return with * 10 >= (n - 1) * 8;
}

static void
find_exits(LinuxInfer *f)
{
	LinuxOnly exits = { 0 };

	for (gsize off = f->mm; off + 12 <= f->pid; off += 4) {
		if (linux_infer_goes_on(f, linux_sample_n(&f->tasks)) && are_exits(f, off))
			linux_only_add(&exits, off);
	}
	if (!linux_infer_put_only(f, &exits, "task_struct", "exit_state", 4))
		return;
	linux_inferred_put(f->table, "task_struct", "exit_code", exits.at + 4, 4);
	linux_inferred_put(f->table, "task_struct", "exit_signal", exits.at + 8, 4);
}

/* ---- when it began ---- */

/* start_time and start_boottime: the list is in the order in which tasks came; the second clock is
 * ahead of the first by how long the machine slept. */
static gboolean
are_starts(const LinuxInfer *f, gsize off)
{
	guint64 last = 0, last_slept = 0;

	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		guint64 start = linux_sample_u64(&f->tasks, i, off);
		guint64 boot = linux_sample_u64(&f->tasks, i, off + 8);

		if (i == 0 ? start || boot : !start || boot < start || boot > MAX_UPTIME)
			return FALSE;
		if (start + TORN_NS < last || boot - start + TORN_NS < last_slept)
			return FALSE;
		last = MAX(last, start);
		last_slept = boot - start;
	}
	return last > TORN_NS;
}

/* 32-bit ARM aligns the times to 8 bytes: there may be a gap in front of them, which nobody has
 * anything in. */
static gboolean
has_gap(const LinuxInfer *f, gsize starts)
{
	if (f->ptr == 8)
		return FALSE;
	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		if (linux_sample_ptr(&f->tasks, i, starts - f->ptr))
			return FALSE;
	}
	return TRUE;
}

/* nvcsw and nivcsw stand before these times, min_flt and maj_flt behind them: whoever sleeps has
 * gone to sleep, and nobody runs a program without a fault. */
static void
find_counts(LinuxInfer *f, gsize starts)
{
	gboolean gap = has_gap(f, starts);
	gsize switches = starts - (gap ? 3 : 2) * f->ptr, faults = starts + 16;
	guint n = 0, fits = 0;

	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		guint64 counts[] = { linux_sample_ptr(&f->tasks, i, switches),
				     linux_sample_ptr(&f->tasks, i, switches + f->ptr),
				     linux_sample_ptr(&f->tasks, i, faults),
				     linux_sample_ptr(&f->tasks, i, faults + f->ptr) };

		if (!has_mm(f, i))
			continue;
		n++;
		fits += !((counts[0] | counts[1] | counts[2] | counts[3]) >> 31) &&
			(counts[0] || (counts[1] && !gap)) && counts[2];
	}
	if (!n || fits * 10 < n * 9) {
		linux_infer_lacks(f, "task_struct.nvcsw", "not all programs have run");
		return;
	}
	linux_inferred_put(f->table, "task_struct", "nvcsw", switches, f->ptr);
	linux_inferred_put(f->table, "task_struct", "nivcsw", switches + f->ptr, f->ptr);
	linux_inferred_put(f->table, "task_struct", "min_flt", faults, f->ptr);
	linux_inferred_put(f->table, "task_struct", "maj_flt", faults + f->ptr, f->ptr);
}

static void
find_starts(LinuxInfer *f)
{
	LinuxOnly starts = { 0 };

	for (gsize off = f->pid; off + 16 <= f->comm; off += f->ptr) {
		if (linux_infer_goes_on(f, linux_sample_n(&f->tasks)) && are_starts(f, off))
			linux_only_add(&starts, off);
	}
	if (!linux_infer_only(f, &starts, "task_struct.start_boottime"))
		return;
	linux_inferred_put(f->table, "task_struct", "start_boottime", starts.at + 8, 8);
	find_counts(f, starts.at);
}

void
linux_infer_task_members(LinuxInfer *f)
{
	find_flags(f);
	find_state(f);
	find_exits(f);
	find_starts(f);
}
