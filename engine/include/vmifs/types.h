/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * types: layouts of the guest kernel's structures, by name. They come from BTF, or from whoever
 * knows them otherwise and puts them together with a builder; whoever asks cannot tell. Immutable;
 * any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct VmifsTypes VmifsTypes;
typedef struct VmifsTypesBuilder VmifsTypesBuilder;

typedef struct {
	guint64 offset;    /* bytes from the start of the structure */
	guint64 size;      /* bytes of the member; of bitfields: of the storage to load at offset */
	guint64 elem_size; /* bytes of one element of an array, else = size */
	guint64 count;     /* elements of an array (all dimensions; 0 = open-ended), else 1 */
	guint8 bit_shift;  /* bitfields: shift right by this after loading... */
	guint8 bit_len;    /* ...and keep that many bits; 0 = no bitfield */
	gboolean is_pointer; /* or an array of pointers */
} VmifsMember;

/* blob: (borrowed) a BTF blob as in the kernel's .BTF section, any bytes at all, also more than
 * the blob; copied. CORRUPT with the place and the reason when it cannot be read. The first type of
 * a kind that is not known ends what can be read: see vmifs_types_problem(). */
VmifsTypes *
vmifs_types_new_btf(gconstpointer blob, gsize len, GError **error);
/* A module's BTF: ids and strings continue after base's. base: (borrowed), kept alive. */
VmifsTypes *
vmifs_types_new_btf_split(VmifsTypes *base, gconstpointer blob, gsize len, GError **error);
VmifsTypes *
vmifs_types_ref(VmifsTypes *types);
void
vmifs_types_unref(VmifsTypes *types);

/* With those of its base. */
guint32
vmifs_types_count(const VmifsTypes *types);
/* Why the rest of the types could not be read; NULL when all could. (borrowed) */
const char *
vmifs_types_problem(const VmifsTypes *types);

/* In all of these, a module's own definition of a name goes before its base's, and of several
 * definitions the first that answers is taken. */

/* sizeof(struct|union|enum|typedef name); FALSE when unknown. */
gboolean
vmifs_types_sizeof(const VmifsTypes *types, const char *name, guint64 *ret);
/* path: "task_struct.thread_group.next", "mm_struct.pgd": first a struct, union or typedef of one,
 * then members, searched through anonymous unions and structs, dots descend into embedded
 * structures (of an array: its first element), not through pointers. FALSE when the structure or a
 * member does not exist, has no size, or does not lie in the structure. */
gboolean
vmifs_types_member(const VmifsTypes *types, const char *path, VmifsMember *ret);
/* Value of an enumerator, whatever its enum is called. */
gboolean
vmifs_types_enumerator(const VmifsTypes *types, const char *name, gint64 *ret);

/* ---- builder: types that no blob tells. Ids are numbers from 1 on; 0 is void. Members are of
 * the structure, enumerators of the enum that was begun last. Names are copied. Nothing fails
 * before the end, which refuses what no kernel has as much of. ---- */

/* pointer_len: of the guest, 4 or 8 bytes. */
VmifsTypesBuilder *
vmifs_types_builder_new(guint pointer_len);
/* Of all pointers, also those told before. */
void
vmifs_types_builder_set_pointer_len(VmifsTypesBuilder *builder, guint pointer_len);
void
vmifs_types_builder_free(VmifsTypesBuilder *builder);
/* An id for a structure, typedef, pointer or array that is told later; until then, or for ever, it
 * has no size. Wherever below `id` is asked for, 0 means a new one, which is returned; an id that
 * was told already keeps its first meaning. */
guint32
vmifs_types_builder_reserve(VmifsTypesBuilder *builder);
/* A number, or anything else of which only the size matters. */
guint32
vmifs_types_builder_int(VmifsTypesBuilder *builder, guint32 len);
guint32
vmifs_types_builder_pointer(VmifsTypesBuilder *builder, guint32 id, guint32 to);
guint32
vmifs_types_builder_array(VmifsTypesBuilder *builder, guint32 id, guint32 elem, guint32 count);
guint32
vmifs_types_builder_typedef(VmifsTypesBuilder *builder, guint32 id, const char *name, guint32 to);
/* Begins a structure or union of len bytes, which no member may leave; for one whose end is not
 * known, the end of its last member. name: (nullable) with none, its members count as its owner's
 * when it is a member without a name. */
guint32
vmifs_types_builder_struct(VmifsTypesBuilder *builder, guint32 id, const char *name, guint32 len);
/* name: (nullable). bit_len: 0 = no bitfield; of one, bit_offset counts from the lowest bit. Left
 * out when it lies where no structure of a kernel reaches, 2 MiB off. */
void
vmifs_types_builder_member(VmifsTypesBuilder *builder, const char *name, guint32 id,
			   guint64 bit_offset, guint8 bit_len);
/* Begins an enum. name: (nullable) */
guint32
vmifs_types_builder_enum(VmifsTypesBuilder *builder, guint32 id, const char *name, guint32 len);
void
vmifs_types_builder_enumerator(VmifsTypesBuilder *builder, const char *name, gint64 value);
/* builder: (taken). Returns: (full) */
VmifsTypes *
vmifs_types_builder_end(VmifsTypesBuilder *builder, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsTypes, vmifs_types_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsTypesBuilder, vmifs_types_builder_free)

G_END_DECLS
