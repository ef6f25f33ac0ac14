/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* layout: alternatives, absences, spans. */
#include <unit.h>

#include <btf-asm.h>
#include <btf.h>
#include <os/linux/layout.h>
#include <string.h>
#include <vmifs/error.h>

/* task_struct { u32 pid; (4) char comm[16]; list_head tasks; u32 state or __state; ... } of 64
 * bytes, module without a name, enum of a kind of pid. */
static LinuxLayout *
make_layout(const char *state_name, guint32 task_size)
{
	g_auto(BtfAsm) a;
	g_autoptr(GBytes) blob = NULL;
	g_autoptr(VmifsTypes) types = NULL;
	gconstpointer data;
	gsize len;

	btf_asm_init(&a, NULL);
	guint32 u32 = btf_asm_int(&a, "unsigned int", 4);
	guint32 comm = btf_asm_array(&a, btf_asm_int(&a, "char", 1), 16);
	guint32 list = btf_asm_type(&a, VMIFS_BTF_STRUCT, "list_head", FALSE, 2, 16);
	btf_asm_member(&a, "next", list + 1, 0);
	btf_asm_member(&a, "prev", list + 1, 64);
	btf_asm_type(&a, VMIFS_BTF_PTR, "", FALSE, 0, list);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "task_struct", FALSE, 5, task_size);
	btf_asm_member(&a, "pid", u32, 0);
	btf_asm_member(&a, "comm", comm, 64);
	btf_asm_member(&a, "tasks", list, 192);
	btf_asm_member(&a, state_name, u32, 320);
	btf_asm_member(&a, "unlisted", u32, 352);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "module", FALSE, 0, 8);
	btf_asm_type(&a, VMIFS_BTF_ENUM, "", FALSE, 1, 4);
	btf_asm_u32(&a, btf_asm_string(&a, "PIDTYPE_SID"));
	btf_asm_u32(&a, 2);
	blob = btf_asm_blob(&a);
	data = g_bytes_get_data(blob, &len);
	types = vmifs_types_new_btf(data, len, NULL);
	ck_assert_ptr_nonnull(types);
	return linux_layout_new(types);
}

START_TEST(first_known_alternative_is_taken)
{
	static const char *const names[] = { "__state", "state" };
	g_autoptr(LinuxLayout) layout = make_layout(names[_i], 64);
	const VmifsMember *m = linux_layout_member(layout, LINUX_FIELD_TASK_STATE);

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->offset, 40);
	ck_assert_uint_eq(m->size, 4);
}
END_TEST

START_TEST(absent_fields_are_null_and_named)
{
	g_autoptr(LinuxLayout) layout = make_layout("other", 64);
	g_autoptr(GError) error = NULL;
	gint64 value;

	ck_assert(!linux_layout_has(layout, LINUX_FIELD_TASK_STATE));
	ck_assert_ptr_null(linux_layout_member(layout, LINUX_FIELD_TASK_STATE));
	ck_assert(!linux_layout_has(layout, LINUX_FIELD_MM_PGD));
	ck_assert_uint_eq(linux_layout_sizeof(layout, LINUX_STRUCT_MM), 0);
	ck_assert_uint_eq(linux_layout_span(layout, LINUX_STRUCT_MM), 0);
	ck_assert(!linux_layout_value(layout, LINUX_VALUE_PIDTYPE_PID, &value));
	ck_assert(!LINUX_REQUIRE(layout, &error, LINUX_FIELD_TASK_PID, LINUX_FIELD_TASK_STATE,
				 LINUX_FIELD_MM_PGD));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	ck_assert_str_eq(error->message, "the kernel's types lack task_struct.__state|state, "
					 "mm_struct.pgd");
	g_clear_error(&error);
	ck_assert(LINUX_REQUIRE(layout, &error, LINUX_FIELD_TASK_PID, LINUX_FIELD_TASK_COMM));
	ck_assert_ptr_null(error);
}
END_TEST

START_TEST(span_ends_with_the_last_listed_field)
{
	g_autoptr(LinuxLayout) layout = make_layout("state", 64);

	ck_assert_uint_eq(linux_layout_sizeof(layout, LINUX_STRUCT_TASK), 64);
	ck_assert_uint_eq(linux_layout_span(layout, LINUX_STRUCT_TASK), 44);
	ck_assert_uint_eq(linux_layout_sizeof(layout, LINUX_STRUCT_MODULE), 8);
	ck_assert_uint_eq(linux_layout_span(layout, LINUX_STRUCT_MODULE), 0);
}
END_TEST

START_TEST(structure_beyond_the_bound_is_absent)
{
	g_autoptr(LinuxLayout) layout = make_layout("state", LINUX_STRUCT_MAX + 1);

	ck_assert_uint_eq(linux_layout_sizeof(layout, LINUX_STRUCT_TASK), 0);
	ck_assert(!linux_layout_has(layout, LINUX_FIELD_TASK_PID));
}
END_TEST

START_TEST(elements_have_their_addresses)
{
	g_autoptr(LinuxLayout) layout = make_layout("state", 64);

	ck_assert_uint_eq(linux_layout_element(layout, LINUX_FIELD_TASK_COMM, 0x1000, 3), 0x100b);
	ck_assert_uint_eq(linux_layout_element(layout, LINUX_FIELD_MM_PGD, 0x1000, 0), 0);
}
END_TEST

START_TEST(values_are_found)
{
	g_autoptr(LinuxLayout) layout = make_layout("state", 64);
	gint64 value;

	ck_assert(linux_layout_value(layout, LINUX_VALUE_PIDTYPE_SID, &value));
	ck_assert_int_eq(value, 2);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("layout");
	TCase *t = tcase_create("layout");

	tcase_add_loop_test(t, first_known_alternative_is_taken, 0, 2);
	tcase_add_test(t, absent_fields_are_null_and_named);
	tcase_add_test(t, span_ends_with_the_last_listed_field);
	tcase_add_test(t, structure_beyond_the_bound_is_absent);
	tcase_add_test(t, elements_have_their_addresses);
	tcase_add_test(t, values_are_found);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
