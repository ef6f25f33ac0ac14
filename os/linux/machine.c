/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine: see the header. */
#include "machine.h"

#include <string.h>

static const LinuxMachine *const machines[] = {
	&linux_machine_x86_64,
	&linux_machine_aarch64,
	&linux_machine_i386,
	&linux_machine_riscv64,
};

const LinuxMachine *
linux_machine(const Linux *os)
{
	const char *arch = vmifs_aspace_arch(os->aspace);

	for (gsize i = 0; i < G_N_ELEMENTS(machines); i++) {
		if (!strcmp(machines[i]->arch, arch))
			return machines[i];
	}
	return machines[0];
}

gboolean
linux_unwind_task(LinuxCode *code, guint64 task, GArray *ret, GError **error)
{
	return linux_machine(code->os)->unwind_task(code, task, ret, error);
}

gboolean
linux_unwind_regs(LinuxCode *code, const VmifsRegs *regs, GArray *ret, GError **error)
{
	return linux_machine(code->os)->unwind_regs(code, regs, ret, error);
}

LINUX_VIEW(linux_render_cpuinfo)
{
	return linux_machine(os)->cpuinfo(os, task, entry, out, call, error);
}
