/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* numbers: digits are made from the last to the first. */
#include "numbers.h"

#define MAX_DIGITS 20

void
linux_append_padded(GString *out, guint64 value, guint width)
{
	char digits[MAX_DIGITS];
	guint at = MAX_DIGITS;

	do
		digits[--at] = (char) ('0' + value % 10);
	while (value /= 10);
	while (at > 0 && MAX_DIGITS - at < width)
		digits[--at] = ' ';
	g_string_append_len(out, digits + at, MAX_DIGITS - at);
}

void
linux_append_number(GString *out, guint64 value)
{
	linux_append_padded(out, value, 0);
}

void
linux_append_signed(GString *out, gint64 value)
{
	if (value < 0)
		g_string_append_c(out, '-');
	linux_append_number(out, value < 0 ? -(guint64) value : (guint64) value);
}

void
linux_append_hex(GString *out, guint64 value)
{
	char digits[16];

	for (guint i = sizeof digits; i-- > 0; value >>= 4)
		digits[i] = "0123456789abcdef"[value & 15];
	g_string_append_len(out, digits, sizeof digits);
}
