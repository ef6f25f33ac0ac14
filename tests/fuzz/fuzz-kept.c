/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-kept: a good entry with some bytes changed, then whatever the bytes are as packed symbols.
 * First byte: bit 0, which of the two. Changes are six bytes each: offset from the end of what is
 * compared with the guest (u32), new value (u16).
 */
#include "fuzz.h"

#include <kallsyms-image.h>
#include <os/linux/kept.h>
#include <spi/bytes.h>

#define N 900

typedef struct {
	LinuxKallsyms *tables;
	GBytes *source, *entry;
} Good;

static void
save(gpointer user, const char *name, const GPtrArray *parts)
{
	GByteArray *bytes = g_byte_array_new();

	for (guint i = 0; i < parts->len; i++) {
		gsize len;
		gconstpointer part = g_bytes_get_data(g_ptr_array_index(parts, i), &len);
		g_byte_array_append(bytes, part, (guint) len);
	}
	((Good *) user)->entry = g_byte_array_free_to_bytes(bytes);
}

/* Made once: it takes longer than what is tested. */
static const Good *
get_good(void)
{
	static Good good;
	KallsymsPlan plan = kallsyms_plans[0];
	const VmifsCache cache = { NULL, save, &good };
	const VmifsOptions options = { .size = sizeof options, .cache = &cache };
	KallsymsImage image;

	if (good.entry)
		return &good;
	plan.n = N;
	kallsyms_image_make(&image, &plan);
	good.tables = kallsyms_image_find(&image);
	good.source = linux_kept_source(&options, good.tables);
	g_autoptr(VmifsSymbols) symbols = linux_kallsyms_decode(good.tables, NULL);
	linux_kept_save(&options, good.source, symbols);
	kallsyms_image_clear(&image);
	return &good;
}

static void
use(const VmifsSymbols *symbols, gsize n)
{
	g_assert(vmifs_symbols_count(symbols) == n);
	for (gsize i = 0; i < n; i++) {
		VmifsSymbol symbol;
		guint64 cursor = 0;
		gsize index;

		vmifs_symbols_get(symbols, i, &symbol);
		for (guint k = 0;
		     k < 4 && vmifs_symbols_each(symbols, symbol.name, &cursor, &index); k++)
			g_assert(index < n);
	}
}

static void
try_entry(VmifsBytes *input)
{
	const Good *good = get_good();
	gsize len, at = g_bytes_get_size(good->source);
	const guint8 *bytes = g_bytes_get_data(good->entry, &len);
	guint8 *changed = g_memdup2(bytes, len);

	while (!input->failed && input->len - input->at >= 6) {
		guint32 offset = vmifs_bytes_u32(input) % (guint32) (len - at - 1);
		guint16 value = vmifs_bytes_u16(input);

		memcpy(changed + at + offset, &value, sizeof value);
	}
	g_autoptr(GBytes) entry = g_bytes_new_take(changed, len);
	g_autoptr(VmifsSymbols) symbols = linux_kept_open(entry, good->tables);
	if (symbols)
		use(symbols, N);
}

static void
try_packed(const guint8 *data, gsize len)
{
	g_autoptr(GBytes) packed = g_bytes_new(data, len);
	gsize n = len > 8 ? data[8] : 0; /* where packed symbols say how many they are */
	g_autoptr(VmifsSymbols) symbols = vmifs_symbols_unpack(packed, g_new0(guint64, n), n, NULL);

	if (symbols)
		use(symbols, n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VmifsBytes input = vmifs_bytes(data, len);

	if (vmifs_bytes_u8(&input) & 1)
		try_packed(data + input.at, len - input.at);
	else
		try_entry(&input);
	return 0;
}
