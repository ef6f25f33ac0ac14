/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* types over btf: every kind, the shapes of members, and blobs that lie. */
#include <unit.h>

#include <btf-asm.h>
#include <btf.h>
#include <string.h>
#include <vmifs/error.h>
#include <vmifs/types.h>

static VmifsTypes *
make_types(const BtfAsm *a, VmifsTypes *base, GError **error)
{
	g_autoptr(GBytes) blob = btf_asm_blob(a);
	gsize len;
	gconstpointer data = g_bytes_get_data(blob, &len);

	return base ? vmifs_types_new_btf_split(base, data, len, error)
		    : vmifs_types_new_btf(data, len, error);
}

static VmifsTypes *
good_types(const BtfAsm *a)
{
	g_autoptr(GError) error = NULL;
	VmifsTypes *types = make_types(a, NULL, &error);

	ck_assert_msg(types, "%s", error ? error->message : "no error");
	ck_assert_ptr_null(vmifs_types_problem(types));
	ck_assert_uint_eq(vmifs_types_count(types), a->next_id - 1);
	return types;
}

static void
assert_refused(const BtfAsm *a, const char *reason)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(make_types(a, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_msg(strstr(error->message, reason), "%s", error->message);
}

static void
assert_place(const VmifsTypes *types, const char *path, guint64 offset, guint64 size)
{
	VmifsMember m;

	ck_assert_msg(vmifs_types_member(types, path, &m), "%s", path);
	ck_assert_msg(m.offset == offset && m.size == size,
		      "%s: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes", path, m.offset,
		      m.size);
}

static void
assert_bits(const VmifsTypes *types, const char *path, guint64 offset, guint64 size, guint shift,
	    guint len)
{
	VmifsMember m;

	assert_place(types, path, offset, size);
	ck_assert(vmifs_types_member(types, path, &m));
	ck_assert_uint_eq(m.bit_shift, shift);
	ck_assert_uint_eq(m.bit_len, len);
}

static void
assert_no_member(const VmifsTypes *types, const char *path)
{
	VmifsMember m;

	ck_assert_msg(!vmifs_types_member(types, path, &m), "%s", path);
}

static void
assert_size(const VmifsTypes *types, const char *name, guint64 size)
{
	guint64 found;

	ck_assert_msg(vmifs_types_sizeof(types, name, &found), "%s", name);
	ck_assert_uint_eq(found, size);
}

static void
assert_no_size(const VmifsTypes *types, const char *name)
{
	guint64 found;

	ck_assert_msg(!vmifs_types_sizeof(types, name, &found), "%s", name);
}

/* struct list { struct list *next, *prev; } and int; returns the id of list. */
static guint32
add_list(BtfAsm *a)
{
	guint32 list = btf_asm_type(a, VMIFS_BTF_STRUCT, "list", FALSE, 2, 16);

	btf_asm_member(a, "next", list + 1, 0);
	btf_asm_member(a, "prev", list + 1, 64);
	btf_asm_type(a, VMIFS_BTF_PTR, "", FALSE, 0, list);
	return list;
}

START_TEST(members_have_place_size_and_count)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	guint32 u32 = btf_asm_int(&a, "unsigned int", 4);
	guint32 list = add_list(&a);
	guint32 row = btf_asm_array(&a, u32, 3);
	guint32 table = btf_asm_array(&a, row, 2);
	guint32 open = btf_asm_array(&a, list, 0);
	guint32 pointers = btf_asm_array(&a, list + 1, 4);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "task", FALSE, 6, 80);
	btf_asm_member(&a, "pid", u32, 0);
	btf_asm_member(&a, "tasks", list, 64);
	btf_asm_member(&a, "table", table, 192);
	btf_asm_member(&a, "slots", pointers, 384);
	btf_asm_member(&a, "open", open, 640);
	btf_asm_member(&a, "same", u32, 0);
	g_autoptr(VmifsTypes) types = good_types(&a);
	VmifsMember m;

	assert_size(types, "task", 80);
	assert_place(types, "task.pid", 0, 4);
	assert_place(types, "task.same", 0, 4);
	assert_place(types, "task.tasks", 8, 16);
	assert_place(types, "task.tasks.prev", 16, 8);
	ck_assert(vmifs_types_member(types, "task.tasks.prev", &m));
	ck_assert(m.is_pointer);
	ck_assert_uint_eq(m.count, 1);
	ck_assert_uint_eq(m.elem_size, 8);
	ck_assert_uint_eq(m.bit_len, 0);
	ck_assert(vmifs_types_member(types, "task.table", &m));
	ck_assert(!m.is_pointer);
	ck_assert_uint_eq(m.size, 24);
	ck_assert_uint_eq(m.count, 6);
	ck_assert_uint_eq(m.elem_size, 4);
	ck_assert(vmifs_types_member(types, "task.slots", &m));
	ck_assert(m.is_pointer);
	ck_assert_uint_eq(m.count, 4);
	ck_assert(vmifs_types_member(types, "task.open", &m));
	ck_assert_uint_eq(m.count, 0);
	ck_assert_uint_eq(m.size, 0);
	ck_assert_uint_eq(m.elem_size, 16);
}
END_TEST

START_TEST(unknown_names_are_not_found)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	add_list(&a);
	g_autoptr(VmifsTypes) types = good_types(&a);
	gint64 value;

	assert_no_size(types, "lis");
	assert_no_size(types, "list2");
	assert_no_size(types, "");
	assert_no_member(types, "list");
	assert_no_member(types, "list.");
	assert_no_member(types, ".next");
	assert_no_member(types, "list.nex");
	assert_no_member(types, "list.nextt");
	assert_no_member(types, "list.next.next"); /* a pointer */
	assert_no_member(types, "list.next.");
	assert_no_member(types, "");
	ck_assert(!vmifs_types_enumerator(types, "list", &value));
	ck_assert(!vmifs_types_enumerator(types, "", &value));
}
END_TEST

START_TEST(members_of_anonymous_structs_are_found)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	guint32 u64 = btf_asm_int(&a, "unsigned long", 8);
	guint32 inner = btf_asm_type(&a, VMIFS_BTF_STRUCT, "", FALSE, 2, 16);
	btf_asm_member(&a, "low", u64, 0);
	btf_asm_member(&a, "high", u64, 64);
	guint32 both = btf_asm_type(&a, VMIFS_BTF_UNION, "", FALSE, 2, 16);
	btf_asm_member(&a, "whole", u64, 0);
	btf_asm_member(&a, "", inner, 0);
	guint32 constant = btf_asm_type(&a, VMIFS_BTF_CONST, "", FALSE, 0, both);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "vma", FALSE, 3, 32);
	btf_asm_member(&a, "start", u64, 0);
	btf_asm_member(&a, "", constant, 64);
	btf_asm_member(&a, "end", u64, 192);
	g_autoptr(VmifsTypes) types = good_types(&a);

	assert_place(types, "vma.whole", 8, 8);
	assert_place(types, "vma.low", 8, 8);
	assert_place(types, "vma.high", 16, 8);
	assert_place(types, "vma.end", 24, 8);
	assert_no_member(types, "vma.middle");
}
END_TEST

START_TEST(dots_descend_through_typedefs_and_arrays)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	guint32 s32 = btf_asm_int(&a, "int", 4);
	guint32 anonymous = btf_asm_type(&a, VMIFS_BTF_STRUCT, "", FALSE, 1, 4);
	btf_asm_member(&a, "counter", s32, 0);
	guint32 atomic = btf_asm_type(&a, VMIFS_BTF_TYPEDEF, "atomic_t", FALSE, 0, anonymous);
	guint32 is_volatile = btf_asm_type(&a, VMIFS_BTF_VOLATILE, "", FALSE, 0, atomic);
	guint32 tag = btf_asm_type(&a, VMIFS_BTF_TYPE_TAG, "rcu", FALSE, 0, is_volatile);
	guint32 restricted = btf_asm_type(&a, VMIFS_BTF_RESTRICT, "", FALSE, 0, tag);
	guint32 array = btf_asm_array(&a, restricted, 4);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "mm", FALSE, 2, 24);
	btf_asm_member(&a, "users", restricted, 32);
	btf_asm_member(&a, "rss", array, 64);
	g_autoptr(VmifsTypes) types = good_types(&a);

	assert_size(types, "atomic_t", 4);
	assert_place(types, "atomic_t.counter", 0, 4);
	assert_place(types, "mm.users.counter", 4, 4);
	assert_place(types, "mm.rss", 8, 16);
	assert_place(types, "mm.rss.counter", 8, 4);
}
END_TEST

START_TEST(bitfields_say_how_to_load_them)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	guint32 u32 = btf_asm_int(&a, "unsigned int", 4);
	guint32 u64 = btf_asm_int(&a, "unsigned long", 8);
	guint32 inner = btf_asm_type(&a, VMIFS_BTF_STRUCT, "", TRUE, 1, 4);
	btf_asm_member(&a, "nested", u32, 3 | 5u << 24);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "flags", TRUE, 7, 20);
	btf_asm_member(&a, "plain", u32, 0);
	btf_asm_member(&a, "first", u32, 32 | 1u << 24);
	btf_asm_member(&a, "second", u32, 33 | 7u << 24);
	btf_asm_member(&a, "last", u32, 63 | 1u << 24);
	btf_asm_member(&a, "", inner, 64);
	btf_asm_member(&a, "packed", u32, 126 | 4u << 24);
	btf_asm_member(&a, "wide", u64, 65 | 64u << 24);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "packed", TRUE, 1, 6);
	btf_asm_member(&a, "end", u32, 36 | 10u << 24);
	g_autoptr(VmifsTypes) types = good_types(&a);

	assert_bits(types, "flags.plain", 0, 4, 0, 0);
	assert_bits(types, "flags.first", 4, 4, 0, 1);
	assert_bits(types, "flags.second", 4, 4, 1, 7);
	assert_bits(types, "flags.last", 4, 4, 31, 1);
	assert_bits(types, "flags.nested", 8, 4, 3, 5);
	/* Over the border of two units: the two bytes that hold it. */
	assert_bits(types, "flags.packed", 15, 2, 6, 4);
	/* Its unit would end after the structure. */
	assert_bits(types, "packed.end", 4, 2, 4, 10);
	/* 64 bits at an odd bit take nine bytes: no single load. */
	assert_no_member(types, "flags.wide");
}
END_TEST

START_TEST(bitfields_of_old_blobs_are_narrow_ints)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	guint32 narrow = btf_asm_type(&a, VMIFS_BTF_INT, "unsigned int", FALSE, 0, 4);
	btf_asm_u32(&a, 3);
	guint32 shifted = btf_asm_type(&a, VMIFS_BTF_INT, "unsigned int", FALSE, 0, 4);
	btf_asm_u32(&a, 2 << 16 | 5);
	guint32 alias = btf_asm_type(&a, VMIFS_BTF_TYPEDEF, "u3", FALSE, 0, narrow);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "old", FALSE, 2, 8);
	btf_asm_member(&a, "three", alias, 32);
	btf_asm_member(&a, "five", shifted, 35);
	g_autoptr(VmifsTypes) types = good_types(&a);

	assert_bits(types, "old.three", 4, 4, 0, 3);
	assert_bits(types, "old.five", 4, 4, 5, 5);
}
END_TEST

START_TEST(enumerators_have_values_of_their_width)
{
	g_auto(BtfAsm) a;
	gint64 value;
	btf_asm_init(&a, NULL);
	btf_asm_type(&a, VMIFS_BTF_ENUM, "sign", TRUE, 2, 4);
	btf_asm_u32(&a, btf_asm_string(&a, "MINUS"));
	btf_asm_u32(&a, (guint32) -2);
	btf_asm_u32(&a, btf_asm_string(&a, "PLUS"));
	btf_asm_u32(&a, 2);
	btf_asm_type(&a, VMIFS_BTF_ENUM, "", FALSE, 1, 4);
	btf_asm_u32(&a, btf_asm_string(&a, "HIGH"));
	btf_asm_u32(&a, 0x80000000);
	btf_asm_type(&a, VMIFS_BTF_ENUM64, "wide", FALSE, 1, 8);
	btf_asm_u32(&a, btf_asm_string(&a, "WIDE"));
	btf_asm_u32(&a, 2);
	btf_asm_u32(&a, 1);
	g_autoptr(VmifsTypes) types = good_types(&a);

	ck_assert(vmifs_types_enumerator(types, "MINUS", &value));
	ck_assert_int_eq(value, -2);
	ck_assert(vmifs_types_enumerator(types, "PLUS", &value));
	ck_assert_int_eq(value, 2);
	ck_assert(vmifs_types_enumerator(types, "HIGH", &value));
	ck_assert_int_eq(value, 0x80000000);
	ck_assert(vmifs_types_enumerator(types, "WIDE", &value));
	ck_assert_int_eq(value, 0x100000002);
	assert_size(types, "sign", 4);
	assert_size(types, "wide", 8);
	assert_no_member(types, "sign.MINUS");
}
END_TEST

START_TEST(definitions_go_before_declarations_and_typedefs)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	guint32 u32 = btf_asm_int(&a, "unsigned int", 4);
	guint32 forward = btf_asm_type(&a, VMIFS_BTF_FWD, "node", FALSE, 0, 0);
	btf_asm_type(&a, VMIFS_BTF_TYPEDEF, "node", FALSE, 0, forward);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "node", FALSE, 1, 4);
	btf_asm_member(&a, "first", u32, 0);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "node", FALSE, 2, 8);
	btf_asm_member(&a, "first", u32, 32);
	btf_asm_member(&a, "second", u32, 0);
	btf_asm_type(&a, VMIFS_BTF_FWD, "absent", TRUE, 0, 0);
	g_autoptr(VmifsTypes) types = good_types(&a);

	assert_size(types, "node", 4);
	assert_place(types, "node.first", 0, 4);
	assert_place(types, "node.second", 0, 4); /* only the second definition has it */
	assert_no_size(types, "absent");
	assert_no_member(types, "absent.first");
}
END_TEST

START_TEST(every_other_kind_is_stepped_over)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	guint32 u32 = btf_asm_int(&a, "unsigned int", 4);
	guint32 proto = btf_asm_type(&a, VMIFS_BTF_FUNC_PROTO, "", FALSE, 2, u32);
	btf_asm_u32(&a, btf_asm_string(&a, "argument"));
	btf_asm_u32(&a, u32);
	btf_asm_u32(&a, 0);
	btf_asm_u32(&a, 0);
	guint32 function = btf_asm_type(&a, VMIFS_BTF_FUNC, "start", FALSE, 1, proto);
	guint32 variable = btf_asm_type(&a, VMIFS_BTF_VAR, "current", FALSE, 0, u32);
	btf_asm_u32(&a, 1);
	btf_asm_type(&a, VMIFS_BTF_DATASEC, ".data..percpu", FALSE, 1, 4);
	btf_asm_u32(&a, variable);
	btf_asm_u32(&a, 0);
	btf_asm_u32(&a, 4);
	guint32 real = btf_asm_type(&a, VMIFS_BTF_FLOAT, "double", FALSE, 0, 8);
	btf_asm_type(&a, VMIFS_BTF_DECL_TAG, "kfunc", FALSE, 0, function);
	btf_asm_u32(&a, (guint32) -1);
	btf_asm_type(&a, VMIFS_BTF_TYPEDEF, "real", FALSE, 0, real);
	btf_asm_type(&a, VMIFS_BTF_TYPEDEF, "callback", FALSE, 0, proto);
	btf_asm_type(&a, VMIFS_BTF_TYPEDEF, "nothing", FALSE, 0, 0);
	add_list(&a);
	g_autoptr(VmifsTypes) types = good_types(&a);

	assert_size(types, "list", 16);
	assert_size(types, "real", 8);
	assert_no_size(types, "callback");
	assert_no_size(types, "nothing");
	assert_no_size(types, "start");
	assert_no_size(types, "current");
}
END_TEST

START_TEST(pointers_are_as_wide_as_long)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	btf_asm_int(&a, "long unsigned int", 4);
	guint32 pointer = btf_asm_type(&a, VMIFS_BTF_PTR, "", FALSE, 0, 0);
	btf_asm_type(&a, VMIFS_BTF_TYPEDEF, "handle", FALSE, 0, pointer);
	g_autoptr(VmifsTypes) types = good_types(&a);

	assert_size(types, "handle", 4);
}
END_TEST

START_TEST(module_types_continue_the_kernels)
{
	g_auto(BtfAsm) a;
	g_auto(BtfAsm) m;
	g_autoptr(GError) error = NULL;
	gint64 value;
	btf_asm_init(&a, NULL);
	guint32 u32 = btf_asm_int(&a, "unsigned int", 4);
	guint32 list = add_list(&a);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "shared", FALSE, 1, 4);
	btf_asm_member(&a, "old", u32, 0);
	btf_asm_type(&a, VMIFS_BTF_ENUM, "", FALSE, 1, 4);
	btf_asm_u32(&a, btf_asm_string(&a, "FROM_BASE"));
	btf_asm_u32(&a, 7);
	btf_asm_init(&m, &a);
	btf_asm_type(&m, VMIFS_BTF_STRUCT, "device", FALSE, 2, 24);
	btf_asm_member(&m, "queue", list, 0);
	btf_asm_member(&m, "number", u32, 128);
	btf_asm_type(&m, VMIFS_BTF_STRUCT, "shared", FALSE, 1, 8);
	btf_asm_member(&m, "new", u32, 32);
	btf_asm_type(&m, VMIFS_BTF_FWD, "list", FALSE, 0, 0);
	g_autoptr(VmifsTypes) base = good_types(&a);
	g_autoptr(VmifsTypes) module = make_types(&m, base, &error);

	ck_assert_ptr_nonnull(module);
	ck_assert_uint_eq(vmifs_types_count(module), m.next_id - 1);
	assert_place(module, "device.queue.prev", 8, 8);
	assert_place(module, "device.number", 16, 4);
	assert_size(module, "list", 16);
	assert_size(module, "shared", 8); /* its own */
	assert_place(module, "shared.new", 4, 4);
	assert_place(module, "shared.old", 0, 4); /* the kernel's has it */
	ck_assert(vmifs_types_enumerator(module, "FROM_BASE", &value));
	ck_assert_int_eq(value, 7);
	assert_no_size(base, "device");
}
END_TEST

START_TEST(module_types_keep_their_base)
{
	g_auto(BtfAsm) a;
	g_auto(BtfAsm) m;
	btf_asm_init(&a, NULL);
	add_list(&a);
	btf_asm_init(&m, &a);
	VmifsTypes *base = good_types(&a);
	g_autoptr(VmifsTypes) module = make_types(&m, base, NULL);

	ck_assert_ptr_nonnull(module);
	vmifs_types_unref(base);
	assert_size(module, "list", 16);
}
END_TEST

START_TEST(unknown_kind_ends_what_can_be_read)
{
	g_auto(BtfAsm) a;
	g_auto(BtfAsm) m;
	g_autoptr(GError) error = NULL;
	btf_asm_init(&a, NULL);
	add_list(&a);
	btf_asm_type(&a, VMIFS_BTF_N_KINDS, "new", FALSE, 0, 0);
	btf_asm_u32(&a, 1);
	btf_asm_int(&a, "int", 4);
	btf_asm_init(&m, &a);
	g_autoptr(VmifsTypes) types = make_types(&a, NULL, &error);

	ck_assert_ptr_nonnull(types);
	ck_assert_str_eq(vmifs_types_problem(types), "type 3 is of unknown kind 20");
	ck_assert_uint_eq(vmifs_types_count(types), 2);
	assert_size(types, "list", 16);
	ck_assert_ptr_null(make_types(&m, types, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
}
END_TEST

START_TEST(unknown_kind_of_known_length_is_stepped_over)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	a.layout = g_byte_array_new();
	g_byte_array_set_size(a.layout, 4 * 121);
	memset(a.layout->data, 0, a.layout->len);
	a.layout->data[4 * 120] = 4;
	a.layout->data[4 * 120 + 1] = 8;
	btf_asm_type(&a, 120, "new", FALSE, 2, 0);
	for (guint i = 0; i < 5; i++)
		btf_asm_u32(&a, 0xffffffff);
	guint32 list = add_list(&a);
	btf_asm_type(&a, VMIFS_BTF_TYPEDEF, "strange", FALSE, 0, list - 1);
	g_autoptr(VmifsTypes) types = good_types(&a);

	assert_size(types, "list", 16);
	assert_no_size(types, "strange");
}
END_TEST

START_TEST(longer_vlen_of_newer_kernels_is_read)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	guint32 u8 = btf_asm_int(&a, "char", 1);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "huge", FALSE, 0x10001, 0x10001);
	btf_asm_member(&a, "first", u8, 8);
	for (guint32 i = 0; i < 0x10000; i++)
		btf_asm_member(&a, "x", u8, i * 8);
	add_list(&a);
	g_autoptr(VmifsTypes) types = good_types(&a);

	assert_place(types, "huge.first", 1, 1);
	assert_size(types, "list", 16);
}
END_TEST

START_TEST(cycles_have_no_size_and_end)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	btf_asm_type(&a, VMIFS_BTF_TYPEDEF, "self", FALSE, 0, 1);
	btf_asm_type(&a, VMIFS_BTF_TYPEDEF, "ping", FALSE, 0, 3);
	btf_asm_type(&a, VMIFS_BTF_CONST, "", FALSE, 0, 2);
	guint32 array = btf_asm_array(&a, a.next_id, 2);
	btf_asm_type(&a, VMIFS_BTF_TYPEDEF, "arrays", FALSE, 0, array);
	guint32 ring = btf_asm_type(&a, VMIFS_BTF_STRUCT, "ring", FALSE, 3, 8);
	btf_asm_member(&a, "", ring, 0);
	btf_asm_member(&a, "", ring, 0);
	btf_asm_member(&a, "found", ring, 0);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "user", FALSE, 1, 8);
	btf_asm_member(&a, "endless", 1, 0);
	g_autoptr(VmifsTypes) types = good_types(&a);

	assert_no_size(types, "self");
	assert_no_size(types, "ping");
	assert_no_size(types, "arrays");
	assert_no_member(types, "self.x");
	assert_no_member(types, "user.endless");
	assert_no_member(types, "user.endless.x");
	assert_no_member(types, "ring.absent"); /* 2^16 ways down: ends by budget */
	assert_place(types, "ring.found.found.found", 0, 8);
}
END_TEST

START_TEST(members_outside_their_struct_are_unknown)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	guint32 u32 = btf_asm_int(&a, "unsigned int", 4);
	guint32 huge = btf_asm_array(&a, btf_asm_array(&a, u32, 0xffffffff), 0xffffffff);
	guint32 large = btf_asm_array(&a, u32, 0x20000000);
	btf_asm_type(&a, VMIFS_BTF_TYPEDEF, "huge", FALSE, 0, huge);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "liar", FALSE, 6, 8);
	btf_asm_member(&a, "inside", u32, 32);
	btf_asm_member(&a, "after", u32, 64);
	btf_asm_member(&a, "over", u32, 40);
	btf_asm_member(&a, "askew", u32, 3);
	btf_asm_member(&a, "large", large, 0);
	btf_asm_member(&a, "far", u32, 0xfffffff8);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "outer", FALSE, 1, 8);
	btf_asm_member(&a, "liar", a.next_id - 2, 32);
	g_autoptr(VmifsTypes) types = good_types(&a);

	assert_place(types, "liar.inside", 4, 4);
	assert_no_member(types, "liar.after");
	assert_no_member(types, "liar.over");
	assert_no_member(types, "liar.askew");
	assert_no_member(types, "liar.large");
	assert_no_member(types, "liar.far");
	assert_no_member(types, "outer.liar");
	assert_no_member(types, "outer.liar.inside");
	assert_no_size(types, "huge");
}
END_TEST

START_TEST(ids_and_strings_out_of_range_are_nothing)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	btf_asm_type(&a, VMIFS_BTF_TYPEDEF, "beyond", FALSE, 0, 0xffffffff);
	btf_asm_type(&a, VMIFS_BTF_TYPEDEF, "end", FALSE, 0, 4);
	guint32 bad = btf_asm_type(&a, VMIFS_BTF_STRUCT, "bad", FALSE, 2, 8);
	btf_asm_u32(&a, 0xffffffff);
	btf_asm_u32(&a, bad);
	btf_asm_u32(&a, 0);
	btf_asm_member(&a, "child", 0xfffffffe, 0);
	g_autoptr(VmifsTypes) types = good_types(&a);

	assert_no_size(types, "beyond");
	assert_no_size(types, "end");
	assert_size(types, "bad", 8);
	assert_no_member(types, "bad.child");
	assert_no_member(types, "bad.child.x");
}
END_TEST

START_TEST(name_of_many_types_ends_the_search)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	guint32 name = btf_asm_string(&a, "same");
	for (guint i = 0; i < 200000; i++) {
		btf_asm_u32(&a, name);
		btf_asm_u32(&a, VMIFS_BTF_STRUCT << 24);
		btf_asm_u32(&a, 1);
		a.next_id++;
	}
	g_autoptr(VmifsTypes) types = good_types(&a);

	assert_size(types, "same", 1);
	for (guint i = 0; i < 1000; i++)
		assert_no_member(types, "same.member");
}
END_TEST

START_TEST(giant_names_cost_nothing)
{
	g_auto(BtfAsm) a;
	g_autofree char *giant = g_strnfill(8 << 20, 'x');
	btf_asm_init(&a, NULL);
	guint32 name = btf_asm_string(&a, giant);
	for (guint i = 0; i < 200000; i++) {
		btf_asm_u32(&a, name);
		btf_asm_u32(&a, VMIFS_BTF_STRUCT << 24);
		btf_asm_u32(&a, 1);
		a.next_id++;
	}
	add_list(&a);
	g_autoptr(VmifsTypes) types = good_types(&a);

	assert_size(types, "list", 16);
	assert_no_size(types, giant);
}
END_TEST

START_TEST(giant_structs_of_one_name_end_the_search)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	guint32 name = btf_asm_string(&a, "mm");
	for (guint i = 0; i < 40; i++) {
		btf_asm_u32(&a, name);
		btf_asm_u32(&a, VMIFS_BTF_STRUCT << 24 | 20000);
		btf_asm_u32(&a, 1);
		a.next_id++;
		for (guint m = 0; m < 20000; m++) {
			btf_asm_u32(&a, name);
			btf_asm_u32(&a, 1);
			btf_asm_u32(&a, 0);
		}
	}
	g_autoptr(VmifsTypes) types = good_types(&a);
	gint64 start = g_get_monotonic_time();

	for (guint i = 0; i < 100; i++)
		assert_no_member(types, "mm.owner");
	/* 80 million members, were there no bounds. */
	ck_assert_int_lt(g_get_monotonic_time() - start, 5 * G_USEC_PER_SEC);
}
END_TEST

START_TEST(giant_vlen_is_refused)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "giant", FALSE, 0xffffff, 8);
	btf_asm_member(&a, "first", 1, 0);
	assert_refused(&a, "type 1 goes over the end");
}
END_TEST

START_TEST(kind_zero_is_refused)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	add_list(&a);
	btf_asm_type(&a, 0, "", FALSE, 0, 0);
	assert_refused(&a, "type 3 is of unknown kind 0");
}
END_TEST

START_TEST(first_type_must_be_readable)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	btf_asm_type(&a, 99, "", FALSE, 0, 0);
	assert_refused(&a, "type 1 is of unknown kind 99");
}
END_TEST

START_TEST(unended_strings_are_refused)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	add_list(&a);
	g_byte_array_append(a.strings, (const guint8 *) "x", 1);
	assert_refused(&a, "do not end in NUL");
}
END_TEST

START_TEST(every_cut_is_refused)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	add_list(&a);
	g_autoptr(GBytes) blob = btf_asm_blob(&a);
	gsize len;
	const guint8 *data = g_bytes_get_data(blob, &len);

	for (gsize cut = 0; cut < len; cut++) {
		g_autoptr(GError) error = NULL;
		g_autofree guint8 *part = g_memdup2(data, cut);

		ck_assert_ptr_null(vmifs_types_new_btf(part, cut, &error));
		ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	}
}
END_TEST

START_TEST(bytes_after_the_blob_do_not_matter)
{
	g_auto(BtfAsm) a;
	btf_asm_init(&a, NULL);
	add_list(&a);
	g_autoptr(GBytes) blob = btf_asm_blob(&a);
	GByteArray *more = g_bytes_unref_to_array(g_steal_pointer(&blob));
	g_byte_array_append(more, (const guint8 *) "rest", 4);
	g_autoptr(VmifsTypes) types = vmifs_types_new_btf(more->data, more->len, NULL);

	assert_size(types, "list", 16);
	g_byte_array_unref(more);
}
END_TEST

/* {byte of the header, what it becomes}: each makes the blob unreadable. */
static const struct {
	guint at;
	guint8 value;
} wrong_headers[] = {
	{ 0, 0xeb },  /* magic; a big-endian blob */
	{ 2, 2 },     /* version */
	{ 4, 23 },    /* length of the header */
	{ 7, 0xff },  /* the same */
	{ 8, 2 },     /* types not aligned */
	{ 11, 0xff }, /* types outside */
	{ 15, 0xff }, /* types too long */
	{ 19, 0xff }, /* strings outside */
	{ 23, 0xff }, /* strings too long */
};

START_TEST(wrong_header_is_refused)
{
	g_auto(BtfAsm) a;
	g_autoptr(GError) error = NULL;
	btf_asm_init(&a, NULL);
	add_list(&a);
	g_autoptr(GBytes) blob = btf_asm_blob(&a);
	GByteArray *bytes = g_bytes_unref_to_array(g_steal_pointer(&blob));

	bytes->data[wrong_headers[_i].at] = wrong_headers[_i].value;
	ck_assert_ptr_null(vmifs_types_new_btf(bytes->data, bytes->len, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	g_byte_array_unref(bytes);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("types");
	TCase *t = tcase_create("right");

	tcase_add_test(t, members_have_place_size_and_count);
	tcase_add_test(t, unknown_names_are_not_found);
	tcase_add_test(t, members_of_anonymous_structs_are_found);
	tcase_add_test(t, dots_descend_through_typedefs_and_arrays);
	tcase_add_test(t, bitfields_say_how_to_load_them);
	tcase_add_test(t, bitfields_of_old_blobs_are_narrow_ints);
	tcase_add_test(t, enumerators_have_values_of_their_width);
	tcase_add_test(t, definitions_go_before_declarations_and_typedefs);
	tcase_add_test(t, every_other_kind_is_stepped_over);
	tcase_add_test(t, pointers_are_as_wide_as_long);
	tcase_add_test(t, module_types_continue_the_kernels);
	tcase_add_test(t, module_types_keep_their_base);
	tcase_add_test(t, unknown_kind_of_known_length_is_stepped_over);
	tcase_add_test(t, longer_vlen_of_newer_kernels_is_read);
	tcase_add_test(t, bytes_after_the_blob_do_not_matter);
	suite_add_tcase(s, t);
	t = tcase_create("hostile");
	tcase_add_test(t, unknown_kind_ends_what_can_be_read);
	tcase_add_test(t, cycles_have_no_size_and_end);
	tcase_add_test(t, members_outside_their_struct_are_unknown);
	tcase_add_test(t, ids_and_strings_out_of_range_are_nothing);
	tcase_add_test(t, name_of_many_types_ends_the_search);
	tcase_add_test(t, giant_names_cost_nothing);
	tcase_add_test(t, giant_structs_of_one_name_end_the_search);
	tcase_add_test(t, giant_vlen_is_refused);
	tcase_add_test(t, kind_zero_is_refused);
	tcase_add_test(t, first_type_must_be_readable);
	tcase_add_test(t, unended_strings_are_refused);
	tcase_add_test(t, every_cut_is_refused);
	tcase_add_loop_test(t, wrong_header_is_refused, 0, G_N_ELEMENTS(wrong_headers));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
