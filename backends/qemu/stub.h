/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stub: QEMU's gdbstub, by which registers are set, as its monitor cannot, and the guest is
 * watched. It is started over a socket pair of our own, so that there is no file and no port that
 * somebody else could reach, and a guardian ends it if vmifs does not. The guest stands still from
 * then on until it is told otherwise.
 */
#pragma once

#include "control.h"
#include "gdb-target.h"
#include "gdb.h"

typedef struct {
	QemuMonitor *monitor;
	char *id; /* of its character device */
	int fd;   /* our end */
	int guard;
	gboolean ran;          /* the guest did before */
	gboolean was_at_point; /* or stood at somebody's */
	/* (nullable) Entered; without a farewell: what the guardian has yet to do is left to it. */
	QemuStop *stop;
	/* (nullable) (borrowed) Of one that is held: it is let go of by its own protocol, before
	 * qemu_stub_close(), and the guardian does so as well. Else it is open for a moment, in
	 * which nothing is set but registers, and the monitor lets the guest run on. */
	QemuFarewell *farewell;
} QemuStub;

/* Nobody has it. FALSE with UNSUPPORTED, or as QemuMonitorOps.ask. */
gboolean
qemu_stub_is_free(QemuMonitor *monitor, const VmifsCall *call, GError **error);
/* stub: all zero but for monitor, stop and farewell, whose descriptor is filled in. Errors as of
 * QemuMonitorOps.ask; UNSUPPORTED: somebody has it, or nobody could end it if vmifs ended. */
gboolean
qemu_stub_open(QemuStub *stub, const VmifsCall *call, GError **error);
/* The guardian has ended: another one. FALSE with error: there is none. */
gboolean
qemu_stub_guard_anew(QemuStub *stub, GError **error);
/* Also when all of that has failed. FALSE with error: the guardian goes on trying. */
gboolean
qemu_stub_close(QemuStub *stub, GError **error);
/* It does not listen any more: the guardian acts. */
void
qemu_stub_abandon(QemuStub *stub);
/* Somebody else has it by now, or QEMU has ended: nothing is to be undone. */
void
qemu_stub_forget(QemuStub *stub);
/* target: that of an architecture that is known, all of whose registers it knows afterwards. */
gboolean
qemu_stub_learn(QemuGdb *gdb, QemuGdbTarget *target, GError **error);

/* Adds what the monitor does not tell: registers of the system, of ARM. Of a guest that stands
 * still by a user's wish, and goes on doing so: it has no debugger meanwhile but this. Errors as
 * below; UNSUPPORTED also: it does not stand still. */
gboolean
qemu_stub_system_registers(QemuStop *stop, guint vcpu, VmifsRegs *regs, const VmifsCall *call,
			   GError **error);
/* stop: of the guest, which no user lets run meanwhile. Errors as of QemuMonitorOps.ask;
 * UNSUPPORTED: nobody can set that register, or somebody has the stub; INVALID: it has fewer bits;
 * IO: QEMU made it something else. */
gboolean
qemu_stub_set_register(QemuStop *stop, guint vcpu, const char *name, guint64 value,
		       const VmifsCall *call, GError **error);
