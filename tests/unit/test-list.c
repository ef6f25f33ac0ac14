/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list: rings that close, and all the ways in which they do not. */
#include <unit.h>

#include <linux-guest.h>
#include <os/linux/list.h>

#define N 5

typedef struct {
	LinuxGuest g;
	guint64 nodes[N]; /* the first is the head */
	GArray *seen;     /* indexes of the nodes, in the order of the visits */
	guint stop_after; /* 0 = never */
	GError *error;
} Fixture;

static void
setup(Fixture *f)
{
	*f = (Fixture){ .seen = g_array_new(FALSE, FALSE, sizeof(guint)) };
	linux_guest_init(&f->g, "");
	for (guint i = 0; i < N; i++)
		f->nodes[i] = linux_guest_alloc(&f->g, 16);
	linux_guest_ring(&f->g, f->nodes, N);
}

static void
teardown(Fixture *f)
{
	g_array_unref(f->seen);
	g_clear_error(&f->error);
	linux_guest_clear(&f->g);
}

static gboolean
visit(guint64 node, gpointer user)
{
	Fixture *f = user;
	guint i = 0;

	while (i < N && f->nodes[i] != node)
		i++;
	ck_assert_uint_gt(i, 0);
	ck_assert_uint_lt(i, N);
	g_array_append_val(f->seen, i);
	return f->seen->len != f->stop_after;
}

static gboolean
walk(Fixture *f, guint64 max, const VmifsCall *call)
{
	Linux *os = linux_guest_start(&f->g);
	return linux_list_each(os->aspace, f->nodes[0], max, visit, f, call, &f->error);
}

static void
expect(const Fixture *f, const guint *order, guint n)
{
	ck_assert_uint_eq(f->seen->len, n);
	for (guint i = 0; i < n; i++)
		ck_assert_uint_eq(g_array_index(f->seen, guint, i), order[i]);
}

START_TEST(ring_is_visited_in_order)
{
	Fixture f;
	setup(&f);
	ck_assert(walk(&f, 100, NULL));
	expect(&f, (guint[]){ 1, 2, 3, 4 }, 4);
	teardown(&f);
}
END_TEST

START_TEST(empty_ring_has_no_elements)
{
	Fixture f;
	setup(&f);
	linux_guest_ring(&f.g, f.nodes, 1);
	ck_assert(walk(&f, 0, NULL));
	expect(&f, NULL, 0);
	teardown(&f);
}
END_TEST

START_TEST(visitor_may_stop)
{
	Fixture f;
	setup(&f);
	f.stop_after = 2;
	ck_assert(walk(&f, 100, NULL));
	expect(&f, (guint[]){ 1, 2 }, 2);
	teardown(&f);
}
END_TEST

START_TEST(behind_a_tear_the_ring_is_walked_backwards)
{
	Fixture f;
	setup(&f);
	linux_guest_u64(&f.g, f.nodes[2], 0x10);
	ck_assert(!walk(&f, 100, NULL));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	expect(&f, (guint[]){ 1, 2, 4, 3 }, 4);
	teardown(&f);
}
END_TEST

START_TEST(loop_without_the_head_ends)
{
	Fixture f;
	setup(&f);
	/* 3 leads back to 2, and the back pointer of 2 agrees. */
	linux_guest_u64(&f.g, f.nodes[3], f.nodes[2]);
	linux_guest_u64(&f.g, f.nodes[2] + 8, f.nodes[3]);
	ck_assert(!walk(&f, 100, NULL));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_uint_le(f.seen->len, N - 1);
	teardown(&f);
}
END_TEST

START_TEST(wrong_back_pointer_is_not_followed)
{
	Fixture f;
	setup(&f);
	linux_guest_u64(&f.g, f.nodes[3] + 8, f.nodes[1]);
	ck_assert(!walk(&f, 100, NULL));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	expect(&f, (guint[]){ 1, 2, 4, 3 }, 4);
	teardown(&f);
}
END_TEST

START_TEST(too_long_a_ring_is_cut)
{
	Fixture f;
	setup(&f);
	ck_assert(!walk(&f, 3, NULL));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	expect(&f, (guint[]){ 1, 2, 3 }, 3);
	teardown(&f);
}
END_TEST

/* They lie 256 bytes apart. */
START_TEST(elements_without_room_are_none)
{
	Fixture f;

	for (guint least = 256; least <= 512; least += 256) {
		setup(&f);
		Linux *os = linux_guest_start(&f.g);
		ck_assert_int_eq(linux_list_each_sized(os->aspace, f.nodes[0], 100, least, visit,
						       &f, NULL, &f.error),
				 least == 256);
		ck_assert_uint_eq(f.error != NULL, least > 256);
		ck_assert_uint_lt(f.seen->len, least > 256 ? N - 1 : N);
		teardown(&f);
	}
}
END_TEST

START_TEST(head_that_cannot_be_read_is_an_error)
{
	Fixture f;
	setup(&f);
	f.nodes[0] = 0x1000;
	ck_assert(!walk(&f, 100, NULL));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	expect(&f, NULL, 0);
	teardown(&f);
}
END_TEST

START_TEST(given_up_walk_visits_no_more)
{
	Fixture f;
	VmifsCall late = { .deadline = 1 };
	setup(&f);
	ck_assert(!walk(&f, 100, &late));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT));
	expect(&f, NULL, 0);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("list");
	TCase *t = tcase_create("list");

	tcase_add_test(t, ring_is_visited_in_order);
	tcase_add_test(t, empty_ring_has_no_elements);
	tcase_add_test(t, visitor_may_stop);
	tcase_add_test(t, behind_a_tear_the_ring_is_walked_backwards);
	tcase_add_test(t, loop_without_the_head_ends);
	tcase_add_test(t, wrong_back_pointer_is_not_followed);
	tcase_add_test(t, too_long_a_ring_is_cut);
	tcase_add_test(t, elements_without_room_are_none);
	tcase_add_test(t, head_that_cannot_be_read_is_an_error);
	tcase_add_test(t, given_up_walk_visits_no_more);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
