/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wchan: the function that a task waits in. Since 5.16 that is the first on its stack that is not
 * of the scheduler, and the number in stat only says whether the task runs. Before, the kernel
 * looked for it along frame pointers, which most kernels do not keep any more: so it often found
 * none.
 */
#include "state.h"

#include <spi/bytes.h>

#define MAX_FRAMES 17
#define TASK_WAKING 0x200

gboolean
linux_looks_for_frames(const Linux *os)
{
	guint64 address;

	/* The search left get_wchan() for a function of its own when stat stopped to use it. */
	return linux_symbol(os, "get_wchan", &address, NULL) &&
	       !linux_symbol(os, "__get_wchan", &address, NULL);
}

/* The first on the stack outside of the scheduler, behind so many; 0 = none. */
static guint64
first_outside(LinuxCursor *c, LinuxCode *code, guint64 task, guint n)
{
	g_autoptr(GArray) frames = g_array_new(FALSE, FALSE, sizeof(LinuxFrame));

	if (c->error || !linux_unwind_task(code, task, frames, &c->error))
		return 0;
	for (guint i = n; i < frames->len; i++) {
		const LinuxFrame *frame = &g_array_index(frames, LinuxFrame, i);
		if (!frame->is_user && !linux_code_is_scheduler(code, frame->ip))
			return frame->ip;
	}
	return 0;
}

/* Where the frames lead to outside of the scheduler; 0 = nowhere. */
static guint64
find_by_frames(LinuxCursor *c, LinuxCode *code, guint64 task)
{
	const Linux *os = c->os;

	/* Where all kernels keep them, they are how a stack is told anyway. What stands first,
	 * where the task was left, is not looked at. */
	if (linux_has(os, LINUX_FIELD_TASK_THREAD_FP))
		return first_outside(c, code, task, 1);
	guint64 sp = linux_take(c, task, LINUX_FIELD_TASK_THREAD_SP);
	guint64 frame, ip, word = linux_word(os);
	LinuxRange stack;

	if (!linux_task_stack(c, task, &stack) ||
	    !vmifs_in_bounds(sp - stack.start, 2 * word, stack.len))
		return 0;
	frame = linux_take(c, sp, LINUX_FIELD_INACTIVE_FRAME_BP);
	for (guint i = 0; i < MAX_FRAMES && !c->error; i++) {
		if (!vmifs_in_bounds(frame - stack.start, 2 * word, stack.len) ||
		    !linux_load_word(os, frame + word, &ip, &c->error) ||
		    !linux_load_word(os, frame, &frame, &c->error))
			return 0;
		if (!linux_code_is_scheduler(code, ip))
			return ip;
	}
	return 0;
}

static guint64
find_by_stack(LinuxCursor *c, LinuxCode *code, guint64 task)
{
	if (linux_take(c, task, LINUX_FIELD_TASK_STATE) == TASK_WAKING ||
	    linux_take(c, task, LINUX_FIELD_TASK_ON_RQ))
		return 0;
	return first_outside(c, code, task, 0);
}

guint64
linux_wchan(LinuxCursor *c, LinuxCode *code, guint64 task)
{
	if (linux_take(c, task, LINUX_FIELD_TASK_STATE) == 0 || c->error)
		return 0;
	return linux_looks_for_frames(c->os) ? find_by_frames(c, code, task)
					     : find_by_stack(c, code, task);
}

gboolean
linux_waits(LinuxCursor *c, guint64 task)
{
	g_auto(LinuxCode) code = { 0 };

	if (linux_take(c, task, LINUX_FIELD_TASK_STATE) == 0)
		return FALSE;
	if (!linux_looks_for_frames(c->os))
		return TRUE;
	linux_code_init(&code, c->os, NULL);
	return linux_wchan(c, &code, task) != 0;
}
