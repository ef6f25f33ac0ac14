/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session-dash: from one breakpoint to the next without QEMU forgetting what it has translated.
 *
 * As a QEMU before 10.2 tells of a stop at a breakpoint it drops all that TCG has translated of the
 * guest, which takes longer to be made again than the stop itself. Of a guest that is detached the
 * stub tells nothing, and drops nothing; but the points that it is given then stay. So:
 *
 *   P the place | D lets go, of the points too | a byte stops it, before it executes anything
 *     | Z points | c lets it run -> the monitor tells of a stop -> vAttach -> where each vCPU
 * stands
 *
 * QEMU takes all up to "c" in one go, and no vCPU runs as long as it does. Who stands at a point is
 * as good as stopped there: it would be as soon as it went on.
 *
 * While it is detached nothing may be said to the stub but bytes that stop the guest, "Z" of
 * breakpoints, "c" without an address, and "vAttach": most of what else there is asks for the
 * current vCPU, of which there is none, and QEMU does not survive that. Nor may there be
 * watchpoints: QEMU would take one away at which it has stopped, and look at it later. With KVM it
 * does not survive "Z" either.
 */
#include "session.h"
#include "status.h"

#include <poll.h>
#include <string.h>
#include <vmifs/error.h>

/* QEMU 7.2 and 10.0 were looked at; from 10.2 on nothing is dropped. */
#define FROM_VERSION 700
#define TO_VERSION 1002
/* The guest stands still until the monitor has greeted. */
#define GREETING_US (10 * G_TIME_SPAN_MILLISECOND)
/* Others wait for the monitor as long as that. */
#define LENGTH_US (50 * G_TIME_SPAN_MILLISECOND)
/* Whatever it is doing, it listens then, and stands still; there may be an answer that nobody has
 * confirmed. */
#define ATTACH "\x03+\x03+$vAttach;1#37"

/* ---- back from it ---- */

/* That it stands is no news. Some do not tell. */
static void
drop_stops(QemuGdb *gdb, guint n_before)
{
	while (gdb->stops.length > n_before)
		g_byte_array_unref(g_queue_pop_tail(&gdb->stops));
}

gboolean
qemu_session_attach(QemuSession *session, GError **error)
{
	QemuGdb *gdb = &session->gdb;
	guint n_before = gdb->stops.length;

	qemu_session_be_patient(session);
	if (!qemu_gdb_send(gdb, ATTACH "$qC#b4", strlen(ATTACH "$qC#b4"), error))
		return FALSE;
	session->is_detached = FALSE;
	g_autoptr(GByteArray) answer = qemu_gdb_answer(gdb, error);
	drop_stops(gdb, n_before);
	return answer != NULL;
}

/* ---- there ---- */

static gboolean
start(QemuSession *session, const QemuDash *dash, GError **error)
{
	const QemuGdbReg *reg = qemu_gdb_target_pc(&session->target);
	g_autofree char *choose = g_strdup_printf("Hg%x", dash->vcpu + 1);
	g_autofree char *place = g_strdup_printf("P%x=%016" G_GINT64_MODIFIER "x", reg->number,
						 GUINT64_SWAP_LE_BE(dash->pc));
	g_autoptr(GString) text = g_string_new(NULL);

	qemu_gdb_wrap(text, choose);
	qemu_gdb_wrap(text, place);
	qemu_gdb_wrap(text, "D");
	g_string_append_c(text, '$');
	for (guint i = 0; i < dash->n_points; i++)
		qemu_session_wrap_point(text, 'Z', dash->points[i]);
	qemu_gdb_wrap(text, "c");
	qemu_session_be_patient(session);
	session->is_detached = TRUE;
	session->n_stops += 2;
	return qemu_gdb_send(&session->gdb, text->str, text->len, error);
}

/* Until the guest has stopped, as far as the monitor tells, or the moment is over. It tells of
 * RESUME, STOP by that byte, RESUME, and of the STOP that is waited for. */
static gboolean
wait_for_stop(QemuMonitor *monitor, int door, const int *bells)
{
	gint64 end = g_get_monotonic_time() + LENGTH_US;
	struct pollfd fds[] = { { .fd = door, .events = POLLIN },
				{ .fd = bells[0], .events = POLLIN },
				{ .fd = bells[1] } };
	guint n_resumes = 0;

	for (;;) {
		g_autoptr(GError) problem = NULL;
		g_autofree char *event = monitor->ops->hear(monitor, &problem);
		gint64 left = end - g_get_monotonic_time();
		if (problem || left <= 0)
			return FALSE;
		n_resumes += event && g_str_equal(event, "RESUME");
		if (event && n_resumes >= 2 && g_str_equal(event, "STOP"))
			return TRUE;
		if (event)
			continue;
		poll(fds, G_N_ELEMENTS(fds), (int) (left / 1000) + 1);
		if (fds[1].revents || fds[2].revents)
			return FALSE;
	}
}

/* ---- where it stands ---- */

static gboolean
is_at(const QemuDash *dash, guint64 pc)
{
	for (guint i = 0; i < dash->n_points; i++)
		if (dash->points[i]->address == pc)
			return TRUE;
	return FALSE;
}

static gboolean
choose(QemuSession *session, guint vcpu, GError **error)
{
	g_autofree char *packet = g_strdup_printf("Hg%x", vcpu + 1);
	g_autoptr(GString) text = g_string_new(NULL);

	qemu_gdb_wrap(text, packet);
	return qemu_gdb_send(&session->gdb, text->str, text->len, error) &&
	       qemu_session_expect_ok(session, "it knows no such vCPU", error);
}

static void
wrap_places(GString *out, const QemuGdbReg *reg, guint n_vcpus)
{
	g_autofree char *ask = g_strdup_printf("p%x", reg->number);

	for (guint i = n_vcpus; i-- > 0;) {
		g_autofree char *packet = g_strdup_printf("Hg%x", i + 1);
		qemu_gdb_wrap(out, packet);
		qemu_gdb_wrap(out, ask);
	}
}

/* *ret: n_vcpus if none stands at a point. */
static gboolean
hear_places(QemuSession *session, const QemuDash *dash, guint *ret, GError **error)
{
	const QemuGdbReg *reg = qemu_gdb_target_pc(&session->target);

	*ret = dash->n_vcpus;
	for (guint i = dash->n_vcpus; i-- > 0;) {
		g_autoptr(GByteArray) chosen = qemu_gdb_answer(&session->gdb, error);
		g_autoptr(GByteArray) value = chosen ? qemu_gdb_answer(&session->gdb, error) : NULL;
		guint64 pc;
		if (!value)
			return FALSE;
		/* Else it is another one's. */
		if (g_str_equal((const char *) chosen->data, "OK") &&
		    qemu_gdb_value_parse((const char *) value->data, value->len, reg->bits, &pc) &&
		    is_at(dash, pc))
			*ret = i;
	}
	return TRUE;
}

/* It has stopped, and not at a point of ours. */
static QemuGdbStop
ask_why(QemuMonitor *monitor)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + QEMU_PATIENCE };
	g_autofree char *word = NULL;
	VmifsState state;
	gboolean is_told = qemu_status_ask(monitor, &state, &word, &call, NULL);

	return (QemuGdbStop){ .signal = is_told && !g_str_equal(word, "debug") ? QEMU_GDB_INT
									       : QEMU_GDB_TRAP };
}

static gboolean
come_back(QemuSession *session, const QemuDash *dash, guint *ret, GError **error)
{
	QemuGdb *gdb = &session->gdb;
	g_autoptr(GString) text = g_string_new(ATTACH);
	guint n_before = gdb->stops.length;

	wrap_places(text, qemu_gdb_target_pc(&session->target), dash->n_vcpus);
	qemu_session_be_patient(session);
	if (!qemu_gdb_send(gdb, text->str, text->len, error))
		return FALSE;
	session->is_detached = FALSE;
	/* What was said at its start. */
	for (guint i = 0; i < 3 + dash->n_points; i++)
		if (!qemu_session_expect_ok(session, "it does not let go of the guest", error))
			return FALSE;
	if (!hear_places(session, dash, ret, error))
		return FALSE;
	drop_stops(gdb, n_before);
	return *ret == 0 || *ret == dash->n_vcpus || choose(session, *ret, error);
}

/* Somebody may have stopped it and let it run on since: then it is we who have stopped it. */
static gboolean
was_let_run(QemuMonitor *monitor)
{
	gint64 end = g_get_monotonic_time() + LENGTH_US;

	while (g_get_monotonic_time() < end) {
		g_autofree char *event = monitor->ops->hear(monitor, NULL);
		if (!event)
			return FALSE;
		if (g_str_equal(event, "RESUME"))
			return TRUE;
	}
	return FALSE;
}

int
qemu_session_may_dash(QemuSession *session)
{
	const QemuMonitorOps *ops = session->stub.monitor->ops;
	const QemuGdbReg *reg = qemu_gdb_target_pc(&session->target);
	guint version;

	if (!ops->stay || session->steps->len || session->has_stepped || session->stands || !reg ||
	    reg->bits != 64)
		return -1;
	int door = ops->stay(session->stub.monitor, g_get_monotonic_time() + GREETING_US, &version,
			     NULL);
	if (door < 0 || (version >= FROM_VERSION && version < TO_VERSION))
		return door;
	ops->leave(session->stub.monitor);
	ops->let_in(session->stub.monitor);
	return -1;
}

gboolean
qemu_session_dash(QemuSession *session, int door, const QemuDash *dash, QemuGdbStop *ret,
		  GError **error)
{
	QemuMonitor *monitor = session->stub.monitor;
	guint vcpu = dash->n_vcpus;
	gboolean good = start(session, dash, error), has_stopped;

	has_stopped = good && wait_for_stop(monitor, door, dash->bells);
	good = good && come_back(session, dash, &vcpu, error);
	has_stopped = good && has_stopped && !was_let_run(monitor);
	monitor->ops->leave(monitor);
	if (!good)
		return FALSE;
	*ret = (QemuGdbStop){ .signal = 0 };
	if (vcpu < dash->n_vcpus)
		*ret = (QemuGdbStop){ .signal = QEMU_GDB_TRAP, .vcpu = vcpu };
	else if (has_stopped)
		*ret = ask_why(monitor);
	return TRUE;
}
