/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aspace: a virtual address space: one page-table root, read range by range. The arch yields
 * ranges, the OS may resolve not-present ones (NUMA hints, PROT_NONE), what is left is a hole.
 * Any function may be called from any thread.
 */
#pragma once

#include <vmifs/physmem.h>

G_BEGIN_DECLS

typedef struct VmifsAspace VmifsAspace;

typedef enum {
	VMIFS_RANGE_PAGE,        /* mapped to pa */
	VMIFS_RANGE_HOLE,        /* no entry (zero), or not a canonical address */
	VMIFS_RANGE_NOT_PRESENT, /* an entry that is not present but not zero: see `entry` */
	VMIFS_RANGE_BROKEN,      /* a table that cannot be read or makes no sense; `pa` names it */
} VmifsRangeKind;

typedef enum {
	VMIFS_PERM_READ = 1 << 0,
	VMIFS_PERM_WRITE = 1 << 1,
	VMIFS_PERM_EXEC = 1 << 2,
	VMIFS_PERM_USER = 1 << 3,
	VMIFS_PERM_GLOBAL = 1 << 4,
} VmifsPerm;

typedef struct {
	guint64 va;
	guint64 len;   /* bytes; of PAGE ranges: physically contiguous */
	guint64 pa;    /* PAGE: of the byte at va. BROKEN: of the table */
	guint64 entry; /* the raw entry of the first page; NOT_PRESENT ranges are single entries */
	guint32 perms; /* VmifsPerm, AND-ed over the levels */
	guint8 level;  /* 1 = the leaf table; where the entry stands */
	guint8 page_shift; /* log2 of the page (or hole) size of one entry at that level */
	VmifsRangeKind kind;
} VmifsRange;

VmifsAspace *
vmifs_aspace_ref(VmifsAspace *aspace);
void
vmifs_aspace_unref(VmifsAspace *aspace);

/* Physical address of the root table; name of the paging mode ("x86_64 4-level") and of its
 * architecture ("x86_64"). */
guint64
vmifs_aspace_root(const VmifsAspace *aspace);
const char *
vmifs_aspace_mode(const VmifsAspace *aspace);
const char *
vmifs_aspace_arch(const VmifsAspace *aspace);
/* One past the highest user address that the mode can map (2^47, 2^56): the size of `vmem`. */
guint64
vmifs_aspace_user_end(const VmifsAspace *aspace);
/* Bytes of a pointer of the code that runs in it: 8 or 4. */
guint32
vmifs_aspace_ptr_size(const VmifsAspace *aspace);
VmifsPhysmem * /* (borrowed) */
vmifs_aspace_physmem(const VmifsAspace *aspace);

/* The mapping of va: PAGE (from va on), or FALSE with HOLE/CORRUPT saying which level failed.
 * The range may be shorter than what is contiguous: it ends with its page. */
gboolean
vmifs_aspace_translate(VmifsAspace *aspace, guint64 va, VmifsRange *ret, GError **error);

/* Reads exactly len bytes or fails (HOLE, CORRUPT, IO); buf is undefined then. This and what is
 * below down to gather() is for those who follow structures: of a running guest the bytes may be as
 * old as cache_ms. */
gboolean
vmifs_aspace_read(VmifsAspace *aspace, guint64 va, gpointer buf, gsize len, GError **error);
/* Little-endian loads of 1, 2, 4, 8 bytes; a pointer is ptr_size bytes. */
gboolean
vmifs_aspace_read_u8(VmifsAspace *aspace, guint64 va, guint8 *ret, GError **error);
gboolean
vmifs_aspace_read_u16(VmifsAspace *aspace, guint64 va, guint16 *ret, GError **error);
gboolean
vmifs_aspace_read_u32(VmifsAspace *aspace, guint64 va, guint32 *ret, GError **error);
gboolean
vmifs_aspace_read_u64(VmifsAspace *aspace, guint64 va, guint64 *ret, GError **error);
gboolean
vmifs_aspace_read_ptr(VmifsAspace *aspace, guint64 va, guint64 *ret, GError **error);
/* Up to max bytes, or up to the first NUL or hole after the first byte. Returns: (full) a string,
 * bytes as the guest has them; NULL with error when the first byte cannot be read. */
char *
vmifs_aspace_read_string(VmifsAspace *aspace, guint64 va, gsize max, GError **error);
/* Up to len bytes, stopping at the first hole. Returns how many; 0 with error. */
gsize
vmifs_aspace_read_some(VmifsAspace *aspace, guint64 va, gpointer buf, gsize len, GError **error);

/* Writes through the page tables, whatever they permit; a page that several processes share is
 * changed for all of them. Returns how many bytes were written before the first that could not be:
 * fewer than len with error (as vmifs_physmem_write(), HOLE, CORRUPT). */
gsize
vmifs_aspace_write(VmifsAspace *aspace, guint64 va, gconstpointer buf, gsize len,
		   const VmifsCall *call, GError **error);

/* As vmifs_physmem_gather(), through the page tables, range by range. Addresses that would wrap at
 * 2^64 end the read. With ZERO_HOLES a hole is skipped by table, not by page; what is not present,
 * or mapped to where no RAM is, is zeros too. A broken table ends the read all the same. */
gsize
vmifs_aspace_gather(VmifsAspace *aspace, guint64 va, gsize len, VmifsGatherFlags flags,
		    VmifsSegments *segments, const VmifsCall *call, GError **error);

/* Visits the ranges of [va, last] in order, neighbours of one kind, perms and contiguous pa merged
 * across tables (holes and broken ranges as one each; not-present entries stay single). visit
 * returns FALSE to stop. Not-present ranges that the OS resolves arrive as PAGE. Work is bounded by
 * max_tables table visits: FALSE with TIMEOUT when that is used up, FALSE with the call's error
 * when cancelled, else TRUE. */
typedef gboolean (*VmifsRangeVisit)(const VmifsRange *range, gpointer user);
gboolean
vmifs_aspace_visit(VmifsAspace *aspace, guint64 va, guint64 last, guint64 max_tables,
		   VmifsRangeVisit visit, gpointer user, const VmifsCall *call, GError **error);

/* The same with every page by itself, so that its own entry is seen; what is not mapped comes in
 * pieces as its tables have it. */
gboolean
vmifs_aspace_visit_pages(VmifsAspace *aspace, guint64 va, guint64 last, guint64 max_tables,
			 VmifsRangeVisit visit, gpointer user, const VmifsCall *call,
			 GError **error);

/* First address >= va, <= last, that is data (a PAGE backed by RAM) or a hole (all else); FALSE
 * without error when there is none, with TIMEOUT when the budget of table visits ended first, with
 * the call's error when cancelled (ret_va then says how far it came). */
gboolean
vmifs_aspace_seek(VmifsAspace *aspace, guint64 va, guint64 last, gboolean want_data,
		  guint64 *ret_va, const VmifsCall *call, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsAspace, vmifs_aspace_unref)

G_END_DECLS
