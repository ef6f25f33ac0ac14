/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pids of vmifs-run: the numbers for its processes. */
#include <unit.h>

#include <tools/vmifs-run/run.h>

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

int
run_complain(int error, const char *format, ...)
{
	return RUN_EXIT_FAILED;
}

static GArray *
numbers(const guint32 *values, guint n)
{
	GArray *array = g_array_new(FALSE, FALSE, sizeof(guint32));
	return g_array_append_vals(array, values, n);
}

static const struct {
	guint32 pids[6];
	guint n;
	guint32 pid_max, first, last;
} gaps[] = {
	{ { 1, 2, 100 }, 3, 32768, 300, 32767 },
	{ { 1, 700 }, 2, 32768, 701, 32767 },
	{ { 700, 1 }, 2, 32768, 701, 32767 },
	{ { 1, 30000 }, 2, 32768, 300, 29999 },
	{ { 1, 300, 301, 20000, 32000 }, 5, 32768, 302, 19999 },
	{ { 300, 32767 }, 2, 32768, 301, 32766 },
	{ { 1, 500000, 4194303 }, 3, 32768, 300, 32767 },
	{ { 300, 302, 304, 305 }, 4, 306, 301, 301 },
	{ { 400, 400, 400 }, 3, 1000, 401, 999 },
	{ { G_MAXUINT32 }, 1, 32768, 300, 32767 },
	{ { 0 }, 0, 301, 300, 300 },
};

START_TEST(longest_gap_is_chosen)
{
	g_autoptr(GArray) pids = numbers(gaps[_i].pids, gaps[_i].n);
	RunPids got = { 0 };
	ck_assert(run_pids_choose(pids, gaps[_i].pid_max, &got));
	ck_assert_uint_eq(got.first, gaps[_i].first);
	ck_assert_uint_eq(got.last, gaps[_i].last);
}
END_TEST

START_TEST(no_gap_is_said)
{
	static const guint32 full[] = { 301, 300, 302 };
	g_autoptr(GArray) pids = numbers(full, G_N_ELEMENTS(full));
	RunPids got = { 0 };
	ck_assert(!run_pids_choose(pids, 303, &got));
	ck_assert(!run_pids_choose(pids, 300, &got));
}
END_TEST

/* A gap of 300 ... 399, and the kernel's counter at last. Where it stands afterwards. */
static guint32
kept(guint32 last, int *ret_wait)
{
	FILE *file = tmpfile();
	RunPids pids = { .first = 300, .last = 399, .last_pid = fileno(file) };
	guint32 now = 0;
	fprintf(file, "%u\n", last);
	fflush(file);
	*ret_wait = run_pids_keep(&pids);
	rewind(file);
	ck_assert_int_eq(fscanf(file, "%u", &now), 1);
	fclose(file);
	return now;
}

START_TEST(numbers_stay_within_the_gap)
{
	int wait;
	ck_assert_uint_eq(kept(299, &wait), 299);
	ck_assert_uint_eq(kept(301, &wait), 301);
	ck_assert_uint_eq(kept(348, &wait), 348);
	ck_assert_uint_eq(kept(351, &wait), 299);
	ck_assert_uint_eq(kept(399, &wait), 299);
	ck_assert_uint_eq(kept(400, &wait), 299);
	ck_assert_uint_eq(kept(5, &wait), 299);
	ck_assert_int_gt(wait, 0);
	ck_assert_int_lt(wait, 1000);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("run-pids");
	TCase *t = tcase_create("run-pids");
	tcase_add_loop_test(t, longest_gap_is_chosen, 0, G_N_ELEMENTS(gaps));
	tcase_add_test(t, no_gap_is_said);
	tcase_add_test(t, numbers_stay_within_the_gap);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
