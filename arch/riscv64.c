/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * riscv64: Sv39, Sv48 and Sv57, which differ in height only. One root maps the whole space; the
 * bits above the highest that is translated repeat it. An entry is a page wherever it permits
 * something.
 *
 * Manual: The RISC-V Instruction Set Manual volume II, privileged architecture, chapter
 * "Supervisor-Level ISA": sections on satp and Sv39 to Sv57; chapters on Svnapot and Svpbmt.
 */
#include "radix.h"

#include <vmifs/error.h>

#define PAGE_SHIFT 12
#define INDEX_BITS 9

/* Sv39, figure of the page-table entry. */
#define ENTRY_VALID (1ull << 0)
#define ENTRY_READ (1ull << 1)
#define ENTRY_WRITE (1ull << 2)
#define ENTRY_EXEC (1ull << 3)
#define ENTRY_USER (1ull << 4)
#define ENTRY_GLOBAL (1ull << 5)
#define ENTRY_ACCESSED (1ull << 6)
#define ENTRY_DIRTY (1ull << 7)
#define ENTRY_PPN_SHIFT 10
#define ENTRY_PPN 0x00000fffffffffffull
/* 60:59 are software's with Svrsw60t59b. */
#define ENTRY_RESERVED (0x1full << 54)
#define ENTRY_TYPE (3ull << 61) /* PBMT: 3 is reserved */
#define ENTRY_NAPOT (1ull << 63)

/* Svnapot: of the frame number 16 pages of 4 KiB say 8 in the lowest four bits. */
#define NAPOT_SHIFT 16
#define NAPOT_FIELD 0xfull
#define NAPOT_64K 0x8ull

extern const VmifsArch vmifs_arch_riscv64;

static guint8
page_shift(const VmifsPaging *paging)
{
	return PAGE_SHIFT;
}

static guint8
index_bits(const VmifsPaging *paging)
{
	return INDEX_BITS;
}

static inline gboolean
tree(const VmifsPaging *paging, const VmifsWalk *walk, RadixTree *ret)
{
	guint bits = paging->mode->va_bits;
	guint64 half = 1ull << (bits - 1);

	*ret = (RadixTree){
		.root = paging->root,
		.bits = bits,
		.levels = paging->mode->levels,
	};
	if (walk->va < half) {
		ret->last = half - 1;
		return TRUE;
	}
	if (walk->va < -half) {
		ret->last = -half - 1;
		return FALSE;
	}
	ret->last = G_MAXUINT64;
	return TRUE;
}

/* Sv39's translation: what is reserved faults, and so does a page that is not aligned to its size,
 * or a table below the leaf. */
static inline gboolean
is_malformed(guint64 entry, guint level, gboolean is_page)
{
	guint64 ppn = entry >> ENTRY_PPN_SHIFT & ENTRY_PPN;

	if (entry & ENTRY_RESERVED || (entry & ENTRY_TYPE) == ENTRY_TYPE ||
	    (entry & (ENTRY_READ | ENTRY_WRITE)) == ENTRY_WRITE)
		return TRUE;
	if (!is_page)
		return level == 1 || entry & (ENTRY_USER | ENTRY_ACCESSED | ENTRY_DIRTY |
					      ENTRY_TYPE | ENTRY_NAPOT);
	if (entry & ENTRY_NAPOT)
		return level > 1 || (ppn & NAPOT_FIELD) != NAPOT_64K;
	return (ppn & radix_mask((level - 1) * INDEX_BITS)) != 0;
}

/* Accessed and dirty bits that are clear hinder nobody: the page is there. */
static inline RadixEntry
decode(const VmifsPaging *paging, const RadixTree *tree, guint64 entry, guint level, guint32 above)
{
	gboolean is_page = (entry & (ENTRY_READ | ENTRY_WRITE | ENTRY_EXEC)) != 0;
	guint64 pa = (entry >> ENTRY_PPN_SHIFT & ENTRY_PPN) << PAGE_SHIFT & ~paging->ignore_mask;
	RadixEntry ret = { .kind = RADIX_NOT_PRESENT };

	if (!(entry & ENTRY_VALID))
		return ret;
	if (is_malformed(entry, level, is_page)) {
		ret.kind = RADIX_MALFORMED;
		return ret;
	}
	/* What a table says of being global holds for all below. */
	ret.perms = above | (entry & ENTRY_GLOBAL ? VMIFS_PERM_GLOBAL : 0);
	if (!is_page) {
		ret.kind = RADIX_TABLE;
		ret.pa = pa;
		return ret;
	}
	ret.kind = RADIX_PAGE;
	ret.shift = entry & ENTRY_NAPOT ? NAPOT_SHIFT : PAGE_SHIFT + (level - 1) * INDEX_BITS;
	ret.pa = pa & ~radix_mask(ret.shift);
	ret.perms |= (entry & ENTRY_READ ? VMIFS_PERM_READ : 0) |
		     (entry & ENTRY_WRITE ? VMIFS_PERM_WRITE : 0) |
		     (entry & ENTRY_EXEC ? VMIFS_PERM_EXEC : 0) |
		     (entry & ENTRY_USER ? VMIFS_PERM_USER : 0);
	return ret;
}

static const RadixOps ops = {
	.entry_shift = 3,
	.tree = tree,
	.decode = decode,
	.page_shift = page_shift,
	.index_bits = index_bits,
};

static gboolean
next(const VmifsPaging *paging, VmifsWalk *walk, VmifsRange *ret)
{
	return radix_next(&ops, paging, walk, ret);
}

#define MODE(its_name, n_levels, bits)                                                             \
	{                                                                                          \
		.name = "riscv64 " its_name, .arch = &vmifs_arch_riscv64, .levels = n_levels,      \
		.va_bits = bits, .page_shift = PAGE_SHIFT, .ptr_size = 8,                          \
		.root_len = 1 << PAGE_SHIFT, .root_align = 1 << PAGE_SHIFT,                        \
		.user_end = 1ull << ((bits) -1),                                                   \
	}
static const VmifsMode modes[] = {
	MODE("Sv39", 3, 39),
	MODE("Sv48", 4, 48),
	MODE("Sv57", 5, 57),
};

/* satp: 63:60 the mode, 43:0 the root's frame; between them the ASID. */
#define SATP_MODE(satp) ((satp) >> 60)
#define SATP_BARE 0
#define SATP_SV39 8

static gboolean
from_regs(const VmifsRegs *regs, VmifsPaging *ret, GError **error)
{
	guint64 satp;

	if (!vmifs_regs_get(regs, "satp", &satp)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE, "the source does not tell satp");
		return FALSE;
	}
	if (SATP_MODE(satp) == SATP_BARE) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE, "satp: paging is off");
		return FALSE;
	}
	if (SATP_MODE(satp) - SATP_SV39 >= G_N_ELEMENTS(modes)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "satp %#" G_GINT64_MODIFIER "x: no known kind of paging", satp);
		return FALSE;
	}
	*ret = vmifs_paging_of(&modes[SATP_MODE(satp) - SATP_SV39], (satp & ENTRY_PPN)
									    << PAGE_SHIFT);
	return TRUE;
}

static const VmifsArchRegs regs = {
	.pc = "pc",
	.sp = "sp",
	.link = "ra",
	.args = { "a0", "a1", "a2", "a3", "a4", "a5" },
};

const VmifsArch vmifs_arch_riscv64 = {
	.name = "riscv64",
	.modes = modes,
	.n_modes = G_N_ELEMENTS(modes),
	.next = next,
	.regs = &regs,
	.from_regs = from_regs,
};
