/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot (private): memory and registers of one moment of a guest that runs, for a picture.
 */
#pragma once

#include "control.h"
#include "monitor.h"
#include "ram.h"

G_BEGIN_DECLS

typedef struct {
	QemuMonitor *monitor; /* (nullable) */
	QemuStop *stop;       /* of that monitor */
	QemuProcess *process;
	QemuRam *ram;
	guint n_vcpus;
} QemuSubject;

/* As VmifsBackend's op. */
gboolean
qemu_snapshot_take(const QemuSubject *subject, VmifsPictureWriter *out, const VmifsCall *call,
		   GError **error);

G_END_DECLS
