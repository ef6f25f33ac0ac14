/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmlinux-entry: see the header. */
#include "vmlinux-entry.h"

#include <dwarf.h>
#include <gelf.h>
#include <spi/bytes.h>
#include <string.h>

/* Bytes of all units' tables of abbreviations, of which libdw makes ten times as much: of kernels
 * it is five MB. */
#define MAX_TABLES (G_GUINT64_CONSTANT(256) << 20)
#define NO_ATTRIBUTE 0xfffffffe /* which none has */

gboolean
vmifs_entry_is_whole(Dwarf_Die *die)
{
	Dwarf_Attribute attr;

	dwarf_attr(die, NO_ATTRIBUTE, &attr);
	return attr.valp && attr.code != NO_ATTRIBUTE;
}

gboolean
vmifs_entry_number(Dwarf_Die *die, guint name, guint64 *ret)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;

	if (!dwarf_attr(die, name, &attr) || dwarf_formudata(&attr, &value) != 0)
		return FALSE;
	*ret = value;
	return TRUE;
}

const char *
vmifs_entry_text(const VmifsEntryTexts *texts, Dwarf_Die *die, guint name)
{
	Dwarf_Attribute attr;
	const char *text = dwarf_attr(die, name, &attr) ? dwarf_formstring(&attr) : NULL;
	gboolean ends = text && attr.form == DW_FORM_string;

	for (gsize i = 0; text && i < G_N_ELEMENTS(texts->of); i++)
		ends |= (gsize) text - (gsize) texts->of[i].start < texts->of[i].len;
	return ends ? text : NULL;
}

gboolean
vmifs_entry_type(Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Attribute attr;

	return dwarf_attr(die, DW_AT_type, &attr) && dwarf_formref_die(&attr, ret);
}

gboolean
vmifs_entry_place(Dwarf_Die *die, guint64 *ret)
{
	Dwarf_Attribute attr;
	Dwarf_Block block;

	*ret = 0;
	if (!dwarf_attr(die, DW_AT_data_member_location, &attr) ||
	    vmifs_entry_number(die, DW_AT_data_member_location, ret))
		return TRUE;
	if (dwarf_formblock(&attr, &block) != 0 || block.length < 2 || block.length > 6 ||
	    block.data[0] != DW_OP_plus_uconst)
		return FALSE;
	for (guint i = 1; i < block.length; i++)
		*ret |= (guint64) (block.data[i] & 0x7f) << 7 * (i - 1);
	return TRUE;
}

gboolean
vmifs_entry_bits(Dwarf_Die *die, guint64 place, guint64 len, guint64 *ret)
{
	guint64 from_top, size;

	if (vmifs_entry_number(die, DW_AT_data_bit_offset, ret))
		return TRUE;
	if (!vmifs_entry_number(die, DW_AT_bit_offset, &from_top)) {
		*ret = place * 8;
		return TRUE;
	}
	if (!vmifs_entry_number(die, DW_AT_byte_size, &size) || size > 8 ||
	    from_top + len > size * 8)
		return FALSE;
	*ret = (place + size) * 8 - from_top - len;
	return TRUE;
}

guint32
vmifs_entry_count(Dwarf_Die *range)
{
	guint64 count;

	if (!vmifs_entry_number(range, DW_AT_count, &count)) {
		if (!vmifs_entry_number(range, DW_AT_upper_bound, &count))
			return 0;
		count++;
	}
	return count <= G_MAXUINT32 ? (guint32) count : 0;
}

/* ---- sections ---- */

/* (nullable) As libdw has it, which has unpacked it. */
static const Elf_Data *
find_section(Elf *elf, const char *wanted)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr section;
	size_t index;

	if (elf_getshdrstrndx(elf, &index) != 0)
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		const char *name = gelf_getshdr(scn, &section)
					   ? elf_strptr(elf, index, section.sh_name)
					   : NULL;
		if (name && g_str_equal(name, wanted))
			break;
	}
	const Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	return data && data->d_buf && data->d_size ? data : NULL;
}

void
vmifs_entry_texts_find(Elf *elf, VmifsEntryTexts *ret)
{
	static const char *const names[] = { ".debug_str", ".debug_line_str" };

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		const Elf_Data *data = find_section(elf, names[i]);
		const char *bytes = data ? data->d_buf : NULL;

		if (bytes && !bytes[data->d_size - 1]) {
			ret->of[i].start = bytes;
			ret->of[i].len = data->d_size;
		}
	}
}

/* ---- abbreviations ---- */

/* Of ten bytes at most, of which libdw takes 32 bits. FALSE: it has no end. */
static gboolean
take_number(VmifsBytes *at, guint32 *ret)
{
	guint64 number = 0;

	for (guint shift = 0; shift < 70; shift += 7) {
		guint8 byte = vmifs_bytes_u8(at);

		number |= (guint64) (byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		*ret = (guint32) number;
		return !at->failed;
	}
	return FALSE;
}

/* Of the table that begins there; G_MAXUINT64: it is broken. */
static guint64
len_of_table(const Elf_Data *section, guint64 offset)
{
	if (!section || offset >= section->d_size)
		return 0;
	VmifsBytes at =
		vmifs_bytes((const guint8 *) section->d_buf + offset, section->d_size - offset);
	for (;;) {
		guint32 code, tag, name, form, number;

		if (at.at == at.len || !at.data[at.at])
			return at.at;
		if (!take_number(&at, &code) || !take_number(&at, &tag))
			return G_MAXUINT64;
		vmifs_bytes_u8(&at); /* may it have entries within? */
		do {
			if (!take_number(&at, &name) || !take_number(&at, &form) ||
			    (form == DW_FORM_implicit_const && !take_number(&at, &number)))
				return G_MAXUINT64;
		} while (name || form);
	}
}

/* ---- units ---- */

/* types: those of DWARF 4 that have a section of their own. */
static gboolean
add_units(Dwarf *dwarf, const Elf_Data *tables, gboolean types, guint64 *units_len, guint64 *left)
{
	guint64 signature, table = G_MAXUINT64, len = 0;
	Dwarf_Off at = 0, end, abbreviations;
	size_t head_len;

	while (dwarf_next_unit(dwarf, at, &end, &head_len, NULL, &abbreviations, NULL, NULL,
			       types ? &signature : NULL, NULL) == 0 &&
	       end > at) {
		if (abbreviations != table)
			len = len_of_table(tables, abbreviations);
		table = abbreviations;
		if (len > *left)
			return FALSE;
		*left -= len;
		at = end;
	}
	*units_len += at;
	return TRUE;
}

gboolean
vmifs_entry_measure(Elf *elf, Dwarf *dwarf, guint64 *ret_len)
{
	const Elf_Data *tables = find_section(elf, ".debug_abbrev");
	guint64 left = MAX_TABLES;

	*ret_len = 0;
	return add_units(dwarf, tables, FALSE, ret_len, &left) &&
	       add_units(dwarf, tables, TRUE, ret_len, &left);
}
