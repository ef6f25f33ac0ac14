/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * presence: what of physical memory is data and what is a hole: what no region covers, and what the
 * backing of a sparse block has not allocated. No page is touched for it.
 */
#include "physmem.h"

#include "regions.h"

/* Beyond so many, a sum takes longer than whoever asks for it would wait. */
#define MAX_RUNS (1 << 17)

/* The first byte of that kind in a part of a block; FALSE when there is none. */
static gboolean
seek_part(VmifsPhysmem *mem, guint32 block, guint64 offset, guint64 len, gboolean want_data,
	  guint64 *ret_offset)
{
	while (len) {
		VmifsRun run;
		vmifs_physmem_run(mem, block, offset, len, &run);
		if (run.hole != want_data) {
			*ret_offset = offset;
			return TRUE;
		}
		offset += run.len;
		len -= run.len;
	}
	return FALSE;
}

gboolean
vmifs_physmem_seek(VmifsPhysmem *mem, guint64 pa, gboolean want_data, guint64 *ret_pa)
{
	gsize n;
	const VmifsRegion *regions = vmifs_physmem_regions(mem, &n);

	for (gsize i = vmifs_regions_find(regions, n, pa); i < n; i++) {
		const VmifsRegion *region = &regions[i];
		guint64 found;
		if (!vmifs_region_holds(region, pa)) {
			if (!want_data)
				break;
			pa = region->pa;
		}
		if (seek_part(mem, region->block, region->offset + (pa - region->pa),
			      region->len - (pa - region->pa), want_data, &found)) {
			*ret_pa = region->pa + (found - region->offset);
			return TRUE;
		}
		pa = region->pa + region->len;
	}
	if (!want_data)
		*ret_pa = pa;
	return !want_data;
}

gboolean
vmifs_physmem_seek_block(VmifsPhysmem *mem, guint32 block, guint64 offset, gboolean want_data,
			 guint64 *ret_offset)
{
	gsize n_blocks;
	const VmifsBlock *blocks = vmifs_physmem_blocks(mem, &n_blocks);
	guint64 block_len = block < n_blocks ? blocks[block].len : 0;

	if (offset < block_len &&
	    seek_part(mem, block, offset, block_len - offset, want_data, ret_offset))
		return TRUE;
	if (!want_data)
		*ret_offset = MAX(offset, block_len);
	return !want_data;
}

guint64
vmifs_physmem_allocated(VmifsPhysmem *mem)
{
	gsize n;
	const VmifsRegion *regions = vmifs_physmem_regions(mem, &n);
	guint64 sum = 0;
	guint n_runs = 0;

	for (gsize i = 0; i < n; i++) {
		const VmifsRegion *region = &regions[i];
		for (guint64 at = 0; at < region->len;) {
			VmifsRun run = { .len = region->len - at };
			if (n_runs++ < MAX_RUNS)
				vmifs_physmem_run(mem, region->block, region->offset + at,
						  region->len - at, &run);
			sum += run.hole ? 0 : run.len;
			at += run.len;
		}
	}
	return sum;
}
