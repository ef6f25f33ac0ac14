/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gdb-stop: what a gdbstub tells of a stop: of which vCPU, why, and what its registers hold. */
#pragma once

#include "gdb-target.h"

#include <spi/backend.h>

G_BEGIN_DECLS

/* What gdb calls signals. */
#define QEMU_GDB_INT 2  /* a pause */
#define QEMU_GDB_TRAP 5 /* a point, or a step: the one thing that stops it by our wish */

typedef struct {
	guint signal;
	guint vcpu;         /* 0 where it does not say */
	gboolean is_memory; /* address and kind are told */
	VmifsStopKind kind; /* READ, WRITE, ACCESS */
	guint64 address;    /* of the point */
} QemuGdbStop;

/* "T05thread:01;watch:ffffffff9cc079c0;" FALSE with CORRUPT. */
gboolean
qemu_gdb_stop_parse(const char *text, QemuGdbStop *ret, GError **error);

/* What "g" tells: each register of the target in the order of their numbers, as many bytes as it
 * has, in hex. Those of more than 64 bits are passed over, and those that it does not tell.
 * Returns: (full) NULL with CORRUPT. */
VmifsRegs *
qemu_gdb_regs_parse(const QemuGdbTarget *target, const char *hex, gsize len, GError **error);

/* Of the same: what "p" tells of one. */
gboolean
qemu_gdb_value_parse(const char *hex, gsize len, guint bits, guint64 *ret);

G_END_DECLS
