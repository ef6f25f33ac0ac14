/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * machine-arm: what of Linux is so on 32-bit ARM alone. Its page tables are long descriptors, in
 * which Linux has bits of its own (arch/arm/include/asm/pgtable-3level.h of 6.1), or short ones,
 * which have no room for them (pgtable-2level.h): those bits are in a second table in front of the
 * one that the processor knows. In that a page has no entry that nobody may touch, or that was not
 * touched since it was mapped, as those that a process inherits.
 */
#include "machine.h"

#include <spi/bytes.h>

#include <string.h>

/* ---- page tables: long descriptors ---- */

#define ENTRY_VALID (1ULL << 0)
#define ENTRY_RDONLY (1ULL << 7)
#define ENTRY_XN (1ULL << 54)
#define ENTRY_NONE (1ULL << 57) /* with VALID clear: nobody may touch it */
#define ENTRY_ADDRESS 0x000000fffffff000ULL

static gboolean
put_page(VmifsPhysmem *mem, const VmifsRange *in, guint64 pa, guint32 perms, VmifsRange *ret)
{
	guint64 size = 1ULL << in->page_shift;

	if (pa % size || !vmifs_physmem_covers(mem, pa, size))
		return FALSE;
	*ret = *in;
	ret->kind = VMIFS_RANGE_PAGE;
	ret->pa = pa + (in->va & (size - 1));
	ret->perms = VMIFS_PERM_USER | VMIFS_PERM_READ | perms;
	return TRUE;
}

static gboolean
resolve_long(gpointer user, const VmifsRange *in, VmifsRange *ret)
{
	guint32 perms = (in->entry & ENTRY_RDONLY ? 0 : VMIFS_PERM_WRITE) |
			(in->entry & ENTRY_XN ? 0 : VMIFS_PERM_EXEC);
	guint64 size = 1ULL << in->page_shift;

	return in->kind == VMIFS_RANGE_NOT_PRESENT && !(in->entry & ENTRY_VALID) &&
	       in->entry & ENTRY_NONE &&
	       put_page(user, in, in->entry & ENTRY_ADDRESS & ~(size - 1), perms, ret);
}

/* ---- page tables: short descriptors ---- */

#define LEAF_SLOT 1
#define LEAF_LEN 1024
#define OWN_BEFORE 2048 /* its own table lies so far in front of the processor's */
#define OWN_PRESENT (1u << 0)
#define OWN_RDONLY (1u << 7)
#define OWN_XN (1u << 9)
#define OWN_TYPE 0x3fu /* what the memory is like; is not needed */
#define OWN_ADDRESS 0xfffff000u

/* Where the processor has nothing and Linux a page: its entry, as one that is not present. */
static void
amend(VmifsPhysmem *mem, guint slot, guint64 pa, guint8 *table, gsize len)
{
	guint8 own[LEAF_LEN];

	if (slot != LEAF_SLOT || len != LEAF_LEN || !(pa & OWN_BEFORE) ||
	    !vmifs_physmem_read(mem, pa - OWN_BEFORE, own, sizeof own, NULL, NULL))
		return;
	for (gsize at = 0; at < LEAF_LEN; at += sizeof(guint32)) {
		guint32 entry = vmifs_load_u32(own + at);

		if (vmifs_load_u32(table + at) || !(entry & OWN_PRESENT))
			continue;
		entry = GUINT32_TO_LE(entry & ~OWN_TYPE);
		memcpy(table + at, &entry, sizeof entry);
	}
}

static gboolean
resolve_short(gpointer user, const VmifsRange *in, VmifsRange *ret)
{
	guint32 perms = (in->entry & OWN_RDONLY ? 0 : VMIFS_PERM_WRITE) |
			(in->entry & OWN_XN ? 0 : VMIFS_PERM_EXEC);

	return in->kind == VMIFS_RANGE_NOT_PRESENT && in->level == 1 && !(in->entry & OWN_TYPE) &&
	       put_page(user, in, in->entry & OWN_ADDRESS, perms, ret);
}

static VmifsAspace *
task_aspace(const Linux *os, guint64 root)
{
	if (g_str_equal(vmifs_aspace_mode(os->aspace), "arm short"))
		return vmifs_aspace_new_amended(os->aspace, root, amend, resolve_short, os->mem);
	return vmifs_aspace_new_like(os->aspace, root, resolve_long, os->mem);
}

/* ---- registers ---- */

/* CPSR, B1.3.3 of the manual of ARMv7-A: the mode of programs. */
#define MODE_MASK 0x1f
#define MODE_USER 0x10

static gboolean
in_program(const VmifsRegs *regs, guint64 *ret_ip)
{
	guint64 cpsr;

	return (vmifs_regs_get(regs, "r15", ret_ip) || vmifs_regs_get(regs, "pc", ret_ip)) &&
	       vmifs_regs_get(regs, "cpsr", &cpsr) && (cpsr & MODE_MASK) == MODE_USER;
}

/* ---- texts ---- */

/* Where exceptions lead, with the kernel's help for programs behind it (arch/arm/kernel/process.c):
 * always there, in kernels that have such a mapping at all. */
#define VECTORS 0xffff0000u
#define PAGE_SIZE 4096

static gboolean
gate_vma(const Linux *os, VmifsVma *ret)
{
	guint64 function;

	*ret = (VmifsVma){
		.start = VECTORS,
		.end = VECTORS + PAGE_SIZE,
		.perms = VMIFS_PERM_READ | VMIFS_PERM_EXEC,
		.path = (char *) "[vectors]",
	};
	return linux_symbol(os, "get_gate_vma", &function, NULL);
}

const LinuxMachine linux_machine_arm = {
	.arch = LINUX_ARCH_ARM,
	.resolve = resolve_long,
	.task_aspace = task_aspace,
	.room_below = 16 << 20,
	.in_program = in_program,
	.current = linux_current_of_queue,
	.argument = "r0",
	.untag_mask = G_MAXUINT64,
	.gate_vma = gate_vma,
	.port_width = 8,
};
