/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-symbols: symbols of a core kernel and of modules, and every way to ask for them. A record:
 * a byte (its lowest bit: of a module from here on), eight of address, the type, the name up to a
 * NUL.
 */
#include "fuzz.h"

#include <spi/bytes.h>
#include <string.h>
#include <vmifs/symbols.h>

/* Asking takes the time. */
#define MOST 200

static void
ask(const VmifsSymbols *symbols, gsize i)
{
	VmifsSymbol symbol, found;
	guint64 address, offset, cursor = 0;
	gsize index;
	gboolean met = FALSE;

	vmifs_symbols_get(symbols, i, &symbol);
	g_assert(vmifs_symbols_lookup(symbols, symbol.name, &address));
	while (vmifs_symbols_each(symbols, symbol.name, &cursor, &index)) {
		g_assert(index < vmifs_symbols_count(symbols));
		met |= index == i;
		vmifs_symbols_get(symbols, index, &found);
		g_assert(!strcmp(found.name, symbol.name));
	}
	g_assert(met);
	if (!vmifs_symbol_is_mark(symbol.name)) {
		g_assert(vmifs_symbols_nearest(symbols, symbol.address, &found, &offset));
		g_assert(!offset && found.address == symbol.address);
	} else if (vmifs_symbols_nearest(symbols, symbol.address, &found, &offset)) {
		g_assert(!vmifs_symbol_is_mark(found.name));
		g_assert(found.address + offset == symbol.address);
	}
	if (symbol.address && vmifs_symbols_nearest(symbols, symbol.address - 1, &found, &offset))
		g_assert(found.address < symbol.address);
	if (vmifs_symbols_next(symbols, symbol.address, &address))
		g_assert(address > symbol.address);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VmifsBytes input = vmifs_bytes(data, len);
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();
	gsize n = 0;

	while (n < MOST) {
		guint8 form = vmifs_bytes_u8(&input);
		guint64 address = vmifs_bytes_u64(&input);
		guint8 type = vmifs_bytes_u8(&input);
		const guint8 *name = data + input.at;
		const guint8 *end = input.failed ? NULL : memchr(name, 0, len - input.at);

		if (!end)
			break;
		if (form & 1)
			vmifs_symbols_builder_module(builder, "module");
		g_assert(vmifs_symbols_builder_add(builder, address, (char) type,
						   (const char *) name, (gsize) (end - name)));
		input.at += (gsize) (end - name) + 1;
		n++;
	}
	VmifsSymbols *symbols = vmifs_symbols_builder_end(builder);
	g_assert(vmifs_symbols_count(symbols) == n);
	for (gsize i = 0; i < n; i++)
		ask(symbols, i);
	vmifs_symbols_unref(symbols);
	return 0;
}
