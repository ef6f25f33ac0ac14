/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ptmap: the text is made a piece at a time, by a walk that begins where the last piece ended. What
 * was made and not taken yet is kept; now and then a mark says which place in the tables belongs to
 * which offset, for who goes back.
 */
#include <vmifs/ptmap.h>

#include "aspace.h"
#include "physmem.h"

#include <string.h>

/* No guest has more tables than pages, but the kernel may share some of them between places. One
 * that makes a tree of its own tables ends here. */
#define LEAST_TABLES (1 << 16)
#define TABLE 4096

/* So much is made at once, for one read. */
#define PIECE (128 << 10)
#define MARK_EVERY (8 << 20)

#define LONGEST_LINE 64

/* Asked every so many ranges: has the caller given up? */
#define CHECK_EVERY 256
/* Tables that one read visits without a line of text: a run of 256 GiB of the smallest pages; a
 * second. The bound of all tables is no help where an image's file was made to look large. */
#define MOST_SILENT (1 << 17)

#define ENTRY_PRESENT (1ull << 63)

/* A place in the tables: of the end of the text that was made. */
typedef struct {
	guint64 off;
	guint64 va;
	guint64 tables; /* visits left */
	gboolean done;
} Mark;

struct VmifsPtmap {
	GMutex lock;
	guint64 last;
	/* Below lock. */
	Mark now;
	GString *rest; /* the text before now.off that was not taken yet */
	GArray *marks; /* of Mark, by offset */
};

static guint64
max_tables(const VmifsAspace *aspace)
{
	return MAX(LEAST_TABLES, 2 * (vmifs_physmem_ram(aspace->tables.mem) / TABLE));
}

VmifsPtmap *
vmifs_ptmap_new(const VmifsAspace *aspace, guint64 last)
{
	VmifsPtmap *ptmap = g_new0(VmifsPtmap, 1);

	g_mutex_init(&ptmap->lock);
	ptmap->last = last;
	ptmap->now.tables = max_tables(aspace);
	ptmap->rest = g_string_new(NULL);
	ptmap->marks = g_array_new(FALSE, FALSE, sizeof(Mark));
	g_array_append_val(ptmap->marks, ptmap->now);
	return ptmap;
}

void
vmifs_ptmap_free(VmifsPtmap *ptmap)
{
	if (!ptmap)
		return;
	g_mutex_clear(&ptmap->lock);
	g_string_free(ptmap->rest, TRUE);
	g_array_unref(ptmap->marks);
	g_free(ptmap);
}

/* ---- lines ---- */

/* By hand: printf would take longer than the walk. */
static char *
put_hex(char *at, guint64 value, guint at_least)
{
	static const char digits[] = "0123456789abcdef";
	guint n = at_least;

	while (n < 16 && value >> (4 * n))
		n++;
	for (guint i = n; i > 0; i--, value >>= 4)
		at[i - 1] = digits[value & 15];
	return at + n;
}

static char *
put_perms(char *at, guint32 perms)
{
	static const char letters[] = "rwxug";

	for (guint i = 0; i < sizeof letters - 1; i++)
		*at++ = perms & (1u << i) ? letters[i] : '-';
	return at;
}

/* A power of two: 4K, 2M, 512G. */
static char *
put_size(char *at, guint shift)
{
	guint number = 1u << shift % 10;

	for (guint unit = 1000; unit; unit /= 10) {
		if (number >= unit)
			*at++ = '0' + number / unit % 10;
	}
	*at++ = "BKMGTPE"[shift / 10];
	return at;
}

static void
add_line(GString *out, const VmifsRange *run)
{
	char line[LONGEST_LINE + 1];
	char *at = put_hex(line, run->va, 8);
	guint64 end = run->va + run->len;

	*at++ = '-';
	if (!end) /* 2^64 */
		*at++ = '1';
	at = put_hex(at, end, end ? 8 : 16);
	*at++ = ' ';
	at = put_perms(at, run->perms);
	*at++ = ' ';
	at = put_size(at, run->page_shift);
	*at++ = ' ';
	at = put_hex(at, run->pa, 1);
	*at++ = ' ';
	*at++ = '0' + run->level;
	*at++ = '\n';
	g_string_append_len(out, line, at - line);
}

/* ---- runs ---- */

/* Neighbours of one size; what vmifs_range_extend() asks for beside that. */
static gboolean
extend_run(VmifsRange *run, const VmifsRange *range)
{
	return run->level == range->level && run->page_shift == range->page_shift &&
	       vmifs_range_extend(run, range);
}

/* Makes a piece of text. FALSE with error when it ended before there was any; `now` has moved over
 * what there is in any case. */
static gboolean
make_piece(VmifsPtmap *ptmap, const VmifsAspace *aspace, const VmifsCall *call, GError **error)
{
	VmifsTables tables = aspace->tables;
	Mark *now = &ptmap->now;
	gsize before = ptmap->rest->len;
	guint64 begun = now->tables;
	VmifsWalker walker;
	VmifsRange range, run;
	gboolean have = FALSE, given_up = FALSE;

	tables.amend = NULL; /* the tables alone */
	tables.resolve = NULL;
	vmifs_walker_init(&walker, &tables, now->va, ptmap->last, now->tables);
	for (guint n = 0; ptmap->rest->len - before < PIECE; n++) {
		gboolean more = vmifs_walker_next(&walker, &range);
		if (more && range.kind == VMIFS_RANGE_PAGE && have && extend_run(&run, &range))
			continue;
		if (have)
			add_line(ptmap->rest, &run);
		have = more && range.kind == VMIFS_RANGE_PAGE;
		if (have)
			run = range;
		/* Where the next line begins, or its walk. */
		now->va = have ? run.va : walker.walk.va;
		if (!more)
			break;
		if (n % CHECK_EVERY != 0)
			continue;
		if (!vmifs_call_check(call, error)) {
			given_up = TRUE;
			break;
		}
		if (begun - walker.walk.budget > MOST_SILENT && ptmap->rest->len == before) {
			walker.walk.exhausted = TRUE;
			break;
		}
	}
	now->tables = walker.walk.budget;
	now->done = walker.walk.done && !have;
	now->off += ptmap->rest->len - before;
	if (ptmap->rest->len > before)
		g_clear_error(error);
	else if (given_up)
		return FALSE;
	else if (walker.walk.exhausted) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT,
			    "walk: too many page tables, came to %#" G_GINT64_MODIFIER "x",
			    now->va);
		return FALSE;
	}
	return TRUE;
}

/* ---- reading ---- */

/* Goes back, or ahead, to the mark before off, unless what is at hand is nearer. */
static void
move_to(VmifsPtmap *ptmap, guint64 off)
{
	guint64 start = ptmap->now.off - ptmap->rest->len;
	guint i = ptmap->marks->len;

	while (i > 1 && g_array_index(ptmap->marks, Mark, i - 1).off > off)
		i--;
	const Mark *mark = &g_array_index(ptmap->marks, Mark, i - 1);
	if (off >= start && mark->off <= ptmap->now.off)
		return;
	ptmap->now = *mark;
	g_string_truncate(ptmap->rest, 0);
}

static void
keep_mark(VmifsPtmap *ptmap)
{
	guint64 newest = g_array_index(ptmap->marks, Mark, ptmap->marks->len - 1).off;

	if (ptmap->now.off >= newest + MARK_EVERY)
		g_array_append_val(ptmap->marks, ptmap->now);
}

gsize
vmifs_ptmap_read(VmifsPtmap *ptmap, VmifsAspace *aspace, guint64 off, gpointer buf, gsize len,
		 const VmifsCall *call, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&ptmap->lock);
	gsize n, left;

	vmifs_physmem_touch(aspace->tables.mem);
	move_to(ptmap, off);
	while (ptmap->now.off <= off && !ptmap->now.done) {
		g_string_truncate(ptmap->rest, 0);
		if (!vmifs_call_check(call, error) || !make_piece(ptmap, aspace, call, error))
			return 0;
		keep_mark(ptmap);
	}
	if (ptmap->now.off <= off)
		return 0;
	left = ptmap->now.off - off;
	n = MIN(len, left);
	memcpy(buf, ptmap->rest->str + (ptmap->rest->len - left), n);
	return n;
}

/* ---- pagemap ---- */

typedef struct {
	guint64 first; /* address */
	guint shift;
	guint64 *entries;
} Frames;

static gboolean
put_frames(const VmifsRange *range, gpointer user)
{
	const Frames *frames = user;
	gsize at = (range->va - frames->first) >> frames->shift;
	guint64 frame = range->pa >> frames->shift;

	if (range->kind != VMIFS_RANGE_PAGE)
		return TRUE;
	for (gsize n = range->len >> frames->shift; n > 0; n--)
		frames->entries[at++] = GUINT64_TO_LE(ENTRY_PRESENT | frame++);
	return TRUE;
}

gboolean
vmifs_aspace_pagemap(VmifsAspace *aspace, guint64 page, gsize n, guint64 *ret,
		     const VmifsCall *call, GError **error)
{
	guint shift = vmifs_aspace_page_shift(aspace);
	Frames frames = { .first = page << shift, .shift = shift, .entries = ret };

	memset(ret, 0, n * sizeof *ret);
	if (!n)
		return TRUE;
	vmifs_physmem_touch(aspace->tables.mem);
	return vmifs_aspace_visit(aspace, frames.first, frames.first + ((guint64) n << shift) - 1,
				  max_tables(aspace), put_frames, &frames, call, error);
}

typedef struct {
	gboolean want_data, is_found;
	guint64 address;
} Sought;

static gboolean
is_it(const VmifsRange *range, gpointer user)
{
	Sought *sought = user;

	sought->is_found = (range->kind == VMIFS_RANGE_PAGE) == !!sought->want_data;
	sought->address = range->va;
	return !sought->is_found;
}

gboolean
vmifs_aspace_pagemap_seek(VmifsAspace *aspace, guint64 page, guint64 end, gboolean want_data,
			  guint64 *ret_page, const VmifsCall *call, GError **error)
{
	guint shift = vmifs_aspace_page_shift(aspace);
	Sought sought = { .want_data = want_data };

	vmifs_physmem_touch(aspace->tables.mem);
	if (!vmifs_aspace_visit(aspace, page << shift, (end << shift) - 1, max_tables(aspace),
				is_it, &sought, call, error))
		return FALSE;
	*ret_page = sought.is_found ? sought.address >> shift : end;
	return TRUE;
}

guint
vmifs_aspace_page_shift(const VmifsAspace *aspace)
{
	return aspace->tables.paging.mode->page_shift;
}

guint64
vmifs_aspace_root_align(const VmifsAspace *aspace)
{
	return aspace->tables.paging.mode->root_align;
}
