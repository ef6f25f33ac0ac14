/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rbtree: in order, and to an end whatever the pointers say. */
#include <unit.h>

#include <linux-guest.h>
#include <os/linux/rbtree.h>

#define TYPES "struct rb_node 24 __rb_parent_color@0:8 rb_right@8:8 rb_left@16:8\n"

typedef struct {
	LinuxGuest g;
	guint64 nodes[200];
	GString *seen;
	guint stop_after;
	GError *error;
} Fixture;

static void
setup(Fixture *f)
{
	*f = (Fixture){ .seen = g_string_new(NULL), .stop_after = G_MAXUINT };
	linux_guest_init(&f->g, TYPES);
	for (guint i = 0; i < G_N_ELEMENTS(f->nodes); i++)
		f->nodes[i] = linux_guest_new(&f->g, LINUX_STRUCT_RB_NODE);
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_clear_error(&f->error);
	g_string_free(f->seen, TRUE);
}

static void
put(Fixture *f, guint node, guint left, guint right)
{
	linux_guest_put(&f->g, f->nodes[node], LINUX_FIELD_RB_NODE_LEFT, left ? f->nodes[left] : 0);
	linux_guest_put(&f->g, f->nodes[node], LINUX_FIELD_RB_NODE_RIGHT,
			right ? f->nodes[right] : 0);
}

static gboolean
visit(guint64 node, gpointer user)
{
	Fixture *f = user;

	g_string_append_printf(f->seen, "%u ", (guint) ((node - f->nodes[0]) / 256));
	return --f->stop_after;
}

static gboolean
walk(Fixture *f, guint64 root, guint64 max)
{
	return linux_tree_each(linux_guest_start(&f->g), root, max, visit, f, NULL, &f->error);
}

/*        4
 *     2     6
 *    1 3     7   */
static void
put_tree(Fixture *f)
{
	put(f, 4, 2, 6);
	put(f, 2, 1, 3);
	put(f, 6, 0, 7);
}

START_TEST(nodes_come_in_order)
{
	Fixture f;
	setup(&f);
	put_tree(&f);
	ck_assert(walk(&f, f.nodes[4], 6));
	ck_assert_str_eq(f.seen->str, "1 2 3 4 6 7 ");
	teardown(&f);
}
END_TEST

START_TEST(empty_tree_has_none)
{
	Fixture f;
	setup(&f);
	ck_assert(walk(&f, 0, 6));
	ck_assert_str_eq(f.seen->str, "");
	teardown(&f);
}
END_TEST

START_TEST(visit_can_stop_it)
{
	Fixture f;
	setup(&f);
	put_tree(&f);
	f.stop_after = 2;
	ck_assert(walk(&f, f.nodes[4], 6));
	ck_assert_str_eq(f.seen->str, "1 2 ");
	teardown(&f);
}
END_TEST

START_TEST(circle_is_broken)
{
	Fixture f;
	setup(&f);
	put_tree(&f);
	put(&f, 7, 0, 4);
	ck_assert(!walk(&f, f.nodes[4], 100));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_str_eq(f.seen->str, "1 2 3 4 6 7 ");
	teardown(&f);
}
END_TEST

START_TEST(more_than_the_bound_is_broken)
{
	Fixture f;
	setup(&f);
	put_tree(&f);
	ck_assert(!walk(&f, f.nodes[4], 5));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	teardown(&f);
}
END_TEST

START_TEST(endless_depth_is_broken)
{
	Fixture f;
	setup(&f);
	for (guint i = 1; i + 1 < G_N_ELEMENTS(f.nodes); i++)
		put(&f, i, i + 1, 0);
	ck_assert(!walk(&f, f.nodes[1], 1000));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	teardown(&f);
}
END_TEST

START_TEST(pointer_to_nowhere_is_a_hole)
{
	Fixture f;
	setup(&f);
	put_tree(&f);
	linux_guest_put(&f.g, f.nodes[6], LINUX_FIELD_RB_NODE_LEFT, 0x1000);
	ck_assert(!walk(&f, f.nodes[4], 10));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	ck_assert_str_eq(f.seen->str, "1 2 3 4 ");
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("rbtree");
	TCase *t = tcase_create("rbtree");

	tcase_add_test(t, nodes_come_in_order);
	tcase_add_test(t, empty_tree_has_none);
	tcase_add_test(t, visit_can_stop_it);
	tcase_add_test(t, circle_is_broken);
	tcase_add_test(t, more_than_the_bound_is_broken);
	tcase_add_test(t, endless_depth_is_broken);
	tcase_add_test(t, pointer_to_nowhere_is_a_hole);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
