/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* roots (private to the folder): which page tables a vCPU walks, by its registers. */
#pragma once

#include "found.h"

G_BEGIN_DECLS

#define LINUX_VCPU_ROOTS 2
/* vCPUs that are asked for where they find the text, each alone, if registers do not tell. */
#define LINUX_MAX_TRANSLATING 4

/* Where these may be, as the kernel has them: in one of so many places. 0: the registers of such a
 * vCPU do not tell. ret: of LINUX_VCPU_ROOTS. */
guint
linux_vcpu_roots(const char *arch, const VmifsRegs *regs, guint64 *ret);
/* (static) What tells that, for people. */
const char *
linux_vcpu_root_word(const char *arch);

G_END_DECLS
