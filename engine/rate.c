/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rate: see rate.h. */
#include "rate.h"

#include <string.h>

#define N_COUNTS (VMIFS_RATE_PARTS + 1)
#define PART_US (G_USEC_PER_SEC / VMIFS_RATE_PARTS)

/* Forgets what is more than a second ago. */
static void
move_to(VmifsRate *rate, guint64 part)
{
	if (part < rate->part || part - rate->part >= N_COUNTS) {
		memset(rate->counts, 0, sizeof rate->counts);
		rate->part = part;
	}
	while (rate->part < part)
		rate->counts[++rate->part % N_COUNTS] = 0;
}

static guint64
sum(const VmifsRate *rate)
{
	guint64 n = 0;

	for (guint i = 0; i < N_COUNTS; i++)
		n += rate->counts[i];
	return n;
}

/* When there is room for half of them again. */
static gint64
find_end(const VmifsRate *rate, guint most)
{
	guint64 left = sum(rate);
	guint64 i = 1;

	/* The oldest of them stands behind the running one, and goes when the next one begins. */
	while (i < N_COUNTS && (left -= rate->counts[(rate->part + i) % N_COUNTS]) > most / 2)
		i++;
	return (gint64) (rate->part + i) * PART_US;
}

VmifsRateVerdict
vmifs_rate_count(VmifsRate *rate, guint most, gint64 now)
{
	gboolean was_paused = vmifs_rate_is_paused(rate, now);

	if (!most)
		return VMIFS_RATE_BORNE;
	move_to(rate, (guint64) now / PART_US);
	rate->counts[rate->part % N_COUNTS]++;
	guint64 n = sum(rate);
	if (!was_paused && n < most)
		return VMIFS_RATE_BORNE;
	rate->until = find_end(rate, most);
	return !was_paused && n == most ? VMIFS_RATE_LAST : VMIFS_RATE_TOO_MANY;
}

gboolean
vmifs_rate_is_paused(VmifsRate *rate, gint64 now)
{
	if (rate->until && now >= rate->until)
		rate->until = 0;
	return rate->until != 0;
}
