/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmem: a process's virtual memory, offset = address; empty for kernel threads. */
#include "nodes.h"

/* What an open reads through; NULL aspace: a kernel thread. */
typedef struct {
	VmifsAspace *aspace; /* (full) (nullable) */
	VmifsTask task;
} VmemFile;

/* The same for every process of a guest: no need to look at this one's tables. */
static gboolean
size(VmifsNode *self, VmifsNodeSize *ret, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_task(self)->mm) {
		*ret = (VmifsNodeSize){ 0 };
		return TRUE;
	}
	g_autoptr(VmifsAspace) kernel =
		vmifs_guest_kernel_aspace(vmifs_node_guest(self), &call->call, error);
	if (!kernel)
		return FALSE;
	ret->size = vmifs_aspace_user_end(kernel);
	ret->allocated = MIN(vmifs_physmem_ram(vmifs_aspace_physmem(kernel)), ret->size);
	return TRUE;
}

static gpointer
open_user(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	const VmifsTask *task = vmifs_node_task(self);
	if (!vmifs_node_needs_work(call) || !vmifs_task_check(self, task, call, error))
		return NULL;
	VmifsAspace *aspace = NULL;
	if (task->mm) {
		aspace = vmifs_guest_task_aspace(vmifs_node_guest(self), task, &call->call, error);
		if (!aspace)
			return NULL;
	}
	VmemFile *file = g_new(VmemFile, 1);
	file->aspace = aspace;
	file->task = *task;
	return file;
}

static void
close_user(gpointer data)
{
	VmemFile *file = data;
	vmifs_aspace_unref(file->aspace);
	g_free(file);
}

static gsize
read_user(VmifsNode *self, gpointer data, guint64 off, gsize len, VmifsSegments *segments,
	  VmifsNodeCall *call, GError **error)
{
	VmemFile *file = data;
	if (!file->aspace)
		return 0;
	guint64 end = vmifs_aspace_user_end(file->aspace);
	if (off >= end)
		return 0;
	return vmifs_aspace_gather(file->aspace, off, (gsize) MIN(len, end - off),
				   VMIFS_GATHER_STOP_AT_HOLE, segments, &call->call, error);
}

static gboolean
seek(VmifsNode *self, gpointer data, guint64 off, gboolean want_data, guint64 *ret_off,
     gboolean *ret_found, VmifsNodeCall *call, GError **error)
{
	VmemFile *file = data;
	if (!vmifs_node_needs_work(call))
		return FALSE;
	guint64 end = file->aspace ? vmifs_aspace_user_end(file->aspace) : 0;
	if (off >= end) {
		*ret_found = FALSE;
		return TRUE;
	}
	return vmifs_address_seek(file->aspace, off, end - 1, want_data, ret_off, ret_found, call,
				  error);
}

const VmifsNodeOps vmifs_node_vmem = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_ADDRESSES,
	.size = size,
	.open = open_user,
	.close = close_user,
	.read = read_user,
	.seek = seek,
};
