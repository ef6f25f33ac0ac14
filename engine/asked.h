/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * asked: the registers (and translations) that one discovery asks its source for. Each claim of
 * each driver is held against them: what was told a moment ago answers, and who did not answer is
 * not asked again, as memory tells of a kernel without them, too.
 */
#pragma once

#include "physmem.h"

typedef struct VmifsAsked VmifsAsked;

/* mem, call: (borrowed) outlive it. */
VmifsAsked *
vmifs_asked_new(VmifsPhysmem *mem, const VmifsCall *call);
void
vmifs_asked_free(VmifsAsked *asked);

/* (full) NULL when they are not to be had within a moment. Thread-safe. */
VmifsRegs *
vmifs_asked_regs(VmifsAsked *asked, guint vcpu);

/* Where that vCPU finds an address; FALSE when that is not to be had likewise. */
gboolean
vmifs_asked_translate(VmifsAsked *asked, guint vcpu, guint64 va, guint64 *ret_pa);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsAsked, vmifs_asked_free)
