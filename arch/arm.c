/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arm: AArch32 at PL1&0: short descriptors (two levels, 32-bit entries) and long ones (LPAE: three
 * levels, 64-bit). Either way the space may be cut in two by TTBCR, the lower part TTBR0's, the
 * upper TTBR1's; a kernel that does not do so has all of it below one root.
 *
 * Manual: ARM Architecture Reference Manual ARMv7-A/R (DDI 0406C), B3.5 and B3.6. Its level 1 is
 * the highest here.
 */
#include "radix.h"

#include <vmifs/error.h>

#define PAGE_SHIFT 12
#define VA_BITS 32
#define VA_END (1ull << VA_BITS)

/* VmifsMode.format */
#define FORMAT_LONG 1

/* VmifsPaging.flags: of DACR, the domains whose permissions are not looked at (managers); of SCTLR
 * the access flag's use and WXN. */
#define MANAGERS 0xffffu
#define AFE (1u << 16)
#define WXN (1u << 17)

extern const VmifsArch vmifs_arch_arm;

static guint8
page_shift(const VmifsPaging *paging)
{
	return PAGE_SHIFT;
}

/* B3.5.4, B3.6.4. low_bits: TTBR0 maps that much and TTBR1 what is above; high_bits: TTBR1 maps
 * that much at the end. Both: there is a gap. Neither: TTBR0 maps all. */
static inline gboolean
tree(const VmifsPaging *paging, const VmifsWalk *walk, RadixTree *ret)
{
	guint low = paging->low_bits ?: VA_BITS;
	guint high = paging->high_bits ?: VA_BITS;
	guint64 low_end = 1ull << low;
	guint64 high_start = paging->high_bits ? VA_END - (1ull << high) : low_end;
	gboolean is_high = walk->va >= high_start;

	*ret = (RadixTree){ .last = G_MAXUINT64, .is_high = is_high };
	if (walk->va >= VA_END)
		return FALSE;
	ret->root = is_high ? paging->high_root : paging->root;
	ret->bits = is_high ? high : low;
	ret->levels =
		paging->mode->format & FORMAT_LONG ? radix_levels(ret->bits, PAGE_SHIFT, 9) : 2;
	ret->last = is_high ? VA_END - 1 : MIN(low_end, high_start) - 1;
	if (!is_high && walk->va >= low_end)
		ret->last = high_start - 1;
	else if (ret->root != VMIFS_NO_ROOT)
		return TRUE;
	return FALSE;
}

static inline guint32
page_perms(const VmifsPaging *paging, gboolean is_user, gboolean can_write, gboolean is_exec,
	   gboolean is_global)
{
	return VMIFS_PERM_READ | (is_user ? VMIFS_PERM_USER : 0) |
	       (can_write ? VMIFS_PERM_WRITE : 0) | (is_global ? VMIFS_PERM_GLOBAL : 0) |
	       (is_exec && !(can_write && paging->flags & WXN) ? VMIFS_PERM_EXEC : 0);
}

/* ---- short descriptors (B3.5.1) ---- */

/* Level 2: 1 MiB by entry. */
#define L2_TABLE 1
#define L2_TABLE_ADDRESS 0xfffffc00ull
#define L2_TABLE_PXN (1u << 2)
#define L2_SECTION 2 /* or 3: with PXN */
#define L2_SUPER (1u << 18)
#define L2_DOMAIN(entry) ((entry) >> 5 & 0xf)
#define L2_XN (1u << 4)
#define L2_NOT_GLOBAL (1u << 17)
#define SECTION_SHIFT 20
#define SUPER_SHIFT 24
#define SUPER_35_32 (0xfull << 20) /* PA bits, where they stand */
#define SUPER_39_36 (0xfull << 5)

/* Level 1. */
#define L1_LARGE 1
#define LARGE_SHIFT 16
#define LARGE_XN (1u << 15)
#define SMALL_XN (1u << 0)
#define L1_NOT_GLOBAL (1u << 11)

/* What a level-2 entry tells its table: the domain, and that the kernel does not execute. */
#define ABOVE_DOMAIN 0xfu
#define ABOVE_PXN (1u << 4)

static guint8
index_bits_short(const VmifsPaging *paging)
{
	/* Of the leaf table; the other's follow from what the tree maps. */
	return 8;
}

/* B3.7.1, table of the access permissions. Where a user has less than the kernel, the user's
 * count. Nobody's pages (AP 0) are there all the same, and so are those without access flag. A
 * domain that is shut is no hindrance either: kernels shut that of users while they run. */
static inline RadixEntry
short_page(const VmifsPaging *paging, guint64 pa, guint shift, guint ap, guint domain, gboolean xn,
	   gboolean pxn, gboolean is_global)
{
	RadixEntry ret = { .kind = RADIX_PAGE, .shift = shift, .pa = pa & ~paging->ignore_mask };
	gboolean is_user, can_write;

	ret.pa &= ~radix_mask(shift);
	if (paging->flags & MANAGERS & (1u << domain)) {
		ret.perms = page_perms(paging, TRUE, TRUE, TRUE, is_global);
		return ret;
	}
	if (paging->flags & AFE)
		ap |= 1;
	if (!(ap & 3)) {
		ret.perms = is_global ? VMIFS_PERM_GLOBAL : 0;
		return ret;
	}
	is_user = (ap & 2) != 0;
	can_write = !(ap & 4) && ap != 2;
	ret.perms = page_perms(paging, is_user, can_write, !xn && (is_user || !pxn), is_global);
	return ret;
}

static inline RadixEntry
decode_short(const VmifsPaging *paging, const RadixTree *tree, guint64 entry, guint level,
	     guint32 above)
{
	guint type = entry & 3;

	if (!type)
		return (RadixEntry){ .kind = RADIX_NOT_PRESENT };
	if (level == 1) {
		guint ap = (entry >> 4 & 3) | (entry >> 9 & 1) << 2;
		gboolean is_large = type == L1_LARGE;
		return short_page(paging, entry, is_large ? LARGE_SHIFT : PAGE_SHIFT, ap,
				  above & ABOVE_DOMAIN, entry & (is_large ? LARGE_XN : SMALL_XN),
				  above & ABOVE_PXN, !(entry & L1_NOT_GLOBAL));
	}
	if (type == L2_TABLE) {
		return (RadixEntry){
			.kind = RADIX_TABLE,
			.pa = entry & L2_TABLE_ADDRESS & ~paging->ignore_mask,
			.perms = L2_DOMAIN(entry) | (entry & L2_TABLE_PXN ? ABOVE_PXN : 0),
		};
	}
	guint ap = (entry >> 10 & 3) | (entry >> 15 & 1) << 2;
	gboolean is_super = (entry & L2_SUPER) != 0;
	guint64 pa = entry;
	/* A supersection's domain is 0: its field is part of the address. */
	if (is_super)
		pa = (entry & ~radix_mask(SUPER_SHIFT)) | (entry & SUPER_35_32) << 12 |
		     (entry & SUPER_39_36) << 31;
	return short_page(paging, pa, is_super ? SUPER_SHIFT : SECTION_SHIFT, ap,
			  is_super ? 0 : L2_DOMAIN(entry), entry & L2_XN, entry & 1,
			  !(entry & L2_NOT_GLOBAL));
}

static const RadixOps ops_short = {
	.entry_shift = 2,
	.tree = tree,
	.decode = decode_short,
	.page_shift = page_shift,
	.index_bits = index_bits_short,
};

/* ---- long descriptors (B3.6.1, B3.6.2) ---- */

#define ENTRY_VALID (1ull << 0)
#define ENTRY_TABLE (1ull << 1) /* level 1: page */
#define ENTRY_USER (1ull << 6)
#define ENTRY_RDONLY (1ull << 7)
#define ENTRY_NOT_GLOBAL (1ull << 11)
#define ENTRY_PXN (1ull << 53)
#define ENTRY_XN (1ull << 54)
#define ENTRY_ADDRESS 0x000000fffffff000ull
#define LIMITS_SHIFT 59 /* what a table's entry forbids below it */
#define LIMIT_PXN 1u
#define LIMIT_XN 2u
#define LIMIT_USER 4u
#define LIMIT_WRITE 8u
#define LIMITS 15u

static guint8
index_bits_long(const VmifsPaging *paging)
{
	return 9;
}

static inline RadixEntry
decode_long(const VmifsPaging *paging, const RadixTree *tree, guint64 entry, guint level,
	    guint32 above)
{
	guint64 pa = entry & ENTRY_ADDRESS & ~paging->ignore_mask;
	guint shift = PAGE_SHIFT + (level - 1) * 9;
	gboolean is_user = entry & ENTRY_USER && !(above & LIMIT_USER);
	gboolean can_write = !(entry & ENTRY_RDONLY) && !(above & LIMIT_WRITE);
	gboolean xn = entry & ENTRY_XN || above & LIMIT_XN;
	gboolean pxn = entry & ENTRY_PXN || above & LIMIT_PXN;

	if (!(entry & ENTRY_VALID))
		return (RadixEntry){ .kind = RADIX_NOT_PRESENT };
	if (level > 1 && entry & ENTRY_TABLE)
		return (RadixEntry){ RADIX_TABLE, 0, pa, above | (entry >> LIMITS_SHIFT & LIMITS) };
	if (level == 1 && !(entry & ENTRY_TABLE))
		return (RadixEntry){ .kind = RADIX_MALFORMED };
	return (RadixEntry){
		.kind = RADIX_PAGE,
		.shift = shift,
		.pa = pa & ~radix_mask(shift),
		.perms = page_perms(paging, is_user, can_write, !xn && (is_user || !pxn),
				    !(entry & ENTRY_NOT_GLOBAL)),
	};
}

static const RadixOps ops_long = {
	.entry_shift = 3,
	.tree = tree,
	.decode = decode_long,
	.page_shift = page_shift,
	.index_bits = index_bits_long,
};

static gboolean
next(const VmifsPaging *paging, VmifsWalk *walk, VmifsRange *ret)
{
	return paging->mode->format & FORMAT_LONG ? radix_next(&ops_long, paging, walk, ret)
						  : radix_next(&ops_short, paging, walk, ret);
}

static const VmifsMode modes[] = {
	{
		.name = "arm short",
		.arch = &vmifs_arch_arm,
		.levels = 2,
		.va_bits = VA_BITS,
		.page_shift = PAGE_SHIFT,
		.ptr_size = 4,
		.root_len = 4 * 4096,
		.root_align = 4 * 4096,
		.user_end = VA_END,
	},
	{
		.name = "arm LPAE",
		.arch = &vmifs_arch_arm,
		.levels = 3,
		.va_bits = VA_BITS,
		.page_shift = PAGE_SHIFT,
		.ptr_size = 4,
		.root_len = 32,
		.root_align = 32,
		.user_end = VA_END,
		.format = FORMAT_LONG,
	},
};

/* ---- registers (B4.1) ---- */

#define TTBCR_EAE (1ull << 31)
/* Short: */
#define TTBCR_N(ttbcr) ((ttbcr) &7)
#define TTBCR_PD0 (1ull << 4)
#define TTBCR_PD1 (1ull << 5)
/* Long: */
#define TTBCR_T0SZ(ttbcr) ((ttbcr) &7)
#define TTBCR_T1SZ(ttbcr) ((ttbcr) >> 16 & 7)
#define TTBCR_EPD0 (1ull << 7)
#define TTBCR_EPD1 (1ull << 23)
#define SCTLR_M (1ull << 0)
#define SCTLR_WXN (1ull << 19)
#define SCTLR_EE (1ull << 25)
#define SCTLR_AFE (1ull << 29)

/* QEMU's stub calls what 64-bit CPUs have as well as they do. */
static gboolean
get(const VmifsRegs *regs, const char *name, const char *other, guint64 *ret)
{
	return vmifs_regs_get(regs, name, ret) || (other && vmifs_regs_get(regs, other, ret));
}

/* B4.1.43: two bits for each domain; 3 = manager. */
static guint32
managers(guint64 dacr)
{
	guint32 mask = 0;

	for (guint i = 0; i < 16; i++)
		mask |= (dacr >> (2 * i) & 3) == 3 ? 1u << i : 0;
	return mask;
}

static guint64
root_of(guint64 ttbr, guint bits, gboolean is_long)
{
	guint top =
		is_long ? PAGE_SHIFT + (radix_levels(bits, PAGE_SHIFT, 9) - 1) * 9 : SECTION_SHIFT;
	guint64 pa = ttbr & (is_long ? radix_mask(40) : radix_mask(32));

	return pa & ~radix_mask(bits - top + (is_long ? 3 : 2));
}

static void
set_roots(VmifsPaging *paging, guint64 ttbcr, guint64 ttbr0, guint64 ttbr1)
{
	gboolean is_long = (ttbcr & TTBCR_EAE) != 0;
	guint n = is_long ? TTBCR_T0SZ(ttbcr) : TTBCR_N(ttbcr);
	guint n1 = is_long ? TTBCR_T1SZ(ttbcr) : 0;

	paging->mode = &modes[is_long];
	paging->low_bits = n ? VA_BITS - n : 0;
	paging->high_bits = n1 ? VA_BITS - n1 : 0;
	paging->root = ttbcr & (is_long ? TTBCR_EPD0 : TTBCR_PD0)
			       ? VMIFS_NO_ROOT
			       : root_of(ttbr0, VA_BITS - n, is_long);
	paging->high_root = ttbcr & (is_long ? TTBCR_EPD1 : TTBCR_PD1)
				    ? VMIFS_NO_ROOT
				    : root_of(ttbr1, VA_BITS - n1, is_long);
}

static gboolean
from_regs(const VmifsRegs *regs, VmifsPaging *ret, GError **error)
{
	VmifsPaging paging = { .mode = NULL };
	guint64 ttbcr, ttbr0, ttbr1, sctlr = SCTLR_M, dacr = 0;

	if (!get(regs, "ttbcr", NULL, &ttbcr) || !get(regs, "ttbr0", "ttbr0_el1", &ttbr0) ||
	    !get(regs, "ttbr1", "ttbr1_el1", &ttbr1)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE,
			    "the source does not tell TTBCR, TTBR0 and TTBR1");
		return FALSE;
	}
	(void) get(regs, "sctlr", NULL, &sctlr);
	(void) get(regs, "dacr", NULL, &dacr);
	if (!(sctlr & SCTLR_M)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE, "SCTLR: paging is off");
		return FALSE;
	}
	if (sctlr & SCTLR_EE) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "SCTLR: tables are big-endian");
		return FALSE;
	}
	set_roots(&paging, ttbcr, ttbr0, ttbr1);
	/* Long descriptors know no domains, and always an access flag. */
	paging.flags = sctlr & SCTLR_WXN ? WXN : 0;
	if (!(ttbcr & TTBCR_EAE))
		paging.flags |= (sctlr & SCTLR_AFE ? AFE : 0) | managers(dacr);
	*ret = paging;
	return TRUE;
}

/* Procedure Call Standard for the Arm Architecture, 6.4 to 6.6. */
static const VmifsArchRegs regs = {
	.pc = "pc",
	.sp = "sp",
	.link = "lr",
	.args = { "r0", "r1", "r2", "r3" },
};

const VmifsArch vmifs_arch_arm = {
	.name = "arm",
	.modes = modes,
	.n_modes = G_N_ELEMENTS(modes),
	.next = next,
	.regs = &regs,
	.from_regs = from_regs,
};
