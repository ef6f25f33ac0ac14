/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-table: what was inferred, and types made of it. A member of an embedded structure ("a.b")
 * becomes a member of a nameless one that begins where the first of those that are known does.
 */
#include "infer.h"

#include <string.h>

typedef struct {
	const char *structure, *path; /* (static) */
	guint64 offset, size, elem_size;
	gboolean is_array;
	gboolean is_done; /* told already */
} Row;

typedef struct {
	const char *name; /* (static) */
	gint64 number;
} Number;

struct LinuxInferred {
	guint ptr;
	GArray *rows;   /* of Row; those of one structure need not be together */
	GArray *values; /* of Number */
	GArray *sizes;  /* of Number */
};

LinuxInferred *
linux_inferred_new(guint ptr)
{
	LinuxInferred *table = g_new0(LinuxInferred, 1);

	table->ptr = ptr;
	table->rows = g_array_new(FALSE, FALSE, sizeof(Row));
	table->values = g_array_new(FALSE, FALSE, sizeof(Number));
	table->sizes = g_array_new(FALSE, FALSE, sizeof(Number));
	return table;
}

void
linux_inferred_free(LinuxInferred *table)
{
	g_array_unref(table->rows);
	g_array_unref(table->values);
	g_array_unref(table->sizes);
	g_free(table);
}

void
linux_inferred_put(LinuxInferred *table, const char *structure, const char *path, guint64 offset,
		   guint64 size)
{
	Row row = { structure, path, offset, size, size, FALSE, FALSE };

	g_array_append_val(table->rows, row);
}

void
linux_inferred_put_array(LinuxInferred *table, const char *structure, const char *path,
			 guint64 offset, guint64 elem_size, guint64 count)
{
	Row row = { structure, path, offset, elem_size * count, elem_size, TRUE, FALSE };

	g_array_append_val(table->rows, row);
}

void
linux_inferred_put_value(LinuxInferred *table, const char *name, gint64 value)
{
	Number number = { name, value };

	g_array_append_val(table->values, number);
}

void
linux_inferred_put_size(LinuxInferred *table, const char *structure, guint64 size)
{
	Number number = { structure, (gint64) size };

	g_array_append_val(table->sizes, number);
}

static const Row *
find(const LinuxInferred *table, const char *structure, const char *path)
{
	for (guint i = 0; i < table->rows->len; i++) {
		const Row *row = &g_array_index(table->rows, Row, i);

		if (g_str_equal(row->structure, structure) && g_str_equal(row->path, path))
			return row;
	}
	return NULL;
}

gboolean
linux_inferred_get(const LinuxInferred *table, const char *structure, const char *path,
		   guint64 *ret)
{
	const Row *row = find(table, structure, path);

	if (row)
		*ret = row->offset;
	return row != NULL;
}

gboolean
linux_inferred_get_array(const LinuxInferred *table, const char *structure, const char *path,
			 guint64 *ret, guint64 *ret_elem_size, guint64 *ret_count)
{
	const Row *row = find(table, structure, path);

	if (!row || !row->is_array || !row->elem_size)
		return FALSE;
	*ret = row->offset;
	*ret_elem_size = row->elem_size;
	*ret_count = row->size / row->elem_size;
	return TRUE;
}

guint
linux_inferred_count(const LinuxInferred *table)
{
	return table->rows->len;
}

static void
begin_round(const LinuxInferred *table)
{
	for (guint i = 0; i < table->rows->len; i++)
		g_array_index(table->rows, Row, i).is_done = FALSE;
}

/* The rest of a path in that embedded structure; NULL: it is not in it. */
static const char *
rest_of(const char *path, const char *first, gsize len)
{
	return !strncmp(path, first, len) && path[len] == '.' ? path + len + 1 : NULL;
}

/* ---- for the log ---- */

void
linux_inferred_tell(const LinuxInferred *table, const Linux *os)
{
	begin_round(table);
	for (guint i = 0; i < table->rows->len; i++) {
		const char *structure = g_array_index(table->rows, Row, i).structure;
		g_autoptr(GString) line = g_string_new(NULL);

		for (guint k = i; k < table->rows->len; k++) {
			Row *row = &g_array_index(table->rows, Row, k);
			if (row->is_done || !g_str_equal(row->structure, structure))
				continue;
			row->is_done = TRUE;
			g_string_append_printf(line, "%s %s %" G_GUINT64_FORMAT,
					       line->len ? "," : "", row->path, row->offset);
		}
		if (line->len)
			vmifs_guest_log(os->guest, "inferred of %s:%s", structure, line->str);
	}
}

/* ---- types ---- */

static guint32
type_of(VmifsTypesBuilder *b, const Row *row)
{
	guint32 elem = vmifs_types_builder_int(b, (guint32) row->elem_size);

	return row->is_array ? vmifs_types_builder_array(b, 0, elem,
							 (guint32) (row->size / row->elem_size))
			     : elem;
}

/* A nameless structure of all that is known below the first part of this row's path. */
static guint32
embedded(const LinuxInferred *table, VmifsTypesBuilder *b, const Row *row, gsize len,
	 guint64 *ret_offset)
{
	guint64 start = G_MAXUINT64, end = 0;
	g_autoptr(GArray) types = g_array_new(FALSE, FALSE, sizeof(guint32));

	for (guint i = 0; i < table->rows->len; i++) {
		const Row *other = &g_array_index(table->rows, Row, i);
		guint32 type = 0;

		if (g_str_equal(other->structure, row->structure) &&
		    rest_of(other->path, row->path, len)) {
			start = MIN(start, other->offset);
			end = MAX(end, other->offset + other->size);
			type = type_of(b, other);
		}
		g_array_append_val(types, type);
	}
	guint32 id = vmifs_types_builder_struct(b, 0, NULL, (guint32) (end - start));
	for (guint i = 0; i < table->rows->len; i++) {
		Row *other = &g_array_index(table->rows, Row, i);

		if (!g_array_index(types, guint32, i))
			continue;
		other->is_done = TRUE;
		vmifs_types_builder_member(b, rest_of(other->path, row->path, len),
					   g_array_index(types, guint32, i),
					   (other->offset - start) * 8, 0);
	}
	*ret_offset = start;
	return id;
}

typedef struct {
	char *name; /* (full) */
	guint32 type;
	guint64 offset;
} Member;

static void
clear_member(gpointer member)
{
	g_free(((Member *) member)->name);
}

static void
add_structure(const LinuxInferred *table, VmifsTypesBuilder *b, guint first)
{
	const char *structure = g_array_index(table->rows, Row, first).structure;
	g_autoptr(GArray) members = g_array_new(FALSE, FALSE, sizeof(Member));
	guint64 size = 0;

	g_array_set_clear_func(members, clear_member);
	/* Where its end is not known it ends with what is known of it. */
	for (guint i = first; i < table->rows->len; i++) {
		const Row *row = &g_array_index(table->rows, Row, i);
		if (g_str_equal(row->structure, structure))
			size = MAX(size, row->offset + row->size);
	}
	for (guint i = first; i < table->rows->len; i++) {
		Row *row = &g_array_index(table->rows, Row, i);
		gsize len = strcspn(row->path, ".");
		Member m = { .offset = row->offset };

		if (row->is_done || !g_str_equal(row->structure, structure))
			continue;
		row->is_done = TRUE;
		m.type = row->path[len] ? embedded(table, b, row, len, &m.offset) : type_of(b, row);
		m.name = g_strndup(row->path, len);
		g_array_append_val(members, m);
	}
	for (guint i = 0; i < table->sizes->len; i++) {
		const Number *n = &g_array_index(table->sizes, Number, i);
		if (g_str_equal(n->name, structure))
			size = (guint64) n->number;
	}
	vmifs_types_builder_struct(b, 0, structure, (guint32) size);
	for (guint i = 0; i < members->len; i++) {
		const Member *m = &g_array_index(members, Member, i);
		vmifs_types_builder_member(b, m->name, m->type, m->offset * 8, 0);
	}
}

VmifsTypes *
linux_inferred_types(const LinuxInferred *table, GError **error)
{
	VmifsTypesBuilder *b = vmifs_types_builder_new(table->ptr);

	begin_round(table);
	for (guint i = 0; i < table->rows->len; i++) {
		if (!g_array_index(table->rows, Row, i).is_done)
			add_structure(table, b, i);
	}
	if (table->values->len)
		vmifs_types_builder_enum(b, 0, NULL, 4);
	for (guint i = 0; i < table->values->len; i++) {
		const Number *n = &g_array_index(table->values, Number, i);
		vmifs_types_builder_enumerator(b, n->name, n->number);
	}
	return vmifs_types_builder_end(b, error);
}
