/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* aspace (private): how discovery makes one; vmifs_aspace_new_like() of spi/os.h makes others. */
#pragma once

#include <vmifs/aspace.h>

#include "tlb.h"
#include "walk.h"

struct VmifsAspace {
	gatomicrefcount refs;
	VmifsTables tables; /* its mem is a reference */
	const guint *epoch; /* (nullable) read atomically */
	guint tlb_entries;
	VmifsTlb *tlb; /* NULL until the first page is kept; set once, atomically */
};

/* mem: (borrowed), a reference is taken. paging: copied. epoch: (nullable) (borrowed) must outlive
 * it; when it moves, all that is cached is forgotten. NULL: memory never changes. */
VmifsAspace *
vmifs_aspace_new(VmifsPhysmem *mem, const VmifsPaging *paging, const guint *epoch);

/* len, or as much of it as lies below 2^64. */
static inline gsize
vmifs_aspace_clip(guint64 va, gsize len)
{
	return va && len > -va ? (gsize) -va : len;
}

/* Says why there is nothing to read at range->va: HOLE, CORRUPT, or the error of the source. */
void
vmifs_aspace_set_error(VmifsAspace *aspace, const VmifsRange *range, GError **error);
