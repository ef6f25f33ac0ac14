/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aspace-ranges: what an address space holds, range by range: long reads without copies, visits,
 * the search for data and holes. A guest can map 128 TiB with four tables, or make a tree of its
 * own tables: whatever is not bounded by what its caller asks for ends by a budget.
 */
#include "aspace.h"
#include "physmem.h"
#include "regions.h"

#define X64 "%#" G_GINT64_MODIFIER "x"

/* A caller may have given up: asked every so many ranges. */
#define CHECK_EVERY 256

/* Budgets of one search: tables without entries cost about as much as 30 ranges. An honest guest
 * needs one table for each 2 MiB that it maps with small pages. A search for data that ends early
 * has failed: its budget takes a tenth of a second. One for a hole has come so far and can go on
 * from there: a guest that makes all of them end early must not make a reader of all its processes
 * wait.
 */
static const struct {
	guint64 tables;
	guint ranges;
} seek_budgets[] = {
	[FALSE] = { 1 << 14, 1 << 18 },
	[TRUE] = { 1 << 18, 1 << 22 },
};

gsize
vmifs_aspace_gather(VmifsAspace *aspace, guint64 va, gsize len, VmifsGatherFlags flags,
		    VmifsSegments *segments, const VmifsCall *call, GError **error)
{
	GError *failure = NULL; /* of the first byte, of others there is none */
	gboolean of_memory = TRUE;
	VmifsWalker walker;
	VmifsGather gather;
	VmifsRange range;
	gsize got;

	len = vmifs_aspace_clip(va, len);
	if (!len)
		return 0;
	vmifs_physmem_touch(aspace->tables.mem);
	vmifs_gather_init(&gather, aspace->tables.mem, segments);
	vmifs_walker_init(&walker, &aspace->tables, va, va + (len - 1), G_MAXUINT64);
	for (guint n = 0; vmifs_walker_next(&walker, &range); n++) {
		gboolean is_first = segments->len == gather.before;
		if (n % CHECK_EVERY == 0 && !vmifs_call_check(call, is_first ? &failure : NULL)) {
			of_memory = FALSE;
			break;
		}
		if (range.kind == VMIFS_RANGE_PAGE) {
			if (!vmifs_gather_add(&gather, range.pa, range.len, flags, &failure))
				break;
		} else if (flags & VMIFS_GATHER_ZERO_HOLES && range.kind != VMIFS_RANGE_BROKEN) {
			vmifs_segments_add_zeros(segments, range.len);
		} else {
			if (is_first)
				vmifs_aspace_set_error(aspace, &range, &failure);
			of_memory = FALSE;
			break;
		}
	}
	got = vmifs_gather_end(&gather, call, failure ? NULL : &failure);
	if (failure && of_memory)
		g_prefix_error(&failure, "walk " X64 ": ", va);
	if (failure)
		g_propagate_error(error, failure);
	return got;
}

static gboolean
set_exhausted(const VmifsWalker *walker, guint64 va, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT,
		    "walk from " X64 ": too many page tables, came to " X64, va, walker->walk.va);
	return FALSE;
}

gboolean
vmifs_aspace_visit(VmifsAspace *aspace, guint64 va, guint64 last, guint64 max_tables,
		   VmifsRangeVisit visit, gpointer user, const VmifsCall *call, GError **error)
{
	VmifsWalker walker;
	VmifsRange range, merged;
	gboolean have = FALSE;

	vmifs_walker_init(&walker, &aspace->tables, va, last, max_tables);
	for (guint n = 0; vmifs_walker_next(&walker, &range); n++) {
		if (n % CHECK_EVERY == 0 && !vmifs_call_check(call, error))
			return FALSE;
		if (have && vmifs_range_extend(&merged, &range))
			continue;
		if (have && !visit(&merged, user))
			return TRUE;
		merged = range;
		have = TRUE;
	}
	if (have && !visit(&merged, user))
		return TRUE;
	return walker.walk.done || set_exhausted(&walker, va, error);
}

gboolean
vmifs_aspace_visit_pages(VmifsAspace *aspace, guint64 va, guint64 last, guint64 max_tables,
			 VmifsRangeVisit visit, gpointer user, const VmifsCall *call,
			 GError **error)
{
	VmifsWalker walker;
	VmifsRange range;

	vmifs_walker_init(&walker, &aspace->tables, va, last, max_tables);
	walker.walk.single = TRUE;
	for (guint n = 0; vmifs_walker_next(&walker, &range); n++) {
		if (n % CHECK_EVERY == 0 && !vmifs_call_check(call, error))
			return FALSE;
		if (!visit(&range, user))
			return TRUE;
	}
	return walker.walk.done || set_exhausted(&walker, va, error);
}

/* ---- data and holes ---- */

/* The first byte of a page range that is, or is not, backed by memory. */
static gboolean
seek_in_pages(VmifsPhysmem *mem, const VmifsRange *range, gboolean want_data, guint64 *ret_va)
{
	gsize n_regions;
	const VmifsRegion *regions = vmifs_physmem_regions(mem, &n_regions);
	gsize i = vmifs_regions_find(regions, n_regions, range->pa);
	guint64 skip = 0;

	if (want_data) {
		if (i == n_regions)
			return FALSE;
		if (regions[i].pa > range->pa)
			skip = regions[i].pa - range->pa;
	} else {
		for (; i < n_regions && vmifs_region_holds(&regions[i], range->pa + skip); i++) {
			guint64 rest = regions[i].len - (range->pa + skip - regions[i].pa);
			if (rest >= range->len - skip)
				return FALSE;
			skip += rest;
		}
	}
	if (skip >= range->len)
		return FALSE;
	*ret_va = range->va + skip;
	return TRUE;
}

gboolean
vmifs_aspace_seek(VmifsAspace *aspace, guint64 va, guint64 last, gboolean want_data,
		  guint64 *ret_va, const VmifsCall *call, GError **error)
{
	guint max_ranges = seek_budgets[!!want_data].ranges;
	VmifsWalker walker;
	VmifsRange range;

	vmifs_physmem_touch(aspace->tables.mem);
	vmifs_walker_init(&walker, &aspace->tables, va, last, seek_budgets[!!want_data].tables);
	for (guint n = 0; vmifs_walker_next(&walker, &range); n++) {
		if (range.kind == VMIFS_RANGE_PAGE) {
			if (seek_in_pages(aspace->tables.mem, &range, want_data, ret_va))
				return TRUE;
		} else if (!want_data) {
			*ret_va = range.va;
			return TRUE;
		}
		if (n % CHECK_EVERY == 0 && !vmifs_call_check(call, error)) {
			*ret_va = walker.walk.va;
			return FALSE;
		}
		if (n == max_ranges)
			break;
	}
	if (walker.walk.done)
		return FALSE;
	*ret_va = walker.walk.va;
	return set_exhausted(&walker, va, error);
}
