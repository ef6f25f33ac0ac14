/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control: what files have in common that are written with words. */
#include "nodes.h"

#include <string.h>

/* Of a line that is quoted in the log. */
#define QUOTE_LEN 80

char *
vmifs_control_text(gconstpointer data, gsize len)
{
	char *text = g_strndup(data, len);
	gsize end = strlen(text);
	if (end && text[end - 1] == '\n')
		text[end - 1] = '\0';
	return text;
}

void
vmifs_set_not_understood(const char *line, const char *why, GError **error)
{
	g_autoptr(GString) quote = g_string_new(NULL);
	vmifs_text_append_octal(quote, line, (gssize) MIN(strlen(line), QUOTE_LEN), NULL);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID, "'%s' was not understood: %s",
		    quote->str, why);
}
