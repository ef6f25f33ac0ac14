/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dash: from one breakpoint to the next while the stub is detached: when that is done, and that
 * nothing is lost or left by it. */
#include <unit.h>

#include <debug-guest.h>

#define DASH "D Z1,ffffffff81000000,1 c "
#define GREETING(major, minor)                                                                     \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": " #minor                     \
	", \"major\": " #major "}, \"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n"

static gboolean
has_dashed(const Guest *guest)
{
	g_autofree char *heard = fake_stub_heard(guest->stub);

	return strstr(heard, DASH) != NULL;
}

static const FakeStub subjects[] = {
	{ .hits = 100, .is_nop = TRUE },
	{ .hits = 100, .is_nop = TRUE, .n_vcpus = 2 },
	{ .hits = 100, .is_nop = TRUE, .is_new = TRUE },
	/* The fewest that are many. */
	{ .hits = 9, .is_nop = TRUE },
};

START_TEST(each_stop_is_told_once_and_nothing_is_left)
{
	Guest guest;

	setup(&guest, &willing, &subjects[_i]);
	arm_as(&guest, subjects[_i].n_vcpus == 2 ? &tcg_of_two : &tcg, 0, &kernel_point);
	wait_for(&guest.n[0], (gint) subjects[_i].hits);
	g_usleep(80 * 1000);
	ck_assert(has_dashed(&guest));
	wait_for_running(&guest);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 1);
	disarm(&guest, 0);
	ck_assert_int_eq(guest.n[0], (gint) subjects[_i].hits);
	ck_assert_uint_eq(guest.rips[0], kernel_point.address);
	nothing_is_left(&guest);
	teardown(&guest);
}
END_TEST

/* QEMU would not survive it, or gain nothing by it. */
static const struct {
	FakeStub how;
	FakeQemu qemu;
	QemuDebugGuest as;
	gboolean has_data; /* that is watched, too */
} others[] = {
	{ { .is_nop = TRUE }, { .session = RUNS RESTS NOBODY STARTS }, { "kvm", 1 }, FALSE },
	{ { .is_nop = TRUE }, { .session = RUNS RESTS NOBODY STARTS }, { NULL, 1 }, FALSE },
	{ { .is_nop = TRUE }, { .session = RUNS RESTS NOBODY STARTS }, { "tcg", 9 }, FALSE },
	{ { .is_nop = TRUE }, { .session = RUNS RESTS NOBODY STARTS }, { "tcg", 1 }, TRUE },
	{ { 0 }, { .session = RUNS RESTS NOBODY STARTS }, { "tcg", 1 }, FALSE },
	{ { .is_nop = TRUE },
	  { .session = RUNS RESTS NOBODY STARTS, .greeting = GREETING(10, 2) },
	  { "tcg", 1 },
	  FALSE },
	{ { .is_nop = TRUE },
	  { .session = RUNS RESTS NOBODY STARTS, .greeting = GREETING(6, 2) },
	  { "tcg", 1 },
	  FALSE },
	{ { .is_nop = TRUE },
	  { .session = RUNS RESTS NOBODY STARTS, .greeting = "{\"QMP\": {}}\r\n" },
	  { "tcg", 1 },
	  FALSE },
};

START_TEST(where_it_must_not_be_done_it_is_not)
{
	FakeStub how = others[_i].how;
	Guest guest;

	how.hits = 60;
	setup(&guest, &others[_i].qemu, &how);
	arm_as(&guest, &others[_i].as, 0, &kernel_point);
	if (others[_i].has_data)
		arm_as(&guest, &others[_i].as, 1, &write_point);
	wait_for_both(&guest, 60);
	g_usleep(50 * 1000);
	ck_assert(!has_dashed(&guest));
	disarm(&guest, 0);
	disarm(&guest, 1);
	nothing_is_left(&guest);
	teardown(&guest);
}
END_TEST

/* Nobody else has it for long, nor is it left to vmifs for longer than others allow. */
START_TEST(the_monitor_is_let_go_of)
{
	const FakeStub how = { .hits = 1000000, .is_nop = TRUE };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &kernel_point);
	wait_for(&guest.n[0], 50);
	for (int i = 0; i < 10; i++) {
		VmifsCall call = { .deadline = g_get_monotonic_time() + 2 * G_USEC_PER_SEC };
		/* Another client, for whom it is a monitor as any. */
		g_autoptr(QemuMonitor) other =
			qemu_qmp_new(fake_qemu_address(guest.server), FALSE, NULL);
		json_auto_t *answer = qemu_monitor_qmp(other, "query-status", NULL, &call, NULL);
		ck_assert_ptr_nonnull(answer);
	}
	int before = g_atomic_int_get(&guest.n[0]);
	wait_for(&guest.n[0], before + 50);
	ck_assert_int_eq(guest.n_lost, 0);
	disarm(&guest, 0);
	nothing_is_left(&guest);
	teardown(&guest);
}
END_TEST

/* While the stub could not have told of it. */
START_TEST(a_pause_of_somebody_else_s_stands)
{
	const FakeStub how = { .hits = 50, .is_nop = TRUE, .pauses = TRUE };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &kernel_point);
	wait_for(&guest.n_turned, 1);
	ck_assert_int_eq(g_atomic_int_get(&guest.n[0]), 50);
	ck_assert(has_dashed(&guest));
	ck_assert(!fake_stub_runs(guest.stub));
	disarm(&guest, 0);
	ck_assert(!fake_stub_runs(guest.stub));
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	ck_assert_uint_eq(fake_stub_blunders(guest.stub), 0);
	teardown(&guest);
}
END_TEST

START_TEST(who_was_let_run_again_at_once_does_not_stand)
{
	const FakeStub how = { .hits = 50, .is_nop = TRUE, .blinks = TRUE };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &kernel_point);
	wait_for(&guest.n[0], 50);
	g_usleep(100 * 1000);
	ck_assert(has_dashed(&guest));
	ck_assert_int_eq(guest.n_turned, 0);
	wait_for_running(&guest);
	disarm(&guest, 0);
	nothing_is_left(&guest);
	teardown(&guest);
}
END_TEST

/* Whatever it is waiting for. */
START_TEST(orders_are_carried_out_at_once)
{
	const FakeStub how = { .hits = 40, .is_nop = TRUE };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &kernel_point);
	wait_for(&guest.n[0], 40);
	gint64 start = g_get_monotonic_time();
	for (int i = 0; i < 20; i++) {
		arm(&guest, 1, &write_point);
		disarm(&guest, 1);
	}
	ck_assert_int_lt(g_get_monotonic_time() - start, 4 * G_USEC_PER_SEC);
	ck_assert(has_dashed(&guest) || g_atomic_int_get(&guest.n[0]) == 40);
	disarm(&guest, 0);
	ck_assert_int_eq(guest.n_lost, 0);
	nothing_is_left(&guest);
	teardown(&guest);
}
END_TEST

static Suite *
dash_suite(void)
{
	Suite *suite = suite_create("qemu-dash");
	TCase *tcase = tcase_create("qemu-dash");

	tcase_add_loop_test(tcase, each_stop_is_told_once_and_nothing_is_left, 0,
			    G_N_ELEMENTS(subjects));
	tcase_add_loop_test(tcase, where_it_must_not_be_done_it_is_not, 0, G_N_ELEMENTS(others));
	tcase_add_test(tcase, the_monitor_is_let_go_of);
	tcase_add_test(tcase, a_pause_of_somebody_else_s_stands);
	tcase_add_test(tcase, who_was_let_run_again_at_once_does_not_stand);
	tcase_add_test(tcase, orders_are_carried_out_at_once);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(dash_suite)
