/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gather: physical memory on its way to a reader. Mapped bytes are handed on as pointers, held by
 * one pin; what has to be read is collected and read by the backend with one vectored call, into
 * buffers that already stand at their place in the list. Where bytes turn out to be lost the list
 * ends.
 */
#include "physmem.h"

#include "regions.h"

#include <errno.h>
#include <string.h>

#define PAGE 4096
/* Bytes that one gather reads into buffers; the reader comes again for more. */
#define MAX_OWNED ((gsize) 16 << 20)

/* How many of the bytes from offset on can be used. What is marked may be there again, and is
 * mapped anew by asking. */
static gsize
usable_len(VmifsPhysmem *mem, guint32 block, guint64 offset, gsize len)
{
	gsize done = 0;

	if (G_LIKELY(vmifs_physmem_block_usable(mem, block, offset, len)))
		return len;
	while (done < len) {
		gsize n = MIN(len - done, PAGE - (offset + done) % PAGE);
		if (!vmifs_physmem_block_usable(mem, block, offset + done, n))
			break;
		done += n;
	}
	return done;
}

static void
gather_memory(VmifsGather *g, guint32 block, guint64 offset, const VmifsRun *run, GError **error)
{
	gsize n = usable_len(g->mem, block, offset, run->len);

	if (n && run->to_kernel) {
		vmifs_segments_add_memory(g->segments, run->data, n);
		if (!g->pinned)
			vmifs_segments_pin(g->segments, vmifs_physmem_ref(g->mem),
					   (GDestroyNotify) vmifs_physmem_unref);
		g->pinned = TRUE;
	} else if (n) {
		gsize at = g->segments->len;
		if (!vmifs_physmem_copy_run(g->mem, block, offset, run,
					    vmifs_segments_add_owned(g->segments, n), n)) {
			vmifs_segments_truncate(g->segments, at);
			n = 0;
		}
	}
	if (n < run->len) {
		g->ended = TRUE;
		if (g->segments->len == g->before)
			vmifs_physmem_set_lost(g->mem, block, offset + n, 0, error);
	}
}

static void
gather_io(VmifsGather *g, guint32 block, guint64 offset, gsize len)
{
	gsize at = g->segments->len;

	if (len >= MAX_OWNED - g->owned) {
		len = MAX_OWNED - g->owned;
		g->ended = TRUE;
	}
	if (!len)
		return;
	if (!g->io) {
		g->io = g_array_new(FALSE, FALSE, sizeof(VmifsIo));
		g->at = g_array_new(FALSE, FALSE, sizeof(gsize));
	}
	VmifsIo io = { .block = block,
		       .offset = offset,
		       .buf = vmifs_segments_add_owned(g->segments, len),
		       .len = len,
		       .status = EIO };
	g_array_append_val(g->io, io);
	g_array_append_val(g->at, at);
	g->owned += len;
}

static void
gather_run(VmifsGather *g, guint32 block, guint64 offset, gsize len, GError **error)
{
	while (len && !g->ended) {
		VmifsRun run;
		vmifs_physmem_run(g->mem, block, offset, len, &run);
		if (run.hole)
			vmifs_segments_add_zeros(g->segments, run.len);
		else if (run.data)
			gather_memory(g, block, offset, &run, error);
		else
			gather_io(g, block, offset, run.len);
		offset += run.len;
		len -= run.len;
	}
}

/* How much of an element that failed as a whole can be read from its start on. */
static gsize
salvage(VmifsGather *g, const VmifsIo *io, const VmifsCall *call)
{
	g_autoptr(GArray) one = g_array_sized_new(FALSE, FALSE, sizeof(VmifsIo), 1);
	gsize done = 0;

	g_array_set_size(one, 1);
	while (done < io->len) {
		VmifsIo *page = &g_array_index(one, VmifsIo, 0);
		*page = (VmifsIo){ .block = io->block,
				   .offset = io->offset + done,
				   .buf = (guint8 *) io->buf + done,
				   .len = MIN(io->len - done, PAGE - (io->offset + done) % PAGE) };
		if (!vmifs_physmem_read_io(g->mem, one, call, NULL))
			break;
		done += page->len;
	}
	return done;
}

/* Reads what was collected; the list ends before the first byte that cannot be had. */
static void
gather_read(VmifsGather *g, const VmifsCall *call, GError **error)
{
	g_autoptr(GError) failure = NULL;
	guint i = 0;

	if (vmifs_physmem_read_io(g->mem, g->io, call, &failure))
		return;
	while (!g_array_index(g->io, VmifsIo, i).status)
		i++;
	vmifs_segments_truncate(g->segments,
				g_array_index(g->at, gsize, i) +
					salvage(g, &g_array_index(g->io, VmifsIo, i), call));
	if (g->segments->len == g->before)
		g_propagate_error(error, g_steal_pointer(&failure));
}

void
vmifs_gather_init(VmifsGather *g, VmifsPhysmem *mem, VmifsSegments *segments)
{
	*g = (VmifsGather){ .mem = mem, .segments = segments, .before = segments->len };
}

gboolean
vmifs_gather_add(VmifsGather *g, guint64 pa, gsize len, VmifsGatherFlags flags, GError **error)
{
	gsize n_regions;
	const VmifsRegion *regions = vmifs_physmem_regions(g->mem, &n_regions);
	gsize i = vmifs_regions_find(regions, n_regions, pa);

	if (len && len - 1 > G_MAXUINT64 - pa)
		len = G_MAXUINT64 - pa + 1;
	while (len && !g->ended) {
		const VmifsRegion *region = i < n_regions ? &regions[i] : NULL;
		gsize n;
		if (region && vmifs_region_holds(region, pa)) {
			n = MIN(len, region->len - (pa - region->pa));
			gather_run(g, region->block, region->offset + (pa - region->pa), n, error);
			i++;
		} else if (flags & VMIFS_GATHER_ZERO_HOLES) {
			n = region ? MIN(len, region->pa - pa) : len;
			vmifs_segments_add_zeros(g->segments, n);
		} else {
			g->ended = TRUE;
			if (g->segments->len == g->before)
				vmifs_physmem_set_hole(pa, error);
			break;
		}
		pa += n;
		len -= n;
	}
	return !g->ended;
}

gsize
vmifs_gather_end(VmifsGather *g, const VmifsCall *call, GError **error)
{
	if (g->io) {
		gather_read(g, call, error);
		g_array_unref(g->io);
		g_array_unref(g->at);
	}
	return g->segments->len - g->before;
}

gsize
vmifs_physmem_gather(VmifsPhysmem *mem, guint64 pa, gsize len, VmifsGatherFlags flags,
		     VmifsSegments *segments, const VmifsCall *call, GError **error)
{
	VmifsGather g;

	vmifs_gather_init(&g, mem, segments);
	vmifs_gather_add(&g, pa, len, flags, error);
	return vmifs_gather_end(&g, call, error);
}

gsize
vmifs_physmem_gather_block(VmifsPhysmem *mem, guint32 block, guint64 offset, gsize len,
			   VmifsSegments *segments, const VmifsCall *call, GError **error)
{
	VmifsGather g;
	gsize n_blocks;
	const VmifsBlock *blocks = vmifs_physmem_blocks(mem, &n_blocks);
	guint64 block_len = block < n_blocks ? blocks[block].len : 0;

	if (offset >= block_len) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE,
			    "offset %#" G_GINT64_MODIFIER "x is behind the end of its block",
			    offset);
		return 0;
	}
	vmifs_gather_init(&g, mem, segments);
	gather_run(&g, block, offset, MIN(len, block_len - offset), error);
	return vmifs_gather_end(&g, call, error);
}
