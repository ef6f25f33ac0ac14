/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hash: tables of chains, and tables that are none. */
#include <unit.h>

#include <linux-guest.h>
#include <os/linux/hash.h>

#define LINK_AT 0x20

typedef struct {
	LinuxGuest g;
	LinuxHash hash;
	GString *seen;
	guint n;
	guint stop_after;
} Fixture;

static void
setup(Fixture *f, guint64 n, guint64 stride)
{
	*f = (Fixture){ .seen = g_string_new(NULL) };
	linux_guest_init(&f->g, "");
	f->hash =
		(LinuxHash){ linux_guest_alloc(&f->g, n * stride), n, stride, LINK_AT, 0, "test" };
}

static void
clear(Fixture *f)
{
	g_string_free(f->seen, TRUE);
	linux_guest_clear(&f->g);
}

/* An element behind the link at `before`; returns its link. */
static guint64
add(Fixture *f, guint64 before, guint id)
{
	guint64 element = linux_guest_alloc(&f->g, LINK_AT + 8);

	linux_guest_u64(&f->g, element, id);
	linux_guest_u64(&f->g, before, element + LINK_AT);
	return element + LINK_AT;
}

static guint64
head(const Fixture *f, guint64 chain)
{
	return f->hash.heads + chain * f->hash.stride;
}

static gboolean
visit(guint64 element, guint64 chain, gpointer user)
{
	Fixture *f = user;
	guint64 id;

	g_string_append_printf(f->seen, "%u:", (guint) chain);
	if (vmifs_aspace_read_u64(f->g.os.aspace, element, &id, NULL))
		g_string_append_printf(f->seen, "%u ", (guint) id);
	else
		g_string_append(f->seen, "? ");
	return ++f->n != f->stop_after;
}

static gboolean
walk(Fixture *f, GError **error)
{
	return linux_hash_each(linux_guest_start(&f->g), &f->hash, visit, f, NULL, error);
}

static const guint64 strides[] = { 8, 16, 24 };

START_TEST(elements_come_chain_by_chain)
{
	Fixture f;
	setup(&f, 40, strides[_i]);
	add(&f, add(&f, head(&f, 3), 1), 2);
	add(&f, head(&f, 39), 3);
	linux_guest_u64(&f.g, head(&f, 5), 11); /* another way to say that it is empty */
	linux_guest_u64(&f.g, add(&f, head(&f, 7), 4), 15);
	ck_assert(walk(&f, NULL));
	ck_assert_str_eq(f.seen->str, "3:1 3:2 7:4 39:3 ");
	g_autofree char *log = linux_guest_log(&f.g);
	ck_assert_str_eq(log, "");
	clear(&f);
}
END_TEST

START_TEST(table_of_many_chains_is_walked_whole)
{
	Fixture f;
	setup(&f, 20000, 16);
	for (guint i = 0; i < 20000; i += 4096 / 8)
		add(&f, head(&f, i), i);
	add(&f, head(&f, 19999), 1);
	ck_assert(walk(&f, NULL));
	ck_assert_uint_eq(f.n, 20000 / 512 + 2);
	ck_assert(g_str_has_suffix(f.seen->str, " 19999:1 "));
	clear(&f);
}
END_TEST

START_TEST(visitor_can_stop)
{
	Fixture f;
	setup(&f, 4, 8);
	f.stop_after = 2;
	add(&f, add(&f, add(&f, head(&f, 0), 1), 2), 3);
	add(&f, head(&f, 1), 4);
	ck_assert(walk(&f, NULL));
	ck_assert_str_eq(f.seen->str, "0:1 0:2 ");
	clear(&f);
}
END_TEST

START_TEST(loop_ends_and_is_logged)
{
	Fixture f;
	setup(&f, 4, 8);
	guint64 first = add(&f, head(&f, 0), 1);
	linux_guest_u64(&f.g, add(&f, first, 2), first);
	add(&f, head(&f, 1), 3);
	ck_assert(walk(&f, NULL));
	ck_assert_str_eq(f.seen->str, "0:1 0:2 1:3 ");
	g_autofree char *log = linux_guest_log(&f.g);
	ck_assert_ptr_nonnull(strstr(log, "test: chain 0: a loop"));
	clear(&f);
}
END_TEST

START_TEST(chain_that_leads_into_another_is_visited_once)
{
	Fixture f;
	setup(&f, 4, 8);
	guint64 first = add(&f, head(&f, 0), 1);
	linux_guest_u64(&f.g, head(&f, 2), first);
	ck_assert(walk(&f, NULL));
	ck_assert_str_eq(f.seen->str, "0:1 ");
	clear(&f);
}
END_TEST

START_TEST(chain_that_leads_nowhere_does_not_hide_the_others)
{
	Fixture f;
	setup(&f, 4, 8);
	linux_guest_u64(&f.g, add(&f, head(&f, 0), 1), 0x1000);
	add(&f, head(&f, 1), 3);
	ck_assert(walk(&f, NULL));
	ck_assert_str_eq(f.seen->str, "0:1 0:? 1:3 ");
	g_autofree char *log = linux_guest_log(&f.g);
	ck_assert_ptr_nonnull(strstr(log, "test: chain 0: "));
	clear(&f);
}
END_TEST

START_TEST(table_of_broken_chains_is_left)
{
	Fixture f;
	setup(&f, 10000, 8);
	for (guint i = 0; i < 10000; i++)
		linux_guest_u64(&f.g, head(&f, i), 0x1000 + 8 * i);
	ck_assert(walk(&f, NULL));
	ck_assert_uint_le(f.n, 64);
	g_autofree char *log = linux_guest_log(&f.g);
	ck_assert_ptr_nonnull(strstr(log, "the rest is left out"));
	clear(&f);
}
END_TEST

static const guint64 counts[] = { G_MAXUINT64, G_GUINT64_CONSTANT(0x100000000), 300000 };

START_TEST(table_larger_than_memory_is_refused)
{
	Fixture f;
	g_autoptr(GError) error = NULL;
	setup(&f, 4, 8);
	f.hash.n = counts[_i];
	ck_assert(!walk(&f, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	clear(&f);
}
END_TEST

START_TEST(table_that_is_not_in_memory_is_a_hole)
{
	Fixture f;
	g_autoptr(GError) error = NULL;
	setup(&f, 4, 8);
	f.hash.heads = 0x1000;
	ck_assert(!walk(&f, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	clear(&f);
}
END_TEST

START_TEST(call_that_was_given_up_ends_the_walk)
{
	static const gint cancelled = 1;
	const VmifsCall call = { .cancelled = &cancelled };
	Fixture f;
	g_autoptr(GError) error = NULL;
	setup(&f, 4, 8);
	ck_assert(!linux_hash_each(linux_guest_start(&f.g), &f.hash, visit, &f, &call, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
	clear(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("hash");
	TCase *t = tcase_create("hash");

	tcase_add_loop_test(t, elements_come_chain_by_chain, 0, G_N_ELEMENTS(strides));
	tcase_add_test(t, table_of_broken_chains_is_left);
	tcase_add_test(t, table_of_many_chains_is_walked_whole);
	tcase_add_test(t, visitor_can_stop);
	tcase_add_test(t, loop_ends_and_is_logged);
	tcase_add_test(t, chain_that_leads_into_another_is_visited_once);
	tcase_add_test(t, chain_that_leads_nowhere_does_not_hide_the_others);
	tcase_add_loop_test(t, table_larger_than_memory_is_refused, 0, G_N_ELEMENTS(counts));
	tcase_add_test(t, table_that_is_not_in_memory_is_a_hole);
	tcase_add_test(t, call_that_was_given_up_ends_the_walk);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
