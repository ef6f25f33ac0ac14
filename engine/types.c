/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * types: names on top of btf.c's ids. Two hash tables are made once, of type names and of
 * enumerators: heads[hash] -> entry -> next entry, in the order of the blob. A hostile blob can
 * make names and chains long and definitions many; all of these end at a bound, and what lies
 * beyond counts as unknown: a layout is hundreds of lookups, and they must take no time to speak
 * of.
 */
#include <vmifs/types.h>

#include "btf.h"

#include <spi/bytes.h>
#include <string.h>

#define MAX_CHAIN 1024
#define MAX_DEFINITIONS 8
#define MAX_ENTRIES (1024 * 1024) /* a kernel has 50,000 */
#define MAX_NAME 256              /* longer names are not indexed */

#define NONE G_MAXUINT32

typedef struct {
	guint32 next;
	guint32 name; /* string offset */
	guint32 id;
	guint32 at; /* index of the enumerator in its enum */
} Entry;

typedef struct {
	GArray *entries; /* of Entry */
	guint32 *heads;
	guint32 mask;
} Index;

struct VmifsTypes {
	gatomicrefcount refs;
	VmifsTypes *base; /* (nullable) */
	VmifsBtf *btf;
	Index types; /* struct, union, enum, typedef: what can be defined, so no forward */
	Index enumerators;
};

static guint32
hash_name(const char *name, gsize len)
{
	guint32 hash = 2166136261u;

	for (gsize i = 0; i < len; i++)
		hash = (hash ^ (guint8) name[i]) * 16777619u;
	return hash;
}

static void
index_init(Index *index)
{
	index->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
}

static void
index_clear(Index *index)
{
	g_array_unref(index->entries);
	g_free(index->heads);
}

static void
index_add(Index *index, guint32 name, guint32 id, guint32 at)
{
	Entry entry = { .name = name, .id = id, .at = at };

	if (index->entries->len < MAX_ENTRIES)
		g_array_append_val(index->entries, entry);
}

/* Chains are made from the last entry to the first, so that the first comes first. */
static void
index_end(Index *index, const VmifsBtf *btf)
{
	guint32 n = index->entries->len;
	gsize n_heads = 1;

	while (n_heads < n)
		n_heads *= 2;
	index->mask = n_heads - 1;
	index->heads = g_new(guint32, n_heads);
	memset(index->heads, 0xff, n_heads * sizeof *index->heads);
	while (n--) {
		Entry *entry = &g_array_index(index->entries, Entry, n);
		const char *name = vmifs_btf_string(btf, entry->name);
		guint32 slot = hash_name(name, strnlen(name, MAX_NAME)) & index->mask;

		entry->next = index->heads[slot];
		index->heads[slot] = n;
	}
}

/* The next entry of that name. cursor: of the caller, starts as { 0 }. */
typedef struct {
	gboolean started;
	guint32 next;
	guint steps;
} Cursor;

static const Entry *
index_find(const Index *index, const VmifsBtf *btf, const char *name, gsize len, Cursor *cursor)
{
	if (!cursor->started) {
		cursor->started = TRUE;
		cursor->next = index->heads[hash_name(name, len) & index->mask];
	}
	while (cursor->next != NONE && cursor->steps++ < MAX_CHAIN) {
		const Entry *entry = &g_array_index(index->entries, Entry, cursor->next);
		const char *found = vmifs_btf_string(btf, entry->name);

		cursor->next = entry->next;
		if (!strncmp(found, name, len) && !found[len])
			return entry;
	}
	return NULL;
}

static void
index_type(VmifsTypes *types, guint32 id, const VmifsBtfType *type)
{
	gboolean is_named = *vmifs_btf_string(types->btf, type->name) != '\0';
	guint32 name;
	gint64 value;

	switch (type->kind) {
	case VMIFS_BTF_ENUM:
	case VMIFS_BTF_ENUM64:
		for (guint32 i = 0; i < type->vlen; i++) {
			vmifs_btf_enumerator(type, i, &name, &value);
			index_add(&types->enumerators, name, id, i);
		}
		break;
	case VMIFS_BTF_STRUCT:
	case VMIFS_BTF_UNION:
	case VMIFS_BTF_TYPEDEF:
		break;
	default:
		return;
	}
	if (is_named)
		index_add(&types->types, type->name, id, 0);
}

VmifsTypes *
vmifs_types_new_btf_split(VmifsTypes *base, gconstpointer blob, gsize len, GError **error)
{
	VmifsBtf *btf = vmifs_btf_new(base ? base->btf : NULL, blob, len, error);
	VmifsTypes *types;

	if (!btf)
		return NULL;
	types = g_new0(VmifsTypes, 1);
	g_atomic_ref_count_init(&types->refs);
	types->base = base ? vmifs_types_ref(base) : NULL;
	types->btf = btf;
	index_init(&types->types);
	index_init(&types->enumerators);
	for (guint32 id = vmifs_btf_first(btf); id < vmifs_btf_end(btf); id++) {
		VmifsBtfType type;

		if (vmifs_btf_type(btf, id, &type))
			index_type(types, id, &type);
	}
	index_end(&types->types, btf);
	index_end(&types->enumerators, btf);
	return types;
}

VmifsTypes *
vmifs_types_new_btf(gconstpointer blob, gsize len, GError **error)
{
	return vmifs_types_new_btf_split(NULL, blob, len, error);
}

VmifsTypes *
vmifs_types_ref(VmifsTypes *types)
{
	g_atomic_ref_count_inc(&types->refs);
	return types;
}

void
vmifs_types_unref(VmifsTypes *types)
{
	while (types && g_atomic_ref_count_dec(&types->refs)) {
		VmifsTypes *base = types->base;

		vmifs_btf_free(types->btf);
		index_clear(&types->types);
		index_clear(&types->enumerators);
		g_free(types);
		types = base;
	}
}

guint32
vmifs_types_count(const VmifsTypes *types)
{
	return vmifs_btf_end(types->btf) - 1;
}

const char *
vmifs_types_problem(const VmifsTypes *types)
{
	return vmifs_btf_problem(types->btf);
}

gboolean
vmifs_types_sizeof(const VmifsTypes *types, const char *name, guint64 *ret)
{
	gsize len = strlen(name);

	for (; types; types = types->base) {
		Cursor cursor = { 0 };
		const Entry *entry;
		VmifsBtfShape shape;

		for (guint i = 0; i < MAX_DEFINITIONS; i++) {
			entry = index_find(&types->types, types->btf, name, len, &cursor);
			if (!entry)
				break;
			if (!vmifs_btf_shape(types->btf, entry->id, &shape))
				continue;
			*ret = shape.size;
			return TRUE;
		}
	}
	return FALSE;
}

/* Where to load a bitfield from: its declared unit, as the compiler aligns it. A packed one that
 * straddles such units, or whose unit goes over the end of its structure: the fewest bytes. */
static gboolean
place_bitfield(const VmifsBtfField *field, guint64 unit, guint64 struct_size, VmifsMember *ret)
{
	guint64 first = field->bit_offset / 8;
	guint64 at, shift;

	if (unit != 1 && unit != 2 && unit != 4 && unit != 8)
		return FALSE;
	at = first - first % unit;
	shift = field->bit_offset - at * 8;
	if (shift + field->bit_len > unit * 8 || !vmifs_in_bounds(at, unit, struct_size)) {
		at = first;
		shift = field->bit_offset % 8;
		for (unit = 1; shift + field->bit_len > unit * 8; unit *= 2) {
			if (unit == 8)
				return FALSE;
		}
	}
	ret->offset = at;
	ret->size = ret->elem_size = unit;
	ret->bit_shift = shift;
	ret->bit_len = field->bit_len;
	return TRUE;
}

static gboolean
describe(const VmifsBtfField *field, const VmifsBtfShape *shape, guint64 struct_size,
	 VmifsMember *ret)
{
	VmifsMember member = {
		.offset = field->bit_offset / 8,
		.size = shape->size,
		.elem_size = shape->elem_size,
		.count = shape->count,
		.is_pointer = shape->kind == VMIFS_BTF_PTR,
	};

	if (field->bit_len) {
		if (shape->is_array || !place_bitfield(field, shape->size, struct_size, &member))
			return FALSE;
	} else if (field->bit_offset % 8) {
		return FALSE;
	}
	if (!vmifs_in_bounds(member.offset, member.size, struct_size))
		return FALSE;
	*ret = member;
	return TRUE;
}

/* members: "a.b.c", of the struct `id`. */
static gboolean
find_member(const VmifsBtf *btf, guint32 id, const char *members, VmifsMember *ret)
{
	VmifsBtfField field = { .id = id };
	guint64 bit_offset = 0;
	VmifsBtfShape outer, shape;

	if (!vmifs_btf_shape(btf, id, &outer))
		return FALSE;
	shape = outer;
	while (members) {
		const char *dot = strchrnul(members, '.');

		if (!vmifs_btf_field(btf, shape.id, members, dot - members, &field) ||
		    !vmifs_btf_shape(btf, field.id, &shape) ||
		    __builtin_add_overflow(bit_offset, field.bit_offset, &bit_offset))
			return FALSE;
		members = *dot ? dot + 1 : NULL;
	}
	field.bit_offset = bit_offset;
	return describe(&field, &shape, outer.size, ret);
}

gboolean
vmifs_types_member(const VmifsTypes *types, const char *path, VmifsMember *ret)
{
	const char *dot = strchr(path, '.');

	if (!dot)
		return FALSE;
	for (; types; types = types->base) {
		Cursor cursor = { 0 };
		const Entry *entry;

		for (guint i = 0; i < MAX_DEFINITIONS; i++) {
			entry = index_find(&types->types, types->btf, path, dot - path, &cursor);
			if (!entry)
				break;
			if (find_member(types->btf, entry->id, dot + 1, ret))
				return TRUE;
		}
	}
	return FALSE;
}

gboolean
vmifs_types_enumerator(const VmifsTypes *types, const char *name, gint64 *ret)
{
	for (; types; types = types->base) {
		Cursor cursor = { 0 };
		const Entry *entry =
			index_find(&types->enumerators, types->btf, name, strlen(name), &cursor);
		VmifsBtfType type;
		guint32 unused;

		if (!entry || !vmifs_btf_type(types->btf, entry->id, &type))
			continue;
		vmifs_btf_enumerator(&type, entry->at, &unused, ret);
		return TRUE;
	}
	return FALSE;
}
