/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pmem: guest physical memory, offset = physical address. */
#include "nodes.h"

static gboolean
size(VmifsNode *self, VmifsNodeSize *ret, VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(vmifs_node_guest(self));
	ret->size = vmifs_physmem_end(mem);
	ret->allocated = vmifs_physmem_allocated(mem);
	return TRUE;
}

static gpointer
open_memory(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	return vmifs_guest_physmem(vmifs_node_guest(self));
}

static void
close_memory(gpointer file)
{
	vmifs_physmem_unref(file);
}

static gboolean
seek_memory(gpointer file, guint64 off, gboolean want_data, guint64 *ret_off)
{
	return off < vmifs_physmem_end(file) && vmifs_physmem_seek(file, off, want_data, ret_off);
}

static gsize
read_memory(VmifsNode *self, gpointer file, guint64 off, gsize len, VmifsSegments *segments,
	    VmifsNodeCall *call, GError **error)
{
	guint64 end = vmifs_physmem_end(file);
	if (off >= end)
		return 0;
	gsize want = (gsize) MIN(len, end - off);
	if (!vmifs_sized_clip(seek_memory, file, off, &want, call, error))
		return 0;
	gsize got = vmifs_physmem_gather(file, off, want, vmifs_sized_flags(call), segments,
					 &call->call, error);
	return vmifs_sized_answer(got, want, call, error);
}

/* Asks the backing where it has holes: a system call each, and not a fast one over gigabytes. */
static gboolean
seek(VmifsNode *self, gpointer file, guint64 off, gboolean want_data, guint64 *ret_off,
     gboolean *ret_found, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_needs_work(call))
		return FALSE;
	*ret_found = seek_memory(file, off, want_data, ret_off);
	return TRUE;
}

int
vmifs_pmem_backing(VmifsGuest *guest, const char **ret_why)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	return vmifs_physmem_passthrough_fd(mem, ret_why);
}

static int
backing(VmifsNode *self, const char **ret_why)
{
	return vmifs_pmem_backing(vmifs_node_guest(self), ret_why);
}

const VmifsNodeOps vmifs_node_pmem = {
	.type = S_IFREG,
	.size = size,
	.open = open_memory,
	.close = close_memory,
	.read = read_memory,
	.seek = seek,
	.backing = backing,
};
