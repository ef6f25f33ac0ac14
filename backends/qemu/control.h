/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control: a guest is stopped for a moment, for vmifs's own sake, such that it runs again however
 * vmifs ends (guard.h). What a user stops is not guarded (qemu_status_set()): that outlives vmifs.
 */
#pragma once

#include "guard.h"

#include <vmifs/guest.h>

/* What lets a guest stop and run on, one at a time: a stop of ours, which takes two steps, and
 * what a user wishes, perhaps between them. */
typedef struct {
	QemuMonitor *monitor; /* (borrowed) (nullable) then nothing is done with it */
	GMutex lock;          /* of what follows; held while either is carried out */
	int guard;            /* of a stop that goes on; -1: there is none, or it stands anyway */
	gint64 since;         /* when that was told to stop */
	gint64 stood;         /* for how long it did, µs, until a user wished that, too */
	gboolean was_let_run; /* by a user, since the last stop of ours began */
	gboolean was_paused;  /* by a user, since qemu_stop_watch() */
	int left;             /* a guardian that may still let it run, since we could not; -1 */
} QemuStop;

void
qemu_stop_init(QemuStop *stop, QemuMonitor *monitor);
void
qemu_stop_clear(QemuStop *stop);

/* A guest that does not run is left as it is. UNSUPPORTED where this way to the monitor has no
 * guardian. FALSE with error: the guest runs as before, or soon will. */
gboolean
qemu_stop_begin(QemuStop *stop, const VmifsCall *call, GError **error);
/* Lets it run on if it did before, no user has paused it meanwhile, and it stands for nothing else
 * by now. ret_us: for how long it stood still, at most; 0 when it did not run. FALSE with error:
 * the guardian goes on trying. */
gboolean
qemu_stop_end(QemuStop *stop, gint64 *ret_us, const VmifsCall *call, GError **error);
/* Since that began a user has let the guest run, even if it stands again. */
gboolean
qemu_stop_was_let_run(QemuStop *stop);
/* As qemu_status_set(), by a user: that outlives a stop that goes on. */
gboolean
qemu_stop_set_state(QemuStop *stop, VmifsState wanted, const VmifsCall *call, GError **error);
/* QEMU is about to stop the guest and to let it run by itself, whatever a user wishes meanwhile. */
void
qemu_stop_watch(QemuStop *stop);
/* It has done the latter: pauses the guest again if a user has paused it since. */
void
qemu_stop_renew(QemuStop *stop);
/* It has done the former alone: lets the guest run as qemu_stop_end() does. */
void
qemu_stop_make_up(QemuStop *stop);
/* For what stops it in another way, and puts that back as it was found. FALSE: as
 * vmifs_call_check(). */
gboolean
qemu_stop_enter(QemuStop *stop, const VmifsCall *call, GError **error);
void
qemu_stop_leave(QemuStop *stop);
/* Between these two: what was left to a guardian before does not let the guest run any more. */
void
qemu_stop_call_off(QemuStop *stop);
/* ... it acts, until a user wishes otherwise. guard: (taken) of one without a farewell */
void
qemu_stop_leave_to(QemuStop *stop, int guard);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(QemuStop, qemu_stop_clear)
