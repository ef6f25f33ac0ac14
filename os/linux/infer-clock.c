/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-clock: the timekeeper, whose numbers follow from one another to the nanosecond:
 *
 *   tkr_mono { clock mask cycle_last mult,shift xtime_nsec base base_real } ..
 *   .. xtime_sec ktime_sec .. wall_to_monotonic { sec nsec } offs_real offs_boot offs_tai ..
 *                     (include/linux/timekeeper_internal.h, kernel/time/timekeeping.c, 5.10
 * to 6.12)
 */
#include "infer.h"

#define NS_PER_S G_GUINT64_CONSTANT(1000000000)
#define N_WORDS 32 /* of its beginning; a copy may lie behind it */
#define BASE_AT 5  /* words from its beginning */
#define MAX_SHIFT 32
#define MAX_TAI 3600
#define MAX_SLEPT (NS_PER_S * 86400 * 365 * 100)
/* Of a running guest it may be read while it is written. */
#define TRIES 3

typedef struct {
	guint64 word[N_WORDS];
	gsize wall, xtime, base; /* words */
} Clock;

static gboolean
is_wall(const Clock *c, gsize i)
{
	const guint64 *w = &c->word[i];
	guint64 real = w[2], tai = w[4] - real;

	return real && w[1] < NS_PER_S && real == -(w[0] * NS_PER_S + w[1]) && w[3] < MAX_SLEPT &&
	       tai % NS_PER_S == 0 && tai / NS_PER_S < MAX_TAI;
}

static gboolean
is_xtime(const Clock *c, gsize i)
{
	return c->word[i] && c->word[i + 1] - (c->word[i] + c->word[c->wall]) <= 1;
}

static gboolean
is_base(const LinuxInfer *f, const Clock *c, gsize i)
{
	const guint64 *w = c->word;
	guint64 seconds = w[c->xtime] + w[c->wall];
	guint64 shift = w[i - 2] >> 32;

	return w[i] == seconds * NS_PER_S + w[c->wall + 1] && w[i + 1] == w[i] + w[c->wall + 2] &&
	       shift <= MAX_SHIFT && w[i - 1] >> shift < 2 * NS_PER_S &&
	       linux_infer_is_kernel(f, w[i - BASE_AT]);
}

/* Their order: each is told by those before it. */
static gboolean
look(const LinuxInfer *f, guint64 at, Clock *c)
{
	LinuxOnly wall = { 0 }, xtime = { 0 }, base = { 0 };

	for (gsize i = 0; i < N_WORDS; i++)
		if (!vmifs_aspace_read_u64(f->os->aspace, at + i * 8, &c->word[i], NULL))
			return FALSE;
	for (gsize i = 0; i + 5 <= N_WORDS; i++)
		if (is_wall(c, i))
			linux_only_add(&wall, i);
	c->wall = wall.at;
	for (gsize i = 0; wall.n == 1 && i + 2 <= N_WORDS; i++)
		if (is_xtime(c, i))
			linux_only_add(&xtime, i);
	c->xtime = xtime.at;
	for (gsize i = BASE_AT; xtime.n == 1 && i + 2 <= N_WORDS; i++)
		if (is_base(f, c, i))
			linux_only_add(&base, i);
	c->base = base.at;
	return base.n == 1 && c->base < c->xtime && c->base < c->wall;
}

void
linux_infer_clock(LinuxInfer *f)
{
	guint64 at;
	Clock c;
	guint tries = 0;

	if (f->ptr != 8 || (!linux_symbol(f->os, "tk_core", &at, NULL) &&
			    !linux_symbol(f->os, "timekeeper_data", &at, NULL)))
		return;
	while (!look(f, at, &c)) {
		if (++tries == TRIES || !linux_infer_goes_on(f, N_WORDS)) {
			linux_infer_lacks(f, "timekeeper", "its numbers do not agree");
			return;
		}
	}
	gsize begin = c.base - BASE_AT, xtime = (c.xtime - begin) * 8, wall = (c.wall - begin) * 8;
	/* What stands before it is told by its size. */
	linux_inferred_put(f->table, "seqcount_raw_spinlock", "seqcount", 0, 4);
	linux_inferred_put_size(f->table, "seqcount_raw_spinlock", begin * 8);
	linux_inferred_put(f->table, "timekeeper", "tkr_mono.shift", 28, 4);
	linux_inferred_put(f->table, "timekeeper", "tkr_mono.xtime_nsec", 32, 8);
	linux_inferred_put(f->table, "timekeeper", "xtime_sec", xtime, 8);
	linux_inferred_put(f->table, "timekeeper", "wall_to_monotonic.tv_sec", wall, 8);
	linux_inferred_put(f->table, "timekeeper", "wall_to_monotonic.tv_nsec", wall + 8, 8);
	linux_inferred_put(f->table, "timekeeper", "offs_real", wall + 16, 8);
	linux_inferred_put(f->table, "timekeeper", "offs_boot", wall + 24, 8);
}
