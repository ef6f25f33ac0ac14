/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* types over btf: blobs that lie, and cost what they like. */
#include <types-check.h>

#include <time.h>

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
	clock_t start = clock();

	for (guint i = 0; i < 100; i++)
		assert_no_member(types, "mm.owner");
	/* 80 million members, were there no bounds. */
	ck_assert_int_lt(clock() - start, 5 * CLOCKS_PER_SEC);
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
	Suite *s = suite_create("types-hostile");
	TCase *t = tcase_create("types-hostile");
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
