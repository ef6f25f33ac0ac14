/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state: see the header. */
#include "state.h"

#define TASK_REPORT 0x7f
#define TASK_IDLE 0x402 /* uninterruptible, and not counted as load */
#define TASK_RTLOCK_WAIT 0x1000
#define TASK_FROZEN 0x8000

const char *
linux_task_state(LinuxCursor *c, guint64 task)
{
	static const char *const names[] = {
		"R (running)", "S (sleeping)", "D (disk sleep)", "T (stopped)", "t (tracing stop)",
		"X (dead)",    "Z (zombie)",   "P (parked)",     "I (idle)",
	};
	guint64 state = linux_take(c, task, LINUX_FIELD_TASK_STATE);
	guint64 exit = linux_take(c, task, LINUX_FIELD_TASK_EXIT_STATE);

	/* A task that waits for a lock of the real-time kernel, or is frozen, only seems asleep. */
	if (state & (TASK_RTLOCK_WAIT | TASK_FROZEN))
		return names[2];
	if ((state & TASK_IDLE) == TASK_IDLE)
		return names[8];
	return names[g_bit_nth_msf((gulong) ((state | exit) & TASK_REPORT), -1) + 1];
}

guint64
linux_signal_pid(LinuxCursor *c, guint64 signal, LinuxValue type)
{
	const Linux *os = c->os;
	guint64 index, pid = 0;

	if (c->error || !linux_value(os, type, &index, &c->error))
		return 0;
	guint64 at = linux_layout_element(os->layout, LINUX_FIELD_SIGNAL_PIDS, signal, index);
	if (!at || !linux_load_word(os, at, &pid, &c->error))
		return 0;
	return pid;
}

guint64
linux_pid_number(LinuxCursor *c, guint64 pid, guint64 ns)
{
	const Linux *os = c->os;

	if (!pid)
		return 0;
	guint64 level = linux_take(c, ns, LINUX_FIELD_PID_NAMESPACE_LEVEL);
	if (level > linux_take(c, pid, LINUX_FIELD_PID_LEVEL) || c->error)
		return 0;
	guint64 upid = linux_layout_element(os->layout, LINUX_FIELD_PID_NUMBERS, pid, level);
	if (linux_take(c, upid, LINUX_FIELD_UPID_NS) != ns)
		return 0;
	return linux_take(c, upid, LINUX_FIELD_UPID_NR);
}

guint64
linux_rlimit(LinuxCursor *c, guint64 signal, guint32 resource)
{
	guint64 at = linux_layout_element(c->os->layout, LINUX_FIELD_SIGNAL_RLIM, signal, resource);
	return linux_take(c, at, LINUX_FIELD_RLIMIT_CUR);
}
