/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bits: bitmaps as the kernel prints them: words of hex, and ranges of numbers. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* "00000001,ffffffff": bit n - 1 first, a word of 32 bits between commas. bits: (n + 7) / 8 bytes.
 */
void
linux_bits_append_hex(GString *out, const guint8 *bits, guint32 n);
/* "0-3,8" */
void
linux_bits_append_list(GString *out, const guint8 *bits, guint32 n);

G_END_DECLS
