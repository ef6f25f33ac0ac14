/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * find (private): one word of the command line, and the guests that it was found to mean.
 */
#pragma once

#include "keepers.h"
#include "census.h"

#include <spi/finder.h>

G_BEGIN_DECLS

/* One that was told. */
typedef struct {
	char *key;
	char *uuid; /* (nullable) of libvirt's */
	char *name;
	pid_t pid;
	int pidfd;
} QemuFound;

typedef struct {
	VmifsFinderSink sink;
	VmifsMonitorUse use;
	gboolean is_libvirts;  /* only what that daemon has */
	gboolean is_elsewhere; /* on another host */
	int wake;              /* eventfd */
	gint64 patience;       /* until when open() may wait */
	GThread *thread;
	/* Of the thread alone, but before it begins. */
	GArray *guests;     /* of QemuFound */
	QemuCensus *census; /* NULL = no new ones are looked for */
	QemuKeepers *keepers;
	gboolean soon; /* the next look is for one that has only just started */
	char *failure; /* (nullable) what the sink was told last */
	GMutex lock;
	GCond looked;                       /* (lock) */
	gboolean has_looked, is_over, anew; /* (lock) */
} QemuFinder;

/* ---- find.c ---- */

/* FALSE with SOURCE: who may. */
gboolean
qemu_finder_may_read(const QemuTarget *target, GError **error);
/* target: (taken) when TRUE. */
gboolean
qemu_finder_tell(QemuFinder *self, QemuTarget *target, GError **error);
/* The i-th of the guests has gone. */
void
qemu_finder_tell_gone(QemuFinder *self, guint i);
/* Finds the target's monitor, or why there is none. What libvirt keeps is asked through libvirt
 * alone. */
void
qemu_finder_reach(QemuFinder *self, QemuTarget *target);
/* A QEMU that has only just started may not have made its sockets yet, nor its guest's memory; or
 * it is one only for a moment: before it becomes a daemon, or another program. */
gboolean
qemu_finder_may_still_start(const QemuTarget *target);

/* ---- find-process.c: words that mean one ---- */

gboolean
qemu_finder_add_pid(QemuFinder *self, const char *word, GError **error);
gboolean
qemu_finder_add_socket(QemuFinder *self, const char *word, GError **error);

/* ---- find-uri.c: those of one daemon ---- */

gboolean
qemu_finder_add_uri(QemuFinder *self, const char *uri, GError **error);
/* Is it of the daemon that was chosen? */
gboolean
qemu_finder_is_kept(const QemuFinder *self, const QemuTarget *target);
/* Those that were taken for guests of this daemon while it could not be asked, and are another's,
 * or nobody's, have gone. */
void
qemu_finder_drop_strangers(QemuFinder *self);
/* Of another host: what its daemon has told. */
void
qemu_finder_look_elsewhere(QemuFinder *self);

G_END_DECLS
