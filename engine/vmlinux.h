/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmlinux: what a kernel's own file, as it was linked, tells of it: ELF, with debug information
 * (DWARF), types (.BTF) or symbols alone, also one that was split off (.debug). A build without
 * libdw cannot read any.
 */
#pragma once

#include "given.h"

G_BEGIN_DECLS

struct Elf; /* of libelf */

extern const gboolean vmifs_vmlinux_is_readable;

/* bytes: (borrowed) the whole file, which nobody has looked at; libelf writes to its section
 * headers where it unpacks. wanted: which structures are taken out of DWARF, where there is no
 * .BTF, which has all. ret: see given.h. */
gboolean
vmifs_vmlinux_read(gpointer bytes, gsize len, const VmifsWanted *wanted, VmifsGiven *ret,
		   const VmifsCall *call, GError **error);

/* Private: the structures that are wanted, out of the DWARF of an ELF file. (full) NULL without
 * error: there is none in it. */
VmifsTypes *
vmifs_vmlinux_dwarf(struct Elf *elf, guint pointer_len, const VmifsWanted *wanted,
		    const VmifsCall *call, GError **error);

G_END_DECLS
