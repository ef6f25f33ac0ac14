/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu: a running QEMU process as a guest. Its memory is read from outside and needs nobody's
 * consent; where it lies is asked of the monitor (known.c) when the guest appears, and again when
 * it may have changed. A QEMU that does not answer is still read, as it was laid out when it did,
 * or by rules.
 */
#include "control.h"
#include "debug.h"
#include "follow.h"
#include "known.h"
#include "process.h"
#include "ram.h"
#include "registers.h"
#include "snapshot.h"
#include "status.h"
#include "stub.h"
#include "target.h"
#include "translate.h"
#include "turns.h"

#include <string.h>
#include <vmifs/text.h>

/* The monitor's part of opening. */
#define FIRST_PATIENCE (500 * G_TIME_SPAN_MILLISECOND)
/* Whether it runs; others are asked for it all the time. */
#define STATE_PATIENCE (500 * G_TIME_SPAN_MILLISECOND)
/* So often it is asked, and after such a pause, while it is not known who made the guest stop. */
#define STATE_TRIES 20
#define STATE_PAUSE (10 * G_TIME_SPAN_MILLISECOND)
#define LOOK_INTERVAL G_TIME_SPAN_SECOND
#define LAST_WAIT (8 * G_TIME_SPAN_SECOND)
/* Where memory may come and go at any time. */
#define LAST_WAIT_GROWING LOOK_INTERVAL
/* Smaller mappings are no RAM that comes and goes: stacks and heaps of threads do. */
#define LARGE ((guint64) 16 << 20)

typedef struct {
	const QemuTarget *target; /* (borrowed) until close */
	QemuProcess *process;
	QemuOwed *owed; /* (nullable) it was not migrated here */
	QemuRam *ram;
	QemuRegisters *registers; /* (nullable) there is no monitor */
	QemuFollow *follow;
	QemuDebug *debug; /* (nullable) as registers */
	QemuStop stop;
	QemuKnown known;
	gint cancelled; /* atomic; what the follower asks for is of no use any more */
	void (*changed)(gpointer engine, guint what);
	VmifsStopped stopped;
	VmifsUnarmed unarmed;
	gpointer engine; /* of these three */
	QemuTurns turns;
	/* The follower's own. */
	gboolean is_owed;  /* memory was still coming when last seen */
	guint n_vcpus;     /* as last seen; 0 = not yet */
	guint64 signature; /* of the large mappings, as last seen */
	gint64 wait;       /* before the monitor is asked again */
	gint64 next;       /* when that is due */
} Qemu;

/* ---- where memory lies ---- */

/* A page that has not come must not be touched by us, either. */
static gboolean
qemu_must_read(gpointer data)
{
	return qemu_ram_is_owed(((Qemu *) data)->ram);
}

/* ---- vCPUs ---- */

static QemuDebugGuest
as_debugged(Qemu *self)
{
	return (QemuDebugGuest){ .accel = qemu_known_accel(&self->known),
				 .n_vcpus = qemu_known_max_vcpus(&self->known) };
}

/* ---- following it ---- */

/* While memory still comes, no file holds it for others to read. */
static void
look_for_pages(Qemu *self)
{
	gboolean is_owed = qemu_ram_is_owed(self->ram);

	if (is_owed != self->is_owed && self->changed)
		self->changed(self->engine, VMIFS_CHANGE_LAYOUT);
	self->is_owed = is_owed;
}

/* Points are not on it yet. */
static void
look_for_vcpus(Qemu *self)
{
	QemuDebugGuest guest = as_debugged(self);
	guint n = qemu_known_vcpus(&self->known);
	gboolean is_other = self->n_vcpus && n != self->n_vcpus;

	self->n_vcpus = n;
	if (is_other && self->debug)
		qemu_debug_renew(self->debug, &guest);
}

/* Options may be in a file, too. */
static gboolean
may_grow(const Qemu *self)
{
	return self->target->args->may_grow || self->target->args->has_config;
}

/* Firmware moves memory about in the first seconds, and nobody tells: the monitor is asked ever
 * more rarely, and at once when mappings have come or gone. What is mapped may become the guest's
 * at any time later, and cease to be it before it is unmapped. */
static void
look(gpointer data)
{
	Qemu *self = data;
	g_autoptr(GArray) maps = qemu_known_maps(&self->known, NULL);
	gint64 now = g_get_monotonic_time();
	gboolean changed;

	if (!maps)
		return;
	look_for_pages(self);
	guint64 signature = qemu_maps_signature(maps, LARGE);
	gboolean is_other = signature != self->signature;
	self->signature = signature;
	if (is_other) {
		self->wait = LOOK_INTERVAL;
		self->next = now;
	}
	/* Without a monitor, only what has changed is worth another guess. */
	if (now < self->next || (!self->target->monitor && !is_other))
		return;
	if (qemu_known_learn(&self->known, QEMU_PATIENCE, &changed, NULL) && changed &&
	    self->changed)
		self->changed(self->engine, VMIFS_CHANGE_LAYOUT);
	look_for_vcpus(self);
	self->next = g_get_monotonic_time() + self->wait;
	self->wait = MIN(2 * self->wait, may_grow(self) ? LAST_WAIT_GROWING : LAST_WAIT);
}

static void
ended(gpointer data)
{
	Qemu *self = data;

	if (self->changed)
		self->changed(self->engine, VMIFS_CHANGE_GONE);
}

/* ---- ops ---- */

static int
qemu_probe(const VmifsSource *src)
{
	return 0; /* finders bring guests */
}

static void
qemu_close(gpointer data)
{
	Qemu *self = data;

	g_atomic_int_set(&self->cancelled, 1);
	qemu_follow_free(self->follow); /* it calls that */
	qemu_debug_free(self->debug);
	qemu_registers_free(self->registers);
	qemu_ram_free(self->ram);
	qemu_owed_free(self->owed);
	qemu_process_close(self->process);
	qemu_turns_clear(&self->turns);
	qemu_known_clear(&self->known);
	qemu_stop_clear(&self->stop);
	g_free(self);
}

static void
turned(gpointer data)
{
	Qemu *self = data;

	if (self->changed)
		self->changed(self->engine, VMIFS_CHANGE_STATE);
}

static VmifsStopVerdict
told_stop(gpointer data, const VmifsStop *stop)
{
	Qemu *self = data;

	qemu_ram_stopped(self->ram);
	return self->stopped ? self->stopped(self->engine, stop) : VMIFS_STOP_DISARM;
}

static void
told_unarmed(gpointer data, guint64 id, const char *why)
{
	Qemu *self = data;

	if (self->unarmed)
		self->unarmed(self->engine, id, why);
}

static void
use_monitor(Qemu *self)
{
	const QemuDebugUser user = {
		.user = self, .stopped = told_stop, .unarmed = told_unarmed, .turned = turned
	};

	if (!self->target->monitor)
		return;
	self->registers = qemu_registers_new(self->target->monitor, qemu_known_vcpus(&self->known));
	self->debug = qemu_debug_new(self->target->monitor, &user);
}

static gboolean
start(Qemu *self, const VmifsSource *src, GError **error)
{
	const QemuFollower follower = {
		.look = look, .ended = ended, .user = self, .interval_us = LOOK_INTERVAL
	};
	gboolean changed;

	self->process = qemu_process_open(self->target->pid, self->target->start_time,
					  src->options && src->options->guest_rw, error);
	if (!self->process)
		return FALSE;
	self->ram = qemu_ram_new(self->process);
	self->known.process = self->process;
	self->known.ram = self->ram;
	if (self->target->args->incoming) {
		self->owed = qemu_owed_new(qemu_process_dir(self->process));
		qemu_ram_expect(self->ram, self->owed);
		self->is_owed = qemu_ram_is_owed(self->ram);
	}
	g_autoptr(GArray) maps = qemu_known_maps(&self->known, error);
	if (!maps || !qemu_known_learn(&self->known, FIRST_PATIENCE, &changed, error))
		return FALSE;
	use_monitor(self);
	self->n_vcpus = qemu_known_vcpus(&self->known);
	self->signature = qemu_maps_signature(maps, LARGE);
	self->wait = LOOK_INTERVAL;
	self->known.given_up = &self->cancelled;
	return qemu_follow_start(qemu_process_pidfd(self->process), &follower, &self->follow,
				 error);
}

static gpointer
qemu_open(const VmifsSource *src, const VmifsCall *call, GError **error)
{
	Qemu *self = g_new0(Qemu, 1);

	self->target = src->target;
	qemu_known_init(&self->known, self->target, call ? call->cancelled : NULL);
	qemu_stop_init(&self->stop, self->target->monitor);
	self->changed = src->changed;
	self->stopped = src->stopped;
	self->unarmed = src->unarmed;
	self->engine = src->engine;
	qemu_turns_init(&self->turns);
	if (start(self, src, error))
		return self;
	qemu_close(self);
	return NULL;
}

static gboolean
qemu_layout(gpointer data, VmifsLayout *ret, const VmifsCall *call, GError **error)
{
	Qemu *self = data;

	qemu_ram_layout(self->ram, ret);
	qemu_known_layout(&self->known, ret);
	return TRUE;
}

static gsize
qemu_read(gpointer data, VmifsIo *io, gsize n, const VmifsCall *call)
{
	return qemu_ram_read(((Qemu *) data)->ram, io, n);
}

static gsize
qemu_write(gpointer data, VmifsIo *io, gsize n, const VmifsCall *call)
{
	return qemu_ram_write(((Qemu *) data)->ram, io, n);
}

static gboolean
qemu_map(gpointer data, guint32 block, VmifsDirect *ret, GError **error)
{
	return qemu_ram_map(((Qemu *) data)->ram, block, ret);
}

static gboolean
qemu_extent(gpointer data, guint32 block, guint64 offset, gboolean *ret_data, guint64 *ret_len)
{
	return qemu_ram_extent(((Qemu *) data)->ram, block, offset, ret_data, ret_len);
}

static gboolean
qemu_regs(gpointer data, guint vcpu, VmifsRegs *regs, const VmifsCall *call, GError **error)
{
	Qemu *self = data;

	return qemu_known_may_ask(&self->known, error) &&
	       qemu_registers_get(self->registers, vcpu, regs, call, error);
}

static gboolean
qemu_walk(gpointer data, guint vcpu, guint64 va, guint64 *ret_pa, const VmifsCall *call,
	  GError **error)
{
	Qemu *self = data;

	return qemu_known_may_ask(&self->known, error) &&
	       qemu_translate(self->target->monitor, vcpu, va, ret_pa, call, error);
}

static gboolean
refuse(const char *why, GError **error)
{
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, why);
	return FALSE;
}

static gboolean
begin_stub(Qemu *self, QemuTurn turn, GError **error)
{
	if (self->target->args->has_stub)
		return refuse("QEMU was started with its gdbstub for somebody else", error);
	return qemu_turns_begin(&self->turns, turn, self->debug, error);
}

/* The monitor tells all of others. */
static gboolean
qemu_system_regs(gpointer data, guint vcpu, VmifsRegs *regs, const VmifsCall *call, GError **error)
{
	Qemu *self = data;
	guint64 pstate;

	if (!vmifs_regs_get(regs, "cpsr", &pstate))
		return refuse("all registers are told already", error);
	if (!qemu_known_may_ask(&self->known, error) ||
	    !begin_stub(self, QEMU_TURN_REGISTERS, error))
		return FALSE;
	gboolean told = qemu_stub_system_registers(&self->stop, vcpu, regs, call, error);
	qemu_turns_end(&self->turns, QEMU_TURN_REGISTERS);
	return told;
}

static gboolean
qemu_set_reg(gpointer data, guint vcpu, const char *name, guint64 value, const VmifsCall *call,
	     GError **error)
{
	Qemu *self = data;

	if (!qemu_known_may_ask(&self->known, error) ||
	    !begin_stub(self, QEMU_TURN_REGISTERS, error))
		return FALSE;
	gboolean set = qemu_stub_set_register(&self->stop, vcpu, name, value, call, error);
	qemu_registers_forget(self->registers);
	qemu_turns_end(&self->turns, QEMU_TURN_REGISTERS);
	return set;
}

/* ret_visits: as of qemu_debug_is_settled(). */
static gboolean
set_state(Qemu *self, VmifsState wanted, guint *ret_visits, const VmifsCall *call, GError **error)
{
	GError *problem = NULL;

	qemu_debug_is_settled(self->debug, ret_visits);
	/* Between its stops the other way would be lost. */
	if (qemu_debug_set_state(self->debug, wanted, call, &problem) ||
	    (!problem && qemu_stop_set_state(&self->stop, wanted, call, &problem)))
		return TRUE;
	g_propagate_error(error, problem);
	return FALSE;
}

/* Once more if we have begun to come, or gone, meanwhile: who comes lets a guest run that ran as he
 * looked. */
static gboolean
qemu_set_state(gpointer data, VmifsState wanted, const VmifsCall *call, GError **error)
{
	Qemu *self = data;
	guint before, after;
	gboolean set;

	if (!qemu_known_may_ask(&self->known, error))
		return FALSE;
	do {
		set = set_state(self, wanted, &before, call, error);
		qemu_debug_is_settled(self->debug, &after);
	} while (set && before != after && (set = vmifs_call_check(call, error)));
	qemu_ram_stopped(self->ram);
	return set;
}

/* A stop of ours is none. If we came or went meanwhile it is not known whose it was. */
static gboolean
ask_state(Qemu *self, VmifsState *ret, const VmifsCall *call, GError **error)
{
	for (guint i = 0; i < STATE_TRIES; i++) {
		g_autofree char *word = NULL;
		guint before, after;
		gboolean is_known = qemu_debug_is_settled(self->debug, &before);
		if (!qemu_status_tell(self->target->monitor, ret, &word, call, error))
			return FALSE;
		if (*ret != VMIFS_STATE_PAUSED)
			return TRUE;
		if (qemu_debug_is_own(self->debug, word))
			*ret = VMIFS_STATE_RUNNING;
		if (qemu_debug_is_settled(self->debug, &after) && is_known && before == after)
			return TRUE;
		g_usleep(STATE_PAUSE);
	}
	return TRUE;
}

static gboolean
qemu_state(gpointer data, VmifsState *ret, const VmifsCall *call, GError **error)
{
	Qemu *self = data;
	VmifsCall short_call = { .deadline = g_get_monotonic_time() + STATE_PATIENCE };

	if (call) {
		short_call.cancelled = call->cancelled;
		if (call->deadline)
			short_call.deadline = MIN(short_call.deadline, call->deadline);
	}
	if (qemu_process_is_stopped(self->process)) {
		*ret = VMIFS_STATE_UNRESPONSIVE;
		return TRUE;
	}
	if (!self->target->monitor) {
		*ret = VMIFS_STATE_RUNNING; /* its process does, and nobody can tell more */
		return TRUE;
	}
	return ask_state(self, ret, &short_call, error);
}

static gboolean
qemu_snapshot(gpointer data, VmifsPictureWriter *out, const VmifsCall *call, GError **error)
{
	Qemu *self = data;
	QemuSubject subject = { .monitor = self->target->monitor,
				.stop = &self->stop,
				.process = self->process,
				.ram = self->ram };

	if (qemu_known_is_encrypted(&self->known))
		return refuse("the guest's memory is encrypted", error);
	if (!qemu_turns_begin(&self->turns, QEMU_TURN_SNAPSHOT, self->debug, error))
		return FALSE;
	subject.n_vcpus = MAX(qemu_known_vcpus(&self->known), 1);
	gboolean taken = qemu_snapshot_take(&subject, out, call, error);
	qemu_turns_end(&self->turns, QEMU_TURN_SNAPSHOT);
	return taken;
}

/* ---- stops ---- */

static gboolean
qemu_stop_caps(gpointer data, VmifsStopCaps *ret, const VmifsCall *call, GError **error)
{
	Qemu *self = data;
	QemuDebugGuest guest = as_debugged(self);

	if (!qemu_known_may_ask(&self->known, error))
		return FALSE;
	qemu_debug_caps(self->debug, &guest, ret, call);
	if (self->target->args->has_stub)
		ret->why_not = "QEMU was started with its gdbstub for somebody else";
	return TRUE;
}

static gboolean
qemu_arm(gpointer data, guint64 id, const VmifsStopPoint *points, guint n, guint *ret_failed,
	 const VmifsCall *call, GError **error)
{
	Qemu *self = data;
	QemuDebugGuest guest = as_debugged(self);

	*ret_failed = 0;
	if (!qemu_known_may_ask(&self->known, error) || !begin_stub(self, QEMU_TURN_ARMING, error))
		return FALSE;
	gboolean armed =
		qemu_debug_arm(self->debug, &guest, id, points, n, ret_failed, call, error);
	qemu_turns_end(&self->turns, QEMU_TURN_ARMING);
	return armed;
}

static void
qemu_disarm(gpointer data, const guint64 *ids, guint n)
{
	Qemu *self = data;

	if (self->debug)
		qemu_debug_disarm(self->debug, ids, n);
}

static void
qemu_info(gpointer data, GString *out)
{
	Qemu *self = data;
	qemu_known_info(&self->known, out);
	qemu_ram_info(self->ram, out);
	if (qemu_ram_is_owed(self->ram))
		g_string_append(out, "migration: memory still comes; what has not is EIO\n");
}

extern const VmifsBackend vmifs_backend_qemu;
const VmifsBackend vmifs_backend_qemu = {
	.name = "qemu",
	.probe = qemu_probe,
	.open = qemu_open,
	.close = qemu_close,
	.layout = qemu_layout,
	.read = qemu_read,
	.map = qemu_map,
	.extent = qemu_extent,
	.must_read = qemu_must_read,
	.info = qemu_info,
	.state = qemu_state,
	.write = qemu_write,
	.regs = qemu_regs,
	.system_regs = qemu_system_regs,
	.translate = qemu_walk,
	.set_state = qemu_set_state,
	.set_reg = qemu_set_reg,
	.snapshot = qemu_snapshot,
	.stop_caps = qemu_stop_caps,
	.arm = qemu_arm,
	.disarm = qemu_disarm,
};
