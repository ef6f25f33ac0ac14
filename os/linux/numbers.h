/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * numbers: as texts show them. stat and status are made of some hundred, and tools read both of
 * every process: through printf(3) they took longer to print than to find.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

void
linux_append_number(GString *out, guint64 value);
void
linux_append_signed(GString *out, gint64 value);
/* Of at least so many characters (up to 20), with spaces before it. */
void
linux_append_padded(GString *out, guint64 value, guint width);
/* 16 digits. */
void
linux_append_hex(GString *out, guint64 value);

G_END_DECLS
