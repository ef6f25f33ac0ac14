/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sharers (private): who can write to memory of a guest that lies in files, behind its QEMU's back.
 */
#pragma once

#include "monitor.h"
#include "ram.h"

G_BEGIN_DECLS

/* May nobody but QEMU write to the blocks of it that are shared files, and QEMU only where the
 * blocks are? FALSE with UNSUPPORTED: somebody may, or it cannot be told; or with what the monitor
 * fails with. */
gboolean
qemu_sharers_none(const QemuRam *ram, QemuProcess *process, QemuMonitor *monitor,
		  const VmifsCall *call, GError **error);

G_END_DECLS
