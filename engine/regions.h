/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * regions (private): sorted disjoint ranges of physical addresses, each a piece of a block. What a
 * backend says of its memory comes from a file or a guest: it is checked once, here, so that
 * look-ups need not.
 */
#pragma once

#include <spi/backend.h>

/* More than any machine has; an image that says so is not believed. */
#define VMIFS_MAX_REGIONS 65536
#define VMIFS_MAX_BLOCKS 4096

/* CORRUPT, saying which, unless there is memory, blocks have distinct file names and fit, regions
 * are sorted, disjoint, not empty, do not wrap, and lie in their blocks. */
gboolean
vmifs_regions_check(const VmifsLayout *layout, GError **error);

/* Index of the first region that ends after pa: it holds pa or is the next one; n when there is
 * none. regions: as checked above. */
static inline gsize
vmifs_regions_find(const VmifsRegion *regions, gsize n, guint64 pa)
{
	gsize low = 0;

	while (n) {
		gsize half = n / 2;
		const VmifsRegion *region = &regions[low + half];
		if (pa >= region->pa && pa - region->pa >= region->len) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

static inline gboolean
vmifs_region_holds(const VmifsRegion *region, guint64 pa)
{
	return pa >= region->pa && pa - region->pa < region->len;
}
