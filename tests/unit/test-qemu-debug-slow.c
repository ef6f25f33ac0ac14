/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* debug: a stub of ill will takes its time, and nobody waits for it for long. Time goes fast here,
 * so that nobody waits for the test either. */
#include <unit.h>

#include <debug-guest.h>
#include <pthread.h>
#include <time.h>

#define FASTER 20
#define N_POINTS 30
/* What it takes, and what may be spent on each point, in that time. */
#define AT_MOST (40 * G_TIME_SPAN_SECOND)

static gint n_looks;      /* atomic; of the thread that has the stub */
static gint64 fast_since; /* 0: it does not yet. */

/* Instead of GLib's. */
gint64
g_get_monotonic_time(void)
{
	struct timespec now;
	char name[16] = "";

	pthread_getname_np(pthread_self(), name, sizeof name);
	if (g_str_equal(name, "qemu-debug"))
		g_atomic_int_inc(&n_looks);
	clock_gettime(CLOCK_MONOTONIC, &now);
	gint64 time = (gint64) now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
	gint64 since = __atomic_load_n(&fast_since, __ATOMIC_RELAXED);
	return since ? since + FASTER * (time - since) : time;
}

static void
be_fast(void)
{
	__atomic_store_n(&fast_since, g_get_monotonic_time(), __ATOMIC_RELAXED);
}

START_TEST(the_end_does_not_take_as_long_as_a_stub_likes)
{
	const FakeStub how = { .lag_ms = 3000 / FASTER };
	Guest guest;

	setup(&guest, &willing, &how);
	for (guint64 i = 0; i < N_POINTS; i++) {
		const VmifsStopPoint point = { .kind = VMIFS_STOP_EXEC, .address = 0x4000 + i };
		arm(&guest, i % 8, &point);
	}
	be_fast();
	gint64 start = g_get_monotonic_time();
	for (guint64 i = 0; i < 8 && _i; i++)
		disarm(&guest, i);
	qemu_debug_free(g_steal_pointer(&guest.debug));
	ck_assert_int_lt(g_get_monotonic_time() - start, AT_MOST);
	ck_assert_int_ge(g_atomic_int_get(&guest.n_lost), 1);
	/* Its guardian needs no packet for each. */
	wait_for_points(&guest, 0);
	wait_for_running(&guest);
	teardown(&guest);
}
END_TEST

START_TEST(half_a_packet_wakes_nobody_again_and_again)
{
	const FakeStub how = { .hits = 1, .says = "$" };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &write_point);
	wait_for(&guest.n[0], 1);
	g_usleep(100 * 1000);
	gint before = g_atomic_int_get(&n_looks);
	g_usleep(300 * 1000);
	ck_assert_int_lt(g_atomic_int_get(&n_looks) - before, 20);
	teardown(&guest);
}
END_TEST

static Suite *
debug_slow_suite(void)
{
	Suite *suite = suite_create("qemu-debug-slow");
	TCase *tcase = tcase_create("qemu-debug-slow");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, the_end_does_not_take_as_long_as_a_stub_likes, 0, 2);
	tcase_add_test(tcase, half_a_packet_wakes_nobody_again_and_again);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(debug_slow_suite)
