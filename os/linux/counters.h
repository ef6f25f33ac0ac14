/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* counters: what a task and its process have used: memory and processor time. */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

/* Pages of a process that are in RAM, by kind. */
typedef struct {
	guint64 file, anon, shmem, swap;
} LinuxRss;

/* exact: with what each processor has counted for itself; otherwise as the kernel estimates it. */
gboolean
linux_rss(const Linux *os, guint64 mm, gboolean exact, LinuxRss *ret, const VmifsCall *call,
	  GError **error);

/* Nanoseconds and faults, of one thread or of a whole process. */
typedef struct {
	guint64 utime, stime, gtime;
	guint64 min_flt, maj_flt;
} LinuxUsage;

gboolean
linux_thread_usage(const Linux *os, guint64 task, LinuxUsage *ret, GError **error);
gboolean
linux_process_usage(const Linux *os, const VmifsTask *task, LinuxUsage *ret, const VmifsCall *call,
		    GError **error);

/* Signals that the process ignores and catches, as bit masks. */
gboolean
linux_signal_actions(const Linux *os, guint64 sighand, guint64 *ret_ignored, guint64 *ret_caught,
		     GError **error);

G_END_DECLS
