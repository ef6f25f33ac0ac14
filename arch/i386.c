/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * i386: the paging of x86 before 64 bits: two levels with entries of 32 bits, and PAE, three with
 * those of 64, of which the highest table has four.
 *
 * Manual: Intel SDM vol. 3A (253668), chapter 4. A file of its own beside x86_64, whose walk is
 * made for one size of table and is the one that all speed hangs on.
 */
#include "radix.h"
#include "x86.h"

#include <vmifs/error.h>

#define PAGE_SHIFT 12
#define VA_BITS 32

/* §4.3 and §4.4, the tables of entry formats. */
#define ENTRY_PRESENT (1ull << 0)
#define ENTRY_WRITE (1ull << 1)
#define ENTRY_USER (1ull << 2)
#define ENTRY_PAGE (1ull << 7) /* PS; at level 1 it is a PAT bit */
#define ENTRY_GLOBAL (1ull << 8)
#define ENTRY_PAT_LARGE (1ull << 12)
#define ENTRY_XD (1ull << 63) /* PAE */
#define ADDRESS_32 0xfffff000ull
#define ADDRESS_PAE 0x000ffffffffff000ull

/* Two levels: 4 MiB pages have PA[39:32] in bits 20:13 (PSE-36); bit 21 is reserved. */
#define SHIFT_4M 22
#define ADDRESS_4M 0xffc00000ull
#define PSE36_FIELD (0xffull << 13)
#define PSE36_SHIFT 19
#define RESERVED_4M (1ull << 21)

/* The four entries of PAE's highest table say where a table is, and no more. Bit 5 is reserved
 * there, too, but QEMU marks them as it does others: accessed. */
#define PAE_TOP 3
#define RESERVED_TOP 0x1c6ull

/* VmifsMode.format */
#define FORMAT_PAE 1

/* VmifsPaging.flags: CR4.PSE is clear, there are no pages of 4 MiB. */
#define NO_PSE (1 << 0)

/* What the entries above withhold. */
#define NO_WRITE (1 << 0)
#define NO_USER (1 << 1)
#define NO_EXEC (1 << 2)

extern const VmifsArch vmifs_arch_i386;

static guint8
page_shift(const VmifsPaging *paging)
{
	return PAGE_SHIFT;
}

static inline gboolean
tree(const VmifsPaging *paging, const VmifsWalk *walk, RadixTree *ret)
{
	*ret = (RadixTree){
		.root = paging->root,
		.bits = VA_BITS,
		.levels = paging->mode->levels,
		.last = walk->va >> VA_BITS ? G_MAXUINT64 : G_MAXUINT32,
	};
	return !(walk->va >> VA_BITS);
}

/* §4.6.1: writing, user access and execution need the consent of every level. */
static inline guint32
limits_of(guint64 entry)
{
	return (entry & ENTRY_WRITE ? 0 : NO_WRITE) | (entry & ENTRY_USER ? 0 : NO_USER) |
	       (entry & ENTRY_XD ? NO_EXEC : 0);
}

static inline RadixEntry
page_of(guint64 entry, guint64 pa, guint shift, guint32 limits)
{
	return (RadixEntry){
		.kind = RADIX_PAGE,
		.shift = shift,
		.pa = pa & ~radix_mask(shift),
		.perms = VMIFS_PERM_READ | (limits & NO_WRITE ? 0 : VMIFS_PERM_WRITE) |
			 (limits & NO_USER ? 0 : VMIFS_PERM_USER) |
			 (limits & NO_EXEC ? 0 : VMIFS_PERM_EXEC) |
			 (entry & ENTRY_GLOBAL ? VMIFS_PERM_GLOBAL : 0),
	};
}

/* ---- two levels (§4.3) ---- */

static guint8
index_bits_32(const VmifsPaging *paging)
{
	return 10;
}

static inline RadixEntry
decode_32(const VmifsPaging *paging, const RadixTree *tree, guint64 entry, guint level,
	  guint32 above)
{
	guint32 limits = above | limits_of(entry);
	guint64 pa = entry & ADDRESS_32;

	if (!(entry & ENTRY_PRESENT))
		return (RadixEntry){ .kind = RADIX_NOT_PRESENT };
	if (level == 1)
		return page_of(entry, pa & ~paging->ignore_mask, PAGE_SHIFT, limits);
	if (!(entry & ENTRY_PAGE) || paging->flags & NO_PSE)
		return (RadixEntry){ RADIX_TABLE, 0, pa & ~paging->ignore_mask, limits };
	if (entry & RESERVED_4M)
		return (RadixEntry){ .kind = RADIX_MALFORMED };
	pa = (entry & ADDRESS_4M) | (entry & PSE36_FIELD) << PSE36_SHIFT;
	return page_of(entry, pa & ~paging->ignore_mask, SHIFT_4M, limits);
}

static const RadixOps ops_32 = {
	.entry_shift = 2,
	.tree = tree,
	.decode = decode_32,
	.page_shift = page_shift,
	.index_bits = index_bits_32,
};

/* ---- PAE (§4.4) ---- */

static guint8
index_bits_pae(const VmifsPaging *paging)
{
	return 9;
}

static inline RadixEntry
decode_pae(const VmifsPaging *paging, const RadixTree *tree, guint64 entry, guint level,
	   guint32 above)
{
	guint shift = PAGE_SHIFT + (level - 1) * 9;
	guint64 pa = entry & ADDRESS_PAE & ~paging->ignore_mask;

	if (!(entry & ENTRY_PRESENT))
		return (RadixEntry){ .kind = RADIX_NOT_PRESENT };
	if (level == PAE_TOP) {
		return (RadixEntry){
			.kind = entry & RESERVED_TOP ? RADIX_MALFORMED : RADIX_TABLE,
			.pa = pa,
		};
	}
	if (level > 1 && !(entry & ENTRY_PAGE))
		return (RadixEntry){ RADIX_TABLE, 0, pa, above | limits_of(entry) };
	if (level > 1 && entry & ADDRESS_PAE & ~ENTRY_PAT_LARGE & radix_mask(shift))
		return (RadixEntry){ .kind = RADIX_MALFORMED };
	return page_of(entry, pa, shift, above | limits_of(entry));
}

static const RadixOps ops_pae = {
	.entry_shift = 3,
	.tree = tree,
	.decode = decode_pae,
	.page_shift = page_shift,
	.index_bits = index_bits_pae,
};

static gboolean
next(const VmifsPaging *paging, VmifsWalk *walk, VmifsRange *ret)
{
	return paging->mode->format & FORMAT_PAE ? radix_next(&ops_pae, paging, walk, ret)
						 : radix_next(&ops_32, paging, walk, ret);
}

static const VmifsMode modes[] = {
	{
		.name = "i386 PAE",
		.arch = &vmifs_arch_i386,
		.levels = 3,
		.va_bits = VA_BITS,
		.page_shift = PAGE_SHIFT,
		.ptr_size = 4,
		.root_len = 32,
		.root_align = 32,
		.user_end = 1ull << VA_BITS,
		.format = FORMAT_PAE,
	},
	{
		.name = "i386 2-level",
		.arch = &vmifs_arch_i386,
		.levels = 2,
		.va_bits = VA_BITS,
		.page_shift = PAGE_SHIFT,
		.ptr_size = 4,
		.root_len = 1 << PAGE_SHIFT,
		.root_align = 1 << PAGE_SHIFT,
		.user_end = 1ull << VA_BITS,
	},
};

/* §2.5 control registers. */
#define CR0_PG (1ull << 31)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define EFER_LMA (1ull << 10)

static gboolean
from_regs(const VmifsRegs *regs, VmifsPaging *ret, GError **error)
{
	guint64 cr0, cr3, cr4, efer = 0;

	if (!vmifs_regs_get(regs, "cr0", &cr0) || !vmifs_regs_get(regs, "cr3", &cr3) ||
	    !vmifs_regs_get(regs, "cr4", &cr4)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE,
			    "the source does not tell cr0, cr3 and cr4");
		return FALSE;
	}
	(void) vmifs_regs_get(regs, "efer", &efer);
	if (!(cr0 & CR0_PG)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE, "cr0: paging is off");
		return FALSE;
	}
	if (efer & EFER_LMA) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "efer: it runs in 64-bit mode");
		return FALSE;
	}
	/* PAE has pages of 2 MiB whatever CR4.PSE says. */
	*ret = cr4 & CR4_PAE ? vmifs_paging_of(&modes[0], cr3 & 0xffffffe0)
			     : vmifs_paging_of(&modes[1], cr3 & ADDRESS_32);
	ret->flags = cr4 & (CR4_PAE | CR4_PSE) ? 0 : NO_PSE;
	return TRUE;
}

/* Of the IDT: Intel SDM volume 3, 6.11. A task gate has no handler. */
#define GATE_LEN 8
#define GATE_TYPE 0x1f
#define GATE_TASK 0x05

static gboolean
gate(const guint8 *bytes, guint64 *ret_handler)
{
	if (!(bytes[5] & VMIFS_X86_GATE_PRESENT) || (bytes[5] & GATE_TYPE) == GATE_TASK)
		return FALSE;
	*ret_handler = vmifs_load_u16(bytes) | (guint64) vmifs_load_u16(bytes + 6) << 16;
	return TRUE;
}

/* Linux's convention in the kernel (-mregparm=3); CR3 without the flags beside the address, of
 * which PAE has bits that are flags elsewhere. */
static const VmifsArchRegs regs = {
	.pc = "eip",
	.sp = "esp",
	.args = { "eax", "edx", "ecx" },
	.stack_args = 1,
	.root = "cr3",
	.root_mask = 0xffffffe0,
	.gates = "idt_base",
	.gates_limit = "idt_limit",
	.gate_len = GATE_LEN,
	.gate = gate,
	.error_vectors = VMIFS_X86_ERROR_VECTORS,
	.fault_vector = VMIFS_X86_PAGE_FAULT,
	.fault = "cr2",
	.writes = &vmifs_i386_writes,
};

const VmifsArch vmifs_arch_i386 = {
	.name = "i386",
	.modes = modes,
	.n_modes = G_N_ELEMENTS(modes),
	.next = next,
	.regs = &regs,
	.from_regs = from_regs,
};
