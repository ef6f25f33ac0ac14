/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writes (private): where a kernel's text writes a control register or an MSR. The live text is
 * looked at, range by range of what is executable in the kernel's half of its page tables, so that
 * modules are in it and what the kernel has patched is as it is now.
 *
 * Bytes that may be such an opcode are found first, which is quick; whether they are one is found
 * by disassembling from the beginning of their function on. Where that fails, at an instruction
 * that is not known, the bytes are taken for what they seem to be: a breakpoint too many, inside of
 * another instruction, is never reached; one too few would be an event that is lost.
 */
#pragma once

#include "disasm.h"

#include <spi/arch.h>
#include <vmifs/symbols.h>

G_BEGIN_DECLS

/* What is looked for, and what was found. */
typedef struct {
	const VmifsArchWrites *arch;
	const char *reg;
	VmifsDisasm *disasm;   /* (borrowed) */
	VmifsSymbols *symbols; /* (borrowed) (nullable) where functions begin */
	guint64 kernel_start;  /* what lies below it is no text of the kernel's */
	GArray *found;         /* (borrowed) of guint64: addresses, those that are stored */
	guint most;            /* are stored ... */
	guint64 n;             /* ... of so many */
	guint64 budget;        /* bytes that may still be disassembled */

	/* Where the disassembling has come to. */
	gboolean is_in_step;
	guint64 function, at;
} VmifsWrites;

/* Looks at `count` bytes from `from` on of the len bytes at va; those around them are there for
 * what begins before or ends behind. Pieces come in order. */
void
vmifs_writes_scan(VmifsWrites *writes, const guint8 *code, gsize len, guint64 va, gsize from,
		  gsize count);
/* All of the text. CORRUPT: it is none. */
gboolean
vmifs_writes_find(VmifsWrites *writes, VmifsAspace *kernel, const VmifsCall *call, GError **error);

G_END_DECLS
