/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * debug: the exact source of events: points at which the guest stops for a moment, by QEMU's
 * gdbstub. A thread has it for as long as there are points, and lets the guest run on after each
 * stop; those who arm and disarm leave their wishes to it.
 */
#pragma once

#include "monitor.h"

#include <spi/backend.h>

G_BEGIN_DECLS

typedef struct QemuDebug QemuDebug;

/* For whom it is; all (nullable). From its thread. */
typedef struct {
	gpointer user;
	VmifsStopped stopped;
	VmifsUnarmed unarmed;
	/* Somebody else has stopped it, or lets it run. */
	void (*turned)(gpointer user);
} QemuDebugUser;

/* What of a guest it must know. */
typedef struct {
	const char *accel; /* (static) (nullable) not known: as little as with KVM */
	guint n_vcpus;     /* that are there or may be plugged */
} QemuDebugGuest;

QemuDebug *
qemu_debug_new(QemuMonitor *monitor, const QemuDebugUser *user);
/* Disarms all; nothing is told any more. */
void
qemu_debug_free(QemuDebug *debug);

void
qemu_debug_caps(QemuDebug *debug, const QemuDebugGuest *guest, VmifsStopCaps *ret,
		const VmifsCall *call);
/* As VmifsBackend.arm and .disarm. UNSUPPORTED: one does not fit, or somebody else has the stub. */
gboolean
qemu_debug_arm(QemuDebug *debug, const QemuDebugGuest *guest, guint64 id,
	       const VmifsStopPoint *points, guint n, guint *ret_failed, const VmifsCall *call,
	       GError **error);
void
qemu_debug_disarm(QemuDebug *debug, const guint64 *ids, guint n);
/* It has other vCPUs than when points were set: those that are new have none. */
void
qemu_debug_renew(QemuDebug *debug, const QemuDebugGuest *guest);

/* While there are points: who pauses the guest has to go through this. FALSE without error: there
 * are none. */
gboolean
qemu_debug_set_state(QemuDebug *debug, VmifsState wanted, const VmifsCall *call, GError **error);
/* FALSE: it comes to a guest, and whether that stood already is not known yet. ret_visits: another
 * number whenever it has come or gone. */
gboolean
qemu_debug_is_settled(QemuDebug *debug, guint *ret_visits);
/* Of a guest that QEMU says is not running, in that word: is it for a stop of ours? */
gboolean
qemu_debug_is_own(QemuDebug *debug, const char *word);
gboolean
qemu_debug_is_on(QemuDebug *debug);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuDebug, qemu_debug_free)

G_END_DECLS
