/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* object: loads of members out of a buffer, each within its bounds. */
#include "object.h"

#include <spi/bytes.h>
#include <vmifs/error.h>

void
linux_object_clear(LinuxObject *object)
{
	g_free(object->data);
	*object = LINUX_OBJECT_INIT(object->layout, object->aspace);
}

gboolean
linux_object_read(LinuxObject *object, LinuxStruct structure, guint64 va, GError **error)
{
	gsize len = linux_layout_span(object->layout, structure);

	object->structure = structure;
	object->len = 0;
	if (!len) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "the kernel's types lack %s", linux_struct_name(structure));
		return FALSE;
	}
	if (object->room < len) {
		object->data = g_realloc(object->data, len);
		object->room = len;
	}
	if (!vmifs_aspace_read(object->aspace, va, object->data, len, error)) {
		g_prefix_error(error,
			       "%s at 0x%" G_GINT64_MODIFIER "x: ", linux_struct_name(structure),
			       va);
		return FALSE;
	}
	object->len = len;
	return TRUE;
}

/* The number in the storage of a member; 0 when that is no number. */
static guint64
load(const VmifsMember *member, const guint8 *data)
{
	guint64 number;

	switch (member->elem_size) {
	case 1:
		number = *data;
		break;
	case 2:
		number = vmifs_load_u16(data);
		break;
	case 4:
		number = vmifs_load_u32(data);
		break;
	case 8:
		number = vmifs_load_u64(data);
		break;
	default:
		return 0;
	}
	number >>= member->bit_shift;
	if (member->bit_len && member->bit_len < 64)
		number &= (G_GUINT64_CONSTANT(1) << member->bit_len) - 1;
	return number;
}

guint64
linux_object_u64(const LinuxObject *object, LinuxField field)
{
	const VmifsMember *member = linux_layout_member(object->layout, field);

	g_assert(linux_field_struct(field) == object->structure);
	/* An open-ended array has no element of its own. */
	if (!member || !member->count ||
	    !vmifs_in_bounds(member->offset, member->elem_size, object->len))
		return 0;
	return load(member, object->data + member->offset);
}

gboolean
linux_read_field(VmifsAspace *aspace, const LinuxLayout *layout, LinuxField field, guint64 va,
		 guint64 *ret, GError **error)
{
	const VmifsMember *member = linux_layout_member(layout, field);
	g_autofree char *name = NULL; /* made only where it is told */
	guint8 bytes[8];

	if (!member)
		return LINUX_REQUIRE(layout, error, field);
	if (member->elem_size > sizeof bytes) {
		name = linux_field_name(field);
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "%s is no number", name);
		return FALSE;
	}
	if (!vmifs_aspace_read(aspace, va + member->offset, bytes, member->elem_size, error)) {
		name = linux_field_name(field);
		g_prefix_error(error, "%s of 0x%" G_GINT64_MODIFIER "x: ", name, va);
		return FALSE;
	}
	*ret = load(member, bytes);
	return TRUE;
}
