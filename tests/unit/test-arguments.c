/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arguments: cmdline and environ of a process with one page of memory at 0x400000, and none behind
 * it. Its page table is made of objects of the guest's kernel.
 */
#include <unit.h>

#include <linux-guest.h>

#define TYPES "struct mm_struct 64 pgd@0:8 arg_start@8:8 arg_end@16:8 env_start@24:8 env_end@32:8\n"

#define USER 0x400000
#define TABLE 0x067
#define PAGE 0x067

typedef struct {
	LinuxGuest g;
	guint64 page; /* what lies at USER */
	VmifsTask task;
	GString *out;
	GError *error;
} Fixture;

/* A page of its own, aligned; returns its address. */
static guint64
add_page(LinuxGuest *g)
{
	g->next = (g->next + 0xfff) & ~(guint64) 0xfff;
	return linux_guest_alloc(g, 0x1000);
}

static void
setup(Fixture *f)
{
	guint64 tables[4];

	*f = (Fixture){ .out = g_string_new(NULL) };
	linux_guest_init(&f->g, TYPES);
	for (guint i = 0; i < 4; i++)
		tables[i] = add_page(&f->g);
	f->page = add_page(&f->g);
	linux_guest_u64(&f->g, tables[0], (tables[1] - LINUX_GUEST_BASE) | TABLE);
	linux_guest_u64(&f->g, tables[1], (tables[2] - LINUX_GUEST_BASE) | TABLE);
	linux_guest_u64(&f->g, tables[2] + 2 * 8, (tables[3] - LINUX_GUEST_BASE) | TABLE);
	linux_guest_u64(&f->g, tables[3], (f->page - LINUX_GUEST_BASE) | PAGE);
	f->task = (VmifsTask){ .pid = 5, .mm = linux_guest_new(&f->g, LINUX_STRUCT_MM) };
	linux_guest_put(&f->g, f->task.mm, LINUX_FIELD_MM_PGD, tables[0]);
}

static void
set_area(Fixture *f, guint64 arg_start, guint64 arg_end, guint64 env_start, guint64 env_end)
{
	linux_guest_put(&f->g, f->task.mm, LINUX_FIELD_MM_ARG_START, arg_start);
	linux_guest_put(&f->g, f->task.mm, LINUX_FIELD_MM_ARG_END, arg_end);
	linux_guest_put(&f->g, f->task.mm, LINUX_FIELD_MM_ENV_START, env_start);
	linux_guest_put(&f->g, f->task.mm, LINUX_FIELD_MM_ENV_END, env_end);
}

static gboolean
render(Fixture *f, gboolean env)
{
	Linux *os = linux_guest_start(&f->g);
	return env ? linux_render_environ(os, &f->task, NULL, f->out, NULL, &f->error)
		   : linux_render_cmdline(os, &f->task, NULL, f->out, NULL, &f->error);
}

static void
expect(Fixture *f, gboolean env, const char *bytes, gsize len)
{
	ck_assert_msg(render(f, env), "%s", f->error ? f->error->message : "");
	ck_assert_uint_eq(f->out->len, len);
	ck_assert_mem_eq(f->out->str, bytes, len);
	g_string_free(f->out, TRUE);
	linux_guest_clear(&f->g);
}

static void
expect_error(Fixture *f, gboolean env, VmifsError code)
{
	ck_assert(!render(f, env));
	ck_assert(g_error_matches(f->error, VMIFS_ERROR, (gint) code));
	ck_assert_uint_eq(f->out->len, 0);
	g_clear_error(&f->error);
	g_string_free(f->out, TRUE);
	linux_guest_clear(&f->g);
}

static const char memory[] = "cmd\0-x\0\0A=b\0C=\n";

START_TEST(arguments_and_environment_are_bytes_of_the_process)
{
	Fixture f;
	setup(&f);
	linux_guest_write(&f.g, f.page + 0x10, memory, sizeof memory);
	set_area(&f, USER + 0x10, USER + 0x18, USER + 0x18, USER + 0x20);
	if (_i)
		expect(&f, TRUE, "A=b\0C=\n", 8);
	else
		expect(&f, FALSE, "cmd\0-x\0", 8);
}
END_TEST

START_TEST(title_that_was_written_over_the_arguments_is_one_string)
{
	Fixture f;
	setup(&f);
	linux_guest_write(&f.g, f.page + 0x10, "nginx: worker process\0rest", 26);
	set_area(&f, USER + 0x10, USER + 0x18, USER + 0x18, USER + 0x28);
	expect(&f, FALSE, "nginx: worker process", 22);
}
END_TEST

START_TEST(title_does_not_run_on_into_what_is_not_the_environment)
{
	Fixture f;
	setup(&f);
	linux_guest_write(&f.g, f.page + 0x10, "nginx: worker process\0rest", 26);
	set_area(&f, USER + 0x10, USER + 0x18, USER + 0x19, USER + 0x28);
	expect(&f, FALSE, "nginx: w", 8);
}
END_TEST

START_TEST(title_ends_with_memory)
{
	Fixture f;
	setup(&f);
	linux_guest_write(&f.g, f.page + 0xff8, "abcdefgh", 8);
	set_area(&f, USER + 0xff8, USER + 0xffc, USER + 0xffc, USER + 0x2000);
	expect(&f, FALSE, "abcdefgh", 8);
}
END_TEST

START_TEST(what_is_not_in_memory_is_an_error_not_an_empty_text)
{
	Fixture f;
	setup(&f);
	set_area(&f, USER + 0x1000, USER + 0x1010, USER + 0xff0, USER + 0x1010);
	expect_error(&f, _i, VMIFS_ERROR_HOLE);
}
END_TEST

START_TEST(enormous_areas_are_refused)
{
	Fixture f;
	setup(&f);
	set_area(&f, 0x1000, USER + 0x100000000, 0x1000, USER + 0x100000000);
	/* The last byte of the arguments would have to be a zero that is there. */
	expect_error(&f, _i, _i ? VMIFS_ERROR_CORRUPT : VMIFS_ERROR_HOLE);
}
END_TEST

START_TEST(kernel_threads_and_newborns_have_neither)
{
	Fixture f;
	setup(&f);
	if (_i & 2)
		f.task.mm = 0;
	expect(&f, _i & 1, "", 0);
}
END_TEST

START_TEST(page_table_that_is_not_mapped_is_a_hole)
{
	Fixture f;
	setup(&f);
	set_area(&f, USER, USER + 8, USER + 8, USER + 16);
	linux_guest_put(&f.g, f.task.mm, LINUX_FIELD_MM_PGD, 0x1000);
	expect_error(&f, _i, VMIFS_ERROR_HOLE);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("arguments");
	TCase *t = tcase_create("arguments");

	tcase_add_loop_test(t, arguments_and_environment_are_bytes_of_the_process, 0, 2);
	tcase_add_test(t, title_that_was_written_over_the_arguments_is_one_string);
	tcase_add_test(t, title_does_not_run_on_into_what_is_not_the_environment);
	tcase_add_test(t, title_ends_with_memory);
	tcase_add_loop_test(t, what_is_not_in_memory_is_an_error_not_an_empty_text, 0, 2);
	tcase_add_loop_test(t, enormous_areas_are_refused, 0, 2);
	tcase_add_loop_test(t, kernel_threads_and_newborns_have_neither, 0, 4);
	tcase_add_loop_test(t, page_table_that_is_not_mapped_is_a_hole, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
