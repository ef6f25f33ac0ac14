/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-text-guest: any bytes behind the first line of a text guest; then a look at all of its
 * memory. */
#include "fuzz.h"

#include <backends/text/text.h>
#include <engine/regions.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autoptr(GString) text = g_string_new(VMIFS_TEXT_MAGIC "1\n");

	g_string_append_len(text, (const char *) data, (gssize) len);
	g_autoptr(VmifsTextGuest) guest = vmifs_text_guest_parse(text->str, text->len, NULL);
	if (!guest)
		return 0;
	/* What the parser accepts is a layout that the engine accepts. */
	g_autoptr(GArray) blocks = g_array_new(FALSE, FALSE, sizeof(VmifsBlock));
	for (guint i = 0; i < guest->blocks->len; i++) {
		const VmifsTextBlock *block = g_ptr_array_index(guest->blocks, i);
		VmifsBlock b = { .name = block->name, .len = block->len };
		g_array_append_val(blocks, b);
		g_assert(block->numbers->len <= VMIFS_TEXT_MAX_PAGES);
	}
	VmifsLayout layout = { .regions = guest->regions, .blocks = blocks };
	g_assert(vmifs_regions_check(&layout, NULL));
	return 0;
}
