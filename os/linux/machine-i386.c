/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * machine-i386: what of Linux is so on 32-bit x86 alone. Entries of pages are those of x86-64, or
 * their lower half where tables have two levels: the bits that tell anything are in it.
 */
#include "machine.h"
#include "mitigations.h"

#define ENTRY_ACCESSED (1ULL << 5)
#define ENTRY_DIRTY (1ULL << 6)
#define ENTRY_SPECIAL (1ULL << 9)

static gboolean
is_dirty(guint64 entry)
{
	return (entry & ENTRY_DIRTY) != 0;
}

/* All of it is one array, where memory is not in sections. */
static gboolean
page_array(const Linux *os, guint64 *ret, GError **error)
{
	return linux_word_variable(os, "mem_map", ret, error);
}

static void
append_call(LinuxCursor *c, guint64 task, guint64 regs, GString *out)
{
	static const LinuxField args[] = { LINUX_FIELD_PT_REGS_BX, LINUX_FIELD_PT_REGS_CX,
					   LINUX_FIELD_PT_REGS_DX, LINUX_FIELD_PT_REGS_SI,
					   LINUX_FIELD_PT_REGS_DI, LINUX_FIELD_PT_REGS_BP };
	gint32 nr = regs ? (gint32) linux_take(c, regs, LINUX_FIELD_PT_REGS_ORIG_AX) : -1;

	g_string_append_printf(out, "%d", nr);
	for (gsize i = 0; nr >= 0 && i < G_N_ELEMENTS(args); i++)
		g_string_append_printf(out, " 0x%" G_GINT64_MODIFIER "x",
				       linux_take(c, regs, args[i]));
}

static gboolean
in_program(const VmifsRegs *regs, guint64 *ret_ip)
{
	guint64 cs;

	if (!vmifs_regs_get(regs, "eip", ret_ip))
		return FALSE;
	return vmifs_regs_get(regs, "cs", &cs) && (cs & 3) != 0;
}

const LinuxMachine linux_machine_i386 = {
	.arch = LINUX_ARCH_I386,
	.resolve = linux_pte_resolve,
	.entry_accessed = ENTRY_ACCESSED,
	.entry_special = ENTRY_SPECIAL,
	.is_dirty = is_dirty,
	.page_array = page_array,
	.append_call = append_call,
	.in_program = in_program,
	.current = linux_current_task_x86,
	.argument = "eax",
	.untag_mask = G_MAXUINT64,
	.port_width = 4,
	.store_bypass = linux_store_bypass,
	.indirect_branch = linux_indirect_branch,
	.cpuinfo = linux_render_cpuinfo_x86,
};
