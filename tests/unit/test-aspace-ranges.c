/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aspace-ranges, walk: visits and searches, what an OS adds to them, and trees made to keep a
 * walker busy for ever. Then memory that changes or goes away under a reader.
 */
#include <unit.h>

#include <aspace.h>
#include <string.h>
#include <sys/stat.h>
#include <text-guest.h>

#define PAGE ((guint64) 0x1000)
#define LOWER_END 0x800000000000ull
#define X64 "%#" G_GINT64_MODIFIER "x"

extern const VmifsBackend vmifs_backend_snapshot;

static VmifsAspace *
aspace_over(VmifsPhysmem *mem, guint64 root, const guint *epoch)
{
	VmifsPaging paging = { .mode = &vmifs_archs[0]->modes[0], .root = root };

	ck_assert_str_eq(paging.mode->name, "x86_64 4-level");
	return vmifs_aspace_new(mem, &paging, epoch);
}

/*
 * Two leaf tables, 0x4000 and 0x5000, whose pages continue each other; then a 2M page that
 * continues the second one. Of that page RAM ends in the middle, of the last one it begins there.
 */
static VmifsAspace *
make_aspace(void)
{
	g_autoptr(GString) text = g_string_new(
		"ram 0 1M low\nram 1M 2M main\nram 5M 64K high\n"
		"u64 0x1000 0x2067\nu64 0x2000 0x3067\n"
		"u64 0x3000 0x4067 0x5067 0x2000e7 0x99067 0 0x12345067 0x12345067 0x23456067\n"
		"u64 0x3040 0x5a5a00 0x5a5b00 0xe7 0x4000e7\n"
		"u64 0x5010 0xfee00067 0xfee01067 0 0x100067 0x5a5a00\nu64 0x5ff8 0x1ff067\n"
		"u64 0x100000 0x1111\nu64 0x101000 0x2222 0x3333\nu64 0x102000 0x4444\n");
	g_autoptr(VmifsPhysmem) mem = NULL;

	for (guint i = 510; i < 514; i++)
		g_string_append_printf(text, "u64 " X64 " " X64 "\n", 0x4000 + i * (guint64) 8,
				       0x10067 + i * PAGE);
	mem = text_guest(text->str);
	return aspace_over(mem, 0x1000, NULL);
}

#define assert_error(error, wanted, part)                                                          \
	do {                                                                                       \
		ck_assert_ptr_nonnull(error);                                                      \
		ck_assert_msg(g_error_matches(error, VMIFS_ERROR, (gint) (wanted)), "code %d: %s", \
			      (error)->code, (error)->message);                                    \
		ck_assert_msg(strstr((error)->message, part) != NULL, "%s", (error)->message);     \
		g_clear_error(&(error));                                                           \
	} while (0)

static const gint yes = 1;
static const VmifsCall given_up = { .cancelled = &yes };

/* ---- visits ---- */

typedef struct {
	GString *text;
	guint n, stop_after;
} Visited;

static gboolean
write_down(const VmifsRange *range, gpointer user)
{
	static const char *const kinds[] = { "page", "hole", "not-present", "broken" };
	Visited *visited = user;

	if (visited->n < 100)
		g_string_append_printf(visited->text, X64 "+" X64 " %s " X64 "\n", range->va,
				       range->len, kinds[range->kind],
				       range->kind == VMIFS_RANGE_NOT_PRESENT ? range->entry
									      : range->pa);
	return ++visited->n != visited->stop_after;
}

#define assert_visited(visited, expected)                                                          \
	do {                                                                                       \
		ck_assert_str_eq((visited).text->str, expected);                                   \
		g_string_free((visited).text, TRUE);                                               \
	} while (0)

START_TEST(visit_merges_over_tables)
{
	g_autoptr(VmifsAspace) aspace = make_aspace();
	Visited visited = { .text = g_string_new(NULL) };
	g_autoptr(GError) error = NULL;

	ck_assert(
		vmifs_aspace_visit(aspace, 0, 0x40000000, 64, write_down, &visited, NULL, &error));
	ck_assert_ptr_null(error);
	assert_visited(visited, "0+0x1fe000 hole 0\n"
				"0x1fe000+0x4000 page 0x20e000\n"
				"0x202000+0x2000 page 0xfee00000\n"
				"0x204000+0x1000 hole 0\n"
				"0x205000+0x1000 page 0x100000\n"
				"0x206000+0x1000 not-present 0x5a5a00\n"
				"0x207000+0x1f8000 hole 0\n"
				"0x3ff000+0x201000 page 0x1ff000\n"
				"0x600000+0x400000 hole 0\n"
				"0xa00000+0x600000 broken 0x12345000\n"
				"0x1000000+0x200000 not-present 0x5a5a00\n"
				"0x1200000+0x200000 not-present 0x5a5b00\n"
				"0x1400000+0x200000 page 0\n"
				"0x1600000+0x200000 page 0x400000\n"
				"0x1800000+0x3e800001 hole 0\n");
}
END_TEST

START_TEST(visit_of_pages_has_each_by_itself)
{
	g_autoptr(VmifsAspace) aspace = make_aspace();
	Visited visited = { .text = g_string_new(NULL) };

	ck_assert(vmifs_aspace_visit_pages(aspace, 0x1ff000, 0x205fff, 64, write_down, &visited,
					   NULL, NULL));
	assert_visited(visited, "0x1ff000+0x1000 page 0x20f000\n"
				"0x200000+0x1000 page 0x210000\n"
				"0x201000+0x1000 page 0x211000\n"
				"0x202000+0x1000 page 0xfee00000\n"
				"0x203000+0x1000 page 0xfee01000\n"
				"0x204000+0x1000 hole 0\n"
				"0x205000+0x1000 page 0x100000\n");
	visited = (Visited){ .text = g_string_new(NULL), .stop_after = 2 };
	ck_assert(vmifs_aspace_visit_pages(aspace, 0x1ff000, 0x205fff, 64, write_down, &visited,
					   NULL, NULL));
	ck_assert_uint_eq(visited.n, 2);
	g_string_free(visited.text, TRUE);
}
END_TEST

START_TEST(visit_of_pages_ends_with_its_budget)
{
	g_autoptr(VmifsAspace) aspace = make_aspace();
	Visited visited = { .text = g_string_new(NULL) };
	g_autoptr(GError) error = NULL, cancelled = NULL;

	ck_assert(!vmifs_aspace_visit_pages(aspace, 0, 0x40000000, 2, write_down, &visited, NULL,
					    &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT));
	ck_assert(!vmifs_aspace_visit_pages(aspace, 0, 0x40000000, 64, write_down, &visited,
					    &given_up, &cancelled));
	ck_assert(g_error_matches(cancelled, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
	g_string_free(visited.text, TRUE);
}
END_TEST

START_TEST(visit_ends_when_told_to)
{
	g_autoptr(VmifsAspace) aspace = make_aspace();
	/* In the middle, and at the very last range. */
	guint stops[] = { 2, 3 };

	for (gsize i = 0; i < G_N_ELEMENTS(stops); i++) {
		Visited visited = { .text = g_string_new(NULL), .stop_after = stops[i] };
		g_autoptr(GError) error = NULL;

		ck_assert(vmifs_aspace_visit(aspace, 0x1ff000, 0x204fff, 64, write_down, &visited,
					     NULL, &error));
		ck_assert_ptr_null(error);
		ck_assert_uint_eq(visited.n, stops[i]);
		g_string_free(visited.text, TRUE);
	}
}
END_TEST

START_TEST(visit_of_nothing_is_no_error)
{
	g_autoptr(VmifsAspace) aspace = make_aspace();
	Visited visited = { .text = g_string_new(NULL) };

	ck_assert(vmifs_aspace_visit(aspace, 5, 4, 0, write_down, &visited, NULL, NULL));
	assert_visited(visited, "");
}
END_TEST

START_TEST(visit_of_all_addresses_has_lengths_that_fit)
{
	g_autoptr(VmifsAspace) aspace = make_aspace();
	g_autoptr(VmifsAspace) empty = vmifs_aspace_new_like(aspace, 0x9000, NULL, NULL);
	Visited visited = { .text = g_string_new(NULL) };

	ck_assert(vmifs_aspace_visit(empty, 0, G_MAXUINT64, 64, write_down, &visited, NULL, NULL));
	assert_visited(visited, "0+0xffff800000000000 hole 0\n"
				"0xffff800000000000+0x800000000000 hole 0\n");
}
END_TEST

START_TEST(visit_ends_with_its_budget)
{
	g_autoptr(VmifsAspace) aspace = make_aspace();
	Visited visited = { .text = g_string_new(NULL) };
	GError *error = NULL;

	/* Root, 3, 2 and the first of the two leaf tables. */
	ck_assert(
		!vmifs_aspace_visit(aspace, 0, 0x40000000, 4, write_down, &visited, NULL, &error));
	assert_error(error, VMIFS_ERROR_TIMEOUT, "came to 0x200000");
	ck_assert(
		!vmifs_aspace_visit(aspace, 0, 0x40000000, 0, write_down, &visited, NULL, &error));
	assert_error(error, VMIFS_ERROR_TIMEOUT, "came to 0");
	assert_visited(visited, "0+0x1fe000 hole 0\n"
				"0x1fe000+0x2000 page 0x20e000\n");
}
END_TEST

START_TEST(visit_asks_whether_anybody_waits)
{
	g_autoptr(VmifsAspace) aspace = make_aspace();
	Visited visited = { .text = g_string_new(NULL) };
	GError *error = NULL;

	ck_assert(!vmifs_aspace_visit(aspace, 0, G_MAXUINT64, 64, write_down, &visited, &given_up,
				      &error));
	assert_error(error, VMIFS_ERROR_CANCELLED, "given up");
	assert_visited(visited, "");
}
END_TEST

/* ---- data and holes ---- */

#define NONE 0xdead

static const struct {
	guint64 va, last, data, hole;
} seeks[] = {
	{ 0, LOWER_END, 0x1fe000, 0 },
	{ 0, 0x1fe000, 0x1fe000, 0 },
	{ 0, 0x1fdfff, NONE, 0 },
	{ 0x1fe123, LOWER_END, 0x1fe123, 0x202000 },
	{ 0x1fe123, 0x202000, 0x1fe123, 0x202000 },
	{ 0x1fe123, 0x201fff, 0x1fe123, NONE },
	{ 0x202000, LOWER_END, 0x205000, 0x202000 }, /* mapped, but no RAM */
	{ 0x205000, LOWER_END, 0x205000, 0x206000 },
	{ 0x206001, LOWER_END, 0x3ff000, 0x206001 }, /* not present */
	{ 0x3ff000, LOWER_END, 0x3ff000, 0x500000 }, /* RAM ends in a page */
	{ 0x500000, LOWER_END, 0x1400000, 0x500000 },
	{ 0xa00000, LOWER_END, 0x1400000, 0xa00000 },   /* broken */
	{ 0x1400000, LOWER_END, 0x1400000, 0x1600000 }, /* over two regions */
	{ 0x1600000, LOWER_END, 0x1700000, 0x1600000 }, /* RAM begins in a page */
	{ 0x1600000, 0x16fffff, NONE, 0x1600000 },
	{ 0x1708000, LOWER_END, 0x1708000, 0x1710000 },
	{ 0x1710000, G_MAXUINT64, NONE, 0x1710000 },
	{ LOWER_END, G_MAXUINT64, NONE, LOWER_END },
	{ G_MAXUINT64, G_MAXUINT64, NONE, G_MAXUINT64 },
	{ 1, 0, NONE, NONE },
};

START_TEST(seek_finds_data_and_holes)
{
	g_autoptr(VmifsAspace) aspace = make_aspace();
	g_autoptr(GError) error = NULL;

	for (int data = 0; data < 2; data++) {
		guint64 expected = data ? seeks[_i].data : seeks[_i].hole;
		guint64 va = 77;
		gboolean found = vmifs_aspace_seek(aspace, seeks[_i].va, seeks[_i].last, data, &va,
						   NULL, &error);

		ck_assert_ptr_null(error);
		ck_assert_int_eq(found, expected != NONE);
		ck_assert_uint_eq(va, found ? expected : 77);
	}
}
END_TEST

START_TEST(seek_asks_whether_anybody_waits)
{
	g_autoptr(VmifsAspace) aspace = make_aspace();
	guint64 va = 77;
	GError *error = NULL;

	ck_assert(!vmifs_aspace_seek(aspace, 0x600000, G_MAXUINT64, TRUE, &va, &given_up, &error));
	assert_error(error, VMIFS_ERROR_CANCELLED, "given up");
	ck_assert_uint_ge(va, 0x600000);
}
END_TEST

/* ---- what the OS resolves ---- */

typedef struct {
	guint n_asked;
	VmifsRange asked;
	/* Added to what is asked, to make the answer. */
	guint64 pa, off_va, less_len;
	VmifsRangeKind kind;
	gboolean no;
} Os;

static gboolean
os_resolve(gpointer user, const VmifsRange *not_present, VmifsRange *ret)
{
	Os *os = user;

	os->n_asked++;
	os->asked = *not_present;
	ret->va = not_present->va + os->off_va;
	ret->len = not_present->len - os->less_len;
	ret->pa = os->pa;
	ret->perms = VMIFS_PERM_READ | VMIFS_PERM_WRITE | VMIFS_PERM_EXEC | VMIFS_PERM_USER;
	ret->kind = os->kind;
	return !os->no;
}

static VmifsAspace *
make_resolved(Os *os)
{
	g_autoptr(VmifsAspace) kernel = make_aspace();

	return vmifs_aspace_new_like(kernel, 0x1000, os_resolve, os);
}

START_TEST(resolved_page_is_read)
{
	Os os = { .pa = 0x101000 };
	g_autoptr(VmifsAspace) aspace = make_resolved(&os);
	g_auto(VmifsSegments) segments;
	guint64 n, found;

	ck_assert(vmifs_aspace_read_u64(aspace, 0x206008, &n, NULL));
	ck_assert_uint_eq(n, 0x3333);
	/* The OS saw the whole entry. */
	ck_assert_int_eq(os.asked.kind, VMIFS_RANGE_NOT_PRESENT);
	ck_assert_uint_eq(os.asked.va, 0x206000);
	ck_assert_uint_eq(os.asked.len, 0x1000);
	ck_assert_uint_eq(os.asked.entry, 0x5a5a00);
	ck_assert_uint_eq(os.asked.page_shift, 12);
	/* Once: its answer is kept. */
	ck_assert(vmifs_aspace_read_u64(aspace, 0x206000, &n, NULL));
	ck_assert_uint_eq(n, 0x2222);
	ck_assert_uint_eq(os.n_asked, 1);

	vmifs_segments_init(&segments);
	ck_assert_uint_eq(vmifs_aspace_gather(aspace, 0x205ff8, 0x1008, 0, &segments, NULL, NULL),
			  0x1008);
	ck_assert_uint_eq(os.asked.va, 0x206000);
	ck_assert(vmifs_aspace_seek(aspace, 0x205000, 0x3fe000, FALSE, &found, NULL, NULL));
	ck_assert_uint_eq(found, 0x207000);
}
END_TEST

START_TEST(resolved_large_page_is_read_from_its_middle)
{
	Os os = { .pa = 0x40000 };
	g_autoptr(VmifsAspace) aspace = make_resolved(&os);
	guint64 n;

	ck_assert(vmifs_aspace_read_u64(aspace, 0x1000000 + 0xc1000, &n, NULL));
	ck_assert_uint_eq(n, 0x2222);
	ck_assert_uint_eq(os.asked.va, 0x1000000);
	ck_assert_uint_eq(os.asked.len, 0x200000);
	ck_assert_uint_eq(os.asked.level, 2);
}
END_TEST

START_TEST(resolved_page_is_visited_as_a_page)
{
	Os os = { .pa = 0x101000 };
	g_autoptr(VmifsAspace) aspace = make_resolved(&os);
	Visited visited = { .text = g_string_new(NULL) };

	ck_assert(vmifs_aspace_visit(aspace, 0x205000, 0x207000, 64, write_down, &visited, NULL,
				     NULL));
	assert_visited(visited, "0x205000+0x2000 page 0x100000\n"
				"0x207000+0x1 hole 0\n");
}
END_TEST

START_TEST(page_at_an_odd_place_is_read_and_not_kept)
{
	Os os = { .pa = 0x101008 };
	g_autoptr(VmifsAspace) aspace = make_resolved(&os);
	guint64 n;

	for (guint i = 1; i < 3; i++) {
		ck_assert(vmifs_aspace_read_u64(aspace, 0x206000, &n, NULL));
		ck_assert_uint_eq(n, 0x3333);
		ck_assert_uint_eq(os.n_asked, i);
	}
}
END_TEST

static const Os liars[] = {
	{ .pa = 0x101000, .no = TRUE },
	{ .pa = 0x101000, .kind = VMIFS_RANGE_HOLE },
	{ .pa = 0x101000, .kind = VMIFS_RANGE_NOT_PRESENT },
	{ .pa = 0x101000, .off_va = 0x1000 },
	{ .pa = 0x101000, .less_len = 8 },
	{ .pa = 0xfffffffffffff001 },
};

START_TEST(wrong_answers_do_not_count)
{
	Os os = liars[_i];
	g_autoptr(VmifsAspace) aspace = make_resolved(&os);
	GError *error = NULL;
	guint64 n;

	ck_assert(!vmifs_aspace_read_u64(aspace, 0x206000, &n, &error));
	assert_error(error, VMIFS_ERROR_HOLE,
		     "walk 0x206000: level 1: not present (entry 0x5a5a00)");
	ck_assert_uint_eq(os.n_asked, 1);
}
END_TEST

START_TEST(last_page_of_all_may_be_the_answer)
{
	Os os = { .pa = 0xfffffffffffff000 };
	g_autoptr(VmifsAspace) aspace = make_resolved(&os);
	GError *error = NULL;
	guint64 n;

	ck_assert(!vmifs_aspace_read_u64(aspace, 0x206ff8, &n, &error));
	assert_error(error, VMIFS_ERROR_HOLE, "address 0xfffffffffffffff8 is not RAM");
}
END_TEST

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
	gint64 start;
	guint64 va = 77;

	image_init(&image, 4 << 20);
	for (guint64 pa = 0x1000; pa < 0x4000; pa += PAGE)
		set_table(&image, pa, pa + PAGE + 0x67, 0);
	set_table(&image, 0x4000, mazes[_i].entry, 0);
	aspace = aspace_over(image.mem, 0x1000, NULL);
	ck_assert(vmifs_aspace_seek(aspace, 0x1000, G_MAXUINT64, mazes[_i].data, &va, NULL, NULL));
	ck_assert_uint_eq(va, 0x1000);
	start = g_get_monotonic_time();
	ck_assert(!vmifs_aspace_seek(aspace, 0x1000, G_MAXUINT64, !mazes[_i].data, &va, NULL,
				     &error));
	/* A tenth of a second where it was measured; sanitizers and a busy machine take longer. */
	ck_assert_int_lt(g_get_monotonic_time() - start, 10 * G_USEC_PER_SEC);
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
	Suite *s = suite_create("aspace-ranges");
	TCase *t = tcase_create("aspace-ranges");
	tcase_add_test(t, visit_merges_over_tables);
	tcase_add_test(t, visit_of_pages_has_each_by_itself);
	tcase_add_test(t, visit_of_pages_ends_with_its_budget);
	tcase_add_test(t, visit_ends_when_told_to);
	tcase_add_test(t, visit_of_nothing_is_no_error);
	tcase_add_test(t, visit_of_all_addresses_has_lengths_that_fit);
	tcase_add_test(t, visit_ends_with_its_budget);
	tcase_add_test(t, visit_asks_whether_anybody_waits);
	tcase_add_loop_test(t, seek_finds_data_and_holes, 0, G_N_ELEMENTS(seeks));
	tcase_add_test(t, seek_asks_whether_anybody_waits);
	tcase_add_test(t, resolved_page_is_read);
	tcase_add_test(t, resolved_large_page_is_read_from_its_middle);
	tcase_add_test(t, resolved_page_is_visited_as_a_page);
	tcase_add_test(t, page_at_an_odd_place_is_read_and_not_kept);
	tcase_add_loop_test(t, wrong_answers_do_not_count, 0, G_N_ELEMENTS(liars));
	tcase_add_test(t, last_page_of_all_may_be_the_answer);
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
