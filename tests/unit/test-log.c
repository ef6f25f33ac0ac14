/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log: bounded, escaped, repeats counted. */
#include <unit.h>

#include <log.h>
#include <string.h>

static void
add(VmifsLog *log, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
add(VmifsLog *log, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vmifs_log_add(log, format, args);
	va_end(args);
}

START_TEST(repeats_are_counted)
{
	g_autoptr(VmifsLog) log = vmifs_log_new();
	g_autoptr(GString) out = g_string_new(NULL);
	for (int i = 0; i < 5; i++)
		add(log, "same");
	vmifs_log_text(log, out);
	ck_assert_msg(g_str_has_suffix(out->str, "Z same (5 times)\n"), "%s", out->str);
}
END_TEST

START_TEST(terminal_escapes_do_not_pass)
{
	g_autoptr(VmifsLog) log = vmifs_log_new();
	g_autoptr(GString) out = g_string_new(NULL);
	add(log, "comm %s", "\033[2J\nfake line");
	vmifs_log_text(log, out);
	ck_assert_ptr_null(strchr(out->str, '\033'));
	ck_assert_msg(strstr(out->str, "\\033[2J\\012fake line\n"), "%s", out->str);
}
END_TEST

START_TEST(memory_is_bounded)
{
	g_autoptr(VmifsLog) log = vmifs_log_new();
	g_autoptr(GString) out = g_string_new(NULL);
	g_autofree char *huge = g_strnfill(1 << 16, 'x');
	for (int i = 0; i < 1000; i++)
		add(log, "%d %s", i, huge);
	vmifs_log_text(log, out);
	ck_assert_uint_lt(out->len, 512 * 1024);
	ck_assert_msg(g_str_has_prefix(out->str, "(744 older lines dropped)\n"), "%.40s", out->str);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");
	tcase_add_test(t, repeats_are_counted);
	tcase_add_test(t, terminal_escapes_do_not_pass);
	tcase_add_test(t, memory_is_bounded);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
