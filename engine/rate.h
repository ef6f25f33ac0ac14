/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rate (private): no more than so many in any second, whenever that begins, in memory that does not
 * depend on how many: they are counted by sixteenths, and those of the last second, the sixteenth
 * in which it began included, are not more than the bound. Who has reached it pauses until there is
 * room for half of them, so that it is not reached again at once. Pure: the caller has the clock.
 */
#pragma once

#include <glib.h>

#define VMIFS_RATE_PARTS 16

typedef struct {
	guint64 part;                       /* the running sixteenth of the clock */
	guint counts[VMIFS_RATE_PARTS + 1]; /* of the last ones, by their remainder */
	gint64 until;                       /* it pauses to then; 0 = it does not */
} VmifsRate;

/* Of what is not to be held back. */
void
vmifs_rate_add(VmifsRate *rate, guint n, gint64 now);

typedef enum {
	VMIFS_RATE_BORNE,
	VMIFS_RATE_LAST, /* borne, but a pause begins with it */
	VMIFS_RATE_TOO_MANY,
} VmifsRateVerdict;

/* n more (of 1 and 2 the bound is kept). most: in a second; 0 = any number. now: in microseconds,
 * >= 0. */
VmifsRateVerdict
vmifs_rate_count(VmifsRate *rate, guint n, guint most, gint64 now);
/* Ends a pause that is over. */
gboolean
vmifs_rate_is_paused(VmifsRate *rate, gint64 now);
