/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pte: which not-present entries are pages all the same. RAM is 1 MiB at 4 MiB. */
#include <unit.h>

#include <os/linux/machine.h>
#include <text-guest.h>

#define PA 0x423000ULL
#define MASK 0x000ffffffffff000ULL
#define PROTNONE 0x100
#define HUGE 0x80
#define FLAGS (PROTNONE | 0x60 | 0x4)

static gboolean
resolve(guint64 entry, guint level, VmifsRange *ret)
{
	g_autoptr(VmifsPhysmem) mem = text_guest("ram 4M 1M\n");
	VmifsRange in = { .va = 0x7f0000123456,
			  .len = 0xbaa,
			  .entry = entry,
			  .perms = VMIFS_PERM_READ | VMIFS_PERM_WRITE | VMIFS_PERM_EXEC |
				   VMIFS_PERM_USER,
			  .level = (guint8) level,
			  .page_shift = level == 1 ? 12 : 21,
			  .kind = VMIFS_RANGE_NOT_PRESENT };
	return linux_pte_resolve(mem, &in, ret);
}

START_TEST(inverted_frame_is_found)
{
	VmifsRange range;
	ck_assert(resolve((~PA & MASK) | FLAGS | 2, 1, &range));
	ck_assert_int_eq(range.kind, VMIFS_RANGE_PAGE);
	ck_assert_uint_eq(range.pa, PA + 0x456);
	ck_assert_uint_eq(range.va, 0x7f0000123456);
	ck_assert_uint_eq(range.len, 0xbaa);
	ck_assert_uint_eq(range.perms,
			  VMIFS_PERM_READ | VMIFS_PERM_WRITE | VMIFS_PERM_EXEC | VMIFS_PERM_USER);
}
END_TEST

START_TEST(plain_frame_of_older_kernels_is_found)
{
	VmifsRange range;
	ck_assert(resolve(PA | FLAGS | 1ULL << 63, 1, &range));
	ck_assert_uint_eq(range.pa, PA + 0x456);
	ck_assert_uint_eq(range.perms, VMIFS_PERM_READ | VMIFS_PERM_USER);
}
END_TEST

static const struct {
	guint64 entry;
	guint level;
} others[] = {
	{ (~PA & MASK) | 0x60, 1 },                  /* a swap entry: no such bit */
	{ (~PA & MASK) | FLAGS | 1, 1 },             /* present */
	{ (~0x800000ULL & MASK) | FLAGS, 1 },        /* not RAM, whichever way it is read */
	{ (~0x400000ULL & MASK) | FLAGS | HUGE, 2 }, /* half of it is not RAM */
	{ (~PA & MASK) | FLAGS, 2 },                 /* points to a table, not to a page */
};

START_TEST(other_entries_are_left_alone)
{
	VmifsRange range = { .pa = 7 };
	ck_assert(!resolve(others[_i].entry, others[_i].level, &range));
	ck_assert_uint_eq(range.pa, 7);
}
END_TEST

START_TEST(huge_page_is_found)
{
	g_autoptr(VmifsPhysmem) mem = text_guest("ram 4M 2M\n");
	VmifsRange in = { .va = 0x7f00001fffff,
			  .len = 1,
			  .entry = (~0x400000ULL & MASK) | FLAGS | HUGE,
			  .level = 2,
			  .page_shift = 21,
			  .kind = VMIFS_RANGE_NOT_PRESENT };
	VmifsRange range;
	ck_assert(linux_pte_resolve(mem, &in, &range));
	ck_assert_uint_eq(range.pa, 0x5fffff);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("pte");
	TCase *t = tcase_create("pte");

	tcase_add_test(t, inverted_frame_is_found);
	tcase_add_test(t, plain_frame_of_older_kernels_is_found);
	tcase_add_loop_test(t, other_entries_are_left_alone, 0, G_N_ELEMENTS(others));
	tcase_add_test(t, huge_page_is_found);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
