/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status: what a monitor tells of the guest as a whole: does it run, on how many vCPUs, by KVM
 * or not, is its memory encrypted.
 */
#pragma once

#include "monitor.h"

#include <vmifs/guest.h>

/* RUNNING or PAUSED. ret_word: (full) (nullable) as QEMU calls it: "guest-panicked". */
gboolean
qemu_status_ask(QemuMonitor *monitor, VmifsState *ret, char **ret_word, const VmifsCall *call,
		GError **error);
/* The same; UNRESPONSIVE where it does not answer. */
gboolean
qemu_status_tell(QemuMonitor *monitor, VmifsState *ret, char **ret_word, const VmifsCall *call,
		 GError **error);
/* Stops it or lets it run; what it is already is no error. IO with QEMU's reason when it will not:
 * after a panic, while it is migrated. */
gboolean
qemu_status_set(QemuMonitor *monitor, VmifsState wanted, const VmifsCall *call, GError **error);

/* After a stop of our own: lets it run on if it stands as that leaves it, and does nothing if not.
 * Of one that has been migrated away meanwhile there would be two; that one has crashed, or has a
 * disk that is full, is for its owner to see. */
gboolean
qemu_status_let_run(QemuMonitor *monitor, const VmifsCall *call, GError **error);

/* What does not change in its life, but for the vCPUs. Strings are as they came; NULL = not told.
 */
typedef struct {
	char *encryption;   /* "SEV-SNP", "TDX"; NULL = its memory is plain */
	const char *driver; /* (static) "kvm", "tcg" */
	guint n_vcpus;      /* one more than the highest number; 0 = not told */
} QemuAbout;

/* Are registers of a guest with such memory to be had? SEV alone leaves them to the host; what came
 * after it keeps them, too. encryption: (nullable) as above */
gboolean
qemu_about_has_registers(const char *encryption);

/* All that this QEMU tells, in two visits at most. */
gboolean
qemu_about_ask(QemuMonitor *monitor, QemuAbout *ret, const VmifsCall *call, GError **error);
void
qemu_about_clear(QemuAbout *about);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(QemuAbout, qemu_about_clear)
