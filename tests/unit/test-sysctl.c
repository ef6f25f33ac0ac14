/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sysctl: files of /proc/sys that are a variable each. */
#include <unit.h>

#include <linux-guest.h>

#define TYPES "struct list_head 16 next@0:8 prev@8:8\n"

typedef struct {
	LinuxGuest g;
	GString *out;
	GError *error;
} Fixture;

static void
setup(Fixture *f)
{
	*f = (Fixture){ .out = g_string_new(NULL) };
	linux_guest_init(&f->g, TYPES);
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_string_free(f->out, TRUE);
	g_clear_error(&f->error);
}

/* A variable of a new symbol, with room. Returns its address. */
static guint64
variable(Fixture *f, const char *name, guint64 value)
{
	guint64 va = linux_guest_alloc(&f->g, 8192);
	linux_guest_u64(&f->g, va, value);
	linux_guest_symbol(&f->g, name, va);
	return va;
}

typedef LINUX_VIEW((*Render));

static void
shows(Fixture *f, Render render, const char *entry, const char *text)
{
	ck_assert_msg(render(linux_guest_start(&f->g), NULL, entry, f->out, NULL, &f->error), "%s",
		      f->error ? f->error->message : "");
	ck_assert_str_eq(f->out->str, text);
}

START_TEST(numbers_are_signed_where_the_kernels_are)
{
	Fixture f;
	setup(&f);
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
	setup(&f);
	variable(&f, "sysctl_nr_open", 0xfffffff0);
	shows(&f, linux_render_sys_fs, "nr_open", "4294967280\n");
	teardown(&f);
}
END_TEST

START_TEST(long_ones_have_eight_bytes)
{
	Fixture f;
	setup(&f);
	variable(&f, "sysctl_overcommit_kbytes", 0x100000001);
	shows(&f, linux_render_sys_vm, "overcommit_kbytes", "4294967297\n");
	teardown(&f);
}
END_TEST

START_TEST(boot_id_has_its_dashes)
{
	Fixture f;
	setup(&f);
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
	setup(&f);
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
