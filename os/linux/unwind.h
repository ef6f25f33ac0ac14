/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unwind: the kernel stack of a task or of a processor, frame by frame. */
#pragma once

#include "code.h"

G_BEGIN_DECLS

/* Where its kernel stack lies. FALSE, without error, when it has none: the dead give theirs back.
 */
gboolean
linux_task_stack(LinuxCursor *c, guint64 task, LinuxRange *ret);
/* Address of the registers with which its program entered the kernel: a struct pt_regs. 0 when it
 * has no stack. */
guint64
linux_task_regs(LinuxCursor *c, guint64 task);

typedef struct {
	guint64 ip;
	gboolean after_call; /* ip is where a call returns to; otherwise it has not run yet */
	gboolean is_user;    /* of the program that entered the kernel: the last frame */
} LinuxFrame;

#define LINUX_MAX_FRAMES 512

/* Appends frames (LinuxFrame), the innermost first, as far as the kernel itself would follow them.
 * None for a task that runs, or has no stack. UNSUPPORTED: this kernel has neither tables nor frame
 * pointers. */
gboolean
linux_unwind_task(LinuxCode *code, guint64 task, GArray *ret, GError **error);
/* From registers of a processor that is in the kernel. */
gboolean
linux_unwind_regs(LinuxCode *code, const VmifsRegs *regs, GArray *ret, GError **error);

G_END_DECLS
