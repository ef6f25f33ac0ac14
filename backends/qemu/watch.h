/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch: which processes of this host are QEMUs. Nothing that tells of new ones works everywhere,
 * so /proc is looked at about once a second, as cheaply as can be: most looks only ask for the
 * numbers that were given out since the last one. A process is looked into when it is new, and then
 * ever more rarely: what starts a QEMU may become it late.
 */
#pragma once

#include "target.h"

G_BEGIN_DECLS

/* After its first, a process is looked into 1, 2, 4 ... looks later, and then all 16, at which all
 * of them are listed. */
#define QEMU_WATCH_RARELY 16

typedef struct QemuWatch QemuWatch;

QemuWatch *
qemu_watch_new(void);
void
qemu_watch_free(QemuWatch *watch);

typedef enum {
	QEMU_WATCH_OTHER, /* looked into again as any process is */
	QEMU_WATCH_LATER, /* by the next look */
	QEMU_WATCH_TAKEN, /* not told again before it is forgotten */
} QemuWatchVerdict;

/* target: (taken) when TAKEN, else (borrowed). */
typedef QemuWatchVerdict (*QemuWatchTake)(gpointer user, QemuTarget *target);

/* One look. all: into every process, however often it was looked into before. */
void
qemu_watch_look(QemuWatch *watch, gboolean all, QemuWatchTake take, gpointer user);
/* The process that was taken has ended. */
void
qemu_watch_forget(QemuWatch *watch, pid_t pid);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuWatch, qemu_watch_free)

G_END_DECLS
