/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-watch: any bytes as what is written to `watch`; what is understood means the same when it is
 * written back. */
#include "fuzz.h"

#include <engine/watch-line.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autoptr(GArray) lines = vmifs_watch_lines_parse((const char *) data, len, NULL);

	for (guint i = 0; lines && i < lines->len; i++) {
		g_autoptr(GString) text = g_string_new(NULL), again = g_string_new(NULL);
		vmifs_watch_line_text(&g_array_index(lines, VmifsWatchLine, i), text);
		g_autoptr(GArray) one = vmifs_watch_lines_parse(text->str, text->len, NULL);
		g_assert(one && one->len == 1);
		vmifs_watch_line_text(&g_array_index(one, VmifsWatchLine, 0), again);
		g_assert(g_string_equal(text, again));
	}
	return 0;
}
