/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * regs: the registers of one vCPU as its source tells them: names and numbers, in the source's
 * order. Names are lower case, as gdb has them ("rip", "cr3", "fs_base"); the engine attaches no
 * meaning to them. A register of more than 64 bits comes in parts, lowest first: "xmm0_0",
 * "xmm0_1". What a source does not tell is not there.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define VMIFS_REG_NAME_LEN 24 /* NUL included */
#define VMIFS_MAX_REGS 1024   /* of one vCPU */
#define VMIFS_MAX_VCPUS 8192

typedef struct VmifsRegs VmifsRegs;

typedef struct {
	char name[VMIFS_REG_NAME_LEN];
	guint64 value;
} VmifsReg;

VmifsRegs *
vmifs_regs_new(void);
VmifsRegs *
vmifs_regs_ref(VmifsRegs *regs);
void
vmifs_regs_unref(VmifsRegs *regs);

/* For whoever made it, before it is shared: adds the register, or gives it another value. FALSE:
 * the name is empty, too long, not of a-z 0-9 _, or there are VMIFS_MAX_REGS already. */
gboolean
vmifs_regs_set(VmifsRegs *regs, const char *name, guint64 value);
/* FALSE: the source does not tell it. */
gboolean
vmifs_regs_get(const VmifsRegs *regs, const char *name, guint64 *ret);
/* ret_n: how many. Returns: (borrowed) */
const VmifsReg *
vmifs_regs_all(const VmifsRegs *regs, gsize *ret_n);
/* Appends a line for each: "vcpu0 rip 0xffffffff81000000". */
void
vmifs_regs_text(const VmifsRegs *regs, guint vcpu, GString *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsRegs, vmifs_regs_unref)

G_END_DECLS
