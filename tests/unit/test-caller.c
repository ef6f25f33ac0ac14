/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* caller: the numbers that a process in a pid namespace has for itself. */
#include <unit.h>

#include <fs/caller.h>
#include <fs/hostproc.h>

#include <string.h>
#include <unistd.h>

static const char nested[] = "Name:\tps NSpid:\t5\nTgid:\t7001\nPid:\t7002\nNStgid:\t7001\t41\t17\n"
			     "NSpid:\t7002\t42\t18\nNSpgid:\t7001\t41\t99\n";

START_TEST(innermost_numbers_of_process_and_thread_are_the_callers)
{
	ck_assert(vmifs_caller_status_has(nested, 17));
	ck_assert(vmifs_caller_status_has(nested, 18));
}
END_TEST

START_TEST(no_other_number_is)
{
	static const guint32 others[] = { 0, 1, 5, 7, 8, 41, 42, 99, 7001, 7002 };
	for (gsize i = 0; i < G_N_ELEMENTS(others); i++)
		ck_assert(!vmifs_caller_status_has(nested, others[i]));
}
END_TEST

START_TEST(text_without_those_lines_has_none)
{
	ck_assert(!vmifs_caller_status_has("", 1));
	ck_assert(!vmifs_caller_status_has("Name:\tps\nTgid:\t1\n", 1));
	ck_assert(!vmifs_caller_status_has("Name:\tps\nNSpid:\t\n", 0));
	ck_assert(!vmifs_caller_status_has("Name:\tps\nNSpid:\t99999999999999999999", 1));
}
END_TEST

START_TEST(this_process_is_itself_and_nobody_else)
{
	int proc = vmifs_hostproc_open();
	ck_assert(vmifs_caller_is(proc, getpid(), (guint32) getpid()));
	ck_assert(!vmifs_caller_is(proc, getpid(), (guint32) getppid()));
	ck_assert(!vmifs_caller_is(proc, 0, 0));
	ck_assert(!vmifs_caller_is(proc, -1, G_MAXUINT32));
	close(proc);
}
END_TEST

START_TEST(status_is_of_this_process_or_of_none)
{
	int proc = vmifs_hostproc_open();
	g_autofree char *own = vmifs_hostproc_status(proc, 0);
	g_autofree char *same = vmifs_hostproc_status(proc, getpid());
	g_autofree char *line = g_strdup_printf("\nPid:\t%d\n", getpid());

	ck_assert_ptr_nonnull(strstr(own, line));
	ck_assert_ptr_nonnull(strstr(same, line));
	ck_assert_ptr_null(vmifs_hostproc_status(proc, G_MAXINT32));
	ck_assert_ptr_null(vmifs_hostproc_status(-1, 0));
	close(proc);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("caller");
	TCase *t = tcase_create("caller");
	tcase_add_test(t, innermost_numbers_of_process_and_thread_are_the_callers);
	tcase_add_test(t, no_other_number_is);
	tcase_add_test(t, text_without_those_lines_has_none);
	tcase_add_test(t, this_process_is_itself_and_nobody_else);
	tcase_add_test(t, status_is_of_this_process_or_of_none);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
