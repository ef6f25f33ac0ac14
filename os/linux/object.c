/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* object: loads of members out of a buffer, each within its bounds. */
#include "object.h"

#include <spi/bytes.h>
#include <vmifs/error.h>

void
linux_object_clear(LinuxObject *object)
{
	g_free(object->own);
	*object = LINUX_OBJECT_INIT(object->layout, object->aspace);
}

gboolean
linux_object_read(LinuxObject *object, LinuxStruct structure, guint64 va, GError **error)
{
	gsize len = linux_layout_span(object->layout, structure);

	object->data = NULL;
	object->len = 0;
	if (!len) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "the kernel's types lack %s", linux_struct_name(structure));
		return FALSE;
	}
	if (object->room < len) {
		object->own = g_realloc(object->own, len);
		object->room = len;
	}
	if (!vmifs_aspace_read(object->aspace, va, object->own, len, error)) {
		g_prefix_error(error,
			       "%s at 0x%" G_GINT64_MODIFIER "x: ", linux_struct_name(structure),
			       va);
		return FALSE;
	}
	linux_object_view(object, structure, va, object->own, len);
	return TRUE;
}

void
linux_object_view(LinuxObject *object, LinuxStruct structure, guint64 va, gconstpointer data,
		  gsize len)
{
	object->structure = structure;
	object->va = va;
	object->data = data;
	object->len = len;
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

/* The member, when it is there and its element `index` lies within the object. */
static const VmifsMember *
find(const LinuxObject *object, LinuxField field, guint64 index, gsize *ret_at)
{
	const VmifsMember *member = linux_layout_member(object->layout, field);
	guint64 at;

	g_assert(!object->data || linux_field_struct(field) == object->structure);
	if (!member || index >= member->count)
		return NULL;
	/* Cannot wrap: the whole member lies within its structure. */
	at = member->offset + index * member->elem_size;
	if (!vmifs_in_bounds(at, member->elem_size, object->len))
		return NULL;
	*ret_at = at;
	return member;
}

guint64
linux_object_element(const LinuxObject *object, LinuxField field, guint64 index)
{
	gsize at;
	const VmifsMember *member = find(object, field, index, &at);

	return member ? load(member, object->data + at) : 0;
}

guint64
linux_object_u64(const LinuxObject *object, LinuxField field)
{
	return linux_object_element(object, field, 0);
}

gint64
linux_object_s64(const LinuxObject *object, LinuxField field)
{
	const VmifsMember *member = linux_layout_member(object->layout, field);
	guint64 number = linux_object_u64(object, field);
	guint bits;

	if (!member)
		return 0;
	bits = member->bit_len ? member->bit_len : MIN(member->elem_size, 8) * 8;
	if (!bits || bits >= 64)
		return (gint64) number;
	return (gint64) (number << (64 - bits)) >> (64 - bits);
}

const guint8 *
linux_object_bytes(const LinuxObject *object, LinuxField field, gsize *ret_len)
{
	const VmifsMember *member = linux_layout_member(object->layout, field);

	*ret_len = 0;
	g_assert(!object->data || linux_field_struct(field) == object->structure);
	if (!member || !vmifs_in_bounds(member->offset, member->size, object->len))
		return NULL;
	*ret_len = member->size;
	return object->data + member->offset;
}

char *
linux_object_string(const LinuxObject *object, LinuxField field)
{
	gsize len;
	const char *bytes = (const char *) linux_object_bytes(object, field, &len);

	return bytes ? g_strndup(bytes, len) : g_strdup("");
}

guint64
linux_object_address(const LinuxObject *object, LinuxField field)
{
	return linux_layout_element(object->layout, field, object->va, 0);
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
