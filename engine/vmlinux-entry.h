/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmlinux-entry: what an entry of DWARF says of itself, by libdw, which finds where a value begins
 * and looks no further: that an entry ends is asked here, before anything of it is.
 */
#pragma once

#include <elfutils/libdw.h>
#include <glib.h>

G_BEGIN_DECLS

/* Sections of texts of which the last one ends, and so all of them. */
typedef struct {
	struct {
		const char *start;
		gsize len;
	} of[2];
} VmifsEntryTexts;

/* After dwarf_begin_elf(), which unpacks them. ret: comes all zero. */
void
vmifs_entry_texts_find(Elf *elf, VmifsEntryTexts *ret);

/* ret_len: bytes of all units, up to the first whose head is broken. FALSE: to read them takes more
 * memory than those of any kernel: each makes its own of a table that all may share. */
gboolean
vmifs_entry_measure(Elf *elf, Dwarf *dwarf, guint64 *ret_len);

/* Does all of it lie in its unit? What follows is for those alone. */
gboolean
vmifs_entry_is_whole(Dwarf_Die *die);
gboolean
vmifs_entry_number(Dwarf_Die *die, guint name, guint64 *ret);
/* (borrowed) (nullable) */
const char *
vmifs_entry_text(const VmifsEntryTexts *texts, Dwarf_Die *die, guint name);
gboolean
vmifs_entry_type(Dwarf_Die *die, Dwarf_Die *ret);
/* Of a member; what has none, as in unions, is at 0. Before DWARF 3 it is a program of one step. */
gboolean
vmifs_entry_place(Dwarf_Die *die, guint64 *ret);
/* Where a bitfield's lowest bit is: until DWARF 4 its highest one was told, from the storage's. */
gboolean
vmifs_entry_bits(Dwarf_Die *die, guint64 place, guint64 len, guint64 *ret);
/* Of an array's range; one without an end has none of its own: 0. */
guint32
vmifs_entry_count(Dwarf_Die *range);

G_END_DECLS
