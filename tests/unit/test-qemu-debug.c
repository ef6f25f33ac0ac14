/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* debug: points of a guest that is not there: what is told, and to whom. */
#include <unit.h>

#include <backends/qemu/others.h>
#include <debug-guest.h>

START_TEST(each_stop_is_told_once_and_nothing_is_left)
{
	const FakeStub how = { .hits = 40 };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &exec_point);
	arm(&guest, 1, &write_point);
	ck_assert(qemu_debug_is_on(guest.debug));
	wait_for(&guest.n[0], 1);
	wait_for(&guest.n[1], 1);
	wait_for_both(&guest, 40);
	disarm(&guest, 0);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 1);
	disarm(&guest, 1);
	ck_assert_int_eq(guest.n[0] + guest.n[1], 40);
	ck_assert_uint_eq(guest.rips[0], 0x1000);
	ck_assert_uint_eq(guest.rips[1], FAKE_STUB_RIP_OF_DATA);
	nothing_is_left(&guest);
	ck_assert(!qemu_debug_is_on(guest.debug));
	fake_qemu_has_heard(guest.server, COME GONE);
	teardown(&guest);
}
END_TEST

START_TEST(an_access_is_told_behind_it_where_the_guest_stops_before)
{
	const FakeStub how = { .hits = 40, .is_arm = TRUE };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &exec_point);
	arm(&guest, 1, &write_point);
	arm(&guest, 2, &write_point);
	wait_for(&guest.n[1], 1);
	wait_for_both(&guest, 40);
	int runs = g_atomic_int_get(&guest.n[0]), writes = g_atomic_int_get(&guest.n[1]);
	ck_assert_int_ge(runs, 1);
	ck_assert_int_le(ABS(writes - g_atomic_int_get(&guest.n[2])), 1);
	ck_assert_uint_eq(guest.rips[0], 0x1000);
	ck_assert_uint_eq(guest.rips[1], FAKE_STUB_RIP_OF_DATA);
	for (guint64 id = 0; id < 3; id++)
		disarm(&guest, id);
	nothing_is_left(&guest);
	teardown(&guest);
}
END_TEST

/* Another vCPU's stop came before the step. */
START_TEST(an_access_that_is_not_carried_out_is_told_once)
{
	const FakeStub how = { .hits = 10, .is_arm = TRUE, .n_vain_steps = 3 };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 1, &write_point);
	wait_for(&guest.n[1], 10);
	g_usleep(20000);
	ck_assert_int_eq(g_atomic_int_get(&guest.n[1]), 10);
	disarm(&guest, 1);
	nothing_is_left(&guest);
	teardown(&guest);
}
END_TEST

START_TEST(a_point_that_two_have_is_set_once)
{
	const FakeStub how = { .hits = 10 };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &write_point);
	arm(&guest, 1, &write_point);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 1);
	wait_for(&guest.n[0], 10);
	wait_for(&guest.n[1], 1);
	disarm(&guest, 0);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 1);
	/* One that is not armed is passed over. */
	disarm(&guest, 0);
	disarm(&guest, 7);
	disarm(&guest, 1);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	teardown(&guest);
}
END_TEST

START_TEST(points_are_set_again_for_a_vCPU_that_has_come)
{
	const FakeStub how = { .hits = 1000000 };
	const QemuDebugGuest grown = { .accel = "tcg", .n_vcpus = 3 };
	Guest guest;

	setup(&guest, &willing, &how);
	/* Nothing is set: nothing is done. */
	qemu_debug_renew(guest.debug, &grown);
	fake_qemu_has_heard(guest.server, "");
	arm(&guest, 0, &exec_point);
	arm(&guest, 1, &write_point);
	arm(&guest, 2, &write_point);
	for (int i = 1; i <= 10; i++) {
		qemu_debug_renew(guest.debug, &grown);
		/* One is taken away to step over it. */
		for (int j = 0; j < 5000 && fake_stub_points(guest.stub) < 2; j++)
			g_usleep(1000);
		ck_assert_uint_eq(fake_stub_points(guest.stub), 2);
		wait_for(&guest.n[0], g_atomic_int_get(&guest.n[0]) + 10);
		wait_for(&guest.n[2], g_atomic_int_get(&guest.n[2]) + 10);
	}
	ck_assert_int_eq(guest.n_lost, 0);
	for (guint64 id = 0; id < 3; id++)
		disarm(&guest, id);
	nothing_is_left(&guest);
	fake_qemu_has_heard(guest.server, COME GONE);
	teardown(&guest);
}
END_TEST

START_TEST(who_does_not_want_it_any_more_has_no_point)
{
	const FakeStub how = { .hits = 1000000 };
	Guest guest;

	setup(&guest, &willing, &how);
	guest.refuse_after = 5;
	arm(&guest, 0, _i ? &write_point : &exec_point);
	wait_for(&guest.n[0], 5);
	for (int i = 0; i < 5000 && qemu_debug_is_on(guest.debug); i++)
		g_usleep(1000);
	ck_assert(!qemu_debug_is_on(guest.debug));
	ck_assert_int_eq(guest.n[0], 5);
	ck_assert_int_eq(guest.n_lost, 0);
	disarm(&guest, 0);
	nothing_is_left(&guest);
	/* It can begin anew. */
	teardown(&guest);
}
END_TEST

START_TEST(what_is_armed_while_it_stops_all_the_time_loses_nothing)
{
	const FakeStub how = { .hits = 1000000 };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &exec_point);
	for (guint i = 0; i < 30; i++) {
		VmifsStopPoint point = { VMIFS_STOP_EXEC, .address = 0x4000 + 16 * i };
		gint before = guest.n[1];
		arm(&guest, 1, &point);
		wait_for(&guest.n[1], before + 1);
		disarm(&guest, 1);
		ck_assert_uint_eq(guest.rips[1], point.address);
	}
	ck_assert_int_ge(guest.n[0], 30);
	ck_assert_uint_eq(fake_stub_blunders(guest.stub), 0);
	teardown(&guest);
}
END_TEST

START_TEST(what_KVM_does_not_take_is_refused)
{
	guint failed;
	static const QemuDebugGuest kvm = { .accel = "kvm", .n_vcpus = 1 };
	/* It says so itself where we do not know. */
	const QemuDebugGuest *as = _i ? &tcg : &kvm;
	const FakeStub how = { .kvm = TRUE };
	g_autoptr(GError) error = NULL;
	Guest guest;

	setup(&guest, &willing, &how);
	for (guint i = 0; i < 4; i++) {
		VmifsStopPoint point = { VMIFS_STOP_EXEC, .address = 0x4000 + 16 * i };
		ck_assert(qemu_debug_arm(guest.debug, as, i, &point, 1, &failed, NULL, NULL));
	}
	ck_assert(!qemu_debug_arm(guest.debug, as, 5, &write_point, 1, &failed, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	ck_assert_int_eq(guest.n_lost, 0);
	VmifsStopPoint patch = { VMIFS_STOP_EXEC, .address = 0x8000, .patch = TRUE };
	ck_assert_int_eq(qemu_debug_arm(guest.debug, as, 6, &patch, 1, &failed, NULL, NULL), !_i);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 4 + !_i);
	teardown(&guest);
}
END_TEST

START_TEST(a_pause_of_somebody_else_s_is_left_and_seen)
{
	const FakeStub how = { .hits = 3, .pauses = TRUE };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &write_point);
	ck_assert(qemu_debug_is_own(guest.debug, "debug"));
	wait_for(&guest.n_turned, 1);
	ck_assert(!qemu_debug_is_own(guest.debug, "paused"));
	g_usleep(20 * 1000);
	ck_assert(!fake_stub_runs(guest.stub));
	/* What is armed now leaves it so, too. */
	arm(&guest, 1, &exec_point);
	ck_assert(!fake_stub_runs(guest.stub));
	ck_assert_uint_eq(fake_stub_points(guest.stub), 2);
	if (_i) {
		/* Not any more once it runs by somebody's wish. */
		fake_stub_resume(guest.stub);
		disarm(&guest, 1);
		ck_assert_int_eq(guest.n_lost, 0);
		wait_for_running(&guest);
		wait_for(&guest.n_turned, 2);
	}
	disarm(&guest, 0);
	disarm(&guest, 1);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	ck_assert_int_eq(fake_stub_runs(guest.stub), _i);
	teardown(&guest);
}
END_TEST

/* By a QEMU that tells of nothing then until it is asked to go on. */
START_TEST(who_lets_it_run_on_is_noticed)
{
	/* At the first look it may have come to a point already. */
	const FakeQemu qemu[] = {
		{ .session = RUNS RESTS RESTS RUNS RESTS NOBODY STARTS },
		{ .session = RUNS RESTS STANDS_AS("debug") RESTS NOBODY STARTS },
	};
	const FakeStub how = { .hits = 3, .pauses = TRUE, .is_new = TRUE };
	Guest guest;

	setup(&guest, &qemu[_i], &how);
	arm(&guest, 0, &write_point);
	wait_for(&guest.n_turned, 1);
	fake_stub_resume(guest.stub);
	wait_for(&guest.n_turned, 2);
	wait_for_running(&guest);
	ck_assert(qemu_debug_is_own(guest.debug, "paused"));
	ck_assert_int_eq(guest.n_lost, 0);
	ck_assert_uint_eq(fake_stub_blunders(guest.stub), 0);
	teardown(&guest);
}
END_TEST

START_TEST(who_was_left_at_a_point_stays_there)
{
	const FakeQemu qemu = { .session = STANDS_AS("debug") NOBODY STARTS };
	Guest guest;

	setup(&guest, &qemu, &(FakeStub){ .hits = 3 });
	arm(&guest, 0, &write_point);
	wait_for(&guest.n_turned, 1);
	g_usleep(3 * QEMU_OTHERS_MS / 2 * 1000);
	ck_assert(!fake_stub_runs(guest.stub));
	ck_assert_int_eq(guest.n[0], 0);
	ck_assert_int_eq(guest.n_turned, 1);
	teardown(&guest);
}
END_TEST

START_TEST(a_pause_of_ours_goes_through_it)
{
	/* It may have stood at a point of ours just then, and does so from then on. */
	const FakeQemu qemu[] = {
		{ .session = RUNS RESTS NOBODY STARTS },
		{ .session = RUNS RESTS STANDS_AS("debug") NOBODY STARTS },
	};
	const FakeStub how = { .hits = 1000000 };
	g_autoptr(GError) error = NULL;
	Guest guest;

	setup(&guest, &qemu[_i], &how);
	/* There is nothing to go through yet. */
	ck_assert(!qemu_debug_set_state(guest.debug, VMIFS_STATE_PAUSED, NULL, &error));
	ck_assert_ptr_null(error);
	arm(&guest, 0, &exec_point);
	wait_for(&guest.n[0], 3);
	ck_assert(qemu_debug_set_state(guest.debug, VMIFS_STATE_PAUSED, NULL, &error));
	ck_assert(!qemu_debug_is_own(guest.debug, "paused"));
	gint n = guest.n[0];
	g_usleep(3 * QEMU_OTHERS_MS / 2 * 1000);
	ck_assert(!fake_stub_runs(guest.stub));
	ck_assert_int_eq(guest.n[0], n);
	ck_assert(qemu_debug_set_state(guest.debug, VMIFS_STATE_RUNNING, NULL, &error));
	wait_for(&guest.n[0], n + 1);
	teardown(&guest);
}
END_TEST

/* And the vCPU, which stands where it stood, is not told of once more. */
START_TEST(a_step_that_does_not_end_is_given_up)
{
	const FakeStub how = { .hits = 5, .n_silent_steps = 2 };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &exec_point);
	wait_for(&guest.n[0], 5);
	g_usleep(20 * 1000);
	disarm(&guest, 0);
	ck_assert_int_eq(guest.n[0], 5);
	ck_assert(fake_stub_runs(guest.stub));
	ck_assert_int_eq(guest.n_lost, 0);
	teardown(&guest);
}
END_TEST

/* Nor does its point go away for a moment. */
START_TEST(past_what_does_nothing_no_step_is_made)
{
	static const VmifsStopPoint user = { .kind = VMIFS_STOP_EXEC, .address = 0x1000 };
	const FakeStub how = { .hits = 40, .is_nop = TRUE };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, _i ? &user : &kernel_point);
	wait_for(&guest.n[0], 40);
	g_usleep(20 * 1000);
	g_autofree char *heard = fake_stub_heard(guest.stub);
	ck_assert_int_eq(strstr(heard, "D Z1,ffffffff81000000,1 c ") != NULL, !_i);
	ck_assert_int_eq(strstr(heard, "vCont;s:1 ") != NULL, _i);
	disarm(&guest, 0);
	ck_assert_int_eq(guest.n[0], 40);
	nothing_is_left(&guest);
	teardown(&guest);
}
END_TEST

/* Also where a vmifs that was killed has left steps in which it is not. KVM masks less. */
START_TEST(an_interrupt_that_is_always_pending_does_not_keep_it_from_going_on)
{
	static const VmifsStopPoint step = { .kind = VMIFS_STOP_STEP };
	const FakeStub how = { .hits = 10, .is_busy = TRUE, .kvm = _i };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &exec_point);
	wait_for(&guest.n[0], 10);
	/* Steps for good mask nothing; those past a point do. */
	arm(&guest, 1, &step);
	wait_for(&guest.n[1], 10);
	disarm(&guest, 1);
	ck_assert(qemu_debug_is_on(guest.debug));
	disarm(&guest, 0);
	ck_assert_int_eq(guest.n_lost, 0);
	nothing_is_left(&guest);
	teardown(&guest);
}
END_TEST

/* Those to get past what stands there included; not the one that is for arming. */
START_TEST(every_stop_of_the_guest_is_told)
{
	const FakeStub how = { .hits = 40, .is_arm = _i == 1, .is_busy = _i == 2 };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &exec_point);
	wait_for(&guest.n[0], 40);
	/* It has gone on past the last one, and will not stop. */
	for (int i = 0; i < 5000 &&
			fake_stub_stops(guest.stub) != (guint) g_atomic_int_get(&guest.n_stops) + 3;
	     i++)
		g_usleep(1000);
	ck_assert_uint_eq(fake_stub_stops(guest.stub),
			  (guint) g_atomic_int_get(&guest.n_stops) + 3);
	ck_assert_int_eq(guest.n_stops, 2 * 40 - 1);
	disarm(&guest, 0);
	teardown(&guest);
}
END_TEST

START_TEST(several_points_take_one_stop)
{
	static const VmifsStopPoint points[] = {
		{ .kind = VMIFS_STOP_EXEC, .address = 0x1000 },
		{ .kind = VMIFS_STOP_EXEC, .address = 0x3000 },
		{ .kind = VMIFS_STOP_WRITE, .address = 0x2000, .len = 8 },
	};
	static const guint64 ids[] = { 2, 1, 7, 3 };
	const FakeStub how = { 0 };
	guint failed;
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &exec_point);
	wait_for_running(&guest);
	guint before = fake_stub_stops(guest.stub);
	ck_assert(qemu_debug_arm(guest.debug, &tcg, 1, points, 3, &failed, NULL, NULL));
	wait_for_running(&guest);
	ck_assert_uint_eq(fake_stub_stops(guest.stub), before + 1);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 3);
	qemu_debug_disarm(guest.debug, ids, 4);
	wait_for_running(&guest);
	ck_assert_uint_eq(fake_stub_stops(guest.stub), before + 2);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 1);
	disarm(&guest, 0);
	nothing_is_left(&guest);
	teardown(&guest);
}
END_TEST

START_TEST(of_several_of_which_one_does_not_fit_none_is_armed)
{
	static const QemuDebugGuest kvm = { .accel = "kvm", .n_vcpus = 1 };
	static const VmifsStopPoint points[] = {
		{ .kind = VMIFS_STOP_EXEC, .address = 0x3000 },
		{ .kind = VMIFS_STOP_EXEC, .address = 0x1000 },
		{ .kind = VMIFS_STOP_WRITE, .address = 0x2001, .len = 8 },
	};
	const FakeStub how = { .kvm = TRUE };
	g_autoptr(GError) error = NULL;
	guint failed;
	Guest guest;

	setup(&guest, &willing, &how);
	if (_i)
		arm(&guest, 0, &exec_point);
	ck_assert(!qemu_debug_arm(guest.debug, &kvm, 1, points, 3, &failed, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	ck_assert_uint_eq(failed, 2);
	ck_assert_uint_eq(fake_stub_points(guest.stub), (guint) _i);
	ck_assert_int_eq(qemu_debug_is_on(guest.debug), _i);
	ck_assert_int_eq(guest.n_lost, 0);
	disarm(&guest, 0);
	nothing_is_left(&guest);
	teardown(&guest);
}
END_TEST

/* And it does not stop once more: not to get past the last, and at none of the others. */
START_TEST(all_points_go_in_the_stop_that_is_the_last_one)
{
	const VmifsStopPoint points[] = { exec_point, write_point };
	const FakeStub how = { .hits = 1000000 };
	guint failed;
	Guest guest;

	setup(&guest, &willing, &how);
	guest.all_after = 20;
	ck_assert(qemu_debug_arm(guest.debug, &tcg, 0, points, 2, &failed, NULL, NULL));
	for (int i = 0; i < 5000 && qemu_debug_is_on(guest.debug); i++)
		g_usleep(1000);
	ck_assert(!qemu_debug_is_on(guest.debug));
	nothing_is_left(&guest);
	ck_assert_int_eq(guest.n_lost, 0);
	/* One was for arming. */
	ck_assert_uint_eq(fake_stub_stops(guest.stub),
			  (guint) g_atomic_int_get(&guest.n_stops) + 1);
	fake_qemu_has_heard(guest.server, COME GONE);
	teardown(&guest);
}
END_TEST

static Suite *
debug_suite(void)
{
	Suite *suite = suite_create("qemu-debug");
	TCase *tcase = tcase_create("qemu-debug");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, each_stop_is_told_once_and_nothing_is_left);
	tcase_add_test(tcase, an_access_is_told_behind_it_where_the_guest_stops_before);
	tcase_add_test(tcase, an_access_that_is_not_carried_out_is_told_once);
	tcase_add_test(tcase, a_point_that_two_have_is_set_once);
	tcase_add_test(tcase, points_are_set_again_for_a_vCPU_that_has_come);
	tcase_add_loop_test(tcase, who_does_not_want_it_any_more_has_no_point, 0, 2);
	tcase_add_test(tcase, what_is_armed_while_it_stops_all_the_time_loses_nothing);
	tcase_add_loop_test(tcase, what_KVM_does_not_take_is_refused, 0, 2);
	tcase_add_loop_test(tcase, a_pause_of_somebody_else_s_is_left_and_seen, 0, 2);
	tcase_add_loop_test(tcase, who_lets_it_run_on_is_noticed, 0, 2);
	tcase_add_test(tcase, who_was_left_at_a_point_stays_there);
	tcase_add_loop_test(tcase, a_pause_of_ours_goes_through_it, 0, 2);
	tcase_add_test(tcase, a_step_that_does_not_end_is_given_up);
	tcase_add_loop_test(tcase, past_what_does_nothing_no_step_is_made, 0, 2);
	tcase_add_loop_test(
		tcase, an_interrupt_that_is_always_pending_does_not_keep_it_from_going_on, 0, 2);
	tcase_add_loop_test(tcase, every_stop_of_the_guest_is_told, 0, 3);
	tcase_add_test(tcase, several_points_take_one_stop);
	tcase_add_loop_test(tcase, of_several_of_which_one_does_not_fit_none_is_armed, 0, 2);
	tcase_add_test(tcase, all_points_go_in_the_stop_that_is_the_last_one);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(debug_suite)
