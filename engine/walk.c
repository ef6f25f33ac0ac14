/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* walk: what an arch, which is pure, needs from the guest, and what the OS adds to its ranges. */
#include "walk.h"

#include <string.h>

static const guint8 *
borrow_table(VmifsWalker *walker, guint slot, guint64 pa, gsize len)
{
	VmifsPhysmem *mem = walker->tables->mem;
	const guint8 *table;
	guint stamp;

	table = vmifs_physmem_view(mem, pa, len, walker->scratch[slot], &stamp);
	if (!table || table == walker->scratch[slot])
		return table;
	/* A page that its file has lost reads as zeros, which would pass for a table without
	 * entries: touch it now, then ask. */
	(void) *(volatile const guint8 *) table;
	return vmifs_physmem_intact(mem, stamp, pa, len) ? table : NULL;
}

static const guint8 *
load_table(gpointer ctx, guint slot, guint64 pa, gsize len)
{
	VmifsWalker *walker = ctx;
	const VmifsTables *tables = walker->tables;

	g_assert(slot < VMIFS_WALK_LEVELS && len <= VMIFS_WALK_TABLE_MAX);
	const guint8 *table = borrow_table(walker, slot, pa, len);
	if (!table || !tables->amend)
		return table;
	if (table != walker->scratch[slot])
		memcpy(walker->scratch[slot], table, len);
	tables->amend(tables->mem, slot, pa, walker->scratch[slot], len);
	return walker->scratch[slot];
}

void
vmifs_walker_init(VmifsWalker *walker, const VmifsTables *tables, guint64 va, guint64 last,
		  guint64 max_tables)
{
	walker->tables = tables;
	walker->walk = (VmifsWalk){
		.va = va,
		.last = last,
		.table = load_table,
		.ctx = walker,
		.budget = max_tables,
	};
}

/* The OS gets the entry as a whole, whatever part of it is asked for. Its answer rests on guest
 * data: it counts only where it is for that entry and does not wrap. */
static void
resolve(const VmifsTables *tables, VmifsRange *range)
{
	VmifsRange entry = vmifs_range_entry(range);
	VmifsRange page = entry;

	if (!tables->resolve(tables->user, &entry, &page))
		return;
	if (page.kind != VMIFS_RANGE_PAGE || page.va != entry.va || page.len != entry.len ||
	    page.pa > G_MAXUINT64 - (page.len - 1))
		return;
	range->kind = VMIFS_RANGE_PAGE;
	range->pa = page.pa + (range->va - page.va);
	range->perms = page.perms;
}

gboolean
vmifs_walker_next(VmifsWalker *walker, VmifsRange *ret)
{
	const VmifsTables *tables = walker->tables;

	if (!tables->paging.mode->arch->next(&tables->paging, &walker->walk, ret))
		return FALSE;
	if (ret->kind == VMIFS_RANGE_NOT_PRESENT && tables->resolve)
		resolve(tables, ret);
	return TRUE;
}

gboolean
vmifs_range_extend(VmifsRange *range, const VmifsRange *after)
{
	guint64 len;

	if (range->kind != after->kind || range->kind == VMIFS_RANGE_NOT_PRESENT)
		return FALSE;
	if (range->kind == VMIFS_RANGE_PAGE &&
	    (range->perms != after->perms || after->pa < range->pa ||
	     after->pa - range->pa != range->len))
		return FALSE;
	/* All of 2^64 bytes have no length. */
	if (__builtin_add_overflow(range->len, after->len, &len))
		return FALSE;
	range->len = len;
	return TRUE;
}

VmifsRange
vmifs_range_entry(const VmifsRange *range)
{
	VmifsRange entry = *range;
	guint64 before;

	entry.len = 1ull << range->page_shift;
	before = range->va & (entry.len - 1);
	entry.va -= before;
	if (range->kind == VMIFS_RANGE_PAGE)
		entry.pa -= before;
	return entry;
}

VmifsRange
vmifs_range_from(const VmifsRange *range, guint64 va)
{
	VmifsRange rest = *range;

	rest.va = va;
	rest.len -= va - range->va;
	if (range->kind == VMIFS_RANGE_PAGE)
		rest.pa += va - range->va;
	return rest;
}
