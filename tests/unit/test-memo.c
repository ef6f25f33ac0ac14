/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memo: by view and object, for one epoch; what lies in memory stays, what lies in the call does
 * not; bounded. */
#include <unit.h>

#include <memo.h>
#include <vmifs/error.h>

#define MiB (1024 * 1024)

static const VmifsView views[] = { { .name = "a" }, { .name = "b" } };

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsMemo, vmifs_memo_free)

static VmifsMemoKey
key_of(gsize view, guint64 first, guint64 last)
{
	return (VmifsMemoKey){ .view = &views[view], .about = { first, 0, last } };
}

/* The text of that key; NULL: none is known. (full) */
static char *
find(VmifsMemo *memo, VmifsMemoKey key, guint epoch)
{
	g_autoptr(GString) out = g_string_new("> ");
	gboolean made = FALSE;

	if (!vmifs_memo_find(memo, &key, epoch, out, &made, NULL))
		return NULL;
	ck_assert(made);
	return g_strdup(out->str);
}

static void
keep(VmifsMemo *memo, VmifsMemoKey key, guint epoch, const char *text)
{
	vmifs_memo_keep(memo, &key, epoch, text, strlen(text), NULL);
}

static void
assert_text(VmifsMemo *memo, VmifsMemoKey key, guint epoch, const char *wanted)
{
	g_autofree char *text = find(memo, key, epoch);

	ck_assert_pstr_eq(text, wanted);
}

START_TEST(text_is_found_by_its_view_and_object)
{
	g_autoptr(VmifsMemo) memo = vmifs_memo_new();
	keep(memo, key_of(0, 1, 2), 0, "one");
	keep(memo, key_of(1, 1, 2), 0, "two");
	keep(memo, key_of(0, 1, 3), 0, "three");
	assert_text(memo, key_of(0, 1, 2), 0, "> one");
	assert_text(memo, key_of(1, 1, 2), 0, "> two");
	assert_text(memo, key_of(0, 1, 3), 0, "> three");
	assert_text(memo, key_of(0, 2, 1), 0, NULL);
}
END_TEST

/* The number of epochs wraps. */
START_TEST(another_epoch_knows_nothing_of_it)
{
	g_autoptr(VmifsMemo) memo = vmifs_memo_new();
	keep(memo, key_of(0, 1, 0), 0x7fffffff, "old");
	keep(memo, key_of(0, 1, 0), G_MAXUINT, "older");
	assert_text(memo, key_of(0, 1, 0), G_MAXUINT, NULL);
	assert_text(memo, key_of(0, 1, 0), 0x7fffffff, "> old");
	assert_text(memo, key_of(0, 1, 0), 0x80000000, NULL);
	keep(memo, key_of(0, 2, 0), 0x80000000, "new");
	assert_text(memo, key_of(0, 2, 0), 0x80000000, "> new");
	assert_text(memo, key_of(0, 1, 0), 0x7fffffff, NULL);
}
END_TEST

static void
keep_failure(VmifsMemo *memo, VmifsMemoKey key, VmifsError code)
{
	g_autoptr(GError) failure = g_error_new_literal(VMIFS_ERROR, (gint) code, "no such ring");

	vmifs_memo_keep(memo, &key, 0, "half of it", 10, failure);
}

START_TEST(failure_that_lies_in_memory_is_told_again)
{
	g_autoptr(VmifsMemo) memo = vmifs_memo_new();
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	VmifsMemoKey key = key_of(0, 1, 0);
	gboolean made = TRUE;
	keep_failure(memo, key, VMIFS_ERROR_CORRUPT);
	ck_assert(vmifs_memo_find(memo, &key, 0, out, &made, &error));
	ck_assert(!made);
	ck_assert_str_eq(out->str, "");
	ck_assert_int_eq(error->code, VMIFS_ERROR_CORRUPT);
	ck_assert_str_eq(error->message, "no such ring");
}
END_TEST

START_TEST(failure_of_a_call_is_not_kept)
{
	static const VmifsError codes[] = { VMIFS_ERROR_TIMEOUT, VMIFS_ERROR_CANCELLED,
					    VMIFS_ERROR_IO, VMIFS_ERROR_STALE };
	g_autoptr(VmifsMemo) memo = vmifs_memo_new();
	keep_failure(memo, key_of(0, 1, 0), codes[_i]);
	assert_text(memo, key_of(0, 1, 0), 0, NULL);
}
END_TEST

START_TEST(oldest_texts_go_when_there_are_too_many)
{
	g_autoptr(VmifsMemo) memo = vmifs_memo_new();
	g_autofree char *text = g_strnfill(10 * MiB, 'x');
	for (guint64 i = 0; i < 4; i++)
		keep(memo, key_of(0, i, 0), 0, text);
	assert_text(memo, key_of(0, 0, 0), 0, NULL);
	for (guint64 i = 1; i < 4; i++) {
		g_autofree char *found = find(memo, key_of(0, i, 0), 0);
		ck_assert_uint_eq(strlen(found), 10 * MiB + 2);
	}
}
END_TEST

START_TEST(text_that_is_too_large_drops_no_other)
{
	g_autoptr(VmifsMemo) memo = vmifs_memo_new();
	g_autofree char *text = g_strnfill(40 * MiB, 'x');
	keep(memo, key_of(0, 1, 0), 0, "small");
	keep(memo, key_of(0, 2, 0), 0, text);
	assert_text(memo, key_of(0, 1, 0), 0, "> small");
	assert_text(memo, key_of(0, 2, 0), 0, NULL);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("memo");
	TCase *t = tcase_create("memo");
	tcase_add_test(t, text_is_found_by_its_view_and_object);
	tcase_add_test(t, another_epoch_knows_nothing_of_it);
	tcase_add_test(t, failure_that_lies_in_memory_is_told_again);
	tcase_add_loop_test(t, failure_of_a_call_is_not_kept, 0, 4);
	tcase_add_test(t, oldest_texts_go_when_there_are_too_many);
	tcase_add_test(t, text_that_is_too_large_drops_no_other);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
