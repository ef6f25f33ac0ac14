/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wchan: the number in stat that says whether a task waits somewhere. Since 5.16 that is whether it
 * does not run. Before, the kernel looked for a frame on the task's stack that is not of the
 * scheduler, along frame pointers, which most kernels do not keep any more: so it often found none.
 */
#include "state.h"

#define MAX_FRAMES 17

gboolean
linux_looks_for_frames(const Linux *os)
{
	guint64 address;

	/* The search left get_wchan() for a function of its own when stat stopped to use it. */
	return linux_symbol(os, "get_wchan", &address, NULL) &&
	       !linux_symbol(os, "__get_wchan", &address, NULL);
}

static gboolean
is_between(const Linux *os, guint64 address, const char *start, const char *end)
{
	guint64 first, last;

	return linux_symbol(os, start, &first, NULL) && linux_symbol(os, end, &last, NULL) &&
	       address >= first && address < last;
}

static gboolean
is_of_scheduler(const Linux *os, guint64 address)
{
	return is_between(os, address, "__sched_text_start", "__sched_text_end") ||
	       is_between(os, address, "__lock_text_start", "__lock_text_end");
}

/* TRUE when the frames lead to a function outside of the scheduler. */
static gboolean
find_frame(LinuxCursor *c, guint64 task)
{
	const Linux *os = c->os;
	guint64 bottom = linux_take(c, task, LINUX_FIELD_TASK_STACK);
	guint64 area = linux_take(c, task, LINUX_FIELD_TASK_STACK_AREA);
	guint64 sp = linux_take(c, task, LINUX_FIELD_TASK_THREAD_SP);
	guint64 len, frame, ip;

	/* The dead have given up their stack. */
	if (!bottom || !area)
		return FALSE;
	len = linux_take(c, area, LINUX_FIELD_VM_STRUCT_NR_PAGES) * LINUX_PAGE_SIZE;
	if (c->error || len < 16 || sp - bottom > len - 16)
		return FALSE;
	frame = linux_take(c, sp, LINUX_FIELD_INACTIVE_FRAME_BP);
	for (guint i = 0; i < MAX_FRAMES && !c->error; i++) {
		if (frame - bottom > len - 16)
			return FALSE;
		if (!linux_load(os, frame + 8, 8, &ip, &c->error) ||
		    !linux_load(os, frame, 8, &frame, &c->error))
			return FALSE;
		if (!is_of_scheduler(os, ip))
			return TRUE;
	}
	return FALSE;
}

gboolean
linux_waits(LinuxCursor *c, guint64 task)
{
	if (linux_take(c, task, LINUX_FIELD_TASK_STATE) == 0)
		return FALSE;
	return !linux_looks_for_frames(c->os) || find_frame(c, task);
}
