/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handle: a table of opens by number. A read takes a reference, so that a release that races with
 * it (an interrupted reader's) frees nothing under it.
 */
#include "handle.h"

struct VmifsHandles {
	GMutex lock;       /* guards what follows */
	GHashTable *by_id; /* &id -> VmifsHandle (full) */
	guint64 last_id;
};

VmifsHandles *
vmifs_handles_new(void)
{
	VmifsHandles *handles = g_new0(VmifsHandles, 1);
	g_mutex_init(&handles->lock);
	handles->by_id = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
					       (GDestroyNotify) vmifs_handle_unref);
	return handles;
}

void
vmifs_handles_free(VmifsHandles *handles)
{
	if (!handles)
		return;
	g_hash_table_unref(handles->by_id);
	g_mutex_clear(&handles->lock);
	g_free(handles);
}

VmifsHandle *
vmifs_handle_new(VmifsNode *node)
{
	VmifsHandle *handle = g_new0(VmifsHandle, 1);
	g_atomic_ref_count_init(&handle->refs);
	g_mutex_init(&handle->lock);
	handle->node = vmifs_node_ref(node);
	return handle;
}

VmifsHandle *
vmifs_handle_ref(VmifsHandle *handle)
{
	g_atomic_ref_count_inc(&handle->refs);
	return handle;
}

void
vmifs_handle_unref(VmifsHandle *handle)
{
	if (!handle || !g_atomic_ref_count_dec(&handle->refs))
		return;
	if (handle->file)
		handle->node->ops->close(handle->file);
	vmifs_node_list_free(handle->list);
	vmifs_content_unref(handle->content);
	vmifs_node_unref(handle->node);
	g_mutex_clear(&handle->lock);
	g_free(handle);
}

void
vmifs_handles_enter(VmifsHandles *handles, VmifsHandle *handle)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handles->lock);
	handle->id = ++handles->last_id;
	g_hash_table_insert(handles->by_id, &handle->id, handle);
}

VmifsHandle *
vmifs_handles_get(VmifsHandles *handles, guint64 id)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handles->lock);
	VmifsHandle *handle = g_hash_table_lookup(handles->by_id, &id);
	return handle ? vmifs_handle_ref(handle) : NULL;
}

VmifsHandle *
vmifs_handles_remove(VmifsHandles *handles, guint64 id)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handles->lock);
	gpointer handle = NULL;
	g_hash_table_steal_extended(handles->by_id, &id, NULL, &handle);
	return handle;
}

gsize
vmifs_handles_count(VmifsHandles *handles)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handles->lock);
	return g_hash_table_size(handles->by_id);
}
