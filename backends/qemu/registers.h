/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registers: those of each vCPU, as "info registers" prints them, without stopping the guest. There
 * are no MSRs in it but EFER, and of a vCPU that runs 32-bit code in long mode only half of each
 * general register: what is not told is not there.
 */
#pragma once

#include "monitor.h"

#include <vmifs/regs.h>

/* Those in a text of "info registers -a", by the vCPU's number; NULL where there is none of that
 * number. CORRUPT: not one register is in it. (full) of VmifsRegs */
GPtrArray *
qemu_registers_parse(const char *text, GError **error);

/* Adds those of one vCPU of RISC-V, or of ARM, of which that part of the text is. Names must be
 * plain: what is not of such a vCPU adds none. */
void
qemu_registers_parse_riscv(const char *text, const char *end, VmifsRegs *regs);
void
qemu_registers_parse_arm(const char *text, const char *end, VmifsRegs *regs);
/* Of one in 32-bit mode, whose last registers are called as some of x86. */
gboolean
qemu_registers_are_arm32(const char *text, const char *end);

typedef struct QemuRegisters QemuRegisters;

/* What was just asked for of all vCPUs answers for each of them. monitor: (borrowed) */
QemuRegisters *
qemu_registers_new(QemuMonitor *monitor, guint n_vcpus);
void
qemu_registers_free(QemuRegisters *registers);
/* Adds those of that vCPU to regs. Errors as of QemuMonitorOps.ask; NOT_FOUND. Thread-safe. */
gboolean
qemu_registers_get(QemuRegisters *registers, guint vcpu, VmifsRegs *regs, const VmifsCall *call,
		   GError **error);
/* They were changed. */
void
qemu_registers_forget(QemuRegisters *registers);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuRegisters, qemu_registers_free)
