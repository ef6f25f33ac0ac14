/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connection (private): an opened instance of a backend, apart from what it says of its memory,
 * which may change while it is open. Whoever holds a reference may go on calling: once the guest
 * has gone, calls answer as if the backend had failed, and the instance is closed when the last
 * call that still runs in it has returned, not when the last reference is dropped.
 *
 *   users   1 for being open, 1 for each call; 0 = closed, for good
 */
#pragma once

#include "epoch.h"

#include <spi/backend.h>

typedef struct VmifsConnection VmifsConnection;

struct VmifsConnection {
	gatomicrefcount refs;
	const VmifsBackend *backend;
	gpointer instance;
	gboolean guest_rw;
	gboolean passive;
	gint users;   /* atomic; of what is not frozen */
	gint holding; /* atomic; calls that may make the guest stand still for a moment */
	gint holds;   /* atomic; counts their beginnings and ends */
	gint gone;    /* atomic */
	VmifsEpoch epoch;

	GMutex lock;   /* guards what follows */
	guint pending; /* VmifsChange bits that nobody was told yet */
	void (*told)(gpointer user, guint what);
	gpointer told_user;
	GPtrArray *mems; /* every VmifsPhysmem over it that lives; (borrowed) */

	GMutex stops; /* guards what follows, and is held while it is called */
	VmifsStopped stopped;
	VmifsUnarmed unarmed;
	gpointer stops_user;
};

/* Opens src, whose changed() and engine are set here. */
VmifsConnection *
vmifs_connection_open(const VmifsBackend *backend, const VmifsSource *src, const VmifsCall *call,
		      GError **error);
/* Of an instance that is open already. instance: (taken) */
VmifsConnection *
vmifs_connection_new(const VmifsBackend *backend, gpointer instance);
VmifsConnection *
vmifs_connection_ref(VmifsConnection *connection);
void
vmifs_connection_unref(VmifsConnection *connection);

/* Who is told of changes, at once of those that have been; from any thread; must not block, nor
 * drop the connection. told: NULL = nobody, and no call runs when this returns. */
void
vmifs_connection_listen(VmifsConnection *connection, void (*told)(gpointer user, guint what),
			gpointer user);

/* Who is told of stops, with user for the engine; see spi/stops.h. Nobody by default: a point that
 * stops is disarmed. stopped: NULL = nobody, and no call runs when this returns. */
void
vmifs_connection_listen_stops(VmifsConnection *connection, VmifsStopped stopped_told,
			      VmifsUnarmed unarmed_told, gpointer user);

/* Every memory over the connection is known to it, to be dropped with it: at once when it has gone
 * already. */
void
vmifs_connection_add_mem(VmifsConnection *connection, VmifsPhysmem *mem);
void
vmifs_connection_remove_mem(VmifsConnection *connection, VmifsPhysmem *mem);

/* The guest has gone: all its memory is dropped, no further call reaches the backend, and its
 * instance is closed as soon as the last one has left. Waits for a stop that is being told; not
 * from within one. Nothing happens for what is frozen. */
void
vmifs_connection_drop(VmifsConnection *connection);
gboolean
vmifs_connection_is_gone(VmifsConnection *connection);
/* STALE, saying so. */
void
vmifs_connection_set_gone(GError **error);

/* Around each call of an op: FALSE when it must not be made. What is frozen never goes: its calls,
 * of which there may be millions, count nothing. */
gboolean
vmifs_connection_enter(VmifsConnection *connection);
void
vmifs_connection_leave(VmifsConnection *connection);

/* Around each op that may make the guest stand still for our own sake. */
void
vmifs_connection_begin_hold(VmifsConnection *connection);
void
vmifs_connection_end_hold(VmifsConnection *connection);
/* FALSE while there is such a call. *ret_holds: another number than before when there was one in
 * between. */
gboolean
vmifs_connection_is_left_alone(VmifsConnection *connection, gint *ret_holds);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsConnection, vmifs_connection_unref)
