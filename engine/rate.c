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

void
vmifs_rate_add(VmifsRate *rate, guint n, gint64 now)
{
	move_to(rate, (guint64) now / PART_US);
	guint *count = &rate->counts[rate->part % N_COUNTS];
	*count = n < G_MAXUINT - *count ? *count + n : G_MAXUINT;
}

VmifsRateVerdict
vmifs_rate_count(VmifsRate *rate, guint n, guint most, gint64 now)
{
	gboolean was_paused = vmifs_rate_is_paused(rate, now);
	/* Before the next one is told there are up to two more. */
	guint bound = MAX(most, 2) - 1;

	if (!most)
		return VMIFS_RATE_BORNE;
	vmifs_rate_add(rate, n, now);
	if (!was_paused && sum(rate) < bound)
		return VMIFS_RATE_BORNE;
	rate->until = find_end(rate, bound);
	return was_paused ? VMIFS_RATE_TOO_MANY : VMIFS_RATE_LAST;
}

gboolean
vmifs_rate_is_paused(VmifsRate *rate, gint64 now)
{
	if (rate->until && now >= rate->until)
		rate->until = 0;
	return rate->until != 0;
}
