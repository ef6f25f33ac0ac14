/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sysctl: files of /proc/sys that are a variable each. */
#include <view-test.h>

#define TYPES "struct list_head 16 next@0:8 prev@8:8\n"

START_TEST(numbers_are_signed_where_the_kernels_are)
{
	Fixture f;
	setup(&f, TYPES);
	variable(&f, "vm_swappiness", 0xffffffff);
	shows(&f, linux_render_sys_vm, "swappiness", "-1\n");
	g_string_truncate(f.out, 0);
	ck_assert(!linux_render_sys_vm(&f.g.os, NULL, "nonesuch", f.out, NULL, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	teardown(&f);
}
END_TEST

START_TEST(others_are_not)
{
	Fixture f;
	setup(&f, TYPES);
	variable(&f, "sysctl_nr_open", 0xfffffff0);
	shows(&f, linux_render_sys_fs, "nr_open", "4294967280\n");
	teardown(&f);
}
END_TEST

START_TEST(long_ones_have_eight_bytes)
{
	Fixture f;
	setup(&f, TYPES);
	variable(&f, "sysctl_overcommit_kbytes", 0x100000001);
	shows(&f, linux_render_sys_vm, "overcommit_kbytes", "4294967297\n");
	teardown(&f);
}
END_TEST

START_TEST(boot_id_has_its_dashes)
{
	Fixture f;
	setup(&f, TYPES);
	guint64 at = variable(&f, "sysctl_bootid", 0x7766554433221100);
	linux_guest_u64(&f.g, at + 8, 0xffeeddccbbaa9988);
	shows(&f, linux_render_sys_kernel_random, "boot_id",
	      "00112233-4455-6677-8899-aabbccddeeff\n");
	teardown(&f);
}
END_TEST

START_TEST(only_variables_of_this_kernel_are_listed)
{
	Fixture f;
	setup(&f, TYPES);
	variable(&f, "page_cluster", 3);
	variable(&f, "max_threads", 3593);
	Linux *os = linux_guest_start(&f.g);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	ck_assert(linux_list_sys_vm(os, NULL, names, NULL, &f.error));
	ck_assert_uint_eq(names->len, 1);
	ck_assert_str_eq(g_ptr_array_index(names, 0), "page-cluster");
	ck_assert(linux_render_threads_max(os, NULL, NULL, f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, "3593\n");
	ck_assert(!linux_render_cap_last_cap(os, NULL, NULL, f.out, NULL, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("sysctl");
	TCase *t = tcase_create("sysctl");
	tcase_add_test(t, numbers_are_signed_where_the_kernels_are);
	tcase_add_test(t, others_are_not);
	tcase_add_test(t, long_ones_have_eight_bytes);
	tcase_add_test(t, boot_id_has_its_dashes);
	tcase_add_test(t, only_variables_of_this_kernel_are_listed);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
