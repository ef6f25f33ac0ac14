/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest (private): what the files of a guest share. guest.c: life and what it is; attached.c: the
 * operating system in it; follow.c: the thread that finds that, and follows a running guest;
 * snapshots.c: those that were taken of it.
 */
#pragma once

#include "attached.h"
#include "connection.h"
#include "events.h"
#include "log.h"
#include "observe.h"
#include "watch.h"

#include <spi/backend.h>
#include <spi/os.h>
#include <vmifs/guest.h>

/* It has gone, says its source, from a thread and under a lock of that; or something else of it has
 * changed, from the guest's own thread. */
typedef void (*VmifsGuestTold)(VmifsGuest *guest, gboolean gone, gpointer user);

typedef struct {
	GFunc done;
	gpointer user;
} VmifsGuestWaiter;

struct VmifsGuest {
	gatomicrefcount refs;
	char *name;
	char *source;
	const VmifsBackend *backend;
	VmifsConnection *connection;
	gint64 acquired;
	VmifsOptions options;
	VmifsLog *log;
	VmifsEvents *events;
	VmifsObserver *observer; /* of one that runs, from its start on */
	guint generation;        /* atomic */
	gint cancelled;          /* atomic; ends discovery */
	gint progress;           /* atomic; percent */
	GThread *thread;
	VmifsGuestTold told; /* set before it starts */
	gpointer told_user;

	GMutex lock; /* guards what follows */
	GCond changed;
	VmifsPhysmem *mem;
	VmifsAttached *attached; /* what the last discovery found; NULL before its end */
	gboolean searching;      /* a kernel has ended and the next one is looked for */
	guint pending;           /* VmifsChange bits that the thread has not seen yet */
	GArray *waiters;         /* of VmifsGuestWaiter; for the end of the first discovery */
	VmifsState state;        /* as it was at state_asked */
	gint64 state_asked;      /* 0 = ask */
	gboolean taking;         /* a snapshot of it is being taken */
	VmifsWatches *watches;   /* NULL until a line is written; then it stays */
	GPtrArray *snapshots;    /* of VmifsGuest (full); NULL = there may be none any more */
};

/* name, source (what to call it in info), mem: copied, copied, (taken). */
VmifsGuest *
vmifs_guest_new(const char *name, const char *source, const VmifsBackend *backend,
		VmifsPhysmem *mem, gint64 acquired, const VmifsOptions *options);
/* Before start(). */
void
vmifs_guest_listen(VmifsGuest *guest, VmifsGuestTold told, gpointer user);
/* Starts discovery, and the following of a running guest, in a thread of its own. Where there is
 * none to be had, its memory is shown all the same. */
void
vmifs_guest_start(VmifsGuest *guest);
/* Ends that thread and waits for it. Nobody may call start again. */
void
vmifs_guest_stop(VmifsGuest *guest);
/* The guest has gone: lets go of its memory; from now on it answers STALE. */
void
vmifs_guest_drop(VmifsGuest *guest);

const VmifsOptions *
vmifs_guest_options(const VmifsGuest *guest);
const guint *
vmifs_guest_epoch(const VmifsGuest *guest);

/* What is attached, after waiting for discovery. (full) CANCELLED, TIMEOUT, STALE. */
VmifsAttached *
vmifs_guest_wait_attached(VmifsGuest *guest, const VmifsCall *call, GError **error);
/* What is attached now. (full) (nullable) */
VmifsAttached *
vmifs_guest_attached(VmifsGuest *guest);

/* The source is asked now, whatever it told a moment ago. */
VmifsState
vmifs_guest_ask_state(VmifsGuest *guest, const VmifsCall *call);

/* ---- attached.c ---- */

/* All modules of its kernel, of VmifsModule. UNSUPPORTED, CORRUPT: the list was changing. (full) */
GArray *
vmifs_guest_modules(VmifsGuest *guest, const VmifsCall *call, GError **error);

/* ---- follow.c ---- */

/* The guest's thread. */
gpointer
vmifs_guest_follow(gpointer guest);
/* Instead of it: nothing is found. */
void
vmifs_guest_follow_not(VmifsGuest *guest);

/* ---- snapshots.c ---- */

/* Drops all of them; no further one can be taken. */
void
vmifs_guest_end_snapshots(VmifsGuest *guest);
