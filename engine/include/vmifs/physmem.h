/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * physmem: a guest's physical memory as one immutable layout: sorted disjoint regions, each a
 * piece of a RAM block, each block a file or mapping of its backend. A layout change makes a new
 * VmifsPhysmem; whoever still holds the old one reads what it described.
 *
 *   guest physical address -> region -> block + offset -> mapped bytes | backend read
 */
#pragma once

#include <vmifs/call.h>
#include <vmifs/segments.h>

G_BEGIN_DECLS

typedef struct VmifsPhysmem VmifsPhysmem;

typedef enum {
	VMIFS_REGION_RAM,
	VMIFS_REGION_ROM,
} VmifsRegionKind;

typedef struct {
	guint64 pa;     /* first guest physical address */
	guint64 len;    /* bytes; pa + len never wraps */
	guint32 block;  /* index of its block */
	guint64 offset; /* of the first byte in that block */
	VmifsRegionKind kind;
} VmifsRegion;

typedef struct {
	const char *name; /* as its backend calls it; a valid file name */
	guint64 len;      /* 0 = there is no such block any more: others keep their numbers */
	gboolean sparse;  /* has parts for which nothing is allocated: they read as zeros */
	/* A file that holds the block 1:1 from offset 0 and may be given to the kernel for
	 * passthrough; -1 when there is none. Opened read-only. (borrowed) as long as the memory is
	 * held; of a guest that has gone it is an empty file. */
	int fd;
} VmifsBlock;

VmifsPhysmem *
vmifs_physmem_ref(VmifsPhysmem *mem);
void
vmifs_physmem_unref(VmifsPhysmem *mem);

/* ret_n: how many. Returns: (borrowed) sorted by pa. */
const VmifsRegion *
vmifs_physmem_regions(const VmifsPhysmem *mem, gsize *ret_n);
const VmifsBlock *
vmifs_physmem_blocks(const VmifsPhysmem *mem, gsize *ret_n);

/* One past the highest address; the size of `pmem`. */
guint64
vmifs_physmem_end(const VmifsPhysmem *mem);
/* Bytes of RAM regions. */
guint64
vmifs_physmem_ram(const VmifsPhysmem *mem);
/* Does one region hold all of those bytes? */
gboolean
vmifs_physmem_covers(const VmifsPhysmem *mem, guint64 pa, guint64 len);

/* Can those bytes be had, as far as there are any, without asking the source? Else a read of them
 * takes what time that takes. */
gboolean
vmifs_physmem_is_mapped(VmifsPhysmem *mem, guint64 pa, gsize len);
gboolean
vmifs_physmem_is_block_mapped(VmifsPhysmem *mem, guint32 block);

/* Reads exactly len bytes, or fails: HOLE outside every region, IO when the backend failed
 * (a file that shrank, say), CANCELLED, TIMEOUT. On failure buf is undefined. */
gboolean
vmifs_physmem_read(VmifsPhysmem *mem, guint64 pa, gpointer buf, gsize len, const VmifsCall *call,
		   GError **error);

/* len bytes at pa without a copy where the source is mapped, else read into scratch (len bytes).
 * Never crosses a region. Returns NULL where there is no RAM or the backend failed. The pointer
 * lives as long as the caller's reference to mem. Loads through it are safe (a vanished page reads
 * as zeros); ask vmifs_physmem_intact() after them, with the stamp. A live guest changes the bytes
 * at any time. */
gconstpointer
vmifs_physmem_view(VmifsPhysmem *mem, guint64 pa, gsize len, gpointer scratch, guint *ret_stamp);
/* Of a view: FALSE when its bytes may not have been loaded from their mapping. */
gboolean
vmifs_physmem_intact(VmifsPhysmem *mem, guint stamp, guint64 pa, gsize len);

/* Writes exactly len bytes. DENIED without guest_rw and for what is frozen, UNSUPPORTED where the
 * source cannot, HOLE outside RAM regions (nothing is written then), IO: some of it may have been
 * written. Whoever reads after it has returned sees it. */
gboolean
vmifs_physmem_write(VmifsPhysmem *mem, guint64 pa, gconstpointer buf, gsize len,
		    const VmifsCall *call, GError **error);

typedef enum {
	VMIFS_GATHER_STOP_AT_HOLE = 0, /* an address space: stop before the first hole */
	VMIFS_GATHER_ZERO_HOLES = 1,   /* sized memory: holes are zeros */
} VmifsGatherFlags;

/* Appends up to len bytes from pa. Returns how many; 0 with an error (HOLE, IO, ...) when not even
 * the first byte can be had. A backend failure after the first byte ends the read there. */
gsize
vmifs_physmem_gather(VmifsPhysmem *mem, guint64 pa, gsize len, VmifsGatherFlags flags,
		     VmifsSegments *segments, const VmifsCall *call, GError **error);
/* The same within one block; len is clamped to the block. */
gsize
vmifs_physmem_gather_block(VmifsPhysmem *mem, guint32 block, guint64 offset, gsize len,
			   VmifsSegments *segments, const VmifsCall *call, GError **error);

/* Where, at or after pa, data (or a hole) begins, touching no page. A hole is what no region
 * covers and what its backing has not allocated. Returns FALSE when there is none before the end;
 * looking for a hole always succeeds (the end of file is one). */
gboolean
vmifs_physmem_seek(VmifsPhysmem *mem, guint64 pa, gboolean want_data, guint64 *ret_pa);
gboolean
vmifs_physmem_seek_block(VmifsPhysmem *mem, guint32 block, guint64 offset, gboolean want_data,
			 guint64 *ret_offset);
/* Bytes allocated, for st_blocks; of a hundred thousand pieces those behind count in full. */
guint64
vmifs_physmem_allocated(VmifsPhysmem *mem);

/* The file behind `pmem` when it is one file, 1:1 from address 0 and of the same size; else -1
 * and in *ret_why (static) the reason for `info`. */
int
vmifs_physmem_passthrough_fd(const VmifsPhysmem *mem, const char **ret_why);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsPhysmem, vmifs_physmem_unref)

G_END_DECLS
