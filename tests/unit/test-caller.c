/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* caller: the numbers that a process in a pid namespace has for itself. */
#include <unit.h>

#include <fs/caller.h>

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
	ck_assert(vmifs_caller_is(getpid(), (guint32) getpid()));
	ck_assert(!vmifs_caller_is(getpid(), (guint32) getppid()));
	ck_assert(!vmifs_caller_is(0, 0));
	ck_assert(!vmifs_caller_is(-1, G_MAXUINT32));
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
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
