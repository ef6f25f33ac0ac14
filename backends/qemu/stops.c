/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stops: see the header.
 *
 *   stop -> its registers -> who armed it is told -> past the instruction -> the guest runs on
 *
 * Of an access to memory all is told behind the instruction. Where the guest stops before it, the
 * step comes first.
 */
#include "stops.h"

#include <time.h>

/* Bytes of one, at most. */
#define MAX_INSTRUCTION 15
/* Of RFLAGS: the guest makes steps itself. */
#define FLAG_TRAP (1u << 8)
/* A vCPU that stops as often in one place where we have no point is at somebody else's. */
#define MAX_STRANGE 3
/* So many stops in so long are many; after a dash that there could not be, none for a while. */
#define MANY_US (200 * G_TIME_SPAN_MILLISECOND)
#define REST_US (200 * G_TIME_SPAN_MILLISECOND)
#define MAX_DASH_POINTS 32
#define MAX_DASH_VCPUS 8
/* Points that one instruction may hit. */
#define MAX_ACCESSES 8

void
qemu_stops_init(QemuStops *self, VmifsStopped stopped, gpointer user)
{
	*self = (QemuStops){ .stopped = stopped, .user = user, .points = qemu_points_new() };
}

void
qemu_stops_clear(QemuStops *self)
{
	g_array_unref(self->points);
}

QemuPoints *
qemu_stops_forget(QemuStops *self)
{
	QemuPoints *points = self->points;

	self->points = qemu_points_new();
	self->has_pending = self->is_told = self->skips = FALSE;
	self->n_strange = self->n_recent = 0;
	return points;
}

static gboolean
remove_all(QemuStops *self, GError **error)
{
	while (self->points->len)
		if (!qemu_stops_remove(self, self->points->len - 1, error))
			return FALSE;
	return TRUE;
}

gboolean
qemu_stops_remove(QemuStops *self, guint i, GError **error)
{
	VmifsStopPoint point = qemu_points_at(self->points, i)->point;

	g_array_remove_index(self->points, i);
	self->skips = FALSE;
	return qemu_points_have(self->points, &point) ||
	       qemu_session_remove(&self->session, &point, error);
}

gboolean
qemu_stops_renew(QemuStops *self, guint n_vcpus, GError **error)
{
	g_autoptr(GArray) set = qemu_points_new();

	if (!qemu_session_remove_all(&self->session, n_vcpus, error))
		return FALSE;
	for (guint i = 0; i < self->points->len; i++) {
		const QemuPoint *point = qemu_points_at(self->points, i);
		if (point->point.kind != VMIFS_STOP_STEP && !qemu_points_have(set, &point->point) &&
		    !qemu_session_insert(&self->session, &point->point, error))
			return FALSE;
		g_array_append_val(set, *point);
	}
	return TRUE;
}

gboolean
qemu_stops_next(QemuStops *self, QemuGdbStop *ret, GError **error)
{
	if (!self->has_pending)
		return qemu_session_stop(&self->session, ret, error);
	*ret = self->pending;
	self->has_pending = FALSE;
	return TRUE;
}

gboolean
qemu_stops_has_more(const QemuStops *self)
{
	return self->has_pending || qemu_gdb_has_more(&self->session.gdb);
}

static gint64
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (gint64) now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Of an instruction that was told of, and not carried out since. */
static gboolean
is_again(QemuStops *self, const QemuGdbStop *stop, guint64 pc)
{
	gboolean is = self->is_told && !stop->is_memory && stop->vcpu == self->told_vcpu &&
		      pc == self->told_pc;

	self->is_told &= !is;
	return is;
}

static VmifsStopVerdict
say(QemuStops *self, VmifsStop *stop)
{
	stop->n_stops = self->session.n_stops;
	self->session.n_stops = 0;
	return self->stopped ? self->stopped(self->user, stop) : VMIFS_STOP_DISARM;
}

/* (full) */
static VmifsRegs *
learn_regs(QemuStops *self, QemuCode *code, GError **error)
{
	if (!qemu_session_ask_regs(&self->session, code, error))
		return NULL;
	/* QEMU takes as long to answer as it takes to read of memory what is wanted. */
	if (self->stopped)
		self->stopped(self->user, &(VmifsStop){ .id = VMIFS_STOP_COMES });
	return qemu_session_hear_regs(&self->session, code, error);
}

/* Whoever does not want it any more has no point any more. ret_pc: where that vCPU stands;
 * ret_may_skip: in code of a kernel of x86-64, as others may be of 32 bits, and not by steps that
 * the guest makes itself. */
static gboolean
tell(QemuStops *self, const QemuGdbStop *stop, guint64 *ret_pc, gboolean *ret_may_skip,
     GError **error)
{
	gint64 time_ns = now_ns();
	/* Where it stops once it stops again, as a rule. */
	g_autoptr(VmifsRegs) regs = learn_regs(self, stop->is_memory ? NULL : &self->code, error);
	const QemuGdbReg *where = qemu_gdb_target_pc(&self->session.target);
	guint64 pc, flags = 0;

	if (!regs)
		return FALSE;
	vmifs_regs_get(regs, where->name, &pc);
	vmifs_regs_get(regs, "eflags", &flags);
	*ret_pc = pc;
	*ret_may_skip = g_str_equal(where->name, "rip") && pc >> 63 && !(flags & FLAG_TRAP);
	gboolean again = is_again(self, stop, pc);
	VmifsStop told = { .id = VMIFS_STOP_NOWHERE,
			   .vcpu = stop->vcpu,
			   .address = pc,
			   .time_ns = time_ns,
			   .regs = regs };
	for (guint i = 0; i < self->points->len; i++) {
		const QemuPoint *point = qemu_points_at(self->points, i);
		if (!qemu_point_is_hit(&point->point, stop, pc) ||
		    (again && point->point.kind == VMIFS_STOP_EXEC))
			continue;
		told.id = point->id;
		told.address = point->point.kind == VMIFS_STOP_STEP ? pc : point->point.address;
		VmifsStopVerdict verdict = say(self, &told);
		if (verdict == VMIFS_STOP_DISARM_ALL)
			return remove_all(self, error);
		if (verdict == VMIFS_STOP_DISARM && !qemu_stops_remove(self, i--, error))
			return FALSE;
	}
	if (told.id != VMIFS_STOP_NOWHERE || !self->points->len)
		return TRUE;
	return say(self, &told) != VMIFS_STOP_DISARM_ALL || remove_all(self, error);
}

static void
note_told(QemuStops *self, guint vcpu, guint64 pc)
{
	self->is_told = TRUE;
	self->told_vcpu = vcpu;
	self->told_pc = pc;
}

/* It does, by what stands there. */
static gboolean
find_skip(QemuStops *self, guint64 pc, GError **error)
{
	if (self->session.steps->len)
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

/* The vCPU may be where it was (another one's stop came first), past it, or in an interrupt, from
 * which it comes back. now: where it stands. */
static gboolean
was_made(QemuStops *self, guint64 pc, guint64 now, gboolean *ret, GError **error)
{
	*ret = TRUE;
	return now - pc - 1 < MAX_INSTRUCTION ||
	       qemu_session_was_made(&self->session, pc, ret, error);
}

static gboolean
note_step(QemuStops *self, guint vcpu, guint64 pc, guint64 now, GError **error)
{
	gboolean made;

	if (!was_made(self, pc, now, &made, error))
		return FALSE;
	if (!made)
		note_told(self, vcpu, pc);
	return TRUE;
}

/* A stop for nothing may come as another is told of; but one that comes again and again ... */
static gboolean
is_strange(QemuStops *self, const QemuGdbStop *stop, guint64 pc)
{
	if (self->strange_vcpu != stop->vcpu || self->strange_pc != pc)
		self->n_strange = 0;
	self->strange_vcpu = stop->vcpu;
	self->strange_pc = pc;
	return !stop->is_memory && ++self->n_strange > MAX_STRANGE;
}

/* Is what it stopped for news, beyond the step that it was to make? */
static void
keep_pending(QemuStops *self, gboolean is_stepped)
{
	self->has_pending = self->pending.signal && (self->pending.signal != QEMU_GDB_TRAP ||
						     self->pending.is_memory || is_stepped);
}

/* Past the points at which it stands. */
static gboolean
pass(QemuStops *self, const QemuGdbStop *stop, guint64 pc, gboolean may_skip, GError **error)
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
	/* All were taken away, and it is let go of. */
	if (!self->points->len)
		return TRUE;
	if (!n && (is_stepped || !is_strange(self, stop, pc)))
		return TRUE;
	self->skips = FALSE;
	if (may_skip && !find_skip(self, pc, error))
		return FALSE;
	if (self->skips) {
		note_told(self, stop->vcpu, pc);
		return TRUE;
	}
	if (!qemu_session_step_over(&self->session, stop->vcpu, points, n, &self->pending, NULL,
				    &now, error) ||
	    !note_step(self, stop->vcpu, pc, now, error))
		return FALSE;
	keep_pending(self, is_stepped);
	return TRUE;
}

static const VmifsStopPoint *
find_point(const QemuStops *self, const QemuGdbStop *stop)
{
	for (guint i = 0; i < self->points->len; i++) {
		const VmifsStopPoint *point = &qemu_points_at(self->points, i)->point;
		if (qemu_point_is_hit(point, stop, 0))
			return point;
	}
	return NULL;
}

/* An access of the same instruction to a point that is not among these n. */
static const VmifsStopPoint *
find_other(const QemuStops *self, const QemuGdbStop *stop, const VmifsStopPoint *const *points,
	   guint n)
{
	const VmifsStopPoint *other = self->pending.is_memory && self->pending.vcpu == stop->vcpu
					      ? find_point(self, &self->pending)
					      : NULL;

	for (guint i = 0; i < n; i++)
		if (points[i] == other)
			return NULL;
	return n < MAX_ACCESSES ? other : NULL;
}

/* The instruction that the guest stopped before, which may hit more than one point; each of these
 * hits again as long as it is there. If it was not carried out it hits all of them again, and is
 * told of then. */
static gboolean
handle_before(QemuStops *self, const QemuGdbStop *stop, GError **error)
{
	QemuGdbStop stops[MAX_ACCESSES] = { *stop };
	const VmifsStopPoint *points[MAX_ACCESSES] = { find_point(self, stop) }, *other = NULL;
	guint n = points[0] ? 1 : 0, n_told = 1;
	gboolean may_skip, is_stepped = FALSE, made;
	guint64 from, pc;

	self->skips = FALSE;
	for (guint i = 0; i < self->points->len; i++) {
		const VmifsStopPoint *point = &qemu_points_at(self->points, i)->point;
		is_stepped |= point->kind == VMIFS_STOP_STEP && point->vcpu == stop->vcpu;
	}
	do {
		if (other) {
			points[n++] = other;
			stops[n_told++] = self->pending;
		}
		if (!qemu_session_step_over(&self->session, stop->vcpu, points, n, &self->pending,
					    &from, &pc, error))
			return FALSE;
		other = find_other(self, stop, points, n);
	} while (other);
	keep_pending(self, is_stepped);
	if (!was_made(self, from, pc, &made, error))
		return FALSE;
	for (guint i = 0; i < n_told && made; i++)
		if (!tell(self, &stops[i], &pc, &may_skip, error))
			return FALSE;
	return TRUE;
}

gboolean
qemu_stops_handle(QemuStops *self, const QemuGdbStop *stop, GError **error)
{
	gboolean may_skip;
	guint64 pc;

	self->recent[self->n_recent++ % QEMU_RECENT_STOPS] = g_get_monotonic_time();
	if (stop->is_memory && qemu_gdb_target_stops_before(&self->session.target))
		return handle_before(self, stop, error);
	return tell(self, stop, &pc, &may_skip, error) && pass(self, stop, pc, may_skip, error);
}

/* ---- on ---- */

/* For stops that are rare it does not pay. */
static gboolean
are_many(const QemuStops *self)
{
	gint64 now = g_get_monotonic_time();

	return self->n_recent >= QEMU_RECENT_STOPS && now >= self->not_before &&
	       now - self->recent[self->n_recent % QEMU_RECENT_STOPS] < MANY_US;
}

/* FALSE: it would be no dash. */
static gboolean
collect(const QemuStops *self, const VmifsStopPoint **points, guint *ret_n)
{
	guint n = 0;

	for (guint i = 0; i < self->points->len; i++) {
		const VmifsStopPoint *point = &qemu_points_at(self->points, i)->point;
		gboolean is_there = FALSE;
		for (guint j = 0; j < n; j++)
			is_there |= points[j]->address == point->address &&
				    points[j]->patch == point->patch;
		if (point->kind != VMIFS_STOP_EXEC || (!is_there && n == MAX_DASH_POINTS))
			return FALSE;
		if (!is_there)
			points[n++] = point;
	}
	*ret_n = n;
	return n > 0;
}

/* FALSE without error: it was none. */
static gboolean
dash(QemuStops *self, GError **error)
{
	const VmifsStopPoint *points[MAX_DASH_POINTS];
	QemuDash way = { .vcpu = self->told_vcpu,
			 .pc = self->from,
			 .points = points,
			 .n_vcpus = self->n_vcpus,
			 .bells = { self->bell, self->session.stub.guard } };

	if (!self->may_dash || !self->n_vcpus || self->n_vcpus > MAX_DASH_VCPUS ||
	    !are_many(self) || !collect(self, points, &way.n_points))
		return FALSE;
	int door = qemu_session_may_dash(&self->session);
	if (door < 0) {
		self->not_before = g_get_monotonic_time() + REST_US;
		return FALSE;
	}
	self->has_dashed = TRUE;
	if (!qemu_session_dash(&self->session, door, &way, &self->pending, error))
		return FALSE;
	self->has_pending = self->pending.signal != 0;
	return self->has_pending || qemu_session_go(&self->session, error);
}

void
qemu_stops_rest(QemuStops *self, QemuMonitor *monitor)
{
	if (self->has_dashed)
		monitor->ops->let_in(monitor);
	self->has_dashed = FALSE;
}

gboolean
qemu_stops_go(QemuStops *self, GError **error)
{
	/* Else it hits once more, which is known. */
	gboolean skips = self->skips && !self->session.stands && !self->session.steps->len;
	GError *problem = NULL;

	self->skips = FALSE;
	if (!skips)
		return qemu_session_go(&self->session, error);
	self->is_told = FALSE;
	if (dash(self, &problem))
		return TRUE;
	if (problem) {
		g_propagate_error(error, problem);
		return FALSE;
	}
	return qemu_session_go_from(&self->session, self->told_vcpu, self->from, error);
}
