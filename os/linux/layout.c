/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* layout: the tables of layout.def, resolved. */
#include "layout.h"

#include <vmifs/error.h>

static const char *const struct_names[] = {
#define STRUCT(name, names) [LINUX_STRUCT_##name] = names,
#include "layout.def"
};

static const struct {
	LinuxStruct structure;
	const char *paths;
} fields[] = {
#define FIELD(structure, name, paths)                                                              \
	[LINUX_FIELD_##structure##_##name] = { LINUX_STRUCT_##structure, paths },
#include "layout.def"
};

static const char *const value_names[] = {
#define VALUE(name) [LINUX_VALUE_##name] = #name,
#include "layout.def"
};

const VmifsWanted linux_wanted = { struct_names, LINUX_N_STRUCTS, value_names, LINUX_N_VALUES };

struct LinuxLayout {
	struct {
		guint64 size; /* 0 = absent */
		gsize span;
	} structs[LINUX_N_STRUCTS];
	struct {
		gboolean known;
		VmifsMember member;
	} fields[LINUX_N_FIELDS];
	struct {
		gboolean known;
		gint64 number;
	} values[LINUX_N_VALUES];
};

/* Returns: (full) the first of the names that is a type of a sane size, NULL when none is. */
static char *
find_struct(const VmifsTypes *types, const char *names, guint64 *ret_size)
{
	g_auto(GStrv) list = g_strsplit(names, "|", -1);

	for (char **name = list; *name; name++) {
		if (vmifs_types_sizeof(types, *name, ret_size) && *ret_size <= LINUX_STRUCT_MAX)
			return g_strdup(*name);
	}
	return NULL;
}

static gboolean
find_field(const VmifsTypes *types, const char *structure, const char *paths, VmifsMember *ret)
{
	g_auto(GStrv) list = g_strsplit(paths, "|", -1);

	for (char **path = list; *path; path++) {
		g_autofree char *full = g_strdup_printf("%s.%s", structure, *path);

		if (vmifs_types_member(types, full, ret))
			return TRUE;
	}
	return FALSE;
}

LinuxLayout *
linux_layout_new(const VmifsTypes *types)
{
	LinuxLayout *layout = g_new0(LinuxLayout, 1);
	char *names[LINUX_N_STRUCTS];

	if (!types)
		return layout;
	for (guint i = 0; i < LINUX_N_STRUCTS; i++) {
		guint64 size;

		names[i] = find_struct(types, struct_names[i], &size);
		if (names[i])
			layout->structs[i].size = size;
	}
	for (guint i = 0; i < LINUX_N_FIELDS; i++) {
		LinuxStruct structure = fields[i].structure;
		VmifsMember *member = &layout->fields[i].member;

		if (!names[structure] ||
		    !find_field(types, names[structure], fields[i].paths, member))
			continue;
		layout->fields[i].known = TRUE;
		layout->structs[structure].span =
			MAX(layout->structs[structure].span, member->offset + member->size);
	}
	for (guint i = 0; i < LINUX_N_VALUES; i++)
		layout->values[i].known =
			vmifs_types_enumerator(types, value_names[i], &layout->values[i].number);
	for (guint i = 0; i < LINUX_N_STRUCTS; i++)
		g_free(names[i]);
	return layout;
}

void
linux_layout_free(LinuxLayout *layout)
{
	g_free(layout);
}

gboolean
linux_layout_has(const LinuxLayout *layout, LinuxField field)
{
	return layout->fields[field].known;
}

gboolean
linux_layout_require(const LinuxLayout *layout, const LinuxField *wanted, gsize n, GError **error)
{
	g_autoptr(GString) absent = g_string_new(NULL);

	for (gsize i = 0; i < n; i++) {
		g_autofree char *name = linux_field_name(wanted[i]);

		if (!linux_layout_has(layout, wanted[i]))
			g_string_append_printf(absent, "%s%s", absent->len ? ", " : "", name);
	}
	if (!absent->len)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "the kernel's types lack %s",
		    absent->str);
	return FALSE;
}

const VmifsMember *
linux_layout_member(const LinuxLayout *layout, LinuxField field)
{
	return layout->fields[field].known ? &layout->fields[field].member : NULL;
}

guint64
linux_layout_sizeof(const LinuxLayout *layout, LinuxStruct structure)
{
	return layout->structs[structure].size;
}

gsize
linux_layout_span(const LinuxLayout *layout, LinuxStruct structure)
{
	return layout->structs[structure].span;
}

gboolean
linux_layout_value(const LinuxLayout *layout, LinuxValue value, gint64 *ret)
{
	if (!layout->values[value].known)
		return FALSE;
	*ret = layout->values[value].number;
	return TRUE;
}

guint64
linux_layout_element(const LinuxLayout *layout, LinuxField field, guint64 va, guint64 index)
{
	const VmifsMember *member = linux_layout_member(layout, field);

	return member ? va + member->offset + index * member->elem_size : 0;
}

LinuxStruct
linux_field_struct(LinuxField field)
{
	return fields[field].structure;
}

const char *
linux_struct_name(LinuxStruct structure)
{
	return struct_names[structure];
}

char *
linux_field_name(LinuxField field)
{
	return g_strdup_printf("%s.%s", struct_names[fields[field].structure], fields[field].paths);
}

const char *
linux_value_name(LinuxValue value)
{
	return value_names[value];
}
