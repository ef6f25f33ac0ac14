/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* eager: it looks for a moment, at what it should, and never longer. Whatever else the machine does
 * makes a look longer, so the shortest of many is judged. */
#include <unit.h>

#include <fs/eager.h>

#include <linux/fuse.h>
#include <sched.h>
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

static gint64
shortest_look(VmifsEager *eager)
{
	gint64 shortest = G_MAXINT64;
	for (guint i = 0; i < 100; i++) {
		eager->crowded_until = 0;
		gint64 took = look(eager);
		shortest = MIN(shortest, took);
	}
	return shortest;
}

static void
note(VmifsEager *eager, guint32 opcode)
{
	struct fuse_in_header header = { .len = sizeof header, .opcode = opcode };
	vmifs_eager_note(eager, &header, sizeof header);
}

START_TEST(looks_for_a_moment_and_no_longer)
{
	VmifsEager eager = { .next_check = G_MAXUINT64 };
	open_pipe();
	gint64 took = shortest_look(&eager);
	ck_assert_int_ge(took, 30);
	ck_assert_int_le(took, 1000);
}
END_TEST

START_TEST(returns_at_once_when_there_is_a_request)
{
	VmifsEager eager = { .next_check = G_MAXUINT64 };
	open_pipe();
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_lt(shortest_look(&eager), 30);
}
END_TEST

START_TEST(one_looks_at_a_time)
{
	VmifsEager eager = { .looking = 1, .next_check = G_MAXUINT64 };
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
	VmifsEager eager = { .next_check = G_MAXUINT64 };
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

/* ---- others ---- */

static gpointer
burn(gpointer data)
{
	while (!g_atomic_int_get((gint *) data))
		continue;
	return NULL;
}

START_TEST(notices_that_others_want_the_processor)
{
	VmifsEager eager = { .next_check = G_MAXUINT64 };
	cpu_set_t before, one;
	gint ended = 0;
	open_pipe();
	ck_assert_int_eq(sched_getaffinity(0, sizeof before, &before), 0);
	int cpu = 0;
	while (!CPU_ISSET(cpu, &before))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
	GThread *thread = g_thread_new("burn", burn, &ended);
	for (guint i = 0; i < 10000 && !eager.crowded_until; i++)
		look(&eager);
	g_atomic_int_set(&ended, 1);
	g_thread_join(thread);
	sched_setaffinity(0, sizeof before, &before);
	ck_assert_uint_ne(eager.crowded_until, 0);
}
END_TEST

START_TEST(notices_that_more_want_to_run_than_can)
{
	VmifsEager eager = { 0 };
	guint n = g_get_num_processors() + 1;
	g_autofree GThread **threads = g_new(GThread *, n);
	gint ended = 0;
	open_pipe();
	for (guint i = 0; i < n; i++)
		threads[i] = g_thread_new("burn", burn, &ended);
	for (guint i = 0; i < 10000 && !eager.crowded_until; i++) {
		eager.next_check = 0;
		look(&eager);
	}
	g_atomic_int_set(&ended, 1);
	for (guint i = 0; i < n; i++)
		g_thread_join(threads[i]);
	ck_assert_uint_ne(eager.crowded_until, 0);
}
END_TEST

START_TEST(looks_at_nothing_while_others_want_the_processors)
{
	VmifsEager eager = { .crowded_until = G_MAXUINT64, .next_check = G_MAXUINT64 };
	open_pipe();
	gint64 shortest = G_MAXINT64;
	for (guint i = 0; i < 100; i++) {
		gint64 took = look(&eager);
		shortest = MIN(shortest, took);
	}
	ck_assert_int_lt(shortest, 30);
	eager.crowded_until = 1; /* long ago */
	ck_assert_int_ge(look(&eager), 30);
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
	tcase_add_test(tests, notices_that_others_want_the_processor);
	tcase_add_test(tests, notices_that_more_want_to_run_than_can);
	tcase_add_test(tests, looks_at_nothing_while_others_want_the_processors);
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_UNIT_MAIN(make_suite)
