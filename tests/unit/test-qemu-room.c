/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu/room: pages that are kept come back as they were last, in the order of their block. */
#include <unit.h>

#include <backends/qemu/room.h>
#include <string.h>

#define PAGE ((gsize) 4096)
#define MOST 1100

static gboolean
keep(QemuRoom *room, guint32 block, guint64 page, guint8 value)
{
	g_autofree guint8 *bytes = g_malloc(PAGE);

	memset(bytes, value, PAGE);
	return qemu_room_keep(room, block, page, bytes, PAGE);
}

/* Of that block: pages as words "NUMBER:VALUE ". (full) */
static char *
kept(const QemuRoom *room, guint32 block)
{
	GString *text = g_string_new(NULL);
	const guint8 *bytes;
	guint64 page = 0;
	gsize n;

	for (; (bytes = qemu_room_next(room, block, &page, &n)); page += n) {
		for (gsize i = 0; i < n; i++) {
			const guint8 *one = bytes + i * PAGE;
			ck_assert(!memcmp(one, one + 1, PAGE - 1));
			g_string_append_printf(text, "%u:%x ", (guint) (page + i), one[0]);
		}
	}
	return g_string_free(text, FALSE);
}

static void
assert_kept(const QemuRoom *room, guint32 block, const char *wanted)
{
	g_autofree char *text = kept(room, block);

	ck_assert_str_eq(text, wanted);
}

START_TEST(pages_are_as_they_were_kept_last)
{
	const guint64 blocks[] = { 10, 100 };
	g_autoptr(QemuRoom) room = qemu_room_new(20, blocks, 2);
	ck_assert(keep(room, 0, 4, 1));
	ck_assert(keep(room, 1, 99, 2));
	ck_assert(keep(room, 0, 5, 3));
	ck_assert(keep(room, 0, 9, 4));
	assert_kept(room, 0, "4:1 5:3 9:4 ");
	ck_assert(keep(room, 0, 5, 6));
	ck_assert(keep(room, 0, 9, 4));
	assert_kept(room, 0, "4:1 5:6 9:4 ");
	assert_kept(room, 1, "99:2 ");
	qemu_room_forget(room, 0, 5);
	qemu_room_forget(room, 0, 0);
	assert_kept(room, 0, "4:1 9:4 ");
	ck_assert(keep(room, 0, 5, 7));
	assert_kept(room, 0, "4:1 5:7 9:4 ");
}
END_TEST

START_TEST(of_a_short_page_the_rest_is_left)
{
	const guint64 blocks[] = { 1 };
	g_autoptr(QemuRoom) room = qemu_room_new(1, blocks, 1);
	guint64 page = 0;
	gsize n;
	ck_assert(qemu_room_keep(room, 0, 0, (const guint8 *) "abc", 3));
	ck_assert(qemu_room_keep(room, 0, 0, (const guint8 *) "xyz", 2));
	ck_assert_mem_eq(qemu_room_next(room, 0, &page, &n), "xyc", 3);
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(a_full_room_takes_no_more_but_what_it_has)
{
	const guint64 blocks[] = { 10 };
	g_autoptr(QemuRoom) room = qemu_room_new(2, blocks, 1);
	ck_assert(keep(room, 0, 1, 1));
	ck_assert(keep(room, 0, 2, 2));
	for (int i = 0; i < 3; i++)
		ck_assert(!keep(room, 0, 3, 3));
	ck_assert(keep(room, 0, 1, 4));
	assert_kept(room, 0, "1:4 2:2 ");
}
END_TEST

START_TEST(what_it_was_not_made_for_is_not_kept)
{
	const guint64 blocks[] = { 10, 0, G_MAXUINT64 };
	g_autoptr(QemuRoom) room = qemu_room_new(5, blocks, 3);
	ck_assert(!keep(room, 0, 10, 1));
	ck_assert(!keep(room, 1, 0, 1));
	ck_assert(!keep(room, 2, 0, 1));
	ck_assert(!keep(room, 3, 0, 1));
	qemu_room_forget(room, 0, G_MAXUINT64);
	qemu_room_forget(room, 9, 0);
	for (guint32 i = 0; i < 4; i++)
		assert_kept(room, i, "");
	ck_assert_ptr_null(qemu_room_new(0, blocks, 3));
}
END_TEST

typedef struct {
	QemuRoom *room;
	guint first;
	guint n_kept;
} Share;

static gpointer
keep_share(gpointer data)
{
	Share *share = data;

	for (guint page = share->first; page < MOST; page += 4)
		share->n_kept += keep(share->room, 0, page, (guint8) (page * 7 + 1));
	return NULL;
}

START_TEST(several_threads_keep_at_once)
{
	const guint64 blocks[] = { MOST };
	g_autoptr(QemuRoom) room = qemu_room_new(MOST - 100, blocks, 1);
	Share shares[4];
	GThread *threads[4];
	const guint8 *bytes;
	guint64 page = 0;
	guint n_kept = 0, n_seen = 0;
	gsize n;
	for (guint i = 0; i < 4; i++) {
		shares[i] = (Share){ room, i, 0 };
		threads[i] = g_thread_new("share", keep_share, &shares[i]);
	}
	for (guint i = 0; i < 4; i++) {
		g_thread_join(threads[i]);
		n_kept += shares[i].n_kept;
	}
	ck_assert_uint_eq(n_kept, MOST - 100);
	for (; (bytes = qemu_room_next(room, 0, &page, &n)); page += n) {
		for (gsize i = 0; i < n; i++, n_seen++)
			ck_assert_uint_eq(bytes[i * PAGE], (guint8) ((page + i) * 7 + 1));
	}
	ck_assert_uint_eq(n_seen, n_kept);
}
END_TEST

static Suite *
room_suite(void)
{
	Suite *s = suite_create("qemu-room");
	TCase *tc = tcase_create("room");
	tcase_add_test(tc, pages_are_as_they_were_kept_last);
	tcase_add_test(tc, of_a_short_page_the_rest_is_left);
	tcase_add_test(tc, a_full_room_takes_no_more_but_what_it_has);
	tcase_add_test(tc, what_it_was_not_made_for_is_not_kept);
	tcase_add_test(tc, several_threads_keep_at_once);
	suite_add_tcase(s, tc);
	return s;
}

VMIFS_UNIT_MAIN(room_suite)
