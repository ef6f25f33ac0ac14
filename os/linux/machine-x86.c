/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * machine-x86: what of Linux is so on x86-64 alone. Its stacks (unwind.c, orc.c), entries of pages
 * that seem to be absent (pte.c) and processors (cpuinfo.c, mitigations.c) have files of their own.
 */
#include "machine.h"
#include "mitigations.h"

#include <spi/bytes.h>

/* ---- page tables ---- */

#define ENTRY_ACCESSED (1ULL << 5)
#define ENTRY_DIRTY (1ULL << 6)
#define ENTRY_SPECIAL (1ULL << 9)      /* no page of memory that anybody counts */
#define ENTRY_SAVED_DIRTY (1ULL << 58) /* of a page that may not be written for now */
/* Of PGDs as of all other tables. */
#define ENTRY_ADDRESS 0x000ffffffffff000ull
#define USER_ENTRIES 256
#define PAGE_SIZE 4096

/* Entries of what was swapped out: where to, inverted. */
#define SWAP_TYPE_SHIFT 59
#define SWAP_OFFSET_SHIFT 14

static gboolean
is_dirty(guint64 entry)
{
	return (entry & (ENTRY_DIRTY | ENTRY_SAVED_DIRTY)) != 0;
}

static gboolean
swapped(guint64 entry, guint64 *ret_type, guint64 *ret_offset)
{
	*ret_type = entry >> SWAP_TYPE_SHIFT;
	*ret_offset = ~entry << (64 - SWAP_TYPE_SHIFT) >> SWAP_OFFSET_SHIFT;
	return TRUE;
}

/* With page-table isolation a process has a second PGD for when its program runs, in the page
 * behind the first: one that maps the same user memory. Without it that page is anything, and no
 * other process's maps all the same tables. Which processor feature says so is not known in all
 * kernels. */
static gboolean
has_program_root(const Linux *os, guint64 root)
{
	guint8 ours[USER_ENTRIES * 8], theirs[USER_ENTRIES * 8];
	guint64 all = 0;

	if (root & PAGE_SIZE || !vmifs_physmem_read(os->mem, root, ours, sizeof ours, NULL, NULL) ||
	    !vmifs_physmem_read(os->mem, root + PAGE_SIZE, theirs, sizeof theirs, NULL, NULL))
		return FALSE;
	for (gsize i = 0; i < sizeof ours; i += 8) {
		guint64 entry = vmifs_load_u64(ours + i) & ENTRY_ADDRESS;
		if (entry != (vmifs_load_u64(theirs + i) & ENTRY_ADDRESS))
			return FALSE;
		all |= entry;
	}
	return all != 0;
}

static guint
roots(const Linux *os, guint64 root, guint64 *ret)
{
	ret[0] = root;
	ret[1] = root + PAGE_SIZE;
	return has_program_root(os, root) ? 2 : 1;
}

static gboolean
page_array(const Linux *os, guint64 *ret, GError **error)
{
	return linux_variable(os, "vmemmap_base", 8, ret, error);
}

/* ---- stacks ---- */

#define USER_END G_GUINT64_CONSTANT(0x8000000000000000)
#define TS_COMPAT 2

static void
append_call(LinuxCursor *c, guint64 task, guint64 regs, GString *out)
{
	static const LinuxField wide[] = { LINUX_FIELD_PT_REGS_DI, LINUX_FIELD_PT_REGS_SI,
					   LINUX_FIELD_PT_REGS_DX, LINUX_FIELD_PT_REGS_R10,
					   LINUX_FIELD_PT_REGS_R8, LINUX_FIELD_PT_REGS_R9 };
	static const LinuxField narrow[] = { LINUX_FIELD_PT_REGS_BX, LINUX_FIELD_PT_REGS_CX,
					     LINUX_FIELD_PT_REGS_DX, LINUX_FIELD_PT_REGS_SI,
					     LINUX_FIELD_PT_REGS_DI, LINUX_FIELD_PT_REGS_BP };
	gint32 nr = regs ? (gint32) linux_take(c, regs, LINUX_FIELD_PT_REGS_ORIG_AX) : -1;

	g_string_append_printf(out, "%d", nr);
	if (nr < 0)
		return;
	guint64 status = linux_take(c, task, LINUX_FIELD_TASK_THREAD_STATUS);
	const LinuxField *args = status & TS_COMPAT ? narrow : wide;
	for (gsize i = 0; i < G_N_ELEMENTS(wide); i++)
		g_string_append_printf(out, " 0x%" G_GINT64_MODIFIER "x",
				       linux_take(c, regs, args[i]));
}

static gboolean
in_program(const VmifsRegs *regs, guint64 *ret_ip)
{
	guint64 cs;

	if (!vmifs_regs_get(regs, "rip", ret_ip))
		return FALSE;
	return vmifs_regs_get(regs, "cs", &cs) ? (cs & 3) != 0 : *ret_ip < USER_END;
}

gboolean
linux_current_task_x86(const Linux *os, guint32 cpu, guint64 *ret, GError **error)
{
	guint64 at, offset;

	/* From 6.2 to 6.14 it stood among other things that are often asked for. */
	if (!linux_symbol(os, "current_task", &at, NULL)) {
		if (!linux_symbol(os, "pcpu_hot", &at, error) ||
		    !linux_offset(os, LINUX_FIELD_PCPU_HOT_CURRENT, &offset, error))
			return FALSE;
		at += offset;
	}
	return linux_percpu(os, at, cpu, &at, error) && linux_load_word(os, at, ret, error);
}

/* ---- texts ---- */

#define FOUR_LEVEL_USER_END (G_GUINT64_CONSTANT(1) << 47)

/* In terabytes, with four levels of tables and five. */
static gboolean
vmalloc_total(const Linux *os, guint64 *ret)
{
	guint64 terabytes = vmifs_aspace_user_end(os->aspace) > FOUR_LEVEL_USER_END ? 12800 : 32;

	*ret = (terabytes << 30) - 1;
	return TRUE;
}

const LinuxMachine linux_machine_x86_64 = {
	.arch = LINUX_ARCH_X86_64,
	.resolve = linux_pte_resolve,
	.entry_accessed = ENTRY_ACCESSED,
	.entry_special = ENTRY_SPECIAL,
	.is_dirty = is_dirty,
	.swapped = swapped,
	.roots = roots,
	.page_array = page_array,
	.unwind_task = linux_unwind_task_x86,
	.unwind_regs = linux_unwind_regs_x86,
	.append_call = append_call,
	.in_program = in_program,
	.current = linux_current_task_x86,
	.mentions = linux_mentions_x86_64,
	.argument = "rdi",
	.untag_mask = G_MAXUINT64,
	.port_width = 4,
	.store_bypass = linux_store_bypass,
	.indirect_branch = linux_indirect_branch,
	.vmalloc_total = vmalloc_total,
	.cpuinfo = linux_render_cpuinfo_x86,
};
