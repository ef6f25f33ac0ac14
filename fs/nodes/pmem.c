/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pmem: guest physical memory, offset = physical address. */
#include "nodes.h"

/* Of a running guest its process is asked for each piece. */
static gboolean
size(VmifsNode *self, VmifsNodeSize *ret, VmifsNodeCall *call, GError **error)
{
	if (!self->guest->frozen && !vmifs_node_needs_work(call))
		return FALSE;
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(vmifs_node_guest(self));
	ret->size = vmifs_physmem_end(mem);
	ret->allocated = vmifs_physmem_allocated(mem);
	return TRUE;
}

/* What an open reads through: the layout of a live guest may change under it. */
typedef struct {
	VmifsPhysmem *frozen; /* (full) NULL = of a live guest */
} PmemFile;

static gpointer
open_memory(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	PmemFile *file = g_new0(PmemFile, 1);
	if (self->guest->frozen)
		file->frozen = vmifs_guest_physmem(vmifs_node_guest(self));
	return file;
}

static void
close_memory(gpointer data)
{
	PmemFile *file = data;
	vmifs_physmem_unref(file->frozen);
	g_free(file);
}

static VmifsPhysmem *
memory_now(VmifsNode *self, const PmemFile *file)
{
	return file->frozen ? vmifs_physmem_ref(file->frozen)
			    : vmifs_guest_physmem(vmifs_node_guest(self));
}

static gboolean
seek_memory(gpointer mem, guint64 off, gboolean want_data, guint64 *ret_off)
{
	return off < vmifs_physmem_end(mem) && vmifs_physmem_seek(mem, off, want_data, ret_off);
}

static gsize
read_memory(VmifsNode *self, gpointer file, guint64 off, gsize len, VmifsSegments *segments,
	    VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsPhysmem) mem = memory_now(self, file);
	guint64 end = vmifs_physmem_end(mem);
	if (off >= end)
		return 0;
	gsize want = (gsize) MIN(len, end - off);
	if (!vmifs_physmem_is_mapped(mem, off, want) && !vmifs_node_needs_work(call))
		return 0;
	if (!vmifs_sized_clip(seek_memory, mem, off, &want, call, error))
		return 0;
	gsize got = vmifs_physmem_gather(mem, off, want, vmifs_sized_flags(call), segments,
					 &call->call, error);
	return vmifs_sized_answer(got, want, call, error);
}

/* Bytes of RAM from there on, to the end of its region. */
static guint64
writable_from(VmifsPhysmem *mem, guint64 pa)
{
	gsize n;
	const VmifsRegion *regions = vmifs_physmem_regions(mem, &n);
	for (gsize i = 0; i < n; i++)
		if (pa >= regions[i].pa && pa - regions[i].pa < regions[i].len)
			return regions[i].len - (pa - regions[i].pa);
	return 0;
}

/* As far as the region goes: what follows it is the next write's. */
static gsize
write_memory(VmifsNode *self, gpointer file, guint64 off, gconstpointer bytes, gsize len,
	     VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_needs_work(call))
		return 0;
	g_autoptr(VmifsPhysmem) mem = memory_now(self, file);
	gsize want = (gsize) MIN(len, writable_from(mem, off));
	if (!want) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE,
			    "there is no RAM at 0x%" G_GINT64_MODIFIER "x", off);
		return 0;
	}
	return vmifs_physmem_write(mem, off, bytes, want, &call->call, error) ? want : 0;
}

/* Asks the backing where it has holes: a system call each, and not a fast one over gigabytes. */
static gboolean
seek(VmifsNode *self, gpointer file, guint64 off, gboolean want_data, guint64 *ret_off,
     gboolean *ret_found, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_needs_work(call))
		return FALSE;
	g_autoptr(VmifsPhysmem) mem = memory_now(self, file);
	*ret_found = seek_memory(mem, off, want_data, ret_off);
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
	.write = write_memory,
	.seek = seek,
	.backing = backing,
};
