/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* maple: trees of two levels, and nodes that lie. */
#include <unit.h>

#include <linux-guest.h>
#include <os/linux/maple.h>

#define TYPES                                                                                      \
	"struct maple_tree 16 ma_root@8:8\n"                                                       \
	"struct maple_range_64 256 pivot@8:8x15 slot@128:8x16\n"                                   \
	"struct maple_arange_64 256 pivot@8:8x9 slot@80:8x10\n"                                    \
	"struct maple_node 256 mr64@0=maple_range_64 ma64@0=maple_arange_64\n"

#define ENTRY(n) (LINUX_GUEST_BASE + (n) *0x100)

enum { LEAF = 1, RANGE = 2, ARANGE = 3 };

typedef struct {
	LinuxGuest g;
	guint64 tree;
	GString *seen; /* "first-last:entry " */
	GError *error;
} Fixture;

static void
setup(Fixture *f)
{
	linux_guest_init(&f->g, TYPES);
	f->tree = linux_guest_new(&f->g, LINUX_STRUCT_MAPLE_TREE);
	f->seen = g_string_new(NULL);
	f->error = NULL;
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_string_free(f->seen, TRUE);
	g_clear_error(&f->error);
}

typedef struct {
	guint64 pivot; /* 0 = none */
	guint64 slot;
} Slot;

static void
fill(Fixture *f, guint64 node, gboolean arange, const Slot *slots, guint n)
{
	LinuxField pivot =
		arange ? LINUX_FIELD_MAPLE_NODE_ARANGE_PIVOT : LINUX_FIELD_MAPLE_NODE_RANGE_PIVOT;
	LinuxField slot =
		arange ? LINUX_FIELD_MAPLE_NODE_ARANGE_SLOT : LINUX_FIELD_MAPLE_NODE_RANGE_SLOT;

	for (guint i = 0; i < n; i++) {
		if (i < (arange ? 9 : 15))
			linux_guest_put_element(&f->g, node, pivot, i, slots[i].pivot);
		linux_guest_put_element(&f->g, node, slot, i, slots[i].slot);
	}
}

static guint64
node(Fixture *f)
{
	return linux_guest_new(&f->g, LINUX_STRUCT_MAPLE_NODE);
}

/* How a slot, and how the tree, points to a node. */
static guint64
inner(guint64 address, guint type)
{
	return address | type << 3 | 4;
}

static void
set_root(Fixture *f, guint64 address, guint type)
{
	linux_guest_put(&f->g, f->tree, LINUX_FIELD_MAPLE_TREE_ROOT, inner(address, type) | 2);
}

static gboolean
visit(guint64 first, guint64 last, guint64 entry, gpointer user)
{
	Fixture *f = user;
	g_string_append_printf(
		f->seen, "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x:%" G_GINT64_MODIFIER "x ",
		first, last, (entry - LINUX_GUEST_BASE) / 0x100);
	return TRUE;
}

static gboolean
walk(Fixture *f, guint64 max)
{
	return linux_maple_each(linux_guest_start(&f->g), f->tree, &max, visit, f, NULL, &f->error);
}

START_TEST(empty_tree_has_no_entries)
{
	Fixture f;
	setup(&f);
	ck_assert(walk(&f, 100));
	ck_assert_str_eq(f.seen->str, "");
	teardown(&f);
}
END_TEST

START_TEST(leaf_gives_its_entries_and_skips_gaps)
{
	Fixture f;
	setup(&f);
	guint64 root = node(&f);
	fill(&f, root, FALSE,
	     (Slot[]){ { 0xfff, 0 },
		       { 0x1fff, ENTRY(1) },
		       { 0x2fff, 0x406 },
		       { 0x3fff, ENTRY(2) },
		       { 0, 0 } },
	     5);
	set_root(&f, root, LEAF);
	ck_assert(walk(&f, 100));
	ck_assert_str_eq(f.seen->str, "1000-1fff:1 3000-3fff:2 ");
	teardown(&f);
}
END_TEST

START_TEST(full_leaf_has_one_slot_more_than_pivots)
{
	Fixture f;
	Slot slots[16];
	setup(&f);
	guint64 root = node(&f);
	for (guint i = 0; i < 16; i++)
		slots[i] = (Slot){ i + 1, ENTRY(i + 1) };
	fill(&f, root, FALSE, slots, 16);
	set_root(&f, root, LEAF);
	ck_assert(walk(&f, 100));
	ck_assert(g_str_has_suffix(f.seen->str, "f-f:f 10-ffffffffffffffff:10 "));
	teardown(&f);
}
END_TEST

/* A root over two leaves: [0, 0x9fff] and the rest. */
static void
make_two_levels(Fixture *f, guint type, guint64 *left, guint64 *right)
{
	guint64 root = node(f);
	*left = node(f);
	*right = node(f);
	fill(f, root, type == ARANGE,
	     (Slot[]){ { 0x9fff, inner(*left, LEAF) }, { G_MAXUINT64, inner(*right, LEAF) } }, 2);
	fill(f, *left, FALSE, (Slot[]){ { 0xfff, ENTRY(1) }, { 0x9fff, ENTRY(2) } }, 2);
	fill(f, *right, FALSE, (Slot[]){ { 0xafff, ENTRY(3) }, { 0, 0 } }, 2);
	set_root(f, root, type);
}

START_TEST(two_levels_are_walked_in_order)
{
	Fixture f;
	guint64 left, right;
	setup(&f);
	make_two_levels(&f, _i ? ARANGE : RANGE, &left, &right);
	ck_assert(walk(&f, 100));
	ck_assert_str_eq(f.seen->str, "0-fff:1 1000-9fff:2 a000-afff:3 ");
	teardown(&f);
}
END_TEST

START_TEST(nodes_count_over_several_walks)
{
	Fixture f;
	guint64 left, right, nodes = 5;
	setup(&f);
	make_two_levels(&f, ARANGE, &left, &right);
	const Linux *os = linux_guest_start(&f.g);
	ck_assert(linux_maple_each(os, f.tree, &nodes, visit, &f, NULL, NULL));
	ck_assert_uint_eq(nodes, 2);
	ck_assert(!linux_maple_each(os, f.tree, &nodes, visit, &f, NULL, &f.error));
	ck_assert_msg(strstr(f.error->message, "too many nodes"), "%s", f.error->message);
	teardown(&f);
}
END_TEST

START_TEST(broken_leaf_does_not_hide_the_next)
{
	Fixture f;
	guint64 left, right;
	setup(&f);
	make_two_levels(&f, ARANGE, &left, &right);
	/* 0x1fff, then back to 0xfff. */
	fill(&f, left, FALSE, (Slot[]){ { 0x1fff, ENTRY(1) }, { 0xfff, ENTRY(2) } }, 2);
	ck_assert(!walk(&f, 100));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_str_eq(f.seen->str, "0-1fff:1 a000-afff:3 ");
	teardown(&f);
}
END_TEST

START_TEST(child_stays_within_what_its_parent_gave_it)
{
	Fixture f;
	guint64 left, right;
	setup(&f);
	make_two_levels(&f, ARANGE, &left, &right);
	fill(&f, left, FALSE, (Slot[]){ { 0xfff, ENTRY(1) }, { 0xffffff, ENTRY(2) } }, 2);
	ck_assert(!walk(&f, 100));
	ck_assert_str_eq(f.seen->str, "0-fff:1 a000-afff:3 ");
	teardown(&f);
}
END_TEST

START_TEST(node_that_contains_itself_ends)
{
	Fixture f;
	setup(&f);
	guint64 root = node(&f);
	fill(&f, root, TRUE, (Slot[]){ { 0, inner(root, ARANGE) } }, 1);
	set_root(&f, root, ARANGE);
	ck_assert(!walk(&f, 100));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_ptr_nonnull(strstr(f.error->message, "reached twice"));
	teardown(&f);
}
END_TEST

START_TEST(chain_of_nodes_is_not_followed_for_ever)
{
	Fixture f;
	setup(&f);
	guint64 last = node(&f);
	for (guint i = 0; i < 40; i++) {
		guint64 above = node(&f);
		fill(&f, above, TRUE, (Slot[]){ { G_MAXUINT64, inner(last, ARANGE) } }, 1);
		last = above;
	}
	set_root(&f, last, ARANGE);
	ck_assert(!walk(&f, 100));
	ck_assert_ptr_nonnull(strstr(f.error->message, "too deep"));
	teardown(&f);
}
END_TEST

START_TEST(nodes_are_counted)
{
	Fixture f;
	guint64 left, right;
	setup(&f);
	make_two_levels(&f, ARANGE, &left, &right);
	ck_assert(!walk(&f, 2));
	ck_assert_ptr_nonnull(strstr(f.error->message, "too many nodes"));
	ck_assert_str_eq(f.seen->str, "0-fff:1 1000-9fff:2 ");
	teardown(&f);
}
END_TEST

START_TEST(odd_pointers_are_no_nodes)
{
	static const guint64 roots[] = {
		0x2e,                            /* too low */
		LINUX_GUEST_BASE | 0xf << 3 | 2, /* of no known type */
		0x1000 | LEAF << 3 | 2,          /* not mapped */
		LINUX_GUEST_BASE,                /* an entry, not a node */
	};
	Fixture f;
	setup(&f);
	linux_guest_put(&f.g, f.tree, LINUX_FIELD_MAPLE_TREE_ROOT, roots[_i]);
	ck_assert(!walk(&f, 100));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_str_eq(f.seen->str, "");
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("maple");
	TCase *t = tcase_create("maple");

	tcase_add_test(t, empty_tree_has_no_entries);
	tcase_add_test(t, leaf_gives_its_entries_and_skips_gaps);
	tcase_add_test(t, full_leaf_has_one_slot_more_than_pivots);
	tcase_add_loop_test(t, two_levels_are_walked_in_order, 0, 2);
	tcase_add_test(t, nodes_count_over_several_walks);
	tcase_add_test(t, broken_leaf_does_not_hide_the_next);
	tcase_add_test(t, child_stays_within_what_its_parent_gave_it);
	tcase_add_test(t, node_that_contains_itself_ends);
	tcase_add_test(t, chain_of_nodes_is_not_followed_for_ever);
	tcase_add_test(t, nodes_are_counted);
	tcase_add_loop_test(t, odd_pointers_are_no_nodes, 0, 4);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
