/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connection: see connection.h. */
#include "connection.h"

#include "backend-call.h"
#include "physmem.h"

/* ---- what the backend tells ---- */

static void
changed(gpointer engine, guint what)
{
	VmifsConnection *connection = engine;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&connection->lock);

	if (connection->told)
		connection->told(connection->told_user, what);
	else
		connection->pending |= what;
}

void
vmifs_connection_listen(VmifsConnection *connection, void (*told)(gpointer user, guint what),
			gpointer user)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&connection->lock);

	connection->told = told;
	connection->told_user = user;
	if (told && connection->pending) {
		told(user, connection->pending);
		connection->pending = 0;
	}
}

static VmifsStopVerdict
stopped(gpointer engine, const VmifsStop *stop)
{
	VmifsConnection *connection = engine;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&connection->stops);

	return connection->stopped ? connection->stopped(connection->stops_user, stop)
				   : VMIFS_STOP_DISARM;
}

static void
unarmed(gpointer engine, guint64 id, const char *why)
{
	VmifsConnection *connection = engine;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&connection->stops);

	if (connection->unarmed)
		connection->unarmed(connection->stops_user, id, why);
}

void
vmifs_connection_listen_stops(VmifsConnection *connection, VmifsStopped stopped_told,
			      VmifsUnarmed unarmed_told, gpointer user)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&connection->stops);

	connection->stopped = stopped_told;
	connection->unarmed = unarmed_told;
	connection->stops_user = user;
}

/* ---- life ---- */

static VmifsConnection *
connection_alloc(const VmifsBackend *backend)
{
	VmifsConnection *connection = g_new0(VmifsConnection, 1);

	g_atomic_ref_count_init(&connection->refs);
	connection->backend = backend;
	connection->users = 1;
	connection->epoch.is_live = !backend->frozen;
	connection->mems = g_ptr_array_new();
	g_mutex_init(&connection->lock);
	g_mutex_init(&connection->stops);
	return connection;
}

static void
connection_free(VmifsConnection *connection)
{
	g_ptr_array_unref(connection->mems);
	g_mutex_clear(&connection->stops);
	g_mutex_clear(&connection->lock);
	g_free(connection);
}

VmifsConnection *
vmifs_connection_new(const VmifsBackend *backend, gpointer instance)
{
	VmifsConnection *connection = connection_alloc(backend);

	connection->instance = instance;
	return connection;
}

VmifsConnection *
vmifs_connection_open(const VmifsBackend *backend, const VmifsSource *src, const VmifsCall *call,
		      GError **error)
{
	VmifsConnection *connection = connection_alloc(backend);
	VmifsSource source = *src;

	source.changed = changed;
	source.stopped = stopped;
	source.unarmed = unarmed;
	source.engine = connection;
	if (src->options) {
		connection->guest_rw = src->options->guest_rw;
		connection->passive = src->options->passive;
		connection->epoch.max_age_us =
			(gint64) src->options->cache_ms * G_TIME_SPAN_MILLISECOND;
	}
	connection->instance = vmifs_backend_open(backend, &source, call, error);
	if (!connection->instance)
		g_clear_pointer(&connection, connection_free);
	return connection;
}

VmifsConnection *
vmifs_connection_ref(VmifsConnection *connection)
{
	g_atomic_ref_count_inc(&connection->refs);
	return connection;
}

void
vmifs_connection_unref(VmifsConnection *connection)
{
	if (!connection || !g_atomic_ref_count_dec(&connection->refs))
		return;
	if (!vmifs_connection_is_gone(connection))
		vmifs_connection_leave(connection);
	if (connection->backend->frozen)
		vmifs_backend_close(connection->backend, connection->instance);
	connection_free(connection);
}

gboolean
vmifs_connection_enter(VmifsConnection *connection)
{
	if (connection->backend->frozen)
		return TRUE;
	for (gint users = g_atomic_int_get(&connection->users);
	     users > 0 && !g_atomic_int_get(&connection->gone);
	     users = g_atomic_int_get(&connection->users)) {
		if (g_atomic_int_compare_and_exchange(&connection->users, users, users + 1))
			return TRUE;
	}
	return FALSE;
}

void
vmifs_connection_leave(VmifsConnection *connection)
{
	if (!connection->backend->frozen && g_atomic_int_dec_and_test(&connection->users))
		vmifs_backend_close(connection->backend, connection->instance);
}

void
vmifs_connection_add_mem(VmifsConnection *connection, VmifsPhysmem *mem)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&connection->lock);

	g_ptr_array_add(connection->mems, mem);
	if (vmifs_connection_is_gone(connection))
		vmifs_physmem_drop(mem);
}

void
vmifs_connection_remove_mem(VmifsConnection *connection, VmifsPhysmem *mem)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&connection->lock);

	g_ptr_array_remove_fast(connection->mems, mem);
}

void
vmifs_connection_drop(VmifsConnection *connection)
{
	if (connection->backend->frozen)
		return;
	g_mutex_lock(&connection->lock);
	gboolean first = g_atomic_int_compare_and_exchange(&connection->gone, 0, 1);
	/* One that nobody refers to any more is still whole: it has yet to be removed here. */
	for (guint i = 0; first && i < connection->mems->len; i++)
		vmifs_physmem_drop(g_ptr_array_index(connection->mems, i));
	g_mutex_unlock(&connection->lock);
	if (!first)
		return;
	/* Who tells of a stop may be at reading memory: closing waits for that thread, so that it
	 * must not be the last that leaves. */
	vmifs_connection_listen_stops(connection, NULL, NULL, NULL);
	vmifs_connection_leave(connection);
}

gboolean
vmifs_connection_is_gone(VmifsConnection *connection)
{
	return g_atomic_int_get(&connection->gone) != 0;
}

void
vmifs_connection_set_gone(GError **error)
{
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_STALE, "the guest has gone");
}

void
vmifs_connection_begin_hold(VmifsConnection *connection)
{
	g_atomic_int_inc(&connection->holding);
	g_atomic_int_inc(&connection->holds);
}

void
vmifs_connection_end_hold(VmifsConnection *connection)
{
	g_atomic_int_inc(&connection->holds);
	g_atomic_int_add(&connection->holding, -1);
}

gboolean
vmifs_connection_is_left_alone(VmifsConnection *connection, gint *ret_holds)
{
	*ret_holds = g_atomic_int_get(&connection->holds);
	return g_atomic_int_get(&connection->holding) == 0;
}
