/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * physmem: regions over blocks. All readers go through the same steps: the region that holds an
 * address, then the run of its block that is of one sort:
 *
 *   mapped    loaded from, or handed on as a pointer; asked afterwards whether it was intact
 *   hole      zeros, without touching the mapping: a load would allocate the page in a tmpfs
 *   neither   collected, and read by the backend with one vectored call
 *
 * A view of mapped memory that is not sparse is the hot path of every page-table walk: it is one
 * binary search and a few atomic loads.
 */
#include "physmem-store.h"

#include "backend-call.h"
#include "regions.h"

#include <string.h>
#include <spi/bytes.h>

#define X64 "%#" G_GINT64_MODIFIER "x"
#define COPY_TRIES 3

/* ---- runs ---- */

gboolean
vmifs_physmem_is_block_mapped(VmifsPhysmem *mem, guint32 block)
{
	const VmifsStore *store = &mem->stores[block];

	return store->mapping && !(store->sparse && vmifs_backend_must_read(mem->connection));
}

gboolean
vmifs_physmem_is_mapped(VmifsPhysmem *mem, guint64 pa, gsize len)
{
	for (gsize i = vmifs_regions_find(mem->regions, mem->n_regions, pa); i < mem->n_regions;
	     i++) {
		const VmifsRegion *region = &mem->regions[i];
		if (region->pa > pa && region->pa - pa >= len)
			break;
		if (!vmifs_physmem_is_block_mapped(mem, region->block))
			return FALSE;
	}
	return TRUE;
}

void
vmifs_physmem_run(VmifsPhysmem *mem, guint32 block, guint64 offset, guint64 len, VmifsRun *ret)
{
	const VmifsStore *store = &mem->stores[block];
	gboolean data = TRUE;

	if (store->sparse)
		len = vmifs_backend_extent(mem->connection, block, offset, len, &data);
	*ret = (VmifsRun){ .len = len, .hole = !data };
	if (data && vmifs_physmem_is_block_mapped(mem, block)) {
		ret->data = vmifs_mapping_data(store->mapping) + store->offset + offset;
		ret->to_kernel = store->to_kernel;
	}
}

void
vmifs_physmem_prefetch(VmifsPhysmem *mem, guint32 block, guint64 offset, gsize len)
{
	const VmifsStore *store = &mem->stores[block];

	if (store->mapping)
		vmifs_mapping_prefetch(store->mapping, store->offset + offset, len);
}

void
vmifs_physmem_release(VmifsPhysmem *mem, guint32 block, guint64 offset, gsize len)
{
	const VmifsStore *store = &mem->stores[block];

	if (store->mapping)
		vmifs_mapping_release(store->mapping, store->offset + offset, len);
}

guint
vmifs_physmem_block_stamp(VmifsPhysmem *mem, guint32 block)
{
	const VmifsStore *store = &mem->stores[block];

	return store->mapping ? vmifs_mapping_stamp(store->mapping) : 0;
}

gboolean
vmifs_physmem_block_intact(VmifsPhysmem *mem, guint stamp, guint32 block, guint64 offset, gsize len)
{
	const VmifsStore *store = &mem->stores[block];

	return !store->mapping ||
	       vmifs_mapping_intact(store->mapping, stamp, store->offset + offset, len);
}

static gboolean
is_unmarked(VmifsPhysmem *mem, guint32 block, guint64 offset, gsize len)
{
	guint stamp = vmifs_physmem_block_stamp(mem, block);

	return vmifs_physmem_block_intact(mem, stamp, block, offset, len);
}

gboolean
vmifs_physmem_block_usable(VmifsPhysmem *mem, guint32 block, guint64 offset, gsize len)
{
	return is_unmarked(mem, block, offset, len) || is_unmarked(mem, block, offset, len);
}

gboolean
vmifs_physmem_copy_run(VmifsPhysmem *mem, guint32 block, guint64 offset, const VmifsRun *run,
		       gpointer buf, gsize len)
{
	/* Asking may have mapped the page anew, for us or for another reader: once more. */
	for (guint i = 0; i < COPY_TRIES; i++) {
		guint stamp = vmifs_physmem_block_stamp(mem, block);
		memcpy(buf, run->data, len);
		if (G_LIKELY(vmifs_physmem_block_intact(mem, stamp, block, offset, len)))
			return TRUE;
	}
	return FALSE;
}

void
vmifs_physmem_set_lost(const VmifsPhysmem *mem, guint32 block, guint64 offset, int status,
		       GError **error)
{
	if (vmifs_connection_is_gone(mem->connection)) {
		vmifs_connection_set_gone(error);
		return;
	}
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "block %s at " X64 ": %s",
		    mem->blocks[block].name, offset,
		    status ? g_strerror(status)
			   : "its file has become shorter or cannot be read there");
}

gboolean
vmifs_physmem_fail_io(const VmifsPhysmem *mem, const VmifsIo *io, const VmifsCall *call,
		      GError **error)
{
	if (!vmifs_call_check(call, error))
		return FALSE;
	while (!io->status)
		io++;
	vmifs_physmem_set_lost(mem, io->block, io->offset, io->status, error);
	return FALSE;
}

void
vmifs_physmem_set_hole(guint64 pa, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE, "address " X64 " is not RAM", pa);
}

/* ---- reading into the caller's buffer ---- */

/* What the backend has to read; most reads need none of it. */
static void
add_io(GArray **io, guint32 block, guint64 offset, gpointer buf, gsize len)
{
	if (!*io)
		*io = g_array_new(FALSE, FALSE, sizeof(VmifsIo));
	g_array_append_vals(
		*io, &(VmifsIo){ .block = block, .offset = offset, .buf = buf, .len = len }, 1);
}

gboolean
vmifs_physmem_read_io(VmifsPhysmem *mem, GArray *io, const VmifsCall *call, GError **error)
{
	VmifsIo *elements = (VmifsIo *) (gpointer) io->data;

	if (!vmifs_call_check(call, error))
		return FALSE;
	return vmifs_backend_read(mem->connection, elements, io->len, call) ||
	       vmifs_physmem_fail_io(mem, elements, call, error);
}

static gboolean
read_block(VmifsPhysmem *mem, guint32 block, guint64 offset, guint8 *buf, gsize len, GArray **io,
	   GError **error)
{
	while (len) {
		VmifsRun run;
		vmifs_physmem_run(mem, block, offset, len, &run);
		if (run.hole) {
			memset(buf, 0, run.len);
		} else if (!run.data) {
			add_io(io, block, offset, buf, run.len);
		} else if (!vmifs_physmem_copy_run(mem, block, offset, &run, buf, run.len)) {
			vmifs_physmem_set_lost(mem, block, offset, 0, error);
			return FALSE;
		}
		buf += run.len;
		offset += run.len;
		len -= run.len;
	}
	return TRUE;
}

gboolean
vmifs_physmem_read(VmifsPhysmem *mem, guint64 pa, gpointer buf, gsize len, const VmifsCall *call,
		   GError **error)
{
	g_autoptr(GArray) io = NULL;
	guint8 *to = buf;

	for (gsize i = vmifs_regions_find(mem->regions, mem->n_regions, pa); len; i++) {
		const VmifsRegion *region = &mem->regions[i];
		if (i == mem->n_regions || !vmifs_region_holds(region, pa)) {
			vmifs_physmem_set_hole(pa, error);
			return FALSE;
		}
		gsize n = MIN(len, region->len - (pa - region->pa));
		if (!read_block(mem, region->block, region->offset + (pa - region->pa), to, n, &io,
				error))
			return FALSE;
		to += n;
		pa += n;
		len -= n;
	}
	return !io || vmifs_physmem_read_io(mem, io, call, error);
}

/* ---- views ---- */

static gconstpointer
view_slowly(VmifsPhysmem *mem, const VmifsRegion *region, guint64 pa, gsize len, gpointer scratch,
	    guint *ret_stamp)
{
	guint64 offset = region->offset + (pa - region->pa);
	VmifsRun run;

	if (!len)
		return scratch;
	vmifs_physmem_run(mem, region->block, offset, len, &run);
	if (run.data && run.len == len) {
		if (!vmifs_physmem_block_usable(mem, region->block, offset, len))
			return NULL;
		*ret_stamp = vmifs_physmem_block_stamp(mem, region->block);
		return run.data;
	}
	return vmifs_physmem_load(mem, pa, scratch, len, NULL) ? scratch : NULL;
}

gconstpointer
vmifs_physmem_view(VmifsPhysmem *mem, guint64 pa, gsize len, gpointer scratch, guint *ret_stamp)
{
	gsize i = vmifs_regions_find(mem->regions, mem->n_regions, pa);
	const VmifsRegion *region = &mem->regions[i];

	if (i == mem->n_regions || !vmifs_region_holds(region, pa) ||
	    !vmifs_in_bounds(pa - region->pa, len, region->len))
		return NULL;
	*ret_stamp = vmifs_physmem_block_stamp(mem, region->block);
	if (G_LIKELY(mem->direct[i] &&
		     vmifs_physmem_block_intact(mem, *ret_stamp, region->block,
						region->offset + (pa - region->pa), len)))
		return mem->direct[i] + (pa - region->pa);
	return view_slowly(mem, region, pa, len, scratch, ret_stamp);
}

gboolean
vmifs_physmem_intact(VmifsPhysmem *mem, guint stamp, guint64 pa, gsize len)
{
	const VmifsRegion *region =
		&mem->regions[vmifs_regions_find(mem->regions, mem->n_regions, pa)];

	return vmifs_physmem_block_intact(mem, stamp, region->block,
					  region->offset + (pa - region->pa), len);
}
