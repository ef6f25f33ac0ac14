/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mapping: files that shrink, grow again, and signals that are not ours. */
#include <unit.h>

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <spi/mapping.h>
#include <vmifs/error.h>

#define PAGE 4096

static int
make_file(gsize n_pages)
{
	int fd = memfd_create("mapping", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	for (gsize i = 0; i < n_pages; i++) {
		guint8 page[PAGE];
		memset(page, (int) (i % 255 + 1), sizeof page);
		ck_assert_int_eq(pwrite(fd, page, PAGE, (off_t) (i * PAGE)), PAGE);
	}
	return fd;
}

/* The thread sanitizer takes a page that is mapped anew for a write to it. */
__attribute__((no_sanitize("thread"))) static guint8
load(VmifsMapping *mapping, gsize page)
{
	return ((const volatile guint8 *) vmifs_mapping_data(mapping))[page * PAGE];
}

/* As of now: of what is loaded next. */
static gboolean
is_intact(VmifsMapping *mapping, guint64 offset, gsize len)
{
	return vmifs_mapping_intact(mapping, vmifs_mapping_stamp(mapping), offset, len);
}

START_TEST(mapping_shows_the_file)
{
	int fd = make_file(3);
	g_autoptr(GError) error = NULL;
	g_autoptr(VmifsMapping) mapping = vmifs_mapping_new(fd, PAGE, PAGE + 10, &error);

	ck_assert_ptr_nonnull(mapping);
	close(fd);
	ck_assert_uint_eq(vmifs_mapping_len(mapping), PAGE + 10);
	ck_assert_uint_eq(load(mapping, 0), 2);
	ck_assert_uint_eq(load(mapping, 1), 3);
	ck_assert(is_intact(mapping, 0, PAGE + 10));
}
END_TEST

START_TEST(impossible_mappings_are_refused)
{
	int fd = make_file(1);
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(vmifs_mapping_new(fd, 1, PAGE, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_INVALID));
	g_clear_error(&error);
	ck_assert_ptr_null(vmifs_mapping_new(fd, 0, 0, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_INVALID));
	g_clear_error(&error);
	ck_assert_ptr_null(vmifs_mapping_new(fd, 0, G_MAXSIZE, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_INVALID));
	g_clear_error(&error);
	ck_assert_ptr_null(vmifs_mapping_new(-1, 0, PAGE, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_IO));
	close(fd);
}
END_TEST

START_TEST(lost_pages_read_as_zeros_and_are_known)
{
	int fd = make_file(8);
	g_autoptr(VmifsMapping) mapping = vmifs_mapping_new(fd, 0, 8 * PAGE, NULL);

	ck_assert_int_eq(ftruncate(fd, 5 * PAGE), 0);
	ck_assert_uint_eq(load(mapping, 6), 0);
	ck_assert(!is_intact(mapping, 6 * PAGE, 1));
	ck_assert(!is_intact(mapping, 0, 8 * PAGE));
	ck_assert(!is_intact(mapping, 7 * PAGE - 1, 1));
	/* What is still there is not concerned. */
	ck_assert(is_intact(mapping, 0, 6 * PAGE));
	ck_assert(is_intact(mapping, 7 * PAGE, PAGE));
	ck_assert_uint_eq(load(mapping, 4), 5);
	ck_assert(is_intact(mapping, 4 * PAGE, PAGE));
	close(fd);
}
END_TEST

START_TEST(grown_again_file_is_mapped_anew)
{
	int fd = make_file(8);
	guint8 page[PAGE];
	g_autoptr(VmifsMapping) mapping = vmifs_mapping_new(fd, 0, 8 * PAGE, NULL);

	ck_assert_int_eq(ftruncate(fd, 5 * PAGE), 0);
	ck_assert_uint_eq(load(mapping, 6), 0);
	ck_assert_uint_eq(load(mapping, 7), 0);
	memset(page, 77, sizeof page);
	ck_assert_int_eq(pwrite(fd, page, PAGE, 6 * PAGE), PAGE);
	/* What was loaded before was not the file's. */
	ck_assert(!is_intact(mapping, 6 * PAGE, PAGE));
	ck_assert(is_intact(mapping, 6 * PAGE, PAGE));
	ck_assert_uint_eq(load(mapping, 6), 77);
	ck_assert(!is_intact(mapping, 7 * PAGE, PAGE));
	close(fd);
}
END_TEST

START_TEST(page_that_another_reader_had_mapped_anew_was_lost)
{
	int fd = make_file(8);
	g_autoptr(VmifsMapping) mapping = vmifs_mapping_new(fd, 0, 8 * PAGE, NULL);
	guint stamp = vmifs_mapping_stamp(mapping);

	ck_assert_int_eq(ftruncate(fd, 5 * PAGE), 0);
	ck_assert_uint_eq(load(mapping, 6), 0);
	ck_assert_int_eq(pwrite(fd, "again", 5, 6 * PAGE), 5);
	ck_assert(!is_intact(mapping, 6 * PAGE, PAGE)); /* the other one asks */
	ck_assert(!vmifs_mapping_intact(mapping, stamp, 6 * PAGE, PAGE));
	stamp = vmifs_mapping_stamp(mapping);
	ck_assert_uint_eq(load(mapping, 6), 'a');
	ck_assert(vmifs_mapping_intact(mapping, stamp, 6 * PAGE, PAGE));
	close(fd);
}
END_TEST

START_TEST(beyond_the_bound_all_from_the_lowest_page_on_is_broken)
{
	enum { N = 3000 };
	int fd = make_file(N);
	g_autoptr(VmifsMapping) mapping = vmifs_mapping_new(fd, 0, N * PAGE, NULL);

	ck_assert_int_eq(ftruncate(fd, 10 * PAGE), 0);
	for (gsize i = 1500; i < N; i++)
		ck_assert_uint_eq(load(mapping, i), 0);
	ck_assert(!is_intact(mapping, 1500 * PAGE, PAGE));
	ck_assert(!is_intact(mapping, (N - 1) * PAGE, PAGE));
	ck_assert(is_intact(mapping, 1499 * PAGE, PAGE));
	ck_assert_uint_eq(load(mapping, 1000), 0);
	ck_assert(!is_intact(mapping, 1000 * PAGE, PAGE));
	ck_assert(is_intact(mapping, 1001 * PAGE, 499 * PAGE)); /* not touched */
	ck_assert_uint_eq(load(mapping, 9), 10);
	ck_assert(is_intact(mapping, 0, 10 * PAGE));

	ck_assert_int_eq(ftruncate(fd, 2000 * PAGE), 0);
	ck_assert(!is_intact(mapping, 0, N * PAGE));
	ck_assert(is_intact(mapping, 0, 2000 * PAGE));
	ck_assert(!is_intact(mapping, 2000 * PAGE, PAGE));
	ck_assert_int_eq(ftruncate(fd, N * PAGE), 0);
	ck_assert(!is_intact(mapping, 0, N * PAGE));
	ck_assert(is_intact(mapping, 0, N * PAGE));
	close(fd);
}
END_TEST

/* Does a process that is forked now have that file mapped? */
static gboolean
child_maps(const char *name)
{
	int ends[2], status;

	ck_assert_int_eq(pipe(ends), 0);
	pid_t child = fork();
	if (!child) {
		char c;
		close(ends[1]);
		_exit(read(ends[0], &c, 1) != 0);
	}
	ck_assert_int_gt(child, 0);
	g_autofree char *path = g_strdup_printf("/proc/%d/maps", (int) child);
	g_autofree char *maps = NULL;
	ck_assert(g_file_get_contents(path, &maps, NULL, NULL));
	close(ends[1]);
	close(ends[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(strstr(maps, "test-mapping"));
	return strstr(maps, name) != NULL;
}

/* It may live on when the guest whose memory that is has gone. */
START_TEST(child_has_none_of_them)
{
	int fd = make_file(8);
	g_autoptr(VmifsMapping) mapping = vmifs_mapping_new(fd, 0, 8 * PAGE, NULL);
	g_autoptr(VmifsMapping) own = vmifs_mapping_new_private(fd, 8 * PAGE, NULL);

	ck_assert(!child_maps("/memfd:mapping"));
	/* Nor what was mapped anew. */
	ck_assert_int_eq(ftruncate(fd, 5 * PAGE), 0);
	ck_assert_uint_eq(load(mapping, 6), 0);
	ck_assert_int_eq(ftruncate(fd, 8 * PAGE), 0);
	ck_assert(!is_intact(mapping, 6 * PAGE, PAGE));
	ck_assert(is_intact(mapping, 6 * PAGE, PAGE));
	ck_assert(!child_maps("/memfd:mapping"));
	close(fd);
}
END_TEST

/* Whether our page tables hold that page now (pagemap's top bit). */
static gboolean
is_present(const guint8 *data)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	guint64 entry = 0;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &entry, sizeof entry, (off_t) ((guintptr) data / PAGE * 8)), 8);
	close(fd);
	return entry >> 63;
}

START_TEST(released_pages_come_back)
{
	int fd = make_file(4);
	g_autoptr(VmifsMapping) mapping = vmifs_mapping_new(fd, 0, 4 * PAGE, NULL);

	for (gsize i = 0; i < 4; i++)
		load(mapping, i);
	vmifs_mapping_release(mapping, 0, 4 * PAGE);
	for (gsize i = 0; i < 4; i++)
		ck_assert(!is_present(vmifs_mapping_data(mapping) + i * PAGE));
	for (gsize i = 0; i < 4; i++)
		ck_assert_uint_eq(load(mapping, i), i + 1);
	vmifs_mapping_release(mapping, PAGE + 1, 10); /* no whole page in it */
	ck_assert(is_present(vmifs_mapping_data(mapping) + PAGE));
	close(fd);
}
END_TEST

/* Another mapping of ours must not make this one look registered. */
static volatile const guint8 *
lost_page(void)
{
	int fd = make_file(1), other = make_file(1);
	const guint8 *data = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(data, MAP_FAILED);
	ck_assert_ptr_nonnull(vmifs_mapping_new(other, 0, PAGE, NULL));
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	return data;
}

START_TEST(foreign_sigbus_still_kills)
{
	signal(SIGBUS, SIG_DFL); /* a sanitizer has its own */
	volatile const guint8 *data = lost_page();
	ck_assert_uint_eq(*data, 1);
}
END_TEST

START_TEST(sent_sigbus_still_kills)
{
	signal(SIGBUS, SIG_DFL);
	lost_page();
	raise(SIGBUS);
}
END_TEST

static sigjmp_buf jump;

static void
on_foreign(int number)
{
	siglongjmp(jump, number);
}

START_TEST(previous_handler_gets_what_is_not_ours)
{
	signal(SIGBUS, on_foreign);
	volatile const guint8 *data = lost_page();

	switch (sigsetjmp(jump, 1)) {
	case 0:
		ck_abort_msg("loaded %u", *data);
		break;
	case SIGBUS:
		break;
	default:
		ck_abort_msg("another signal");
	}
}
END_TEST

typedef struct {
	VmifsMapping *mapping;
	gint *stop;
	gsize n_pages;
	guint wrong;
	gint n_intact;
} Loader;

static gpointer
load_for_ever(gpointer user)
{
	Loader *loader = user;

	while (!g_atomic_int_get(loader->stop)) {
		for (gsize i = 0; i < loader->n_pages; i++) {
			guint stamp = vmifs_mapping_stamp(loader->mapping);
			guint8 got = load(loader->mapping, i);
			gboolean intact =
				vmifs_mapping_intact(loader->mapping, stamp, i * PAGE, PAGE);
			/* Zeros only with a mark, but for what a growing file itself holds. */
			if (got && got != i % 255 + 1)
				loader->wrong++;
			if (i < 4 && !got)
				loader->wrong++;
			g_atomic_int_add(&loader->n_intact, intact);
		}
	}
	return NULL;
}

START_TEST(threads_survive_a_file_that_comes_and_goes)
{
	enum { N = 16 };
	int fd = make_file(N);
	gint stop = 0;
	g_autoptr(VmifsMapping) mapping = vmifs_mapping_new(fd, 0, N * PAGE, NULL);
	Loader loaders[2];
	GThread *thread[2];

	for (int i = 0; i < 2; i++) {
		loaders[i] = (Loader){ mapping, &stop, N, 0, 0 };
		thread[i] = g_thread_new("load", load_for_ever, &loaders[i]);
	}
	for (int i = 0; i < 300; i++) {
		ck_assert_int_eq(ftruncate(fd, 4 * PAGE), 0);
		g_usleep(100);
		/* Others come and go in the registry meanwhile. */
		g_autoptr(VmifsMapping) other = vmifs_mapping_new(fd, 0, 4 * PAGE, NULL);
		ck_assert_uint_eq(load(other, 3), 4);
		ck_assert_int_eq(ftruncate(fd, N * PAGE), 0);
		g_usleep(100);
	}
	/* On a busy machine a thread may not have had its turn yet; now the file stays as it is. */
	for (int i = 0; i < 2; i++)
		for (int tries = 0; !g_atomic_int_get(&loaders[i].n_intact) && tries < 10000;
		     tries++)
			g_usleep(1000);
	g_atomic_int_set(&stop, 1);
	for (int i = 0; i < 2; i++) {
		g_thread_join(thread[i]);
		ck_assert_uint_eq(loaders[i].wrong, 0);
		ck_assert_int_gt(g_atomic_int_get(&loaders[i].n_intact), 0);
	}
	close(fd);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("mapping");
	TCase *t = tcase_create("mapping");
	tcase_add_test(t, mapping_shows_the_file);
	tcase_add_test(t, impossible_mappings_are_refused);
	tcase_add_test(t, lost_pages_read_as_zeros_and_are_known);
	tcase_add_test(t, grown_again_file_is_mapped_anew);
	tcase_add_test(t, page_that_another_reader_had_mapped_anew_was_lost);
	tcase_add_test(t, beyond_the_bound_all_from_the_lowest_page_on_is_broken);
	tcase_add_test(t, child_has_none_of_them);
	tcase_add_test(t, released_pages_come_back);
	tcase_add_test_raise_signal(t, foreign_sigbus_still_kills, SIGBUS);
	tcase_add_test_raise_signal(t, sent_sigbus_still_kills, SIGBUS);
	tcase_add_test(t, previous_handler_gets_what_is_not_ours);
	tcase_add_test(t, threads_survive_a_file_that_comes_and_goes);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
