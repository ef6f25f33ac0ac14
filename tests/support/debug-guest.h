/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* debug-guest: a guest that is not there, with a stub as particular as QEMU's, and who has points.
 */
#pragma once

#include <backends/qemu/debug.h>
#include <backends/qemu/qmp.h>

#include <fake-stub.h>
#include <string.h>
#include <vmifs/error.h>

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
	gint all_after;              /* so many stops of the guest; 0 = never */
	gint n_stops;                /* atomic; of the guest, that were told */
	guint64 rips[8];
	gint vcpu;
} Guest;

static inline VmifsStopVerdict
stopped(gpointer user, const VmifsStop *stop)
{
	Guest *guest = user;
	guint64 rip = 0;

	if (stop->id == VMIFS_STOP_COMES)
		return VMIFS_STOP_KEEP;
	ck_assert(vmifs_regs_get(stop->regs, "rip", &rip) ||
		  vmifs_regs_get(stop->regs, "pc", &rip));
	gint n_stops = g_atomic_int_add(&guest->n_stops, (gint) stop->n_stops);
	gboolean is_last = guest->all_after && n_stops + (gint) stop->n_stops >= guest->all_after;
	if (stop->id == VMIFS_STOP_NOWHERE)
		return VMIFS_STOP_KEEP;
	guest->rips[stop->id] = rip;
	gint n = g_atomic_int_add(&guest->n[stop->id], 1) + 1;
	if (is_last)
		return VMIFS_STOP_DISARM_ALL;
	return stop->id || !guest->refuse_after || n < guest->refuse_after ? VMIFS_STOP_KEEP
									   : VMIFS_STOP_DISARM;
}

static inline void
unarmed(gpointer user, guint64 id, const char *why)
{
	Guest *guest = user;

	ck_assert_ptr_nonnull(why);
	g_atomic_int_inc(&guest->n_lost);
}

static inline void
turned(gpointer user)
{
	g_atomic_int_inc(&((Guest *) user)->n_turned);
}

static const FakeQemu willing = { .session = RUNS RESTS NOBODY STARTS };
static const QemuDebugGuest tcg = { .accel = "tcg", .n_vcpus = 1 };
static const QemuDebugGuest tcg_of_two = { .accel = "tcg", .n_vcpus = 2 };
static const VmifsStopPoint first_steps = { .kind = VMIFS_STOP_STEP };
static const VmifsStopPoint exec_point = { .kind = VMIFS_STOP_EXEC, .address = 0x1000 };
static const VmifsStopPoint kernel_point = { .kind = VMIFS_STOP_EXEC,
					     .address = 0xffffffff81000000 };
static const VmifsStopPoint write_point = { .kind = VMIFS_STOP_WRITE, .address = 0x2000, .len = 8 };

static inline void
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

static inline void
teardown(Guest *guest)
{
	qemu_debug_free(guest->debug);
	fake_stub_stop(guest->stub);
	qemu_monitor_free(guest->monitor);
	fake_qemu_stop(guest->server);
}

static inline void
arm_as(Guest *guest, const QemuDebugGuest *as, guint64 id, const VmifsStopPoint *point)
{
	g_autoptr(GError) error = NULL;
	guint failed;

	ck_assert_msg(qemu_debug_arm(guest->debug, as, id, point, 1, &failed, NULL, &error), "%s",
		      error ? error->message : "");
}

static inline void
arm(Guest *guest, guint64 id, const VmifsStopPoint *point)
{
	arm_as(guest, &tcg, id, point);
}

static inline void
disarm(Guest *guest, guint64 id)
{
	qemu_debug_disarm(guest->debug, &id, 1);
}

static inline void
wait_for(gint *count, gint wanted)
{
	for (int i = 0; i < 10000 && g_atomic_int_get(count) < wanted; i++)
		g_usleep(1000);
	ck_assert_int_ge(g_atomic_int_get(count), wanted);
}

/* To the first two. */
static inline void
wait_for_both(const Guest *guest, gint wanted)
{
	gint n = 0;

	for (int i = 0; i < 10000 && n < wanted; i++) {
		g_usleep(1000);
		n = g_atomic_int_get(&guest->n[0]) + g_atomic_int_get(&guest->n[1]);
	}
	ck_assert_int_eq(n, wanted);
}

static inline void
wait_for_points(const Guest *guest, guint wanted)
{
	guint n = fake_stub_points(guest->stub);

	for (int i = 0; i < 10000 && n != wanted; i++) {
		g_usleep(1000);
		n = fake_stub_points(guest->stub);
	}
	ck_assert_uint_eq(n, wanted);
}

static inline void
wait_for_running(const Guest *guest)
{
	for (int i = 0; i < 5000 && !fake_stub_runs(guest->stub); i++)
		g_usleep(1000);
	ck_assert(fake_stub_runs(guest->stub));
}

/* No point, no step, a guest that runs, and nothing that QEMU's stub would not have liked. */
static inline void
nothing_is_left(const Guest *guest)
{
	ck_assert_uint_eq(fake_stub_points(guest->stub), 0);
	ck_assert_uint_eq(fake_stub_steps(guest->stub), 0);
	ck_assert_uint_eq(fake_stub_blunders(guest->stub), 0);
	ck_assert(fake_stub_runs(guest->stub));
}
