/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* searched: samples, so that a root costs little: text and memory are looked at in few places. */
#include "searched.h"

#include "found.h"
#include "search.h"

#include <spi/bytes.h>

/* Places in the text, and bytes of it read at each. */
#define N_PLACES 32
#define PLACE_LEN 512
#define MIN_CALLS 64
#define N_PAGES 256

/* AArch64's BL: the upper bits say so, the others how many instructions further. */
#define BL_MASK 0xfc000000
#define BL 0x94000000
#define BL_DISTANCE_BITS 26

/* RISC-V, base instruction formats: an upper part of the distance from here goes to the register
 * for return addresses (AUIPC), then the jump adds the rest (JALR). Nearer ones are one (JAL). */
#define RISCV_IS_LONG(half) (((half) &3) == 3) /* of instructions: else they have 16 bits */
#define AUIPC_RA 0x00000097
#define AUIPC_RA_MASK 0x00000fff
#define JALR_RA_RA 0x000080e7
#define JALR_RA_RA_MASK 0x000fffff
#define JAL_RA 0x000000ef
#define JAL_RA_MASK 0x00000fff

/* Behind the page of ARM's vectors, where each kernel maps them. The first word there is where
 * system calls go (arch/arm/kernel/entry-armv.S, since 3.11: section .stubs); in it is also whether
 * that is code of Thumb. */
#define ARM_STUBS 0xffff1000u
#define THUMB 1u

typedef struct {
	guint calls, hits;
} Tally;

static void
count_call(const VmifsSymbols *symbols, guint64 to, Tally *tally)
{
	guint64 offset = 1;
	VmifsSymbol symbol;

	tally->calls++;
	if (vmifs_symbols_nearest(symbols, to, &symbol, &offset))
		tally->hits += offset == 0;
}

static void
count_calls_aarch64(const VmifsSymbols *symbols, guint64 va, const guint8 *bytes, gsize len,
		    Tally *tally)
{
	const guint spare = 32 - BL_DISTANCE_BITS;

	for (gsize at = 0; at + 4 <= len; at += 4) {
		guint32 word = vmifs_load_u32(bytes + at);
		gint32 distance = (gint32) (word << spare) >> spare;

		if ((word & BL_MASK) == BL)
			count_call(symbols, va + at + (gint64) distance * 4, tally);
	}
}

/* The distance of a JAL, whose bits are [20 | 10:1 | 11 | 19:12] from the top. */
static gint64
jal_distance(guint32 word)
{
	guint32 low = (word >> 21 & 0x3ff) << 1 | (word >> 20 & 1) << 11 | (word & 0xff000);

	return (gint64) low - (word >> 31 ? 1 << 20 : 0);
}

/* bytes begin with an instruction. */
static void
count_calls_riscv64(const VmifsSymbols *symbols, guint64 va, const guint8 *bytes, gsize len,
		    Tally *tally)
{
	for (gsize at = 0, step; at + 8 <= len; at += step) {
		guint32 word = vmifs_load_u32(bytes + at);
		guint32 next = vmifs_load_u32(bytes + at + 4);

		step = RISCV_IS_LONG(word) ? 4 : 2;
		if ((word & JAL_RA_MASK) == JAL_RA)
			count_call(symbols, va + at + jal_distance(word), tally);
		if ((word & AUIPC_RA_MASK) == AUIPC_RA && (next & JALR_RA_RA_MASK) == JALR_RA_RA)
			count_call(symbols,
				   va + at + (gint64) (gint32) (word & ~AUIPC_RA_MASK) +
					   ((gint32) next >> 20),
				   tally);
	}
}

static const struct {
	const char *arch;
	guint align; /* of instructions */
	void (*count)(const VmifsSymbols *symbols, guint64 va, const guint8 *bytes, gsize len,
		      Tally *tally);
} codes[] = {
	{ LINUX_ARCH_AARCH64, 4, count_calls_aarch64 },
	{ LINUX_ARCH_RISCV64, 2, count_calls_riscv64 },
};

static gsize
code_of(const char *arch)
{
	gsize i = 0;

	while (i < G_N_ELEMENTS(codes) && !g_str_equal(codes[i].arch, arch))
		i++;
	return i;
}

gboolean
linux_searched_is_doubtful(const char *arch)
{
	return code_of(arch) < G_N_ELEMENTS(codes);
}

gboolean
linux_searched_has_text(VmifsAspace *aspace, const VmifsSymbols *symbols)
{
	gsize code = code_of(vmifs_aspace_arch(aspace));
	guint64 start, end;
	Tally tally = { 0 };

	if (code == G_N_ELEMENTS(codes) || !vmifs_symbols_lookup(symbols, "_stext", &start) ||
	    !vmifs_symbols_lookup(symbols, "_etext", &end) || end <= start)
		return FALSE;
	for (guint i = 0; i < N_PLACES; i++) {
		guint8 bytes[PLACE_LEN];
		VmifsRange range;
		guint64 va;
		gsize len;

		if (!vmifs_symbols_next(symbols, start + (end - start) / N_PLACES * i, &va) ||
		    va >= end || va % codes[code].align)
			continue;
		len = MIN(PLACE_LEN, end - va);
		if (!vmifs_aspace_translate(aspace, va, &range, NULL) ||
		    !(range.perms & VMIFS_PERM_EXEC) ||
		    !vmifs_aspace_read(aspace, va, bytes, len, NULL))
			return FALSE;
		codes[code].count(symbols, va, bytes, len, &tally);
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

gboolean
linux_searched_has_vectors(VmifsAspace *aspace, const VmifsSymbols *symbols)
{
	guint64 handler;
	guint8 word[4];

	return vmifs_symbols_lookup(symbols, "vector_swi", &handler) &&
	       vmifs_aspace_read(aspace, ARM_STUBS, word, sizeof word, NULL) &&
	       (vmifs_load_u32(word) & ~THUMB) == (handler & ~(guint64) THUMB);
}
