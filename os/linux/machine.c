/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine: see the header. */
#include "machine.h"

#include <string.h>

static const LinuxMachine *const machines[] = {
	&linux_machine_x86_64, &linux_machine_aarch64, &linux_machine_arm,
	&linux_machine_i386,   &linux_machine_riscv64,
};

/* Of an architecture that has no file of its own: its kernels are found, and no more is known. */
static const LinuxMachine unknown = { .arch = "", .untag_mask = G_MAXUINT64, .port_width = 8 };

const LinuxMachine *
linux_machine(const Linux *os)
{
	const char *arch = vmifs_aspace_arch(os->aspace);

	for (gsize i = 0; i < G_N_ELEMENTS(machines); i++) {
		if (!strcmp(machines[i]->arch, arch))
			return machines[i];
	}
	return &unknown;
}

gboolean
linux_machine_lacks(const Linux *os, const char *what, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "%s of %s kernels are not known",
		    what, vmifs_aspace_arch(os->aspace));
	return FALSE;
}

gboolean
linux_unwind_task(LinuxCode *code, guint64 task, GArray *ret, GError **error)
{
	const LinuxMachine *machine = linux_machine(code->os);

	return machine->unwind_task ? machine->unwind_task(code, task, ret, error)
				    : linux_machine_lacks(code->os, "stacks", error);
}

gboolean
linux_unwind_regs(LinuxCode *code, const VmifsRegs *regs, GArray *ret, GError **error)
{
	const LinuxMachine *machine = linux_machine(code->os);

	return machine->unwind_regs ? machine->unwind_regs(code, regs, ret, error)
				    : linux_machine_lacks(code->os, "stacks", error);
}

LINUX_VIEW(linux_render_cpuinfo)
{
	const LinuxMachine *machine = linux_machine(os);

	return machine->cpuinfo ? machine->cpuinfo(os, task, entry, out, call, error)
				: linux_machine_lacks(os, "processors", error);
}
