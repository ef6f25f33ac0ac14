/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * owed: pages that a migration still owes. A guest that runs here before all of its memory has
 * come (postcopy) has holes that are none: whoever touches one waits for the network, and zeros
 * would be wrong. QEMU holds a userfaultfd for as long as that goes on.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct QemuOwed QemuOwed;

/* proc: /proc/PID of the process. (borrowed) */
QemuOwed *
qemu_owed_new(int proc);
void
qemu_owed_free(QemuOwed *owed);
/* As of some milliseconds ago. Thread-safe. */
gboolean
qemu_owed_any(QemuOwed *owed);

/* A text of /proc/PID/fdinfo/N: of a userfaultfd that waits for pages? One that only sees what is
 * written, as for QEMU's background snapshots, does not. */
gboolean
qemu_owed_parse(const char *fdinfo);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuOwed, qemu_owed_free)

G_END_DECLS
