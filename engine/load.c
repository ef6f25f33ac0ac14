/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load: short reads. Of what is mapped whole they are one copy; of what is not mapped they go
 * through the page cache: a group of pages is read at a time, less what is a hole. What cannot be
 * had that way is asked for directly, by the reader, who learns why.
 */
#include "physmem-store.h"

#include "backend-call.h"
#include "regions.h"

#include <string.h>
#include <spi/bytes.h>

#define GROUP VMIFS_PAGE_CACHE_GROUP
#define PAGE VMIFS_PAGE_CACHE_PAGE
#define N_PAGES (GROUP / PAGE)
#define ROUND_UP(n, unit) (((n) + (unit) -1) / (unit) * (unit))

static VmifsPageCache *
page_cache(VmifsPhysmem *mem)
{
	VmifsPageCache *cache = g_atomic_pointer_get(&mem->cache);

	if (cache)
		return cache;
	cache = vmifs_page_cache_new(VMIFS_PAGE_CACHE_BYTES);
	if (g_atomic_pointer_compare_and_exchange(&mem->cache, NULL, cache))
		return cache;
	vmifs_page_cache_free(cache);
	return g_atomic_pointer_get(&mem->cache);
}

/* Bits of the pages that [at, at + len) of a group touches; len > 0. */
static guint
pages_of(gsize at, gsize len)
{
	return (2u << (at + len - 1) / PAGE) - (1u << at / PAGE);
}

/* Reads what is there of [from, end) of a group, whole pages but for the block's last one. Returns
 * which of its pages are right: a bit each. */
static guint
read_group(VmifsPhysmem *mem, guint32 block, guint64 from, guint64 end, guint8 *data)
{
	VmifsIo io[N_PAGES];
	guint64 start = from - from % GROUP;
	guint n = 0, pages = 0;

	memset(data + (from - start), 0, (gsize) (ROUND_UP(end, PAGE) - from));
	for (guint64 at = from; at < end;) {
		VmifsRun run;
		vmifs_physmem_run(mem, block, at, end - at, &run);
		/* Of a page that is partly a hole nothing is kept. */
		guint64 len = at + run.len == end ? run.len : run.len - run.len % PAGE;
		if (run.hole && len)
			pages |= pages_of(at - start, len);
		else if (len)
			io[n++] = (VmifsIo){
				.block = block, .offset = at, .buf = data + (at - start), .len = len
			};
		at += MAX(len, PAGE);
	}
	if (n)
		vmifs_backend_read(mem->connection, io, n, NULL);
	for (guint i = 0; i < n; i++)
		if (!io[i].status)
			pages |= pages_of(io[i].offset - start, io[i].len);
	return pages;
}

/* ---- at stops ---- */

/* Those of [from, end). */
static void
note(VmifsAgain *again, guint32 block, guint64 from, guint64 end)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&again->lock);

	for (guint64 offset = from; offset < end; offset += PAGE) {
		guint n = MIN(again->n, VMIFS_AGAIN_PAGES), i = 0;
		while (i < n &&
		       (again->pages[i].block != block || again->pages[i].offset != offset))
			i++;
		if (i < n)
			continue;
		i = again->n++ % VMIFS_AGAIN_PAGES;
		again->pages[i].block = block;
		again->pages[i].offset = offset;
	}
}

/* Holes are left out: they may be none any more. */
static guint
choose_again(VmifsPhysmem *mem, VmifsIo *io, guint8 *data)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&mem->again.lock);
	guint n = 0;

	for (guint i = 0; i < MIN(mem->again.n, VMIFS_AGAIN_PAGES); i++) {
		guint32 block = mem->again.pages[i].block;
		guint64 offset = mem->again.pages[i].offset;
		VmifsRun run;
		vmifs_physmem_run(mem, block, offset, PAGE, &run);
		if (run.hole || run.len < PAGE)
			continue;
		io[n] = (VmifsIo){
			.block = block, .offset = offset, .buf = data + n * PAGE, .len = PAGE
		};
		n++;
	}
	return n;
}

void
vmifs_physmem_read_again(VmifsPhysmem *mem)
{
	VmifsPageCache *cache = g_atomic_pointer_get(&mem->cache);
	guint epoch = vmifs_epoch_now(&mem->connection->epoch);
	VmifsIo io[VMIFS_AGAIN_PAGES];

	if (!cache)
		return;
	/* The cache is given whole groups: there is room for one before each page. */
	g_autofree guint8 *data = g_malloc(GROUP + VMIFS_AGAIN_PAGES * PAGE);
	guint n = choose_again(mem, io, data + GROUP);
	if (n)
		vmifs_backend_read(mem->connection, io, n, NULL);
	for (guint i = 0; i < n; i++) {
		gsize at = io[i].offset % GROUP;
		if (!io[i].status)
			vmifs_page_cache_put(cache, io[i].block, io[i].offset / GROUP, epoch,
					     (guint8 *) io[i].buf - at, 1u << at / PAGE);
	}
	if (G_UNLIKELY(vmifs_connection_is_gone(mem->connection)))
		vmifs_page_cache_clear(cache);
}

/* ---- through the cache ---- */

/* A part of a block that lies in one group. FALSE: ask the backend, which knows the reason. */
static gboolean
load_cached(VmifsPhysmem *mem, guint32 block, guint64 offset, gpointer buf, gsize len)
{
	VmifsPageCache *cache = page_cache(mem);
	guint epoch = vmifs_epoch_now(&mem->connection->epoch);
	/* Of the moment of a stop little is read, once. */
	gboolean is_brief = vmifs_epoch_is_brief(&mem->connection->epoch);
	guint64 unit = is_brief ? PAGE : GROUP;
	guint64 from = offset - offset % unit, end = ROUND_UP(offset + len, unit);
	guint8 data[GROUP];
	gsize at = offset % GROUP;

	if (vmifs_page_cache_get(cache, block, offset, epoch, buf, len))
		return TRUE;
	if (is_brief)
		note(&mem->again, block, from, end);
	guint pages = read_group(mem, block, from, MIN(end, mem->blocks[block].len), data);
	guint wanted = pages_of(at, len);
	if ((pages & wanted) != wanted)
		return FALSE;
	vmifs_page_cache_put(cache, block, offset / GROUP, epoch, data, pages);
	memcpy(buf, data + at, len);
	/* It may have gone meanwhile, and the cache have been cleared before. */
	if (G_UNLIKELY(vmifs_connection_is_gone(mem->connection)))
		vmifs_page_cache_clear(cache);
	return TRUE;
}

/* A part of a region that is not mapped, of a page's length at most. */
static gboolean
load_unmapped(VmifsPhysmem *mem, const VmifsRegion *region, guint64 pa, guint8 *buf, gsize len)
{
	guint64 offset = region->offset + (pa - region->pa);
	gsize first = MIN(len, GROUP - offset % GROUP);

	return load_cached(mem, region->block, offset, buf, first) &&
	       (first == len ||
		load_cached(mem, region->block, offset + first, buf + first, len - first));
}

/* The same of one whose bytes can all be loaded. FALSE: they may not be intact. */
static gboolean
load_direct(VmifsPhysmem *mem, const VmifsRegion *region, const guint8 *from, guint64 at,
	    gpointer buf, gsize len)
{
	guint stamp = vmifs_physmem_block_stamp(mem, region->block);

	memcpy(buf, from + at, len);
	return vmifs_physmem_block_intact(mem, stamp, region->block, region->offset + at, len);
}

gboolean
vmifs_physmem_load(VmifsPhysmem *mem, guint64 pa, gpointer buf, gsize len, GError **error)
{
	gsize i = vmifs_regions_find(mem->regions, mem->n_regions, pa);
	const VmifsRegion *region = &mem->regions[i];

	if (i < mem->n_regions && vmifs_region_holds(region, pa) && len && len <= PAGE &&
	    vmifs_in_bounds(pa - region->pa, len, region->len)) {
		if (G_LIKELY(mem->direct[i]) &&
		    load_direct(mem, region, mem->direct[i], pa - region->pa, buf, len))
			return TRUE;
		if (mem->has_unmapped && !mem->stores[region->block].mapping &&
		    load_unmapped(mem, region, pa, buf, len))
			return TRUE;
	}
	return vmifs_physmem_read(mem, pa, buf, len, NULL, error);
}
