/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-qemu-census: processes that come, go, change, and are not ready yet. */
#include "pretend-qemu.h"

#include <backends/qemu/census.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const usual[] = { "x", "-name", "counted", "-m", "1G", NULL };

/* Others may run here too: only this one counts. */
typedef struct {
	pid_t pid;
	QemuCensusVerdict verdict;
	guint told;
} Wanted;

static QemuCensusVerdict
take(gpointer user, QemuTarget *target)
{
	Wanted *wanted = user;

	if (target->pid != wanted->pid)
		return QEMU_CENSUS_OTHER;
	ck_assert_str_eq(target->name, "counted");
	wanted->told++;
	if (wanted->verdict == QEMU_CENSUS_TAKEN)
		qemu_target_free(target);
	return wanted->verdict;
}

START_TEST(process_that_runs_is_told_once)
{
	g_autoptr(QemuCensus) census = qemu_census_new();
	Wanted wanted = { .verdict = QEMU_CENSUS_TAKEN };

	wanted.pid = pretend_start("qemu-system-x86_64", usual, NULL);
	for (guint i = 0; i < 2 * QEMU_CENSUS_RARELY; i++)
		qemu_census_look(census, i % 3 == 0, take, &wanted);
	ck_assert_uint_eq(wanted.told, 1);
	pretend_end(wanted.pid);
}
END_TEST

START_TEST(process_that_comes_later_is_told_by_the_next_look)
{
	g_autoptr(QemuCensus) census = qemu_census_new();
	Wanted wanted = { .verdict = QEMU_CENSUS_TAKEN };

	/* Neither the first look nor one of those that list all. */
	for (guint i = 0; i < 3; i++)
		qemu_census_look(census, FALSE, take, &wanted);
	wanted.pid = pretend_start("qemu-system-x86_64", usual, NULL);
	qemu_census_look(census, FALSE, take, &wanted);
	ck_assert_uint_eq(wanted.told, 1);
	pretend_end(wanted.pid);
}
END_TEST

START_TEST(process_that_is_not_ready_is_told_by_every_look)
{
	g_autoptr(QemuCensus) census = qemu_census_new();
	Wanted wanted = { .verdict = QEMU_CENSUS_LATER };

	wanted.pid = pretend_start("kvm", usual, NULL);
	for (guint i = 0; i < 5; i++)
		qemu_census_look(census, FALSE, take, &wanted);
	ck_assert_uint_eq(wanted.told, 5);
	wanted.verdict = QEMU_CENSUS_TAKEN;
	qemu_census_look(census, FALSE, take, &wanted);
	qemu_census_look(census, FALSE, take, &wanted);
	ck_assert_uint_eq(wanted.told, 6);
	pretend_end(wanted.pid);
}
END_TEST

START_TEST(process_that_is_none_is_looked_into_ever_more_rarely)
{
	g_autoptr(QemuCensus) census = qemu_census_new();
	Wanted wanted = { .verdict = QEMU_CENSUS_OTHER };

	wanted.pid = pretend_start("kvm", usual, NULL);
	/* By looks 0, 1, 3, 7, 15, 31, 47. */
	for (guint i = 0; i < 48; i++)
		qemu_census_look(census, FALSE, take, &wanted);
	ck_assert_uint_eq(wanted.told, 7);
	qemu_census_look(census, TRUE, take, &wanted);
	ck_assert_uint_eq(wanted.told, 8);
	pretend_end(wanted.pid);
}
END_TEST

START_TEST(process_that_becomes_a_qemu_is_noticed)
{
	g_autoptr(QemuCensus) census = qemu_census_new();
	Wanted wanted = { .verdict = QEMU_CENSUS_TAKEN };
	g_autofree char *path = pretend_path("qemu-system-x86_64");
	int go[2], waits[2];
	char byte;

	/* Only for its program. */
	pretend_end(pretend_start("qemu-system-x86_64", usual, NULL));
	ck_assert_int_eq(pipe(go), 0);
	ck_assert_int_eq(pipe(waits), 0);
	wanted.pid = fork();
	if (wanted.pid == 0) {
		g_autofree char *fd = g_strdup_printf("PRETEND_FD=%d", waits[1]);
		char *environment[] = { fd, "PRETEND_ROOT=", NULL };
		if (read(go[0], &byte, 1) == 1)
			execve(path, (char *const *) usual, environment);
		_exit(1);
	}
	close(waits[1]);
	for (guint i = 0; i < 5; i++)
		qemu_census_look(census, FALSE, take, &wanted);
	ck_assert_uint_eq(wanted.told, 0);
	ck_assert_int_eq(write(go[1], "", 1), 1);
	ck_assert_int_eq(read(waits[0], &byte, 1), 0);
	for (guint i = 0; i < QEMU_CENSUS_RARELY; i++)
		qemu_census_look(census, FALSE, take, &wanted);
	ck_assert_uint_eq(wanted.told, 1);
	pretend_end(wanted.pid);
}
END_TEST

START_TEST(process_that_was_forgotten_is_told_again)
{
	g_autoptr(QemuCensus) census = qemu_census_new();
	Wanted wanted = { .verdict = QEMU_CENSUS_TAKEN };

	wanted.pid = pretend_start("kvm", usual, NULL);
	qemu_census_look(census, FALSE, take, &wanted);
	qemu_census_forget(census, wanted.pid);
	qemu_census_look(census, TRUE, take, &wanted);
	ck_assert_uint_eq(wanted.told, 2);
	pretend_end(wanted.pid);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("qemu-census");
	TCase *tests = tcase_create("qemu-census");

	tcase_add_checked_fixture(tests, pretend_enter, pretend_leave);
	tcase_add_test(tests, process_that_runs_is_told_once);
	tcase_add_test(tests, process_that_comes_later_is_told_by_the_next_look);
	tcase_add_test(tests, process_that_is_not_ready_is_told_by_every_look);
	tcase_add_test(tests, process_that_is_none_is_looked_into_ever_more_rarely);
	tcase_add_test(tests, process_that_becomes_a_qemu_is_noticed);
	tcase_add_test(tests, process_that_was_forgotten_is_told_again);
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_PRETEND_MAIN(make_suite)
