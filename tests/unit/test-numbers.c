/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* numbers: each as printf(3) would have it. */
#include <unit.h>

#include <os/linux/numbers.h>

static const guint64 values[] = { 0,          1,          9,           10,          99,
				  12345678,   123456789,  G_MAXINT32,  G_MAXUINT32, G_MAXINT64,
				  0x80000000, 1ull << 63, G_MAXUINT64, 0xabcdef,    1000000000 };

static void
check(GString *text, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
check(GString *text, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *expected = g_strdup_vprintf(format, args);
	va_end(args);
	ck_assert_str_eq(text->str, expected);
	g_string_truncate(text, 1);
}

START_TEST(numbers_are_printed_as_printf_prints_them)
{
	g_autoptr(GString) text = g_string_new(">");
	guint64 value = values[_i];
	linux_append_number(text, value);
	check(text, ">%" G_GUINT64_FORMAT, value);
	linux_append_signed(text, (gint64) value);
	check(text, ">%" G_GINT64_FORMAT, (gint64) value);
	linux_append_padded(text, value, 8);
	check(text, ">%8" G_GUINT64_FORMAT, value);
	linux_append_padded(text, value, 20);
	check(text, ">%20" G_GUINT64_FORMAT, value);
	linux_append_hex(text, value);
	check(text, ">%016" G_GINT64_MODIFIER "x", value);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("numbers");
	TCase *tests = tcase_create("numbers");
	tcase_add_loop_test(tests, numbers_are_printed_as_printf_prints_them, 0,
			    G_N_ELEMENTS(values));
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_UNIT_MAIN(make_suite)
