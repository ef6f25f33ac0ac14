/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text: guest bytes made fit to be shown. Everything that comes from a guest may hold newlines or
 * terminal escapes; each text format says which bytes it escapes, these are the ways to do it.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* As the kernel's seq_escape(): control bytes (< 0x20, 0x7f), backslash and the bytes in `also`
 * become \ooo, everything else stays. */
void
vmifs_text_append_octal(GString *out, const char *bytes, gssize len, const char *also);
/* As the kernel's mangle_path(): only the bytes listed in `esc` become \ooo. */
void
vmifs_text_append_mangled(GString *out, const char *bytes, gssize len, const char *esc);
/* A name that may be a directory entry: not empty, not "." or "..", no '/', no NUL, at most 255
 * bytes. */
gboolean
vmifs_text_is_file_name(const char *name);

G_END_DECLS
