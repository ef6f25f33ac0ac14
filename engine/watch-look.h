/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch-look (private): what there is when the thread of watch-arm.c looks: lines, what the source
 * can do, the kernel and its code, as they are then.
 */
#pragma once

#include "connection.h"
#include "watch.h"

G_BEGIN_DECLS

/* How long the guest may take to tell its symbols. */
#define VMIFS_WATCH_SYMBOLS_US (10 * G_USEC_PER_SEC)

typedef struct {
	VmifsWatches *watches;
	VmifsConnection *connection;
	GPtrArray *lines; /* of VmifsWatch, as they are now */
	VmifsAttached *attached;
	VmifsSymbols *symbols;
	VmifsStopCaps caps;
	char *no_caps; /* why there are none */
	guint boot, text;
	guint64 try, look;
	gboolean wanted;
	gint64 until;   /* it pauses to then; 0 = it does not */
	GArray *points; /* of VmifsStopPoint: that are to be armed */
} VmifsWatchLook;

static inline VmifsCall
vmifs_watch_look_call(const VmifsWatchLook *look, gint64 time)
{
	return (VmifsCall){ .deadline = g_get_monotonic_time() + time,
			    .cancelled = &look->watches->stopping };
}

void
vmifs_watch_look_init(VmifsWatchLook *look, VmifsWatches *watches);
void
vmifs_watch_look_clear(VmifsWatchLook *look);
/* Something it depends on is not as when its plan was made. */
gboolean
vmifs_watch_look_needs_plan(const VmifsWatchLook *look, const VmifsWatch *watch);

G_END_DECLS
