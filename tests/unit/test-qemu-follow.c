/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu/follow: somebody looks, and hears of the end. */
#include <backends/qemu/follow.h>
#include <backends/qemu/process.h>
#include <other-process.h>
#include <unit.h>

#define SOON (5 * G_TIME_SPAN_SECOND)

typedef struct {
	QemuFollow *follow;
	gboolean frees; /* at the end, from within */
	gint looks, ends;
} Counts;

static void
look(gpointer user)
{
	g_atomic_int_inc(&((Counts *) user)->looks);
}

static void
ended(gpointer user)
{
	Counts *counts = user;

	if (counts->frees)
		qemu_follow_free(counts->follow);
	g_atomic_int_inc(&counts->ends);
}

static gboolean
comes(gint *count)
{
	gint64 until = g_get_monotonic_time() + SOON;

	while (!g_atomic_int_get(count) && g_get_monotonic_time() < until)
		g_usleep(1000);
	return g_atomic_int_get(count) != 0;
}

static void
check_following(gboolean frees, gint64 interval)
{
	OtherProcess *other = other_process_new(OTHER_ANONYMOUS, 4096);
	g_autoptr(QemuProcess) process =
		qemu_process_open(other_process_pid(other), 0, FALSE, NULL);
	Counts counts = { .frees = frees };
	const QemuFollower follower = {
		.look = look, .ended = ended, .user = &counts, .interval_us = interval
	};

	ck_assert(qemu_follow_start(qemu_process_pidfd(process), &follower, &counts.follow, NULL));
	if (interval < SOON)
		ck_assert(comes(&counts.looks));
	ck_assert_int_eq(g_atomic_int_get(&counts.ends), 0);
	other_process_free(other);
	ck_assert(comes(&counts.ends));
	gint looks = g_atomic_int_get(&counts.looks);
	g_usleep(20000);
	ck_assert_int_eq(g_atomic_int_get(&counts.looks), looks);
	ck_assert_int_eq(g_atomic_int_get(&counts.ends), 1);
	if (!frees)
		qemu_follow_free(counts.follow);
}

START_TEST(the_end_is_told_at_once_and_once)
{
	check_following(FALSE, 1000 * G_TIME_SPAN_SECOND);
}
END_TEST

START_TEST(it_is_looked_after_until_the_end)
{
	check_following(FALSE, G_TIME_SPAN_MILLISECOND);
}
END_TEST

START_TEST(who_hears_of_the_end_may_free_it)
{
	check_following(TRUE, G_TIME_SPAN_MILLISECOND);
}
END_TEST

START_TEST(freeing_it_ends_it)
{
	g_autoptr(OtherProcess) other = other_process_new(OTHER_ANONYMOUS, 4096);
	g_autoptr(QemuProcess) process =
		qemu_process_open(other_process_pid(other), 0, FALSE, NULL);
	Counts counts = { 0 };
	const QemuFollower follower = {
		.look = look, .ended = ended, .user = &counts, .interval_us = 1000
	};

	QemuFollow *follow = NULL;
	ck_assert(qemu_follow_start(qemu_process_pidfd(process), &follower, &follow, NULL));
	ck_assert(comes(&counts.looks));
	qemu_follow_free(follow);
	gint looks = counts.looks;
	g_usleep(20000);
	ck_assert_int_eq(counts.looks, looks);
	ck_assert_int_eq(counts.ends, 0);
}
END_TEST

static Suite *
follow_suite(void)
{
	Suite *suite = suite_create("qemu-follow");
	TCase *tcase = tcase_create("follow");

	tcase_add_test(tcase, the_end_is_told_at_once_and_once);
	tcase_add_test(tcase, it_is_looked_after_until_the_end);
	tcase_add_test(tcase, who_hears_of_the_end_may_free_it);
	tcase_add_test(tcase, freeing_it_ends_it);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(follow_suite)
