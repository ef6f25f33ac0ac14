/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text: octal escapes, as procfs makes them, and the rule for names of directory entries. */
#include <vmifs/text.h>

#include <string.h>

static void
append_octal(GString *out, guchar c)
{
	const char escape[] = { '\\', '0' + (c >> 6), '0' + (c >> 3 & 7), '0' + (c & 7) };

	g_string_append_len(out, escape, sizeof escape);
}

static gboolean
is_listed(const char *list, guchar c)
{
	return list && c && strchr(list, c);
}

void
vmifs_text_append_octal(GString *out, const char *bytes, gssize len, const char *also)
{
	gsize n = len < 0 ? strlen(bytes) : (gsize) len;

	for (gsize i = 0; i < n; i++) {
		guchar c = (guchar) bytes[i];
		if (c < 0x20 || c == 0x7f || c == '\\' || is_listed(also, c))
			append_octal(out, c);
		else
			g_string_append_c(out, (char) c);
	}
}

void
vmifs_text_append_mangled(GString *out, const char *bytes, gssize len, const char *esc)
{
	gsize n = len < 0 ? strlen(bytes) : (gsize) len;

	for (gsize i = 0; i < n; i++) {
		guchar c = (guchar) bytes[i];
		if (is_listed(esc, c))
			append_octal(out, c);
		else
			g_string_append_c(out, (char) c);
	}
}

gboolean
vmifs_text_is_file_name(const char *name)
{
	return name && *name && strcmp(name, ".") && strcmp(name, "..") && !strchr(name, '/') &&
	       strlen(name) <= 255;
}
