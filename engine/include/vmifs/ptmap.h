/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ptmap: what page tables map, as text and as procfs's pagemap has it. From the tables of an
 * address space alone, so also where no OS is known.
 */
#pragma once

#include <vmifs/aspace.h>

G_BEGIN_DECLS

/*
 * A line for each run of pages of one size that lie side by side, here and in physical memory, with
 * the same permissions; numbers in hex but for the level:
 *
 *	start-end perms size pa level
 *
 * There may be millions of lines: the text is made as it is read. Who reads on never gets half of a
 * line, though the tables change meanwhile. Any thread.
 */
typedef struct VmifsPtmap VmifsPtmap;

/* Of the addresses up to and with last. */
VmifsPtmap *
vmifs_ptmap_new(const VmifsAspace *aspace, guint64 last);
void
vmifs_ptmap_free(VmifsPtmap *ptmap);

/* The text from off on, len bytes of it at most, maybe fewer. Returns how many; 0 at the end, or
 * with error: TIMEOUT when there are more tables than the guest has pages, or very many that lead
 * to no line, or the call's. aspace: of the same space each time. */
gsize
vmifs_ptmap_read(VmifsPtmap *ptmap, VmifsAspace *aspace, guint64 off, gpointer buf, gsize len,
		 const VmifsCall *call, GError **error);

/* 64 bits, little-endian, for each of n pages (of the smallest size) from that number on: bit 63
 * and in bits 54:0 the frame where it is in RAM, all else 0. What the OS keeps in RAM behind
 * entries that are not present counts. FALSE as vmifs_aspace_visit(). */
gboolean
vmifs_aspace_pagemap(VmifsAspace *aspace, guint64 page, gsize n, guint64 *ret,
		     const VmifsCall *call, GError **error);
/* The first page, of those from page on and below end (which is above it), that has an entry other
 * than 0, or, without want_data, one of 0; end when there is none. FALSE as vmifs_aspace_visit().
 */
gboolean
vmifs_aspace_pagemap_seek(VmifsAspace *aspace, guint64 page, guint64 end, gboolean want_data,
			  guint64 *ret_page, const VmifsCall *call, GError **error);
/* Bytes of the smallest page, as a power of two. */
guint
vmifs_aspace_page_shift(const VmifsAspace *aspace);
/* What the address of each table that may be a root is a multiple of. */
guint64
vmifs_aspace_root_align(const VmifsAspace *aspace);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsPtmap, vmifs_ptmap_free)

G_END_DECLS
