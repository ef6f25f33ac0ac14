/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* match: the fast search finds what a slow one finds, and reads no byte too many. */
#include <unit.h>

#include <match.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096
#define LEN (3 * PAGE)

static const VmifsPattern patterns[] = {
	{ .name = "text", .bytes = (const guint8 *) "Linux version ", .len = 14, .align = 1 },
	{ .name = "zeros in it", .bytes = (const guint8 *) "0\0001\0002\0", .len = 6, .align = 1 },
	{ .name = "zeros first", .bytes = (const guint8 *) "\0\0\0\0\7", .len = 5, .align = 1 },
	{ .name = "zero word", .bytes = (const guint8 *) "\0\0\0\0\0\5", .len = 6, .align = 4 },
	{ .name = "word",
	  .bytes = (const guint8 *) "\x9f\xeb\1\0\x18\0\0\0",
	  .len = 8,
	  .align = 4 },
	{ .name = "second word", .bytes = (const guint8 *) "\0\0\0\0abcd", .len = 8, .align = 8 },
	{ .name = "even", .bytes = (const guint8 *) "\xaa\xaa\xaa\xaa", .len = 4, .align = 2 },
	{ .name = "stride", .bytes = (const guint8 *) "\0\0VMCORE", .len = 8, .align = 64 },
	{ .name = "longest",
	  .bytes = (const guint8 *) "0123456789abcdef0123456789abcdef",
	  .len = 32,
	  .align = 1 },
};
#define N G_N_ELEMENTS(patterns)

static const VmifsPattern only_zeros = { .bytes = (const guint8 *) "\0\0\0\0\0",
					 .len = 5,
					 .align = 1 };
static const VmifsPattern head = {
	.bytes = (const guint8 *) "\0HEAD", .len = 5, .align = PAGE, .fast = TRUE
};

static void
note(gsize pattern, guint64 pa, gpointer user)
{
	g_string_append_printf(user, "%zu@%" G_GINT64_MODIFIER "x ", pattern, pa);
}

/* All hits of one pattern, the slow way. */
static void
find_slowly(const VmifsPattern *p, gsize index, const guint8 *data, gsize len, guint64 pa,
	    GString *out)
{
	for (gsize at = 0; at + p->len <= len; at++)
		if ((pa + at) % p->align == 0 && !memcmp(data + at, p->bytes, p->len))
			note(index, pa + at, out);
}

/* len bytes that end where memory ends: a read too many is a crash. */
static guint8 *
bytes_before_the_abyss(gsize len)
{
	gsize whole = (len + PAGE - 1) / PAGE * PAGE;
	guint8 *base = mmap(NULL, whole + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	ck_assert_ptr_ne(base, MAP_FAILED);
	ck_assert_int_eq(mprotect(base + whole, PAGE, PROT_NONE), 0);
	return base + whole - len;
}

static void
compare(const VmifsPattern *p, const guint8 *data, gsize len, guint64 pa)
{
	g_autoptr(VmifsMatcher) matcher = vmifs_matcher_new(&p, 1, FALSE);
	g_autoptr(GString) fast = g_string_new(NULL), slow = g_string_new(NULL);

	vmifs_matcher_find(matcher, data, len, pa, note, fast);
	find_slowly(p, 0, data, len, pa, slow);
	ck_assert_msg(g_string_equal(fast, slow), "%s: %s instead of %s", p->name, fast->str,
		      slow->str);
}

START_TEST(finds_a_pattern_at_every_place)
{
	const VmifsPattern *p = &patterns[_i];
	guint8 *data = bytes_before_the_abyss(LEN);

	memset(data, 0, LEN);
	for (gsize at = 0; at + p->len <= LEN; at += at < 300 || at > LEN - 300 ? 1 : 61) {
		for (guint64 pa = 0x10000; pa < 0x10008; pa += 3) {
			memcpy(data + at, p->bytes, p->len);
			compare(p, data, LEN, pa);
		}
		memset(data + at, 0, p->len);
	}
}
END_TEST

START_TEST(finds_in_noise_what_a_slow_search_finds)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed((guint32) _i);
	gsize len = (gsize) g_rand_int_range(rand, 0, LEN);
	guint8 *data = bytes_before_the_abyss(len);

	/* Few different bytes, so that anchors are everywhere; patterns strewn over it. */
	for (gsize i = 0; i < len; i++)
		data[i] = (guint8) "\0\0\0aL\xaa"[g_rand_int_range(rand, 0, 6)];
	for (gsize i = 0; len > 64 && i < 100; i++) {
		const VmifsPattern *p = &patterns[g_rand_int_range(rand, 0, N)];
		memcpy(data + g_rand_int_range(rand, 0, (gint32) (len - p->len)), p->bytes, p->len);
	}
	for (gsize i = 0; i < N; i++)
		compare(&patterns[i], data, len, (guint64) g_rand_int(rand));
}
END_TEST

START_TEST(all_patterns_in_one_pass)
{
	guint8 *data = bytes_before_the_abyss(LEN);
	const VmifsPattern *all[N];
	g_autoptr(GString) out = g_string_new(NULL);

	memset(data, 0, LEN);
	memcpy(data + 100, "Linux version ", 14);
	memcpy(data + PAGE - 3, "Linux version ", 14);
	memcpy(data + 2 * PAGE + 256, "\x9f\xeb\1\0\x18\0\0\0", 8);
	for (gsize i = 0; i < N; i++)
		all[i] = &patterns[i];
	g_autoptr(VmifsMatcher) matcher = vmifs_matcher_new(all, N, FALSE);
	ck_assert_uint_eq(vmifs_matcher_longest(matcher), 32);
	vmifs_matcher_find(matcher, data, LEN, 0x5000, note, out);
	ck_assert_str_eq(out->str, "0@5064 0@5ffd 4@7100 ");
}
END_TEST

START_TEST(zeros_can_be_looked_for)
{
	guint8 *data = bytes_before_the_abyss(PAGE);
	const VmifsPattern *p = &only_zeros;
	g_autoptr(VmifsMatcher) matcher = vmifs_matcher_new(&p, 1, FALSE);
	g_autoptr(GString) fast = g_string_new(NULL), slow = g_string_new(NULL);

	memset(data, 0, PAGE);
	vmifs_matcher_find(matcher, data, PAGE, 0, note, fast);
	find_slowly(p, 0, data, PAGE, 0, slow);
	ck_assert_str_eq(fast->str, slow->str);
}
END_TEST

START_TEST(heads_are_those_of_the_guests_pages)
{
	guint8 *data = bytes_before_the_abyss(2 * PAGE + 105);
	const VmifsPattern *p = &head;
	g_autoptr(VmifsMatcher) matcher = vmifs_matcher_new(&p, 1, TRUE);
	g_autoptr(GString) out = g_string_new(NULL);

	memset(data, 0, 2 * PAGE + 105);
	memcpy(data, "\0HEAD", 5);
	memcpy(data + 100, "\0HEAD", 5);
	memcpy(data + 200, "\0HEAD", 5);
	memcpy(data + PAGE + 100, "\0HEAD", 5);
	memcpy(data + 2 * PAGE + 100, "\0HEAD", 5);
	vmifs_matcher_find(matcher, data, 2 * PAGE + 105, 0x8000 - 100, note, out);
	ck_assert_str_eq(out->str, "0@8000 0@9000 0@a000 ");
	g_string_truncate(out, 0);
	vmifs_matcher_find(matcher, data, 2 * PAGE + 104, 0x8000 - 100, note, out);
	ck_assert_str_eq(out->str, "0@8000 0@9000 ");
}
END_TEST

START_TEST(only_what_lies_over_a_seam)
{
	static const guint8 data[] = "abcd.abcd.abcd";
	static const VmifsPattern pattern = { .bytes = (const guint8 *) "abcd",
					      .len = 4,
					      .align = 1 };
	const VmifsPattern *p = &pattern;
	g_autoptr(VmifsMatcher) matcher = vmifs_matcher_new(&p, 1, FALSE);

	for (gsize seam = 1; seam < 14; seam++) {
		g_autoptr(GString) out = g_string_new(NULL);
		vmifs_matcher_find_over(matcher, data, 14, 0, seam, note, out);
		ck_assert_str_eq(out->str, seam < 4                 ? "0@0 "
					   : seam > 5 && seam < 9   ? "0@5 "
					   : seam > 10 && seam < 14 ? "0@a "
								    : "");
	}
	g_autoptr(GString) out = g_string_new(NULL);
	vmifs_matcher_find_over(matcher, data, 3, 0, 2, note, out);
	ck_assert_str_eq(out->str, "");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("match");
	TCase *t = tcase_create("match");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, finds_a_pattern_at_every_place, 0, N);
	tcase_add_loop_test(t, finds_in_noise_what_a_slow_search_finds, 0, 60);
	tcase_add_test(t, all_patterns_in_one_pass);
	tcase_add_test(t, zeros_can_be_looked_for);
	tcase_add_test(t, heads_are_those_of_the_guests_pages);
	tcase_add_test(t, only_what_lies_over_a_seam);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
