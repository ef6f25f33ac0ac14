/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* types-builder: types put together one by one are read as those of a blob. */
#include <types-check.h>

static VmifsTypes *
end(VmifsTypesBuilder *b)
{
	g_autoptr(GError) error = NULL;
	VmifsTypes *types = vmifs_types_builder_end(b, &error);

	ck_assert_msg(types, "%s", error ? error->message : "no error");
	ck_assert_ptr_null(vmifs_types_problem(types));
	return types;
}

START_TEST(types_are_read_as_they_were_told)
{
	VmifsTypesBuilder *b = vmifs_types_builder_new(8);
	guint32 u32 = vmifs_types_builder_int(b, 4);
	guint32 blob = vmifs_types_builder_int(b, 40);
	guint32 task = vmifs_types_builder_reserve(b);
	guint32 list = vmifs_types_builder_struct(b, 0, "list_head", 16);
	guint32 pointer = vmifs_types_builder_pointer(b, 0, list);
	vmifs_types_builder_struct(b, task, "task_struct", 128);
	vmifs_types_builder_member(b, "pid", u32, 32, 0);
	vmifs_types_builder_member(b, "tasks", list, 64, 0);
	vmifs_types_builder_member(b, "slots", vmifs_types_builder_array(b, 0, pointer, 3), 192, 0);
	vmifs_types_builder_typedef(b, 0, "task_t", task);
	vmifs_types_builder_struct(b, 0, "other", 48);
	vmifs_types_builder_member(b, "opaque", blob, 64, 0);
	g_autoptr(VmifsTypes) types = end(b);
	VmifsMember m;

	assert_size(types, "task_struct", 128);
	assert_size(types, "task_t", 128);
	assert_place(types, "task_struct.pid", 4, 4);
	assert_place(types, "task_t.tasks", 8, 16);
	assert_place(types, "other.opaque", 8, 40);
	assert_place(types, "task_struct.slots", 24, 24);
	ck_assert(vmifs_types_member(types, "task_struct.pid", &m));
	ck_assert_uint_eq(m.bit_len, 0);
	ck_assert(!m.is_pointer);
}
END_TEST

START_TEST(what_is_told_later_is_referred_to_before)
{
	VmifsTypesBuilder *b = vmifs_types_builder_new(8);
	guint32 later = vmifs_types_builder_reserve(b);
	guint32 never = vmifs_types_builder_reserve(b);
	guint32 to_never = vmifs_types_builder_pointer(b, 0, never);
	vmifs_types_builder_struct(b, 0, "a", 64);
	vmifs_types_builder_member(b, "later", later, 0, 0);
	vmifs_types_builder_member(b, "never", never, 0, 0);
	vmifs_types_builder_member(b, "pointer", to_never, 384, 0);
	vmifs_types_builder_array(b, later, to_never, 6);
	vmifs_types_builder_pointer(b, later, 0); /* too late */
	g_autoptr(VmifsTypes) types = end(b);
	VmifsMember m;

	ck_assert(vmifs_types_member(types, "a.later", &m));
	ck_assert_uint_eq(m.count, 6);
	ck_assert_uint_eq(m.elem_size, 8);
	ck_assert(m.is_pointer);
	assert_no_member(types, "a.never");
	assert_place(types, "a.pointer", 48, 8);
}
END_TEST

START_TEST(pointers_are_as_long_as_the_guests)
{
	VmifsTypesBuilder *b = vmifs_types_builder_new(4);
	guint32 pointer = vmifs_types_builder_pointer(b, 0, 0);
	vmifs_types_builder_struct(b, 0, "a", 4);
	vmifs_types_builder_member(b, "p", pointer, 0, 0);
	g_autoptr(VmifsTypes) types = end(b);

	assert_place(types, "a.p", 0, 4);
}
END_TEST

START_TEST(bitfields_and_anonymous_structures_are_told_too)
{
	VmifsTypesBuilder *b = vmifs_types_builder_new(8);
	guint32 u32 = vmifs_types_builder_int(b, 4);
	guint32 inner = vmifs_types_builder_struct(b, 0, NULL, 8);
	vmifs_types_builder_member(b, "bits", u32, 35, 2);
	vmifs_types_builder_member(b, "plain", u32, 0, 0);
	vmifs_types_builder_struct(b, 0, "outer", 16);
	vmifs_types_builder_member(b, NULL, inner, 64, 0);
	vmifs_types_builder_member(b, "far", u32, G_GUINT64_CONSTANT(1) << 40, 0);
	g_autoptr(VmifsTypes) types = end(b);

	assert_bits(types, "outer.bits", 12, 4, 3, 2);
	assert_place(types, "outer.plain", 8, 4);
	assert_no_member(types, "outer.far");
}
END_TEST

START_TEST(enumerators_keep_all_their_bits)
{
	VmifsTypesBuilder *b = vmifs_types_builder_new(8);
	gint64 value;
	vmifs_types_builder_enum(b, 0, "kinds", 4);
	vmifs_types_builder_enumerator(b, "MINUS", -2);
	vmifs_types_builder_enumerator(b, "LARGE", G_MAXINT64);
	vmifs_types_builder_member(b, "no_structure", 1, 0, 0);
	g_autoptr(VmifsTypes) types = end(b);

	ck_assert(vmifs_types_enumerator(types, "MINUS", &value));
	ck_assert_int_eq(value, -2);
	ck_assert(vmifs_types_enumerator(types, "LARGE", &value));
	ck_assert_int_eq(value, G_MAXINT64);
	assert_size(types, "kinds", 4);
	assert_no_member(types, "kinds.no_structure");
}
END_TEST

START_TEST(ids_that_were_never_given_have_no_size)
{
	VmifsTypesBuilder *b = vmifs_types_builder_new(8);
	vmifs_types_builder_struct(b, 0, "a", 64);
	vmifs_types_builder_member(b, "void", 0, 0, 0);
	vmifs_types_builder_member(b, "none", 1234, 0, 0);
	vmifs_types_builder_typedef(b, 99, "nothing", 1);
	g_autoptr(VmifsTypes) types = end(b);

	assert_size(types, "a", 64);
	assert_no_member(types, "a.void");
	assert_no_member(types, "a.none");
	assert_no_size(types, "nothing");
}
END_TEST

START_TEST(more_than_any_kernel_has_is_refused)
{
	VmifsTypesBuilder *b = vmifs_types_builder_new(8);
	g_autoptr(GError) error = NULL;

	vmifs_types_builder_struct(b, 0, "wide", 64);
	for (guint i = 0; i < 0x10000; i++)
		vmifs_types_builder_member(b, NULL, 1, 0, 0);
	ck_assert_ptr_null(vmifs_types_builder_end(b, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("types-builder");
	TCase *t = tcase_create("types-builder");

	tcase_add_test(t, types_are_read_as_they_were_told);
	tcase_add_test(t, what_is_told_later_is_referred_to_before);
	tcase_add_test(t, pointers_are_as_long_as_the_guests);
	tcase_add_test(t, bitfields_and_anonymous_structures_are_told_too);
	tcase_add_test(t, enumerators_keep_all_their_bits);
	tcase_add_test(t, ids_that_were_never_given_have_no_size);
	tcase_add_test(t, more_than_any_kernel_has_is_refused);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
