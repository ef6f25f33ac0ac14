/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text: escapes and file names. */
#include <unit.h>

#include <string.h>
#include <vmifs/text.h>

#define BYTES(s) s, sizeof s - 1

static const struct {
	const char *bytes;
	gssize len;
	const char *list;
	const char *octal;
	const char *mangled;
} escapes[] = {
	{ BYTES("plain"), NULL, "plain", "plain" },
	{ "to its end\n", -1, "\n", "to its end\\012", "to its end\\012" },
	{ BYTES("a b"), " ", "a\\040b", "a\\040b" },
	{ BYTES("a\\b"), " ", "a\\134b", "a\\b" },
	{ BYTES("\033[2J\177"), NULL, "\\033[2J\\177", "\033[2J\177" },
	{ BYTES("\303\251\377"), NULL, "\303\251\377", "\303\251\377" },
	{ BYTES("\377"), "\377", "\\377", "\\377" },
	{ BYTES("a\0b"), "", "a\\000b", "a\0b" },
	{ BYTES(""), " ", "", "" },
};

START_TEST(bytes_are_escaped_as_procfs_does)
{
	g_autoptr(GString) octal = g_string_new(">"), mangled = g_string_new(">");

	vmifs_text_append_octal(octal, escapes[_i].bytes, escapes[_i].len, escapes[_i].list);
	ck_assert_str_eq(octal->str + 1, escapes[_i].octal);
	vmifs_text_append_mangled(mangled, escapes[_i].bytes, escapes[_i].len, escapes[_i].list);
	ck_assert_str_eq(mangled->str + 1, escapes[_i].mangled);
}
END_TEST

START_TEST(mangled_keeps_nul)
{
	g_autoptr(GString) out = g_string_new(NULL);

	vmifs_text_append_mangled(out, "a\0b", 3, " \t\n");
	ck_assert_uint_eq(out->len, 3);
	ck_assert_mem_eq(out->str, "a\0b", 3);
}
END_TEST

START_TEST(file_names_are_told_from_others)
{
	g_autofree char *longest = g_strnfill(255, 'x'), *too_long = g_strnfill(256, 'x');

	ck_assert(vmifs_text_is_file_name("a"));
	ck_assert(vmifs_text_is_file_name("..."));
	ck_assert(vmifs_text_is_file_name("pc.ram"));
	ck_assert(vmifs_text_is_file_name(longest));
	ck_assert(!vmifs_text_is_file_name(NULL));
	ck_assert(!vmifs_text_is_file_name(""));
	ck_assert(!vmifs_text_is_file_name("."));
	ck_assert(!vmifs_text_is_file_name(".."));
	ck_assert(!vmifs_text_is_file_name("a/b"));
	ck_assert(!vmifs_text_is_file_name("/"));
	ck_assert(!vmifs_text_is_file_name(too_long));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("text");
	TCase *t = tcase_create("text");
	tcase_add_loop_test(t, bytes_are_escaped_as_procfs_does, 0, G_N_ELEMENTS(escapes));
	tcase_add_test(t, mangled_keeps_nul);
	tcase_add_test(t, file_names_are_told_from_others);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
