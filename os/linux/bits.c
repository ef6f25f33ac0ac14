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
	static const char digits[] = "0123456789abcdef";
	guint32 n_digits = n / 4 + (n % 4 != 0);

	/* Words of 32 bits, counted from the lowest: the first has what is left over. */
	for (guint32 i = n_digits; i-- > 0;) {
		guint digit = bits[i / 2] >> i % 2 * 4 & 15;
		if (i == n / 4)
			digit &= (1u << n % 4) - 1;
		g_string_append_c(out, digits[digit]);
		if (i && i % 8 == 0)
			g_string_append_c(out, ',');
	}
}

void
linux_bits_append_list(GString *out, const guint8 *bits, guint32 n)
{
	const char *separator = "";

	for (guint32 i = 0; i < n; i++) {
		guint32 last = i;
		if (i % 8 == 0 && !bits[i / 8]) {
			i += 7;
			continue;
		}
		if (!is_set(bits, i))
			continue;
		while (last + 1 < n && is_set(bits, last + 1))
			last++;
		g_string_append_printf(out, last > i ? "%s%u-%u" : "%s%u", separator, i, last);
		separator = ",";
		i = last;
	}
}
