/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * roots: CR3, or satp. Of AArch64 QEMU's monitor does not tell the registers that have them (it
 * walks the tables itself when asked: vmifs_probe_vcpu_translate). The RISC-V Instruction Set
 * Manual, volume II, "Supervisor Address Translation and Protection": the mode, an id of the
 * address space, the number of the root's page.
 */
#include "roots.h"

#define SATP_PAGE 0x00000fffffffffffull
#define PAGE_SHIFT 12

guint
linux_vcpu_roots(const char *arch, const VmifsRegs *regs, guint64 *ret)
{
	guint64 value;

	if (g_str_equal(arch, LINUX_ARCH_RISCV64)) {
		if (!vmifs_regs_get(regs, "satp", &value))
			return 0;
		ret[0] = (value & SATP_PAGE) << PAGE_SHIFT;
		return 1;
	}
	if (!vmifs_regs_get(regs, "cr3", &value))
		return 0;
	ret[0] = linux_root_of_cr3(arch, value);
	ret[1] = ret[0] & ~LINUX_CR3_USER_HALF;
	return ret[0] == ret[1] ? 1 : 2;
}

const char *
linux_vcpu_root_word(const char *arch)
{
	return g_str_equal(arch, LINUX_ARCH_RISCV64)   ? "satp"
	       : g_str_equal(arch, LINUX_ARCH_AARCH64) ? "TTBR1"
						       : "CR3";
}
