/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshots: those of one guest, and how one is taken: the backend tells a picture, which is then
 * opened as a guest. Nothing is listed before it is whole.
 */
#include "backend-call.h"
#include "guest.h"
#include "picture.h"

#include <vmifs/snapshot.h>
#include <vmifs/text.h>

/* How long who waits for his turn may overlook that he was given up. */
#define POLL_US (20 * G_TIME_SPAN_MILLISECOND)

/* ---- the list ---- */

static gboolean
find_locked(VmifsGuest *guest, const char *name, guint *ret_index)
{
	for (guint i = 0; guest->snapshots && i < guest->snapshots->len; i++) {
		const VmifsGuest *snapshot = guest->snapshots->pdata[i];
		if (!g_str_equal(snapshot->name, name))
			continue;
		*ret_index = i;
		return TRUE;
	}
	return FALSE;
}

VmifsGuest *
vmifs_guest_snapshot(VmifsGuest *guest, const char *name)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	guint i;

	return find_locked(guest, name, &i) ? vmifs_guest_ref(guest->snapshots->pdata[i]) : NULL;
}

GPtrArray *
vmifs_guest_snapshots(VmifsGuest *guest)
{
	GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify) vmifs_guest_unref);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

	for (guint i = 0; guest->snapshots && i < guest->snapshots->len; i++)
		g_ptr_array_add(all, vmifs_guest_ref(guest->snapshots->pdata[i]));
	return all;
}

static gboolean
set_not_found(const char *name, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND, "there is no snapshot %s", name);
	return FALSE;
}

static gboolean
check_unused(VmifsGuest *guest, const char *name, GError **error)
{
	g_autoptr(VmifsGuest) other = vmifs_guest_snapshot(guest, name);

	if (other)
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_EXISTS, "there is a snapshot %s", name);
	return !other;
}

/* It is not in the list any more. */
static void
end_snapshot(VmifsGuest *snapshot)
{
	vmifs_guest_stop(snapshot);
	vmifs_guest_unref(snapshot);
}

gboolean
vmifs_guest_drop_snapshot(VmifsGuest *guest, const char *name, GError **error)
{
	VmifsGuest *snapshot = NULL;
	guint i;

	g_mutex_lock(&guest->lock);
	if (find_locked(guest, name, &i))
		snapshot = g_ptr_array_steal_index(guest->snapshots, i);
	g_mutex_unlock(&guest->lock);
	if (!snapshot)
		return set_not_found(name, error);
	end_snapshot(snapshot);
	return TRUE;
}

void
vmifs_guest_end_snapshots(VmifsGuest *guest)
{
	g_mutex_lock(&guest->lock);
	g_autoptr(GPtrArray) all = g_steal_pointer(&guest->snapshots);
	g_mutex_unlock(&guest->lock);
	for (guint i = 0; all && i < all->len; i++)
		end_snapshot(all->pdata[i]);
}

/* Puts it into the list: old (nullable) (borrowed) makes room for it. snapshot: a reference is
 * taken. */
static gboolean
list_snapshot(VmifsGuest *guest, VmifsGuest *old, VmifsGuest *snapshot, GError **error)
{
	gboolean there, listed = FALSE;
	guint i;

	g_mutex_lock(&guest->lock);
	there = find_locked(guest, snapshot->name, &i);
	if (guest->snapshots && (there ? guest->snapshots->pdata[i] == old : !old)) {
		vmifs_guest_ref(snapshot);
		vmifs_guest_start(snapshot);
		if (there)
			guest->snapshots->pdata[i] = snapshot;
		else
			g_ptr_array_add(guest->snapshots, snapshot);
		listed = TRUE;
	}
	gboolean ended = !guest->snapshots;
	g_mutex_unlock(&guest->lock);
	if (listed && old)
		end_snapshot(old);
	if (ended)
		vmifs_connection_set_gone(error);
	else if (!listed)
		set_not_found(snapshot->name, error);
	return listed;
}

/* ---- taking one ---- */

static gboolean
may_take(VmifsGuest *guest, GError **error)
{
	int code = guest->options.passive      ? VMIFS_ERROR_DENIED
		   : guest->backend->frozen    ? VMIFS_ERROR_UNSUPPORTED
		   : !guest->backend->snapshot ? VMIFS_ERROR_UNSUPPORTED
					       : -1;
	if (code < 0)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, code, "%s",
		    guest->options.passive   ? "not on a passive mount"
		    : guest->backend->frozen ? "what does not run needs no snapshots"
					     : "no snapshots can be taken of a guest of this sort");
	return FALSE;
}

/* Waits for its turn. */
static gboolean
begin(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

	while (guest->taking) {
		g_cond_wait_until(&guest->changed, &guest->lock, g_get_monotonic_time() + POLL_US);
		if (guest->taking && !vmifs_call_check(call, error))
			return FALSE;
	}
	guest->taking = TRUE;
	return TRUE;
}

static void
end(VmifsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

	guest->taking = FALSE;
	g_cond_broadcast(&guest->changed);
}

static VmifsPicture *
take_picture(VmifsGuest *guest, VmifsPicture *base, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	VmifsPictureTaken unknown = { .moment = g_get_real_time(), .still_us = -1 };
	g_autoptr(VmifsPictureWriter) writer =
		vmifs_picture_writer_new(mem, base, guest->options.snapdir, error);

	if (!writer)
		return NULL;
	vmifs_picture_set_taken(writer, &unknown);
	if (!vmifs_backend_take_snapshot(guest->connection, writer, call, error))
		return NULL;
	g_autoptr(VmifsPhysmem) now = vmifs_guest_physmem(guest);
	if (!vmifs_physmem_is_like(mem, now)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_STALE,
				    "the guest's memory has changed its size or place meanwhile");
		return NULL;
	}
	return vmifs_picture_writer_end(g_steal_pointer(&writer), error);
}

static VmifsGuest *
open_picture(VmifsGuest *guest, const char *name, VmifsPicture *picture, GError **error)
{
	g_autofree char *source = g_strdup_printf("snapshot of %s, %s", guest->name, guest->source);
	VmifsSource src = {
		.spec = source, .fd = -1, .options = &guest->options, .target = picture
	};
	g_autoptr(VmifsConnection) connection =
		vmifs_connection_open(&vmifs_picture_backend, &src, NULL, error);
	VmifsPhysmem *mem = vmifs_physmem_of(connection, NULL, error);

	if (!mem)
		return NULL;
	return vmifs_guest_new(name, source, &vmifs_picture_backend, mem, picture->moment,
			       &guest->options);
}

/* old: (nullable) the one that is taken anew. (full) */
static VmifsGuest *
take(VmifsGuest *guest, const char *name, VmifsGuest *old, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsPicture) picture =
		take_picture(guest, old ? old->connection->instance : NULL, call, error);
	g_autoptr(VmifsGuest) snapshot = picture ? open_picture(guest, name, picture, error) : NULL;

	/* Who has given up shall not find it there. */
	if (!snapshot || !vmifs_call_check(call, error) ||
	    !list_snapshot(guest, old, snapshot, error))
		return NULL;
	return g_steal_pointer(&snapshot);
}

VmifsGuest *
vmifs_guest_take_snapshot(VmifsGuest *guest, const char *name, const VmifsCall *call,
			  GError **error)
{
	if (!vmifs_text_is_file_name(name)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID,
			    "a snapshot's name must be that of a file");
		return NULL;
	}
	if (!may_take(guest, error) || !begin(guest, call, error))
		return NULL;
	VmifsGuest *snapshot =
		check_unused(guest, name, error) ? take(guest, name, NULL, call, error) : NULL;
	end(guest);
	return snapshot;
}

gboolean
vmifs_guest_refresh_snapshot(VmifsGuest *guest, const char *name, const VmifsCall *call,
			     GError **error)
{
	if (!may_take(guest, error) || !begin(guest, call, error))
		return FALSE;
	g_autoptr(VmifsGuest) old = vmifs_guest_snapshot(guest, name);
	g_autoptr(VmifsGuest) snapshot = NULL;
	if (old)
		snapshot = take(guest, name, old, call, error);
	else
		set_not_found(name, error);
	end(guest);
	return snapshot != NULL;
}
