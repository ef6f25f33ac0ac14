/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bits: masks as the kernel prints them. */
#include <unit.h>

#include <os/linux/bits.h>

static const struct {
	guint32 n;
	guint8 bits[12];
	const char *hex, *list;
} table[] = {
	{ 1, { 1 }, "1", "0" },
	{ 2, { 3 }, "3", "0-1" },
	{ 6, { 0x29 }, "29", "0,3,5" },
	{ 32, { 0xff, 0, 0, 0x80 }, "800000ff", "0-7,31" },
	{ 33, { 0, 0, 0, 0x80, 1 }, "1,80000000", "31-32" },
	{ 64, { 0 }, "00000000,00000000", "" },
	{ 96, { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80 }, "80000000,00000000,00000001", "0,95" },
	{ 4, { 0xf5 }, "5", "0,2" }, /* what lies above is not shown */
};

START_TEST(mask_is_printed_in_words_and_ranges)
{
	g_autoptr(GString) hex = g_string_new(NULL), list = g_string_new(NULL);

	linux_bits_append_hex(hex, table[_i].bits, table[_i].n);
	linux_bits_append_list(list, table[_i].bits, table[_i].n);
	ck_assert_str_eq(hex->str, table[_i].hex);
	ck_assert_str_eq(list->str, table[_i].list);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("bits");
	TCase *t = tcase_create("bits");

	tcase_add_loop_test(t, mask_is_printed_in_words_and_ranges, 0, G_N_ELEMENTS(table));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
