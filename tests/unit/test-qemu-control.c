/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control: a guest that vmifs stopped for itself runs again, unless somebody else has it stand. */
#include <stopped-guest.h>

#include <vmifs/error.h>

START_TEST(it_runs_on_after_a_stop)
{
	const FakeQemu how = { .session = STANDS };
	Guest guest;
	gint64 stood;
	setup(&guest, &how, FALSE);
	ck_assert(qemu_stop_begin(&guest.stop, NULL, NULL));
	hears_no_more(&guest, STOPPED);
	ck_assert(qemu_stop_end(&guest.stop, &stood, NULL, NULL));
	ck_assert_int_ge(stood, 300 * 1000);
	/* The guardian has seen that nothing is left to do. */
	hears_no_more(&guest, STOPPED LET_RUN);
	teardown(&guest);
}
END_TEST

START_TEST(a_users_pause_is_left_alone)
{
	const FakeQemu how = { .session = RESTS OBEYS };
	Guest guest;
	setup(&guest, &how, FALSE);
	ck_assert(qemu_stop_begin(&guest.stop, NULL, NULL));
	gint64 stood;
	ck_assert(qemu_stop_end(&guest.stop, &stood, NULL, NULL));
	ck_assert_int_eq(stood, 0);
	hears_no_more(&guest, "query-status ");
	teardown(&guest);
}
END_TEST

/* The guardian would undo that, if nobody told it. */
START_TEST(what_a_user_pauses_meanwhile_stays_so)
{
	const FakeQemu how = { .session = STANDS };
	Guest guest;
	gint64 stood;
	setup(&guest, &how, FALSE);
	ck_assert(qemu_stop_begin(&guest.stop, NULL, NULL));
	g_usleep(20 * 1000);
	ck_assert(qemu_stop_set_state(&guest.stop, VMIFS_STATE_PAUSED, NULL, NULL));
	ck_assert(qemu_stop_end(&guest.stop, &stood, NULL, NULL));
	ck_assert_int_ge(stood, 20 * 1000);
	hears_no_more(&guest, "query-status stop stop query-status ");
	teardown(&guest);
}
END_TEST

START_TEST(a_pause_that_fails_is_none)
{
	const FakeQemu how = { .session = RUNS RESTS
			       "qmp stop\n\t{}\nqmp stop\n\t!GenericError no\nqmp cont\n\t{}\n" };
	Guest guest;
	setup(&guest, &how, FALSE);
	ck_assert(qemu_stop_begin(&guest.stop, NULL, NULL));
	ck_assert(!qemu_stop_set_state(&guest.stop, VMIFS_STATE_PAUSED, NULL, NULL));
	ck_assert(qemu_stop_end(&guest.stop, NULL, NULL, NULL));
	hears_no_more(&guest, STOPPED "stop " LET_RUN);
	teardown(&guest);
}
END_TEST

/* Between its steps; who gives up meanwhile may do so. */
START_TEST(one_waits_for_the_other)
{
	const FakeQemu how = { .session = STANDS };
	const VmifsCall call = { .deadline = g_get_monotonic_time() + 50 * 1000 };
	g_autoptr(GError) error = NULL;
	Guest guest;
	setup(&guest, &how, FALSE);
	ck_assert(qemu_stop_enter(&guest.stop, NULL, NULL));
	ck_assert(!qemu_stop_set_state(&guest.stop, VMIFS_STATE_PAUSED, &call, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT));
	hears_no_more(&guest, "");
	qemu_stop_leave(&guest.stop);
	teardown(&guest);
}
END_TEST

/* What it came to while it stood by our wish: somebody else's now, or nobody's. */
static const char *const not_ours[] = {
	STANDS_AS("postmigrate"),    STANDS_AS("finish-migrate"),
	STANDS_AS("inmigrate"),      STANDS_AS("save-vm"),
	STANDS_AS("restore-vm"),     STANDS_AS("colo"),
	STANDS_AS("guest-panicked"), STANDS_AS("internal-error"),
	STANDS_AS("shutdown"),       STANDS_AS("watchdog"),
	STANDS_AS("io-error"),       STANDS_AS("debug"),
	STANDS_AS("prelaunch"),      RUNS,
};

START_TEST(what_was_not_stopped_by_us_is_not_let_run)
{
	g_autofree char *session = g_strconcat(RUNS, not_ours[_i], OBEYS, NULL);
	const FakeQemu how = { .session = session };
	Guest guest;
	gint64 stood;
	setup(&guest, &how, FALSE);
	ck_assert(qemu_stop_begin(&guest.stop, NULL, NULL));
	ck_assert(qemu_stop_end(&guest.stop, &stood, NULL, NULL));
	fake_qemu_has_heard(guest.server, STOPPED "query-status ");
	teardown(&guest);
}
END_TEST

START_TEST(without_a_guardian_nothing_is_stopped)
{
	g_autoptr(QemuMonitor) monitor = fake_monitor_new(RUNS OBEYS);
	g_autoptr(GError) error = NULL;
	g_auto(QemuStop) stop;
	qemu_stop_init(&stop, monitor);
	ck_assert(!qemu_stop_begin(&stop, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
}
END_TEST

static Suite *
control_suite(void)
{
	Suite *s = suite_create("qemu-control");
	TCase *tcase = tcase_create("control");
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, it_runs_on_after_a_stop);
	tcase_add_test(tcase, a_users_pause_is_left_alone);
	tcase_add_test(tcase, what_a_user_pauses_meanwhile_stays_so);
	tcase_add_test(tcase, a_pause_that_fails_is_none);
	tcase_add_test(tcase, one_waits_for_the_other);
	tcase_add_loop_test(tcase, what_was_not_stopped_by_us_is_not_let_run, 0,
			    G_N_ELEMENTS(not_ours));
	tcase_add_test(tcase, without_a_guardian_nothing_is_stopped);
	suite_add_tcase(s, tcase);
	return s;
}

VMIFS_UNIT_MAIN(control_suite)
