/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json: one look at the brackets and commas of a text, and then jansson. */
#include "json.h"

#include <vmifs/error.h>

/* What opens or separates is at most one per value, whatever the grammar says of the rest. */
static gboolean
is_bounded(const char *text, gsize len, guint *ret_values)
{
	guint depth = 0, values = 1;
	gboolean quoted = FALSE;

	for (gsize i = 0; i < len; i++) {
		char c = text[i];
		if (c == '"')
			quoted = !quoted;
		else if (quoted && c == '\\')
			i++;
		else if (quoted)
			continue;
		else if (c == '{' || c == '[')
			depth++, values++;
		else if ((c == '}' || c == ']') && depth)
			depth--;
		else if (c == ',' || c == ':')
			values++;
		if (depth > QEMU_JSON_DEPTH || values > QEMU_JSON_VALUES)
			return FALSE;
	}
	*ret_values = values;
	return TRUE;
}

json_t *
qemu_json_parse(const char *text, gsize len, gsize *room, GError **error)
{
	json_error_t problem;
	json_t *value;
	guint values;

	if (!is_bounded(text, len, &values)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "more values, or deeper ones, than any answer of a monitor");
		return NULL;
	}
	gsize taken = len + (gsize) values * QEMU_JSON_VALUE_ROOM;
	if (taken > *room) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "its answers are more than anybody asked for");
		return NULL;
	}
	*room -= taken;
	value = json_loadb(text, len, 0, &problem);
	if (!value)
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "no JSON at byte %d",
			    problem.position);
	return value;
}
