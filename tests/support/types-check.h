/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* types-check: types made from an assembled blob, and what a test expects of them. */
#pragma once

#include <unit.h>

#include <btf-asm.h>
#include <btf.h>
#include <string.h>
#include <vmifs/error.h>
#include <vmifs/types.h>

static inline VmifsTypes *
make_types(const BtfAsm *a, VmifsTypes *base, GError **error)
{
	g_autoptr(GBytes) blob = btf_asm_blob(a);
	gsize len;
	gconstpointer data = g_bytes_get_data(blob, &len);

	return base ? vmifs_types_new_btf_split(base, data, len, error)
		    : vmifs_types_new_btf(data, len, error);
}

static inline VmifsTypes *
good_types(const BtfAsm *a)
{
	g_autoptr(GError) error = NULL;
	VmifsTypes *types = make_types(a, NULL, &error);

	ck_assert_msg(types, "%s", error ? error->message : "no error");
	ck_assert_ptr_null(vmifs_types_problem(types));
	ck_assert_uint_eq(vmifs_types_count(types), a->next_id - 1);
	return types;
}

static inline void
assert_refused(const BtfAsm *a, const char *reason)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(make_types(a, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_msg(strstr(error->message, reason), "%s", error->message);
}

static inline void
assert_place(const VmifsTypes *types, const char *path, guint64 offset, guint64 size)
{
	VmifsMember m;

	ck_assert_msg(vmifs_types_member(types, path, &m), "%s", path);
	ck_assert_msg(m.offset == offset && m.size == size,
		      "%s: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes", path, m.offset,
		      m.size);
}

static inline void
assert_bits(const VmifsTypes *types, const char *path, guint64 offset, guint64 size, guint shift,
	    guint len)
{
	VmifsMember m;

	assert_place(types, path, offset, size);
	ck_assert(vmifs_types_member(types, path, &m));
	ck_assert_uint_eq(m.bit_shift, shift);
	ck_assert_uint_eq(m.bit_len, len);
}

static inline void
assert_no_member(const VmifsTypes *types, const char *path)
{
	VmifsMember m;

	ck_assert_msg(!vmifs_types_member(types, path, &m), "%s", path);
}

static inline void
assert_size(const VmifsTypes *types, const char *name, guint64 size)
{
	guint64 found;

	ck_assert_msg(vmifs_types_sizeof(types, name, &found), "%s", name);
	ck_assert_uint_eq(found, size);
}

static inline void
assert_no_size(const VmifsTypes *types, const char *name)
{
	guint64 found;

	ck_assert_msg(!vmifs_types_sizeof(types, name, &found), "%s", name);
}

/* struct list { struct list *next, *prev; } and int; returns the id of list. */
static inline guint32
add_list(BtfAsm *a)
{
	guint32 list = btf_asm_type(a, VMIFS_BTF_STRUCT, "list", FALSE, 2, 16);

	btf_asm_member(a, "next", list + 1, 0);
	btf_asm_member(a, "prev", list + 1, 64);
	btf_asm_type(a, VMIFS_BTF_PTR, "", FALSE, 0, list);
	return list;
}
