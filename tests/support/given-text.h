/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* given-text: bytes in memory, read a few at a time as a file of the user would be. */
#pragma once

#include <given.h>
#include <string.h>

typedef struct {
	const char *bytes;
	gsize len;
	gsize at_once; /* the most that one read gives; 0 = any number */
} GivenText;

static inline gssize
given_text_read(gpointer user, gpointer buf, gsize len, GError **error)
{
	GivenText *text = user;

	len = MIN(len, text->len);
	if (text->at_once)
		len = MIN(len, text->at_once);
	memcpy(buf, text->bytes, len);
	text->bytes += len;
	text->len -= len;
	return (gssize) len;
}
