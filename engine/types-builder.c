/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * types-builder: types that come from elsewhere than BTF are written down as BTF, so that there is
 * one reader with its bounds and nothing behind it knows of any other source. Records are collected
 * by id and written in that order at the end, which lets a type be referred to before it is known:
 *
 *   types[id - 1] = { kind, name, size, first word, words }     words: | members of one | ... |
 */
#include "btf.h"

#include <string.h>
#include <vmifs/error.h>
#include <vmifs/types.h>

#define MAX_WORDS (VMIFS_BTF_MAX_BLOB / 2 / sizeof(guint32))
#define MAX_STRINGS (VMIFS_BTF_MAX_BLOB / 2)
#define MAX_VLEN 0xffff
/* In a structure that may have bitfields there are 24 bits for where a member lies. */
#define MAX_BIT_OFFSET 0xffffff
#define MEMBER_WORDS 3

typedef struct {
	guint8 kind;            /* FWD until it is told */
	guint32 name;           /* string offset */
	guint32 size;           /* or the id it refers to; of an array: its elements */
	guint32 elem;           /* of an array: id */
	guint32 first, n_words; /* of a structure or enum */
} Type;

struct VmifsTypesBuilder {
	GArray *types;    /* of Type */
	GArray *words;    /* of guint32: what follows the records' heads */
	GString *strings; /* each with its NUL */
	guint32 open;     /* id of the structure or enum that grows; 0 = none */
	gboolean is_full;
};

VmifsTypesBuilder *
vmifs_types_builder_new(guint pointer_len)
{
	VmifsTypesBuilder *builder = g_new0(VmifsTypesBuilder, 1);

	builder->types = g_array_new(FALSE, FALSE, sizeof(Type));
	builder->words = g_array_new(FALSE, FALSE, sizeof(guint32));
	builder->strings = g_string_new(NULL);
	g_string_append_c(builder->strings, '\0');
	/* Which tells the reader how long pointers are. */
	guint32 id = vmifs_types_builder_int(builder, pointer_len);
	Type *type = &g_array_index(builder->types, Type, id - 1);
	type->name = builder->strings->len;
	g_string_append_len(builder->strings, "unsigned long", sizeof "unsigned long");
	return builder;
}

void
vmifs_types_builder_set_pointer_len(VmifsTypesBuilder *builder, guint pointer_len)
{
	g_array_index(builder->types, Type, 0).size = pointer_len;
}

void
vmifs_types_builder_free(VmifsTypesBuilder *builder)
{
	if (!builder)
		return;
	g_array_unref(builder->types);
	g_array_unref(builder->words);
	g_string_free(builder->strings, TRUE);
	g_free(builder);
}

static guint32
add_string(VmifsTypesBuilder *builder, const char *string)
{
	guint32 at = builder->strings->len;
	gsize len = string ? strlen(string) : 0;

	if (!len)
		return 0;
	if (len >= MAX_STRINGS - at) {
		builder->is_full = TRUE;
		return 0;
	}
	g_string_append_len(builder->strings, string, len + 1);
	return at;
}

guint32
vmifs_types_builder_reserve(VmifsTypesBuilder *builder)
{
	Type type = { .kind = VMIFS_BTF_FWD };

	if (builder->types->len >= VMIFS_BTF_MAX_TYPES - 1) {
		builder->is_full = TRUE;
		return builder->types->len;
	}
	g_array_append_val(builder->types, type);
	return builder->types->len;
}

/* Gives the type its meaning. Returns: its record; NULL when it has one, or was never reserved. */
static Type *
tell(VmifsTypesBuilder *builder, guint32 *id, guint8 kind, const char *name, guint32 size)
{
	if (!*id)
		*id = vmifs_types_builder_reserve(builder);
	if (*id > builder->types->len)
		return NULL;
	Type *type = &g_array_index(builder->types, Type, *id - 1);
	if (type->kind != VMIFS_BTF_FWD)
		return NULL;
	type->kind = kind;
	type->name = add_string(builder, name);
	type->size = size;
	return type;
}

guint32
vmifs_types_builder_int(VmifsTypesBuilder *builder, guint32 len)
{
	guint32 id = 0;

	tell(builder, &id, VMIFS_BTF_INT, NULL, len);
	return id;
}

guint32
vmifs_types_builder_pointer(VmifsTypesBuilder *builder, guint32 id, guint32 to)
{
	tell(builder, &id, VMIFS_BTF_PTR, NULL, to);
	return id;
}

guint32
vmifs_types_builder_array(VmifsTypesBuilder *builder, guint32 id, guint32 elem, guint32 count)
{
	Type *type = tell(builder, &id, VMIFS_BTF_ARRAY, NULL, count);

	if (type)
		type->elem = elem;
	return id;
}

guint32
vmifs_types_builder_typedef(VmifsTypesBuilder *builder, guint32 id, const char *name, guint32 to)
{
	tell(builder, &id, VMIFS_BTF_TYPEDEF, name, to);
	return id;
}

static guint32
begin(VmifsTypesBuilder *builder, guint32 id, guint8 kind, const char *name, guint32 len)
{
	Type *type = tell(builder, &id, kind, name, len);

	builder->open = type ? id : 0;
	if (type)
		type->first = builder->words->len;
	return id;
}

guint32
vmifs_types_builder_struct(VmifsTypesBuilder *builder, guint32 id, const char *name, guint32 len)
{
	return begin(builder, id, VMIFS_BTF_STRUCT, name, len);
}

guint32
vmifs_types_builder_enum(VmifsTypesBuilder *builder, guint32 id, const char *name, guint32 len)
{
	return begin(builder, id, VMIFS_BTF_ENUM64, name, len);
}

/* The structure or enum that is open; NULL when none of that kind is, or it has all it can. */
static Type *
open_type(VmifsTypesBuilder *builder, guint8 kind)
{
	if (!builder->open)
		return NULL;
	Type *type = &g_array_index(builder->types, Type, builder->open - 1);
	if (type->n_words / MEMBER_WORDS >= MAX_VLEN)
		builder->is_full = TRUE;
	return type->kind == kind && !builder->is_full ? type : NULL;
}

static void
add_words(VmifsTypesBuilder *builder, Type *type, const guint32 words[MEMBER_WORDS])
{
	if (builder->words->len > MAX_WORDS - MEMBER_WORDS) {
		builder->is_full = TRUE;
		return;
	}
	g_array_append_vals(builder->words, words, MEMBER_WORDS);
	type->n_words += MEMBER_WORDS;
}

void
vmifs_types_builder_member(VmifsTypesBuilder *builder, const char *name, guint32 id,
			   guint64 bit_offset, guint8 bit_len)
{
	Type *type = open_type(builder, VMIFS_BTF_STRUCT);
	guint32 words[MEMBER_WORDS] = { 0, id, 0 };

	if (!type || bit_offset > MAX_BIT_OFFSET)
		return;
	words[0] = add_string(builder, name);
	words[2] = (guint32) bit_offset | (guint32) bit_len << 24;
	add_words(builder, type, words);
}

void
vmifs_types_builder_enumerator(VmifsTypesBuilder *builder, const char *name, gint64 value)
{
	Type *type = open_type(builder, VMIFS_BTF_ENUM64);
	guint32 words[MEMBER_WORDS] = { 0, (guint32) value, (guint32) ((guint64) value >> 32) };

	if (!type)
		return;
	words[0] = add_string(builder, name);
	add_words(builder, type, words);
}

/* ---- writing ---- */

static void
append(GByteArray *blob, const guint32 *words, gsize n)
{
	for (gsize i = 0; i < n; i++) {
		guint32 word = GUINT32_TO_LE(words[i]);
		g_byte_array_append(blob, (const guint8 *) &word, sizeof word);
	}
}

static void
append_type(const VmifsTypesBuilder *builder, const Type *type, GByteArray *blob)
{
	gboolean is_array = type->kind == VMIFS_BTF_ARRAY;
	gboolean has_bitfields = type->kind == VMIFS_BTF_STRUCT;
	guint32 info = (guint32) has_bitfields << 31 | (guint32) type->kind << 24;
	guint32 head[] = { type->name, info | type->n_words / MEMBER_WORDS,
			   is_array ? 0 : type->size };
	guint32 array[] = { type->elem, 1, type->size };
	guint32 bits = type->size * 8;

	append(blob, head, G_N_ELEMENTS(head));
	if (is_array)
		append(blob, array, G_N_ELEMENTS(array));
	if (type->kind == VMIFS_BTF_INT)
		append(blob, &bits, 1);
	if (type->n_words)
		append(blob, &g_array_index(builder->words, guint32, type->first), type->n_words);
}

/* (full) */
static GByteArray *
write_blob(const VmifsTypesBuilder *builder)
{
	GByteArray *types = g_byte_array_new();

	for (guint i = 0; i < builder->types->len; i++)
		append_type(builder, &g_array_index(builder->types, Type, i), types);
	guint32 header[] = {
		0x0001eb9f, 24, 0, types->len, types->len, (guint32) builder->strings->len,
	};
	GByteArray *blob = g_byte_array_new();
	append(blob, header, G_N_ELEMENTS(header));
	g_byte_array_append(blob, types->data, types->len);
	g_byte_array_append(blob, (const guint8 *) builder->strings->str,
			    (guint) builder->strings->len);
	g_byte_array_unref(types);
	return blob;
}

VmifsTypes *
vmifs_types_builder_end(VmifsTypesBuilder *builder, GError **error)
{
	g_autoptr(VmifsTypesBuilder) taken = builder;

	if (taken->is_full) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "more types than any kernel has");
		return NULL;
	}
	g_autoptr(GByteArray) blob = write_blob(taken);
	g_clear_pointer(&taken, vmifs_types_builder_free);
	return vmifs_types_new_btf(blob->data, blob->len, error);
}
