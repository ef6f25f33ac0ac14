/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* aspace-ranges, walk: visits and searches, and what an OS adds to them. */
#include <aspace-check.h>

static const gint yes = 1;
static const VmifsCall given_up = { .cancelled = &yes };

/* ---- visits ---- */

START_TEST(visit_merges_over_tables)
{
	g_autoptr(VmifsAspace) aspace = aspace_of_tables();
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
	g_autoptr(VmifsAspace) aspace = aspace_of_tables();
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
	g_autoptr(VmifsAspace) aspace = aspace_of_tables();
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
	g_autoptr(VmifsAspace) aspace = aspace_of_tables();
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
	g_autoptr(VmifsAspace) aspace = aspace_of_tables();
	Visited visited = { .text = g_string_new(NULL) };

	ck_assert(vmifs_aspace_visit(aspace, 5, 4, 0, write_down, &visited, NULL, NULL));
	assert_visited(visited, "");
}
END_TEST

START_TEST(visit_of_all_addresses_has_lengths_that_fit)
{
	g_autoptr(VmifsAspace) aspace = aspace_of_tables();
	g_autoptr(VmifsAspace) empty = vmifs_aspace_new_like(aspace, 0x9000, NULL, NULL);
	Visited visited = { .text = g_string_new(NULL) };

	ck_assert(vmifs_aspace_visit(empty, 0, G_MAXUINT64, 64, write_down, &visited, NULL, NULL));
	assert_visited(visited, "0+0xffff800000000000 hole 0\n"
				"0xffff800000000000+0x800000000000 hole 0\n");
}
END_TEST

START_TEST(visit_ends_with_its_budget)
{
	g_autoptr(VmifsAspace) aspace = aspace_of_tables();
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
	g_autoptr(VmifsAspace) aspace = aspace_of_tables();
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
	g_autoptr(VmifsAspace) aspace = aspace_of_tables();
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
	g_autoptr(VmifsAspace) aspace = aspace_of_tables();
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
	g_autoptr(VmifsAspace) kernel = aspace_of_tables();

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
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
