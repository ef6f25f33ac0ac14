/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scan: the pass. A cursor, behind a lock, hands out windows of data; a worker searches one, then
 * the few bytes on both sides of its seams with what lies around it:
 *
 *   region  |  window  |  window  |   hole   |  window  |
 *                      ^ seam     ^ seam     ^ seam: read again, with the zeros of the hole
 *
 * Mapped windows are faulted in at once. Up to a bound they stay: whoever walks page tables next
 * finds them there. Beyond it each is given back, so that a large guest does not become our memory.
 */
#include "scan.h"

#include "match.h"
#include "physmem.h"
#include "regions.h"

#define PAGE 4096
#define WINDOW ((guint64) 4 << 20)
#define READ_WINDOW                                                                                \
	((guint64) 1 << 20) /* of sources that are not mapped: a buffer for each thread */
#define KEEP ((guint64) 1 << 30)
#define MAX_THREADS 8

typedef struct {
	const VmifsRegion *region;
	guint64 at; /* bytes from its start */
	gsize len;
	const guint8 *data; /* NULL = to be read */
	gboolean after_hole;
} Window;

typedef struct {
	gsize pattern;
	guint64 pa;
} Hit;

/* How many of a pattern were met in the piece of memory that it was met in last. */
typedef struct {
	guint64 piece;
	guint n;
} Count;

typedef struct {
	VmifsPhysmem *mem;
	const VmifsMatcher *matcher;
	gsize n_patterns;
	VmifsScanKeep keep_hit; /* (nullable) */
	gpointer user;
	gboolean heads;
	gboolean keep;
	const VmifsCall *call;
	gint *progress;

	GMutex lock; /* of what follows */
	const VmifsRegion *region, *end;
	guint64 last; /* the last address to look at */
	guint64 at;   /* of the cursor in its region */
	gboolean after_hole;
	guint64 done, total; /* bytes of RAM */
	GError *error;       /* why the pass was cut short */
	GArray *hits;        /* of Hit */
	VmifsScanReport report;
} Scan;

typedef struct {
	Scan *scan;
	guint8 *buf; /* READ_WINDOW bytes, made when first needed */
	GArray *hits;
	Count *counts; /* for each pattern */
	VmifsScanReport report;
} Worker;

/* ---- the cursor ---- */

static void
advance(Scan *scan, guint64 len)
{
	scan->at += len;
	scan->done += len;
	if (scan->at == scan->region->len) {
		scan->region++;
		scan->at = 0;
		scan->after_hole = FALSE;
	}
	if (scan->progress)
		g_atomic_int_set(scan->progress, (gint) (scan->done / (scan->total / 100 + 1)));
}

/* Bytes of a window: it ends with a page, so that no head of a page lies across two. */
static gsize
window_len(const VmifsRun *run, guint64 pa)
{
	guint64 most = (run->data ? WINDOW : READ_WINDOW) - pa % PAGE;

	return MIN(run->len, most);
}

/* FALSE when there is none left, or nobody waits for the result. */
static gboolean
next_window(Scan *scan, Window *ret)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&scan->lock);

	while (scan->region < scan->end) {
		const VmifsRegion *region = scan->region;
		guint64 rest = region->len - scan->at;
		VmifsRun run;
		if (scan->error || !vmifs_call_check(scan->call, &scan->error) ||
		    region->pa + scan->at > scan->last)
			return FALSE;
		rest = MIN(rest - 1, scan->last - (region->pa + scan->at)) + 1;
		if (region->kind != VMIFS_REGION_RAM) {
			scan->region++;
			scan->at = 0;
			continue;
		}
		vmifs_physmem_run(scan->mem, region->block, region->offset + scan->at, rest, &run);
		if (run.hole) {
			scan->after_hole = TRUE;
			advance(scan, run.len);
			continue;
		}
		*ret = (Window){ .region = region,
				 .at = scan->at,
				 .len = window_len(&run, region->pa + scan->at),
				 .data = run.data,
				 .after_hole = scan->after_hole };
		scan->after_hole = FALSE;
		advance(scan, ret->len);
		return TRUE;
	}
	return FALSE;
}

/* ---- windows ---- */

/* FALSE when that piece of memory has given enough. */
static gboolean
count_hit(Count *count, guint64 pa)
{
	guint64 piece = pa / VMIFS_SCAN_PIECE;

	if (count->piece != piece)
		*count = (Count){ .piece = piece };
	return count->n++ < VMIFS_SCAN_MAX_HITS;
}

static void
add_hit(gsize pattern, guint64 pa, gpointer user)
{
	Worker *worker = user;
	const Scan *scan = worker->scan;
	Hit hit = { pattern, pa };

	if (scan->keep_hit && !scan->keep_hit(pattern, pa, scan->user))
		return;
	if (count_hit(&worker->counts[pattern], pa))
		g_array_append_val(worker->hits, hit);
	else
		worker->report.dropped++;
}

/* What lies over a seam of the region, which is at `at`. */
static void
search_seam(Worker *worker, const VmifsRegion *region, guint64 at)
{
	const VmifsMatcher *matcher = worker->scan->matcher;
	gsize reach = vmifs_matcher_longest(matcher) - 1;
	gsize before = MIN(reach, at), behind = MIN(reach, region->len - at);
	guint8 buf[2 * VMIFS_PATTERN_MAX];
	guint64 pa = region->pa + at - before;

	if (before && behind &&
	    vmifs_physmem_read(worker->scan->mem, pa, buf, before + behind, worker->scan->call,
			       NULL))
		vmifs_matcher_find_over(matcher, buf, before + behind, pa, before, add_hit, worker);
}

static void
search_window(Worker *worker, const Window *window)
{
	Scan *scan = worker->scan;
	const VmifsRegion *region = window->region;
	guint64 offset = region->offset + window->at, pa = region->pa + window->at;
	const guint8 *data = window->data;
	guint stamp = vmifs_physmem_block_stamp(scan->mem, region->block);
	gboolean lost = FALSE;

	if (!data) {
		if (!worker->buf)
			worker->buf = g_malloc(READ_WINDOW);
		data = worker->buf;
		lost = !vmifs_physmem_read(scan->mem, pa, worker->buf, window->len, scan->call,
					   NULL);
	} else {
		vmifs_physmem_prefetch(scan->mem, region->block, offset, window->len);
	}
	if (!lost)
		vmifs_matcher_find(scan->matcher, data, window->len, pa, add_hit, worker);
	if (window->after_hole)
		search_seam(worker, region, window->at);
	search_seam(worker, region, window->at + window->len);

	worker->report.scanned += window->len;
	if (lost ||
	    !vmifs_physmem_block_intact(scan->mem, stamp, region->block, offset, window->len))
		worker->report.lost += window->len;
	if (!scan->keep)
		vmifs_physmem_release(scan->mem, region->block, offset, window->len);
}

static gpointer
work(gpointer data)
{
	Scan *scan = data;
	Worker worker = { .scan = scan, .hits = g_array_new(FALSE, FALSE, sizeof(Hit)) };
	Window window;

	worker.counts = g_new0(Count, scan->n_patterns);
	while (next_window(scan, &window))
		search_window(&worker, &window);

	g_mutex_lock(&scan->lock);
	g_array_append_vals(scan->hits, worker.hits->data, worker.hits->len);
	scan->report.scanned += worker.report.scanned;
	scan->report.lost += worker.report.lost;
	scan->report.dropped += worker.report.dropped;
	g_mutex_unlock(&scan->lock);
	g_array_unref(worker.hits);
	g_free(worker.counts);
	g_free(worker.buf);
	return NULL;
}

/* ---- the pass ---- */

static int
compare_hits(gconstpointer a, gconstpointer b)
{
	const Hit *x = a, *y = b;

	if (x->pa != y->pa)
		return x->pa < y->pa ? -1 : 1;
	return (x->pattern > y->pattern) - (x->pattern < y->pattern);
}

/* Each worker kept the lowest of what it met, so the lowest of all are among them. */
static void
deliver(Scan *scan, VmifsScanHit hit)
{
	g_autofree Count *counts = g_new0(Count, scan->n_patterns);

	g_array_sort(scan->hits, compare_hits);
	for (guint i = 0; i < scan->hits->len; i++) {
		const Hit *h = &g_array_index(scan->hits, Hit, i);
		if (count_hit(&counts[h->pattern], h->pa))
			hit(h->pattern, h->pa, scan->user);
		else
			scan->report.dropped++;
	}
}

static void
set_part(Scan *scan, const VmifsScanPart *part, const VmifsRegion *regions, gsize n)
{
	scan->region = regions;
	scan->last = G_MAXUINT64;
	if (!part)
		return;
	scan->region = regions + vmifs_regions_find(regions, n, part->from);
	if (scan->region < scan->end && vmifs_region_holds(scan->region, part->from))
		scan->at = part->from - scan->region->pa;
	scan->last = part->from + MIN(part->len - 1, G_MAXUINT64 - part->from);
	scan->total = MIN(scan->total, part->len);
}

gboolean
vmifs_scan(VmifsPhysmem *mem, const VmifsScanPart *part, const VmifsPattern *const *patterns,
	   gsize n, gboolean heads, VmifsScanKeep keep, VmifsScanHit hit, gpointer user,
	   gint *progress, VmifsScanReport *report, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsMatcher) matcher = vmifs_matcher_new(patterns, n, heads);
	GThread *threads[MAX_THREADS];
	guint most = CLAMP(g_get_num_processors(), 1, MAX_THREADS), n_threads = 1;
	gsize n_regions;
	Scan scan = { .mem = mem,
		      .matcher = matcher,
		      .n_patterns = n,
		      .keep_hit = keep,
		      .user = user,
		      .heads = heads,
		      .call = call,
		      .progress = progress,
		      .hits = g_array_new(FALSE, FALSE, sizeof(Hit)) };

	const VmifsRegion *regions = vmifs_physmem_regions(mem, &n_regions);
	scan.end = regions + n_regions;
	scan.total = vmifs_physmem_ram(mem);
	set_part(&scan, part, regions, n_regions);
	scan.keep = scan.total <= KEEP;
	g_mutex_init(&scan.lock);
	/* This thread is one of them, and the only one where others are not to be had. */
	while (n_threads < most &&
	       (threads[n_threads] = g_thread_try_new("vmifs-scan", work, &scan, NULL)))
		n_threads++;
	work(&scan);
	for (guint i = 1; i < n_threads; i++)
		g_thread_join(threads[i]);
	g_mutex_clear(&scan.lock);

	if (!scan.error)
		deliver(&scan, hit);
	if (report)
		*report = scan.report;
	g_array_unref(scan.hits);
	if (!scan.error)
		return TRUE;
	g_propagate_error(error, scan.error);
	return FALSE;
}
