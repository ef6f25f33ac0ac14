/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * census: which processes of this host are QEMUs. Nothing that tells of new ones works everywhere,
 * so /proc is looked at about once a second, as cheaply as can be: most looks only ask for the
 * numbers that were given out since the last one. A process is looked into when it is new, and then
 * ever more rarely: what starts a QEMU may become it late.
 */
#pragma once

#include "target.h"

G_BEGIN_DECLS

/* After its first, a process is looked into 1, 2, 4 ... looks later, and then all 16, at which all
 * of them are listed. */
#define QEMU_CENSUS_RARELY 16

typedef struct QemuCensus QemuCensus;

QemuCensus *
qemu_census_new(void);
void
qemu_census_free(QemuCensus *census);

typedef enum {
	QEMU_CENSUS_OTHER, /* looked into again as any process is */
	QEMU_CENSUS_LATER, /* by the next look */
	QEMU_CENSUS_TAKEN, /* not told again before it is forgotten */
} QemuCensusVerdict;

/* target: (taken) when TAKEN, else (borrowed). */
typedef QemuCensusVerdict (*QemuCensusTake)(gpointer user, QemuTarget *target);

/* One look. all: into every process, however often it was looked into before. */
void
qemu_census_look(QemuCensus *census, gboolean all, QemuCensusTake take, gpointer user);
/* The process that was taken has ended. */
void
qemu_census_forget(QemuCensus *census, pid_t pid);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuCensus, qemu_census_free)

G_END_DECLS
