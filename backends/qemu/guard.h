/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guard: what vmifs changes of a guest for a moment is undone however vmifs ends: a guardian, a
 * process in a session of its own, says the words that undo it when the pipe to vmifs breaks.
 */
#pragma once

#include "monitor.h"

/* How a gdbstub that holds the guest is let go of, over its own socket. Each of these is said, and
 * then its answer waited for among what comes: farewell.h. */
typedef struct {
	int fd;
	/* Nothing is waited for after this one. It may have been detached from a guest that runs
	 * (session-dash.c), and bear no other question. Not where it stands still by somebody
	 * else's wish. */
	char *attach;
	/* It listens afterwards, whatever it was being told, and the guest stands still. */
	char *settle;
	/* No vCPU stops after its next instruction. */
	char *unstep;
	/* Nothing is left in the guest, and it runs; or, when it stood still by somebody else's
	 * wish (qemu_guard_tell()), and instead of both, does so still. */
	char *release;
	char *clear;
	const char *settled, *unstepped, *released, *cleared; /* (static) */
} QemuFarewell;

/* What it is to do; words are arrays of {"execute": ..., "arguments": ...}. All (borrowed). */
typedef struct QemuDuty {
	/* A pipe that is to be read to its end first, lest who writes to it be kept waiting or see
	 * it broken; -1 = none. */
	int stream;
	/* (nullable) Said when nothing comes out of it for a while, whatever the answer: has QEMU
	 * close what it does not use. */
	const json_t *silent;
	/* (nullable) Said before the words. */
	const QemuFarewell *farewell;
	/* (nullable) Said in the end, and once more where one of them is refused. */
	const json_t *words;
	/* Then the guest is let run, if it stands as a stop of ours leaves it. */
	gboolean lets_run;
	/* (with farewell) Instead of all three, and then the guest is let run, as it may stand at a
	 * point of ours: see qemu_guard_tell_leaving(). */
	const json_t *parting;
	/* After so long the guardian ends, and before it for the stream; 0: as long as that may
	 * need. */
	guint seconds;
} QemuDuty;

/* Starts a guardian and arms it. Returns: (full) -1 with UNSUPPORTED where this way to the monitor
 * has none, or IO. */
int
qemu_guard_arm(QemuMonitor *monitor, const QemuDuty *duty, GError **error);
/* Does the guest stand still by somebody else's wish? Until it is told, it does not. */
void
qemu_guard_tell(int guard, gboolean stands);
/* The farewell is being said by vmifs itself, or was: QEMU does not survive it twice. Nothing is
 * left in the guest then; whether it runs is known when that is over. */
void
qemu_guard_tell_leaving(int guard, gboolean is_over);
/* It has nothing to do any more. guard: (taken). FALSE with IO: it may act. */
gboolean
qemu_guard_disarm(int guard, GError **error);
/* It acts now. guard: (taken) */
void
qemu_guard_leave(QemuMonitor *monitor, int guard);
/* The same, of one without a farewell, and (borrowed): it can be called off. */
void
qemu_guard_act(QemuMonitor *monitor, int guard);
/* It acts, but the guest is not to be let run any more: whatever QEMU is told from now on, it is
 * told after that, unless there are words still to be said. guard: (taken) */
void
qemu_guard_call_off(int guard);

/* ---- for ways to a monitor ---- */

/* How one reaches QEMU: by a monitor's socket, or by a program that is run with each of the words
 * as its last argument, and prints what QEMU said. */
typedef struct {
	int pin;                    /* the socket, of O_PATH; -1: a program */
	const char *const *program; /* (nullable) its path, its arguments, NULL */
} QemuGuardWay;

/* Starts one; as qemu_guard_arm() has it, but not yet armed. */
int
qemu_guard_start(const QemuGuardWay *way, const QemuDuty *duty, GError **error);

/* What it is told through the pipe. */
#define QEMU_GUARD_ARM 'a'
#define QEMU_GUARD_STANDS 's' /* of a guest that stands still: it is not let run */
#define QEMU_GUARD_LEAVES 'l' /* armed: the parting words */
#define QEMU_GUARD_LEFT 'w'   /* armed: the words, and no farewell */
#define QEMU_GUARD_ACT 'g'    /* as the end of the pipe, but that it can be disarmed still */
#define QEMU_GUARD_DISARM 'd'
