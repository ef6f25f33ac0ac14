/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json: tokens as they come, whatever the pieces, and texts that are none. */
#include <unit.h>

#include <given-text.h>
#include <vmifs/error.h>

static VmifsJson *
start(GivenText *text, const char *bytes, gsize at_once)
{
	*text = (GivenText){ bytes, strlen(bytes), at_once };
	return vmifs_json_new(given_text_read, text);
}

START_TEST(tokens_come_in_order_whatever_the_pieces)
{
	static const struct {
		VmifsJsonToken token;
		const char *text;
	} expected[] = {
		{ VMIFS_JSON_OBJECT, NULL },
		{ VMIFS_JSON_KEY, "a\"\n" },
		{ VMIFS_JSON_ARRAY, NULL },
		{ VMIFS_JSON_NUMBER, "1" },
		{ VMIFS_JSON_WORD, "true" },
		{ VMIFS_JSON_ARRAY, NULL },
		{ VMIFS_JSON_ARRAY_END, NULL },
		{ VMIFS_JSON_STRING, "\303\244\360\237\230\200\357\277\275" },
		{ VMIFS_JSON_ARRAY_END, NULL },
		{ VMIFS_JSON_KEY, "" },
		{ VMIFS_JSON_OBJECT, NULL },
		{ VMIFS_JSON_OBJECT_END, NULL },
		{ VMIFS_JSON_OBJECT_END, NULL },
		{ VMIFS_JSON_END, NULL },
	};
	static const char bytes[] =
		" {\"a\\\"\\n\" : [1, true,[ ],\"\\u00e4\\ud83d\\ude00\\udc00\"]"
		",\"\":{}}\n ";

	for (gsize at_once = 0; at_once < 4; at_once++) {
		GivenText text;
		g_autoptr(VmifsJson) json = start(&text, bytes, at_once);

		for (gsize i = 0; i < G_N_ELEMENTS(expected); i++) {
			ck_assert_int_eq(vmifs_json_next(json), expected[i].token);
			if (expected[i].text)
				ck_assert_str_eq(vmifs_json_text(json), expected[i].text);
		}
		ck_assert(vmifs_json_check(json, NULL));
	}
}
END_TEST

static const struct {
	const char *bytes, *why;
} broken[] = {
	{ "", "too soon" },
	{ "[1,", "too soon" },
	{ "{\"a\":", "too soon" },
	{ "{\"a", "within a string" },
	{ "[1 2]", "comma" },
	{ "[1}", "comma" },
	{ "{\"a\" 1}", "colon" },
	{ "{a:1}", "name is missing" },
	{ "{\"a\":1,}", "name is missing" },
	{ "[,]", "neither a value" },
	{ "1 2", "more than one" },
	{ "frue", "neither a value" },
	{ "[\"\\x\"]", "escape" },
	{ "[\"\\u12g4\"]", "four digits" },
	{ "[\"\\u0000\"]", "NUL" },
	{ "[\"\n\"]", "control character" },
	{ "[11111111111111111111111111111111111111111111111111111111111111111111111111]",
	  "without end" },
	{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
	  "within each other" },
};

START_TEST(what_is_no_json_is_refused_with_the_place)
{
	GivenText text;
	g_autoptr(VmifsJson) json = start(&text, broken[_i].bytes, 0);
	g_autoptr(GError) error = NULL;

	for (guint i = 0; i < 100 && vmifs_json_next(json) != VMIFS_JSON_FAILED; i++)
		;
	ck_assert_int_eq(vmifs_json_next(json), VMIFS_JSON_FAILED);
	ck_assert(!vmifs_json_check(json, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_msg(strstr(error->message, broken[_i].why), "%s", error->message);
}
END_TEST

START_TEST(numbers_are_whole_or_not_known)
{
	static const struct {
		const char *text;
		guint64 u64;
		gint64 i64; /* 0 = none */
	} numbers[] = {
		{ "7", 7, 7 },
		{ "18446744073709551615", G_MAXUINT64, 0 },
		{ "18446744073709551614", G_MAXUINT64 - 1, 0 },
		{ "18446744073709551616", G_MAXUINT64, 0 },
		{ "-9223372036854775808", G_MAXUINT64, G_MININT64 },
		{ "1e3", G_MAXUINT64, 0 },
		{ "1.5", G_MAXUINT64, 0 },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
		GivenText text;
		g_autoptr(VmifsJson) json = start(&text, numbers[i].text, 1);
		gint64 value = 0;

		ck_assert_uint_eq(vmifs_json_take_u64(json), numbers[i].u64);
		ck_assert_int_eq(vmifs_json_i64(json, &value), numbers[i].i64 != 0);
		ck_assert_int_eq(value, numbers[i].i64);
	}
}
END_TEST

START_TEST(values_are_skipped_as_a_whole)
{
	GivenText text;
	g_autoptr(VmifsJson) json = start(&text, "{\"a\":{\"b\":[{},[1]]},\"c\":\"d\",\"e\":5}", 1);

	ck_assert(vmifs_json_expect(json, VMIFS_JSON_OBJECT));
	for (guint i = 0; i < 2; i++) {
		ck_assert(vmifs_json_key(json));
		vmifs_json_skip(json);
	}
	ck_assert(vmifs_json_key(json));
	ck_assert_str_eq(vmifs_json_text(json), "e");
	ck_assert_uint_eq(vmifs_json_take_u64(json), 5);
	ck_assert(!vmifs_json_key(json));
	ck_assert(vmifs_json_expect(json, VMIFS_JSON_END));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("json");
	TCase *t = tcase_create("json");

	tcase_add_test(t, tokens_come_in_order_whatever_the_pieces);
	tcase_add_loop_test(t, what_is_no_json_is_refused_with_the_place, 0, G_N_ELEMENTS(broken));
	tcase_add_test(t, numbers_are_whole_or_not_known);
	tcase_add_test(t, values_are_skipped_as_a_whole);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
