/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watch-line: lines of `watch` that are understood, and how those are refused that are not. */
#include <unit.h>

#include <string.h>
#include <vmifs/error.h>
#include <watch-line.h>

static const struct {
	const char *text, *back; /* back: NULL = as it is */
} understood[] = {
	{ "mem w 0xffffffff81000000/8 w1", NULL },
	{ "mem r jiffies", NULL },
	{ "mem rw jiffies+0x8/4 ticks keep", NULL },
	{ "mem rw jiffies+8", "mem rw jiffies+0x8" },
	{ "mem x 812:0x401000", NULL },
	{ "mem x 0x401000/1 here patch", NULL },
	{ "  mem\tw  0X1F ", "mem w 0x1f" },
	{ "mem w foo.constprop.0+0x0", "mem w foo.constprop.0" },
	{ "exec do_sys_openat2", NULL },
	{ "exec 0xffffffffffffffff if rdi==0x3 open keep patch", NULL },
	{ "exec sys+0x10 if r10==16", "exec sys+0x10 if r10==0x10" },
	{ "exec if", NULL },
	{ "exec a keep patch", NULL },
	{ "exec a patch keep", "exec a keep patch" },
	{ "reg cr3", NULL },
	{ "reg msr:0xc0000080 efer", NULL },
	{ "reg msr:16", "reg msr:0x10" },
	{ "int 14 faults", NULL },
	{ "int 0x80", "int 128" },
	{ "step vcpu0", NULL },
	{ "step vcpu11 count 100 s", NULL },
	{ "task", NULL },
	{ "module m.1-a keep", NULL },
	{ "task # armed hits=3", "task" },
	{ "-w1", NULL },
	{ "-w1 # that one", "-w1" },
};

static const struct {
	const char *text, *why;
} misunderstood[] = {
	{ "watch", "begins with mem, exec" },
	{ "mem", "r, w, x or rw" },
	{ "mem q 0x1", "r, w, x or rw" },
	{ "mem w", "address is missing" },
	{ "mem w 4096", "hexadecimal, with 0x" },
	{ "mem w 0x", "hexadecimal, with 0x" },
	{ "mem w 0x10000000000000000", "hexadecimal, with 0x" },
	{ "mem w 0x1g", "hexadecimal, with 0x" },
	{ "mem w +8", "neither an address" },
	{ "mem w a-b", "neither an address" },
	{ "mem w a+", "follows the +" },
	{ "mem w a+q", "follows the +" },
	{ "mem w \x80", "neither an address" },
	{ "mem w :0x1", "process's decimal number" },
	{ "mem w 0:0x1", "process's decimal number" },
	{ "mem w 0x10:0x1", "process's decimal number" },
	{ "mem w 4294967296:0x1", "process's decimal number" },
	{ "mem w 1/2:0x1", "process's decimal number" },
	{ "mem w 0x1/", "decimal number of bytes" },
	{ "mem w 0x1/0", "decimal number of bytes" },
	{ "mem w 0x1/0x8", "decimal number of bytes" },
	{ "mem w 0x1/4294967296", "decimal number of bytes" },
	{ "mem x 0x1/2", "at one address" },
	{ "mem w 0x1 patch", "patch is for" },
	{ "task patch", "patch is for" },
	{ "exec", "address is missing" },
	{ "exec 1:0x1", "hexadecimal, with 0x" },
	{ "exec a if", "REGISTER==VALUE" },
	{ "exec a if rdi", "REGISTER==VALUE" },
	{ "exec a if ==1", "REGISTER==VALUE" },
	{ "exec a if averyveryveryveryverylongname==1", "REGISTER==VALUE" },
	{ "exec a if RDI==1", "as in `regs`" },
	{ "exec a if rdi==", "is a number" },
	{ "exec a if rdi==-1", "is a number" },
	{ "reg", "cr0, cr3, cr4" },
	{ "reg cr2", "cr0, cr3, cr4" },
	{ "reg msr:", "cr0, cr3, cr4" },
	{ "reg msr:0x100000000", "cr0, cr3, cr4" },
	{ "int", "0 to 255" },
	{ "int 256", "0 to 255" },
	{ "step", "vcpu0, vcpu1" },
	{ "step 0", "vcpu0, vcpu1" },
	{ "step vcpu8192", "vcpu0, vcpu1" },
	{ "step vcpu0 count", "decimal number" },
	{ "step vcpu0 count 0", "decimal number" },
	{ "task a b", "there is more than" },
	{ "task keep a", "there is more than" },
	{ "task keep keep", "there is more than" },
	{ "task 1a", "begins with a letter" },
	{ "task mem", "as a word of the language" },
	{ "task cr3", "as a word of the language" },
	{ "task rw", "as a word of the language" },
	{ "task if", "as a word of the language" },
	{ "task a/b", "letters, digits" },
	{ "task aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "31 characters" },
	{ "-", "begins with a letter" },
	{ "-w1 keep", "more stands behind" },
	{ "-mem", "as a word of the language" },
};

START_TEST(a_line_is_understood_and_written_back)
{
	const char *text = understood[_i].text;
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) back = g_string_new(NULL);
	g_autoptr(GArray) lines = vmifs_watch_lines_parse(text, strlen(text), &error);

	ck_assert_msg(lines != NULL, "%s", error ? error->message : "");
	ck_assert_uint_eq(lines->len, 1);
	vmifs_watch_line_text(&g_array_index(lines, VmifsWatchLine, 0), back);
	ck_assert_str_eq(back->str, understood[_i].back ? understood[_i].back : text);
}
END_TEST

START_TEST(what_is_not_understood_says_why)
{
	const char *text = misunderstood[_i].text;
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(vmifs_watch_lines_parse(text, strlen(text), &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_INVALID));
	ck_assert_msg(strstr(error->message, misunderstood[_i].why) != NULL, "%s: %s", text,
		      error->message);
	ck_assert_int_eq(error->message[0], '\'');
}
END_TEST

START_TEST(a_line_has_the_numbers_that_it_says)
{
	static const char text[] = "mem rw 812:jiffies+0x8/4 a keep\n"
				   "exec 0x1000 if rdi==7 patch\n"
				   "reg msr:0x10\nint 14\nstep vcpu3 count 5";
	g_autoptr(GArray) lines = vmifs_watch_lines_parse(text, strlen(text), NULL);
	const VmifsWatchLine *line = (const VmifsWatchLine *) (gpointer) lines->data;

	ck_assert_uint_eq(lines->len, 5);
	ck_assert_int_eq(line[0].kind, VMIFS_WATCH_MEM);
	ck_assert_int_eq(line[0].access, VMIFS_STOP_ACCESS);
	ck_assert_uint_eq(line[0].pid, 812);
	ck_assert_str_eq(line[0].symbol, "jiffies");
	ck_assert_uint_eq(line[0].address, 8);
	ck_assert_uint_eq(line[0].len, 4);
	ck_assert_str_eq(line[0].name, "a");
	ck_assert(line[0].keep && !line[0].patch && !line[0].is_removal);
	ck_assert_int_eq(line[1].kind, VMIFS_WATCH_EXEC);
	ck_assert_str_eq(line[1].symbol, "");
	ck_assert_uint_eq(line[1].address, 0x1000);
	ck_assert_str_eq(line[1].reg, "rdi");
	ck_assert_uint_eq(line[1].value, 7);
	ck_assert(line[1].patch && !line[1].keep);
	ck_assert_int_eq(line[2].kind, VMIFS_WATCH_REG);
	ck_assert_str_eq(line[2].reg, "msr");
	ck_assert_uint_eq(line[2].number, 0x10);
	ck_assert_uint_eq(line[3].number, 14);
	ck_assert_uint_eq(line[4].number, 3);
	ck_assert_uint_eq(line[4].count, 5);
}
END_TEST

START_TEST(blank_lines_and_comments_are_passed_over)
{
	static const char text[] = "\n# a comment\n  \t\r\ntask t # armed hits=1\r\n-t\n";
	g_autoptr(GArray) lines = vmifs_watch_lines_parse(text, strlen(text), NULL);

	ck_assert_uint_eq(lines->len, 2);
	ck_assert(!g_array_index(lines, VmifsWatchLine, 0).is_removal);
	ck_assert(g_array_index(lines, VmifsWatchLine, 1).is_removal);
	ck_assert_str_eq(g_array_index(lines, VmifsWatchLine, 1).name, "t");
}
END_TEST

START_TEST(one_bad_line_spoils_all)
{
	static const char text[] = "task\nmem q 0x1\n";
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(vmifs_watch_lines_parse(text, strlen(text), &error));
	ck_assert_ptr_nonnull(strstr(error->message, "'mem q 0x1'"));
}
END_TEST

START_TEST(what_is_no_text_is_refused)
{
	g_autofree char *much = g_strnfill(VMIFS_WATCH_MAX_TEXT + 1, '\n');
	g_autofree char *most = g_strnfill(VMIFS_WATCH_MAX_TEXT, '\n');
	g_autoptr(GArray) lines = vmifs_watch_lines_parse(most, VMIFS_WATCH_MAX_TEXT, NULL);

	ck_assert_uint_eq(lines->len, 0);
	ck_assert_ptr_null(vmifs_watch_lines_parse(much, VMIFS_WATCH_MAX_TEXT + 1, NULL));
	ck_assert_ptr_null(vmifs_watch_lines_parse("task\0", 5, NULL));
}
END_TEST

START_TEST(a_symbol_of_any_length_stays_in_bounds)
{
	g_autofree char *name = g_strnfill(VMIFS_WATCH_SYMBOL_LEN, 'a');
	g_autofree char *text = g_strdup_printf("exec %s", name);

	ck_assert_ptr_null(vmifs_watch_lines_parse(text, strlen(text), NULL));
	text[strlen(text) - 1] = '\0';
	g_autoptr(GArray) lines = vmifs_watch_lines_parse(text, strlen(text), NULL);
	ck_assert_uint_eq(strlen(g_array_index(lines, VmifsWatchLine, 0).symbol),
			  VMIFS_WATCH_SYMBOL_LEN - 1);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("watch-line");
	TCase *t = tcase_create("watch-line");
	tcase_add_loop_test(t, a_line_is_understood_and_written_back, 0, G_N_ELEMENTS(understood));
	tcase_add_loop_test(t, what_is_not_understood_says_why, 0, G_N_ELEMENTS(misunderstood));
	tcase_add_test(t, a_line_has_the_numbers_that_it_says);
	tcase_add_test(t, blank_lines_and_comments_are_passed_over);
	tcase_add_test(t, one_bad_line_spoils_all);
	tcase_add_test(t, what_is_no_text_is_refused);
	tcase_add_test(t, a_symbol_of_any_length_stays_in_bounds);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
