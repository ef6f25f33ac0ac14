/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* segments: merging, order, ownership. */
#include <unit.h>

#include <string.h>
#include <vmifs/segments.h>

static const char digits[] = "0123456789";

static const struct iovec *
iov(const VmifsSegments *s, guint i)
{
	return &g_array_index(s->iov, struct iovec, i);
}

START_TEST(neighbours_become_one)
{
	g_auto(VmifsSegments) s = { 0 };

	vmifs_segments_init(&s);
	vmifs_segments_add_memory(&s, digits, 4);
	vmifs_segments_add_memory(&s, digits + 4, 3);
	vmifs_segments_add_zeros(&s, 5);
	vmifs_segments_add_zeros(&s, 6);
	ck_assert_uint_eq(s.iov->len, 2);
	ck_assert_ptr_eq(iov(&s, 0)->iov_base, digits);
	ck_assert_uint_eq(iov(&s, 0)->iov_len, 7);
	ck_assert_ptr_null(iov(&s, 1)->iov_base);
	ck_assert_uint_eq(iov(&s, 1)->iov_len, 11);
	ck_assert_uint_eq(s.len, 18);
}
END_TEST

START_TEST(strangers_stay_apart)
{
	g_auto(VmifsSegments) s = { 0 };

	vmifs_segments_init(&s);
	vmifs_segments_add_memory(&s, digits, 4);
	vmifs_segments_add_memory(&s, digits + 5, 3);
	vmifs_segments_add_memory(&s, digits, 1);
	ck_assert_uint_eq(s.iov->len, 3);
}
END_TEST

START_TEST(nothing_adds_nothing)
{
	g_auto(VmifsSegments) s = { 0 };

	vmifs_segments_init(&s);
	vmifs_segments_add_memory(&s, NULL, 0);
	vmifs_segments_add_zeros(&s, 0);
	ck_assert_ptr_nonnull(vmifs_segments_add_owned(&s, 0));
	ck_assert_uint_eq(s.iov->len, 0);
	ck_assert_uint_eq(s.len, 0);
}
END_TEST

START_TEST(copy_gives_all_in_order)
{
	g_auto(VmifsSegments) s = { 0 };
	char buf[11], *owned;

	vmifs_segments_init(&s);
	vmifs_segments_add_memory(&s, digits + 2, 3);
	vmifs_segments_add_zeros(&s, 2);
	owned = vmifs_segments_add_owned(&s, 4);
	memcpy(owned, "abc", 4);
	vmifs_segments_add_memory(&s, digits, 2);
	memset(buf, 0xff, sizeof buf);
	vmifs_segments_copy(&s, buf);
	ck_assert_mem_eq(buf,
			 "234\0\0abc\0"
			 "01",
			 sizeof buf);
}
END_TEST

START_TEST(truncate_keeps_the_first_bytes)
{
	g_auto(VmifsSegments) s = { 0 };
	char buf[4];

	vmifs_segments_init(&s);
	vmifs_segments_add_memory(&s, digits, 3);
	vmifs_segments_add_zeros(&s, 2);
	vmifs_segments_add_memory(&s, digits + 5, 3);
	vmifs_segments_truncate(&s, 100);
	ck_assert_uint_eq(s.len, 8);
	vmifs_segments_truncate(&s, 4);
	ck_assert_uint_eq(s.len, 4);
	ck_assert_uint_eq(s.iov->len, 2);
	vmifs_segments_copy(&s, buf);
	ck_assert_mem_eq(buf, "012", sizeof buf);
	vmifs_segments_truncate(&s, 0);
	ck_assert_uint_eq(s.len, 0);
	ck_assert_uint_eq(s.iov->len, 0);
}
END_TEST

static void
count_release(gpointer object)
{
	++*(int *) object;
}

/* More than are kept for the next reader, of all sizes about those that are; by several lists. */
START_TEST(large_buffers_are_everybody_s_own)
{
	static const gsize sizes[] = { 1, 262143, 262144, 1 << 20, 2 << 20, (2 << 20) + 1 };
	VmifsSegments lists[3];
	guint8 *buffers[3][G_N_ELEMENTS(sizes)];

	for (guint turn = 0; turn < 3; turn++) {
		for (guint i = 0; i < 3; i++) {
			vmifs_segments_init(&lists[i]);
			for (guint j = 0; j < G_N_ELEMENTS(sizes); j++) {
				buffers[i][j] = vmifs_segments_add_owned(&lists[i], sizes[j]);
				memset(buffers[i][j], (int) (16 * i + j), sizes[j]);
			}
		}
		for (guint i = 0; i < 3; i++) {
			for (guint j = 0; j < G_N_ELEMENTS(sizes); j++) {
				ck_assert_uint_eq(buffers[i][j][0], 16 * i + j);
				ck_assert_uint_eq(buffers[i][j][sizes[j] - 1], 16 * i + j);
			}
			vmifs_segments_clear(&lists[i]);
		}
	}
}
END_TEST

START_TEST(each_pin_is_released_once)
{
	VmifsSegments s = { 0 };
	int a = 0, b = 0;

	vmifs_segments_init(&s);
	vmifs_segments_pin(&s, &a, count_release);
	vmifs_segments_pin(&s, &b, count_release);
	ck_assert_int_eq(a + b, 0);
	vmifs_segments_pin(&s, &b, count_release); /* held already: given back at once */
	ck_assert_int_eq(b, 1);
	vmifs_segments_clear(&s);
	ck_assert_int_eq(a, 1);
	ck_assert_int_eq(b, 2);
	vmifs_segments_clear(&s);
	ck_assert_int_eq(a, 1);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("segments");
	TCase *t = tcase_create("segments");
	tcase_add_test(t, neighbours_become_one);
	tcase_add_test(t, strangers_stay_apart);
	tcase_add_test(t, nothing_adds_nothing);
	tcase_add_test(t, copy_gives_all_in_order);
	tcase_add_test(t, truncate_keeps_the_first_bytes);
	tcase_add_test(t, large_buffers_are_everybody_s_own);
	tcase_add_test(t, each_pin_is_released_once);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
