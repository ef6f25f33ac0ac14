/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kallsyms-offsets: where the addresses of as many symbols as there are names stand, beside the
 * other tables, and how they are encoded: by trying each encoding that kernels have had, at each
 * place where it may be. Addresses ascend: that proves them.
 */
#include "kallsyms-find.h"

#include <spi/bytes.h>

/* Memory before or behind the other tables. */
typedef struct {
	const guint8 *bytes;
	gsize len;
	guint64 pa;
} Block;

/* One place where the addresses may be. */
typedef struct {
	const guint8 *at; /* len bytes are there */
	gsize len;
	guint64 pa;
	guint64 base; /* 0 = none */
} Place;

static gboolean
is_kernel_address(guint64 va)
{
	return va >= G_GUINT64_CONSTANT(0xff00000000000000);
}

static gboolean
is_relative(const Place *place, guint32 n)
{
	guint32 previous = 0;

	if (vmifs_load_u32(place->at) != 0)
		return FALSE;
	for (guint32 i = 1; i < n; i++) {
		guint32 value = vmifs_load_u32(place->at + 4 * (gsize) i);
		if (value < previous)
			return FALSE;
		previous = value;
	}
	return previous > 0;
}

/* Offsets into a per-CPU area going up, then -1 (the base itself) going down. */
static gboolean
is_percpu(const Place *place, guint32 n)
{
	gint32 previous = 0;

	for (guint32 i = 0; i < n; i++) {
		gint32 value = (gint32) vmifs_load_u32(place->at + 4 * (gsize) i);
		if (previous >= 0 ? value < previous && value != -1 : value > previous)
			return FALSE;
		previous = value;
	}
	return previous < -1;
}

static gboolean
is_absolute32(const Place *place, guint32 n)
{
	guint32 previous = 0x40000000;

	for (guint32 i = 0; i < n; i++) {
		guint32 value = vmifs_load_u32(place->at + 4 * (gsize) i);
		if (value < previous)
			return FALSE;
		previous = value;
	}
	return TRUE;
}

static gboolean
is_absolute64(const Place *place, guint32 n)
{
	guint64 previous = 0;

	if (place->len / 8 < n)
		return FALSE;
	for (guint32 i = 0; i < n; i++) {
		guint64 value = vmifs_load_u64(place->at + 8 * (gsize) i);
		if (value < previous || (!is_kernel_address(value) && value >> 24))
			return FALSE;
		previous = value;
	}
	return is_kernel_address(previous);
}

static gboolean
is_pc_relative(const Place *place, guint32 n)
{
	gint64 previous = G_MININT64;

	if ((gint32) vmifs_load_u32(place->at) >= 0)
		return FALSE;
	for (guint32 i = 0; i < n; i++) {
		gint64 value = (gint32) vmifs_load_u32(place->at + 4 * (gsize) i) + 4 * (gint64) i;
		if (value < previous)
			return FALSE;
		previous = value;
	}
	return TRUE;
}

/* Ordered: a plain ascending table passes the last test too. */
static const struct {
	LinuxKallsymsEncoding encoding;
	gboolean has_base;
	gboolean (*fits)(const Place *place, guint32 n);
} encodings[] = {
	{ LINUX_KALLSYMS_RELATIVE, TRUE, is_relative },
	{ LINUX_KALLSYMS_PERCPU, TRUE, is_percpu },
	{ LINUX_KALLSYMS_ABSOLUTE64, FALSE, is_absolute64 },
	{ LINUX_KALLSYMS_ABSOLUTE32, FALSE, is_absolute32 },
	{ LINUX_KALLSYMS_PC_RELATIVE, FALSE, is_pc_relative },
};

static void
add_place(GArray *places, const Block *block, guint64 at, guint32 n, guint64 base)
{
	if (vmifs_in_bounds(at, 4 * (guint64) n, block->len)) {
		Place place = { block->bytes + at, block->len - at, block->pa + at, base };
		g_array_append_val(places, place);
	}
}

/* If there is a base, 8 bytes or 4 on 32-bit kernels, at base_at. */
static void
add_place_with_base(GArray *places, const Block *block, guint64 at, guint32 n, guint64 base_at,
		    guint width)
{
	guint64 base;

	if (!vmifs_in_bounds(base_at, width, block->len))
		return;
	base = width == 8 ? vmifs_load_u64(block->bytes + base_at)
			  : vmifs_load_u32(block->bytes + base_at);
	if (width == 8 ? is_kernel_address(base) : base >= 0x40000000)
		add_place(places, block, at, n, base);
}

/* Before the number of symbols, at the end of a block: [addresses][base][n]. Tables of 64-bit
 * kernels that old are 8-aligned: behind an odd number of elements there is a gap. Differences
 * that wrap are out of bounds. */
static void
add_places_before(GArray *places, const Block *block, guint32 n)
{
	guint64 bytes = 4 * (guint64) n;
	guint64 padded = bytes + 4 * (n % 2);

	add_place_with_base(places, block, block->len - 8 - padded, n, block->len - 8, 8);
	add_place_with_base(places, block, block->len - 4 - bytes, n, block->len - 4, 4);
	add_place(places, block, block->len - 2 * bytes, n, 0);
	add_place(places, block, block->len - bytes, n, 0);
}

/* Behind the token index, at the start of a block: [addresses][base], 8- or 4-aligned. */
static void
add_places_behind(GArray *places, const Block *block, guint32 n)
{
	guint64 bytes = 4 * (guint64) n;
	guint64 at4 = (0 - block->pa) % 4;
	guint64 at8 = (0 - block->pa) % 8;

	add_place_with_base(places, block, at8, n, at8 + bytes + 4 * (n % 2), 8);
	add_place_with_base(places, block, at4, n, at4 + bytes, 4);
	add_place(places, block, at4, n, 0);
	add_place(places, block, at8, n, 0);
}

/* The first encoding that has a place. PC-relative addresses can ascend at both alignments; the
 * nearer is right, since padding is zero and they begin with a negative number. */
static gboolean
choose_place(LinuxKallsyms *tables, const GArray *places)
{
	for (guint e = 0; e < G_N_ELEMENTS(encodings); e++) {
		for (guint i = 0; i < places->len; i++) {
			const Place *place = &g_array_index(places, Place, i);
			LinuxKallsymsEncoding encoding = encodings[e].encoding;

			if (encodings[e].has_base != (place->base != 0) ||
			    !encodings[e].fits(place, tables->n))
				continue;
			tables->encoding = encoding;
			tables->base = place->base;
			tables->offsets_pa = place->pa;
			tables->offsets = g_memdup2(
				place->at, (gsize) tables->n * linux_kallsyms_width(encoding));
			return TRUE;
		}
	}
	return FALSE;
}

gboolean
linux_kallsyms_find_offsets(LinuxKallsymsFinder *finder)
{
	LinuxKallsyms *tables = finder->tables;
	gsize least = 4 * (gsize) tables->n;
	gsize room = 2 * least + 32; /* the widest element, paddings, the base */
	guint64 behind_pa = tables->token_index_pa + 512;
	g_autofree guint8 *before = g_malloc(room);
	g_autofree guint8 *behind = g_malloc(room);
	g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(Place));

	/* RAM may begin, or end, beside narrower elements. */
	for (gsize len = MIN(room, finder->n_pa); len >= least; len /= 2) {
		Block block = { before, len, finder->n_pa - len };

		if (linux_kallsyms_read(finder, block.pa, before, len)) {
			add_places_before(places, &block, tables->n);
			break;
		}
	}
	for (gsize len = room; len >= least; len /= 2) {
		Block block = { behind, len, behind_pa };

		if (linux_kallsyms_read(finder, behind_pa, behind, len)) {
			add_places_behind(places, &block, tables->n);
			break;
		}
	}
	return choose_place(tables, places);
}
