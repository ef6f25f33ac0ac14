/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * target: one QEMU process, held by descriptors so that no later process of its number is taken for
 * it. Its paths are its own: resolved under its root in its mount namespace, from where no link of
 * it leads out.
 */
#pragma once

#include "args.h"
#include "argv.h"

#include <sys/stat.h>
#include <sys/types.h>
#include <vmifs/error.h>

G_BEGIN_DECLS

typedef struct QemuMonitor QemuMonitor;

typedef struct {
	pid_t pid;          /* as our pid namespace has it */
	int pidfd;          /* readable once it has ended */
	int proc;           /* /proc/PID */
	int root;           /* its root folder, O_PATH; -1 = we may not look at it */
	guint64 start_time; /* clock ticks since boot: field 22 of /proc/PID/stat */
	gint64 started;     /* the same in µs */
	char *exe;          /* (nullable) its program, where we may know */
	char *name;         /* raw: -name, or qemu-PID */
	char *source;       /* for people: "pid:1234", "qemu:///system domain web1" */
	QemuArgs *args;
	QemuMonitor *monitor; /* (nullable) freed with the target */
	char *no_monitor;     /* (nullable) why there is none */
	char *life; /* (nullable) what names it instead, where it has no process here: pid is 0 */
} QemuTarget;

/* Holds process pid, if that is a QEMU; finding its monitor is left to the caller. Else NULL:
 * NOT_FOUND when there is no such process, or it is no QEMU; SOURCE when that cannot be told. */
QemuTarget *
qemu_target_new(pid_t pid, GError **error);
/* A guest without a process here. monitor: (taken) */
QemuTarget *
qemu_target_new_elsewhere(const char *life, const char *name, QemuMonitor *monitor);
void
qemu_target_free(QemuTarget *target);

/* A quick look: may that process be one? */
QemuLikely
qemu_target_likely(pid_t pid);

/* "PID:START", of one life of one process. (full) */
char *
qemu_target_key(const QemuTarget *target);
gboolean
qemu_target_is_alive(const QemuTarget *target);
/* Opens a path as that process would, relative ones from its current folder. flags: of open(2).
 * Returns: a descriptor, close-on-exec; -1 with SOURCE. */
int
qemu_target_open_path(const QemuTarget *target, const char *path, int flags, GError **error);

/* May its memory be read from here? */
gboolean
qemu_target_is_readable(const QemuTarget *target);

/* ---- reach.c: the way to its monitor ---- */

/* Fills in monitor, or no_monitor: a socket that its arguments name and on which it listens itself.
 * hold: as with qemu_qmp_new(). */
void
qemu_target_find_monitor(QemuTarget *target, gboolean hold);

/* Do its arguments name that socket for its monitor? */
gboolean
qemu_target_names(const QemuTarget *target, const struct stat *socket);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuTarget, qemu_target_free)

G_END_DECLS
