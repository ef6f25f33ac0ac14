/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-exports: the input is the memory. kallsyms lists forty functions, f00 to f39, every 16 bytes
 * from FIRST on, and once more from FIRST_NARROW, as a 32-bit kernel.
 */
#include "fuzz.h"

#include <os/linux/exports.h>
#include <spi/bytes.h>
#include <string.h>

#define PA 0x40000000
#define FIRST G_GUINT64_CONSTANT(0xffff800008000000)
#define FIRST_NARROW 0xc0008000
#define N_FUNCTIONS 40

static gboolean
read_phys(gpointer user, guint64 pa, gpointer buf, gsize len)
{
	const VmifsBytes *memory = user;

	if (pa < PA || !vmifs_in_bounds(pa - PA, len, memory->len))
		return FALSE;
	memcpy(buf, memory->data + (pa - PA), len);
	return TRUE;
}

static VmifsSymbols *
make_symbols(guint64 first)
{
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();

	for (guint i = 0; i < N_FUNCTIONS; i++) {
		const char name[] = { 'f', (char) ('0' + i / 10), (char) ('0' + i % 10) };
		vmifs_symbols_builder_add(builder, first + 16 * i, 'T', name, sizeof name);
	}
	vmifs_symbols_builder_add(builder, first + 16 * N_FUNCTIONS, 'T', "_etext", 6);
	return vmifs_symbols_builder_end(builder);
}

static void
find(guint64 first, const uint8_t *data, size_t len)
{
	VmifsBytes memory = vmifs_bytes(data, len);
	LinuxPhys phys = { read_phys, &memory };
	g_autoptr(VmifsSymbols) symbols = make_symbols(first);
	LinuxExports exports;

	if (!linux_exports_find(&phys, PA, len, symbols, &exports))
		return;
	g_assert(vmifs_in_bounds(exports.pa - PA, exports.n * 12ULL, len));
	g_assert(vmifs_symbols_count(exports.symbols) < exports.n);
	for (gsize i = 0; i < vmifs_symbols_count(exports.symbols); i++) {
		VmifsSymbol symbol;
		guint64 known;
		vmifs_symbols_get(exports.symbols, i, &symbol);
		g_assert(!vmifs_symbols_lookup(symbols, symbol.name, &known));
	}
	vmifs_symbols_unref(exports.symbols);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	find(FIRST, data, len);
	find(FIRST_NARROW, data, len);
	return 0;
}
