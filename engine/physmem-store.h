/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * physmem-store (private): what a physmem is made of, for the files that share it: how it is made
 * and let go of (physmem-life.c), read (physmem.c), and read through the page cache (load.c).
 */
#pragma once

#include "page-cache.h"
#include "physmem.h"

/* A block. */
typedef struct {
	VmifsMapping *mapping; /* NULL = not mapped */
	guint64 offset;        /* of the block in it */
	gboolean to_kernel;
	gboolean sparse;
} VmifsStore;

/* Pages that were read at the last stops: a ring. */
#define VMIFS_AGAIN_PAGES 24
typedef struct {
	GMutex lock; /* guards what follows */
	guint n;     /* that were added, ever */
	struct {
		guint32 block;
		guint64 offset;
	} pages[VMIFS_AGAIN_PAGES];
} VmifsAgain;

struct VmifsPhysmem {
	gatomicrefcount refs;
	VmifsConnection *connection;
	VmifsLayout layout;
	const VmifsRegion *regions; /* layout's */
	gsize n_regions;
	const VmifsBlock *blocks; /* layout's */
	VmifsStore *stores;       /* one for each block */
	const guint8 **direct;    /* one for each region: its bytes when all can be loaded */
	guint64 end, ram;
	VmifsPageCache *cache; /* of what is not mapped; made when first needed, atomically */
	VmifsAgain again;
	gboolean has_unmapped;
	gboolean has_fds;  /* those of the blocks are our own */
	gboolean is_known; /* to the connection */
};
