/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * types: layouts of the guest kernel's structures, by name. Today they come from BTF; whoever
 * asks does not know. Immutable; any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct VmifsTypes VmifsTypes;

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

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsTypes, vmifs_types_unref)

G_END_DECLS
