/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tlb: an entry is written under its own sequence number, which is odd meanwhile. A reader that
 * sees the number move, or a writer that finds it odd, gives up: it costs one walk.
 *
 *	va | perms     the page's first address; pages have at least 4 KiB, so that what is small
 *	pa | shift     fits in the bits below
 *
 * Large pages are kept under the number of the 2 MiB that were asked for, all others under that of
 * the 4 KiB: two looks find any page, and a direct map made of large pages needs few entries.
 */
#include "tlb.h"

#define SMALL_SHIFT 12
#define LARGE_SHIFT 21
#define BELOW_PAGE ((1ull << SMALL_SHIFT) - 1)

#define LEVEL_SHIFT 8 /* in pa_shift: bits 7:0 the page's shift, 11:8 its level */

typedef struct {
	guint32 seq;
	guint32 epoch;
	guint64 va_perms;
	guint64 pa_shift; /* no page has a shift of 0: empty */
	guint64 raw;      /* the table's entry */
} Entry;

struct VmifsTlb {
	guint index_shift;
	Entry *entries;
};

G_STATIC_ASSERT(sizeof(Entry) == 32);

VmifsTlb *
vmifs_tlb_new(guint n_entries)
{
	VmifsTlb *tlb = g_new(VmifsTlb, 1);

	g_assert(n_entries >= 2 && (n_entries & (n_entries - 1)) == 0);
	tlb->index_shift = 64 - (g_bit_storage(n_entries) - 1);
	tlb->entries = g_aligned_alloc0(n_entries, sizeof(Entry), sizeof(Entry));
	return tlb;
}

void
vmifs_tlb_free(VmifsTlb *tlb)
{
	if (!tlb)
		return;
	g_aligned_free(tlb->entries);
	g_free(tlb);
}

/* Multiplying spreads the strides of page-aligned structures over all entries. */
static inline Entry *
entry_at(const VmifsTlb *tlb, guint64 va, guint shift)
{
	return &tlb->entries[(va >> shift) * 0x9e3779b97f4a7c15ull >> tlb->index_shift];
}

/* Each load acquires, so that none can be seen later than the second look at the number; each
 * store of a writer releases, so that whoever sees it sees the odd number too. */
static inline gboolean
look(const Entry *e, guint64 va, guint epoch, VmifsRange *ret)
{
	guint32 seq = __atomic_load_n(&e->seq, __ATOMIC_ACQUIRE);
	guint32 made_in = __atomic_load_n(&e->epoch, __ATOMIC_ACQUIRE);
	guint64 va_perms = __atomic_load_n(&e->va_perms, __ATOMIC_ACQUIRE);
	guint64 pa_shift = __atomic_load_n(&e->pa_shift, __ATOMIC_ACQUIRE);
	guint64 raw = __atomic_load_n(&e->raw, __ATOMIC_ACQUIRE);
	guint shift = pa_shift & 0xff;

	if (!shift || (va ^ va_perms) >> shift || made_in != epoch || seq & 1 ||
	    __atomic_load_n(&e->seq, __ATOMIC_RELAXED) != seq)
		return FALSE;
	*ret = (VmifsRange){
		.va = va_perms & ~BELOW_PAGE,
		.len = 1ull << shift,
		.pa = pa_shift & ~BELOW_PAGE,
		.entry = raw,
		.perms = va_perms & BELOW_PAGE,
		.level = (pa_shift & BELOW_PAGE) >> LEVEL_SHIFT,
		.page_shift = shift,
		.kind = VMIFS_RANGE_PAGE,
	};
	return TRUE;
}

gboolean
vmifs_tlb_lookup(const VmifsTlb *tlb, guint64 va, guint epoch, VmifsRange *ret)
{
	return look(entry_at(tlb, va, SMALL_SHIFT), va, epoch, ret) ||
	       look(entry_at(tlb, va, LARGE_SHIFT), va, epoch, ret);
}

void
vmifs_tlb_insert(VmifsTlb *tlb, guint64 va, guint epoch, const VmifsRange *page)
{
	Entry *e = entry_at(tlb, va, page->page_shift < LARGE_SHIFT ? SMALL_SHIFT : LARGE_SHIFT);
	guint32 seq = __atomic_load_n(&e->seq, __ATOMIC_RELAXED);

	/* What does not fit: an OS may have resolved it to an odd place. */
	if (((page->va | page->pa | page->len) & BELOW_PAGE) || page->perms > BELOW_PAGE)
		return;
	if (seq & 1 || !__atomic_compare_exchange_n(&e->seq, &seq, seq + 1, FALSE, __ATOMIC_ACQUIRE,
						    __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&e->epoch, epoch, __ATOMIC_RELEASE);
	__atomic_store_n(&e->va_perms, page->va | page->perms, __ATOMIC_RELEASE);
	__atomic_store_n(&e->pa_shift,
			 page->pa | (guint64) page->level << LEVEL_SHIFT | page->page_shift,
			 __ATOMIC_RELEASE);
	__atomic_store_n(&e->raw, page->entry, __ATOMIC_RELEASE);
	__atomic_store_n(&e->seq, seq + 2, __ATOMIC_RELEASE);
}
