/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host: what a SOURCE word becomes: a guest with a safe name, or a message that helps. */
#include <unit.h>

#include <glib/gstdio.h>
#include <vmifs/vmifs.h>
#include <spi/finder.h>

static const char text[] = "vmifs-text-guest 1\nram 0 0x1000\n";

/* A folder with guest files of the given names; removed again by unmake_dir(). */
static char *
make_dir(const char *const *names)
{
	char *dir = g_dir_make_tmp("vmifs-test-host-XXXXXX", NULL);
	for (; *names; names++) {
		g_autofree char *path = g_build_filename(dir, *names, NULL);
		ck_assert(g_file_set_contents(path, text, -1, NULL));
	}
	return dir;
}

static void
unmake_dir(char *dir, const char *const *names)
{
	for (; *names; names++) {
		g_autofree char *path = g_build_filename(dir, *names, NULL);
		g_unlink(path);
	}
	g_rmdir(dir);
	g_free(dir);
}

static VmifsHost *
make_host(void)
{
	VmifsOptions options = { .size = sizeof options };
	return vmifs_host_new(&options, NULL);
}

static const struct {
	const char *file, *prefix, *guest;
} names[] = {
	{ "web.raw", "", "web" },
	{ "web.tar.raw", "", "web.tar" },
	{ ".hidden", "", "_hidden" },
	{ "a\nb\033[2J.img", "", "a_b_[2J" },
	{ "web.raw", "my/name=", NULL }, /* no name holds a slash: a missing file my/name=... */
	{ "web.raw", "other=", "other" },
	{ "web.raw", "..=", "_." },
	{ "with=sign.raw", "", "with=sign" },
};

START_TEST(guest_gets_a_safe_name)
{
	const char *const files[] = { names[_i].file, NULL };
	char *dir = make_dir(files);
	g_autoptr(VmifsHost) host = make_host();
	g_autofree char *spec = g_strconcat(names[_i].prefix, dir, "/", names[_i].file, NULL);
	gboolean added = vmifs_host_add(host, spec, NULL);
	ck_assert_int_eq(added, names[_i].guest != NULL);
	if (added) {
		g_autoptr(GPtrArray) guests = vmifs_host_guests(host);
		ck_assert_uint_eq(guests->len, 1);
		ck_assert_str_eq(vmifs_guest_name(guests->pdata[0]), names[_i].guest);
	}
	unmake_dir(dir, files);
}
END_TEST

START_TEST(equal_names_are_told_apart_in_order)
{
	const char *const files[] = { "g.raw", "g.img", "g.bin", NULL };
	char *dir = make_dir(files);
	g_autoptr(VmifsHost) host = make_host();
	for (const char *const *f = files; *f; f++) {
		g_autofree char *spec = g_build_filename(dir, *f, NULL);
		ck_assert(vmifs_host_add(host, spec, NULL));
	}
	g_autoptr(GPtrArray) guests = vmifs_host_guests(host);
	ck_assert_str_eq(vmifs_guest_name(guests->pdata[0]), "g");
	ck_assert_str_eq(vmifs_guest_name(guests->pdata[1]), "g~2");
	ck_assert_str_eq(vmifs_guest_name(guests->pdata[2]), "g~3");
	g_autoptr(VmifsGuest) second = vmifs_host_find(host, "g~2");
	ck_assert_ptr_eq(second, guests->pdata[1]);
	unmake_dir(dir, files);
}
END_TEST

static const struct {
	const char *spec, *says;
} bad[] = {
	{ "/nonexistent/x.raw", "/nonexistent/x.raw: cannot be opened for reading: No such file" },
	{ "/nonexistent/x.raw", "give the file of a memory image" },
	{ "xen:", "xen:: cannot be opened for reading: No such file" },
	{ "vm=xen:/run/vm", "give the file of a memory image" },
	{ "raw:x", "give the file of a memory image" },
	{ "/", "directory" },
	{ "/dev/null", "/dev/null" },
};

START_TEST(bad_source_says_what_and_why)
{
	g_autoptr(VmifsHost) host = make_host();
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) sources = g_string_new(NULL);
	ck_assert(!vmifs_host_add(host, bad[_i].spec, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_SOURCE);
	ck_assert_msg(strstr(error->message, bad[_i].says) != NULL, "%s", error->message);
	vmifs_host_sources(host, sources);
	ck_assert_msg(strstr(sources->str, bad[_i].says) != NULL, "%s", sources->str);
}
END_TEST

START_TEST(file_of_that_name_goes_before_a_word)
{
	const char *const files[] = { "auto", NULL };
	char *dir = make_dir(files);
	g_autofree char *before = g_get_current_dir();
	/* A build without running guests knows no such word. */
	ck_assert_int_eq(vmifs_host_is_word("auto"), vmifs_n_finders > 0);
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert(!vmifs_host_is_word("auto"));
	ck_assert_int_eq(chdir(before), 0);
	unmake_dir(dir, files);
}
END_TEST

START_TEST(unknown_format_lists_the_known_ones)
{
	VmifsOptions options = { .size = sizeof options, .format = "tarball" };
	const char *const files[] = { "x.raw", NULL };
	char *dir = make_dir(files);
	g_autoptr(VmifsHost) host = vmifs_host_new(&options, NULL);
	g_autofree char *spec = g_build_filename(dir, "x.raw", NULL);
	g_autoptr(GError) error = NULL;
	ck_assert(!vmifs_host_add(host, spec, &error));
	ck_assert_msg(strstr(error->message, "format=tarball") && strstr(error->message, "raw"),
		      "%s", error->message);
	unmake_dir(dir, files);
}
END_TEST

START_TEST(where_memory_lies_is_said_of_raw_images_alone)
{
	VmifsOptions options = { .size = sizeof options, .has_base = TRUE };
	const char *const files[] = { "x.raw", NULL };
	char *dir = make_dir(files);
	g_autoptr(VmifsHost) host = vmifs_host_new(&options, NULL);
	g_autofree char *spec = g_build_filename(dir, "x.raw", NULL);
	g_autoptr(GError) error = NULL;
	ck_assert(!vmifs_host_add(host, spec, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_INVALID);
	ck_assert_msg(strstr(error->message, "base= is for raw images") != NULL, "%s",
		      error->message);
	unmake_dir(dir, files);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("host");
	TCase *t = tcase_create("host");
	tcase_add_loop_test(t, guest_gets_a_safe_name, 0, G_N_ELEMENTS(names));
	tcase_add_test(t, equal_names_are_told_apart_in_order);
	tcase_add_loop_test(t, bad_source_says_what_and_why, 0, G_N_ELEMENTS(bad));
	tcase_add_test(t, file_of_that_name_goes_before_a_word);
	tcase_add_test(t, where_memory_lies_is_said_of_raw_images_alone);
	tcase_add_test(t, unknown_format_lists_the_known_ones);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
