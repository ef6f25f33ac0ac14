/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * debug: see the header. The thread's turn:
 *
 *   orders -> stops that came are told -> the guest stands -> each order is carried out
 *     -> the guest runs on, or the stub is closed with the last point -> who gave them may go on
 *   stop -> its registers -> who armed it is told -> past the instruction -> the guest runs on
 *
 * Past an instruction that does nothing, as most functions of a kernel begin with one, a vCPU gets
 * by going on behind it: a step takes as long as a stop does, others hear of it as well, and after
 * it QEMU translates anew what it has translated before.
 *
 * Points that are equal are set once. QEMU tells of one point alone that holds a byte, so that
 * those that share some bytes and are not equal are refused.
 */
#include "debug.h"

#include "points.h"
#include "session.h"
#include "status.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <vmifs/error.h>

/* Bytes of one, at most. */
#define MAX_INSTRUCTION 15
/* Of RFLAGS: the guest makes steps itself. */
#define FLAG_TRAP (1u << 8)
/* libvirt passes each stop on to everybody who listens to it, and writes down that it was one. */
#define LIBVIRT_RATE 200
/* Stops between two looks at what is ordered: who has no end of them may be of ill will. */
#define MAX_STOPS 64
/* A vCPU that stops as often in one place where we have no point is at somebody else's. */
#define MAX_STRANGE 3
/* Whether it still stands by somebody else's wish. */
#define LOOK_MS 500
#define LOOK_PATIENCE (500 * G_TIME_SPAN_MILLISECOND)

typedef enum { ARM, DISARM, DISARM_ALL, SET_STATE } Deed;

typedef struct {
	gatomicrefcount refs;
	Deed deed;
	QemuDebugGuest guest;
	guint64 id;
	VmifsStopPoint point;
	VmifsState wanted;
	gboolean is_done; /* (lock) */
	gboolean is_left; /* (lock) nobody waits for it any more */
	gboolean is_idle; /* (lock) of SET_STATE: there is no session */
	GError *error;    /* (lock) */
} Order;

struct QemuDebug {
	QemuMonitor *monitor;
	QemuDebugUser user;
	int bell;           /* an eventfd: there are orders */
	gint is_on, stands; /* atomic */
	gint n_visits;      /* atomic; odd while it comes; another whenever it has come or gone */
	GMutex lock;
	GCond moved;
	GQueue orders;     /* (lock) of Order */
	GThread *thread;   /* (lock) */
	gboolean is_alive; /* (lock) it takes orders */
	/* The thread's own. */
	QemuPoints *points;
	QemuSession session;
	gboolean runs; /* it was let run on */
	gboolean has_pending;
	QemuGdbStop pending; /* not handled yet */
	/* A vCPU stands where it was told of already: its step was not made. */
	gboolean is_told;
	guint told_vcpu;
	guint64 told_pc;
	/* It stopped there before, for no point of ours. */
	guint n_strange, strange_vcpu;
	guint64 strange_pc;
	QemuCode code; /* that was seen last */
	gboolean skips;
	guint64 from;     /* (skips) where the vCPU that was told of goes on */
	gint64 next_look; /* while it stands by somebody else's wish; 0 = it does not */
	char *stood_as;   /* (nullable) in QEMU's word, when that was asked first */
};

/* ---- points ---- */

static gboolean
remove_at(QemuDebug *self, guint i, GError **error)
{
	VmifsStopPoint point = qemu_points_at(self->points, i)->point;

	g_array_remove_index(self->points, i);
	self->skips = FALSE;
	return qemu_points_have(self->points, &point) ||
	       qemu_session_remove(&self->session, &point, error);
}

/* ---- losing it ---- */

/* (static) Why, after the stub hung up. */
static const char *
follow_hangup(QemuDebug *self)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + QEMU_PATIENCE };
	gboolean stands = self->session.stands;
	g_autoptr(GError) error = NULL;

	if (qemu_stub_is_free(self->monitor, &call, &error)) {
		/* It was ended, and the points are still there: they go with another one. */
		qemu_session_forget(&self->session);
		if (qemu_session_open(&self->session, self->monitor, 1, &call, NULL)) {
			qemu_session_note(&self->session, stands);
			qemu_session_close(&self->session, NULL);
		}
		return "QEMU's gdbstub was ended by somebody else";
	}
	if (g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED)) {
		qemu_session_forget(&self->session);
		return "another debugger has taken QEMU's gdbstub";
	}
	qemu_session_abandon(&self->session);
	return "QEMU's gdbstub has hung up";
}

static void
turn(QemuDebug *self)
{
	gint stands = g_atomic_int_get(&self->is_on) && self->session.stands;

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
	g_autoptr(GArray) points = g_steal_pointer(&self->points);
	const char *why = problem->message;

	self->points = qemu_points_new();
	if (g_error_matches(problem, VMIFS_ERROR, VMIFS_ERROR_IO))
		why = follow_hangup(self);
	else
		qemu_session_abandon(&self->session);
	self->has_pending = self->is_told = self->skips = FALSE;
	self->n_strange = 0;
	leave(self);
	for (guint i = 0; i < points->len && self->user.unarmed; i++)
		self->user.unarmed(self->user.user, qemu_points_at(points, i)->id, why);
}

/* ---- stops ---- */

static gint64
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (gint64) now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Of an instruction that was told of, and not carried out since. */
static gboolean
is_again(QemuDebug *self, const QemuGdbStop *stop, guint64 pc)
{
	gboolean is = self->is_told && !stop->is_memory && stop->vcpu == self->told_vcpu &&
		      pc == self->told_pc;

	self->is_told &= !is;
	return is;
}

/* Whoever does not want it any more has no point any more. ret_pc: where that vCPU stands;
 * ret_flags: its RFLAGS. */
static gboolean
tell(QemuDebug *self, const QemuGdbStop *stop, guint64 *ret_pc, guint64 *ret_flags, GError **error)
{
	gint64 time_ns = now_ns();
	/* Where it stops once it stops again, as a rule. */
	g_autoptr(VmifsRegs) regs =
		qemu_session_regs(&self->session, stop->is_memory ? NULL : &self->code, error);
	guint64 pc;

	if (!regs)
		return FALSE;
	vmifs_regs_get(regs, "rip", &pc);
	*ret_pc = pc;
	if (!vmifs_regs_get(regs, "eflags", ret_flags))
		*ret_flags = 0;
	gboolean again = is_again(self, stop, pc);
	for (guint i = 0; i < self->points->len; i++) {
		const QemuPoint *point = qemu_points_at(self->points, i);
		if (!qemu_point_is_hit(&point->point, stop, pc) ||
		    (again && point->point.kind == VMIFS_STOP_EXEC))
			continue;
		const VmifsStop told = {
			.id = point->id,
			.vcpu = stop->vcpu,
			.address = point->point.kind == VMIFS_STOP_STEP ? pc : point->point.address,
			.time_ns = time_ns,
			.regs = regs,
		};
		if (self->user.stopped && self->user.stopped(self->user.user, &told))
			continue;
		if (!remove_at(self, i, error))
			return FALSE;
		i--;
	}
	return TRUE;
}

static void
note_told(QemuDebug *self, guint vcpu, guint64 pc)
{
	self->is_told = TRUE;
	self->told_vcpu = vcpu;
	self->told_pc = pc;
}

/* It does, by what stands there: code of a kernel, as others may be of 32 bits. */
static gboolean
find_skip(QemuDebug *self, guint64 pc, guint64 flags, GError **error)
{
	self->skips = FALSE;
	if (self->session.steps->len || flags & FLAG_TRAP || !(pc >> 63))
		return TRUE;
	if (self->code.address != pc) {
		self->code.address = pc;
		if (!qemu_session_code(&self->session, &self->code, error))
			return FALSE;
	}
	guint len = qemu_nop_len(self->code.bytes, self->code.len);
	self->skips = len > 0;
	self->from = pc + len;
	return TRUE;
}

/* The vCPU may be where it was, past it, or in an interrupt, from which it comes back. now: where
 * it stands. */
static gboolean
note_step(QemuDebug *self, guint vcpu, guint64 pc, guint64 now, GError **error)
{
	gboolean made = TRUE;

	if (now - pc - 1 >= MAX_INSTRUCTION &&
	    !qemu_session_was_made(&self->session, pc, &made, error))
		return FALSE;
	if (!made)
		note_told(self, vcpu, pc);
	return TRUE;
}

/* A stop for nothing may come as another is told of; but one that comes again and again ... */
static gboolean
is_strange(QemuDebug *self, const QemuGdbStop *stop, guint64 pc)
{
	if (self->strange_vcpu != stop->vcpu || self->strange_pc != pc)
		self->n_strange = 0;
	self->strange_vcpu = stop->vcpu;
	self->strange_pc = pc;
	return !stop->is_memory && ++self->n_strange > MAX_STRANGE;
}

/* Past the points at which it stands. */
static gboolean
pass(QemuDebug *self, const QemuGdbStop *stop, guint64 pc, guint64 flags, GError **error)
{
	const VmifsStopPoint *points[2];
	guint n = 0;
	guint64 now;
	gboolean is_stepped = FALSE;

	for (guint i = 0; i < self->points->len; i++) {
		const VmifsStopPoint *point = &qemu_points_at(self->points, i)->point;
		is_stepped |= point->kind == VMIFS_STOP_STEP && point->vcpu == stop->vcpu;
		if (!qemu_point_is_hit(point, stop, pc) || point->kind != VMIFS_STOP_EXEC)
			continue;
		/* One of each kind, at most. */
		if (!n || (n == 1 && points[0]->patch != point->patch))
			points[n++] = point;
	}
	if (n || is_stepped)
		self->n_strange = 0;
	if (!n && (is_stepped || !is_strange(self, stop, pc)))
		return TRUE;
	if (!find_skip(self, pc, flags, error))
		return FALSE;
	if (self->skips) {
		note_told(self, stop->vcpu, pc);
		return TRUE;
	}
	if (!qemu_session_step_over(&self->session, stop->vcpu, points, n, &self->pending, &now,
				    error) ||
	    !note_step(self, stop->vcpu, pc, now, error))
		return FALSE;
	/* What it stopped for is news if it was more than the step. */
	self->has_pending = self->pending.signal && (self->pending.signal != QEMU_GDB_TRAP ||
						     self->pending.is_memory || is_stepped);
	return TRUE;
}

static gboolean
handle(QemuDebug *self, const QemuGdbStop *stop, GError **error)
{
	gboolean is_own = stop->signal == QEMU_GDB_TRAP;
	guint64 pc, flags = 0;

	self->runs = self->skips = FALSE;
	qemu_session_note(&self->session, !is_own);
	turn(self);
	return !is_own ||
	       (tell(self, stop, &pc, &flags, error) && pass(self, stop, pc, flags, error));
}

static gboolean
next_stop(QemuDebug *self, QemuGdbStop *ret, GError **error)
{
	if (!self->has_pending)
		return qemu_session_stop(&self->session, ret, error);
	*ret = self->pending;
	self->has_pending = FALSE;
	return TRUE;
}

/* All that came. */
static gboolean
handle_all(QemuDebug *self, GError **error)
{
	GError *problem = NULL;
	QemuGdbStop stop;

	for (guint i = 0; i < MAX_STOPS && !problem && next_stop(self, &stop, &problem); i++)
		handle(self, &stop, &problem);
	if (!problem)
		return TRUE;
	g_propagate_error(error, problem);
	return FALSE;
}

/* ---- orders ---- */

static void
order_unref(Order *order)
{
	if (!g_atomic_ref_count_dec(&order->refs))
		return;
	g_clear_error(&order->error);
	g_free(order);
}

static gboolean
come(QemuDebug *self, const QemuDebugGuest *guest, GError **error)
{
	if (g_atomic_int_get(&self->is_on))
		return TRUE;
	g_atomic_int_inc(&self->n_visits);
	gboolean good =
		qemu_session_open(&self->session, self->monitor, guest->n_vcpus, NULL, error);
	self->runs &= !good;
	g_atomic_int_set(&self->is_on, good);
	g_atomic_int_inc(&self->n_visits);
	turn(self);
	return good;
}

static gboolean
arm(QemuDebug *self, const Order *order, GError **error)
{
	QemuPoint point = { .id = order->id, .point = order->point };

	/* Of a guest that KVM runs alone anything is written for it. */
	point.point.patch &= g_strcmp0(order->guest.accel, "tcg") != 0;
	if (!qemu_points_fit(self->points, order->guest.accel, &point.point, error) ||
	    !come(self, &order->guest, error))
		return FALSE;
	if (!qemu_points_have(self->points, &point.point) &&
	    !qemu_session_insert(&self->session, &point.point, error))
		return FALSE;
	g_array_append_val(self->points, point);
	return TRUE;
}

static gboolean
disarm(QemuDebug *self, const Order *order, GError **error)
{
	for (guint i = self->points->len; i-- > 0;)
		if ((order->deed == DISARM_ALL ||
		     qemu_points_at(self->points, i)->id == order->id) &&
		    !remove_at(self, i, error))
			return FALSE;
	return TRUE;
}

/* FALSE: the session is lost. */
static gboolean
carry_out(QemuDebug *self, Order *order, GError **error)
{
	GError *problem = NULL;

	if (order->deed == ARM)
		arm(self, order, &problem);
	else if (order->deed != SET_STATE)
		disarm(self, order, &problem);
	else if (g_atomic_int_get(&self->is_on))
		qemu_session_note(&self->session, order->wanted == VMIFS_STATE_PAUSED);
	else
		order->is_idle = TRUE;
	turn(self);
	if (!problem)
		return TRUE;
	/* What cannot be set is not there; what cannot be taken away is. */
	gboolean is_lost = g_atomic_int_get(&self->is_on) &&
			   (order->deed != ARM ||
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
	if (self->runs && !qemu_session_halt(&self->session, error))
		return FALSE;
	self->runs = FALSE;
	return handle_all(self, error);
}

static void
forget_look(QemuDebug *self)
{
	self->next_look = 0;
	g_clear_pointer(&self->stood_as, g_free);
}

/* Does it run, or has it stopped at a point since? */
static gboolean
was_let_run(QemuDebug *self)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + LOOK_PATIENCE };
	g_autofree char *word = NULL;
	VmifsState state;

	if (!qemu_status_ask(self->monitor, &state, &word, &call, NULL))
		return FALSE;
	if (state == VMIFS_STATE_RUNNING)
		return TRUE;
	if (!self->stood_as)
		self->stood_as = g_strdup(word);
	return g_str_equal(word, "debug") && !g_str_equal(self->stood_as, "debug");
}

/* Who lets it run on again does not tell the stub; a QEMU of 8.1 and newer then does not even tell
 * of its next stop, for which it would have to be asked anew. */
static gboolean
look_after_others(QemuDebug *self, GError **error)
{
	gint64 now = g_get_monotonic_time();

	if (!g_atomic_int_get(&self->is_on) || !self->session.stands) {
		forget_look(self);
		return TRUE;
	}
	if (!self->next_look)
		self->next_look = now + LOOK_MS * G_TIME_SPAN_MILLISECOND;
	if (now < self->next_look)
		return TRUE;
	self->next_look = now + LOOK_MS * G_TIME_SPAN_MILLISECOND;
	if (!was_let_run(self))
		return TRUE;
	/* What it told of itself has come by now. */
	if (!stand_still(self, error))
		return FALSE;
	qemu_session_note(&self->session, FALSE);
	turn(self);
	forget_look(self);
	return TRUE;
}

static gboolean
go_on(QemuDebug *self, GError **error)
{
	if (!g_atomic_int_get(&self->is_on))
		return TRUE;
	if (!self->points->len) {
		qemu_session_close(&self->session, NULL);
		leave(self);
		return TRUE;
	}
	if (self->runs || self->has_pending || self->session.gdb.stops.length)
		return TRUE;
	self->runs = TRUE;
	/* Else it hits once more, which is known. */
	gboolean skips = self->skips && !self->session.stands && !self->session.steps->len;
	self->skips = FALSE;
	if (!skips)
		return qemu_session_go(&self->session, error);
	self->is_told = FALSE;
	return qemu_session_go_from(&self->session, self->told_vcpu, self->from, error);
}

static void
ring(const QemuDebug *self)
{
	guint64 one = 1;

	while (write(self->bell, &one, sizeof one) < 0 && errno == EINTR)
		;
}

static void
finish(QemuDebug *self, GQueue *orders)
{
	Order *order;

	g_mutex_lock(&self->lock);
	while ((order = g_queue_pop_head(orders))) {
		order->is_done = TRUE;
		/* It was armed for nobody. */
		if (order->is_left && order->deed == ARM && !order->error) {
			order->deed = DISARM;
			g_queue_push_tail(&self->orders, order);
			ring(self);
		} else {
			order_unref(order);
		}
	}
	g_cond_broadcast(&self->moved);
	g_mutex_unlock(&self->lock);
}

static gboolean
serve(QemuDebug *self, GQueue *orders, GError **error)
{
	gboolean good = stand_still(self, error);

	for (const GList *each = orders->head; each && good; each = each->next)
		good = carry_out(self, each->data, error);
	return good;
}

/* ---- the thread ---- */

/* FALSE: nothing is left to do, and it takes no orders any more. */
static gboolean
take_orders(QemuDebug *self, GQueue *ret)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	*ret = self->orders;
	g_queue_init(&self->orders);
	self->is_alive = ret->length || g_atomic_int_get(&self->is_on);
	return self->is_alive;
}

static void
wait(const QemuDebug *self)
{
	struct pollfd fds[] = { { .fd = self->bell, .events = POLLIN },
				{ .fd = self->session.stub.fd, .events = POLLIN } };
	guint64 count;

	if (!g_atomic_int_get(&self->is_on) || self->has_pending || self->session.gdb.stops.length)
		return;
	/* Of what came with an answer nobody tells again. */
	poll(fds, G_N_ELEMENTS(fds),
	     self->session.gdb.in->len ? 1
	     : self->session.stands    ? LOOK_MS
				       : -1);
	if (fds[0].revents && read(self->bell, &count, sizeof count) < 0)
		return;
}

static gpointer
run(gpointer data)
{
	QemuDebug *self = data;
	GQueue orders;

	while (take_orders(self, &orders)) {
		g_autoptr(GError) problem = NULL;
		gboolean good =
			orders.length ? serve(self, &orders, &problem) : handle_all(self, &problem);
		if (good)
			good = look_after_others(self, &problem) && go_on(self, &problem);
		if (!good)
			lose(self, problem);
		/* What was not carried out has failed with it. */
		for (const GList *each = orders.head; each && !good; each = each->next) {
			Order *order = each->data;
			if (!order->error)
				order->error = g_error_copy(problem);
		}
		finish(self, &orders);
		wait(self);
	}
	return NULL;
}

/* ---- who gives orders ---- */

static Order *
order_new(Deed deed)
{
	Order *order = g_new0(Order, 1);

	g_atomic_ref_count_init(&order->refs);
	order->deed = deed;
	return order;
}

/* FALSE with IO: there is no thread, or nothing to wake it by. Only a wish for points starts one.
 */
static gboolean
give(QemuDebug *self, Order *order, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	if (!self->is_alive && order->deed != ARM) {
		order->is_done = order->is_idle = TRUE;
		return TRUE;
	}
	if (self->bell < 0) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_IO, "eventfd fails");
		return FALSE;
	}
	if (!self->is_alive) {
		/* The one before takes no lock any more. */
		g_clear_pointer(&self->thread, g_thread_join);
		self->thread = g_thread_try_new("qemu-debug", run, self, error);
		self->is_alive = self->thread != NULL;
	}
	if (!self->is_alive)
		return FALSE;
	g_atomic_ref_count_inc(&order->refs);
	g_queue_push_tail(&self->orders, order);
	ring(self);
	return TRUE;
}

/* FALSE with its error, or that of the call. */
static gboolean
wait_for(QemuDebug *self, Order *order, const VmifsCall *call, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	while (!order->is_done) {
		if (!vmifs_call_check(call, error)) {
			order->is_left = TRUE;
			return FALSE;
		}
		g_cond_wait_until(&self->moved, &self->lock,
				  g_get_monotonic_time() + 20 * G_TIME_SPAN_MILLISECOND);
	}
	if (!order->error)
		return TRUE;
	g_propagate_error(error, g_error_copy(order->error));
	return FALSE;
}

gboolean
qemu_debug_arm(QemuDebug *self, const QemuDebugGuest *guest, guint64 id,
	       const VmifsStopPoint *point, const VmifsCall *call, GError **error)
{
	Order *order = order_new(ARM);

	order->id = id;
	order->point = *point;
	order->guest = *guest;
	gboolean good = give(self, order, error) && wait_for(self, order, call, error);
	order_unref(order);
	return good;
}

/* As long as it takes, which the thread limits. */
void
qemu_debug_disarm(QemuDebug *self, guint64 id)
{
	Order *order = order_new(DISARM);

	order->id = id;
	if (give(self, order, NULL))
		wait_for(self, order, NULL, NULL);
	order_unref(order);
}

gboolean
qemu_debug_set_state(QemuDebug *self, VmifsState wanted, const VmifsCall *call, GError **error)
{
	Order *order = order_new(SET_STATE);

	order->wanted = wanted;
	gboolean good =
		give(self, order, error) && wait_for(self, order, call, error) && !order->is_idle;
	order_unref(order);
	return good;
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
	self->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	self->points = qemu_points_new();
	g_mutex_init(&self->lock);
	g_cond_init(&self->moved);
	g_queue_init(&self->orders);
	return self;
}

void
qemu_debug_free(QemuDebug *self)
{
	if (!self)
		return;
	Order *order = order_new(DISARM_ALL);
	if (give(self, order, NULL))
		wait_for(self, order, NULL, NULL);
	order_unref(order);
	g_clear_pointer(&self->thread, g_thread_join);
	if (self->bell >= 0)
		close(self->bell);
	g_array_unref(self->points);
	g_free(self->stood_as);
	g_mutex_clear(&self->lock);
	g_cond_clear(&self->moved);
	g_free(self);
}
