/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * get: what decoders ask of the kernel by name: members of its structures by field of layout.def,
 * variables by symbol. Most follow pointers and need two or three members of each object.
 */
#include "linux.h"

#include <spi/bytes.h>

/* ---- members ---- */

gboolean
linux_member(const Linux *os, LinuxField field, VmifsMember *ret, GError **error)
{
	const VmifsMember *member = linux_layout_member(os->layout, field);

	if (!member) {
		linux_layout_require(os->layout, &field, 1, error);
		return FALSE;
	}
	*ret = *member;
	return TRUE;
}

gboolean
linux_offset(const Linux *os, LinuxField field, guint64 *ret, GError **error)
{
	VmifsMember member;

	if (!linux_member(os, field, &member, error))
		return FALSE;
	*ret = member.offset;
	return TRUE;
}

gboolean
linux_sizeof(const Linux *os, LinuxStruct structure, guint64 *ret, GError **error)
{
	guint64 size = linux_layout_sizeof(os->layout, structure);

	if (!size) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "the kernel's types lack %s", linux_struct_name(structure));
		return FALSE;
	}
	*ret = size;
	return TRUE;
}

gboolean
linux_value(const Linux *os, LinuxValue value, guint64 *ret, GError **error)
{
	gint64 number;

	if (!linux_layout_value(os->layout, value, &number)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "the kernel's types lack %s", linux_value_name(value));
		return FALSE;
	}
	*ret = (guint64) number;
	return TRUE;
}

gboolean
linux_load(const Linux *os, guint64 address, guint64 size, guint64 *ret, GError **error)
{
	guint8 one;
	guint16 two;
	guint32 four;

	switch (size) {
	case 8:
		return vmifs_aspace_read_u64(os->aspace, address, ret, error);
	case 4:
		return vmifs_aspace_read_u32(os->aspace, address, &four, error) &&
		       (*ret = four, TRUE);
	case 2:
		return vmifs_aspace_read_u16(os->aspace, address, &two, error) &&
		       (*ret = two, TRUE);
	case 1:
		return vmifs_aspace_read_u8(os->aspace, address, &one, error) && (*ret = one, TRUE);
	default:
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "a number of %" G_GUINT64_FORMAT " bytes", size);
		return FALSE;
	}
}

guint64
linux_word_at(const Linux *os, gconstpointer words, gsize i)
{
	return linux_word(os) == 8 ? vmifs_load_u64((const guint8 *) words + i * 8)
				   : vmifs_load_u32((const guint8 *) words + i * 4);
}

gboolean
linux_get_bytes(const Linux *os, guint64 object, LinuxField field, gpointer buf, gsize len,
		GError **error)
{
	VmifsMember member;

	return linux_member(os, field, &member, error) &&
	       vmifs_aspace_read(os->aspace, object + member.offset, buf, MIN(len, member.size),
				 error);
}

guint64
linux_take(LinuxCursor *c, guint64 object, LinuxField field)
{
	guint64 value;

	return !c->error && linux_get(c->os, object, field, &value, &c->error) ? value : 0;
}

gboolean
linux_cursor_is_unknown(LinuxCursor *c)
{
	if (!c->os->is_partial || !g_error_matches(c->error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED))
		return FALSE;
	g_clear_error(&c->error);
	return TRUE;
}

gboolean
linux_cursor_end(LinuxCursor *c, GError **error)
{
	if (!c->error)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&c->error));
	return FALSE;
}

/* ---- symbols ---- */

gboolean
linux_symbol(const Linux *os, const char *name, guint64 *ret, GError **error)
{
	if (os->symbols && vmifs_symbols_lookup(os->symbols, name, ret))
		return TRUE;
	if (os->is_text_only) {
		const LinuxClaim claim = { .exports = os->found->exports,
					   .note = os->found->vmcoreinfo };
		if (linux_claim_symbol(&claim, name, ret) ||
		    (os->followed && vmifs_symbols_lookup(os->followed, name, ret)))
			return TRUE;
	}
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "the kernel's symbols lack %s",
		    name);
	return FALSE;
}

gboolean
linux_variable(const Linux *os, const char *name, guint32 size, guint64 *ret, GError **error)
{
	guint64 address;

	if (!linux_symbol(os, name, &address, error))
		return FALSE;
	if (!linux_load(os, address, size, ret, error)) {
		g_prefix_error(error, "%s: ", name);
		return FALSE;
	}
	return TRUE;
}

gboolean
linux_word_variable(const Linux *os, const char *name, guint64 *ret, GError **error)
{
	return linux_variable(os, name, linux_word(os), ret, error);
}

gboolean
linux_is_symbol(const Linux *os, guint64 address, const char *name)
{
	guint64 known;

	return linux_symbol(os, name, &known, NULL) && known == address;
}
