/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * x86_64: 4-level and 5-level paging. Both are one radix tree of 4 KiB tables, 512 entries each,
 * that differ in height only, so one walker serves both. The path from the root to the cursor is
 * kept in the walk: the next range costs a look at the leaf table and nothing above it.
 *
 *   level 5: 256 TiB an entry   4: 512 GiB   3: 1 GiB (table or page)   2: 2 MiB (same)   1: 4 KiB
 *
 * Numbers of sections are those of Intel's SDM vol. 3A (253668) while paging is its chapter 4.
 */
#include "x86.h"

#include <spi/bytes.h>

#define TABLE_LEN 4096u
#define N_ENTRIES 512u

/* §4.5.4, the tables of entry formats. */
#define ENTRY_PRESENT (1ull << 0)
#define ENTRY_WRITE (1ull << 1)
#define ENTRY_USER (1ull << 2)
#define ENTRY_PAGE (1ull << 7) /* PS; at level 1 it is a PAT bit */
#define ENTRY_GLOBAL (1ull << 8)
#define ENTRY_PAT_LARGE (1ull << 12)
#define ENTRY_XD (1ull << 63)
/* Bits 51:12. Bits above the physical width of the guest's CPU are reserved, but that width is
 * unknown: an address beyond RAM will be found out by whoever reads there. 62:52 are ignored by
 * the CPU or are the protection key, which is no permission of the page's own (§4.6.2). */
#define ENTRY_ADDRESS 0x000ffffffffff000ull

#define PERMS_ALL                                                                                  \
	(VMIFS_PERM_READ | VMIFS_PERM_WRITE | VMIFS_PERM_EXEC | VMIFS_PERM_USER | VMIFS_PERM_GLOBAL)

extern const VmifsArch vmifs_arch_x86_64;

static inline guint
level_shift(guint level)
{
	return 12 + 9 * (level - 1);
}

static inline guint64
load_entry(const guint8 *table, guint index)
{
	return vmifs_load_u64(table + index * sizeof(guint64));
}

static inline gboolean
maps_page(guint64 entry, guint level)
{
	return level == 1 || (level <= 3 && (entry & ENTRY_PAGE));
}

/* A present entry with a reserved bit set faults (§4.7, RSVD): PS where no page can stand, address
 * bits below the size of a large page. */
static inline gboolean
is_malformed(guint64 entry, guint level)
{
	if (level == 1 || !(entry & ENTRY_PAGE))
		return FALSE;
	if (level > 3)
		return TRUE;
	return (entry & ENTRY_ADDRESS & ~ENTRY_PAT_LARGE & ((1ull << level_shift(level)) - 1)) != 0;
}

/* §4.6.1: writing, user access and execution need the consent of every level. GLOBAL is said by
 * the entry that maps the page alone (§4.10.2.4). */
static inline guint32
and_perms(guint32 perms, guint64 entry, gboolean is_leaf)
{
	guint32 own = VMIFS_PERM_READ;

	own |= entry & ENTRY_WRITE ? VMIFS_PERM_WRITE : 0;
	own |= entry & ENTRY_USER ? VMIFS_PERM_USER : 0;
	own |= entry & ENTRY_XD ? 0 : VMIFS_PERM_EXEC;
	own |= !is_leaf || entry & ENTRY_GLOBAL ? VMIFS_PERM_GLOBAL : 0;
	return perms & own;
}

/* Moves the cursor past [va, end]. */
static inline void
finish(VmifsWalk *walk, guint64 end, VmifsRange *ret)
{
	ret->va = walk->va;
	ret->len = end - walk->va + 1;
	if (end >= walk->last)
		walk->done = TRUE;
	else
		walk->va = end + 1;
}

/* The index of the last entry up to `max` that continues the page at `index`: next address, same
 * permissions. Accessed, dirty, cacheability and software bits may differ. The first entry is
 * given and not loaded again, since a running guest may have changed it. */
static inline guint
last_of_run(const guint8 *table, guint index, guint max, guint level, guint64 entry,
	    guint64 ignore_mask)
{
	guint64 size = 1ull << level_shift(level);
	guint64 mask = ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER | ENTRY_GLOBAL | ENTRY_XD |
		       (ENTRY_ADDRESS & ~ignore_mask);
	guint64 expected;

	/* At levels above 1 the mask covers the reserved low address bits too. */
	if (level > 1)
		mask = (mask | ENTRY_PAGE) & ~ENTRY_PAT_LARGE;
	expected = entry & mask;
	while (index < max) {
		expected += size;
		if ((load_entry(table, index + 1) & mask) != expected)
			break;
		index++;
	}
	return index;
}

/* The range that begins at the cursor with an entry of this table that refers to no other. */
static G_ALWAYS_INLINE inline void
leaf_range(const VmifsPaging *paging, VmifsWalk *walk, const VmifsWalkLevel *at, guint level,
	   guint64 last, guint64 entry, VmifsRange *ret)
{
	guint shift = level_shift(level);
	guint index = (walk->va >> shift) % N_ENTRIES;
	guint max = MIN((last - at->va) >> shift, N_ENTRIES - 1);
	guint64 end;

	ret->pa = 0;
	ret->entry = entry;
	ret->perms = 0;
	ret->level = level;
	ret->page_shift = shift;
	if (!entry) {
		ret->kind = VMIFS_RANGE_HOLE;
		while (index < max && !load_entry(at->table, index + 1))
			index++;
	} else if (!(entry & ENTRY_PRESENT)) {
		ret->kind = VMIFS_RANGE_NOT_PRESENT;
	} else if (is_malformed(entry, level)) {
		ret->kind = VMIFS_RANGE_BROKEN;
		ret->pa = at->pa;
		while (index < max) {
			guint64 other = load_entry(at->table, index + 1);
			if (!(other & ENTRY_PRESENT) || !is_malformed(other, level))
				break;
			index++;
		}
	} else {
		guint64 in_page = (1ull << shift) - 1;

		ret->kind = VMIFS_RANGE_PAGE;
		ret->pa = (entry & ENTRY_ADDRESS & ~in_page & ~paging->ignore_mask) |
			  (walk->va & in_page);
		ret->perms = and_perms(at->perms, entry, TRUE);
		if (!walk->single)
			index = last_of_run(at->table, index, max, level, entry,
					    paging->ignore_mask);
	}
	end = at->va + ((guint64) (index + 1) << shift) - 1;
	finish(walk, MIN(end, last), ret);
}

/* What cannot be read below an entry (or the root register, one level above the root). */
static void
broken_range(VmifsWalk *walk, guint level, guint64 table_pa, guint64 entry, guint64 last,
	     VmifsRange *ret)
{
	guint shift = level_shift(level);
	guint64 end = walk->va | ((1ull << shift) - 1);

	*ret = (VmifsRange){
		.pa = table_pa,
		.entry = entry,
		.level = level,
		.page_shift = shift,
		.kind = VMIFS_RANGE_BROKEN,
	};
	finish(walk, MIN(end, last), ret);
}

/* Loads the table of a slot, of the level below `level`. FALSE when it is not RAM. */
static gboolean
load_table(VmifsWalk *walk, guint slot, guint level, guint64 pa, guint32 perms)
{
	VmifsWalkLevel *at = &walk->level[slot];

	walk->budget--;
	at->table = pa % TABLE_LEN ? NULL : walk->table(walk->ctx, slot, pa, TABLE_LEN);
	at->pa = pa;
	at->va = walk->va & ~((1ull << level_shift(level)) - 1);
	at->perms = perms;
	return at->table != NULL;
}

/* Vol. 1 §3.3.7.1: the top bits of an address repeat the highest one that is translated. TRUE with
 * the last address of the cursor's half; between the halves FALSE with the hole in *ret. */
static inline gboolean
canonical_last(const VmifsMode *mode, VmifsWalk *walk, guint64 *ret_last, VmifsRange *ret)
{
	guint64 half = 1ull << (mode->va_bits - 1);

	if (walk->va < half) {
		*ret_last = MIN(walk->last, half - 1);
		return TRUE;
	}
	if (walk->va >= -half) {
		*ret_last = walk->last;
		return TRUE;
	}
	*ret = (VmifsRange){
		.level = mode->levels + 1,
		.page_shift = mode->va_bits,
		.kind = VMIFS_RANGE_HOLE,
	};
	finish(walk, MIN(walk->last, -half - 1), ret);
	return FALSE;
}

static gboolean
next(const VmifsPaging *paging, VmifsWalk *walk, VmifsRange *ret)
{
	guint levels = paging->mode->levels;
	guint slot = levels;
	guint64 last = walk->last;

	if (walk->va > walk->last)
		walk->done = TRUE;
	if (walk->done)
		return FALSE;
	/* Go on in the deepest table that maps the cursor. */
	while (slot > 0) {
		const VmifsWalkLevel *at = &walk->level[slot - 1];
		if (at->table && (walk->va ^ at->va) >> level_shift(levels - slot + 2) == 0)
			break;
		slot--;
	}
	/* Tables below the root lie in one half. */
	if (slot <= 1 && !canonical_last(paging->mode, walk, &last, ret))
		return TRUE;
	if (slot == 0) {
		if (walk->budget == 0) {
			walk->exhausted = TRUE;
			return FALSE;
		}
		slot = 1;
		if (!load_table(walk, 0, levels + 1, paging->root, PERMS_ALL)) {
			broken_range(walk, levels + 1, paging->root, 0, last, ret);
			return TRUE;
		}
	}
	for (;; slot++) {
		const VmifsWalkLevel *at = &walk->level[slot - 1];
		guint level = levels - slot + 1;
		guint index = (walk->va >> level_shift(level)) % N_ENTRIES;
		guint64 entry = load_entry(at->table, index);
		guint64 pa;

		if (!(entry & ENTRY_PRESENT) || maps_page(entry, level) ||
		    is_malformed(entry, level)) {
			if (level == 1) /* nearly always, and then much is constant */
				leaf_range(paging, walk, at, 1, last, entry, ret);
			else
				leaf_range(paging, walk, at, level, last, entry, ret);
			return TRUE;
		}
		if (walk->budget == 0) {
			walk->exhausted = TRUE;
			return FALSE;
		}
		pa = entry & ENTRY_ADDRESS & ~paging->ignore_mask;
		if (!load_table(walk, slot, level, pa, and_perms(at->perms, entry, FALSE))) {
			broken_range(walk, level, pa, entry, last, ret);
			return TRUE;
		}
	}
}

static const VmifsMode modes[] = {
	{
		.name = "x86_64 4-level",
		.arch = &vmifs_arch_x86_64,
		.levels = 4,
		.va_bits = 48,
		.page_shift = 12,
		.ptr_size = 8,
		.root_len = TABLE_LEN,
		.root_align = TABLE_LEN,
		.user_end = 1ull << 47,
	},
	{
		.name = "x86_64 5-level",
		.arch = &vmifs_arch_x86_64,
		.levels = 5,
		.va_bits = 57,
		.page_shift = 12,
		.ptr_size = 8,
		.root_len = TABLE_LEN,
		.root_align = TABLE_LEN,
		.user_end = 1ull << 56,
	},
};

/* Of the IDT: Intel SDM volume 3, 6.14.1. */
#define GATE_LEN 16
/* Events come by another way then. */
#define CR4_FRED (1ull << 32)

static gboolean
gate(const guint8 *bytes, guint64 *ret_handler)
{
	if (!(bytes[5] & VMIFS_X86_GATE_PRESENT))
		return FALSE;
	*ret_handler = vmifs_load_u16(bytes) | (guint64) vmifs_load_u16(bytes + 6) << 16 |
		       (guint64) vmifs_load_u32(bytes + 8) << 32;
	return TRUE;
}

/* System V's calling convention; CR3 without the flags beside the address. */
static const VmifsArchRegs regs = {
	.pc = "rip",
	.sp = "rsp",
	.args = { "rdi", "rsi", "rdx", "rcx", "r8", "r9" },
	.root = "cr3",
	.root_mask = 0x000ffffffffff000ull,
	.gates = "idt_base",
	.gates_limit = "idt_limit",
	.no_gates = "cr4",
	.no_gates_flag = CR4_FRED,
	.gate_len = GATE_LEN,
	.gate = gate,
	.error_vectors = VMIFS_X86_ERROR_VECTORS,
	.fault_vector = VMIFS_X86_PAGE_FAULT,
	.fault = "cr2",
	.writes = &vmifs_x86_64_writes,
};

const VmifsArch vmifs_arch_x86_64 = {
	.name = "x86_64",
	.modes = modes,
	.n_modes = G_N_ELEMENTS(modes),
	.next = next,
	.regs = &regs,
};
