/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest: what one mount keeps of a guest: bounded queues for whatever may take time, so that no
 * guest can make another's files wait, nor its hypervisor the guest's own. It lives as long as a
 * node of the guest does.
 */
#pragma once

#include "node.h"

G_BEGIN_DECLS

/* Threads that decode for one guest; more requests than that wait in its queue. */
#define VMIFS_QUEUE_THREADS 4
/* How long one request may take there, its turn included. Waiting for discovery is not counted:
 * that ends by itself or by Ctrl-C, and holds no thread. */
#define VMIFS_QUEUE_DEADLINE (10 * G_TIME_SPAN_SECOND)
/* The same for what has to ask the hypervisor: that answers at once, or hangs. */
#define VMIFS_MONITOR_THREADS 2
#define VMIFS_MONITOR_DEADLINE (1700 * G_TIME_SPAN_MILLISECOND)
/* And for what takes as long as there is memory to store: one at a time, until it is interrupted.
 */
#define VMIFS_PATIENCE_THREADS 1
#define VMIFS_PATIENCE_DEADLINE (24 * G_TIME_SPAN_HOUR)

typedef struct VmifsRequest VmifsRequest;
typedef struct VmifsKeeper VmifsKeeper;
typedef struct VmifsWaiting VmifsWaiting;

struct VmifsFsGuest {
	gatomicrefcount refs;
	VmifsGuest *guest;     /* (full) */
	VmifsKeeper *keeper;   /* (borrowed) */
	VmifsWaiting *waiting; /* (full) readers of its streams */
	/* (full) of a snapshot: the guest that it was taken of. NULL of others */
	VmifsFsGuest *origin;
	gboolean frozen;
	struct timespec seen; /* when it was first looked up: times of what a running one shows */
	guint64 serial;       /* tells guests of one name apart */
	gint discovered;      /* atomic; what waits for it may be asked for */
	gint gone;            /* atomic; whatever belongs to it is stale */
	gboolean buried;      /* (keeper) the kernel was told of its end */
	guint n_turns;     /* (keeper) for which it has looked after a snapshot that was dropped */
	GThreadPool *pool; /* of VmifsRequest */
	GThreadPool *monitor;
	GThreadPool *patience;

	GMutex lock; /* guards what follows */
	gboolean closing;
	GQueue parked;  /* of VmifsRequest: until discovery has ended */
	GQueue running; /* of VmifsRequest: in a pool's queue or on its threads */
};

/* vmifs_guest, origin, keeper: (borrowed). */
VmifsFsGuest *
vmifs_fs_guest_new(VmifsGuest *vmifs_guest, VmifsFsGuest *origin, VmifsKeeper *keeper,
		   guint64 serial);
VmifsFsGuest *
vmifs_fs_guest_ref(VmifsFsGuest *guest);
void
vmifs_fs_guest_unref(VmifsFsGuest *guest);
/* Whether its discovery has ended may have changed: another may be under way, after a boot. What
 * was parked for it is run then. */
void
vmifs_fs_guest_look(VmifsFsGuest *guest);

/* request: (taken) runs it on one of the guest's queues, at once or when discovery has ended. */
void
vmifs_fs_guest_queue(VmifsFsGuest *guest, VmifsRequest *request, VmifsDefer defer);
/* Answers those requests that should have ended by now, whatever their threads wait for. Returns:
 * whether any is under way. */
gboolean
vmifs_fs_guest_expire(VmifsFsGuest *guest, gint64 now);

/* Cancels what runs; nothing is begun any more. */
void
vmifs_fs_guest_cancel(VmifsFsGuest *guest);
/* Answers what will never run. After cancel. */
void
vmifs_fs_guest_abandon(VmifsFsGuest *guest);
gboolean
vmifs_fs_guest_is_idle(VmifsFsGuest *guest);
/* Waits for what still runs. After cancel. */
void
vmifs_fs_guest_stop(VmifsFsGuest *guest);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsFsGuest, vmifs_fs_guest_unref)

G_END_DECLS
