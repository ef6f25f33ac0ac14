/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * isf: Volatility 3's format of symbols, as it comes, whatever the order:
 *
 *   { "base_types": { "int": { "size": 4, ... }, "pointer": { ... } },
 *     "user_types": { "list_head": { "size": 16, "fields": { "next": { "offset": 0, "type": T } } }
 * }, "enums": { "pid_type": { "size": 4, "constants": { "PIDTYPE_PID": 0 } } }, "symbols": {
 * "init_task": { "address": N }, "linux_banner": { "constant_data": base64 } } }
 *
 * where T is { "kind": "base" | "struct" | "union" | "class" | "enum", "name" }, { "kind":
 * "pointer" }, { "kind": "array", "count", "subtype": T } or { "kind": "bitfield", "bit_position",
 * "bit_length", "type": T }. Types are named before they are told, so each name gets an id when it
 * is first met.
 */
#include "given.h"

#include <string.h>
#include <vmifs/error.h>

#define MAX_TYPE_DEPTH 32
#define MAX_MEMBERS 0x10000
#define MAX_BANNER 1024
#define MAX_NAMES (1024 * 1024) /* a kernel has 20,000 */
/* Bytes of all names of types, and of all those of one structure's members. */
#define MAX_NAMES_LEN (16u << 20)
/* So often is the caller asked whether he still waits. */
#define TYPES_PER_CHECK 256

/* The first letters of names in `ids`. */
#define BASE 'b'
#define COMPOSITE 'c'
#define ENUM 'e'

typedef struct {
	gsize name; /* in names; G_MAXSIZE = none */
	guint32 id;
	guint64 bit_offset;
	guint8 bit_len;
} Member;

/* A T, as far as it was read. */
typedef struct {
	char kind; /* BASE, COMPOSITE, ENUM, or the first letter of another one; 0 = not known */
	gboolean is_bitfield;
	guint64 count, bit_position, bit_len;
	GString *name;
	guint32 inner; /* id of its subtype */
} Type;

typedef struct {
	VmifsJson *json;
	VmifsTypesBuilder *types;
	VmifsSymbolsBuilder *symbols;
	GTree *ids;      /* letter and name -> id; names that collide would make a table slow */
	gsize ids_len;   /* bytes of those names */
	GString *key;    /* of what is being looked up */
	GString *name;   /* of what is being read */
	GArray *members; /* of Member, of the structure that is being read */
	GString *names;  /* of those, each with its NUL */
	Type stack[MAX_TYPE_DEPTH];
	char *banner;
	guint32 pointer; /* id of one: what it points to matters to nobody */
	guint n_structs;
} Isf;

/* ---- names ---- */

static gint
compare_names(gconstpointer a, gconstpointer b, gpointer unused)
{
	return strcmp(a, b);
}

static guint32
id_of(Isf *isf, char letter, const char *name)
{
	gpointer id;

	g_string_truncate(isf->key, 0);
	g_string_append_c(isf->key, letter);
	g_string_append(isf->key, name);
	if (g_tree_lookup_extended(isf->ids, isf->key->str, NULL, &id))
		return GPOINTER_TO_UINT(id);
	isf->ids_len += isf->key->len;
	if (g_tree_nnodes(isf->ids) == MAX_NAMES || isf->ids_len > MAX_NAMES_LEN) {
		vmifs_json_fail(isf->json, "more names of types than any kernel has");
		return 0;
	}
	guint32 made = vmifs_types_builder_reserve(isf->types);
	g_tree_insert(isf->ids, g_strdup(isf->key->str), GUINT_TO_POINTER(made));
	return made;
}

static gboolean
is_key(const Isf *isf, const char *name)
{
	return g_str_equal(vmifs_json_text(isf->json), name);
}

/* ---- T ---- */

static char
letter_of_kind(const char *kind)
{
	static const struct {
		const char *kind;
		char letter;
	} letters[] = {
		{ "base", BASE },       { "struct", COMPOSITE }, { "union", COMPOSITE },
		{ "class", COMPOSITE }, { "enum", ENUM },        { "pointer", 'p' },
		{ "array", 'a' },       { "bitfield", 'f' },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(letters); i++)
		if (g_str_equal(kind, letters[i].kind))
			return letters[i].letter;
	return 0; /* a function, or of a later version: without a size */
}

static void
type_begin(Type *type)
{
	GString *name = type->name ? type->name : g_string_new(NULL);

	g_string_truncate(name, 0);
	*type = (Type){ .name = name };
}

/* The id of what was read. A bitfield is its storage, with the bits told beside it. */
static guint32
type_end(Isf *isf, Type *type)
{
	switch (type->kind) {
	case BASE:
	case COMPOSITE:
	case ENUM:
		return id_of(isf, type->kind, type->name->str);
	case 'p':
		return isf->pointer;
	case 'a':
		return type->count <= G_MAXUINT32
			       ? vmifs_types_builder_array(isf->types, 0, type->inner,
							   (guint32) type->count)
			       : 0;
	case 'f':
		return type->inner;
	default:
		return 0;
	}
}

/* One member of a T. TRUE: it is a T itself, whose object has been opened. */
static gboolean
read_type_key(Isf *isf, Type *type)
{
	if (is_key(isf, "kind")) {
		if (vmifs_json_expect(isf->json, VMIFS_JSON_STRING))
			type->kind = letter_of_kind(vmifs_json_text(isf->json));
	} else if (is_key(isf, "name")) {
		if (vmifs_json_expect(isf->json, VMIFS_JSON_STRING))
			g_string_assign(type->name, vmifs_json_text(isf->json));
	} else if (is_key(isf, "count")) {
		type->count = vmifs_json_take_u64(isf->json);
	} else if (is_key(isf, "bit_position")) {
		type->bit_position = vmifs_json_take_u64(isf->json);
	} else if (is_key(isf, "bit_length")) {
		type->bit_len = vmifs_json_take_u64(isf->json);
	} else if (is_key(isf, "type") || is_key(isf, "subtype")) {
		return vmifs_json_expect(isf->json, VMIFS_JSON_OBJECT);
	} else {
		vmifs_json_skip(isf->json);
	}
	return FALSE;
}

/* The T that comes next. Returns: its id; *ret_outer: what was read of it, until the next one. */
static guint32
read_type(Isf *isf, const Type **ret_outer)
{
	guint depth = 0;

	*ret_outer = &isf->stack[0];
	type_begin(&isf->stack[0]);
	if (!vmifs_json_expect(isf->json, VMIFS_JSON_OBJECT))
		return 0;
	for (;;) {
		Type *type = &isf->stack[depth];

		if (!vmifs_json_key(isf->json)) {
			guint32 id = type_end(isf, type);
			if (!depth--)
				return id;
			isf->stack[depth].inner = id;
		} else if (read_type_key(isf, type)) {
			if (++depth == MAX_TYPE_DEPTH) {
				vmifs_json_fail(isf->json, "too many types within each other");
				return 0;
			}
			type_begin(&isf->stack[depth]);
		}
	}
}

/* ---- structures ---- */

/* { "offset", "type", "anonymous" } of the member whose name has been read. */
static void
read_field(Isf *isf)
{
	Member member = { .name = isf->names->len };
	const Type *type = NULL;
	guint64 offset = 0;
	gboolean is_anonymous = FALSE;

	g_string_append(isf->names, vmifs_json_text(isf->json));
	g_string_append_c(isf->names, '\0');
	if (isf->names->len > MAX_NAMES_LEN)
		vmifs_json_fail(isf->json, "longer names of members than any kernel has");
	if (!vmifs_json_expect(isf->json, VMIFS_JSON_OBJECT))
		return;
	while (vmifs_json_key(isf->json)) {
		if (is_key(isf, "offset")) {
			offset = vmifs_json_take_u64(isf->json);
		} else if (is_key(isf, "type")) {
			member.id = read_type(isf, &type);
		} else if (is_key(isf, "anonymous")) {
			if (vmifs_json_expect(isf->json, VMIFS_JSON_WORD))
				is_anonymous = g_str_equal(vmifs_json_text(isf->json), "true");
		} else {
			vmifs_json_skip(isf->json);
		}
	}
	if (!type || offset > G_MAXUINT32)
		return;
	member.bit_offset = offset * 8;
	if (is_anonymous)
		member.name = G_MAXSIZE;
	if (type->kind == 'f') {
		if (!type->bit_len || type->bit_len > 64 || type->bit_position > G_MAXUINT32)
			return;
		member.bit_offset += type->bit_position;
		member.bit_len = (guint8) type->bit_len;
	}
	if (isf->members->len == MAX_MEMBERS)
		vmifs_json_fail(isf->json, "a structure of too many members");
	else
		g_array_append_val(isf->members, member);
}

/* The structure whose name has been read. */
static void
read_struct(Isf *isf)
{
	guint64 size = 0;

	g_string_assign(isf->name, vmifs_json_text(isf->json));
	g_array_set_size(isf->members, 0);
	g_string_truncate(isf->names, 0);
	if (!vmifs_json_expect(isf->json, VMIFS_JSON_OBJECT))
		return;
	while (vmifs_json_key(isf->json)) {
		if (is_key(isf, "size")) {
			size = vmifs_json_take_u64(isf->json);
		} else if (is_key(isf, "fields")) {
			if (!vmifs_json_expect(isf->json, VMIFS_JSON_OBJECT))
				return;
			while (vmifs_json_key(isf->json))
				read_field(isf);
		} else {
			vmifs_json_skip(isf->json);
		}
	}
	if (size > G_MAXUINT32)
		return;
	vmifs_types_builder_struct(isf->types, id_of(isf, COMPOSITE, isf->name->str),
				   isf->name->str, (guint32) size);
	for (guint i = 0; i < isf->members->len; i++) {
		const Member *member = &g_array_index(isf->members, Member, i);
		vmifs_types_builder_member(
			isf->types,
			member->name == G_MAXSIZE ? NULL : isf->names->str + member->name,
			member->id, member->bit_offset, member->bit_len);
	}
	isf->n_structs++;
}

/* ---- the other parts ---- */

static void
read_base_type(Isf *isf)
{
	guint64 size = 0;

	g_string_assign(isf->name, vmifs_json_text(isf->json));
	if (!vmifs_json_expect(isf->json, VMIFS_JSON_OBJECT))
		return;
	while (vmifs_json_key(isf->json)) {
		if (is_key(isf, "size"))
			size = vmifs_json_take_u64(isf->json);
		else
			vmifs_json_skip(isf->json);
	}
	if (g_str_equal(isf->name->str, "pointer") && (size == 4 || size == 8))
		vmifs_types_builder_set_pointer_len(isf->types, (guint) size);
	/* void has none. */
	if (size && size <= G_MAXUINT16)
		vmifs_types_builder_typedef(isf->types, id_of(isf, BASE, isf->name->str), NULL,
					    vmifs_types_builder_int(isf->types, (guint32) size));
}

static void
read_constants(Isf *isf)
{
	if (!vmifs_json_expect(isf->json, VMIFS_JSON_OBJECT))
		return;
	while (vmifs_json_key(isf->json)) {
		gint64 value;

		g_string_assign(isf->names, vmifs_json_text(isf->json));
		if (!vmifs_json_expect(isf->json, VMIFS_JSON_NUMBER))
			return;
		if (vmifs_json_i64(isf->json, &value))
			vmifs_types_builder_enumerator(isf->types, isf->names->str, value);
	}
}

static void
read_enum(Isf *isf)
{
	guint64 size = 0;

	g_string_assign(isf->name, vmifs_json_text(isf->json));
	/* Its constants may come before its size. */
	guint32 values = vmifs_types_builder_enum(isf->types, 0, NULL, 4);
	if (!vmifs_json_expect(isf->json, VMIFS_JSON_OBJECT))
		return;
	while (vmifs_json_key(isf->json)) {
		if (is_key(isf, "size"))
			size = vmifs_json_take_u64(isf->json);
		else if (is_key(isf, "constants"))
			read_constants(isf);
		else
			vmifs_json_skip(isf->json);
	}
	if (size && size <= 8)
		values = vmifs_types_builder_int(isf->types, (guint32) size);
	vmifs_types_builder_typedef(isf->types, id_of(isf, ENUM, isf->name->str), isf->name->str,
				    values);
}

/* Base64 of "Linux version ...\n\0". */
static void
keep_banner(Isf *isf, const char *text)
{
	gsize len;
	g_autofree guchar *bytes = g_base64_decode(text, &len);

	if (len > MAX_BANNER)
		return;
	g_free(isf->banner);
	isf->banner = g_strndup((const char *) bytes, len);
	isf->banner[strcspn(isf->banner, "\n")] = '\0';
}

static void
read_symbol(Isf *isf)
{
	guint64 address = 0;

	g_string_assign(isf->name, vmifs_json_text(isf->json));
	if (!vmifs_json_expect(isf->json, VMIFS_JSON_OBJECT))
		return;
	while (vmifs_json_key(isf->json)) {
		if (is_key(isf, "address")) {
			address = vmifs_json_take_u64(isf->json);
		} else if (is_key(isf, "constant_data") &&
			   g_str_equal(isf->name->str, "linux_banner")) {
			if (vmifs_json_expect(isf->json, VMIFS_JSON_STRING))
				keep_banner(isf, vmifs_json_text(isf->json));
		} else {
			vmifs_json_skip(isf->json);
		}
	}
	/* Those that were declared only have none. */
	if (address &&
	    !vmifs_symbols_builder_add(isf->symbols, address, '?', isf->name->str, isf->name->len))
		vmifs_json_fail(isf->json, "more symbols than any kernel has");
}

static void
read_part(Isf *isf, void (*read_one)(Isf *isf), const VmifsCall *call)
{
	guint n = 0;

	if (!vmifs_json_expect(isf->json, VMIFS_JSON_OBJECT))
		return;
	while (vmifs_json_key(isf->json)) {
		if (++n % TYPES_PER_CHECK == 0 && !vmifs_call_check(call, NULL))
			return;
		read_one(isf);
	}
}

static gboolean
read_all(Isf *isf, const VmifsCall *call, GError **error)
{
	static const struct {
		const char *name;
		void (*read_one)(Isf *isf);
	} parts[] = {
		{ "base_types", read_base_type },
		{ "user_types", read_struct },
		{ "enums", read_enum },
		{ "symbols", read_symbol },
	};

	if (!vmifs_json_expect(isf->json, VMIFS_JSON_OBJECT))
		return vmifs_json_check(isf->json, error);
	while (vmifs_json_key(isf->json)) {
		gsize i = 0;

		while (i < G_N_ELEMENTS(parts) && !is_key(isf, parts[i].name))
			i++;
		if (i < G_N_ELEMENTS(parts))
			read_part(isf, parts[i].read_one, call);
		else
			vmifs_json_skip(isf->json);
		if (!vmifs_call_check(call, error))
			return FALSE;
	}
	vmifs_json_expect(isf->json, VMIFS_JSON_END);
	if (!vmifs_json_check(isf->json, error))
		return FALSE;
	if (isf->n_structs)
		return TRUE;
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "no structures in it: not ISF JSON");
	return FALSE;
}

/* ---- life ---- */

static void
isf_clear(Isf *isf)
{
	vmifs_json_free(isf->json);
	vmifs_types_builder_free(isf->types);
	vmifs_symbols_builder_free(isf->symbols);
	g_tree_unref(isf->ids);
	g_string_free(isf->key, TRUE);
	g_string_free(isf->name, TRUE);
	g_string_free(isf->names, TRUE);
	g_array_unref(isf->members);
	for (guint i = 0; i < MAX_TYPE_DEPTH; i++)
		if (isf->stack[i].name)
			g_string_free(isf->stack[i].name, TRUE);
	g_free(isf->banner);
	g_free(isf);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Isf, isf_clear)

gboolean
vmifs_isf_read(VmifsJsonRead read, gpointer user, VmifsGiven *ret, const VmifsCall *call,
	       GError **error)
{
	g_autoptr(Isf) isf = g_new0(Isf, 1);

	isf->json = vmifs_json_new(read, user);
	isf->types = vmifs_types_builder_new(8);
	isf->pointer = vmifs_types_builder_pointer(isf->types, 0, 0);
	isf->symbols = vmifs_symbols_builder_new();
	isf->ids = g_tree_new_full(compare_names, NULL, g_free, NULL);
	isf->key = g_string_new(NULL);
	isf->name = g_string_new(NULL);
	isf->names = g_string_new(NULL);
	isf->members = g_array_new(FALSE, FALSE, sizeof(Member));
	if (!read_all(isf, call, error))
		return FALSE;
	ret->types = vmifs_types_builder_end(g_steal_pointer(&isf->types), error);
	if (!ret->types)
		return FALSE;
	ret->symbols = vmifs_symbols_builder_end(g_steal_pointer(&isf->symbols));
	ret->banner = g_steal_pointer(&isf->banner);
	return TRUE;
}
