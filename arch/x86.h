/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* x86 (private): what the files of both widths have of each other. */
#pragma once

#include <spi/arch.h>

G_BEGIN_DECLS

/* x86-writes.c */
extern const VmifsArchWrites vmifs_x86_64_writes;
extern const VmifsArchWrites vmifs_i386_writes;

/* Of the IDT: vectors whose handlers find an error code on the stack: #DF, #TS, #NP, #SS, #GP, #PF,
 * #AC, #CP, #VC, #SX (Intel SDM volume 3, 6.15; AMD APM volume 2, 8.2). */
#define VMIFS_X86_ERROR_VECTORS (1 << 8 | 0x1f << 10 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30)
#define VMIFS_X86_PAGE_FAULT 14
#define VMIFS_X86_GATE_PRESENT 0x80

G_END_DECLS
