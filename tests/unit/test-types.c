/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* types over btf: every kind, and the shapes of members. */
#include <types-check.h>

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
static Suite *
make_suite(void)
{
	Suite *s = suite_create("types");
	TCase *t = tcase_create("types");
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
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
