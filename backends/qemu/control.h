/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control: stopping a guest for a moment, for vmifs's own sake, such that it runs again however
 * vmifs ends: a guardian, a process in a session of its own, lets it run when the pipe to vmifs
 * breaks. What a user stops is not guarded (qemu_status_set()): that outlives vmifs.
 */
#pragma once

#include "monitor.h"

#include "socket.h"

typedef struct QemuStop QemuStop;

/* A guest that does not run is left as it is. UNSUPPORTED where this way to the monitor has no
 * guardian. (full) NULL with error: the guest runs as before, or soon will. */
QemuStop *
qemu_stop_begin(QemuMonitor *monitor, const VmifsCall *call, GError **error);
/* Lets it run on if it did before. stop: (taken). FALSE with error: the guardian goes on trying. */
gboolean
qemu_stop_end(QemuStop *stop, const VmifsCall *call, GError **error);

/* ---- guard.c: the guardian of a monitor with a socket ---- */

/* Starts one. pin: the descriptor that a unix address goes by, or -1. Returns: (full) the pipe's
 * end: QEMU_GUARD_ARM written to it, and then closing it, makes the guest run; -1 with error. */
int
qemu_guard_start(const QemuAddress *address, int pin, GError **error);

#define QEMU_GUARD_ARM 'a'
#define QEMU_GUARD_DISARM 'd'
