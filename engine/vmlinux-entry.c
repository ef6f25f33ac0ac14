/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmlinux-entry: see the header. */
#include "vmlinux-entry.h"

#include <dwarf.h>
#include <gelf.h>
#include <string.h>

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

void
vmifs_entry_texts_find(Elf *elf, VmifsEntryTexts *ret)
{
	static const char *const names[] = { ".debug_str", ".debug_line_str" };
	Elf_Scn *scn = NULL;
	GElf_Shdr section;
	size_t index;

	if (elf_getshdrstrndx(elf, &index) != 0)
		return;
	while ((scn = elf_nextscn(elf, scn))) {
		const char *name = gelf_getshdr(scn, &section)
					   ? elf_strptr(elf, index, section.sh_name)
					   : NULL;
		gsize i = name && g_str_equal(name, names[1]);
		if (!name || !g_str_equal(name, names[i]) || ret->of[i].start)
			continue;
		Elf_Data *data = elf_getdata(scn, NULL);
		const char *bytes = data ? data->d_buf : NULL;
		if (bytes && data->d_size && !bytes[data->d_size - 1]) {
			ret->of[i].start = bytes;
			ret->of[i].len = data->d_size;
		}
	}
}
