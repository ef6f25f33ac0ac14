/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* texts: what stands in the kernel's read-only data, and a search that is given up. */
#include <unit.h>

#include <linux-guest.h>

#include <string.h>

#define PIECE (256 * 1024) /* that is searched at once */
#define RODATA (2 * PIECE)

/* A guest with that text across the border of two pieces. */
static Linux *
start(LinuxGuest *g, const char *text, gsize len)
{
	linux_guest_init(g, "struct list_head 16 next@0:8 prev@8:8\n");
	guint64 rodata = linux_guest_alloc(g, RODATA);
	linux_guest_write(g, rodata + PIECE - len / 2, text, len);
	linux_guest_symbol(g, "__start_rodata", rodata);
	linux_guest_symbol(g, "__end_rodata", rodata + RODATA);
	return linux_guest_start(g);
}

START_TEST(text_across_pieces_is_found)
{
	static const struct {
		const char *bytes;
		LinuxText text;
	} rows[] = { { "CmaTotal:       ", LINUX_TEXT_CMA },
		     { "\nino:\t%lu\n", LINUX_TEXT_FDINFO_INO },
		     { " \t\n\\#", LINUX_TEXT_ESCAPE_HASH } };
	LinuxGuest g;
	const Linux *os = start(&g, rows[_i].bytes, strlen(rows[_i].bytes) + 1);

	for (LinuxText text = 0; text < LINUX_N_TEXTS; text++)
		ck_assert_int_eq(linux_has_text(os, text), text == rows[_i].text);
	linux_guest_clear(&g);
}
END_TEST

START_TEST(longer_text_is_another_one)
{
	LinuxGuest g;
	const char text[] = "CmaTotal:        ";
	const Linux *os = start(&g, text, sizeof text);

	ck_assert(!linux_has_text(os, LINUX_TEXT_CMA));
	linux_guest_clear(&g);
}
END_TEST

START_TEST(names_of_flags_are_found_in_either_width)
{
	static const struct {
		char bytes[20];
		guint width;
	} rows[] = { { "rdwrexshmrmwmemsgdpf", 2 }, { "rd\0wr\0ex\0sh\0mr\0mw\0m", 3 } };
	LinuxGuest g;
	char names[64 * 3];
	const Linux *os = start(&g, rows[_i].bytes, sizeof rows[_i].bytes);

	ck_assert_uint_eq(linux_flag_names(os, names, sizeof names), rows[_i].width);
	ck_assert_mem_eq(names, rows[_i].bytes, sizeof rows[_i].bytes);
	linux_guest_clear(&g);
}
END_TEST

START_TEST(search_given_up_finds_nothing_and_fails)
{
	LinuxGuest g;
	const gint cancelled = 1;
	const VmifsCall call = { .cancelled = &cancelled };
	LinuxTexts texts = { .bits = 77 };
	g_autoptr(GError) error = NULL;
	const Linux *os = start(&g, "", 1);

	ck_assert(!linux_texts_find(os, &texts, &call, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
	ck_assert_uint_eq(texts.bits, 77);
	linux_guest_clear(&g);
}
END_TEST

START_TEST(data_that_ends_before_its_start_is_not_searched)
{
	LinuxGuest g;
	linux_guest_init(&g, "struct list_head 16 next@0:8 prev@8:8\n");
	guint64 text = linux_guest_string(&g, "CmaTotal:       ");
	linux_guest_symbol(&g, "__start_rodata", text);
	linux_guest_symbol(&g, "__end_rodata", text - 1);

	ck_assert(!linux_has_text(linux_guest_start(&g), LINUX_TEXT_CMA));
	linux_guest_clear(&g);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("texts");
	TCase *t = tcase_create("texts");
	tcase_add_loop_test(t, text_across_pieces_is_found, 0, 3);
	tcase_add_test(t, longer_text_is_another_one);
	tcase_add_loop_test(t, names_of_flags_are_found_in_either_width, 0, 2);
	tcase_add_test(t, search_given_up_finds_nothing_and_fails);
	tcase_add_test(t, data_that_ends_before_its_start_is_not_searched);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
