/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bits: see the header. */
#include "bits.h"

static gboolean
is_set(const guint8 *bits, guint32 i)
{
	return bits[i / 8] >> i % 8 & 1;
}

void
linux_bits_append_hex(GString *out, const guint8 *bits, guint32 n)
{
	/* The first word holds what is left over, with as many digits as that needs. */
	guint32 width = n % 32 ? n % 32 : 32;

	for (guint32 left = n; left; left -= width, width = 32) {
		guint32 word = 0;
		for (guint32 i = 0; i < width; i++)
			word |= (guint32) is_set(bits, left - width + i) << i;
		g_string_append_printf(out, left == n ? "%0*x" : ",%0*x", (int) (width + 3) / 4,
				       word);
	}
}

void
linux_bits_append_list(GString *out, const guint8 *bits, guint32 n)
{
	const char *separator = "";

	for (guint32 i = 0; i < n; i++) {
		guint32 last = i;
		if (!is_set(bits, i))
			continue;
		while (last + 1 < n && is_set(bits, last + 1))
			last++;
		g_string_append_printf(out, last > i ? "%s%u-%u" : "%s%u", separator, i, last);
		separator = ",";
		i = last;
	}
}
