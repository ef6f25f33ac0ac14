/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stops: what is done whenever the guest has stopped: who armed the point is told, with the
 * registers, and the vCPU gets past the instruction. Of the thread that has the stub.
 *
 * Past an instruction that does nothing, as most functions of a kernel begin with one, a vCPU gets
 * by going on behind it: a step takes as long as a stop does, others hear of it as well, and after
 * it QEMU translates anew what it has translated before.
 */
#pragma once

#include "points.h"
#include "session.h"

#include <spi/backend.h>

G_BEGIN_DECLS

/* How many stops tell whether there are many. */
#define QEMU_RECENT_STOPS 8

typedef struct {
	VmifsStopped stopped; /* (nullable) */
	gpointer user;
	QemuPoints *points;
	QemuSession session;
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
	guint64 from; /* (skips) where the vCPU that was told of goes on */
	/* Dashes, set by who has it: */
	gboolean may_dash;
	guint n_vcpus;
	int bell;                         /* as of QemuDash */
	gint64 recent[QEMU_RECENT_STOPS]; /* when it stopped */
	guint n_recent;
	gint64 not_before; /* it was in vain */
	gboolean has_dashed;
} QemuStops;

void
qemu_stops_init(QemuStops *stops, VmifsStopped stopped, gpointer user);
void
qemu_stops_clear(QemuStops *stops);

/* There is no session any more. (full): the points that were armed. */
QemuPoints *
qemu_stops_forget(QemuStops *stops);
/* Takes the i-th point away. FALSE: the session is lost. */
gboolean
qemu_stops_remove(QemuStops *stops, guint i, GError **error);

/* Sets all points again, while the guest stands: QEMU sets them on the vCPUs that it has then.
 * FALSE: the session is lost. */
gboolean
qemu_stops_renew(QemuStops *stops, guint n_vcpus, GError **error);

/* What came; FALSE without error: nothing. */
gboolean
qemu_stops_next(QemuStops *stops, QemuGdbStop *ret, GError **error);
/* A stop for a point, or for a step. FALSE: the session is lost. */
gboolean
qemu_stops_handle(QemuStops *stops, const QemuGdbStop *stop, GError **error);
/* Is there more to handle, before it may run on? */
gboolean
qemu_stops_has_more(const QemuStops *stops);
/* Lets it run on. It may have stopped already when this returns, and there is more to handle. */
gboolean
qemu_stops_go(QemuStops *stops, GError **error);
/* It does not stop so often any more: others may have the monitor. */
void
qemu_stops_rest(QemuStops *stops, QemuMonitor *monitor);

G_END_DECLS
