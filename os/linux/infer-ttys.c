/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-ttys: the terminal of a process and the numbers of that, and the processor of a task: of
 * both too few objects are in memory to tell them by, but functions name them
 * (drivers/tty/tty_io.c, tty_jobctrl.c, kernel/sched/core.c, 5.10 to 6.12).
 */
#include "infer-code.h"

static void
find_tty_numbers(LinuxInfer *f)
{
	g_auto(LinuxFunction) devnum = { 0 }, pgrp = { 0 };
	guint64 driver, index, group;

	/* MKDEV(tty->driver->major, tty->driver->minor_start) + tty->index */
	if (!linux_function_look(f->os, "tty_devnum", &devnum) ||
	    !linux_function_look(f->os, "tty_get_pgrp", &pgrp) ||
	    !linux_function_only(
		    f,
		    linux_function_places(&devnum, LINUX_MENTION_READ, LINUX_OF_ARGUMENT, f->ptr),
		    "tty_struct.driver", &driver) ||
	    !linux_function_only(
		    f, linux_function_places(&devnum, LINUX_MENTION_READ, LINUX_OF_ARGUMENT, 4),
		    "tty_struct.index", &index) ||
	    !linux_function_only(
		    f, linux_function_places(&pgrp, LINUX_MENTION_READ, LINUX_OF_ARGUMENT, f->ptr),
		    "tty_struct.ctrl.pgrp", &group))
		return;
	LinuxPlaces of_driver = linux_function_places(&devnum, LINUX_MENTION_READ, driver, 4);
	if (of_driver.n != 2 || of_driver.at[1] != of_driver.at[0] + 4) {
		linux_infer_lacks(f, "tty_driver.major", "its numbers are not next to each other");
		return;
	}
	linux_inferred_put(f->table, "tty_struct", "driver", driver, f->ptr);
	linux_inferred_put(f->table, "tty_struct", "index", index, 4);
	linux_inferred_put(f->table, "tty_struct", "ctrl.pgrp", group, f->ptr);
	linux_inferred_put(f->table, "tty_driver", "major", of_driver.at[0], 4);
	linux_inferred_put(f->table, "tty_driver", "minor_start", of_driver.at[1], 4);
}

/* Processes of a session have the same one, or none; the kernel's own have none. */
static gboolean
are_ttys(const LinuxInfer *f, guint64 signal, guint64 at)
{
	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		guint64 tty = linux_infer_ptr(f, linux_sample_ptr(&f->tasks, i, signal) + at);

		if (tty && (f->is_kernel[i] || !linux_infer_is_kernel(f, tty)))
			return FALSE;
	}
	return TRUE;
}

static void
find_tty(LinuxInfer *f, guint64 signal)
{
	g_auto(LinuxFunction) clear = { 0 };
	guint64 at;

	/* p->signal->tty = NULL */
	if (!linux_function_look(f->os, "proc_clear_tty", &clear) ||
	    !linux_function_only(f,
				 linux_function_places(&clear, LINUX_MENTION_WRITE, signal, f->ptr),
				 "signal_struct.tty", &at))
		return;
	if (!are_ttys(f, signal, at)) {
		linux_infer_lacks(f, "signal_struct.tty", "some are none");
		return;
	}
	linux_inferred_put(f->table, "signal_struct", "tty", at, f->ptr);
	find_tty_numbers(f);
}

static void
find_cpu(LinuxInfer *f)
{
	g_auto(LinuxFunction) curr = { 0 };
	guint32 n = linux_n_cpus(f->os);
	guint64 at;

	/* cpu_curr(task_cpu(p)) == p */
	if (!linux_function_look(f->os, "task_curr", &curr) ||
	    !linux_function_only(
		    f, linux_function_places(&curr, LINUX_MENTION_READ, LINUX_OF_ARGUMENT, 4),
		    "task_struct.cpu", &at))
		return;
	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		if (at >= f->tasks.len || linux_sample_u32(&f->tasks, i, at) >= n) {
			linux_infer_lacks(f, "task_struct.cpu", "some run on none");
			return;
		}
	}
	linux_inferred_put(f->table, "task_struct", "thread_info.cpu", at, 4);
}

void
linux_infer_ttys(LinuxInfer *f)
{
	guint64 signal;

	if (linux_inferred_get(f->table, "task_struct", "signal", &signal))
		find_tty(f, signal);
	find_cpu(f);
}
