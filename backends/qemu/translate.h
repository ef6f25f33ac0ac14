/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * translate: "gva2gpa", QEMU's own walk of the tables that a vCPU has, without stopping the guest.
 * It has the rights that the vCPU has at that moment.
 */
#pragma once

#include "monitor.h"

/* HOLE: nothing is there for that vCPU; UNSUPPORTED: this QEMU cannot; else as QemuMonitorOps.ask.
 */
gboolean
qemu_translate(QemuMonitor *monitor, guint vcpu, guint64 va, guint64 *ret_pa, const VmifsCall *call,
	       GError **error);
