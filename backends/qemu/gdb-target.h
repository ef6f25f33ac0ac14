/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gdb-target: what a gdbstub tells of its target: documents in XML, which say which register has
 * which number.
 */
#pragma once

#include <glib.h>
#include <vmifs/regs.h>

G_BEGIN_DECLS

typedef struct {
	char name[VMIFS_REG_NAME_LEN]; /* lower case; empty: that is too long for it */
	guint number;
	guint bits;
	gboolean is_system; /* ARM's, which the monitor does not tell */
} QemuGdbReg;

/* The registers of a target, of QemuGdbReg; architecture: (nullable). */
typedef struct {
	GArray *regs;
	char *architecture;
} QemuGdbTarget;

/* One document of the description of a target, which continues what was told before. includes: of
 * char *, appended to: those that come after it, in this order. FALSE with CORRUPT. */
gboolean
qemu_gdb_describe(QemuGdbTarget *target, const char *xml, gsize len, GPtrArray *includes,
		  GError **error);
void
qemu_gdb_target_init(QemuGdbTarget *target);
void
qemu_gdb_target_clear(QemuGdbTarget *target);
/* By gdb's name, or, of a processor in 32-bit mode, by that of its lower half. (borrowed) NULL:
 * there is none. */
const QemuGdbReg *
qemu_gdb_target_find(const QemuGdbTarget *target, const char *name);
/* Does the guest stop before an access that is watched, and not behind it? */
gboolean
qemu_gdb_target_stops_before(const QemuGdbTarget *target);
/* The one that says where a vCPU is. */
const QemuGdbReg *
qemu_gdb_target_pc(const QemuGdbTarget *target);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(QemuGdbTarget, qemu_gdb_target_clear)

G_END_DECLS
