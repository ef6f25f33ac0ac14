/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* points: those that are armed, and which of them a stop is of. */
#pragma once

#include "gdb-stop.h"

G_BEGIN_DECLS

typedef struct {
	guint64 id;
	VmifsStopPoint point;
} QemuPoint;

/* Of QemuPoint. */
typedef GArray QemuPoints;

QemuPoints *
qemu_points_new(void);
static inline const QemuPoint *
qemu_points_at(const QemuPoints *points, guint i)
{
	return &g_array_index(points, QemuPoint, i);
}
/* Is one equal to it? It is set already then. */
gboolean
qemu_points_have(const QemuPoints *points, const VmifsStopPoint *point);
gboolean
qemu_points_have_id(const QemuPoints *points, guint64 id);
/* accel: (nullable) not known: as little as with KVM. UNSUPPORTED: it does not fit beside them. */
gboolean
qemu_points_fit(const QemuPoints *points, const char *accel, const VmifsStopPoint *point,
		GError **error);
/* What a source with that accelerator can do. */
void
qemu_points_caps(const char *accel, VmifsStopCaps *ret);
/* pc: where the vCPU stands that stopped. */
gboolean
qemu_point_is_hit(const VmifsStopPoint *point, const QemuGdbStop *stop, guint64 pc);

G_END_DECLS
