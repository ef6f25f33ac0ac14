/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state: small facts about a task that more than one file shows. */
#pragma once

#include "unwind.h"

G_BEGIN_DECLS

/* "S (sleeping)" (static) */
const char *
linux_task_state(LinuxCursor *c, guint64 task);
/* The process's struct pid of a kind, 0 = none. type: LINUX_VALUE_PIDTYPE_... */
guint64
linux_signal_pid(LinuxCursor *c, guint64 signal, LinuxValue type);
/* Number of a struct pid in the namespace at address ns, 0 where it has none there. */
guint64
linux_pid_number(LinuxCursor *c, guint64 pid, guint64 ns);
/* The soft limit of a resource, by RLIMIT number. */
guint64
linux_rlimit(LinuxCursor *c, guint64 signal, guint32 resource);
/* The function of the kernel that the task waits in, as an address in it: wchan.c. 0 = none. */
guint64
linux_wchan(LinuxCursor *c, LinuxCode *code, guint64 task);
/* Whether it waits in one, says stat. */
gboolean
linux_waits(LinuxCursor *c, guint64 task);
/* Is this a kernel before 5.16, whose stat asked the task's stack that? */
gboolean
linux_looks_for_frames(const Linux *os);

G_END_DECLS
