/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btf: one pass over the blob notes where each record starts; all else is read from the copy when
 * it is asked for. The pass knows the length of a record of every kind, which is all that it takes
 * to find the next one:
 *
 *   header | ... types: { name, info, size-or-type, fixed part, vlen elements } ... | strings
 *
 * Linux 7.2 may add a section with those lengths, so that kinds not known here can be stepped
 * over; without it the first such kind ends what can be read.
 */
#include "btf.h"

#include <spi/bytes.h>
#include <vmifs/error.h>

#define MAGIC 0xeb9f
#define HEADER_LEN 24        /* up to and with the strings */
#define HEADER_LAYOUT_LEN 32 /* with the lengths of the kinds */
#define RECORD_LEN 12
#define MEMBER_LEN 12
#define MAX_KINDS 128

/* Steps along one chain of typedefs, modifiers and arrays. */
#define MAX_CHAIN 64
/* Anonymous structures within each other, and members looked at for one name. */
#define MAX_NESTED 16
#define MAX_MEMBERS (16 * 1024)

/* Bytes after the record's head: fixed + vlen * each. */
typedef struct {
	gboolean known;
	guint8 fixed;
	guint8 each;
} KindLen;

static const KindLen kind_lens[VMIFS_BTF_N_KINDS] = {
	[VMIFS_BTF_INT] = { TRUE, 4, 0 },        [VMIFS_BTF_PTR] = { TRUE, 0, 0 },
	[VMIFS_BTF_ARRAY] = { TRUE, 12, 0 },     [VMIFS_BTF_STRUCT] = { TRUE, 0, MEMBER_LEN },
	[VMIFS_BTF_UNION] = { TRUE, 0, 12 },     [VMIFS_BTF_ENUM] = { TRUE, 0, 8 },
	[VMIFS_BTF_FWD] = { TRUE, 0, 0 },        [VMIFS_BTF_TYPEDEF] = { TRUE, 0, 0 },
	[VMIFS_BTF_VOLATILE] = { TRUE, 0, 0 },   [VMIFS_BTF_CONST] = { TRUE, 0, 0 },
	[VMIFS_BTF_RESTRICT] = { TRUE, 0, 0 },   [VMIFS_BTF_FUNC] = { TRUE, 0, 0 },
	[VMIFS_BTF_FUNC_PROTO] = { TRUE, 0, 8 }, [VMIFS_BTF_VAR] = { TRUE, 4, 0 },
	[VMIFS_BTF_DATASEC] = { TRUE, 0, 12 },   [VMIFS_BTF_FLOAT] = { TRUE, 0, 0 },
	[VMIFS_BTF_DECL_TAG] = { TRUE, 4, 0 },   [VMIFS_BTF_TYPE_TAG] = { TRUE, 0, 0 },
	[VMIFS_BTF_ENUM64] = { TRUE, 0, 12 },
};

struct VmifsBtf {
	const VmifsBtf *base; /* (borrowed) (nullable) */
	guint8 *copy;         /* types, then strings */
	const guint8 *types;
	guint32 types_len;
	const char *strings; /* last byte, if any, is NUL */
	guint32 strings_len;
	guint32 first_string; /* offset of strings[0] */
	guint32 first_id;
	guint32 n;        /* types of its own */
	guint32 *offsets; /* [id - first_id]: in types */
	guint8 ptr_size;
	char *problem;
};

/* What the header says of the blob. */
typedef struct {
	guint32 types_at, types_len; /* from the end of the header */
	guint32 strings_at, strings_len;
	const guint8 *layout; /* of n_layout kinds, 4 bytes each: fixed, each, 2 unused */
	guint32 n_layout;
	const guint8 *body; /* what follows the header */
	gsize body_len;
} Header;

static gboolean
corrupt(GError **error, const char *what)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "BTF: %s", what);
	return FALSE;
}

static gboolean
read_layout(VmifsBytes *bytes, Header *ret)
{
	guint32 at = vmifs_bytes_u32(bytes);
	guint32 len = vmifs_bytes_u32(bytes);

	if (at % 4 || !vmifs_in_bounds(at, len, ret->body_len))
		return FALSE;
	ret->layout = ret->body + at;
	ret->n_layout = MIN(len / 4, MAX_KINDS);
	return TRUE;
}

static gboolean
read_header(gconstpointer blob, gsize len, Header *ret, GError **error)
{
	VmifsBytes bytes = vmifs_bytes(blob, len);
	guint16 magic = vmifs_bytes_u16(&bytes);
	guint8 version = vmifs_bytes_u8(&bytes);
	guint32 header_len;

	vmifs_bytes_u8(&bytes); /* flags: none are defined */
	header_len = vmifs_bytes_u32(&bytes);
	ret->types_at = vmifs_bytes_u32(&bytes);
	ret->types_len = vmifs_bytes_u32(&bytes);
	ret->strings_at = vmifs_bytes_u32(&bytes);
	ret->strings_len = vmifs_bytes_u32(&bytes);
	if (bytes.failed || header_len < HEADER_LEN || header_len > len)
		return corrupt(error, "the header is cut short");
	if (magic != MAGIC || version != 1)
		return corrupt(error, "not the header of a little-endian blob of version 1");
	ret->body = (const guint8 *) blob + header_len;
	ret->body_len = len - header_len;
	if (ret->types_at % 4 || !vmifs_in_bounds(ret->types_at, ret->types_len, ret->body_len))
		return corrupt(error, "the types lie outside the blob");
	if (!vmifs_in_bounds(ret->strings_at, ret->strings_len, ret->body_len))
		return corrupt(error, "the strings lie outside the blob");
	if (ret->types_len > VMIFS_BTF_MAX_BLOB || ret->strings_len > VMIFS_BTF_MAX_BLOB)
		return corrupt(error, "larger than any kernel's");
	if (ret->strings_len && ret->body[ret->strings_at + ret->strings_len - 1])
		return corrupt(error, "the strings do not end in NUL");
	if (header_len >= HEADER_LAYOUT_LEN && !read_layout(&bytes, ret))
		return corrupt(error, "the lengths of the kinds lie outside the blob");
	return TRUE;
}

static KindLen
kind_len(const Header *header, guint8 kind)
{
	if (kind < VMIFS_BTF_N_KINDS)
		return kind_lens[kind];
	if (kind < header->n_layout)
		return (KindLen){ .known = TRUE,
				  .fixed = header->layout[kind * 4],
				  .each = header->layout[kind * 4 + 1] };
	return (KindLen){ 0 };
}

static VmifsBtfType
load_type(const guint8 *record)
{
	guint32 info = vmifs_load_u32(record + 4);

	/* Before 7.2 the upper bits of vlen and kind were reserved and zero. */
	return (VmifsBtfType){
		.name = vmifs_load_u32(record),
		.kind = info >> 24 & 0x7f,
		.flag = info >> 31,
		.vlen = info & 0xffffff,
		.size = vmifs_load_u32(record + 8),
		.tail = record + RECORD_LEN,
	};
}

/* The size of "long" is that of a pointer; nothing else in a blob tells it. */
static void
note_pointer_size(VmifsBtf *btf, const VmifsBtfType *type)
{
	const char *name;

	if (type->kind != VMIFS_BTF_INT || (type->size != 4 && type->size != 8))
		return;
	name = vmifs_btf_string(btf, type->name);
	if (!strcmp(name, "long unsigned int") || !strcmp(name, "unsigned long"))
		btf->ptr_size = type->size;
}

/* FALSE when a record makes no sense. A kind of unknown length ends the pass with a problem. */
static gboolean
index_types(VmifsBtf *btf, const Header *header, GError **error)
{
	guint32 room = 0;

	for (guint32 at = 0; at < btf->types_len;) {
		guint32 id = btf->first_id + btf->n;
		guint32 left = btf->types_len - at;
		g_autofree char *problem = NULL;
		VmifsBtfType type;
		KindLen len;

		if (left < RECORD_LEN)
			return corrupt(error, "the last type is cut short");
		type = load_type(btf->types + at);
		len = kind_len(header, type.kind);
		if (!len.known) {
			problem = g_strdup_printf("type %u is of unknown kind %u", id, type.kind);
			if (!btf->n || !type.kind)
				return corrupt(error, problem);
			btf->problem = g_steal_pointer(&problem);
			return TRUE;
		}
		if (left - RECORD_LEN < len.fixed + (guint64) len.each * type.vlen) {
			problem = g_strdup_printf("type %u goes over the end", id);
			return corrupt(error, problem);
		}
		if (id >= VMIFS_BTF_MAX_TYPES)
			return corrupt(error, "more types than any kernel has");
		if (btf->n == room) {
			/* Records of a kernel take 27 bytes in the mean. */
			room = room ? room + room / 2 : btf->types_len / 24 + 16;
			btf->offsets = g_renew(guint32, btf->offsets, room);
		}
		btf->offsets[btf->n++] = at;
		note_pointer_size(btf, &type);
		at += RECORD_LEN + len.fixed + len.each * type.vlen;
	}
	return TRUE;
}

VmifsBtf *
vmifs_btf_new(const VmifsBtf *base, gconstpointer blob, gsize len, GError **error)
{
	g_autoptr(VmifsBtf) btf = NULL;
	Header header = { 0 };

	if (base && base->problem) {
		corrupt(error, "its base could be read in part only");
		return NULL;
	}
	if (!read_header(blob, len, &header, error))
		return NULL;
	if (!base && !header.strings_len) {
		corrupt(error, "there are no strings");
		return NULL;
	}
	btf = g_new0(VmifsBtf, 1);
	btf->base = base;
	btf->first_id = base ? vmifs_btf_end(base) : 1;
	btf->first_string = base ? base->first_string + base->strings_len : 0;
	btf->ptr_size = base ? base->ptr_size : 8;
	btf->types_len = header.types_len;
	btf->strings_len = header.strings_len;
	btf->copy = g_malloc((gsize) header.types_len + header.strings_len + 1); /* never NULL */
	memcpy(btf->copy, header.body + header.types_at, header.types_len);
	memcpy(btf->copy + header.types_len, header.body + header.strings_at, header.strings_len);
	btf->types = btf->copy;
	btf->strings = (const char *) btf->copy + header.types_len;
	if (!index_types(btf, &header, error))
		return NULL;
	return g_steal_pointer(&btf);
}

void
vmifs_btf_free(VmifsBtf *btf)
{
	if (!btf)
		return;
	g_free(btf->copy);
	g_free(btf->offsets);
	g_free(btf->problem);
	g_free(btf);
}

guint32
vmifs_btf_first(const VmifsBtf *btf)
{
	return btf->first_id;
}

guint32
vmifs_btf_end(const VmifsBtf *btf)
{
	return btf->first_id + btf->n;
}

const char *
vmifs_btf_problem(const VmifsBtf *btf)
{
	return btf->problem;
}

const char *
vmifs_btf_string(const VmifsBtf *btf, guint32 offset)
{
	while (btf->base && offset < btf->first_string)
		btf = btf->base;
	offset -= btf->first_string;
	return offset < btf->strings_len ? btf->strings + offset : "";
}

gboolean
vmifs_btf_type(const VmifsBtf *btf, guint32 id, VmifsBtfType *ret)
{
	while (btf->base && id < btf->first_id)
		btf = btf->base;
	if (id < btf->first_id || id - btf->first_id >= btf->n)
		return FALSE;
	*ret = load_type(btf->types + btf->offsets[id - btf->first_id]);
	return TRUE;
}

/* TRUE for the kinds that stand before another type and change nothing in memory. */
static gboolean
is_wrapper(guint8 kind)
{
	switch (kind) {
	case VMIFS_BTF_TYPEDEF:
	case VMIFS_BTF_VOLATILE:
	case VMIFS_BTF_CONST:
	case VMIFS_BTF_RESTRICT:
	case VMIFS_BTF_TYPE_TAG:
		return TRUE;
	default:
		return FALSE;
	}
}

/* The size of one element; FALSE for what has none. */
static gboolean
plain_size(const VmifsBtf *btf, const VmifsBtfType *type, guint64 *ret)
{
	switch (type->kind) {
	case VMIFS_BTF_INT:
	case VMIFS_BTF_FLOAT:
	case VMIFS_BTF_STRUCT:
	case VMIFS_BTF_UNION:
	case VMIFS_BTF_ENUM:
	case VMIFS_BTF_ENUM64:
		*ret = type->size;
		return TRUE;
	case VMIFS_BTF_PTR:
		*ret = btf->ptr_size;
		return TRUE;
	default:
		return FALSE;
	}
}

gboolean
vmifs_btf_shape(const VmifsBtf *btf, guint32 id, VmifsBtfShape *ret)
{
	VmifsBtfShape shape = { .count = 1 };

	for (guint i = 0; i < MAX_CHAIN; i++) {
		VmifsBtfType type;

		if (!vmifs_btf_type(btf, id, &type))
			return FALSE;
		if (is_wrapper(type.kind)) {
			id = type.size;
		} else if (type.kind == VMIFS_BTF_ARRAY) {
			shape.is_array = TRUE;
			if (__builtin_mul_overflow(shape.count, vmifs_load_u32(type.tail + 8),
						   &shape.count))
				return FALSE;
			id = vmifs_load_u32(type.tail);
		} else {
			shape.id = id;
			shape.kind = type.kind;
			if (!plain_size(btf, &type, &shape.elem_size) ||
			    __builtin_mul_overflow(shape.count, shape.elem_size, &shape.size))
				return FALSE;
			*ret = shape;
			return TRUE;
		}
	}
	return FALSE;
}

/* The struct or union behind typedefs and modifiers. */
static gboolean
load_composite(const VmifsBtf *btf, guint32 id, VmifsBtfType *ret)
{
	for (guint i = 0; i < MAX_CHAIN && vmifs_btf_type(btf, id, ret); i++) {
		if (ret->kind == VMIFS_BTF_STRUCT || ret->kind == VMIFS_BTF_UNION)
			return TRUE;
		if (!is_wrapper(ret->kind))
			return FALSE;
		id = ret->size;
	}
	return FALSE;
}

/* Before kind_flag came (4.20), a bitfield was an INT of fewer bits than its size, which could
 * also start some bits later. */
static void
apply_old_bitfield(const VmifsBtf *btf, VmifsBtfField *field)
{
	VmifsBtfType type = { 0 };
	guint32 id = field->id;
	guint i = 0;

	while (vmifs_btf_type(btf, id, &type) && is_wrapper(type.kind) && i++ < MAX_CHAIN)
		id = type.size;
	if (type.kind == VMIFS_BTF_INT) {
		guint32 encoding = vmifs_load_u32(type.tail);
		guint32 bits = encoding & 0xff;
		guint32 shift = encoding >> 16 & 0xff;

		if (shift || bits != type.size * 8ULL) {
			field->bit_offset += shift;
			field->bit_len = bits;
		}
	}
}

gboolean
vmifs_btf_field(const VmifsBtf *btf, guint32 id, const char *name, gsize len, VmifsBtfField *ret)
{
	struct {
		VmifsBtfType type;
		guint32 next; /* member to look at */
		guint64 bit_offset;
	} stack[MAX_NESTED];
	guint depth = 0;

	if (!load_composite(btf, id, &stack[0].type))
		return FALSE;
	stack[0].next = 0;
	stack[0].bit_offset = 0;
	for (guint budget = MAX_MEMBERS; budget; budget--) {
		const VmifsBtfType *type = &stack[depth].type;
		const guint8 *member;
		const char *member_name;
		VmifsBtfField field;
		guint32 place;

		if (stack[depth].next == type->vlen) {
			if (!depth--)
				return FALSE;
			continue;
		}
		member = type->tail + (gsize) stack[depth].next++ * MEMBER_LEN;
		member_name = vmifs_btf_string(btf, vmifs_load_u32(member));
		if (*member_name && (strncmp(member_name, name, len) || member_name[len]))
			continue;
		place = vmifs_load_u32(member + 8);
		field.id = vmifs_load_u32(member + 4);
		field.bit_len = type->flag ? place >> 24 : 0;
		field.bit_offset =
			stack[depth].bit_offset + (type->flag ? place & 0xffffff : place);
		if (*member_name) {
			if (!type->flag)
				apply_old_bitfield(btf, &field);
			*ret = field;
			return TRUE;
		}
		if (depth + 1 < MAX_NESTED &&
		    load_composite(btf, field.id, &stack[depth + 1].type)) {
			depth++;
			stack[depth].next = 0;
			stack[depth].bit_offset = field.bit_offset;
		}
	}
	return FALSE;
}

void
vmifs_btf_enumerator(const VmifsBtfType *type, guint32 index, guint32 *ret_name, gint64 *ret_value)
{
	gsize each = kind_lens[type->kind].each;
	const guint8 *record = type->tail + index * each;
	guint32 low = vmifs_load_u32(record + 4);

	*ret_name = vmifs_load_u32(record);
	if (type->kind == VMIFS_BTF_ENUM64)
		*ret_value = (gint64) vmifs_load_u64(record + 4);
	else
		*ret_value = type->flag ? (gint64) (gint32) low : (gint64) low;
}
