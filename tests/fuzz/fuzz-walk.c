/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-walk: any bytes as physical memory, full of page tables. Its first page says where to begin:
 *
 *	0  u64 root   8 u64 va   16 u64 last   24 u64 bits that are no address   32 u8 mode, of all
 *	40 u64 upper root   48 u8, u8 widths of the halves   52 u32 flags
 *
 * Twice the same memory: as the arch sees it, each table in an allocation of its own, so that a
 * sanitizer sees the first byte too much; and as an address space over a source that maps nothing,
 * whose ways to say what is there must agree.
 */
#include "fuzz.h"

#include <engine/aspace.h>
#include <engine/physmem.h>
#include <spi/backend.h>
#include <spi/bytes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096
#define HEADER 56
#define MAX_TABLES 48
#define WINDOW (64 << 10)

#define require(what) ((what) ? (void) 0 : abort())

typedef struct {
	const guint8 *bytes;
	gsize len;
	guint8 *slots[VMIFS_WALK_LEVELS];
	guint n_loads;
} Memory;

/* ---- the arch ---- */

static const guint8 *
table_at(gpointer ctx, guint slot, guint64 pa, gsize len)
{
	Memory *memory = ctx;

	require(slot < VMIFS_WALK_LEVELS);
	memory->n_loads++;
	if (!vmifs_in_bounds(pa, len, memory->len))
		return NULL;
	g_free(memory->slots[slot]);
	memory->slots[slot] = g_memdup2(memory->bytes + pa, len);
	return memory->slots[slot];
}

static void
walk_all(const VmifsPaging *paging, Memory *memory, guint64 va, guint64 last)
{
	VmifsWalk walk = {
		.va = va,
		.last = last,
		.table = table_at,
		.ctx = memory,
		.budget = MAX_TABLES,
	};
	guint64 cursor = va;
	VmifsRange range;

	while (paging->mode->arch->next(paging, &walk, &range)) {
		require(range.va == cursor && range.len && range.len - 1 <= last - range.va);
		require(range.level && range.level <= paging->mode->levels + 1);
		require(range.page_shift < 64);
		require(range.kind != VMIFS_RANGE_PAGE ||
			range.pa <= G_MAXUINT64 - (range.len - 1));
		require(range.kind != VMIFS_RANGE_NOT_PRESENT || range.entry);
		cursor = range.va + range.len;
		require(walk.done ? cursor - 1 == last : walk.va == cursor);
	}
	require(walk.done != walk.exhausted);
	require(memory->n_loads <= MAX_TABLES - walk.budget);
}

/* ---- the address space ---- */

static void
nothing_to_close(gpointer self)
{
}

/* All of memory but its last third, which lies behind a gap. */
static gboolean
layout(gpointer self, VmifsLayout *ret, const VmifsCall *call, GError **error)
{
	const Memory *memory = self;
	gsize low = memory->len - memory->len / 3;
	VmifsBlock block = { .name = g_strdup("ram"), .len = memory->len, .fd = -1 };
	VmifsRegion regions[] = {
		{ .pa = 0, .len = low },
		{ .pa = memory->len, .len = memory->len - low, .offset = low },
	};

	g_array_append_val(ret->blocks, block);
	g_array_append_vals(ret->regions, regions, G_N_ELEMENTS(regions));
	return TRUE;
}

static gsize
read_io(gpointer self, VmifsIo *io, gsize n, const VmifsCall *call)
{
	const Memory *memory = self;

	for (gsize i = 0; i < n; i++) {
		require(vmifs_in_bounds(io[i].offset, io[i].len, memory->len));
		memcpy(io[i].buf, memory->bytes + io[i].offset, io[i].len);
		io[i].status = 0;
	}
	return n;
}

static const VmifsBackend backend = {
	.name = "fuzz",
	.close = nothing_to_close,
	.layout = layout,
	.read = read_io,
};

typedef struct {
	guint64 cursor, last;
	guint n;
} Tiles;

static gboolean
follows(const VmifsRange *range, gpointer user)
{
	Tiles *tiles = user;

	require(range->va == tiles->cursor && range->len);
	require(range->len - 1 <= tiles->last - range->va);
	tiles->cursor += range->len;
	tiles->n++;
	return TRUE;
}

/* What can be read is what can be gathered, and is data up to where a hole begins. */
static void
agree(VmifsAspace *aspace, guint64 va, guint64 last)
{
	gsize len = MIN(last - va, WINDOW - 1) + 1;
	g_autofree guint8 *bytes = g_malloc(len);
	g_autofree guint8 *gathered = NULL;
	g_auto(VmifsSegments) segments;
	gsize n = vmifs_aspace_read_some(aspace, va, bytes, len, NULL);
	guint64 found = 0;

	vmifs_segments_init(&segments);
	require(vmifs_aspace_gather(aspace, va, len, VMIFS_GATHER_STOP_AT_HOLE, &segments, NULL,
				    NULL) == n);
	gathered = g_malloc(n + 1);
	vmifs_segments_copy(&segments, gathered);
	require(!memcmp(bytes, gathered, n));
	if (n)
		require(vmifs_aspace_read(aspace, va, gathered, n, NULL) &&
			!memcmp(bytes, gathered, n));
	require(vmifs_aspace_seek(aspace, va, va + (len - 1), FALSE, &found, NULL, NULL) ==
		(n < len));
	require(n == len || found == va + n);
	require(!n || (vmifs_aspace_seek(aspace, va, va + (len - 1), TRUE, &found, NULL, NULL) &&
		       found == va));
	/* By single bytes, through the cache. */
	for (gsize at = 0; at < len; at += PAGE / 2 + 1) {
		guint8 byte;
		gboolean got = vmifs_aspace_read_u8(aspace, va + at, &byte, NULL);
		require(at < n ? got && byte == bytes[at] : at > n || !got);
	}
}

static const VmifsMode *
mode_of(guint8 number)
{
	gsize n = 0;

	for (gsize i = 0; i < vmifs_n_archs; i++)
		n += vmifs_archs[i]->n_modes;
	n = number % n;
	for (gsize i = 0;; n -= vmifs_archs[i++]->n_modes) {
		if (n < vmifs_archs[i]->n_modes)
			return &vmifs_archs[i]->modes[n];
	}
}

/* What registers say is checked before it is walked by. */
static guint8
bits_of(const VmifsMode *mode, guint8 bits)
{
	return bits >= 25 && bits <= mode->va_bits ? bits : 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	Memory memory = { .bytes = data, .len = len };
	guint64 va, last;
	VmifsPaging paging;

	if (len < HEADER)
		return 0;
	va = vmifs_load_u64(data + 8);
	last = vmifs_load_u64(data + 16);
	paging = (VmifsPaging){
		.mode = mode_of(data[32]),
		.root = vmifs_load_u64(data),
		.ignore_mask = vmifs_load_u64(data + 24),
		.high_root = vmifs_load_u64(data + 40),
		.flags = vmifs_load_u32(data + 52),
	};
	paging.low_bits = bits_of(paging.mode, data[48]);
	paging.high_bits = bits_of(paging.mode, data[49]);
	walk_all(&paging, &memory, va, last);
	if (va <= last) {
		g_autoptr(VmifsPhysmem) mem = vmifs_physmem_new(&backend, &memory, NULL, NULL);
		g_autoptr(VmifsAspace) aspace = vmifs_aspace_new(mem, &paging, NULL);
		Tiles tiles = { .cursor = va, .last = last };

		vmifs_aspace_visit(aspace, va, last, MAX_TABLES, follows, &tiles, NULL, NULL);
		/* Under one tag what is asked for is there, over several it is not. */
		if ((va ^ (va + MIN(last - va, WINDOW - 1))) >> 56 == 0)
			agree(aspace, va, last);
	}
	for (gsize i = 0; i < VMIFS_WALK_LEVELS; i++)
		g_free(memory.slots[i]);
	return 0;
}
