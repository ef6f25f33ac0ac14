/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmem: the kernel's virtual memory. The VFS knows no offsets from 2^63 on, where a 64-bit kernel
 * lives; so the offset is the address with bit 63 cleared. One rule for every paging mode; the low
 * half, which is some process's, cannot be reached through this file (vmem is for that), nor can
 * the very last byte.
 */
#include "nodes.h"

#define HIGH_BIT ((guint64) 1 << 63)

/* Offsets of 64-bit guests run below this. */
#define SIZE_64 (HIGH_BIT - 1)
#define SIZE_32 ((guint64) 1 << 32)

static gboolean
is_64(const VmifsAspace *aspace)
{
	return vmifs_aspace_ptr_size(aspace) == 8;
}

static guint64
kmem_size(const VmifsAspace *aspace)
{
	return is_64(aspace) ? SIZE_64 : SIZE_32;
}

/* It is there only where the kernel's address space is known: nothing here waits. */
static gboolean
size(VmifsNode *self, VmifsNodeSize *ret, VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsAspace) aspace =
		vmifs_guest_kernel_aspace(vmifs_node_guest(self), &call->call, error);
	if (!aspace)
		return FALSE;
	ret->size = kmem_size(aspace);
	ret->allocated = vmifs_physmem_ram(vmifs_aspace_physmem(aspace));
	return TRUE;
}

static gpointer
open_kernel(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	return vmifs_guest_kernel_aspace(vmifs_node_guest(self), &call->call, error);
}

/* What an open reads through: that of a live guest is made anew when there is more or less memory
 * under it. (full) */
static VmifsAspace *
kernel_now(VmifsNode *self, gpointer file, VmifsNodeCall *call, GError **error)
{
	if (self->guest->frozen)
		return vmifs_aspace_ref(file);
	if (!vmifs_node_needs_work(call))
		return NULL;
	return vmifs_guest_kernel_aspace(vmifs_node_guest(self), &call->call, error);
}

static void
close_kernel(gpointer file)
{
	vmifs_aspace_unref(file);
}

static gsize
read_kernel(VmifsNode *self, gpointer file, guint64 off, gsize len, VmifsSegments *segments,
	    VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsAspace) aspace = kernel_now(self, file, call, error);
	guint64 end = aspace ? kmem_size(aspace) : 0;
	if (off >= end)
		return 0;
	guint64 va = is_64(aspace) ? off | HIGH_BIT : off;
	return vmifs_aspace_gather(aspace, va, (gsize) MIN(len, end - off),
				   VMIFS_GATHER_STOP_AT_HOLE, segments, &call->call, error);
}

static gsize
write_kernel(VmifsNode *self, gpointer file, guint64 off, gconstpointer bytes, gsize len,
	     VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_needs_work(call))
		return 0;
	g_autoptr(VmifsAspace) aspace = kernel_now(self, file, call, error);
	if (!aspace)
		return 0;
	guint64 end = kmem_size(aspace);
	if (off >= end) {
		vmifs_set_beyond(off, error);
		return 0;
	}
	return vmifs_address_write(aspace, is_64(aspace) ? off | HIGH_BIT : off, bytes,
				   (gsize) MIN(len, end - off), call, error);
}

static gboolean
seek(VmifsNode *self, gpointer file, guint64 off, gboolean want_data, guint64 *ret_off,
     gboolean *ret_found, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_needs_work(call))
		return FALSE;
	g_autoptr(VmifsAspace) aspace = kernel_now(self, file, call, error);
	if (!aspace)
		return FALSE;
	guint64 high = is_64(aspace) ? HIGH_BIT : 0;
	guint64 va;
	if (off >= kmem_size(aspace)) {
		*ret_found = FALSE;
		return TRUE;
	}
	if (!vmifs_address_seek(aspace, off | high, high | (kmem_size(aspace) - 1), want_data, &va,
				ret_found, call, error))
		return FALSE;
	*ret_off = va & ~high;
	return TRUE;
}

const VmifsNodeOps vmifs_node_kmem = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_ADDRESSES,
	.size = size,
	.open = open_kernel,
	.close = close_kernel,
	.read = read_kernel,
	.write = write_kernel,
	.seek = seek,
};
