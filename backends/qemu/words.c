/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * words: see the header. What QEMU would refuse is taken as far as it can be understood: the
 * process runs, so that QEMU understood it.
 */
#include "words.h"

#include <jansson.h>
#include <string.h>

/* That differ: no option has as many, and each is looked for among all that were. */
#define MAX_KEYS 256

struct QemuWords {
	GHashTable *values; /* of char * by char * */
};

/* Up to a single comma; ",," stands for one. Moves *at behind the comma, or to the end. (full) */
static char *
next_word(const char **at)
{
	GString *word = g_string_new(NULL);
	const char *c = *at;

	for (; *c; c++) {
		if (*c == ',' && *++c != ',')
			break;
		g_string_append_c(word, *c);
	}
	*at = c;
	return g_string_free(word, FALSE);
}

static void
put(QemuWords *words, const char *key, gsize key_len, const char *value)
{
	g_autofree char *name = g_strndup(key, key_len);

	if (g_hash_table_size(words->values) < MAX_KEYS ||
	    g_hash_table_contains(words->values, name))
		g_hash_table_insert(words->values, g_steal_pointer(&name), g_strdup(value));
}

static void
take_words(QemuWords *words, const char *text, const char *first)
{
	for (const char *at = text; *at; first = NULL) {
		g_autofree char *word = next_word(&at);
		const char *equals = strchr(word, '=');

		if (equals)
			put(words, word, (gsize) (equals - word), equals + 1);
		else if (first)
			put(words, first, strlen(first), word);
		else if (g_str_has_prefix(word, "no") && word[2])
			put(words, word + 2, strlen(word + 2), "off");
		else if (*word)
			put(words, word, strlen(word), "on");
	}
}

static void
take_json(QemuWords *words, const char *text)
{
	json_t *object = json_loads(text, JSON_ALLOW_NUL, NULL);
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		if (json_is_string(value))
			put(words, key, strlen(key), json_string_value(value));
		else if (json_is_boolean(value))
			put(words, key, strlen(key), json_is_true(value) ? "on" : "off");
		else if (json_is_integer(value)) {
			g_autofree char *number =
				g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
			put(words, key, strlen(key), number);
		}
	}
	json_decref(object);
}

QemuWords *
qemu_words_new(const char *text, const char *first)
{
	QemuWords *words = g_new0(QemuWords, 1);

	words->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	if (*text == '{')
		take_json(words, text);
	else
		take_words(words, text, first);
	return words;
}

void
qemu_words_free(QemuWords *words)
{
	if (!words)
		return;
	g_hash_table_unref(words->values);
	g_free(words);
}

const char *
qemu_words_get(const QemuWords *words, const char *key)
{
	return g_hash_table_lookup(words->values, key);
}

gboolean
qemu_words_is_on(const QemuWords *words, const char *key)
{
	static const char *const on[] = { "on", "yes", "true", "y", NULL };
	const char *value = qemu_words_get(words, key);

	return value && g_strv_contains(on, value);
}

gboolean
qemu_words_number(const QemuWords *words, const char *key, guint64 *ret)
{
	const char *value = qemu_words_get(words, key);
	gboolean hex = value && g_ascii_strncasecmp(value, "0x", 2) == 0;

	return value && g_ascii_string_to_unsigned(hex ? value + 2 : value, hex ? 16 : 10, 0,
						   G_MAXUINT64, ret, NULL);
}

/* ---- sizes ---- */

/* -1 = no such suffix. */
static int
shift_of(char suffix)
{
	static const char suffixes[] = "BKMGTPE";
	const char *at = suffix ? strchr(suffixes, g_ascii_toupper(suffix)) : NULL;

	return at ? (int) (at - suffixes) * 10 : -1;
}

/* What follows the point, of 2^shift: no more than 2^shift, and zero for digits beyond the 18th,
 * which no size has. */
static guint64
fraction(const char *digits, gsize n, guint shift)
{
	guint64 value = 0, scale = 1;

	for (gsize i = 0; i < n && i < 18; i++) {
		value = value * 10 + (guint64) (digits[i] - '0');
		scale *= 10;
	}
	return (guint64) ((long double) value / (long double) scale *
			  (long double) (1ULL << shift));
}

gboolean
qemu_words_size(const QemuWords *words, const char *key, guint shift, guint64 *ret)
{
	const char *value = qemu_words_get(words, key);
	guint64 whole, part = 0, sum;

	if (!value || !*value)
		return FALSE;
	gboolean hex = g_ascii_strncasecmp(value, "0x", 2) == 0;
	const char *start = hex ? value + 2 : value;
	gsize n = strspn(start, hex ? "0123456789abcdefABCDEF" : "0123456789");
	const char *end = start + n;
	g_autofree char *digits = g_strndup(start, n);
	if (!g_ascii_string_to_unsigned(digits, hex ? 16 : 10, 0, G_MAXUINT64, &whole, NULL))
		return FALSE;
	const char *decimals = end + 1;
	gsize n_decimals = !hex && *end == '.' ? strspn(decimals, "0123456789") : 0;
	if (!hex && *end == '.')
		end = decimals + n_decimals;
	if (*end) {
		int suffix = shift_of(*end);
		if (suffix < 0 || end[1])
			return FALSE;
		shift = (guint) suffix;
	}
	if (n_decimals)
		part = fraction(decimals, n_decimals, shift);
	if (whole > G_MAXUINT64 >> shift || __builtin_add_overflow(whole << shift, part, &sum))
		return FALSE;
	*ret = sum;
	return TRUE;
}
