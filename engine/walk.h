/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk (private): an arch's ranges over a guest's memory: table pages are borrowed from the source,
 * not-present entries are offered to the OS.
 */
#pragma once

#include <spi/arch.h>
#include <spi/os.h>

/* The longest table of any architecture. */
#define VMIFS_WALK_TABLE_MAX 4096

/* One tree of page tables, and who knows more about its entries. */
typedef struct {
	VmifsPhysmem *mem;
	VmifsPaging paging;
	VmifsAmend amend;     /* (nullable) */
	VmifsResolve resolve; /* (nullable) */
	gpointer user;        /* of resolve */
} VmifsTables;

/* Lives on its user's stack. */
typedef struct {
	const VmifsTables *tables; /* (borrowed) */
	VmifsWalk walk;
	/* For table pages that cannot be borrowed. Never cleared: most walks need none of it. */
	guint8 scratch[VMIFS_WALK_LEVELS][VMIFS_WALK_TABLE_MAX];
} VmifsWalker;

/* From va to last, inclusive, loading at most max_tables tables. */
void
vmifs_walker_init(VmifsWalker *walker, const VmifsTables *tables, guint64 va, guint64 last,
		  guint64 max_tables);
/* As VmifsArch.next(). What the OS resolves arrives as PAGE. Afterwards walker->walk tells whether
 * it came to the end. */
gboolean
vmifs_walker_next(VmifsWalker *walker, VmifsRange *ret);

/* Makes range one with the one after it, if it is of one kind with it and a reader can tell no
 * difference: pages with the next pa and the same perms, holes, broken ranges. */
gboolean
vmifs_range_extend(VmifsRange *range, const VmifsRange *after);
/* The whole entry that a range is a part of; its page_shift tells the size. */
VmifsRange
vmifs_range_entry(const VmifsRange *range);
/* From va on, which is in the range. */
VmifsRange
vmifs_range_from(const VmifsRange *range, guint64 va);
