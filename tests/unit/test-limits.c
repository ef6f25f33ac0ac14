/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* limits: the table, byte for byte, and who has none. */
#include <view-test.h>

#define TYPES                                                                                      \
	"struct rlimit 16 rlim_cur@0:8 rlim_max@8:8\n"                                             \
	"struct signal_struct 256 rlim@0=rlimitx16\n"                                              \
	"struct task_struct 32 signal@0:8 sighand@8:8\n"

static void
setup_task(Fixture *f)
{
	setup(f, TYPES);
	f->task.object = linux_guest_new(&f->g, LINUX_STRUCT_TASK);
	f->signal = linux_guest_new(&f->g, LINUX_STRUCT_SIGNAL);
	linux_guest_put(&f->g, f->task.object, LINUX_FIELD_TASK_SIGNAL, f->signal);
	linux_guest_put(&f->g, f->task.object, LINUX_FIELD_TASK_SIGHAND, 1);
}

START_TEST(limits_stand_in_columns)
{
	Fixture f;
	setup_task(&f);
	guint64 stack = linux_layout_element(f.g.layout, LINUX_FIELD_SIGNAL_RLIM, f.signal, 3);
	linux_guest_put(&f.g, stack, LINUX_FIELD_RLIMIT_CUR, 8388608);
	linux_guest_put(&f.g, stack, LINUX_FIELD_RLIMIT_MAX, G_MAXUINT64);
	ck_assert(
		linux_render_limits(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL, &f.error));
	g_auto(GStrv) lines = g_strsplit(f.out->str, "\n", -1);
	ck_assert_uint_eq(g_strv_length(lines), 18);
	ck_assert_str_eq(lines[0], "Limit                     Soft Limit           "
				   "Hard Limit           Units     ");
	ck_assert_str_eq(lines[4], "Max stack size            8388608              "
				   "unlimited            bytes     ");
	ck_assert_str_eq(lines[14], "Max nice priority         0                    "
				    "0                    ");
	ck_assert_str_eq(lines[17], "");
	teardown(&f);
}
END_TEST

START_TEST(dead_have_no_limits)
{
	Fixture f;
	setup_task(&f);
	linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_SIGHAND, 0);
	ck_assert(
		linux_render_limits(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, "");
	teardown(&f);
}
END_TEST

START_TEST(limits_that_cannot_be_read_are_an_error_and_no_text)
{
	Fixture f;
	setup_task(&f);
	linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_SIGNAL, 0x1000);
	ck_assert(!linux_render_limits(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL,
				       &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	ck_assert_str_eq(f.out->str, "");
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("limits");
	TCase *t = tcase_create("limits");

	tcase_add_test(t, limits_stand_in_columns);
	tcase_add_test(t, dead_have_no_limits);
	tcase_add_test(t, limits_that_cannot_be_read_are_an_error_and_no_text);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
