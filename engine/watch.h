/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch (private): the lines of one guest. A thread of their own, which is there from the first
 * line on, makes what is armed agree with what is wanted:
 *
 *   written, read, another boot  ->  plan: a line's points, or why not  ->  arm, disarm
 *   a stop  ->  hit: which lines it is for, what they tell of it  ->  events
 *
 * watch.c: lines, as users see them. watch-plan.c: what a line needs. watch-arm.c: the thread.
 * watch-look.c: what it finds. watch-hit.c: stops. watch-tell.c: their events. watch-caps.c: what
 * can be had at all.
 */
#pragma once

#include "attached.h"
#include "events.h"
#include "rate.h"
#include "watch-line.h"

#include <spi/arch.h>

typedef struct VmifsWatches VmifsWatches;

typedef enum {
	VMIFS_WATCH_NEW,  /* the thread has not seen it yet */
	VMIFS_WATCH_IDLE, /* nobody reads events */
	VMIFS_WATCH_ARMED,
	VMIFS_WATCH_PAUSED,  /* it stopped the guest too often; until there is room again */
	VMIFS_WATCH_WAITING, /* for what is not there yet: see why */
	VMIFS_WATCH_REFUSED, /* see why */
	VMIFS_WATCH_DONE,    /* its count is reached */
} VmifsWatchState;

/* Of all lines together: no source has to take more. */
#define VMIFS_WATCH_MAX_POINTS 1024

/* What a line comes to in one boot of the guest. */
typedef struct {
	VmifsWatchState state;
	char *why; /* (full) of those two */
	gboolean lacks_symbol;
	GArray *points; /* of VmifsStopPoint */
	VmifsTask task; /* only in its address space, with these roots ... */
	guint n_roots;  /* ... 0 = in any */
	guint64 roots[VMIFS_TASK_ROOTS];
} VmifsWatchPlan;

/* What was last seen written to the register of one vCPU. */
typedef struct {
	gboolean is_known;
	guint64 value;
} VmifsWatchWritten;

typedef struct {
	gatomicrefcount refs;
	VmifsWatchLine line; /* has a name */

	/* Guarded by the lock of its VmifsWatches. */
	gboolean removed;
	VmifsWatchPlan plan;
	guint planned_for;  /* the boot that the plan is for; 0 = none yet */
	guint planned_text; /* and the text of its kernel */
	guint64 planned_try;
	gboolean had_points; /* it could be armed once: what it lacks may come again */
	gboolean is_awaited; /* by its writer, who is told by an error */
	char *told;          /* (full) (nullable) the last why that anybody was told */
	/* For the thread, by stops: its count is reached; why it is not armed any more. */
	gboolean is_done;
	char *lost; /* (full) */
	guint64 hits, filtered;
	/* What stood in memory when it was last looked at. */
	gboolean has_value;
	guint64 value, value_root;
	GArray *written; /* of VmifsWatchWritten, by vCPU: since all its points were armed */
} VmifsWatch;

typedef struct {
	guint64 id;
	VmifsStopPoint point;
} VmifsWatchArmed;

struct VmifsWatches {
	VmifsGuest *guest; /* (borrowed) */
	VmifsEvents *events;
	GThread *thread;
	gint wanted;   /* atomic; somebody reads events */
	gint stopping; /* atomic */
	/* The thread's. */
	guint64 modules;      /* a sum of those that there were; 0 = not known */
	guint64 modules_look; /* as of which of `looks` */

	GMutex wake_lock; /* guards those up to `looks`; nothing else is locked while it is held */
	GCond wake;
	guint64 asked; /* so often something has changed */
	guint64 tries; /* so often for which what was refused is tried again */
	guint64 looks; /* so often modules may have come or gone */

	GMutex lock; /* guards what follows; not held across calls of the backend or of events */
	GCond settled;
	guint64 done;     /* what was asked so often has been done */
	GPtrArray *lines; /* of VmifsWatch, in the order they were written */
	guint n_named;    /* the last of w1, w2, ... */
	guint n_texts;    /* so often the kernel has got other code */
	GArray *armed;    /* of VmifsWatchArmed */
	guint64 last_id;
	VmifsAttached *attached; /* (nullable) that the plans were made with */
	VmifsSymbols *symbols;   /* (nullable) of it */
	guint max_rate;          /* stops a second; 0 = any */
	VmifsRate rate;          /* while it pauses no point is armed */

	gboolean comes; /* the stops' own: an epoch has begun for the one that is told next */
};

/* ---- watch.c ---- */

void
vmifs_watch_unref(gpointer watch);
/* Of a guest, as long as that lives; NULL: nothing was ever written. (borrowed) */
VmifsWatches *
vmifs_guest_watches(VmifsGuest *guest);
/* Something has changed that may let what was refused be had. From any thread; never waits. Returns
 * what `done` will then have reached. */
guint64
vmifs_watches_kick(VmifsWatches *watches);
/* Something else has changed: a guest that stops often does not have refused lines tried each time,
 * of which one of `reg` looks through all of its kernel's text. */
void
vmifs_watches_wake(VmifsWatches *watches);
/* A module may have, while nobody looked. From any thread; never waits. */
void
vmifs_watches_look_at_modules(VmifsWatches *watches);
/* A module has come or gone. From any thread; never waits. */
void
vmifs_watches_code_changed(VmifsGuest *guest);
/* Ends the thread and disarms everything; whoever waits is let go. */
void
vmifs_watches_stop(VmifsWatches *watches);
void
vmifs_watches_free(VmifsWatches *watches);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsWatches, vmifs_watches_free)
void
vmifs_watch_plan_clear(VmifsWatchPlan *plan);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VmifsWatchPlan, vmifs_watch_plan_clear)
/* The words that users read: "armed", ... (static) */
const char *
vmifs_watch_state_word(VmifsWatchState state);

/* ---- watch-plan.c ---- */

/* Comes out IDLE, WAITING or REFUSED. caps: (nullable) there are none, says why_caps. */
void
vmifs_watch_make_plan(VmifsGuest *guest, const VmifsWatchLine *line, VmifsAttached *attached,
		      VmifsSymbols *symbols, const VmifsStopCaps *caps, const char *why_caps,
		      const VmifsCall *call, VmifsWatchPlan *ret);
/* Roots of a process, as page-table registers have them; 0 with error. ret: of VMIFS_TASK_ROOTS. */
guint
vmifs_watch_task_roots(const VmifsInstance *instance, const VmifsTask *task, guint64 *ret,
		       GError **error);
/* Of the architecture that has such registers; NULL: of none that is known. (static) */
const VmifsArchRegs *
vmifs_watch_names(const VmifsRegs *regs);
/* Of the one that walks such tables. */
const VmifsArchRegs *
vmifs_watch_names_of(const VmifsAspace *aspace);
/* Those of that kernel (nullable), if they are among regs, which may have others' as well. */
const VmifsArchRegs *
vmifs_watch_names_in(const VmifsRegs *regs, const VmifsAspace *kernel);
gboolean
vmifs_stop_point_equal(const VmifsStopPoint *a, const VmifsStopPoint *b);
/* points: of VmifsStopPoint */
gboolean
vmifs_stop_points_have(const GArray *points, const VmifsStopPoint *point);

/* ---- watch-arm.c ---- */

/* The thread. */
gpointer
vmifs_watches_run(gpointer watches);

/* ---- watch-hit.c ---- */

/* VmifsStopped and VmifsUnarmed; engine is the VmifsWatches. */
VmifsStopVerdict
vmifs_watches_stopped(gpointer engine, const VmifsStop *stop);
void
vmifs_watches_unarmed(gpointer engine, guint64 id, const char *why);

/* ---- watch-tell.c ---- */

/* Remembers what stands where a line watches memory, before it is armed, and forgets what was
 * written to its register before. */
void
vmifs_watch_remember(VmifsWatches *watches, VmifsWatch *watch, VmifsAttached *attached);
