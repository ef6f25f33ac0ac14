/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* debug: whoever loses the stub, or is killed, leaves a guest that runs, and no point in it. */
#include <unit.h>

#include <debug-guest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	FakeStub how;
	const char *session, *heard;
} losses[] = {
	/* Another debugger takes it. */
	{ { .hits = 2, .hangs_up = TRUE },
	  RUNS RESTS NOBODY SOMEBODY STARTS,
	  COME "query-chardev " },
	/* It tells what nobody asked, or nonsense. */
	{ { .hits = 2, .says = "$OK#9a" }, RUNS RESTS NOBODY STARTS, NULL },
	{ { .hits = 2, .says = "$OK#00" }, RUNS RESTS NOBODY STARTS, NULL },
	{ { .hits = 2, .says = "$T05thread:00;#06" }, RUNS RESTS NOBODY STARTS, NULL },
	{ { .hits = 2, .says = "$T#54" }, RUNS RESTS NOBODY STARTS, NULL },
};

START_TEST(whose_stub_is_lost_hears_of_it)
{
	const FakeQemu qemu = { .session = losses[_i].session };
	Guest guest;

	setup(&guest, &qemu, &losses[_i].how);
	arm(&guest, 0, &write_point);
	wait_for(&guest.n_lost, 1);
	ck_assert(!qemu_debug_is_on(guest.debug));
	/* The guardian cleans up where it can. */
	if (losses[_i].heard)
		fake_qemu_has_heard(guest.server, losses[_i].heard);
	else
		wait_for_points(&guest, 0);
	disarm(&guest, 0);
	ck_assert_int_eq(guest.n_lost, 1);
	teardown(&guest);
}
END_TEST

/* By "gdbserver none": nobody has it, and the points are still there, of each vCPU. */
START_TEST(whoever_ends_the_stub_has_no_point_in_the_guest)
{
	const FakeStub how = { .hits = 3, .n_vcpus = 2, .pauses = _i, .is_ended = TRUE };
	Guest guest;

	setup(&guest, &willing, &how);
	arm_as(&guest, &tcg_of_two, 0, &exec_point);
	wait_for(&guest.n_lost, 1);
	fake_qemu_has_heard(guest.server, COME "query-chardev " COME GONE);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	ck_assert_uint_eq(fake_stub_blunders(guest.stub), 0);
	ck_assert_int_eq(fake_stub_runs(guest.stub), !_i);
	teardown(&guest);
}
END_TEST

/* It would stop there for ever. */
START_TEST(what_a_debugger_before_has_left_holds_nobody_up)
{
	const FakeStub how = { .hits = 10, .is_left = _i == 0, .is_foreign = _i == 1 };
	Guest guest;

	setup(&guest, &willing, &how);
	ck_assert_uint_eq(fake_stub_points(guest.stub), _i == 0);
	arm(&guest, 0, &write_point);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 1);
	wait_for(&guest.n[0], 10);
	disarm(&guest, 0);
	ck_assert_int_eq(guest.n[0], 10);
	ck_assert_int_eq(guest.n_lost, 0);
	nothing_is_left(&guest);
	teardown(&guest);
}
END_TEST

START_TEST(whoever_takes_no_point_away_is_left)
{
	const FakeStub how = { .keeps = TRUE };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &write_point);
	arm(&guest, 1, &exec_point);
	qemu_debug_free(g_steal_pointer(&guest.debug));
	ck_assert_int_ge(guest.n_lost, 1);
	wait_for_points(&guest, 0);
	ck_assert(fake_stub_runs(guest.stub));
	teardown(&guest);
}
END_TEST

START_TEST(stops_without_end_do_not_keep_it_from_ending)
{
	const FakeStub how = { .hits = 1, .floods = TRUE };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, &write_point);
	wait_for(&guest.n[0], 200);
	teardown(&guest);
}
END_TEST

/* It would stop after its next instruction, and nobody would let it run on. */
START_TEST(a_vCPU_that_idles_makes_no_step_afterwards)
{
	const FakeStub how = { .hits = _i ? 20 : 0, .n_vcpus = 2 };
	gboolean pauses = _i == 2;
	Guest guest;

	setup(&guest, &willing, &how);
	arm_as(&guest, &tcg_of_two, 1, &first_steps);
	arm_as(&guest, &tcg_of_two, 0, &exec_point);
	wait_for(&guest.n[0], (gint) how.hits);
	wait_for_running(&guest);
	ck_assert_uint_eq(fake_stub_steps(guest.stub), 1);
	if (pauses) {
		qemu_debug_set_state(guest.debug, VMIFS_STATE_PAUSED, NULL, NULL);
		ck_assert_uint_eq(fake_stub_steps(guest.stub), 0);
	}
	disarm(&guest, 1);
	ck_assert_uint_eq(fake_stub_steps(guest.stub), 0);
	ck_assert_uint_eq(fake_stub_mask(guest.stub), 7);
	disarm(&guest, 0);
	ck_assert_int_eq(guest.n_lost, 0);
	ck_assert_int_eq(fake_stub_runs(guest.stub), !pauses);
	if (!pauses)
		nothing_is_left(&guest);
	teardown(&guest);
}
END_TEST

START_TEST(a_pause_of_somebody_else_s_ends_steps_that_wait)
{
	const FakeStub how = { .hits = 3, .n_vcpus = 2, .pauses = TRUE };
	Guest guest;

	setup(&guest, &willing, &how);
	arm_as(&guest, &tcg_of_two, 1, &first_steps);
	arm_as(&guest, &tcg_of_two, 0, &write_point);
	wait_for(&guest.n_turned, 1);
	disarm(&guest, 0);
	ck_assert_uint_eq(fake_stub_steps(guest.stub), 0);
	disarm(&guest, 1);
	ck_assert(!fake_stub_runs(guest.stub));
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	ck_assert_uint_eq(fake_stub_mask(guest.stub), 7);
	teardown(&guest);
}
END_TEST

START_TEST(a_stub_that_does_not_come_leaves_a_guest_that_runs)
{
	guint failed;
	const FakeQemu qemu = { .session = RUNS NOBODY STARTS "qmp cont\n\t{}\n" };
	const FakeStub how = { 0 };
	Guest guest;

	setup(&guest, &qemu, &how);
	ck_assert(!qemu_debug_arm(guest.debug, &tcg, 0, &exec_point, 1, &failed, NULL, NULL));
	g_usleep(300 * 1000);
	fake_qemu_has_heard(guest.server, COME GONE "query-status ");
	teardown(&guest);
}
END_TEST

/* The monitor fails after that: QEMU would not survive another farewell. */
START_TEST(who_was_let_go_of_is_not_told_so_again)
{
	FakeQemu qemu = { .session = RUNS RESTS NOBODY STARTS };
	const FakeStub how = { .hits = 3 };
	Guest guest;

	setup(&guest, &qemu, &how);
	arm(&guest, 0, &write_point);
	wait_for(&guest.n[0], 3);
	qemu.greeting = "{}\r\n";
	disarm(&guest, 0);
	g_usleep(500 * 1000);
	ck_assert_uint_eq(fake_stub_blunders(guest.stub), 0);
	ck_assert(fake_stub_runs(guest.stub));
	teardown(&guest);
}
END_TEST

START_TEST(a_stub_of_somebody_else_s_is_left_to_them)
{
	guint failed;
	const FakeQemu qemu = { .session = RUNS SOMEBODY STARTS };
	const FakeStub how = { 0 };
	g_autoptr(GError) error = NULL;
	VmifsStopCaps caps;
	Guest guest;

	setup(&guest, &qemu, &how);
	qemu_debug_caps(guest.debug, &tcg, &caps, NULL);
	ck_assert_ptr_nonnull(strstr(caps.why_not, "another debugger"));
	ck_assert(!qemu_debug_arm(guest.debug, &tcg, 0, &exec_point, 1, &failed, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	fake_qemu_has_heard(guest.server, "query-chardev query-chardev ");
	teardown(&guest);
}
END_TEST

/* For who asks whether it runs, and must not take a stop of ours for somebody else's. */
START_TEST(whenever_it_comes_or_goes_its_visits_are_others)
{
	const FakeStub how = { 0 };
	guint visits[4];
	Guest guest;

	setup(&guest, &willing, &how);
	ck_assert(qemu_debug_is_settled(guest.debug, &visits[0]));
	arm(&guest, 0, &write_point);
	ck_assert(qemu_debug_is_settled(guest.debug, &visits[1]));
	ck_assert(qemu_debug_is_own(guest.debug, "debug"));
	arm(&guest, 1, &exec_point);
	ck_assert(qemu_debug_is_settled(guest.debug, &visits[2]));
	disarm(&guest, 0);
	disarm(&guest, 1);
	ck_assert(qemu_debug_is_settled(guest.debug, &visits[3]));
	ck_assert_uint_ne(visits[0], visits[1]);
	ck_assert_uint_eq(visits[1], visits[2]);
	ck_assert_uint_ne(visits[2], visits[3]);
	ck_assert_uint_ne(visits[0], visits[3]);
	teardown(&guest);
}
END_TEST

/* Another vmifs, which begins when the address of the guest's monitor comes, has a point armed and
 * is then killed. It comes into being before the threads of the fakes: what is forked beside
 * threads is not good for much. */
static pid_t
another_vmifs(const VmifsStopPoint *point, gboolean pauses, gboolean steps, int *ret_to)
{
	Guest guest = { 0 };
	const QemuDebugUser user = {
		.user = &guest, .stopped = stopped, .unarmed = unarmed, .turned = turned
	};
	char address[256] = "";
	guint failed;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	pid_t pid = fork();
	if (pid) {
		close(ends[0]);
		*ret_to = ends[1];
		return pid;
	}
	signal(SIGPIPE, SIG_IGN);
	if (read(ends[0], address, sizeof(address) - 1) > 0) {
		QemuMonitor *monitor = qemu_qmp_new(address, FALSE, NULL);
		QemuDebug *debug = qemu_debug_new(monitor, &user);
		qemu_debug_arm(debug, &tcg_of_two, 0, point, 1, &failed, NULL, NULL);
		if (steps)
			qemu_debug_arm(debug, &tcg_of_two, 1, &first_steps, 1, &failed, NULL, NULL);
		if (pauses)
			qemu_debug_set_state(debug, VMIFS_STATE_PAUSED, NULL, NULL);
		pause();
	}
	_exit(1);
}

/* It begins with that guest. */
static void
give(int to, const Guest *guest)
{
	const char *address = fake_qemu_address(guest->server);

	ck_assert_int_eq(write(to, address, strlen(address)), (int) strlen(address));
	close(to);
}

static void
be_killed(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
}

#define N_KILLS 6

/* Of a guest that runs, and of one that is paused. */
static const char *const said[] = { COME GONE, COME "query-status " GONE };

/* Whatever vmifs was about: nothing is left, and the guest is as it was. */
START_TEST(killed_it_leaves_no_point_and_a_guest_that_runs)
{
	gboolean dashes = _i >= N_KILLS;
	const FakeStub how = { .hits = 1000000, .is_nop = dashes };
	Guest guest;
	int to;

	pid_t vmifs = another_vmifs(dashes ? &kernel_point : &exec_point, _i % 2, FALSE, &to);
	setup(&guest, &willing, &how);
	give(to, &guest);
	wait_for_points(&guest, 1);
	g_usleep((gulong) (40 + 7 * (_i % N_KILLS)) * 1000);
	be_killed(vmifs);
	fake_qemu_hears_of(guest.server, said[_i % 2]);
	fake_qemu_has_heard(guest.server, said[_i % 2]);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	ck_assert_uint_eq(fake_stub_blunders(guest.stub), 0);
	ck_assert_int_eq(fake_stub_runs(guest.stub), _i % 2 == 0);
	teardown(&guest);
}
END_TEST

/* The child of ours that is not one of these two; 0: none. */
static pid_t
another_child(pid_t one, pid_t other)
{
	g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_strdup_printf("/proc/%s/stat", name);
		g_autofree char *text = NULL;
		pid_t pid = atoi(name), parent = 0;
		if (pid <= 0 || pid == one || pid == other ||
		    !g_file_get_contents(path, &text, NULL, NULL))
			continue;
		const char *rest = strrchr(text, ')');
		if (rest && sscanf(rest, ") %*c %d", &parent) == 1 && parent == getpid())
			return pid;
	}
	return 0;
}

/* The same of one that stays: a guardian is the child of a child, which ends at once. */
static pid_t
wait_for_another(pid_t one, pid_t other)
{
	for (int i = 0; i < 1000; i++) {
		pid_t pid = another_child(one, other);
		g_usleep(20000);
		if (pid && another_child(one, other) == pid)
			return pid;
	}
	return 0;
}

/* It is killed as well, and before vmifs. */
START_TEST(a_guardian_that_is_killed_has_a_successor)
{
	const FakeStub how = { .hits = 1000000 };
	Guest guest;
	pid_t first;
	int to;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	pid_t vmifs = another_vmifs(&exec_point, _i, FALSE, &to);
	setup(&guest, &willing, &how);
	give(to, &guest);
	wait_for_points(&guest, 1);
	g_usleep(50000);
	first = wait_for_another(vmifs, 0);
	ck_assert_int_gt(first, 0);
	be_killed(first);
	ck_assert_int_gt(wait_for_another(vmifs, first), 0);
	be_killed(vmifs);
	fake_qemu_hears_of(guest.server, said[_i]);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	ck_assert_int_eq(fake_stub_runs(guest.stub), !_i);
	teardown(&guest);
}
END_TEST

START_TEST(without_a_guardian_that_stays_nothing_is_armed)
{
	const FakeStub how = { .hits = 1000000 };
	Guest guest;

	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	setup(&guest, &willing, &how);
	arm(&guest, 0, &exec_point);
	pid_t first = wait_for_another(0, 0);
	ck_assert_int_gt(first, 0);
	be_killed(first);
	pid_t next = wait_for_another(first, 0);
	ck_assert_int_gt(next, 0);
	be_killed(next);
	wait_for(&guest.n_lost, 1);
	ck_assert(!qemu_debug_is_on(guest.debug));
	nothing_is_left(&guest);
	teardown(&guest);
}
END_TEST

START_TEST(killed_it_leaves_no_step_and_the_next_one_makes_them_as_QEMU_does)
{
	const FakeStub how = { .hits = 1000000, .n_vcpus = 2, .kvm = _i };
	Guest guest;
	int to;

	pid_t vmifs = another_vmifs(&exec_point, FALSE, TRUE, &to);
	setup(&guest, &willing, &how);
	give(to, &guest);
	for (int i = 0; i < 10000 && !fake_stub_steps(guest.stub); i++)
		g_usleep(1000);
	ck_assert_uint_eq(fake_stub_steps(guest.stub), 1);
	be_killed(vmifs);
	fake_qemu_hears_of(guest.server, COME GONE);
	nothing_is_left(&guest);
	ck_assert_uint_eq(fake_stub_mask(guest.stub), _i ? 3 : 7);
	teardown(&guest);
}
END_TEST

/* Before there is a stub, which would let it run. */
START_TEST(killed_as_it_comes_it_leaves_a_guest_that_runs)
{
	const FakeQemu qemu = { .session = RUNS RESTS NOBODY STARTS "qmp cont\n\t{}\n",
				.answer_ms = 100 };
	const FakeStub how = { 0 };
	Guest guest;
	int to;

	pid_t vmifs = another_vmifs(&exec_point, FALSE, FALSE, &to);
	setup(&guest, &qemu, &how);
	give(to, &guest);
	fake_qemu_hears_of(guest.server, "chardev-add ");
	be_killed(vmifs);
	fake_qemu_hears_of(guest.server, GONE LET_RUN);
	teardown(&guest);
}
END_TEST

static Suite *
debug_end_suite(void)
{
	Suite *suite = suite_create("qemu-debug-end");
	TCase *tcase = tcase_create("qemu-debug-end");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, whose_stub_is_lost_hears_of_it, 0, G_N_ELEMENTS(losses));
	tcase_add_loop_test(tcase, whoever_ends_the_stub_has_no_point_in_the_guest, 0, 2);
	tcase_add_loop_test(tcase, what_a_debugger_before_has_left_holds_nobody_up, 0, 2);
	tcase_add_test(tcase, whoever_takes_no_point_away_is_left);
	tcase_add_test(tcase, stops_without_end_do_not_keep_it_from_ending);
	tcase_add_loop_test(tcase, a_vCPU_that_idles_makes_no_step_afterwards, 0, 3);
	tcase_add_test(tcase, a_pause_of_somebody_else_s_ends_steps_that_wait);
	tcase_add_loop_test(
		tcase, killed_it_leaves_no_step_and_the_next_one_makes_them_as_QEMU_does, 0, 2);
	tcase_add_test(tcase, a_stub_that_does_not_come_leaves_a_guest_that_runs);
	tcase_add_test(tcase, killed_as_it_comes_it_leaves_a_guest_that_runs);
	tcase_add_test(tcase, who_was_let_go_of_is_not_told_so_again);
	tcase_add_test(tcase, a_stub_of_somebody_else_s_is_left_to_them);
	tcase_add_test(tcase, whenever_it_comes_or_goes_its_visits_are_others);
	tcase_add_loop_test(tcase, a_guardian_that_is_killed_has_a_successor, 0, 2);
	tcase_add_test(tcase, without_a_guardian_that_stays_nothing_is_armed);
	tcase_add_loop_test(tcase, killed_it_leaves_no_point_and_a_guest_that_runs, 0, 2 * N_KILLS);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(debug_end_suite)
