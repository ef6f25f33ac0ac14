/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stub: registers are set by QEMU's gdbstub, as its monitor cannot. The stub is started for a
 * moment over a socket pair of our own, so that there is no file and no port that somebody else
 * could reach; the guest stands still meanwhile, and a guardian ends both if vmifs does not.
 */
#pragma once

#include "monitor.h"

/* Errors as of QemuMonitorOps.ask; UNSUPPORTED: nobody can set that register, or somebody has the
 * stub; INVALID: it has fewer bits; IO: QEMU made it something else. */
gboolean
qemu_stub_set_register(QemuMonitor *monitor, guint vcpu, const char *name, guint64 value,
		       const VmifsCall *call, GError **error);
