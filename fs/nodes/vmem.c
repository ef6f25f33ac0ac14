/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmem: a process's virtual memory, offset = address; empty for kernel threads. Of a live guest
 * every read asks whether that process still is, and which memory it has: another one may have its
 * page tables' pages by now.
 */
#include "nodes.h"

/* What an open reads through. */
typedef struct {
	VmifsAspace *aspace; /* (full) (nullable) NULL: a kernel thread */
} VmemFile;

gboolean
vmifs_vmem_size(VmifsNode *self, VmifsNodeSize *ret, guint *ret_page_shift, VmifsNodeCall *call,
		GError **error)
{
	if (!vmifs_node_task(self)->mm) {
		*ret = (VmifsNodeSize){ 0 };
		*ret_page_shift = 0;
		return TRUE;
	}
	g_autoptr(VmifsAspace) kernel =
		vmifs_guest_kernel_aspace(vmifs_node_guest(self), &call->call, error);
	if (!kernel)
		return FALSE;
	ret->size = vmifs_aspace_user_end(kernel);
	ret->allocated = MIN(vmifs_physmem_ram(vmifs_aspace_physmem(kernel)), ret->size);
	*ret_page_shift = vmifs_aspace_page_shift(kernel);
	return TRUE;
}

static gboolean
size(VmifsNode *self, VmifsNodeSize *ret, VmifsNodeCall *call, GError **error)
{
	guint page_shift;

	return vmifs_vmem_size(self, ret, &page_shift, call, error);
}

static gpointer
open_user(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	VmifsTask task;
	if (!vmifs_node_needs_work(call) || !vmifs_task_now(self, &task, call, error))
		return NULL;
	VmifsAspace *aspace = NULL;
	if (task.mm) {
		aspace = vmifs_guest_task_aspace(vmifs_node_guest(self), &task, &call->call, error);
		if (!aspace)
			return NULL;
	}
	VmemFile *file = g_new(VmemFile, 1);
	file->aspace = aspace;
	return file;
}

static void
close_user(gpointer data)
{
	VmemFile *file = data;
	vmifs_aspace_unref(file->aspace);
	g_free(file);
}

/* The end of what the file shows: 0 for a kernel thread. */
static guint64
end_of(const VmemFile *file)
{
	return file->aspace ? vmifs_aspace_user_end(file->aspace) : 0;
}

static gsize
read_user(VmifsNode *self, gpointer data, guint64 off, gsize len, VmifsSegments *segments,
	  VmifsNodeCall *call, GError **error)
{
	VmemFile *file = data;
	guint64 end = end_of(file);
	if (off >= end)
		return 0;
	g_autoptr(VmifsAspace) aspace = vmifs_task_memory(self, file->aspace, call, error);
	if (!aspace)
		return 0;
	return vmifs_aspace_gather(aspace, off, (gsize) MIN(len, end - off),
				   VMIFS_GATHER_STOP_AT_HOLE, segments, &call->call, error);
}

static gsize
write_user(VmifsNode *self, gpointer data, guint64 off, gconstpointer bytes, gsize len,
	   VmifsNodeCall *call, GError **error)
{
	VmemFile *file = data;
	guint64 end = end_of(file);
	if (off >= end) {
		vmifs_set_beyond(off, error);
		return 0;
	}
	g_autoptr(VmifsAspace) aspace = vmifs_task_memory(self, file->aspace, call, error);
	if (!aspace)
		return 0;
	return vmifs_address_write(aspace, off, bytes, (gsize) MIN(len, end - off), call, error);
}

static gboolean
seek(VmifsNode *self, gpointer data, guint64 off, gboolean want_data, guint64 *ret_off,
     gboolean *ret_found, VmifsNodeCall *call, GError **error)
{
	VmemFile *file = data;
	if (!vmifs_node_needs_work(call))
		return FALSE;
	guint64 end = end_of(file);
	if (off >= end) {
		*ret_found = FALSE;
		return TRUE;
	}
	g_autoptr(VmifsAspace) aspace = vmifs_task_memory(self, file->aspace, call, error);
	return aspace &&
	       vmifs_address_seek(aspace, off, end - 1, want_data, ret_off, ret_found, call, error);
}

const VmifsNodeOps vmifs_node_vmem = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_ADDRESSES,
	.size = size,
	.open = open_user,
	.close = close_user,
	.read = read_user,
	.write = write_user,
	.seek = seek,
};
