/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* event: one line of JSON, whatever bytes a guest has put into its texts. */
#include <unit.h>

#include <events.h>
#include <string.h>

static char *
json_of(const VmifsEvent *event)
{
	g_autoptr(GString) out = g_string_new("{\"seq\":1");
	vmifs_event_to_json(event, 1, out);
	return g_string_free(g_steal_pointer(&out), FALSE);
}

#define assert_has(text, part) ck_assert_msg(strstr(text, part) != NULL, "%s", text)

START_TEST(members_come_in_one_order)
{
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("exec");
	event.time_ns = G_GINT64_CONSTANT(1234567890) * 1000000000 + 42;
	event.vcpu = 0;
	event.has_pc = TRUE;
	event.pc = 0xffffffff81000000;
	event.pid = 0;
	event.comm = g_strdup("swapper");
	vmifs_event_add_text(&event, "name", "w1", -1);
	vmifs_event_begin_list(&event, "args");
	vmifs_event_add_hex(&event, NULL, 1);
	vmifs_event_add_hex(&event, NULL, G_MAXUINT64);
	vmifs_event_end_list(&event);
	vmifs_event_add_number(&event, "n", G_MAXUINT64);
	vmifs_event_add_flag(&event, "yes", TRUE);
	g_autofree char *line = json_of(&event);
	ck_assert_str_eq(line, "{\"seq\":1,\"time\":\"2009-02-13T23:31:30.000000042Z\","
			       "\"type\":\"exec\",\"vcpu\":0,\"pc\":\"0xffffffff81000000\","
			       "\"pid\":0,\"comm\":\"swapper\",\"name\":\"w1\","
			       "\"args\":[\"0x1\",\"0xffffffffffffffff\"],"
			       "\"n\":18446744073709551615,\"yes\":true}\n");
}
END_TEST

START_TEST(times_are_right_on_both_sides_of_1970)
{
	g_autoptr(GString) out = g_string_new(NULL);
	vmifs_event_append_time(out, -1);
	vmifs_event_append_time(out, G_MAXINT64);
	vmifs_event_append_time(out, G_MININT64);
	ck_assert_str_eq(out->str, ",\"time\":\"1969-12-31T23:59:59.999999999Z\""
				   ",\"time\":\"2262-04-11T23:47:16.854775807Z\""
				   ",\"time\":\"1677-09-21T00:12:43.145224192Z\"");
}
END_TEST

START_TEST(an_event_without_a_time_has_that_of_now)
{
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("x");
	g_autofree char *line = json_of(&event);
	assert_has(line, "\"time\":\"1970-01-01T00:00:00.000000001Z\"");
}
END_TEST

START_TEST(texts_in_utf8_stay)
{
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("x");
	event.comm = g_strdup("grün 木 \"\\");
	g_autofree char *line = json_of(&event);
	assert_has(line, "\"comm\":\"grün 木 \\\"\\\\\"}\n");
}
END_TEST

START_TEST(other_bytes_are_numbers_and_the_line_says_so)
{
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("x");
	event.comm = g_strdup("a\xff\xc3\xa4");
	vmifs_event_add_text(&event, "path", "b\0c", 3);
	g_autofree char *line = json_of(&event);
	assert_has(line, "\"comm\":\"a\\u00ff\\u00c3\\u00a4\",\"path\":\"b\\u0000c\","
			 "\"raw\":true}\n");
}
END_TEST

/* The bytes of every text are those that its characters have as numbers. */
START_TEST(one_text_that_is_not_UTF_8_makes_all_of_them_numbers)
{
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("x");
	event.comm = g_strdup("gr\xc3\xbc");
	vmifs_event_add_text(&event, "path", "\xc2\x9b\\u009b\"\xc3\xa4", -1);
	g_autofree char *before = json_of(&event);
	assert_has(before, "\"comm\":\"gr\xc3\xbc\",\"path\":\"\\u009b\\\\u009b\\\"\xc3\xa4\"}\n");
	vmifs_event_begin_list(&event, "argv");
	vmifs_event_add_text(&event, NULL, "\xe6\x9c\xa8", -1);
	vmifs_event_add_text(&event, NULL, "\xff", -1);
	vmifs_event_end_list(&event);
	g_autofree char *line = json_of(&event);
	assert_has(line, "\"comm\":\"gr\\u00c3\\u00bc\","
			 "\"path\":\"\\u00c2\\u009b\\\\u009b\\\"\\u00c3\\u00a4\","
			 "\"argv\":[\"\\u00e6\\u009c\\u00a8\",\"\\u00ff\"],\"raw\":true}\n");
}
END_TEST

START_TEST(no_control_character_reaches_a_terminal)
{
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("x");
	event.comm = g_strdup("\033[2J\n\x7f\xc2\x9b"
			      "0m\xc2\xa0");
	g_autofree char *line = json_of(&event);
	assert_has(line, "\"comm\":\"\\u001b[2J\\u000a\\u007f\\u009b0m\xc2\xa0\"}\n");
}
END_TEST

START_TEST(long_texts_are_cut_between_characters)
{
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("x");
	g_autofree char *as = g_strnfill(VMIFS_EVENT_TEXT_LEN - 1, 'a');
	g_autofree char *text = g_strconcat(as, "木木", NULL);
	vmifs_event_add_text(&event, "path", text, -1);
	g_autofree char *line = json_of(&event);
	assert_has(line, "aaa\",\"cut\":true}\n");
}
END_TEST

START_TEST(lines_are_bounded)
{
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("x");
	g_autofree char *text = g_strnfill(2 * VMIFS_EVENT_TEXT_LEN, '\001');
	event.pid = 7;
	for (int i = 0; i < 100; i++)
		vmifs_event_add_text(&event, "path", text, -1);
	g_autofree char *line = json_of(&event);
	ck_assert_uint_lt(strlen(line), VMIFS_EVENT_LINE_LEN);
	assert_has(line, "\"pid\":7,\"path\":\"\\u0001");
	assert_has(line, "\\u0001\",\"cut\":true}\n");
}
END_TEST

/* Six characters for each byte, from the text on that is not UTF-8. */
START_TEST(a_text_that_would_make_all_too_long_is_left_out)
{
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("x");
	g_autofree char *text = g_strnfill(VMIFS_EVENT_TEXT_LEN, '\xc3');
	for (gsize i = 1; i < VMIFS_EVENT_TEXT_LEN; i += 2)
		text[i] = '\xa4';
	for (int i = 0; i < 10; i++)
		ck_assert(vmifs_event_add_text(&event, "t", text, -1));
	ck_assert(!vmifs_event_add_text(&event, "last", "\xff", -1));
	g_autofree char *line = json_of(&event);
	assert_has(line, "\xc3\xa4\",\"cut\":true}\n");
	/* What comes before the texts may make them too long still. */
	event.comm = g_strdup("\xff");
	g_autofree char *raw = json_of(&event);
	assert_has(raw, "\"comm\":\"\\u00ff\",\"raw\":true,\"cut\":true}\n");
	ck_assert_uint_lt(strlen(raw), 200);
}
END_TEST

START_TEST(control_characters_of_two_bytes_count_as_what_they_become)
{
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("x");
	g_autofree char *text = g_strnfill(VMIFS_EVENT_TEXT_LEN, '\xc2');
	for (gsize i = 1; i < VMIFS_EVENT_TEXT_LEN; i += 2)
		text[i] = '\x9b';
	for (int i = 0; i < 100; i++)
		vmifs_event_add_text(&event, "t", text, -1);
	g_autofree char *line = json_of(&event);
	ck_assert_uint_lt(strlen(line), VMIFS_EVENT_LINE_LEN);
	assert_has(line, "\\u009b\",\"cut\":true}\n");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("event");
	TCase *t = tcase_create("event");
	tcase_add_test(t, members_come_in_one_order);
	tcase_add_test(t, times_are_right_on_both_sides_of_1970);
	tcase_add_test(t, an_event_without_a_time_has_that_of_now);
	tcase_add_test(t, texts_in_utf8_stay);
	tcase_add_test(t, other_bytes_are_numbers_and_the_line_says_so);
	tcase_add_test(t, one_text_that_is_not_UTF_8_makes_all_of_them_numbers);
	tcase_add_test(t, no_control_character_reaches_a_terminal);
	tcase_add_test(t, long_texts_are_cut_between_characters);
	tcase_add_test(t, lines_are_bounded);
	tcase_add_test(t, a_text_that_would_make_all_too_long_is_left_out);
	tcase_add_test(t, control_characters_of_two_bytes_count_as_what_they_become);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
