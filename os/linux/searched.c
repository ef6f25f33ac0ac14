/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* searched: samples, so that a root costs little: text and memory are looked at in few places. */
#include "searched.h"

#include "search.h"

#include <spi/bytes.h>

/* Places in the text, and bytes of it read at each. */
#define N_PLACES 32
#define PLACE_LEN 512
#define MIN_CALLS 64
/* BL: the upper bits say so, the others how many instructions further. */
#define CALL_MASK 0xfc000000
#define CALL 0x94000000
#define DISTANCE_BITS 26
#define N_PAGES 256

typedef struct {
	guint calls, hits;
} Tally;

static void
count_calls(const VmifsSymbols *symbols, guint64 va, const guint8 *bytes, gsize len, Tally *tally)
{
	for (gsize at = 0; at + 4 <= len; at += 4) {
		guint32 word = vmifs_load_u32(bytes + at);
		gint32 distance = (gint32) (word << (32 - DISTANCE_BITS)) >> (32 - DISTANCE_BITS);
		guint64 offset = 1;
		VmifsSymbol symbol;

		if ((word & CALL_MASK) != CALL)
			continue;
		tally->calls++;
		if (vmifs_symbols_nearest(symbols, va + at + (gint64) distance * 4, &symbol,
					  &offset))
			tally->hits += offset == 0;
	}
}

gboolean
linux_searched_has_text(VmifsAspace *aspace, const VmifsSymbols *symbols)
{
	guint64 start, end;
	Tally tally = { 0 };

	if (!vmifs_symbols_lookup(symbols, "_stext", &start) ||
	    !vmifs_symbols_lookup(symbols, "_etext", &end) || end <= start)
		return FALSE;
	for (guint i = 0; i < N_PLACES; i++) {
		guint8 bytes[PLACE_LEN];
		VmifsRange range;
		guint64 va;
		gsize len;

		if (!vmifs_symbols_next(symbols, start + (end - start) / N_PLACES * i, &va) ||
		    va >= end || va % 4)
			continue;
		len = MIN(PLACE_LEN, end - va);
		if (!vmifs_aspace_translate(aspace, va, &range, NULL) ||
		    !(range.perms & VMIFS_PERM_EXEC) ||
		    !vmifs_aspace_read(aspace, va, bytes, len, NULL))
			return FALSE;
		count_calls(symbols, va, bytes, len, &tally);
	}
	/* There are data among it, too. */
	return tally.calls >= MIN_CALLS && tally.hits >= tally.calls - tally.calls / 10;
}

/* Of pages all over memory, most must be mapped. */
static gboolean
maps_most(VmifsAspace *aspace, guint64 delta)
{
	const VmifsPhysmem *mem = vmifs_aspace_physmem(aspace);
	guint64 step = MAX(vmifs_physmem_ram(mem) / N_PAGES, 4096) & ~(guint64) 4095;
	guint tried = 0, mapped = 0;
	gsize n;
	const VmifsRegion *regions = vmifs_physmem_regions(mem, &n);

	for (gsize i = 0; i < n; i++) {
		for (guint64 at = 0; at < regions[i].len && tried < 2 * N_PAGES; at += step) {
			guint64 pa = regions[i].pa + at;
			VmifsRange range;

			tried++;
			mapped += vmifs_aspace_translate(aspace, pa + delta, &range, NULL) &&
				  range.pa == pa;
		}
	}
	return tried && mapped >= tried - tried / 2;
}

gboolean
linux_searched_has_memory(VmifsAspace *aspace, guint64 pa, guint64 delta)
{
	g_autoptr(GArray) deltas = g_array_new(FALSE, FALSE, sizeof(guint64));

	linux_search_deltas(aspace, pa, NULL, deltas);
	for (guint i = 0; i < deltas->len; i++) {
		guint64 other = g_array_index(deltas, guint64, i);

		if (other != delta && maps_most(aspace, other))
			return TRUE;
	}
	return FALSE;
}
