/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * turns (private): who may have a guest stop and run just now. The gdbstub serves one; a snapshot
 * and points that are armed both let the guest stop and run, and know nothing of each other.
 */
#pragma once

#include "debug.h"

typedef enum {
	QEMU_TURN_ARMING,    /* points; waits for registers, which take a moment */
	QEMU_TURN_REGISTERS, /* are set, or read, by the stub */
	QEMU_TURN_SNAPSHOT,
	QEMU_N_TURNS
} QemuTurn;

typedef struct {
	GMutex lock;
	GCond over;
	guint n[QEMU_N_TURNS]; /* that are going on */
} QemuTurns;

void
qemu_turns_init(QemuTurns *turns);
void
qemu_turns_clear(QemuTurns *turns);
/* debug: (nullable) what the guest is watched with. FALSE with UNSUPPORTED: who else has it. */
gboolean
qemu_turns_begin(QemuTurns *turns, QemuTurn turn, QemuDebug *debug, GError **error);
void
qemu_turns_end(QemuTurns *turns, QemuTurn turn);
