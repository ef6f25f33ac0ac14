/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* debug: points of a guest that is not there, by a stub as particular as QEMU's. */
#include <unit.h>

#include <backends/qemu/debug.h>
#include <backends/qemu/qmp.h>

#include <fake-stub.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vmifs/error.h>

#define RUNS "qmp query-status\n\t{\"status\": \"running\", \"running\": true}\n"
#define RESTS "qmp query-status\n\t{\"status\": \"paused\", \"running\": false}\n"
#define NOBODY "qmp query-chardev\n\t[{\"label\": \"compat_monitor0\"}]\n"
#define SOMEBODY "qmp query-chardev\n\t[{\"label\": \"gdb\"}]\n"
#define STARTS                                                                                     \
	"qmp getfd\n\t{}\nqmp chardev-add\n\t{}\n"                                                 \
	"hmp gdbserver chardev:*\n\tWaiting for gdb connection on device 'chardev:x'\n"            \
	"hmp gdbserver none\n\tDisabled gdbserver\n"
#define HMP "human-monitor-command "
#define COME "query-chardev query-status getfd chardev-add " HMP "query-status "
#define GONE HMP HMP

typedef struct {
	FakeServer *server;
	FakeStubServer *stub;
	QemuMonitor *monitor;
	QemuDebug *debug;
	gint n[8], n_turned, n_lost; /* atomic */
	gint refuse_after;           /* stops of id 0; 0 = never */
	guint64 rips[8];
	gint vcpu;
} Guest;

static gboolean
stopped(gpointer user, const VmifsStop *stop)
{
	Guest *guest = user;
	guint64 rip = 0;

	ck_assert(vmifs_regs_get(stop->regs, "rip", &rip) ||
		  vmifs_regs_get(stop->regs, "pc", &rip));
	guest->rips[stop->id] = rip;
	gint n = g_atomic_int_add(&guest->n[stop->id], 1) + 1;
	return stop->id || !guest->refuse_after || n < guest->refuse_after;
}

static void
unarmed(gpointer user, guint64 id, const char *why)
{
	Guest *guest = user;

	ck_assert_ptr_nonnull(why);
	g_atomic_int_inc(&guest->n_lost);
}

static void
turned(gpointer user)
{
	g_atomic_int_inc(&((Guest *) user)->n_turned);
}

static const FakeQemu willing = { .session = RUNS RESTS NOBODY STARTS };
static const QemuDebugGuest tcg = { .accel = "tcg", .n_vcpus = 1 };
static const VmifsStopPoint exec_point = { .kind = VMIFS_STOP_EXEC, .address = 0x1000 };
static const VmifsStopPoint write_point = { .kind = VMIFS_STOP_WRITE, .address = 0x2000, .len = 8 };

static void
setup(Guest *guest, const FakeQemu *qemu, const FakeStub *how)
{
	*guest = (Guest){ .server = fake_qemu_start(qemu) };
	const QemuDebugUser user = {
		.user = guest, .stopped = stopped, .unarmed = unarmed, .turned = turned
	};
	guest->stub = fake_stub_start(guest->server, how);
	guest->monitor = qemu_qmp_new(fake_qemu_address(guest->server), FALSE, NULL);
	ck_assert_ptr_nonnull(guest->monitor);
	guest->debug = qemu_debug_new(guest->monitor, &user);
}

static void
teardown(Guest *guest)
{
	qemu_debug_free(guest->debug);
	fake_stub_stop(guest->stub);
	qemu_monitor_free(guest->monitor);
	fake_qemu_stop(guest->server);
}

static void
arm(Guest *guest, guint64 id, const VmifsStopPoint *point)
{
	g_autoptr(GError) error = NULL;

	ck_assert_msg(qemu_debug_arm(guest->debug, &tcg, id, point, NULL, &error), "%s",
		      error ? error->message : "");
}

static void
wait_for(gint *count, gint wanted)
{
	for (int i = 0; i < 10000 && g_atomic_int_get(count) < wanted; i++)
		g_usleep(1000);
	ck_assert_int_ge(g_atomic_int_get(count), wanted);
}

static gint
n_told(const Guest *guest)
{
	return g_atomic_int_get(&guest->n[0]) + g_atomic_int_get(&guest->n[1]);
}

static void
has_heard(const Guest *guest, const char *wanted)
{
	g_autofree char *heard = fake_qemu_heard(guest->server);

	ck_assert_str_eq(heard, wanted);
}

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
	for (int i = 0; i < 10000 && n_told(&guest) < 40; i++)
		g_usleep(1000);
	qemu_debug_disarm(guest.debug, 0);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 1);
	qemu_debug_disarm(guest.debug, 1);
	ck_assert_int_eq(guest.n[0] + guest.n[1], 40);
	ck_assert_uint_eq(guest.rips[0], 0x1000);
	ck_assert_uint_eq(guest.rips[1], FAKE_STUB_RIP_OF_DATA);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	ck_assert_uint_eq(fake_stub_blunders(guest.stub), 0);
	ck_assert(fake_stub_runs(guest.stub));
	ck_assert(!qemu_debug_is_on(guest.debug));
	has_heard(&guest, COME GONE);
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
	for (int i = 0; i < 10000 && n_told(&guest) < 40; i++)
		g_usleep(1000);
	ck_assert_int_eq(guest.n[0] + guest.n[1], 40);
	ck_assert_int_ge(guest.n[0], 1);
	ck_assert_int_le(ABS(guest.n[1] - guest.n[2]), 1);
	ck_assert_uint_eq(guest.rips[0], 0x1000);
	ck_assert_uint_eq(guest.rips[1], FAKE_STUB_RIP_OF_DATA);
	for (guint64 id = 0; id < 3; id++)
		qemu_debug_disarm(guest.debug, id);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	ck_assert_uint_eq(fake_stub_blunders(guest.stub), 0);
	ck_assert(fake_stub_runs(guest.stub));
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
	qemu_debug_disarm(guest.debug, 0);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 1);
	/* One that is not armed is passed over. */
	qemu_debug_disarm(guest.debug, 0);
	qemu_debug_disarm(guest.debug, 7);
	qemu_debug_disarm(guest.debug, 1);
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
	has_heard(&guest, "");
	arm(&guest, 0, &exec_point);
	arm(&guest, 1, &write_point);
	arm(&guest, 2, &write_point);
	for (int i = 1; i <= 10; i++) {
		qemu_debug_renew(guest.debug, &grown);
		ck_assert_uint_eq(fake_stub_points(guest.stub), 2);
		wait_for(&guest.n[0], g_atomic_int_get(&guest.n[0]) + 10);
		wait_for(&guest.n[2], g_atomic_int_get(&guest.n[2]) + 10);
	}
	ck_assert_int_eq(guest.n_lost, 0);
	for (guint64 id = 0; id < 3; id++)
		qemu_debug_disarm(guest.debug, id);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	ck_assert_uint_eq(fake_stub_blunders(guest.stub), 0);
	has_heard(&guest, COME GONE);
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
	qemu_debug_disarm(guest.debug, 0);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	ck_assert(fake_stub_runs(guest.stub));
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
		qemu_debug_disarm(guest.debug, 1);
		ck_assert_uint_eq(guest.rips[1], point.address);
	}
	ck_assert_int_ge(guest.n[0], 30);
	ck_assert_uint_eq(fake_stub_blunders(guest.stub), 0);
	teardown(&guest);
}
END_TEST

START_TEST(what_KVM_does_not_take_is_refused)
{
	static const QemuDebugGuest kvm = { .accel = "kvm", .n_vcpus = 1 };
	/* It says so itself where we do not know. */
	const QemuDebugGuest *as = _i ? &tcg : &kvm;
	const FakeStub how = { .kvm = TRUE };
	g_autoptr(GError) error = NULL;
	Guest guest;

	setup(&guest, &willing, &how);
	for (guint i = 0; i < 4; i++) {
		VmifsStopPoint point = { VMIFS_STOP_EXEC, .address = 0x4000 + 16 * i };
		ck_assert(qemu_debug_arm(guest.debug, as, i, &point, NULL, NULL));
	}
	ck_assert(!qemu_debug_arm(guest.debug, as, 5, &write_point, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	ck_assert_int_eq(guest.n_lost, 0);
	VmifsStopPoint patch = { VMIFS_STOP_EXEC, .address = 0x8000, .patch = TRUE };
	ck_assert_int_eq(qemu_debug_arm(guest.debug, as, 6, &patch, NULL, NULL), !_i);
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
		qemu_debug_disarm(guest.debug, 1);
		ck_assert_int_eq(guest.n_lost, 0);
		for (int i = 0; i < 5000 && !fake_stub_runs(guest.stub); i++)
			g_usleep(1000);
		ck_assert(fake_stub_runs(guest.stub));
		wait_for(&guest.n_turned, 2);
	}
	qemu_debug_disarm(guest.debug, 0);
	qemu_debug_disarm(guest.debug, 1);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	ck_assert_int_eq(fake_stub_runs(guest.stub), _i);
	teardown(&guest);
}
END_TEST

/* By a QEMU that tells of nothing then until it is asked to go on. */
START_TEST(who_lets_it_run_on_is_noticed)
{
	const FakeQemu qemu = { .session = RUNS RESTS RESTS RUNS RESTS NOBODY STARTS };
	const FakeStub how = { .hits = 3, .pauses = TRUE, .is_new = TRUE };
	Guest guest;

	setup(&guest, &qemu, &how);
	arm(&guest, 0, &write_point);
	wait_for(&guest.n_turned, 1);
	fake_stub_resume(guest.stub);
	wait_for(&guest.n_turned, 2);
	for (int i = 0; i < 5000 && !fake_stub_runs(guest.stub); i++)
		g_usleep(1000);
	ck_assert(fake_stub_runs(guest.stub));
	ck_assert(qemu_debug_is_own(guest.debug, "paused"));
	ck_assert_int_eq(guest.n_lost, 0);
	ck_assert_uint_eq(fake_stub_blunders(guest.stub), 0);
	teardown(&guest);
}
END_TEST

START_TEST(a_pause_of_ours_goes_through_it)
{
	const FakeStub how = { .hits = 1000000 };
	g_autoptr(GError) error = NULL;
	Guest guest;

	setup(&guest, &willing, &how);
	/* There is nothing to go through yet. */
	ck_assert(!qemu_debug_set_state(guest.debug, VMIFS_STATE_PAUSED, NULL, &error));
	ck_assert_ptr_null(error);
	arm(&guest, 0, &exec_point);
	wait_for(&guest.n[0], 3);
	ck_assert(qemu_debug_set_state(guest.debug, VMIFS_STATE_PAUSED, NULL, &error));
	ck_assert(!qemu_debug_is_own(guest.debug, "paused"));
	gint n = guest.n[0];
	g_usleep(20 * 1000);
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
	qemu_debug_disarm(guest.debug, 0);
	ck_assert_int_eq(guest.n[0], 5);
	ck_assert(fake_stub_runs(guest.stub));
	ck_assert_int_eq(guest.n_lost, 0);
	teardown(&guest);
}
END_TEST

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
	if (losses[_i].heard)
		has_heard(&guest, losses[_i].heard);
	/* The guardian cleans up where it can. */
	for (int i = 0; i < 5000 && !losses[_i].heard && fake_stub_points(guest.stub); i++)
		g_usleep(1000);
	if (!losses[_i].heard)
		ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	qemu_debug_disarm(guest.debug, 0);
	ck_assert_int_eq(guest.n_lost, 1);
	teardown(&guest);
}
END_TEST

/* Nor does its point go away for a moment. */
START_TEST(past_what_does_nothing_no_step_is_made)
{
	static const VmifsStopPoint kernel = { .kind = VMIFS_STOP_EXEC,
					       .address = 0xffffffff81000000 };
	static const VmifsStopPoint user = { .kind = VMIFS_STOP_EXEC, .address = 0x1000 };
	const FakeStub how = { .hits = 40, .is_nop = TRUE };
	Guest guest;

	setup(&guest, &willing, &how);
	arm(&guest, 0, _i ? &user : &kernel);
	wait_for(&guest.n[0], 40);
	g_usleep(20 * 1000);
	g_autofree char *heard = fake_stub_heard(guest.stub);
	ck_assert_int_eq(strstr(heard, "cffffffff81000005 ") != NULL, !_i);
	ck_assert_int_eq(strstr(heard, "vCont;s:1 ") != NULL, _i);
	qemu_debug_disarm(guest.debug, 0);
	ck_assert_int_eq(guest.n[0], 40);
	ck_assert_uint_eq(fake_stub_blunders(guest.stub), 0);
	ck_assert(fake_stub_runs(guest.stub));
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
	qemu_debug_disarm(guest.debug, 0);
	ck_assert_int_eq(guest.n[0], 10);
	ck_assert_int_eq(guest.n_lost, 0);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	ck_assert(fake_stub_runs(guest.stub));
	ck_assert_uint_eq(fake_stub_blunders(guest.stub), 0);
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
	qemu_debug_disarm(guest.debug, 1);
	ck_assert(qemu_debug_is_on(guest.debug));
	qemu_debug_disarm(guest.debug, 0);
	ck_assert_int_eq(guest.n_lost, 0);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	ck_assert_uint_eq(fake_stub_blunders(guest.stub), 0);
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
	for (int i = 0; i < 5000 && fake_stub_points(guest.stub); i++)
		g_usleep(1000);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
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

START_TEST(a_stub_that_does_not_come_leaves_a_guest_that_runs)
{
	const FakeQemu qemu = { .session = RUNS NOBODY STARTS "qmp cont\n\t{}\n" };
	const FakeStub how = { 0 };
	Guest guest;

	setup(&guest, &qemu, &how);
	ck_assert(!qemu_debug_arm(guest.debug, &tcg, 0, &exec_point, NULL, NULL));
	g_usleep(300 * 1000);
	has_heard(&guest, COME GONE "cont ");
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
	qemu_debug_disarm(guest.debug, 0);
	g_usleep(500 * 1000);
	ck_assert_uint_eq(fake_stub_blunders(guest.stub), 0);
	ck_assert(fake_stub_runs(guest.stub));
	teardown(&guest);
}
END_TEST

START_TEST(a_stub_of_somebody_else_s_is_left_to_them)
{
	const FakeQemu qemu = { .session = RUNS SOMEBODY STARTS };
	const FakeStub how = { 0 };
	g_autoptr(GError) error = NULL;
	VmifsStopCaps caps;
	Guest guest;

	setup(&guest, &qemu, &how);
	qemu_debug_caps(guest.debug, &tcg, &caps, NULL);
	ck_assert_ptr_nonnull(strstr(caps.why_not, "another debugger"));
	ck_assert(!qemu_debug_arm(guest.debug, &tcg, 0, &exec_point, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	has_heard(&guest, "query-chardev query-chardev ");
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
	qemu_debug_disarm(guest.debug, 0);
	qemu_debug_disarm(guest.debug, 1);
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
another_vmifs(int from, gboolean pauses)
{
	Guest guest = { 0 };
	const QemuDebugUser user = {
		.user = &guest, .stopped = stopped, .unarmed = unarmed, .turned = turned
	};
	char address[256] = "";
	pid_t pid = fork();

	if (pid)
		return pid;
	if (read(from, address, sizeof(address) - 1) > 0) {
		QemuMonitor *monitor = qemu_qmp_new(address, FALSE, NULL);
		QemuDebug *debug = qemu_debug_new(monitor, &user);
		qemu_debug_arm(debug, &tcg, 0, &exec_point, NULL, NULL);
		if (pauses)
			qemu_debug_set_state(debug, VMIFS_STATE_PAUSED, NULL, NULL);
		pause();
	}
	_exit(1);
}

/* Whatever vmifs was about: nothing is left, and the guest is as it was. */
START_TEST(killed_it_leaves_no_point_and_a_guest_that_runs)
{
	const FakeStub how = { .hits = 1000000 };
	int status, to[2];
	Guest guest;

	ck_assert_int_eq(pipe(to), 0);
	pid_t vmifs = another_vmifs(to[0], _i % 2);
	setup(&guest, &willing, &how);
	const char *address = fake_qemu_address(guest.server);
	ck_assert_int_eq(write(to[1], address, strlen(address)), (int) strlen(address));
	for (int i = 0; i < 10000 && !fake_stub_points(guest.stub); i++)
		g_usleep(1000);
	g_usleep((gulong) (40 + 7 * _i) * 1000);
	kill(vmifs, SIGKILL);
	ck_assert_int_eq(waitpid(vmifs, &status, 0), vmifs);
	ck_assert(WIFSIGNALED(status));
	for (int i = 0; i < 500; i++) {
		g_autofree char *heard = fake_qemu_heard(guest.server);
		if (g_str_equal(heard, COME GONE))
			break;
		g_usleep(10 * 1000);
	}
	has_heard(&guest, COME GONE);
	ck_assert_uint_eq(fake_stub_points(guest.stub), 0);
	ck_assert_int_eq(fake_stub_runs(guest.stub), _i % 2 == 0);
	close(to[0]);
	close(to[1]);
	teardown(&guest);
}
END_TEST

/* Before there is a stub, which would let it run. */
START_TEST(killed_as_it_comes_it_leaves_a_guest_that_runs)
{
	const FakeQemu qemu = { .session = RUNS RESTS NOBODY STARTS "qmp cont\n\t{}\n",
				.answer_ms = 100 };
	const FakeStub how = { 0 };
	g_autofree char *heard = g_strdup("");
	int status, to[2];
	Guest guest;

	ck_assert_int_eq(pipe(to), 0);
	pid_t vmifs = another_vmifs(to[0], FALSE);
	setup(&guest, &qemu, &how);
	const char *address = fake_qemu_address(guest.server);
	ck_assert_int_eq(write(to[1], address, strlen(address)), (int) strlen(address));
	for (int i = 0; i < 10000 && !strstr(heard, "chardev-add "); i++) {
		g_usleep(1000);
		g_free(heard);
		heard = fake_qemu_heard(guest.server);
	}
	kill(vmifs, SIGKILL);
	ck_assert_int_eq(waitpid(vmifs, &status, 0), vmifs);
	for (int i = 0; i < 500 && !g_str_has_suffix(heard, GONE "cont "); i++) {
		g_usleep(10 * 1000);
		g_free(heard);
		heard = fake_qemu_heard(guest.server);
	}
	ck_assert_msg(g_str_has_suffix(heard, GONE "cont "), "%s", heard);
	close(to[0]);
	close(to[1]);
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
	tcase_add_test(tcase, a_point_that_two_have_is_set_once);
	tcase_add_test(tcase, points_are_set_again_for_a_vCPU_that_has_come);
	tcase_add_loop_test(tcase, who_does_not_want_it_any_more_has_no_point, 0, 2);
	tcase_add_test(tcase, what_is_armed_while_it_stops_all_the_time_loses_nothing);
	tcase_add_loop_test(tcase, what_KVM_does_not_take_is_refused, 0, 2);
	tcase_add_loop_test(tcase, a_pause_of_somebody_else_s_is_left_and_seen, 0, 2);
	tcase_add_test(tcase, who_lets_it_run_on_is_noticed);
	tcase_add_test(tcase, a_pause_of_ours_goes_through_it);
	tcase_add_test(tcase, a_step_that_does_not_end_is_given_up);
	tcase_add_loop_test(tcase, whose_stub_is_lost_hears_of_it, 0, G_N_ELEMENTS(losses));
	tcase_add_loop_test(tcase, past_what_does_nothing_no_step_is_made, 0, 2);
	tcase_add_loop_test(tcase, what_a_debugger_before_has_left_holds_nobody_up, 0, 2);
	tcase_add_loop_test(
		tcase, an_interrupt_that_is_always_pending_does_not_keep_it_from_going_on, 0, 2);
	tcase_add_test(tcase, whoever_takes_no_point_away_is_left);
	tcase_add_test(tcase, stops_without_end_do_not_keep_it_from_ending);
	tcase_add_test(tcase, a_stub_that_does_not_come_leaves_a_guest_that_runs);
	tcase_add_test(tcase, killed_as_it_comes_it_leaves_a_guest_that_runs);
	tcase_add_test(tcase, who_was_let_go_of_is_not_told_so_again);
	tcase_add_test(tcase, a_stub_of_somebody_else_s_is_left_to_them);
	tcase_add_test(tcase, whenever_it_comes_or_goes_its_visits_are_others);
	tcase_add_loop_test(tcase, killed_it_leaves_no_point_and_a_guest_that_runs, 0, 6);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(debug_suite)
