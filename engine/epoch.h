/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * epoch (private): one counter per connection that says how stale things may be: what was made in
 * an earlier epoch is made anew. That of a frozen guest never moves; that of a running one moves
 * when somebody asks and cache_ms have passed since it last moved, and at once when something is
 * known to have changed. No timer runs.
 */
#pragma once

#include <glib.h>

typedef struct {
	guint now;         /* atomic */
	gboolean is_live;  /* FALSE: never moves by time */
	gint64 max_age_us; /* 0 = every caller gets an epoch of its own */
	gint64 moved;      /* when, as g_get_monotonic_time(); atomic */
	gboolean is_brief; /* the next is expected soon; atomic */
} VmifsEpoch;

static inline guint
vmifs_epoch_now(const VmifsEpoch *epoch)
{
	return __atomic_load_n(&epoch->now, __ATOMIC_ACQUIRE);
}

/* The number first: who sees that it has just moved is to see it, too. */
static inline void
vmifs_epoch_move(VmifsEpoch *epoch)
{
	gint64 now = g_get_monotonic_time();

	__atomic_store_n(&epoch->is_brief, FALSE, __ATOMIC_RELAXED);
	__atomic_fetch_add(&epoch->now, 1, __ATOMIC_ACQ_REL);
	__atomic_store_n(&epoch->moved, now, __ATOMIC_RELEASE);
}

/* At a stop: there may be thousands a second, and reading ahead is not worth it. */
static inline void
vmifs_epoch_move_briefly(VmifsEpoch *epoch)
{
	vmifs_epoch_move(epoch);
	__atomic_store_n(&epoch->is_brief, TRUE, __ATOMIC_RELAXED);
}

static inline gboolean
vmifs_epoch_is_brief(const VmifsEpoch *epoch)
{
	return __atomic_load_n(&epoch->is_brief, __ATOMIC_RELAXED);
}

/* Before the first look at something that may be cached; of many that come too late at the same
 * time, one moves it, or a few, and for each it has moved since it came. */
static inline void
vmifs_epoch_touch(VmifsEpoch *epoch)
{
	guint epoch_now = vmifs_epoch_now(epoch);
	gint64 now;

	if (!epoch->is_live)
		return;
	now = g_get_monotonic_time();
	if (now - __atomic_load_n(&epoch->moved, __ATOMIC_ACQUIRE) >= epoch->max_age_us &&
	    __atomic_compare_exchange_n(&epoch->now, &epoch_now, epoch_now + 1, FALSE,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		__atomic_store_n(&epoch->is_brief, FALSE, __ATOMIC_RELAXED);
		__atomic_store_n(&epoch->moved, now, __ATOMIC_RELEASE);
	}
}
