/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pte: user pages that are in RAM though their entry says "not present": Linux clears the present
 * bit for mprotect(PROT_NONE) and to catch the next access for NUMA balancing, and marks such an
 * entry with the global bit, which means nothing while present is clear. Swap and migration entries
 * keep that bit clear.
 *
 * Since the L1TF fix the frame number of such an entry is stored inverted, so that a speculative
 * load finds no memory there. For the same reason only one reading of the bits can be RAM, and the
 * one that is decides; no kernel version is asked.
 */
#include "machine.h"

#define ENTRY_PRESENT (1ULL << 0)
#define ENTRY_WRITE (1ULL << 1)
#define ENTRY_HUGE (1ULL << 7)
#define ENTRY_PROTNONE (1ULL << 8)
#define ENTRY_NX (1ULL << 63)
#define ENTRY_ADDRESS 0x000ffffffffff000ULL

gboolean
linux_pte_resolve(gpointer user, const VmifsRange *in, VmifsRange *ret)
{
	VmifsPhysmem *mem = user;
	guint64 entry = in->entry;
	guint64 size = 1ULL << in->page_shift;
	guint64 mask = ENTRY_ADDRESS & ~(size - 1);

	if (in->kind != VMIFS_RANGE_NOT_PRESENT || entry & ENTRY_PRESENT ||
	    !(entry & ENTRY_PROTNONE))
		return FALSE;
	/* Above the last level only a huge page is a page. */
	if (in->level > 1 && !(entry & ENTRY_HUGE))
		return FALSE;

	const guint64 readings[] = { ~entry & mask, entry & mask };
	for (gsize i = 0; i < G_N_ELEMENTS(readings); i++) {
		if (!vmifs_physmem_covers(mem, readings[i], size))
			continue;
		guint32 perms = in->perms;
		if (!(entry & ENTRY_WRITE))
			perms &= ~VMIFS_PERM_WRITE;
		if (entry & ENTRY_NX)
			perms &= ~VMIFS_PERM_EXEC;
		*ret = *in;
		ret->kind = VMIFS_RANGE_PAGE;
		ret->pa = readings[i] + (in->va & (size - 1));
		ret->perms = perms;
		return TRUE;
	}
	return FALSE;
}
