/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guard: a guest runs again whatever becomes of vmifs, and of a stream that it was to read. */
#include <stopped-guest.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define REFUSES "qmp stop\n\t{}\nqmp cont\n\t!GenericError no\n"

static void
stop_and_be_killed(Guest *guest)
{
	pid_t vmifs = fork();
	int status;

	if (!vmifs) {
		qemu_stop_begin(&guest->stop, NULL, NULL);
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(vmifs, &status, 0), vmifs);
	ck_assert(WIFSIGNALED(status));
}

/* With and without a monitor that is held. */
START_TEST(it_runs_again_when_vmifs_is_killed)
{
	const FakeQemu how = { .session = STANDS };
	Guest guest;
	setup(&guest, &how, _i);
	stop_and_be_killed(&guest);
	fake_qemu_hears(guest.server, STOPPED LET_RUN);
	hears_no_more(&guest, STOPPED LET_RUN);
	teardown(&guest);
}
END_TEST

static gboolean
tell_cgroup(const char *folder, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	gboolean good = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return good;
}

/* (full) NULL: of this machine there is none to be had. */
static char *
make_cgroup(void)
{
	static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (gsize i = 0; i < G_N_ELEMENTS(roots); i++) {
		g_autofree char *own = g_strdup_printf("%s/vmifs-test-%d", roots[i], getpid());
		g_autofree char *kill = g_build_filename(own, "cgroup.kill", NULL);
		if (!mkdir(own, 0700) && !access(kill, W_OK))
			return g_steal_pointer(&own);
		rmdir(own);
	}
	return NULL;
}

/* As systemd does with a unit. */
START_TEST(it_runs_again_when_all_of_its_cgroup_is_killed)
{
	const FakeQemu how = { .session = STANDS };
	g_autofree char *cgroup = make_cgroup();
	Guest guest;
	int status;
	if (!cgroup)
		return;
	setup(&guest, &how, FALSE);
	pid_t vmifs = fork();
	if (!vmifs) {
		if (!tell_cgroup(cgroup, "cgroup.procs", "0"))
			_exit(1);
		qemu_stop_begin(&guest.stop, NULL, NULL);
		tell_cgroup(cgroup, "cgroup.kill", "1");
		pause();
	}
	ck_assert_int_eq(waitpid(vmifs, &status, 0), vmifs);
	ck_assert(WIFSIGNALED(status));
	fake_qemu_hears(guest.server, STOPPED LET_RUN);
	teardown(&guest);
	ck_assert_int_eq(rmdir(cgroup), 0);
}
END_TEST

START_TEST(signals_to_all_do_not_end_the_guardian)
{
	const FakeQemu how = { .session = STANDS };
	Guest guest;
	int status;
	setup(&guest, &how, FALSE);
	pid_t vmifs = fork();
	if (!vmifs) {
		signal(SIGTERM, SIG_DFL); /* check's would go to the whole test */
		setpgid(0, 0);
		qemu_stop_begin(&guest.stop, NULL, NULL);
		kill(0, SIGTERM);
		kill(0, SIGKILL);
	}
	ck_assert_int_eq(waitpid(vmifs, &status, 0), vmifs);
	fake_qemu_hears(guest.server, STOPPED LET_RUN);
	teardown(&guest);
}
END_TEST

START_TEST(what_a_user_pauses_meanwhile_stays_so_when_vmifs_is_killed)
{
	const FakeQemu how = { .session = STANDS };
	Guest guest;
	int status;
	setup(&guest, &how, _i);
	pid_t vmifs = fork();
	if (!vmifs) {
		qemu_stop_begin(&guest.stop, NULL, NULL);
		if (qemu_stop_set_state(&guest.stop, VMIFS_STATE_PAUSED, NULL, NULL))
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	ck_assert_int_eq(waitpid(vmifs, &status, 0), vmifs);
	ck_assert(WIFSIGNALED(status));
	hears_no_more(&guest, "query-status stop stop query-status ");
	teardown(&guest);
}
END_TEST

START_TEST(what_was_not_stopped_by_us_is_not_let_run_when_vmifs_is_killed)
{
	const FakeQemu how = { .session = RUNS STANDS_AS("postmigrate") OBEYS };
	Guest guest;
	setup(&guest, &how, FALSE);
	stop_and_be_killed(&guest);
	fake_qemu_hears(guest.server, STOPPED "query-status ");
	hears_no_more(&guest, STOPPED "query-status ");
	teardown(&guest);
}
END_TEST

/* By a monitor that is held, which would keep the guardian out, as well. */
START_TEST(what_vmifs_could_not_do_the_guardian_does)
{
	const FakeQemu how = { .session =
				       RUNS RESTS "qmp stop\n\t{}\nqmp cont\n\t!GenericError no\n"
						  "qmp cont\n\t{}\n" };
	Guest guest;
	setup(&guest, &how, _i);
	ck_assert(qemu_stop_begin(&guest.stop, NULL, NULL));
	ck_assert(!qemu_stop_end(&guest.stop, NULL, NULL, NULL));
	fake_qemu_hears(guest.server, STOPPED LET_RUN LET_RUN);
	teardown(&guest);
}
END_TEST

START_TEST(what_is_refused_is_said_again)
{
	const FakeQemu how = { .session =
				       RUNS RESTS "qmp stop\n\t{}\nqmp cont\n\t!GenericError no\n"
						  "qmp cont\n\t!GenericError no\n"
						  "qmp cont\n\t{}\n" };
	Guest guest;
	setup(&guest, &how, FALSE);
	ck_assert(qemu_stop_begin(&guest.stop, NULL, NULL));
	ck_assert(!qemu_stop_end(&guest.stop, NULL, NULL, NULL));
	fake_qemu_hears(guest.server, STOPPED LET_RUN LET_RUN LET_RUN);
	hears_no_more(&guest, STOPPED LET_RUN LET_RUN LET_RUN);
	teardown(&guest);
}
END_TEST

START_TEST(it_is_not_said_again_to_what_was_migrated_away)
{
	const FakeQemu how = { .session = RUNS RESTS STANDS_AS("postmigrate") REFUSES };
	Guest guest;
	setup(&guest, &how, FALSE);
	ck_assert(qemu_stop_begin(&guest.stop, NULL, NULL));
	ck_assert(!qemu_stop_end(&guest.stop, NULL, NULL, NULL));
	fake_qemu_hears(guest.server, STOPPED LET_RUN "query-status ");
	hears_no_more(&guest, STOPPED LET_RUN "query-status ");
	teardown(&guest);
}
END_TEST

/* The guardian, which would let the guest run whenever QEMU allows that again, hears of it. */
START_TEST(what_a_user_pauses_after_vmifs_could_not_let_it_run_stays_so)
{
	const FakeQemu how = { .session = RUNS RESTS REFUSES };
	Guest guest;
	setup(&guest, &how, FALSE);
	ck_assert(qemu_stop_begin(&guest.stop, NULL, NULL));
	ck_assert(!qemu_stop_end(&guest.stop, NULL, NULL, NULL));
	fake_qemu_hears(guest.server, STOPPED LET_RUN LET_RUN);
	ck_assert(qemu_stop_set_state(&guest.stop, VMIFS_STATE_PAUSED, NULL, NULL));
	g_autofree char *heard = fake_qemu_heard(guest.server);
	ck_assert(g_str_has_suffix(heard, "stop query-status "));
	hears_no_more(&guest, heard);
	teardown(&guest);
}
END_TEST

/* Nor does it do so in the midst of the next stop, but it goes on as long as nobody minds. */
START_TEST(what_is_left_of_one_stop_does_not_end_the_next)
{
	const FakeQemu how = { .session = RUNS RESTS RESTS RESTS RUNS REFUSES };
	Guest guest;
	setup(&guest, &how, FALSE);
	ck_assert(qemu_stop_begin(&guest.stop, NULL, NULL));
	ck_assert(!qemu_stop_end(&guest.stop, NULL, NULL, NULL));
	fake_qemu_hears(guest.server, STOPPED LET_RUN LET_RUN LET_RUN);
	ck_assert(qemu_stop_begin(&guest.stop, NULL, NULL));
	g_autofree char *heard = fake_qemu_heard(guest.server);
	ck_assert(g_str_has_suffix(heard, STOPPED));
	hears_no_more(&guest, heard);
	teardown(&guest);
}
END_TEST

/* A program that notes what it is told, and has QEMU refuse the first. */
START_TEST(a_guardian_can_run_a_program)
{
	g_autofree char *folder = g_dir_make_tmp("vmifs-test-XXXXXX", NULL);
	g_autofree char *program = g_build_filename(folder, "program", NULL);
	g_autofree char *notes = g_build_filename(folder, "notes", NULL);
	g_autofree char *script =
		g_strdup_printf("#!/bin/sh\n[ -e %s ] && w=return || w=error\n"
				"echo \"$@\" >>%s\n"
				"echo \"{\\\"$w\\\": {\\\"status\\\": \\\"paused\\\"}}\"\n",
				notes, notes);
	const char *const call[] = { program, "tell", "web1", NULL };
	const QemuGuardWay way = { .pin = -1, .program = call };
	json_auto_t *words = json_pack("[{s:s}, {s:s, s:{s:i}}]", "execute", "one", "execute",
				       "two", "arguments", "a", 1);
	g_autofree char *told = NULL;
#define ONCE                                                                                       \
	"tell web1 {\"execute\":\"one\"}\n"                                                        \
	"tell web1 {\"execute\":\"two\",\"arguments\":{\"a\":1}}\n"                                \
	"tell web1 {\"execute\":\"query-status\"}\ntell web1 {\"execute\":\"cont\"}\n"
	const char *wanted = ONCE ONCE;

	ck_assert(g_file_set_contents(program, script, -1, NULL));
	ck_assert_int_eq(chmod(program, 0700), 0);
	const QemuDuty duty = { .stream = -1, .words = words, .lets_run = TRUE };
	int guard = qemu_guard_start(&way, &duty, NULL);
	ck_assert_int_ge(guard, 0);
	ck_assert_int_eq(write(guard, &(char){ QEMU_GUARD_ARM }, 1), 1);
	ck_assert(!g_file_test(notes, G_FILE_TEST_EXISTS));
	close(guard);
	for (int i = 0; i < 300 && g_strcmp0(told, wanted) != 0; i++) {
		g_usleep(20 * 1000);
		g_clear_pointer(&told, g_free);
		g_file_get_contents(notes, &told, NULL, NULL);
	}
	ck_assert_str_eq(told, wanted);
	unlink(program);
	unlink(notes);
	rmdir(folder);
}
END_TEST

/* A pipe that somebody writes to, and a guardian that has the other end. */
static int
leave_stream(const Guest *guest, int *ret_end)
{
	json_auto_t *silent = json_pack("[{s:s}]", "execute", "closefd");
	json_auto_t *words = json_pack("[{s:s}]", "execute", "cont");
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	const QemuDuty duty = { .stream = ends[0], .silent = silent, .words = words };
	int guard = qemu_guard_arm(guest->monitor, &duty, NULL);
	ck_assert_int_ge(guard, 0);
	close(ends[0]);
	*ret_end = ends[1];
	return guard;
}

START_TEST(what_is_left_of_a_stream_is_read_before_anything_is_said)
{
	const FakeQemu how = { .session = OBEYS };
	g_autofree char *much = g_malloc0(1 << 20);
	Guest guest;
	int end;
	setup(&guest, &how, FALSE);
	close(leave_stream(&guest, &end));
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(write(end, much, 1 << 20), 1 << 20);
	hears_no_more(&guest, "");
	close(end);
	fake_qemu_hears(guest.server, "cont ");
	teardown(&guest);
}
END_TEST

START_TEST(a_stream_that_is_silent_is_asked_after)
{
	const FakeQemu how = { .session = "qmp closefd\n\t!GenericError no\n" OBEYS };
	Guest guest;
	int end;
	setup(&guest, &how, FALSE);
	close(leave_stream(&guest, &end));
	g_usleep(5 * G_USEC_PER_SEC);
	fake_qemu_hears(guest.server, "closefd ");
	hears_no_more(&guest, "closefd ");
	close(end);
	fake_qemu_hears(guest.server, "closefd cont ");
	teardown(&guest);
}
END_TEST

/* QEMU, which writes to it, may be the one that keeps everybody out of its monitor. */
START_TEST(a_stream_is_read_while_nobody_is_let_in)
{
	const FakeQemu how = { .silent = TRUE };
	g_autofree char *much = g_malloc0(1 << 20);
	Guest guest;
	gsize written = 0;
	int end;
	setup(&guest, &how, FALSE);
	close(leave_stream(&guest, &end));
	g_usleep(6 * G_USEC_PER_SEC);
	fcntl(end, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 1000 && written < 1 << 20; i++) {
		gssize n = write(end, much, (1 << 20) - written);
		written += (gsize) MAX(n, 0);
		if (n < 0)
			g_usleep(10 * 1000);
	}
	ck_assert_uint_eq(written, 1 << 20);
	close(end);
	teardown(&guest);
}
END_TEST

/* Has nobody its other end any more? */
static gboolean
is_broken(int end)
{
	return write(end, "", 1) < 0 && errno == EPIPE;
}

START_TEST(a_stream_without_end_is_not_read_for_ever)
{
	const FakeQemu how = { .session = OBEYS };
	json_auto_t *words = json_pack("[{s:s}]", "execute", "cont");
	Guest guest;
	int ends[2];
	setup(&guest, &how, FALSE);
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe(ends), 0);
	const QemuDuty duty = { .stream = ends[0], .silent = words, .words = words, .seconds = 1 };
	int guard = qemu_guard_arm(guest.monitor, &duty, NULL);
	ck_assert_int_ge(guard, 0);
	close(ends[0]);
	ck_assert(!is_broken(ends[1]));
	close(guard);
	for (int i = 0; i < 1000 && !is_broken(ends[1]); i++)
		g_usleep(20 * 1000);
	ck_assert(is_broken(ends[1]));
	hears_no_more(&guest, "");
	close(ends[1]);
	teardown(&guest);
}
END_TEST

/* It lets others in then. */
START_TEST(whoever_talks_for_ever_is_not_listened_to_for_ever)
{
	const FakeQemu how = { .session = OBEYS, .events = G_MAXUINT };
	json_auto_t *words = json_pack("[{s:s}]", "execute", "cont");
	const QemuDuty duty = { .stream = -1, .words = words, .seconds = 1 };
	Guest guest;
	setup(&guest, &how, FALSE);
	int guard = qemu_guard_arm(guest.monitor, &duty, NULL);
	ck_assert_int_ge(guard, 0);
	close(guard);
	for (int i = 0; i < 500 && !fake_qemu_visits(guest.server); i++)
		g_usleep(20 * 1000);
	ck_assert_uint_eq(fake_qemu_visits(guest.server), 1);
	for (int i = 0; i < 20 && fake_qemu_visits(guest.server) < 2; i++) {
		const VmifsCall call = { .deadline = g_get_monotonic_time() + G_USEC_PER_SEC };
		json_decref(qemu_monitor_qmp(guest.monitor, "stop", NULL, &call, NULL));
	}
	ck_assert_uint_ge(fake_qemu_visits(guest.server), 2);
	teardown(&guest);
}
END_TEST

static Suite *
guard_suite(void)
{
	Suite *s = suite_create("qemu-guard");
	TCase *tcase = tcase_create("guard");
	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, it_runs_again_when_vmifs_is_killed, 0, 2);
	tcase_add_test(tcase, it_runs_again_when_all_of_its_cgroup_is_killed);
	tcase_add_test(tcase, signals_to_all_do_not_end_the_guardian);
	tcase_add_loop_test(tcase, what_a_user_pauses_meanwhile_stays_so_when_vmifs_is_killed, 0,
			    2);
	tcase_add_test(tcase, what_was_not_stopped_by_us_is_not_let_run_when_vmifs_is_killed);
	tcase_add_loop_test(tcase, what_vmifs_could_not_do_the_guardian_does, 0, 2);
	tcase_add_test(tcase, what_is_refused_is_said_again);
	tcase_add_test(tcase, it_is_not_said_again_to_what_was_migrated_away);
	tcase_add_test(tcase, what_a_user_pauses_after_vmifs_could_not_let_it_run_stays_so);
	tcase_add_test(tcase, what_is_left_of_one_stop_does_not_end_the_next);
	tcase_add_test(tcase, a_guardian_can_run_a_program);
	tcase_add_test(tcase, what_is_left_of_a_stream_is_read_before_anything_is_said);
	tcase_add_test(tcase, a_stream_that_is_silent_is_asked_after);
	tcase_add_test(tcase, a_stream_is_read_while_nobody_is_let_in);
	tcase_add_test(tcase, a_stream_without_end_is_not_read_for_ever);
	tcase_add_test(tcase, whoever_talks_for_ever_is_not_listened_to_for_ever);
	suite_add_tcase(s, tcase);
	return s;
}

VMIFS_UNIT_MAIN(guard_suite)
