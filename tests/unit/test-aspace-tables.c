/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aspace-ranges, walk: page tables that change or go away under a reader, and those made to keep a
 * walker busy for ever.
 */
#include <aspace-check.h>

#include <sys/stat.h>
#include <time.h>

extern const VmifsBackend vmifs_backend_snapshot;

/* ---- memory that changes ---- */

typedef struct {
	int fd;
	guint64 *words;
	gsize len;
	VmifsPhysmem *mem;
} Image;

/* An image of len bytes, each 0x11, mapped by the backend and, writable, by us. */
static void
image_init(Image *image, gsize len)
{
	VmifsOptions options = { .size = sizeof options };
	VmifsSource src = { .spec = "image", .len = len, .options = &options };
	gpointer instance;

	image->fd = memfd_create("image", MFD_CLOEXEC);
	image->len = len;
	ck_assert_int_ge(image->fd, 0);
	ck_assert_int_eq(ftruncate(image->fd, (off_t) len), 0);
	image->words = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, image->fd, 0);
	ck_assert_ptr_ne(image->words, MAP_FAILED);
	memset(image->words, 0x11, len);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", image->fd);
	src.path = path;
	src.fd = image->fd;
	src.head = (const guint8 *) image->words;
	src.head_len = MIN(len, 65536);
	instance = vmifs_backend_snapshot.open(&src, NULL, NULL);
	ck_assert_ptr_nonnull(instance);
	image->mem = vmifs_physmem_new(&vmifs_backend_snapshot, instance, NULL, NULL);
	ck_assert_ptr_nonnull(image->mem);
}

static void
image_clear(Image *image)
{
	vmifs_physmem_unref(image->mem);
	munmap(image->words, image->len);
	close(image->fd);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Image, image_clear)

static void
set_table(Image *image, guint64 pa, guint64 entry, guint64 step)
{
	for (gsize i = 0; i < 512; i++)
		image->words[pa / 8 + i] = GUINT64_TO_LE(entry + i * step);
}

static void
set_word(Image *image, guint64 pa, guint64 value)
{
	image->words[pa / 8] = GUINT64_TO_LE(value);
}

/* Tables 0x1000 to 0x4000, the last of which maps 2M of addresses from `pages` on. */
static void
set_tables(Image *image, guint64 pages)
{
	for (guint64 pa = 0x1000; pa < 0x4000; pa += PAGE) {
		set_table(image, pa, 0, 0);
		set_word(image, pa, pa + PAGE + 0x67);
	}
	set_table(image, 0x4000, pages + 0x67, PAGE);
}

START_TEST(moved_epoch_forgets_translations)
{
	g_auto(Image) image;
	guint epoch = 7;
	g_autoptr(VmifsAspace) aspace = NULL;
	guint64 n;

	image_init(&image, 1 << 20);
	set_tables(&image, 0x8000);
	set_word(&image, 0x8000, 0x8888);
	set_word(&image, 0x9000, 0x9999);
	aspace = aspace_over(image.mem, 0x1000, &epoch);
	ck_assert(vmifs_aspace_read_u64(aspace, 0, &n, NULL));
	ck_assert_uint_eq(n, 0x8888);
	/* The guest maps another page there; nobody notices until the epoch moves. Bytes are never
	 * kept. */
	set_word(&image, 0x4000, 0x9067);
	set_word(&image, 0x8000, 0x7777);
	ck_assert(vmifs_aspace_read_u64(aspace, 0, &n, NULL));
	ck_assert_uint_eq(n, 0x7777);
	g_atomic_int_inc((gint *) &epoch);
	ck_assert(vmifs_aspace_read_u64(aspace, 0, &n, NULL));
	ck_assert_uint_eq(n, 0x9999);
	set_word(&image, 0x4000, 0);
	g_atomic_int_inc((gint *) &epoch);
	ck_assert(!vmifs_aspace_read_u64(aspace, 0, &n, NULL));
}
END_TEST

START_TEST(hole_is_not_remembered)
{
	g_auto(Image) image;
	g_autoptr(VmifsAspace) aspace = NULL;
	guint64 n;

	image_init(&image, 1 << 20);
	set_tables(&image, 0x8000);
	set_word(&image, 0x4000, 0);
	aspace = aspace_over(image.mem, 0x1000, NULL);
	ck_assert(!vmifs_aspace_read_u64(aspace, 0, &n, NULL));
	set_word(&image, 0x4000, 0x9067);
	ck_assert(vmifs_aspace_read_u64(aspace, 0, &n, NULL));
}
END_TEST

START_TEST(mapped_memory_is_handed_on_as_it_lies)
{
	g_auto(Image) image;
	g_autoptr(VmifsAspace) aspace = NULL;
	g_auto(VmifsSegments) segments;

	image_init(&image, 1 << 20);
	set_tables(&image, 0x8000);
	set_word(&image, 0x4010, 0x20067);
	aspace = aspace_over(image.mem, 0x1000, NULL);
	vmifs_segments_init(&segments);
	ck_assert_uint_eq(vmifs_aspace_gather(aspace, 0x10, 0x10000, 0, &segments, NULL, NULL),
			  0x10000);
	/* Two pages, one that lies elsewhere, the rest; nothing was copied. */
	ck_assert_uint_eq(segments.iov->len, 3);
	ck_assert_ptr_null(segments.owned);
	ck_assert_uint_eq(g_array_index(segments.iov, struct iovec, 0).iov_len, 2 * PAGE - 0x10);
	ck_assert_uint_eq(g_array_index(segments.iov, struct iovec, 1).iov_len, PAGE);
}
END_TEST

START_TEST(table_that_its_file_lost_is_no_empty_one)
{
	g_auto(Image) image;
	g_autoptr(VmifsAspace) aspace = NULL;
	GError *error = NULL;
	guint64 n, va;

	/* The second leaf table and its page lie beyond the end to be. */
	image_init(&image, 1 << 20);
	set_tables(&image, 0x8000);
	set_word(&image, 0x3008, 0x80067);
	set_table(&image, 0x80000, 0, 0);
	set_word(&image, 0x4008, 0x80067);
	aspace = aspace_over(image.mem, 0x1000, NULL);
	ck_assert_int_eq(ftruncate(image.fd, 0x80000), 0);
	ck_assert(!vmifs_aspace_read_u64(aspace, 0x200000, &n, &error));
	assert_error(error, VMIFS_ERROR_IO, "walk 0x200000: table page 0x80000 (level 1): block");
	ck_assert(!vmifs_aspace_read_u64(aspace, 0x1000, &n, &error));
	assert_error(error, VMIFS_ERROR_IO, "walk 0x1000: block");
	/* The rest is there, also around it. */
	guint8 buf[2 * PAGE];
	ck_assert_uint_eq(vmifs_aspace_read_some(aspace, 0, buf, sizeof buf, &error), PAGE);
	ck_assert(vmifs_aspace_read(aspace, 0x2000, buf, sizeof buf, NULL));
	ck_assert(vmifs_aspace_seek(aspace, 0x2000, LOWER_END, FALSE, &va, NULL, NULL));
	ck_assert_uint_eq(va, 0x100000 - 0x8000);
}
END_TEST

/* ---- trees that never end ---- */

/* All addresses by four tables: what the pages of the last one are. */
static const struct {
	guint64 entry;
	gboolean data;  /* RAM: then a search for holes is what never ends */
	guint64 before; /* it has ended */
} mazes[] = {
	{ 0x67, TRUE, 0x41000000 }, /* one page of RAM: ends by ranges, 512 in a table */
	{ 0, FALSE, 0x8100000000 }, /* nothing: ends by tables */
};

START_TEST(search_of_a_maze_ends)
{
	g_auto(Image) image;
	g_autoptr(VmifsAspace) aspace = NULL;
	GError *error = NULL;
	clock_t start;
	guint64 va = 77;

	image_init(&image, 4 << 20);
	for (guint64 pa = 0x1000; pa < 0x4000; pa += PAGE)
		set_table(&image, pa, pa + PAGE + 0x67, 0);
	set_table(&image, 0x4000, mazes[_i].entry, 0);
	aspace = aspace_over(image.mem, 0x1000, NULL);
	ck_assert(vmifs_aspace_seek(aspace, 0x1000, G_MAXUINT64, mazes[_i].data, &va, NULL, NULL));
	ck_assert_uint_eq(va, 0x1000);
	start = clock();
	ck_assert(!vmifs_aspace_seek(aspace, 0x1000, G_MAXUINT64, !mazes[_i].data, &va, NULL,
				     &error));
	/* A tenth of a second where it was measured; under sanitizers it takes longer. */
	ck_assert_int_lt(clock() - start, 10 * CLOCKS_PER_SEC);
	assert_error(error, VMIFS_ERROR_TIMEOUT, "walk from 0x1000: too many page tables");
	ck_assert_uint_gt(va, 0x1000000);
	ck_assert_uint_lt(va, mazes[_i].before);
}
END_TEST

START_TEST(visit_of_a_maze_ends)
{
	g_auto(Image) image;
	g_autoptr(VmifsAspace) aspace = NULL;
	Visited visited = { .text = g_string_new(NULL) };
	GError *error = NULL;

	/* A root that is each of its own tables, and each of its pages. */
	image_init(&image, 1 << 20);
	set_table(&image, 0x1000, 0x1067, 0);
	aspace = aspace_over(image.mem, 0x1000, NULL);
	ck_assert(!vmifs_aspace_visit(aspace, 0, G_MAXUINT64, 1000, write_down, &visited, NULL,
				      &error));
	assert_error(error, VMIFS_ERROR_TIMEOUT, "walk from 0: too many page tables");
	ck_assert_uint_le(visited.n, 512 * 1000);
	ck_assert_uint_ge(visited.n, 512 * 990);
	g_string_free(visited.text, TRUE);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("aspace-tables");
	TCase *t = tcase_create("aspace-tables");
	tcase_add_test(t, moved_epoch_forgets_translations);
	tcase_add_test(t, hole_is_not_remembered);
	tcase_add_test(t, mapped_memory_is_handed_on_as_it_lies);
	tcase_add_test(t, table_that_its_file_lost_is_no_empty_one);
	tcase_add_loop_test(t, search_of_a_maze_ends, 0, G_N_ELEMENTS(mazes));
	tcase_add_test(t, visit_of_a_maze_ends);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
