/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * radix (private to arch/): the walk of a radix tree of page tables, once for all architectures
 * whose entries have a size that never changes. What differs is told by constants and by two small
 * functions; everything is inlined into the one next() of each architecture, so that nothing is
 * called by pointer.
 *
 *	level     covers by one entry        the leaf table is level 1
 *	  1       1 << page_shift
 *	  n       1 << (page_shift + (n - 1) * index_bits)
 *
 * The root's table may be shorter or longer than the others. A table is loaded by pieces of 4 KiB:
 * one of 64 KiB that is looked at in one place costs no more than one of x86-64.
 */
#pragma once

#include <spi/arch.h>
#include <spi/bytes.h>

#define RADIX_PIECE_SHIFT 12

/* Where a cursor stands: the tree that maps it. */
typedef struct {
	guint64 root;
	guint64 last;  /* the last address it maps, with the cursor's own tag if it has one */
	guint8 bits;   /* of an address, that are translated */
	guint8 levels; /* of tables */
	gboolean is_high;
} RadixTree;

typedef enum {
	RADIX_TABLE,       /* a table of the next lower level is at pa */
	RADIX_PAGE,        /* 1 << shift bytes at pa */
	RADIX_NOT_PRESENT, /* the OS's own */
	RADIX_MALFORMED,   /* faults for what it says, not for what it lacks */
} RadixKind;

typedef struct {
	RadixKind kind;
	guint8 shift; /* of PAGE; more than that of the level where several entries say one page */
	guint64 pa;
	guint32 perms; /* TABLE: what decode() wants to be told below. PAGE: VmifsPerm */
} RadixEntry;

typedef struct {
	guint8 entry_shift; /* log2 of its bytes */
	/* The tree of the cursor. FALSE: there is none, up to and with ret->last. */
	gboolean (*tree)(const VmifsPaging *paging, const VmifsWalk *walk, RadixTree *ret);
	/* An entry that is not zero. above: of the entry above it; 0 = of the root. */
	RadixEntry (*decode)(const VmifsPaging *paging, const RadixTree *tree, guint64 entry,
			     guint level, guint32 above);
	guint8 (*page_shift)(const VmifsPaging *paging);
	guint8 (*index_bits)(const VmifsPaging *paging);
} RadixOps;

/* How many levels it takes to translate so many bits. */
static inline guint8
radix_levels(guint bits, guint page_shift, guint index_bits)
{
	return (bits - page_shift + index_bits - 1) / index_bits;
}

static inline guint64
radix_mask(guint bits)
{
	return bits < 64 ? (1ull << bits) - 1 : G_MAXUINT64;
}

/* Moves the cursor past [va, end]. What is kept of one tree is not for the next. */
static inline void
radix_finish(VmifsWalk *walk, guint64 end, guint64 tree_last, VmifsRange *ret)
{
	ret->va = walk->va;
	ret->len = end - walk->va + 1;
	if (end >= walk->last)
		walk->done = TRUE;
	else
		walk->va = end + 1;
	if (end == tree_last) {
		for (guint i = 0; i < VMIFS_WALK_LEVELS; i++)
			walk->level[i].table = NULL;
	}
}

/* Numbers of one walk, all of them constant while it stays in one tree. */
typedef struct {
	RadixTree tree;
	guint64 last; /* of what is asked for and of the tree */
	guint page_shift, index_bits, entry_shift;
} RadixGeometry;

static G_ALWAYS_INLINE inline guint
radix_shift(const RadixGeometry *g, guint level)
{
	return g->page_shift + (level - 1) * g->index_bits;
}

/* Of a table of that level. */
static G_ALWAYS_INLINE inline guint
radix_table_bits(const RadixGeometry *g, guint level)
{
	return level == g->tree.levels ? g->tree.bits - radix_shift(g, level) : g->index_bits;
}

static G_ALWAYS_INLINE inline guint
radix_piece_bits(const RadixGeometry *g, guint level)
{
	return MIN(radix_table_bits(g, level), RADIX_PIECE_SHIFT - g->entry_shift);
}

static G_ALWAYS_INLINE inline guint64
radix_load(const RadixGeometry *g, const guint8 *table, guint index)
{
	return g->entry_shift == 2 ? vmifs_load_u32(table + index * sizeof(guint32))
				   : vmifs_load_u64(table + index * sizeof(guint64));
}

/* Loads that piece of the table of that level which the cursor needs. FALSE when it is not RAM. */
static G_ALWAYS_INLINE inline gboolean
radix_load_piece(const RadixGeometry *g, VmifsWalk *walk, guint level, guint64 pa, guint32 perms)
{
	guint slot = g->tree.levels - level;
	guint bits = radix_table_bits(g, level);
	guint piece_bits = radix_piece_bits(g, level);
	guint shift = radix_shift(g, level);
	guint64 index = walk->va >> shift & radix_mask(bits);
	VmifsWalkLevel *at = &walk->level[slot];

	walk->budget--;
	at->table = NULL;
	at->pa = pa;
	at->va = walk->va & ~radix_mask(shift + piece_bits);
	at->perms = perms;
	if (pa & radix_mask(bits + g->entry_shift))
		return FALSE;
	at->pa += index >> piece_bits << (piece_bits + g->entry_shift);
	at->table =
		walk->table(walk->ctx, slot, at->pa, (gsize) 1 << (piece_bits + g->entry_shift));
	return at->table != NULL;
}

/* A piece of a table that cannot be read, and no more than that: said of the entry above it, or of
 * the root register, one level above the root. */
static inline void
radix_broken_piece(const RadixGeometry *g, VmifsWalk *walk, guint level, guint64 entry,
		   VmifsRange *ret)
{
	const VmifsWalkLevel *at = &walk->level[g->tree.levels - level];
	guint64 end = walk->va | radix_mask(radix_shift(g, level) + radix_piece_bits(g, level));

	*ret = (VmifsRange){
		.pa = at->pa,
		.entry = entry,
		.level = level + 1,
		.page_shift = level == g->tree.levels ? g->tree.bits : radix_shift(g, level + 1),
		.kind = VMIFS_RANGE_BROKEN,
	};
	radix_finish(walk, MIN(end, g->last), g->tree.last, ret);
}

/* The range that begins at the cursor with an entry of this table that refers to no other. */
static G_ALWAYS_INLINE inline void
radix_leaf(const RadixOps *ops, const VmifsPaging *paging, const RadixGeometry *g, VmifsWalk *walk,
	   guint level, guint64 entry, const RadixEntry *e, VmifsRange *ret)
{
	const VmifsWalkLevel *at = &walk->level[g->tree.levels - level];
	guint shift = radix_shift(g, level);
	guint index = (walk->va - at->va) >> shift;
	guint max = MIN((g->last - at->va) >> shift, radix_mask(radix_piece_bits(g, level)));
	guint64 end;

	*ret = (VmifsRange){ .entry = entry, .level = level, .page_shift = shift };
	if (!entry) {
		ret->kind = VMIFS_RANGE_HOLE;
		while (index < max && !radix_load(g, at->table, index + 1))
			index++;
	} else if (e->kind == RADIX_NOT_PRESENT) {
		ret->kind = VMIFS_RANGE_NOT_PRESENT;
	} else if (e->kind == RADIX_MALFORMED) {
		ret->kind = VMIFS_RANGE_BROKEN;
		ret->pa = at->pa;
		while (index < max) {
			guint64 other = radix_load(g, at->table, index + 1);
			if (!other || ops->decode(paging, &g->tree, other, level, at->perms).kind !=
					      RADIX_MALFORMED)
				break;
			index++;
		}
	} else {
		guint64 expected;

		ret->kind = VMIFS_RANGE_PAGE;
		ret->page_shift = e->shift;
		ret->pa = e->pa | (walk->va & radix_mask(e->shift));
		ret->perms = e->perms;
		expected = ret->pa & ~radix_mask(shift);
		while (!walk->single && index < max) {
			guint64 other = radix_load(g, at->table, index + 1);
			guint64 va = at->va + ((guint64) (index + 1) << shift);
			RadixEntry o;
			if (!other)
				break;
			o = ops->decode(paging, &g->tree, other, level, at->perms);
			expected += 1ull << shift;
			if (o.kind != RADIX_PAGE || o.shift != e->shift || o.perms != e->perms ||
			    (o.pa | (va & radix_mask(o.shift))) != expected)
				break;
			index++;
		}
	}
	end = at->va + ((guint64) (index + 1) << shift) - 1;
	radix_finish(walk, MIN(end, g->last), g->tree.last, ret);
}

/* The deepest table that maps the cursor: its level; more than there are levels = none is. */
static G_ALWAYS_INLINE inline guint
radix_deepest(const RadixGeometry *g, const VmifsWalk *walk)
{
	for (guint level = 1; level <= g->tree.levels; level++) {
		const VmifsWalkLevel *at = &walk->level[g->tree.levels - level];
		guint64 outside = ~radix_mask(radix_shift(g, level) + radix_piece_bits(g, level));
		if (at->table && !((walk->va ^ at->va) & outside))
			return level;
	}
	return g->tree.levels + 1;
}

/* VmifsArch.next(). */
static G_ALWAYS_INLINE inline gboolean
radix_next(const RadixOps *ops, const VmifsPaging *paging, VmifsWalk *walk, VmifsRange *ret)
{
	RadixGeometry g = {
		.page_shift = ops->page_shift(paging),
		.index_bits = ops->index_bits(paging),
		.entry_shift = ops->entry_shift,
	};
	RadixEntry e = { .pa = 0 };
	guint64 entry = 0;
	guint level;

	if (walk->va > walk->last)
		walk->done = TRUE;
	if (walk->done)
		return FALSE;
	if (!ops->tree(paging, walk, &g.tree)) {
		*ret = (VmifsRange){
			.level = paging->mode->levels + 1,
			.page_shift = paging->mode->va_bits,
			.kind = VMIFS_RANGE_HOLE,
		};
		/* All of 2^64 bytes have no length. */
		g.last = walk->va || g.tree.last < G_MAXUINT64 ? g.tree.last : G_MAXINT64;
		radix_finish(walk, MIN(walk->last, g.last), g.tree.last, ret);
		return TRUE;
	}
	g.last = MIN(walk->last, g.tree.last);
	level = radix_deepest(&g, walk);
	e.pa = g.tree.root;
	for (;; level--) {
		const VmifsWalkLevel *at;
		if (level <= g.tree.levels) {
			at = &walk->level[g.tree.levels - level];
			entry = radix_load(&g, at->table,
					   (walk->va - at->va) >> radix_shift(&g, level));
			if (entry)
				e = ops->decode(paging, &g.tree, entry, level, at->perms);
			if (!entry || e.kind != RADIX_TABLE) {
				radix_leaf(ops, paging, &g, walk, level, entry, &e, ret);
				return TRUE;
			}
		}
		if (walk->budget == 0) {
			walk->exhausted = TRUE;
			return FALSE;
		}
		if (!radix_load_piece(&g, walk, level - 1, e.pa, e.perms)) {
			radix_broken_piece(&g, walk, level - 1, entry, ret);
			return TRUE;
		}
	}
}
