/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch-hit: from a stop to events. The guest stands still meanwhile: what is read is of the
 * moment, and must be little. watch-hit.c finds what is known of the stop, and which lines it is
 * for; watch-tell.c makes events of it.
 */
#pragma once

#include "aspace.h"
#include "watch.h"

G_BEGIN_DECLS

/* Of what is read from a source that is not mapped. */
#define VMIFS_WATCH_READ_US (100 * G_TIME_SPAN_MILLISECOND)

/* A stop with what is known of it. */
typedef struct {
	const VmifsStop *stop;
	VmifsStopPoint point;
	GPtrArray *lines; /* of VmifsWatch: that want it */
	VmifsAttached *attached;
	VmifsSymbols *symbols;
	const VmifsArchRegs *names; /* (nullable) */
	gboolean has_root;
	guint64 root;
	VmifsAspace *aspace; /* (nullable) the one that was current */
	gboolean has_task;
	VmifsTask task;
	gboolean has_write; /* of a register, by the instruction that it stands at */
	VmifsArchWrite write;
	/* Of its lines that ask the OS: they all ask for the same, as it is at its point. */
	gboolean has_os_event;
	VmifsOsEvents os_events;
	VmifsOsEvent os_event;
} VmifsWatchHit;

/* It asks the OS what happens at its points. */
static inline gboolean
vmifs_watch_is_of_os(const VmifsWatch *watch)
{
	return watch->line.kind == VMIFS_WATCH_TASK || watch->line.kind == VMIFS_WATCH_MODULE;
}

/* The event of a line that the stop passes. */
void
vmifs_watch_tell(const VmifsWatchHit *hit, VmifsWatches *watches, VmifsWatch *watch);
/* Of registers, what was written there last. */
void
vmifs_watch_forget_written(VmifsWatches *watches, VmifsWatch *watch);

G_END_DECLS
