/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migration (private): QEMU's background snapshot: a migration that goes nowhere but into a pipe of
 * ours, and is of one moment: what the guest is about to write to is sent before. QEMU has one
 * migration at a time, and switches for it that are its owner's: they are put back as they were
 * found.
 *
 * Once begun it goes on to its end, whatever becomes of us: a QEMU of 7.2 that cannot send, or is
 * told to cancel, leaves the guest's memory guarded against writes for ever, and the guest
 * hangs. Who gives up, or is killed, leaves the rest to a guardian that holds the pipe as well.
 */
#pragma once

#include "control.h"

G_BEGIN_DECLS

typedef struct QemuMigration QemuMigration;

/* FALSE with IO while there is one. */
gboolean
qemu_migration_is_free(QemuMonitor *monitor, const VmifsCall *call, GError **error);

/* Begins one of a guest that runs, and that was watched (qemu_stop_watch()) since before that was
 * known: QEMU stops it, and lets it run afterwards, whether it did before or not.
 * ret_fd: (full) what to read the stream from, up to its end. NULL with UNSUPPORTED where this
 * guest, QEMU, host or way to the monitor cannot, or as qemu_monitor_ask(); all is as before. */
QemuMigration *
qemu_migration_begin(QemuStop *stop, int *ret_fd, const VmifsCall *call, GError **error);
/* A page has come: QEMU has let the guest run, and what a user has paused since stays so. Once. */
void
qemu_migration_runs(QemuMigration *migration);
/* For while nothing comes: FALSE with IO when no more will than is there. */
gboolean
qemu_migration_is_on(QemuMigration *migration, const VmifsCall *call, GError **error);
/* After the end of the stream: was that all of it? migration: (taken). ret_moment: when the guest
 * stood still, µs since the epoch; ret_still_us: for how long, as QEMU has it; -1 = not told. */
gboolean
qemu_migration_end(QemuMigration *migration, gint64 *ret_moment, gint64 *ret_still_us,
		   const VmifsCall *call, GError **error);
/* Gives up: a guardian reads what is still to come, and puts all back. migration: (taken) */
void
qemu_migration_leave(QemuMigration *migration);

G_END_DECLS
