/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btf: the records of a BTF blob by id: the raw half of `types`, which adds names. Ids and string
 * offsets of a split blob (a module's) continue after its base's:
 *
 *   ids      0 = void | 1 .. base end - 1  of the base | base end .. end - 1  of the split blob
 *   strings  0 = ""   | offsets below the base's length: the base's            | above: its own
 *
 * Nothing in the blob is believed: ids, offsets and counts are checked at each use, chains of
 * types end after a fixed number of steps. Immutable; any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define VMIFS_BTF_MAX_BLOB (64 * 1024 * 1024)
#define VMIFS_BTF_MAX_TYPES (4 * 1024 * 1024)

typedef struct VmifsBtf VmifsBtf;

typedef enum {
	VMIFS_BTF_INT = 1,
	VMIFS_BTF_PTR,
	VMIFS_BTF_ARRAY,
	VMIFS_BTF_STRUCT,
	VMIFS_BTF_UNION,
	VMIFS_BTF_ENUM,
	VMIFS_BTF_FWD,
	VMIFS_BTF_TYPEDEF,
	VMIFS_BTF_VOLATILE,
	VMIFS_BTF_CONST,
	VMIFS_BTF_RESTRICT,
	VMIFS_BTF_FUNC,
	VMIFS_BTF_FUNC_PROTO,
	VMIFS_BTF_VAR,
	VMIFS_BTF_DATASEC,
	VMIFS_BTF_FLOAT,
	VMIFS_BTF_DECL_TAG,
	VMIFS_BTF_TYPE_TAG,
	VMIFS_BTF_ENUM64,
	VMIFS_BTF_N_KINDS,
} VmifsBtfKind;

typedef struct {
	guint8 kind;        /* VmifsBtfKind, or a later one that only its size is known of */
	gboolean flag;      /* kind_flag: struct, union: bitfields; enums: signed */
	guint32 vlen;       /* members, enumerators, parameters */
	guint32 name;       /* string offset */
	guint32 size;       /* bytes, or the id of the type that this one refers to */
	const guint8 *tail; /* (borrowed) what follows, in bounds for kind and vlen */
} VmifsBtfType;

/* A type without what surrounds it: modifiers, typedefs and arrays. */
typedef struct {
	guint32 id;        /* of the element */
	guint8 kind;       /* of the element */
	gboolean is_array; /* then count is the product of its dimensions, else 1 */
	guint64 count;
	guint64 elem_size;
	guint64 size; /* of all elements */
} VmifsBtfShape;

typedef struct {
	guint32 id;         /* of the member's type */
	guint64 bit_offset; /* from the start of the structure that was searched */
	guint32 bit_len;    /* 0 = no bitfield */
} VmifsBtfField;

/* base: (borrowed) (nullable) must outlive the result. blob: (borrowed), copied. NULL with CORRUPT
 * and the place when it cannot be read. */
VmifsBtf *
vmifs_btf_new(const VmifsBtf *base, gconstpointer blob, gsize len, GError **error);
void
vmifs_btf_free(VmifsBtf *btf);

/* Ids of its own (not its base's): first <= id < end. */
guint32
vmifs_btf_first(const VmifsBtf *btf);
guint32
vmifs_btf_end(const VmifsBtf *btf);
/* Why types from `end` on could not be read; NULL when all were. (borrowed) */
const char *
vmifs_btf_problem(const VmifsBtf *btf);

/* The string at an offset, "" when there is none. */
const char *
vmifs_btf_string(const VmifsBtf *btf, guint32 offset);

/* FALSE for 0 (void) and ids that do not exist. */
gboolean
vmifs_btf_type(const VmifsBtf *btf, guint32 id, VmifsBtfType *ret);
/* FALSE when the type has no size (void, functions, cycles) or one beyond 2^64. */
gboolean
vmifs_btf_shape(const VmifsBtf *btf, guint32 id, VmifsBtfShape *ret);
/* A member of the struct or union `id` (typedefs and modifiers skipped), also one inside its
 * anonymous structs and unions. name: need not end after len bytes. */
gboolean
vmifs_btf_field(const VmifsBtf *btf, guint32 id, const char *name, gsize len, VmifsBtfField *ret);
/* index < vlen of an ENUM or ENUM64. */
void
vmifs_btf_enumerator(const VmifsBtfType *type, guint32 index, guint32 *ret_name, gint64 *ret_value);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsBtf, vmifs_btf_free)

G_END_DECLS
