/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* eager: it looks for a moment, at what it should, and never longer. */
#include <unit.h>

#include <fs/eager.h>

#include <linux/fuse.h>
#include <unistd.h>

static int ends[2];

static void
open_pipe(void)
{
	ck_assert_int_eq(pipe(ends), 0);
}

static gint64
look(VmifsEager *eager)
{
	gint64 start = g_get_monotonic_time();
	vmifs_eager_look(eager, ends[0]);
	ck_assert_int_eq(eager->looking, 0);
	return g_get_monotonic_time() - start;
}

/* Of many that are made, for whatever else the machine does makes a look longer. */
static gint64
shortest_look(VmifsEager *eager)
{
	gint64 shortest = G_MAXINT64;
	for (guint i = 0; i < 100; i++) {
		eager->debt = 0;
		gint64 took = look(eager);
		shortest = MIN(shortest, took);
	}
	return shortest;
}

/* Of so many turns, those in which it looked. */
static guint
count_looks(VmifsEager *eager, guint turns)
{
	guint looked = 0;
	for (guint i = 0; i < turns; i++)
		looked += look(eager) >= 30;
	return looked;
}

static void
note(VmifsEager *eager, guint32 opcode)
{
	struct fuse_in_header header = { .len = sizeof header, .opcode = opcode };
	vmifs_eager_note(eager, &header, sizeof header);
}

START_TEST(looks_for_a_moment_and_no_longer)
{
	VmifsEager eager = { 0 };
	open_pipe();
	gint64 took = shortest_look(&eager);
	ck_assert_int_ge(took, 30);
	ck_assert_int_le(took, 1000);
}
END_TEST

START_TEST(returns_at_once_when_there_is_a_request)
{
	VmifsEager eager = { 0 };
	open_pipe();
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_lt(shortest_look(&eager), 30);
}
END_TEST

START_TEST(one_looks_at_a_time)
{
	VmifsEager eager = { .looking = 1 };
	open_pipe();
	gint64 shortest = G_MAXINT64;
	for (guint i = 0; i < 100; i++) {
		gint64 start = g_get_monotonic_time();
		vmifs_eager_look(&eager, ends[0]);
		shortest = MIN(shortest, g_get_monotonic_time() - start);
	}
	ck_assert_int_lt(shortest, 30);
	ck_assert_int_eq(eager.looking, 1);
}
END_TEST

START_TEST(sleeps_after_a_read_and_looks_after_anything_else)
{
	VmifsEager eager = { 0 };
	open_pipe();
	note(&eager, FUSE_READ);
	ck_assert_int_lt(shortest_look(&eager), 30);
	vmifs_eager_note(&eager, NULL, -1);
	vmifs_eager_note(&eager, "", 0);
	ck_assert_int_lt(shortest_look(&eager), 30);
	note(&eager, FUSE_OPEN);
	ck_assert_int_ge(shortest_look(&eager), 30);
}
END_TEST

START_TEST(looks_in_vain_are_given_up_and_seldom_tried_again)
{
	VmifsEager eager = { 0 };
	open_pipe();
	count_looks(&eager, 10);
	ck_assert_int_gt(eager.debt, 0);
	guint looked = 0;
	for (guint i = 0; i < 640; i++) {
		look(&eager);
		looked += eager.skipped == 0;
	}
	ck_assert_uint_eq(looked, 10);
}
END_TEST

START_TEST(looks_that_see_something_are_made_again)
{
	VmifsEager eager = { 0 };
	char byte;
	open_pipe();
	count_looks(&eager, 10);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	for (guint i = 0; i < 64; i++)
		look(&eager);
	gint debt = eager.debt;
	for (guint i = 0; i < 64; i++)
		look(&eager);
	ck_assert_int_lt(eager.debt, debt);
	ck_assert_int_eq(eager.debt, 0);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	ck_assert_uint_ge(count_looks(&eager, 3), 3);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("eager");
	TCase *tests = tcase_create("eager");
	tcase_add_test(tests, looks_for_a_moment_and_no_longer);
	tcase_add_test(tests, returns_at_once_when_there_is_a_request);
	tcase_add_test(tests, one_looks_at_a_time);
	tcase_add_test(tests, sleeps_after_a_read_and_looks_after_anything_else);
	tcase_add_test(tests, looks_in_vain_are_given_up_and_seldom_tried_again);
	tcase_add_test(tests, looks_that_see_something_are_made_again);
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_UNIT_MAIN(make_suite)
