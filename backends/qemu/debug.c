/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * debug: see the header. The thread's turn:
 *
 *   orders -> stops that came are told -> the guest stands -> each order is carried out
 *     -> the guest runs on, or the stub is closed with the last point -> who gave them may go on
 */
#include "debug.h"

#include "orders.h"
#include "others.h"
#include "stops.h"

#include <poll.h>
#include <vmifs/error.h>

/* libvirt passes each stop on to everybody who listens to it, and writes down that it was one. */
#define LIBVIRT_RATE 200
/* Stops between two looks at what is ordered: who has no end of them may be of ill will. */
#define MAX_STOPS 64
/* The same, for stops that take long: a step may not end by itself. */
#define STOPS_PATIENCE G_TIME_SPAN_SECOND
/* For its answers to orders, of which the next may be given as soon as one is done: so long for
 * each, a part of the time in between, and this at once. */
#define ANSWERS_PATIENCE (5 * G_TIME_SPAN_SECOND)
#define ANSWERS_EACH (100 * G_TIME_SPAN_MILLISECOND)
#define ANSWERS_PART 8
/* A guardian that ends sooner than its predecessor is not replaced. */
#define GUARDED_US G_USEC_PER_SEC

struct QemuDebug {
	QemuMonitor *monitor;
	QemuDebugUser user;
	QemuOrders orders;
	gint is_on, stands; /* atomic */
	gint n_visits;      /* atomic; odd while it comes; another whenever it has come or gone */
	/* The thread's own. */
	QemuStops stops;
	gint64 owed, owed_at;  /* what answers took too long, and as of when */
	guint n_vcpus;         /* as of who came last */
	gboolean runs;         /* it was let run on */
	QemuOthers others;     /* that it stands for */
	gboolean is_unguarded; /* the guardian has ended */
	gint64 guarded_at;     /* as of when there is another one */
};

/* ---- losing it ---- */

/* The stub was ended, and the points are still there, of each vCPU: they go with another one. */
static void
clean_up(QemuDebug *self, const VmifsCall *call)
{
	QemuSession *session = &self->stops.session, next;

	if (qemu_session_open(&next, self->monitor, self->n_vcpus, call, NULL)) {
		next.is_paused = session->is_paused;
		next.has_stepped = session->has_stepped;
		qemu_session_note(&next, session->stands);
		qemu_session_close(&next, NULL);
	}
	qemu_session_forget(session);
}

/* (static) Why, after the stub hung up. */
static const char *
follow_hangup(QemuDebug *self)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + QEMU_PATIENCE };
	g_autoptr(GError) error = NULL;

	if (qemu_stub_is_free(self->monitor, &call, &error)) {
		clean_up(self, &call);
		return "QEMU's gdbstub was ended by somebody else";
	}
	if (g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED)) {
		qemu_session_forget(&self->stops.session);
		return "another debugger has taken QEMU's gdbstub";
	}
	qemu_session_abandon(&self->stops.session);
	return "QEMU's gdbstub has hung up";
}

static void
turn(QemuDebug *self)
{
	gint stands = g_atomic_int_get(&self->is_on) && self->stops.session.stands;

	if (g_atomic_int_exchange(&self->stands, stands) != stands && self->user.turned)
		self->user.turned(self->user.user);
}

/* There is no session any more. */
static void
leave(QemuDebug *self)
{
	g_atomic_int_set(&self->is_on, FALSE);
	g_atomic_int_add(&self->n_visits, 2);
	turn(self);
}

static void
lose(QemuDebug *self, const GError *problem)
{
	const char *why = problem->message;

	/* Nobody else would take the points away. */
	if (self->is_unguarded)
		qemu_session_close(&self->stops.session, NULL);
	else if (g_error_matches(problem, VMIFS_ERROR, VMIFS_ERROR_IO))
		why = follow_hangup(self);
	else
		qemu_session_abandon(&self->stops.session);
	g_autoptr(GArray) points = qemu_stops_forget(&self->stops);
	self->is_unguarded = FALSE;
	leave(self);
	for (guint i = 0; i < points->len && self->user.unarmed; i++)
		self->user.unarmed(self->user.user, qemu_points_at(points, i)->id, why);
}

/* ---- stops ---- */

static gboolean
handle(QemuDebug *self, const QemuGdbStop *stop, GError **error)
{
	gboolean is_own = stop->signal == QEMU_GDB_TRAP;

	self->runs = self->stops.skips = FALSE;
	qemu_session_note(&self->stops.session, !is_own);
	self->stops.session.is_paused = stop->signal == QEMU_GDB_INT;
	self->stops.session.is_at_point = FALSE;
	turn(self);
	return !is_own || qemu_stops_handle(&self->stops, stop, error);
}

/* All that came. */
static gboolean
handle_all(QemuDebug *self, GError **error)
{
	gint64 end = g_get_monotonic_time() + STOPS_PATIENCE;
	GError *problem = NULL;
	QemuGdbStop stop;

	for (guint i = 0; i < MAX_STOPS && g_get_monotonic_time() < end && !problem &&
			  qemu_stops_next(&self->stops, &stop, &problem);
	     i++)
		handle(self, &stop, &problem);
	if (!problem)
		return TRUE;
	g_propagate_error(error, problem);
	return FALSE;
}

/* ---- orders ---- */

static gboolean
come(QemuDebug *self, guint n_vcpus, GError **error)
{
	if (g_atomic_int_get(&self->is_on))
		return TRUE;
	g_atomic_int_inc(&self->n_visits);
	gboolean good =
		qemu_session_open(&self->stops.session, self->monitor, n_vcpus, NULL, error);
	self->runs &= !good;
	self->owed = 0;
	g_atomic_int_set(&self->is_on, good);
	g_atomic_int_inc(&self->n_visits);
	turn(self);
	return good;
}

static gboolean
arm_one(QemuDebug *self, const QemuOrder *order, const QemuPoint *wanted, GError **error)
{
	QemuPoint point = *wanted;

	self->stops.may_dash = g_strcmp0(order->accel, "tcg") == 0;
	self->stops.n_vcpus = order->n_vcpus;
	/* Of a guest that KVM runs alone anything is written for it. */
	point.point.patch &= g_strcmp0(order->accel, "tcg") != 0;
	if (!qemu_points_fit(self->stops.points, order->accel, &point.point, error) ||
	    !come(self, order->n_vcpus, error))
		return FALSE;
	if (!qemu_points_have(self->stops.points, &point.point) &&
	    !qemu_session_insert(&self->stops.session, &point.point, error))
		return FALSE;
	g_array_append_val(self->stops.points, point);
	return TRUE;
}

static void
set_state(QemuDebug *self, VmifsState wanted)
{
	gboolean stands = wanted == VMIFS_STATE_PAUSED;

	self->stops.session.is_paused = TRUE;
	/* It may have stopped there for us just now, and nobody has let it run since. */
	self->stops.session.is_at_point = stands && qemu_others_is_at_point(self->monitor);
	qemu_session_note(&self->stops.session, stands);
}

static gboolean
disarm(QemuDebug *self, const QemuOrder *order, GError **error)
{
	gboolean all = order->deed == QEMU_ORDER_DISARM_ALL;

	for (guint i = self->stops.points->len; i-- > 0;)
		if ((all || qemu_points_have_id(order->points,
						qemu_points_at(self->stops.points, i)->id)) &&
		    !qemu_stops_remove(&self->stops, i, error))
			return FALSE;
	return TRUE;
}

/* All, or none. */
static gboolean
arm(QemuDebug *self, QemuOrder *order, GError **error)
{
	g_autoptr(GError) problem = NULL, late = NULL;

	for (guint i = 0; i < order->points->len && !problem; i++) {
		order->failed = i;
		arm_one(self, order, qemu_points_at(order->points, i), &problem);
	}
	if (!problem)
		return TRUE;
	/* Else it is lost anyway. */
	if (g_error_matches(problem, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED) &&
	    !disarm(self, order, &late))
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, late->message);
	else
		g_propagate_error(error, g_steal_pointer(&problem));
	return FALSE;
}

/* FALSE: the session is lost. */
static gboolean
carry_out(QemuDebug *self, QemuOrder *order, GError **error)
{
	GError *problem = NULL;

	order->is_idle = !g_atomic_int_get(&self->is_on);
	if (order->n_vcpus)
		self->n_vcpus = order->n_vcpus;
	if (order->deed == QEMU_ORDER_ARM)
		arm(self, order, &problem);
	else if (order->deed == QEMU_ORDER_DISARM || order->deed == QEMU_ORDER_DISARM_ALL)
		disarm(self, order, &problem);
	else if (order->deed == QEMU_ORDER_SET_STATE && !order->is_idle)
		set_state(self, order->wanted);
	else if (order->deed == QEMU_ORDER_RENEW && !order->is_idle)
		qemu_stops_renew(&self->stops, order->n_vcpus, &problem);
	turn(self);
	if (!problem)
		return TRUE;
	/* What cannot be set is not there; what cannot be taken away is. */
	gboolean is_lost = g_atomic_int_get(&self->is_on) &&
			   (order->deed != QEMU_ORDER_ARM ||
			    !g_error_matches(problem, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	if (is_lost)
		g_propagate_error(error, g_error_copy(problem));
	order->error = problem;
	return !is_lost;
}

static gboolean
stand_still(QemuDebug *self, GError **error)
{
	if (!g_atomic_int_get(&self->is_on))
		return TRUE;
	/* A stop of somebody else's is not to be taken for ours. */
	if (!handle_all(self, error))
		return FALSE;
	if (self->runs && !qemu_session_halt(&self->stops.session, error))
		return FALSE;
	/* That was for the orders: who gives them counts it. */
	self->stops.session.n_stops -= self->runs && self->stops.session.n_stops;
	self->runs = FALSE;
	return handle_all(self, error);
}

static gboolean
look_after_others(QemuDebug *self, GError **error)
{
	if (!g_atomic_int_get(&self->is_on) || !self->stops.session.stands) {
		qemu_others_forget(&self->others);
		return TRUE;
	}
	if (!qemu_others_let_it_run(&self->others, self->stops.session.is_at_point, self->monitor))
		return TRUE;
	/* What it told of itself has come by now. */
	if (!stand_still(self, error))
		return FALSE;
	qemu_session_note(&self->stops.session, FALSE);
	turn(self);
	qemu_others_forget(&self->others);
	return TRUE;
}

static gboolean
go_on(QemuDebug *self, GError **error)
{
	if (!g_atomic_int_get(&self->is_on))
		return TRUE;
	if (!self->stops.points->len) {
		qemu_session_close(&self->stops.session, NULL);
		leave(self);
		return TRUE;
	}
	if (self->runs || qemu_stops_has_more(&self->stops))
		return TRUE;
	self->runs = TRUE;
	return qemu_stops_go(&self->stops, error);
}

/* Else many orders would keep who gives them waiting for as long as it likes. */
static gboolean
bear(QemuDebug *self, gint64 waited, GError **error)
{
	gint64 now = g_get_monotonic_time();

	self->owed -= (now - self->owed_at) / ANSWERS_PART + ANSWERS_EACH - waited;
	self->owed = MAX(self->owed, 0);
	self->owed_at = now;
	if (self->owed <= ANSWERS_PATIENCE)
		return TRUE;
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT,
			    "gdbstub: it takes too long to answer");
	return FALSE;
}

static gboolean
serve(QemuDebug *self, GQueue *orders, GError **error)
{
	gint64 before = self->stops.session.gdb.waited;
	gboolean was_on = g_atomic_int_get(&self->is_on);
	gboolean good = stand_still(self, error);

	for (const GList *each = orders->head; each && good; each = each->next)
		good = carry_out(self, each->data, error);
	return good && (!was_on || bear(self, self->stops.session.gdb.waited - before, error));
}

/* Whoever is killed with it, as all of one name are, would leave the points in the guest. */
static gboolean
keep_guarded(QemuDebug *self, GError **error)
{
	gint64 now = g_get_monotonic_time();

	if (!self->is_unguarded)
		return TRUE;
	if (self->guarded_at && now - self->guarded_at < GUARDED_US) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "nobody could let the guest run if vmifs ended: guardians are "
				    "killed");
		return FALSE;
	}
	if (!qemu_session_guard_anew(&self->stops.session, error))
		return FALSE;
	self->is_unguarded = FALSE;
	self->guarded_at = now;
	return TRUE;
}

/* ---- the thread ---- */

static void
wait(QemuDebug *self)
{
	const QemuSession *session = &self->stops.session;
	struct pollfd fds[] = { { .fd = self->orders.bell, .events = POLLIN },
				{ .fd = session->stub.fd, .events = POLLIN },
				{ .fd = session->stub.guard } };

	if (g_atomic_int_get(&self->is_on) && qemu_stops_has_more(&self->stops))
		return;
	qemu_stops_rest(&self->stops, self->monitor);
	if (!g_atomic_int_get(&self->is_on))
		return;
	poll(fds, G_N_ELEMENTS(fds), session->stands ? QEMU_OTHERS_MS : -1);
	if (fds[0].revents)
		qemu_orders_hear(&self->orders);
	self->is_unguarded = fds[2].revents != 0;
}

static gpointer
run(gpointer data)
{
	QemuDebug *self = data;
	GQueue orders;

	while (qemu_orders_take(&self->orders, g_atomic_int_get(&self->is_on), &orders)) {
		g_autoptr(GError) problem = NULL;
		self->stops.session.end = g_get_monotonic_time() + QEMU_SESSION_PATIENCE;
		gboolean good = keep_guarded(self, &problem);
		if (good)
			good = orders.length ? serve(self, &orders, &problem)
					     : handle_all(self, &problem);
		if (good)
			good = look_after_others(self, &problem) && go_on(self, &problem);
		if (!good)
			lose(self, problem);
		/* What was not carried out has failed with it. */
		for (const GList *each = orders.head; each && !good; each = each->next) {
			QemuOrder *order = each->data;
			if (!order->error)
				order->error = g_error_copy(problem);
		}
		qemu_orders_done(&self->orders, &orders);
		wait(self);
	}
	return NULL;
}

/* ---- who gives orders ---- */

gboolean
qemu_debug_arm(QemuDebug *self, const QemuDebugGuest *guest, guint64 id,
	       const VmifsStopPoint *points, guint n, guint *ret_failed, const VmifsCall *call,
	       GError **error)
{
	g_autoptr(QemuOrder) order = qemu_order_new(QEMU_ORDER_ARM);

	*ret_failed = 0;
	for (guint i = 0; i < n; i++) {
		QemuPoint point = { .id = id + i, .point = points[i] };
		g_array_append_val(order->points, point);
	}
	order->accel = guest->accel;
	order->n_vcpus = guest->n_vcpus;
	if (qemu_orders_give(&self->orders, order, call, error))
		return TRUE;
	if (!order->is_left)
		*ret_failed = order->failed;
	return FALSE;
}

/* As long as it takes, which the thread limits. */
void
qemu_debug_disarm(QemuDebug *self, const guint64 *ids, guint n)
{
	g_autoptr(QemuOrder) order = qemu_order_new(QEMU_ORDER_DISARM);

	for (guint i = 0; i < n; i++) {
		QemuPoint point = { .id = ids[i] };
		g_array_append_val(order->points, point);
	}
	qemu_orders_give(&self->orders, order, NULL, NULL);
}

void
qemu_debug_renew(QemuDebug *self, const QemuDebugGuest *guest)
{
	g_autoptr(QemuOrder) order = qemu_order_new(QEMU_ORDER_RENEW);

	order->n_vcpus = guest->n_vcpus;
	qemu_orders_give(&self->orders, order, NULL, NULL);
}

gboolean
qemu_debug_set_state(QemuDebug *self, VmifsState wanted, const VmifsCall *call, GError **error)
{
	g_autoptr(QemuOrder) order = qemu_order_new(QEMU_ORDER_SET_STATE);

	order->wanted = wanted;
	return qemu_orders_give(&self->orders, order, call, error) && !order->is_idle;
}

gboolean
qemu_debug_is_on(QemuDebug *self)
{
	return g_atomic_int_get(&self->is_on);
}

gboolean
qemu_debug_is_settled(QemuDebug *self, guint *ret_visits)
{
	*ret_visits = (guint) g_atomic_int_get(&self->n_visits);
	return *ret_visits % 2 == 0;
}

/* A breakpoint is "debug", and a byte of ours makes it "paused". */
gboolean
qemu_debug_is_own(QemuDebug *self, const char *word)
{
	return qemu_debug_is_on(self) && !g_atomic_int_get(&self->stands) &&
	       (g_str_equal(word, "debug") || g_str_equal(word, "paused"));
}

void
qemu_debug_caps(QemuDebug *self, const QemuDebugGuest *guest, VmifsStopCaps *ret,
		const VmifsCall *call)
{
	g_autoptr(GError) error = NULL;

	qemu_points_caps(guest->accel, ret);
	if (g_str_equal(self->monitor->ops->name, "libvirt"))
		ret->max_rate = LIBVIRT_RATE;
	if (qemu_debug_is_on(self) || qemu_stub_is_free(self->monitor, call, &error))
		return;
	ret->why_not = g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED)
			       ? "another debugger, or another vmifs, has QEMU's gdbstub"
			       : "QEMU's monitor does not answer";
}

QemuDebug *
qemu_debug_new(QemuMonitor *monitor, const QemuDebugUser *user)
{
	QemuDebug *self = g_new0(QemuDebug, 1);

	self->monitor = monitor;
	self->user = *user;
	qemu_stops_init(&self->stops, user->stopped, user->user);
	qemu_orders_init(&self->orders, run, self);
	self->stops.bell = self->orders.bell;
	return self;
}

void
qemu_debug_free(QemuDebug *self)
{
	if (!self)
		return;
	g_autoptr(QemuOrder) order = qemu_order_new(QEMU_ORDER_DISARM_ALL);
	qemu_orders_give(&self->orders, order, NULL, NULL);
	qemu_orders_clear(&self->orders);
	qemu_stops_clear(&self->stops);
	g_free(self);
}
