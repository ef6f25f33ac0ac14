/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cache: the folder is the user's alone, and what is in it comes back whole or not at all. */
#include <unit.h>

#include <errno.h>
#include <fcntl.h>
#include <fs/cache.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
	char *folder;
	VmifsHost *host;
	VmifsFsCache cache;
	const VmifsCache *ops;
} Fixture;

/* In memory, where there is such a folder: replacing files waits for a disk. */
static char *
new_folder(void)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir();
	char *path = g_build_filename(base, "vmifs-cache-XXXXXX", NULL);

	ck_assert_ptr_nonnull(g_mkdtemp(path));
	return path;
}

static void
open_at(Fixture *f, const char *word)
{
	const VmifsOptions options = { .size = sizeof options };

	f->host = vmifs_host_new(&options, NULL);
	f->ops = vmifs_fs_cache_open(&f->cache, word);
	vmifs_fs_cache_tell(&f->cache, f->host);
}

static void
remove_folder(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *full = g_build_filename(path, name, NULL);
		g_remove(full);
	}
	if (dir)
		g_dir_close(dir);
	g_rmdir(path);
}

static void
done(Fixture *f)
{
	vmifs_host_free(f->host);
	vmifs_fs_cache_clear(&f->cache);
	if (f->folder)
		remove_folder(f->folder);
	g_free(f->folder);
}

static void
save_text(const Fixture *f, const char *name, const char *text)
{
	g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
	gsize half = strlen(text) / 2;

	g_ptr_array_add(parts, g_bytes_new(text, half));
	g_ptr_array_add(parts, g_bytes_new(text + half, strlen(text) - half));
	f->ops->save(f->ops->user, name, parts);
}

/* Is it what would be loaded? NULL: nothing is. */
static void
assert_loads(const Fixture *f, const char *name, const char *text)
{
	g_autoptr(GBytes) bytes = f->ops->load(f->ops->user, name);
	g_autoptr(GBytes) wanted = text ? g_bytes_new(text, strlen(text)) : NULL;

	ck_assert_int_eq(bytes != NULL, wanted != NULL);
	ck_assert(!wanted || g_bytes_equal(bytes, wanted));
}

/* The log is what went wrong. */
static void
assert_silent(const Fixture *f)
{
	g_autoptr(GString) log = g_string_new(NULL);

	vmifs_host_log_text(f->host, log);
	ck_assert_str_eq(log->str, "");
}

static void
assert_log(const Fixture *f, const char *text)
{
	g_autoptr(GString) log = g_string_new(NULL);

	vmifs_host_log_text(f->host, log);
	ck_assert_msg(strstr(log->str, text), "no \"%s\" in: %s", text, log->str);
}

static guint
count_files(const char *folder)
{
	GDir *dir = g_dir_open(folder, 0, NULL);
	guint n = 0;

	while (g_dir_read_name(dir))
		n++;
	g_dir_close(dir);
	return n;
}

START_TEST(what_is_saved_is_loaded_by_others)
{
	Fixture f = { .folder = new_folder() }, other = { 0 };
	struct stat st;

	open_at(&f, f.folder);
	open_at(&other, f.folder);
	assert_loads(&f, "x-1", NULL);
	save_text(&f, "x-1", "one");
	save_text(&f, "x-2", "a text that is longer than four words of eight bytes each, by far");
	save_text(&f, "x-3", "");
	assert_loads(&other, "x-1", "one");
	assert_loads(&other, "x-2",
		     "a text that is longer than four words of eight bytes each, by far");
	assert_loads(&other, "x-3", "");
	assert_loads(&other, "x-4", NULL);
	save_text(&other, "x-1", "another");
	assert_loads(&f, "x-1", "another");
	assert_silent(&f);
	g_autofree char *path = g_build_filename(f.folder, "x-1.vmifs", NULL);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_uint_eq(count_files(f.folder), 3);
	done(&other);
	done(&f);
}
END_TEST

START_TEST(folder_is_made_for_the_user_alone)
{
	Fixture f = { 0 };
	g_autofree char *base = new_folder();
	g_autofree char *middle = g_build_filename(base, "a", NULL);
	struct stat st;

	f.folder = g_build_filename(middle, "vmifs", NULL);
	g_setenv("VMIFS_CACHE_DIR", f.folder, TRUE);
	open_at(&f, NULL);
	ck_assert_ptr_nonnull(f.ops);
	ck_assert_int_eq(stat(f.folder, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	done(&f);
	g_rmdir(middle);
	g_rmdir(base);
}
END_TEST

START_TEST(folder_is_where_the_environment_says)
{
	Fixture f = { 0 };
	g_autofree char *base = new_folder();

	g_unsetenv("VMIFS_CACHE_DIR");
	g_setenv("XDG_CACHE_HOME", base, TRUE);
	f.folder = g_build_filename(base, "vmifs", NULL);
	open_at(&f, NULL);
	ck_assert_ptr_nonnull(f.ops);
	ck_assert(g_file_test(f.folder, G_FILE_TEST_IS_DIR));
	done(&f);
	g_setenv("VMIFS_CACHE_DIR", "none", TRUE);
	f = (Fixture){ 0 };
	open_at(&f, NULL);
	ck_assert_ptr_null(f.ops);
	done(&f);
	g_unsetenv("VMIFS_CACHE_DIR");
	g_unsetenv("XDG_CACHE_HOME");
	g_unsetenv("HOME");
	f = (Fixture){ 0 };
	open_at(&f, NULL);
	ck_assert_ptr_null(f.ops);
	done(&f);
	g_rmdir(base);
}
END_TEST

START_TEST(folder_that_others_may_write_to_is_not_used)
{
	Fixture f = { .folder = new_folder() };

	g_chmod(f.folder, _i ? 0770 : 0702);
	open_at(&f, f.folder);
	ck_assert_ptr_null(f.ops);
	assert_log(&f, "may write to it: nothing is kept");
	done(&f);
}
END_TEST

START_TEST(folder_of_another_user_is_not_used)
{
	Fixture f = { .folder = new_folder() };

	if (geteuid() == 0) {
		ck_assert_int_eq(chown(f.folder, 65534, 65534), 0);
		open_at(&f, f.folder);
		ck_assert_ptr_null(f.ops);
		assert_log(&f, "another user owns it");
		done(&f);
	} else {
		Fixture root = { 0 };
		open_at(&root, "/usr");
		ck_assert_ptr_null(root.ops);
		done(&root);
		g_rmdir(f.folder);
		g_free(f.folder);
	}
}
END_TEST

/* As sudo -E leaves it: what would be made there was root's, and where, the other one says. */
START_TEST(nothing_is_made_in_the_home_of_another_user)
{
	Fixture f = { 0 };
	g_autofree char *home = new_folder();

	if (geteuid() == 0) {
		ck_assert_int_eq(chown(home, 65534, 65534), 0);
		g_unsetenv("VMIFS_CACHE_DIR");
		g_unsetenv(_i ? "HOME" : "XDG_CACHE_HOME");
		g_setenv(_i ? "XDG_CACHE_HOME" : "HOME", home, TRUE);
		open_at(&f, NULL);
		ck_assert_ptr_null(f.ops);
		assert_log(&f, "is another user's (cache= may name one): nothing is kept");
		ck_assert_uint_eq(count_files(home), 0);
		done(&f);
	}
	g_rmdir(home);
}
END_TEST

START_TEST(link_is_no_folder)
{
	Fixture f = { .folder = new_folder() }, linked = { 0 };
	g_autofree char *path = g_build_filename(f.folder, "link", NULL);

	ck_assert_int_eq(symlink(".", path), 0);
	open_at(&linked, path);
	ck_assert_ptr_null(linked.ops);
	done(&linked);
	open_at(&f, f.folder);
	done(&f);
}
END_TEST

static void
put(const char *path, const char *bytes, gsize len)
{
	FILE *file = fopen(path, "w");

	ck_assert(file && fwrite(bytes, 1, len, file) == len && fclose(file) == 0);
}

/* Every byte of a file counts. */
START_TEST(damaged_file_is_not_loaded_and_is_replaced)
{
	Fixture f = { .folder = new_folder() };
	g_autofree char *path = g_build_filename(f.folder, "x-1.vmifs", NULL);
	g_autofree char *good = NULL;
	gsize len;

	open_at(&f, f.folder);
	save_text(&f, "x-1", "a text that is longer than four words of eight bytes each");
	ck_assert(g_file_get_contents(path, &good, &len, NULL));
	for (gsize at = 0; at < len; at++) {
		good[at] ^= 0x10;
		put(path, good, len);
		assert_loads(&f, "x-1", NULL);
		good[at] ^= 0x10;
		put(path, good, at);
		assert_loads(&f, "x-1", NULL);
	}
	assert_log(&f, "cache: x-1: damaged: not used");
	save_text(&f, "x-1", "good");
	assert_loads(&f, "x-1", "good");
	done(&f);
}
END_TEST

START_TEST(file_that_is_not_ours_is_not_loaded)
{
	Fixture f = { .folder = new_folder() };
	g_autofree char *path = g_build_filename(f.folder, "x-1.vmifs", NULL);
	g_autofree char *link = g_build_filename(f.folder, "x-2.vmifs", NULL);
	g_autofree char *pipe = g_build_filename(f.folder, "x-3.vmifs", NULL);

	open_at(&f, f.folder);
	save_text(&f, "x-1", "text");
	ck_assert_int_eq(symlink("x-1.vmifs", link), 0);
	ck_assert_int_eq(mkfifo(pipe, 0600), 0);
	assert_loads(&f, "x-2", NULL);
	assert_loads(&f, "x-3", NULL);
	g_chmod(path, 0622);
	assert_loads(&f, "x-1", NULL);
	/* What is written does not follow the link either. */
	save_text(&f, "x-2", "other");
	g_chmod(path, 0600);
	assert_loads(&f, "x-1", "text");
	assert_loads(&f, "x-2", "other");
	done(&f);
}
END_TEST

START_TEST(those_not_read_for_longest_go_first)
{
	Fixture f = { .folder = new_folder() };
	const guint n = VMIFS_CACHE_MOST_FILES;

	open_at(&f, f.folder);
	for (guint i = 0; i < n; i++) {
		g_autofree char *name = g_strdup_printf("x-%02u", i);
		g_autofree char *file = g_strconcat(name, ".vmifs", NULL);
		g_autofree char *path = g_build_filename(f.folder, file, NULL);
		struct timespec times[2] = { { .tv_sec = 1000 + i }, { .tv_sec = 1000 + i } };

		save_text(&f, name, name);
		ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	}
	assert_loads(&f, "x-00", "x-00"); /* it is young again */
	save_text(&f, "x-new", "new");
	ck_assert_uint_eq(count_files(f.folder), n);
	assert_loads(&f, "x-00", "x-00");
	assert_loads(&f, "x-01", NULL);
	assert_loads(&f, "x-02", "x-02");
	assert_loads(&f, "x-new", "new");
	done(&f);
}
END_TEST

/* The user may have named any folder. */
START_TEST(what_somebody_else_put_there_stays)
{
	Fixture f = { .folder = new_folder() };

	open_at(&f, f.folder);
	for (guint i = 0; i < VMIFS_CACHE_MOST_FILES + 2; i++) {
		g_autofree char *name = g_strdup_printf("new-letter-%u", i);
		g_autofree char *path = g_build_filename(f.folder, name, NULL);
		const struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

		ck_assert(g_file_set_contents(path, "x", 1, NULL));
		ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	}
	save_text(&f, "x-1", "text");
	ck_assert_uint_eq(count_files(f.folder), VMIFS_CACHE_MOST_FILES + 3);
	done(&f);
}
END_TEST

START_TEST(what_a_killed_writer_left_goes_when_it_is_old)
{
	Fixture f = { .folder = new_folder() };
	g_autofree char *old = g_build_filename(f.folder, "new-1-0.vmifs", NULL);
	g_autofree char *young = g_build_filename(f.folder, "new-2-0.vmifs", NULL);
	const struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

	open_at(&f, f.folder);
	put(old, "x", 1);
	put(young, "x", 1);
	ck_assert_int_eq(utimensat(AT_FDCWD, old, times, 0), 0);
	save_text(&f, "x-1", "text");
	ck_assert(!g_file_test(old, G_FILE_TEST_EXISTS));
	ck_assert(g_file_test(young, G_FILE_TEST_EXISTS));
	done(&f);
}
END_TEST

START_TEST(what_cannot_be_written_is_said)
{
	Fixture f = { .folder = new_folder() };

	open_at(&f, f.folder);
	g_rmdir(f.folder);
	save_text(&f, "x-1", "text");
	assert_log(&f, "cache: x-1: No such file or directory: not kept");
	assert_loads(&f, "x-1", NULL);
	done(&f);
}
END_TEST

/* Returns how often what was loaded was not one of the two, whole; it may be gone for a moment. */
static gpointer
save_often(gpointer user)
{
	static const char *const texts[] = { "a short text", "a text that is longer than that" };
	const Fixture *f = user;
	guint n = 0;

	for (guint i = 0; i < 200; i++) {
		save_text(f, "x-1", texts[i % 2]);
		g_autoptr(GBytes) bytes = f->ops->load(f->ops->user, "x-1");
		gsize len = bytes ? g_bytes_get_size(bytes) : 0;
		gconstpointer data = bytes ? g_bytes_get_data(bytes, NULL) : NULL;

		n += bytes && (len != strlen(texts[0]) || memcmp(data, texts[0], len)) &&
		     (len != strlen(texts[1]) || memcmp(data, texts[1], len));
	}
	return GUINT_TO_POINTER(n);
}

START_TEST(writers_at_the_same_time_leave_whole_files)
{
	Fixture f = { .folder = new_folder() }, other = { 0 };

	open_at(&f, f.folder);
	open_at(&other, f.folder);
	GThread *thread = g_thread_new("other", save_often, &other);
	ck_assert_ptr_null(save_often(&f));
	ck_assert_ptr_null(g_thread_join(thread));
	assert_silent(&f);
	assert_silent(&other);
	ck_assert_uint_eq(count_files(f.folder), 1);
	done(&other);
	done(&f);
}
END_TEST

static Suite *
cache_suite(void)
{
	Suite *s = suite_create("cache");
	TCase *t = tcase_create("cache");
	tcase_add_test(t, what_is_saved_is_loaded_by_others);
	tcase_add_test(t, folder_is_made_for_the_user_alone);
	tcase_add_test(t, folder_is_where_the_environment_says);
	tcase_add_loop_test(t, folder_that_others_may_write_to_is_not_used, 0, 2);
	tcase_add_test(t, folder_of_another_user_is_not_used);
	tcase_add_loop_test(t, nothing_is_made_in_the_home_of_another_user, 0, 2);
	tcase_add_test(t, link_is_no_folder);
	tcase_add_test(t, damaged_file_is_not_loaded_and_is_replaced);
	tcase_add_test(t, file_that_is_not_ours_is_not_loaded);
	tcase_add_test(t, those_not_read_for_longest_go_first);
	tcase_add_test(t, what_somebody_else_put_there_stays);
	tcase_add_test(t, what_a_killed_writer_left_goes_when_it_is_old);
	tcase_add_test(t, what_cannot_be_written_is_said);
	tcase_add_test(t, writers_at_the_same_time_leave_whole_files);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(cache_suite)
