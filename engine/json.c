/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json: a text of tens of megabytes is mostly short names, so what costs is the step from one
 * token to the next: bytes are taken from a window of the text, and only tokens are copied. What
 * may come next is one of five states; objects and arrays that are open, a bit each.
 */
#include "json.h"

#include <errno.h>
#include <string.h>
#include <vmifs/error.h>

#define WINDOW (64 * 1024)
#define MAX_DEPTH 64
#define MAX_TEXT (1024 * 1024) /* of one token */

typedef enum {
	STATE_VALUE,
	STATE_FIRST_KEY,     /* or the end of the object */
	STATE_KEY,           /* a comma has been seen */
	STATE_FIRST_ELEMENT, /* or the end of the array */
	STATE_AFTER,         /* a comma, or the end of what is open */
} State;

struct VmifsJson {
	VmifsJsonRead read;
	gpointer user;
	gsize at, len;  /* in window */
	guint64 passed; /* bytes before the window */
	guint depth;
	guint64 objects; /* bit depth - 1: what is open there is an object */
	State state;
	GString *text;
	GError *error;
	char window[WINDOW];
};

VmifsJson *
vmifs_json_new(VmifsJsonRead read, gpointer user)
{
	VmifsJson *json = g_new(VmifsJson, 1);

	memset(json, 0, G_STRUCT_OFFSET(VmifsJson, window));
	json->read = read;
	json->user = user;
	json->text = g_string_new(NULL);
	return json;
}

void
vmifs_json_free(VmifsJson *json)
{
	if (!json)
		return;
	g_string_free(json->text, TRUE);
	g_clear_error(&json->error);
	g_free(json);
}

void
vmifs_json_fail(VmifsJson *json, const char *why)
{
	if (!json->error)
		g_set_error(&json->error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "JSON, byte %" G_GUINT64_FORMAT ": %s", json->passed + json->at, why);
}

static VmifsJsonToken
failed(VmifsJson *json, const char *why)
{
	vmifs_json_fail(json, why);
	return VMIFS_JSON_FAILED;
}

/* ---- bytes ---- */

static gboolean
refill(VmifsJson *json)
{
	if (json->error)
		return FALSE;
	json->passed += json->len;
	json->at = json->len = 0;
	gssize n = json->read(json->user, json->window, WINDOW, &json->error);
	if (n > 0)
		json->len = (gsize) n;
	return n > 0;
}

/* The byte at hand, not taken; -1 at the end. */
static inline int
peek(VmifsJson *json)
{
	if (json->at == json->len && !refill(json))
		return -1;
	return (guchar) json->window[json->at];
}

static int
peek_solid(VmifsJson *json)
{
	int c;

	while ((c = peek(json)) == ' ' || c == '\n' || c == '\t' || c == '\r')
		json->at++;
	return c;
}

static gboolean
append(VmifsJson *json, const char *bytes, gsize len)
{
	if (len > MAX_TEXT - json->text->len) {
		vmifs_json_fail(json, "a text is too long");
		return FALSE;
	}
	g_string_append_len(json->text, bytes, (gssize) len);
	return TRUE;
}

/* ---- strings ---- */

static gboolean
read_hex(VmifsJson *json, guint32 *ret)
{
	*ret = 0;
	for (guint i = 0; i < 4; i++) {
		int digit = g_ascii_xdigit_value((char) peek(json));
		if (digit < 0) {
			vmifs_json_fail(json, "\\u without four digits");
			return FALSE;
		}
		*ret = *ret << 4 | (guint32) digit;
		json->at++;
	}
	return TRUE;
}

/* Behind "\u". Halves of a pair that stand alone are U+FFFD. */
static gboolean
read_unicode(VmifsJson *json)
{
	guint32 code, low;
	char bytes[6];

	if (!read_hex(json, &code))
		return FALSE;
	while (code >= 0xd800 && code < 0xdc00 && peek(json) == '\\') {
		json->at++;
		if (peek(json) != 'u') {
			vmifs_json_fail(json, "half of a pair");
			return FALSE;
		}
		json->at++;
		if (!read_hex(json, &low))
			return FALSE;
		if (low >= 0xdc00 && low < 0xe000) {
			code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
		} else {
			append(json, "\357\277\275", 3);
			code = low;
		}
	}
	if (!code) {
		vmifs_json_fail(json, "NUL in a text");
		return FALSE;
	}
	if (code >= 0xd800 && code < 0xe000)
		code = 0xfffd;
	return append(json, bytes, (gsize) g_unichar_to_utf8(code, bytes));
}

static gboolean
read_escape(VmifsJson *json)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	int c = peek(json);
	const char *place = c > 0 ? strchr(from, c) : NULL;

	if (c > 0)
		json->at++;
	if (c == 'u')
		return read_unicode(json);
	if (!place) {
		vmifs_json_fail(json, "an escape that is none");
		return FALSE;
	}
	return append(json, &to[place - from], 1);
}

/* Behind its first quote. */
static gboolean
read_string(VmifsJson *json)
{
	g_string_truncate(json->text, 0);
	for (;;) {
		if (peek(json) < 0) {
			vmifs_json_fail(json, "the text ends within a string");
			return FALSE;
		}
		const char *start = json->window + json->at, *end = json->window + json->len;
		const char *c = start;
		while (c < end && *c != '"' && *c != '\\' && (guchar) *c >= 0x20)
			c++;
		json->at += (gsize) (c - start);
		if (!append(json, start, (gsize) (c - start)))
			return FALSE;
		if (c == end)
			continue;
		json->at++;
		if (*c == '"')
			return TRUE;
		if (*c != '\\') {
			vmifs_json_fail(json, "a control character in a string");
			return FALSE;
		}
		if (!read_escape(json))
			return FALSE;
	}
}

/* ---- other tokens ---- */

static gboolean
is_of_word(int c)
{
	return c > 0 && (g_ascii_isalnum((char) c) || c == '+' || c == '-' || c == '.');
}

static gboolean
is_number(const char *text)
{
	text += *text == '-';
	if (!g_ascii_isdigit(*text))
		return FALSE;
	return text[strspn(text, "0123456789+-.eE")] == '\0';
}

static VmifsJsonToken
read_word(VmifsJson *json)
{
	g_string_truncate(json->text, 0);
	for (int c; is_of_word(c = peek(json)); json->at++) {
		if (json->text->len > 64)
			return failed(json, "a number without end");
		g_string_append_c(json->text, (char) c);
	}
	const char *text = json->text->str;
	if (is_number(text))
		return VMIFS_JSON_NUMBER;
	if (g_str_equal(text, "true") || g_str_equal(text, "false") || g_str_equal(text, "null"))
		return VMIFS_JSON_WORD;
	return failed(json, "neither a value nor a name");
}

static VmifsJsonToken
open_list(VmifsJson *json, gboolean is_object)
{
	guint64 bit = G_GUINT64_CONSTANT(1) << json->depth % MAX_DEPTH;

	if (json->depth == MAX_DEPTH)
		return failed(json, "too many values within each other");
	json->objects = is_object ? json->objects | bit : json->objects & ~bit;
	json->depth++;
	json->at++;
	json->state = is_object ? STATE_FIRST_KEY : STATE_FIRST_ELEMENT;
	return is_object ? VMIFS_JSON_OBJECT : VMIFS_JSON_ARRAY;
}

static gboolean
is_in_object(const VmifsJson *json)
{
	return json->objects >> (json->depth - 1) & 1;
}

static VmifsJsonToken
close_list(VmifsJson *json)
{
	gboolean was_object = is_in_object(json);

	json->at++;
	json->depth--;
	json->state = STATE_AFTER;
	return was_object ? VMIFS_JSON_OBJECT_END : VMIFS_JSON_ARRAY_END;
}

static VmifsJsonToken
read_value(VmifsJson *json, int c)
{
	if (c == '{' || c == '[')
		return open_list(json, c == '{');
	json->state = STATE_AFTER;
	if (c != '"')
		return read_word(json);
	json->at++;
	return read_string(json) ? VMIFS_JSON_STRING : VMIFS_JSON_FAILED;
}

static VmifsJsonToken
read_key(VmifsJson *json, int c)
{
	if (c != '"')
		return failed(json, "a name is missing");
	json->at++;
	if (!read_string(json))
		return VMIFS_JSON_FAILED;
	if (peek_solid(json) != ':')
		return failed(json, "a colon is missing");
	json->at++;
	json->state = STATE_VALUE;
	return VMIFS_JSON_KEY;
}

VmifsJsonToken
vmifs_json_next(VmifsJson *json)
{
	if (json->error)
		return VMIFS_JSON_FAILED;
	int c = peek_solid(json);
	if (json->error)
		return VMIFS_JSON_FAILED;
	if (json->state == STATE_AFTER) {
		if (!json->depth)
			return c < 0 ? VMIFS_JSON_END : failed(json, "more than one value");
		if (c == (is_in_object(json) ? '}' : ']'))
			return close_list(json);
		if (c != ',')
			return failed(json,
				      c < 0 ? "the text ends too soon" : "a comma is missing");
		json->at++;
		json->state = is_in_object(json) ? STATE_KEY : STATE_VALUE;
		c = peek_solid(json);
	} else if ((json->state == STATE_FIRST_KEY && c == '}') ||
		   (json->state == STATE_FIRST_ELEMENT && c == ']')) {
		return close_list(json);
	}
	if (c < 0)
		return failed(json, "the text ends too soon");
	return json->state == STATE_FIRST_KEY || json->state == STATE_KEY ? read_key(json, c)
									  : read_value(json, c);
}

const char *
vmifs_json_text(const VmifsJson *json)
{
	return json->text->str;
}

gboolean
vmifs_json_i64(const VmifsJson *json, gint64 *ret)
{
	return g_ascii_string_to_signed(json->text->str, 10, G_MININT64, G_MAXINT64, ret, NULL);
}

/* ---- for readers ---- */

void
vmifs_json_skip(VmifsJson *json)
{
	guint outside = json->depth;

	do {
		VmifsJsonToken token = vmifs_json_next(json);
		if (token == VMIFS_JSON_FAILED || token == VMIFS_JSON_END)
			return;
	} while (json->depth > outside);
}

gboolean
vmifs_json_expect(VmifsJson *json, VmifsJsonToken token)
{
	if (vmifs_json_next(json) == token)
		return TRUE;
	vmifs_json_fail(json, "a value of another kind than should be here");
	return FALSE;
}

gboolean
vmifs_json_key(VmifsJson *json)
{
	return vmifs_json_next(json) == VMIFS_JSON_KEY;
}

guint64
vmifs_json_take_u64(VmifsJson *json)
{
	guint64 number;

	return vmifs_json_expect(json, VMIFS_JSON_NUMBER) &&
			       g_ascii_string_to_unsigned(json->text->str, 10, 0, G_MAXUINT64,
							  &number, NULL)
		       ? number
		       : G_MAXUINT64;
}

gboolean
vmifs_json_check(const VmifsJson *json, GError **error)
{
	if (json->error && error)
		*error = g_error_copy(json->error);
	return !json->error;
}
