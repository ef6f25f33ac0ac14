/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-kallsyms: good tables with some bytes changed: whole ones no mutation would ever find. The
 * first byte chooses the layout; then four bytes each: which table, offset in it (u16), new value.
 */
#include "fuzz.h"

#include <kallsyms-image.h>
#include <os/linux/kallsyms.h>
#include <spi/bytes.h>

enum { TABLES = 7, CUT = 7 };

static gboolean
read_phys(gpointer user, guint64 pa, gpointer buf, gsize len)
{
	const VmifsBytes *memory = user;

	if (!vmifs_in_bounds(pa, len, memory->len))
		return FALSE;
	memcpy(buf, memory->data + pa, len);
	return TRUE;
}

/* Made once for each layout: it takes longer than what is tested. */
static const KallsymsImage *
get_image(gsize which)
{
	static KallsymsImage images[64];

	g_assert(which < G_N_ELEMENTS(images));
	if (!images[which].bytes) {
		KallsymsPlan plan = kallsyms_plans[which];
		plan.n = 900 + plan.n % 2;
		kallsyms_image_make(&images[which], &plan);
	}
	return &images[which];
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VmifsBytes input = vmifs_bytes(data, len);
	const KallsymsImage *image = get_image(vmifs_bytes_u8(&input) % kallsyms_n_plans);
	const gsize tables[TABLES] = { image->offsets_at, image->n_at,      image->names_at,
				       image->markers_at, image->tokens_at, image->index_at,
				       image->digits_at };
	g_autofree guint8 *bytes = g_memdup2(image->bytes->data, image->bytes->len);
	VmifsBytes memory = vmifs_bytes(bytes, image->bytes->len);
	LinuxPhys phys = { read_phys, &memory };
	g_autoptr(LinuxKallsyms) found = NULL;
	g_autoptr(VmifsSymbols) symbols = NULL;

	while (!input.failed && input.len - input.at >= 4) {
		guint table = vmifs_bytes_u8(&input) % (TABLES + 1);
		guint16 offset = vmifs_bytes_u16(&input);
		guint8 value = vmifs_bytes_u8(&input);

		if (table == CUT)
			memory.len = MIN(memory.len, image->digits_at + offset);
		else
			bytes[(tables[table] + offset) % image->bytes->len] = value;
	}
	found = linux_kallsyms_find(&phys, image->digits_at, NULL);
	if (!found)
		return 0;
	symbols = linux_kallsyms_decode(found, NULL);
	g_assert(!symbols || vmifs_symbols_count(symbols) == found->n);
	return 0;
}
