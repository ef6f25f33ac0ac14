/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * others: whether a guest that stands by somebody else's wish was let run on again. Who does so
 * does not tell the stub; a QEMU of 8.1 and newer then does not even tell of its next stop, for
 * which it would have to be asked anew.
 */
#pragma once

#include "monitor.h"

G_BEGIN_DECLS

/* Between two looks. */
#define QEMU_OTHERS_MS 500

typedef struct {
	gint64 next; /* when to look again; 0: it was not looked at yet */
} QemuOthers;

/* It stands no more, or by our own wish. */
void
qemu_others_forget(QemuOthers *self);
/* Does it stand at a point? TRUE as well when that is not told. */
gboolean
qemu_others_is_at_point(QemuMonitor *monitor);
/* Does it run, or has it stopped at a point since? stood_at_point: which then cannot be told. Asked
 * each QEMU_OTHERS_MS, and FALSE in between. */
gboolean
qemu_others_let_it_run(QemuOthers *self, gboolean stood_at_point, QemuMonitor *monitor);

G_END_DECLS
