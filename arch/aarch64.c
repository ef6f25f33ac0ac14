/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aarch64: stage 1 of VMSAv8-64 at EL1&0. One entry format with variations: three granules, and
 * what FEAT_LPA (64 KiB granule) and FEAT_LPA2 (the others; TCR_EL1.DS) did to the address field.
 * The space has two parts, each with a root and a width of its own: TTBR0_EL1 maps addresses from
 * 0 on, TTBR1_EL1 those up to 2^64 - 1.
 *
 * Manual: Arm Architecture Reference Manual for A-profile (DDI 0487), sections named below; its
 * level 3 is level 1 here, and so on up.
 */
#include "radix.h"

#include <vmifs/error.h>

/* D8.3.1, descriptor formats. */
#define ENTRY_VALID (1ull << 0)
#define ENTRY_TABLE (1ull << 1)  /* level 1: page */
#define ENTRY_USER (1ull << 6)   /* AP[1] */
#define ENTRY_RDONLY (1ull << 7) /* AP[2] */
#define ENTRY_NOT_GLOBAL (1ull << 11)
#define ENTRY_DIRTY_STATE (1ull << 51) /* DBM */
#define ENTRY_PXN (1ull << 53)
#define ENTRY_UXN (1ull << 54)
#define ENTRY_ADDRESS 0x0000fffffffff000ull /* from the granule on */
/* FEAT_LPA: PA[51:48] in bits 15:12. FEAT_LPA2: PA[49:48] in place, PA[51:50] in bits 9:8. */
#define LPA_FIELD (0xfull << 12)
#define LPA_SHIFT 36
#define LPA2_ADDRESS 0x0003fffffffff000ull
#define LPA2_FIELD (0x3ull << 8)
#define LPA2_SHIFT 42

/* What a table's entry forbids below it (D8.4.4.1 on, hierarchical control). */
#define TABLE_PXN (1ull << 59)
#define TABLE_UXN (1ull << 60)
#define TABLE_NO_USER (1ull << 61)  /* APTable[0] */
#define TABLE_NO_WRITE (1ull << 62) /* APTable[1] */
#define TABLE_LIMITS_SHIFT 59
#define TABLE_LIMITS (TABLE_PXN | TABLE_UXN | TABLE_NO_USER | TABLE_NO_WRITE)

/* VmifsMode.format: FEAT_LPA2 is in use. */
#define FORMAT_LPA2 1

/* VmifsPaging.flags, of TCR_EL1 and SCTLR_EL1. */
#define NO_TBI0 (1 << 0) /* an address with a tag is none */
#define NO_TBI1 (1 << 1)
#define HPD0 (1 << 2) /* entries of tables forbid nothing */
#define HPD1 (1 << 3)
#define HARDWARE_DIRTY (1 << 4) /* a page with DBM becomes writable when it is written to */
#define WXN (1 << 5)            /* what can be written cannot be executed */

#define TAG_SHIFT 56
#define HALF_BIT (1ull << 55)

extern const VmifsArch vmifs_arch_aarch64;

static inline guint8
page_shift(const VmifsPaging *paging)
{
	return paging->mode->page_shift;
}

/* A table fills a page. */
static inline guint8
index_bits(const VmifsPaging *paging)
{
	return paging->mode->page_shift - 3;
}

/* D8.2.2: bit 55 chooses the part, and the bits between its width and that one repeat it. Where
 * TBI allows a tag in the top byte (D8.8), the same pages are mapped 256 times: so a tag counts
 * only for who asks below one, with the first and the last address. */
static inline gboolean
tree(const VmifsPaging *paging, const VmifsWalk *walk, RadixTree *ret)
{
	const VmifsMode *mode = paging->mode;
	gboolean is_high = (walk->va & HALF_BIT) != 0;
	gboolean one_tag = (walk->va ^ walk->last) >> TAG_SHIFT == 0;
	gboolean may_tag = one_tag && !(paging->flags & (is_high ? NO_TBI1 : NO_TBI0));
	guint64 tag = walk->va >> TAG_SHIFT;
	guint64 base = one_tag ? tag << TAG_SHIFT : 0;
	guint64 end = one_tag ? base | radix_mask(TAG_SHIFT) : G_MAXUINT64;
	guint bits = (is_high ? paging->high_bits : paging->low_bits) ?: mode->va_bits;
	guint64 root = is_high ? paging->high_root : paging->root;
	guint64 high_start = end - radix_mask(paging->high_bits ?: mode->va_bits);

	*ret = (RadixTree){
		.root = root,
		.bits = bits,
		.levels = radix_levels(bits, mode->page_shift, mode->page_shift - 3),
		.is_high = is_high,
	};
	if (root != VMIFS_NO_ROOT && (tag == (is_high ? 0xff : 0) || may_tag)) {
		ret->last = is_high ? end : base | radix_mask(bits);
		if (is_high ? walk->va >= high_start : walk->va <= ret->last)
			return TRUE;
	}
	ret->last =
		walk->va < high_start && paging->high_root != VMIFS_NO_ROOT ? high_start - 1 : end;
	return FALSE;
}

/* D8.3.1: the address field of any entry, down to a page. */
static inline guint64
address(const VmifsMode *mode, guint64 entry)
{
	guint64 pa = entry & ENTRY_ADDRESS;

	if (mode->format & FORMAT_LPA2)
		pa = (entry & LPA2_ADDRESS) | (entry & LPA2_FIELD) << LPA2_SHIFT;
	else if (mode->page_shift == 16)
		pa |= (entry & LPA_FIELD) << LPA_SHIFT;
	return pa & ~radix_mask(mode->page_shift);
}

/* The levels that may map a block, up to that one (D8.3.1.2): 1 GiB and 512 GiB of 4 KiB granules,
 * 32 MiB and 64 GiB of 16 KiB ones; 4 TiB of 64 KiB ones, which is FEAT_LPA's, is never refused. */
static inline guint
highest_block(const VmifsMode *mode)
{
	return (mode->page_shift == 14 ? 2 : 3) + !!(mode->format & FORMAT_LPA2);
}

/* D8.4.1, the permissions of stage 1, and what the tables above forbid. An access flag that is
 * clear is no hindrance: the page is there, the next access only tells the OS. */
static inline guint32
permissions(const VmifsPaging *paging, guint64 entry, guint64 limits)
{
	gboolean is_user = entry & ENTRY_USER && !(limits & TABLE_NO_USER);
	gboolean uxn = (entry & ENTRY_UXN) || (limits & TABLE_UXN);
	gboolean pxn = (entry & ENTRY_PXN) || (limits & TABLE_PXN);
	gboolean is_dirty_later = paging->flags & HARDWARE_DIRTY && entry & ENTRY_DIRTY_STATE;
	gboolean can_write =
		(!(entry & ENTRY_RDONLY) || is_dirty_later) && !(limits & TABLE_NO_WRITE);
	guint32 perms = VMIFS_PERM_READ;

	/* What only a user may execute is a user's, though only the kernel may read it. */
	is_user = is_user || (pxn && !uxn);
	perms |= is_user ? VMIFS_PERM_USER : 0;
	perms |= can_write ? VMIFS_PERM_WRITE : 0;
	if (!(is_user ? uxn : pxn) && !(can_write && paging->flags & WXN))
		perms |= VMIFS_PERM_EXEC;
	perms |= entry & ENTRY_NOT_GLOBAL ? 0 : VMIFS_PERM_GLOBAL;
	return perms;
}

static inline RadixEntry
decode(const VmifsPaging *paging, const RadixTree *tree, guint64 entry, guint level, guint32 above)
{
	const VmifsMode *mode = paging->mode;
	guint64 pa = address(mode, entry) & ~paging->ignore_mask;
	RadixEntry ret = { .kind = RADIX_NOT_PRESENT };

	if (!(entry & ENTRY_VALID))
		return ret;
	if (level > 1 && entry & ENTRY_TABLE) {
		ret.kind = RADIX_TABLE;
		ret.pa = pa;
		ret.perms = above;
		if (!(paging->flags & (tree->is_high ? HPD1 : HPD0)))
			ret.perms |= (entry & TABLE_LIMITS) >> TABLE_LIMITS_SHIFT;
		return ret;
	}
	if (level == 1 ? !(entry & ENTRY_TABLE) : level > highest_block(mode)) {
		ret.kind = RADIX_MALFORMED;
		return ret;
	}
	/* Entries that say to be contiguous (D8.7.1) are as good one by one. */
	ret.kind = RADIX_PAGE;
	ret.shift = mode->page_shift + (level - 1) * index_bits(paging);
	ret.pa = pa & ~radix_mask(ret.shift);
	ret.perms = permissions(paging, entry, (guint64) above << TABLE_LIMITS_SHIFT);
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

/* The widths that kernels are built for. Of the root table only so many entries are there; it is
 * aligned to its size, and to 64 bytes. */
#define MODE(granule, bits, n_levels, shift, n_entries, its_format)                                \
	{                                                                                          \
		.name = "aarch64 " granule " " #bits "-bit", .arch = &vmifs_arch_aarch64,          \
		.levels = n_levels, .va_bits = bits, .page_shift = shift, .ptr_size = 8,           \
		.root_len = 8 * (n_entries), .root_align = MAX(64, 8 * (n_entries)),               \
		.user_end = 1ull << (bits), .has_halves = TRUE, .format = its_format,              \
	}
static const VmifsMode modes[] = {
	MODE("4K", 48, 4, 12, 512, 0),
	MODE("4K", 39, 3, 12, 512, 0),
	MODE("4K", 52, 5, 12, 16, FORMAT_LPA2),
	MODE("16K", 47, 3, 14, 2048, 0),
	MODE("16K", 48, 4, 14, 2, 0),
	MODE("16K", 36, 2, 14, 2048, 0),
	MODE("16K", 52, 4, 14, 32, FORMAT_LPA2),
	MODE("64K", 48, 3, 16, 64, 0),
	MODE("64K", 42, 2, 16, 8192, 0),
	MODE("64K", 52, 3, 16, 1024, 0),
};

/* ---- registers ---- */

/* TCR_EL1. */
#define TCR_T0SZ(tcr) ((tcr) &0x3f)
#define TCR_T1SZ(tcr) ((tcr) >> 16 & 0x3f)
#define TCR_EPD0 (1ull << 7)
#define TCR_EPD1 (1ull << 23)
#define TCR_TG0(tcr) ((tcr) >> 14 & 3)
#define TCR_TG1(tcr) ((tcr) >> 30 & 3)
#define TCR_IPS(tcr) ((tcr) >> 32 & 7)
#define TCR_IPS_52 6
#define TCR_TBI0 (1ull << 37)
#define TCR_TBI1 (1ull << 38)
#define TCR_HD (1ull << 40)
#define TCR_HPD0 (1ull << 41)
#define TCR_HPD1 (1ull << 42)
#define TCR_DS (1ull << 59)

/* SCTLR_EL1. */
#define SCTLR_M (1ull << 0)
#define SCTLR_WXN (1ull << 19)
#define SCTLR_EE (1ull << 25)

/* TTBRn_EL1: bit 0 is CnP, 63:48 are the ASID; with 52-bit addresses 5:2 are PA[51:48]. */
#define TTBR_ADDRESS 0x0000fffffffffffeull
#define TTBR_HIGH_FIELD 0x3cull
#define TTBR_HIGH_SHIFT 46
#define TTBR_SMALLEST 64

static guint64
root_of(guint64 ttbr, gboolean has_52_bits)
{
	guint64 pa = ttbr & TTBR_ADDRESS & ~(guint64) (TTBR_SMALLEST - 1);

	return has_52_bits ? pa | (ttbr & TTBR_HIGH_FIELD) << TTBR_HIGH_SHIFT : pa;
}

/* The narrowest mode of that granule that has room for so many bits. */
static const VmifsMode *
mode_for(guint shift, gboolean is_lpa2, guint bits)
{
	const VmifsMode *best = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(modes); i++) {
		const VmifsMode *mode = &modes[i];
		if (mode->page_shift == shift && !!(mode->format & FORMAT_LPA2) == is_lpa2 &&
		    mode->va_bits >= bits && (!best || mode->va_bits < best->va_bits))
			best = mode;
	}
	return best;
}

static gboolean
check_sctlr(const VmifsRegs *regs, guint32 *flags, GError **error)
{
	guint64 sctlr;

	/* QEMU's stub calls it as 32-bit CPUs do. */
	if (!vmifs_regs_get(regs, "sctlr_el1", &sctlr) && !vmifs_regs_get(regs, "sctlr", &sctlr))
		return TRUE;
	if (!(sctlr & SCTLR_M)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE, "SCTLR_EL1: paging is off");
		return FALSE;
	}
	if (sctlr & SCTLR_EE) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "SCTLR_EL1: tables are big-endian");
		return FALSE;
	}
	*flags |= sctlr & SCTLR_WXN ? WXN : 0;
	return TRUE;
}

static gboolean
from_regs(const VmifsRegs *regs, VmifsPaging *ret, GError **error)
{
	static const guint8 shifts0[] = { 12, 16, 14, 0 }, shifts1[] = { 0, 14, 12, 16 };
	guint64 tcr, ttbr0, ttbr1;
	gboolean has_low, has_high, is_lpa2, is_wide;
	VmifsPaging paging = { .mode = NULL };
	guint shift;

	if (!vmifs_regs_get(regs, "tcr_el1", &tcr) || !vmifs_regs_get(regs, "ttbr0_el1", &ttbr0) ||
	    !vmifs_regs_get(regs, "ttbr1_el1", &ttbr1)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE,
			    "the source does not tell TCR_EL1, TTBR0_EL1 and TTBR1_EL1");
		return FALSE;
	}
	if (!check_sctlr(regs, &paging.flags, error))
		return FALSE;
	has_low = !(tcr & TCR_EPD0);
	has_high = !(tcr & TCR_EPD1);
	shift = has_high ? shifts1[TCR_TG1(tcr)] : shifts0[TCR_TG0(tcr)];
	is_lpa2 = tcr & TCR_DS && shift != 16;
	is_wide = is_lpa2 || (shift == 16 && TCR_IPS(tcr) == TCR_IPS_52);
	paging.low_bits = 64 - TCR_T0SZ(tcr);
	paging.high_bits = 64 - TCR_T1SZ(tcr);
	paging.mode = mode_for(shift, is_lpa2,
			       MAX(has_low ? paging.low_bits : 0, has_high ? paging.high_bits : 0));
	/* Nobody is known to use two granules at once. */
	if (!paging.mode || (has_low && has_high && shift != shifts0[TCR_TG0(tcr)]) ||
	    (has_low && paging.low_bits <= shift) || (has_high && paging.high_bits <= shift)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "TCR_EL1 %#" G_GINT64_MODIFIER "x: no known kind of paging", tcr);
		return FALSE;
	}
	/* What is not used must not be too wide or too narrow either. */
	if (!has_low)
		paging.low_bits = 0;
	if (!has_high)
		paging.high_bits = 0;
	paging.root = has_low ? root_of(ttbr0, is_wide) : VMIFS_NO_ROOT;
	paging.high_root = has_high ? root_of(ttbr1, is_wide) : VMIFS_NO_ROOT;
	paging.flags |= (tcr & TCR_TBI0 ? 0 : NO_TBI0) | (tcr & TCR_TBI1 ? 0 : NO_TBI1) |
			(tcr & TCR_HPD0 ? HPD0 : 0) | (tcr & TCR_HPD1 ? HPD1 : 0) |
			(tcr & TCR_HD ? HARDWARE_DIRTY : 0);
	*ret = paging;
	return TRUE;
}

static const VmifsArchRegs regs = {
	.pc = "pc",
	.sp = "sp",
	.link = "x30",
	.args = { "x0", "x1", "x2", "x3", "x4", "x5" },
};

const VmifsArch vmifs_arch_aarch64 = {
	.name = "aarch64",
	.modes = modes,
	.n_modes = G_N_ELEMENTS(modes),
	.next = next,
	.regs = &regs,
	.from_regs = from_regs,
};
