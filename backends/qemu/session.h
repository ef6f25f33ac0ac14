/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session: a gdbstub that is held open, so that the guest stops at points and is let run on. Of one
 * thread. A FALSE or NULL with error means that the stub is not to be used any more, unless the
 * error is UNSUPPORTED; qemu_session_close() is due in any case.
 */
#pragma once

#include "farewell.h"
#include "gdb-stop.h"
#include "nop.h"
#include "stub.h"

G_BEGIN_DECLS

/* For what belongs together: it is not to take the longer the more packets that are. */
#define QEMU_SESSION_PATIENCE (20 * G_TIME_SPAN_SECOND)

typedef struct {
	QemuStub stub;
	QemuFarewell farewell;
	QemuGdb gdb;
	gint64 end; /* monotonic: nothing is waited for any longer */
	QemuGdbTarget target;
	gboolean stands;      /* by somebody else's wish: it is not let run on */
	gboolean is_paused;   /* (stands) for no disk and no migration, but as one may pause it */
	gboolean is_at_point; /* (stands) at one, where somebody has left it */
	GArray *steps;        /* of guint: vCPUs that stop after each instruction */
	guint alone;          /* what is masked in a step of one vCPU, as the stub counts that */
	gboolean has_stepped; /* QEMU may know of one that it stops after its next instruction */
	guint n_stops;        /* since they were told, once it stands: not those for orders */
	/* The stub has let go of the guest, and there is nothing that it could tell of:
	 * session-dash.c */
	gboolean is_detached;
} QemuSession;

/* Some bytes of the guest. */
typedef struct {
	guint64 address;
	guint8 bytes[QEMU_MAX_NOP];
	gsize len;
} QemuCode;

/* From one breakpoint to the next. All (borrowed). */
typedef struct {
	guint vcpu; /* that goes on from there */
	guint64 pc;
	const VmifsStopPoint *const *points;
	guint n_points, n_vcpus; /* all that there are */
	int bells[2]; /* the moment is over when the first can be read, or the second has ended */
} QemuDash;

/* The guest stands still then, and has no points of whoever was there before. n_vcpus: as many as
 * may have points, those included that are plugged later. Until somebody sets another end, it has
 * QEMU_SESSION_PATIENCE for all. FALSE: nothing is to be closed. */
gboolean
qemu_session_open(QemuSession *session, QemuMonitor *monitor, guint n_vcpus, const VmifsCall *call,
		  GError **error);
/* Points were taken away. The guest runs on unless it stands by somebody else's wish. FALSE: the
 * guardian does all of that. */
gboolean
qemu_session_close(QemuSession *session, GError **error);
/* The guardian has ended: another one. FALSE: there is none, and the session is to be closed. */
gboolean
qemu_session_guard_anew(QemuSession *session, GError **error);
/* It does not listen any more: the guardian acts. */
void
qemu_session_abandon(QemuSession *session);
/* Nothing is to be taken away: somebody else has the stub by now, or QEMU has ended. */
void
qemu_session_forget(QemuSession *session);

/* Makes it stand still. Stops that came before are found by qemu_session_stop(). */
gboolean
qemu_session_halt(QemuSession *session, GError **error);
/* Lets it run on as far as it did; not while it stands. */
gboolean
qemu_session_go(QemuSession *session, GError **error);
/* The same, and that vCPU from there on; not while one makes steps. */
gboolean
qemu_session_go_from(QemuSession *session, guint vcpu, guint64 pc, GError **error);
/* The same for a moment, and without QEMU forgetting what it has translated: with TCG alone, and
 * when no points are set but those. may_dash: a descriptor for it; -1: not just now. Then it is
 * due. *ret: at which of them it has stopped; with signal 0 it stands for nothing. */
int
qemu_session_may_dash(QemuSession *session);
gboolean
qemu_session_dash(QemuSession *session, int door, const QemuDash *dash, QemuGdbStop *ret,
		  GError **error);
/* ... past the instruction at which that vCPU stands, alone and without these points, of which
 * there may be none. Returns what it stopped for then in *ret, with signal 0 when that step was
 * given up, where it stood (nullable) and where it stands; all points are there again. */
gboolean
qemu_session_step_over(QemuSession *session, guint vcpu, const VmifsStopPoint *const *points,
		       guint n, QemuGdbStop *ret, guint64 *ret_from, guint64 *ret_pc,
		       GError **error);
/* Was the instruction at pc carried out by the step before? An interrupt may have come instead. */
gboolean
qemu_session_was_made(QemuSession *session, guint64 pc, gboolean *ret, GError **error);
/* While it stands still; points of one place are set once. UNSUPPORTED: QEMU refuses. */
gboolean
qemu_session_insert(QemuSession *session, const VmifsStopPoint *point, GError **error);
gboolean
qemu_session_remove(QemuSession *session, const VmifsStopPoint *point, GError **error);
/* All points go, of each vCPU, whichever of them it had; n_vcpus as of qemu_session_open(). */
gboolean
qemu_session_remove_all(QemuSession *session, guint n_vcpus, GError **error);

/* A stop that came; FALSE without error: none. */
gboolean
qemu_session_stop(QemuSession *session, QemuGdbStop *ret, GError **error);

/* ---- of session*.c ---- */

/* An answer has so long from now on. */
void
qemu_session_be_patient(QemuSession *session);
gboolean
qemu_session_expect_ok(QemuSession *session, const char *what, GError **error);
/* "Z1,ffffffff9b54d9e0,1" */
void
qemu_session_wrap_point(GString *out, char letter, const VmifsStopPoint *point);
/* Of a guest that is detached. */
gboolean
qemu_session_attach(QemuSession *session, GError **error);

/* ---- registers ---- */

/* Of the vCPU that stopped. code: (nullable) what it sees at that address; the same for both,
 * between which nothing else is asked. (full) */
gboolean
qemu_session_ask_regs(QemuSession *session, const QemuCode *code, GError **error);
VmifsRegs *
qemu_session_hear_regs(QemuSession *session, QemuCode *code, GError **error);
/* FALSE with error; nothing is there: len is 0. */
gboolean
qemu_session_code(QemuSession *session, QemuCode *code, GError **error);
/* Whether it stands by somebody else's wish; the guardian is told. */
void
qemu_session_note(QemuSession *session, gboolean stands);

G_END_DECLS
