/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu/snapshot, qemu/copy: a guest's memory of one moment, copied while it stands. Whatever
 * happens, the guest runs on in the end.
 */
#include <qemu-subject.h>

static const OtherKind kinds[] = { OTHER_MEMFD, OTHER_FILE_SHARED, OTHER_FILE_PRIVATE,
				   OTHER_SHARED_ANON };

START_TEST(shared_memory_is_copied_while_the_guest_stands)
{
	const FakeQemu how = { .session = FREE STANDS STOPS };
	Guest guest;
	guint64 rax;
	setup(&guest, kinds[_i], &how, NULL);
	other_process_fill(guest.other, 2 * PAGE, 2 * PAGE, 0x21);
	other_process_fill(guest.other, 5 * MIB + PAGE, PAGE, 0x22);
	guint64 blocks = other_process_blocks(guest.other);
	guint64 rss = other_process_status(guest.other, "VmRSS");
	takes(&guest);
	assert_page(&guest, 0, 2, 0x21);
	assert_page(&guest, 0, 3, 0x21);
	assert_page(&guest, 0, 5 * MIB / PAGE + 1, 0x22);
	assert_page(&guest, 0, 8, kinds[_i] == OTHER_FILE_PRIVATE ? 0xf0 : 0);
	/* Nothing has come into being. */
	ck_assert_uint_eq(other_process_blocks(guest.other), blocks);
	ck_assert_uint_le(other_process_status(guest.other, "VmRSS"), rss + 64);
	ck_assert_uint_eq(guest.picture.regs->len, 1);
	ck_assert(vmifs_regs_get(g_ptr_array_index(guest.picture.regs, 0), "rax", &rax));
	ck_assert_uint_eq(rax, 5);
	fake_qemu_hears(guest.server, "query-migrate query-status " STOPPED);
	teardown(&guest);
}
END_TEST

static void
live_on(gpointer user)
{
	const Guest *guest = user;
	g_autofree char *heard = fake_qemu_heard(guest->server);
	/* What comes now is of the moment that the picture is of. */
	ck_assert(strstr(heard, "stop ") && !strstr(heard, "cont "));
	other_process_fill(guest->other, 0, PAGE, 0x51);
	other_process_fill(guest->other, 3 * MIB, MIB, 0x52);
	other_process_fill(guest->other, 6 * MIB + 7 * PAGE + 100, 1, 0x53);
	other_process_discard(guest->other, MIB, PAGE);
}

START_TEST(what_changes_until_the_guest_stands_is_in_the_copy)
{
	static const OtherKind all[] = { OTHER_MEMFD, OTHER_FILE_SHARED, OTHER_ANONYMOUS };
	/* A QEMU that knows no other way. */
	const FakeQemu how = { .session = FREE STANDS STOPS };
	Guest guest;
	setup(&guest, all[_i], &how, NULL);
	other_process_fill(guest.other, 0, 2 * MIB, 0x41);
	other_process_fill(guest.other, 6 * MIB, MIB, 0x42);
	guest.picture.added_regs = live_on;
	guest.picture.user = &guest;
	takes(&guest);
	const guint8 *bytes = guest.picture.bytes[0];
	for (gsize i = 0; i < LEN; i++) {
		guint8 wanted = i < PAGE                                      ? 0x51
				: i < MIB || (i >= MIB + PAGE && i < 2 * MIB) ? 0x41
				: i >= 3 * MIB && i < 4 * MIB                 ? 0x52
				: i == 6 * MIB + 7 * PAGE + 100               ? 0x53
				: i >= 6 * MIB && i < 7 * MIB                 ? 0x42
									      : 0;
		if (bytes[i] != wanted)
			ck_abort_msg("%#zx: %#x, not %#x", i, bytes[i], wanted);
	}
	teardown(&guest);
}
END_TEST

static void
fill_all(gpointer user)
{
	other_process_fill(((Guest *) user)->other, 0, LEN, 0x61);
}

/* There is room for what it had, and a little more. */
START_TEST(what_comes_all_of_a_sudden_is_written_at_once)
{
	const FakeQemu how = { .session = FREE STANDS STOPS };
	Guest guest;
	setup(&guest, kinds[_i], &how, NULL);
	other_process_fill(guest.other, 5 * MIB, 3 * PAGE, 0x62);
	guest.picture.added_regs = fill_all;
	guest.picture.user = &guest;
	takes(&guest);
	for (gsize page = 0; page < LEN / PAGE; page += 61)
		assert_page(&guest, 0, page, 0x61);
	teardown(&guest);
}
END_TEST

START_TEST(paused_guest_is_copied_and_stays_so)
{
	const FakeQemu how = { .session = FREE RESTS STOPS };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	other_process_fill(guest.other, 0, LEN, 0x31);
	takes(&guest);
	assert_page(&guest, 0, LEN / PAGE - 1, 0x31);
	ck_assert_str_eq(guest.picture.how, "copied while paused");
	ck_assert_int_eq(guest.picture.taken.still_us, 0);
	fake_qemu_hears(
		guest.server,
		"query-migrate query-status query-status human-monitor-command query-status ");
	teardown(&guest);
}
END_TEST

START_TEST(guest_that_is_let_run_meanwhile_makes_no_picture)
{
	const FakeQemu how = { .session = FREE RUNS RUNS RUNS STOPS };
	Guest guest;
	setup(&guest, OTHER_MEMFD, &how, NULL);
	fails(&guest, NULL, VMIFS_ERROR_IO);
	fake_qemu_hears(guest.server,
			"query-migrate query-status query-status stop human-monitor-command "
			"query-status query-status ");
	teardown(&guest);
}
END_TEST

static void
let_run_and_pause(gpointer user)
{
	Guest *guest = user;
	ck_assert(qemu_stop_set_state(&guest->stop, VMIFS_STATE_RUNNING, NULL, NULL));
	ck_assert(qemu_stop_set_state(&guest->stop, VMIFS_STATE_PAUSED, NULL, NULL));
}

/* That it stands in the end does not make it one moment. */
START_TEST(guest_that_ran_for_a_while_meanwhile_makes_no_picture)
{
	const FakeQemu how = { .session = FREE RESTS RESTS RUNS RESTS STOPS };
	Guest guest;
	setup(&guest, OTHER_MEMFD, &how, NULL);
	guest.picture.added_regs = let_run_and_pause;
	guest.picture.user = &guest;
	fails(&guest, NULL, VMIFS_ERROR_IO);
	teardown(&guest);
}
END_TEST

static void
pause_it(gpointer user)
{
	Guest *guest = user;
	ck_assert(qemu_stop_set_state(&guest->stop, VMIFS_STATE_PAUSED, NULL, NULL));
}

START_TEST(guest_that_is_paused_while_it_is_copied_stays_so)
{
	const FakeQemu how = { .session = FREE STANDS STOPS };
	Guest guest;
	setup(&guest, OTHER_MEMFD, &how, NULL);
	guest.picture.added_regs = pause_it;
	guest.picture.user = &guest;
	takes(&guest);
	fake_qemu_hears(guest.server,
			"query-migrate query-status query-status stop human-monitor-command "
			"stop query-status query-status ");
	teardown(&guest);
}
END_TEST

START_TEST(guest_runs_on_after_a_copy_that_was_given_up)
{
	const FakeQemu how = { .session = FREE STANDS STOPS };
	gint cancelled = 0;
	const VmifsCall call = { .cancelled = &cancelled };
	Guest guest;
	setup(&guest, OTHER_MEMFD, &how, NULL);
	guest.picture.added_regs = give_up;
	guest.picture.user = &cancelled;
	fails(&guest, &call, VMIFS_ERROR_CANCELLED);
	fake_qemu_hears(
		guest.server,
		"query-migrate query-status query-status stop human-monitor-command " LET_RUN);
	teardown(&guest);
}
END_TEST

static void
expect_run(gpointer user)
{
	g_autofree char *heard = fake_qemu_heard(user);
	ck_assert(g_str_has_suffix(heard, "cont "));
}

/* How long that takes is not its concern. */
START_TEST(guest_runs_on_before_the_picture_is_written)
{
	const FakeQemu how = { .session = FREE STANDS STOPS };
	Guest guest;
	setup(&guest, kinds[_i], &how, NULL);
	other_process_fill(guest.other, 0, LEN, 0x31);
	guest.picture.written = expect_run;
	guest.picture.user = guest.server;
	takes(&guest);
	for (gsize page = 0; page < LEN / PAGE; page += 255)
		assert_page(&guest, 0, page, 0x31);
	teardown(&guest);
}
END_TEST

START_TEST(without_room_there_is_no_picture_of_a_copy)
{
	const FakeQemu how = { .session = FREE STANDS STOPS };
	Guest guest;
	setup(&guest, OTHER_MEMFD, &how, NULL);
	other_process_fill(guest.other, 0, MIB, 0x31);
	other_process_fill(guest.other, 2 * MIB, MIB, 0x31);
	guest.picture.most_writes = 1;
	fails(&guest, NULL, VMIFS_ERROR_NO_SPACE);
	fake_qemu_hears(guest.server, "query-migrate query-status " STOPPED);
	teardown(&guest);
}
END_TEST

START_TEST(guest_runs_on_when_vmifs_is_killed_while_it_stands)
{
	const FakeQemu how = { .session = FREE STANDS STOPS };
	Guest guest;
	setup(&guest, OTHER_MEMFD, &how, NULL);
	guest.picture.added_regs = die;
	die_taking(&guest);
	fake_qemu_hears(
		guest.server,
		"query-migrate query-status query-status stop human-monitor-command " LET_RUN);
	teardown(&guest);
}
END_TEST

static void
signal_and_wait(const Guest *guest, int number)
{
	pid_t pid = other_process_pid(guest->other);
	int status;
	kill(pid, number);
	ck_assert_int_eq(waitpid(pid, &status, number == SIGSTOP ? WUNTRACED : WCONTINUED), pid);
}

START_TEST(qemu_that_is_stopped_by_a_signal_is_copied_as_it_stands)
{
	Guest guest;
	setup(&guest, kinds[_i], NULL, NULL);
	other_process_fill(guest.other, 5 * MIB, MIB, 0x71);
	signal_and_wait(&guest, SIGSTOP);
	takes(&guest);
	assert_page(&guest, 0, 5 * MIB / PAGE, 0x71);
	ck_assert_str_eq(guest.picture.how, "copied while QEMU was stopped by a signal");
	teardown(&guest);
}
END_TEST

static void
let_run_and_stop(gpointer user)
{
	Guest *guest = user;
	signal_and_wait(guest, SIGCONT);
	signal_and_wait(guest, SIGSTOP);
	guest->picture.written = NULL;
}

static void
let_run(gpointer user)
{
	Guest *guest = user;
	signal_and_wait(guest, SIGCONT);
	guest->picture.written = NULL;
}

START_TEST(qemu_that_ran_while_it_was_copied_makes_no_picture)
{
	Guest guest;
	setup(&guest, OTHER_MEMFD, NULL, NULL);
	other_process_fill(guest.other, 0, MIB, 0x72);
	signal_and_wait(&guest, SIGSTOP);
	guest.picture.written = _i ? let_run_and_stop : let_run;
	guest.picture.user = &guest;
	fails(&guest, NULL, VMIFS_ERROR_IO);
	ck_assert_str_eq(guest.error->message, "QEMU ran while it was copied");
	teardown(&guest);
}
END_TEST

START_TEST(guest_without_a_monitor_is_not_stopped)
{
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, NULL, NULL);
	fails(&guest, NULL, VMIFS_ERROR_UNSUPPORTED);
	/* But one whose QEMU hangs is as it is. */
	other_process_fill(guest.other, 0, PAGE, 0x41);
	kill(other_process_pid(guest.other), SIGSTOP);
	for (int i = 0; i < 250 && !qemu_process_is_stopped(guest.subject.process); i++)
		g_usleep(20 * 1000);
	takes(&guest);
	assert_page(&guest, 0, 0, 0x41);
	ck_assert_uint_eq(guest.picture.regs->len, 0);
	kill(other_process_pid(guest.other), SIGCONT);
	teardown(&guest);
}
END_TEST

static Suite *
snapshot_suite(void)
{
	Suite *s = suite_create("qemu-snapshot");
	TCase *t = tcase_create("standing");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, shared_memory_is_copied_while_the_guest_stands, 0,
			    G_N_ELEMENTS(kinds));
	tcase_add_loop_test(t, what_changes_until_the_guest_stands_is_in_the_copy, 0, 3);
	tcase_add_loop_test(t, what_comes_all_of_a_sudden_is_written_at_once, 0,
			    G_N_ELEMENTS(kinds));
	tcase_add_test(t, paused_guest_is_copied_and_stays_so);
	tcase_add_test(t, guest_that_is_let_run_meanwhile_makes_no_picture);
	tcase_add_test(t, guest_that_ran_for_a_while_meanwhile_makes_no_picture);
	tcase_add_test(t, guest_that_is_paused_while_it_is_copied_stays_so);
	tcase_add_test(t, guest_runs_on_after_a_copy_that_was_given_up);
	tcase_add_loop_test(t, guest_runs_on_before_the_picture_is_written, 0, G_N_ELEMENTS(kinds));
	tcase_add_test(t, without_room_there_is_no_picture_of_a_copy);
	tcase_add_test(t, guest_runs_on_when_vmifs_is_killed_while_it_stands);
	tcase_add_loop_test(t, qemu_that_is_stopped_by_a_signal_is_copied_as_it_stands, 0,
			    G_N_ELEMENTS(kinds));
	tcase_add_loop_test(t, qemu_that_ran_while_it_was_copied_makes_no_picture, 0, 2);
	tcase_add_test(t, guest_without_a_monitor_is_not_stopped);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(snapshot_suite)
