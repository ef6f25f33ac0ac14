/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* page-cache: what is found in it, what is not, and that it stays small. */
#include <unit.h>

#include <page-cache.h>

#define GROUP VMIFS_PAGE_CACHE_GROUP
#define PAGE VMIFS_PAGE_CACHE_PAGE

static void
put(VmifsPageCache *cache, guint32 block, guint64 group, guint epoch, guint8 fill, guint pages)
{
	g_autofree guint8 *data = g_malloc(GROUP);
	for (gsize i = 0; i < GROUP; i++)
		data[i] = (guint8) (fill + i / PAGE);
	vmifs_page_cache_put(cache, block, group, epoch, data, pages);
}

static int
get(VmifsPageCache *cache, guint32 block, guint64 offset, guint epoch)
{
	guint8 byte;
	return vmifs_page_cache_get(cache, block, offset, epoch, &byte, 1) ? byte : -1;
}

START_TEST(what_was_put_is_found)
{
	g_autoptr(VmifsPageCache) cache = vmifs_page_cache_new(1 << 20);
	put(cache, 1, 7, 3, 10, 0xf);
	ck_assert_int_eq(get(cache, 1, 7 * GROUP, 3), 10);
	ck_assert_int_eq(get(cache, 1, 8 * GROUP - 1, 3), 13);
	ck_assert_int_eq(get(cache, 1, 8 * GROUP, 3), -1);
	ck_assert_int_eq(get(cache, 2, 7 * GROUP, 3), -1);
}
END_TEST

START_TEST(another_epoch_knows_nothing)
{
	g_autoptr(VmifsPageCache) cache = vmifs_page_cache_new(1 << 20);
	put(cache, 0, 0, 3, 10, 0xf);
	ck_assert_int_eq(get(cache, 0, 0, 4), -1);
	put(cache, 0, 0, 4, 20, 0xf);
	ck_assert_int_eq(get(cache, 0, 0, 4), 20);
	ck_assert_int_eq(get(cache, 0, 0, 3), -1);
}
END_TEST

START_TEST(pages_of_one_epoch_come_one_by_one)
{
	g_autoptr(VmifsPageCache) cache = vmifs_page_cache_new(1 << 20);
	put(cache, 0, 0, 1, 10, 1 << 1);
	put(cache, 0, 0, 1, 20, 1 << 2);
	ck_assert_int_eq(get(cache, 0, PAGE, 1), 11);
	ck_assert_int_eq(get(cache, 0, 2 * PAGE, 1), 22);
	ck_assert_int_eq(get(cache, 0, 0, 1), -1);
	put(cache, 0, 0, 2, 30, 1 << 2);
	ck_assert_int_eq(get(cache, 0, PAGE, 2), -1);
	ck_assert_int_eq(get(cache, 0, 2 * PAGE, 2), 32);
}
END_TEST

START_TEST(pages_that_were_not_read_are_not_found)
{
	g_autoptr(VmifsPageCache) cache = vmifs_page_cache_new(1 << 20);
	guint8 bytes[16];
	put(cache, 0, 0, 1, 10, 1 << 1 | 1 << 2);
	ck_assert_int_eq(get(cache, 0, 0, 1), -1);
	ck_assert_int_eq(get(cache, 0, PAGE, 1), 11);
	ck_assert(vmifs_page_cache_get(cache, 0, 2 * PAGE - 8, 1, bytes, 16));
	ck_assert_uint_eq(bytes[7], 11);
	ck_assert_uint_eq(bytes[8], 12);
	ck_assert(!vmifs_page_cache_get(cache, 0, 3 * PAGE - 8, 1, bytes, 16));
}
END_TEST

START_TEST(it_holds_no_more_than_it_may)
{
	const guint n = (1 << 20) / GROUP;
	g_autoptr(VmifsPageCache) cache = vmifs_page_cache_new(1 << 20);
	guint found = 0;
	for (guint i = 0; i < 50 * n; i++)
		put(cache, 0, i, 1, (guint8) i, 0xf);
	for (guint i = 0; i < 50 * n; i++) {
		int byte = get(cache, 0, i * GROUP, 1);
		ck_assert(byte == -1 || byte == (guint8) i);
		found += byte != -1;
	}
	ck_assert_uint_le(found, n);
	ck_assert_uint_ge(found, n / 2);
}
END_TEST

/* One that is used all the time outlives a flood of others. */
START_TEST(what_is_used_stays)
{
	g_autoptr(VmifsPageCache) cache = vmifs_page_cache_new(1 << 20);
	put(cache, 0, 1000000, 1, 77, 0xf);
	for (guint i = 0; i < 5000; i++) {
		put(cache, 0, i, 1, 1, 0xf);
		ck_assert_int_eq(get(cache, 0, (guint64) 1000000 * GROUP, 1), 77);
	}
}
END_TEST

START_TEST(nothing_is_left_when_it_is_cleared)
{
	g_autoptr(VmifsPageCache) cache = vmifs_page_cache_new(1 << 20);
	put(cache, 0, 1, 1, 1, 0xf);
	vmifs_page_cache_clear(cache);
	ck_assert_int_eq(get(cache, 0, GROUP, 1), -1);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("page-cache");
	TCase *t = tcase_create("page-cache");
	tcase_add_test(t, what_was_put_is_found);
	tcase_add_test(t, another_epoch_knows_nothing);
	tcase_add_test(t, pages_of_one_epoch_come_one_by_one);
	tcase_add_test(t, pages_that_were_not_read_are_not_found);
	tcase_add_test(t, it_holds_no_more_than_it_may);
	tcase_add_test(t, what_is_used_stays);
	tcase_add_test(t, nothing_is_left_when_it_is_cleared);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
