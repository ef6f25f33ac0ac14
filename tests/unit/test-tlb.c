/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tlb: what is kept, for how long, and that threads never see half an entry. */
#include <unit.h>

#include <tlb.h>

static const VmifsRange small_page = {
	.va = 0xffff888000123000,
	.len = 0x1000,
	.pa = 0x7654321000,
	.entry = 0x8000007654321163,
	.perms = VMIFS_PERM_READ | VMIFS_PERM_WRITE | VMIFS_PERM_GLOBAL,
	.level = 1,
	.page_shift = 12,
	.kind = VMIFS_RANGE_PAGE,
};

static const VmifsRange huge_page = {
	.va = 0x7f0040000000,
	.len = 0x40000000,
	.pa = 0x80000000,
	.entry = 0x800000e7,
	.perms = VMIFS_PERM_READ,
	.level = 3,
	.page_shift = 30,
	.kind = VMIFS_RANGE_PAGE,
};

static void
assert_same(const VmifsRange *a, const VmifsRange *b)
{
	ck_assert_uint_eq(a->va, b->va);
	ck_assert_uint_eq(a->len, b->len);
	ck_assert_uint_eq(a->pa, b->pa);
	ck_assert_uint_eq(a->entry, b->entry);
	ck_assert_uint_eq(a->perms, b->perms);
	ck_assert_uint_eq(a->level, b->level);
	ck_assert_uint_eq(a->page_shift, b->page_shift);
	ck_assert_int_eq(a->kind, b->kind);
}

START_TEST(page_is_found_from_each_of_its_addresses)
{
	g_autoptr(VmifsTlb) tlb = vmifs_tlb_new(64);
	VmifsRange got;

	ck_assert(!vmifs_tlb_lookup(tlb, small_page.va, 0, &got));
	vmifs_tlb_insert(tlb, small_page.va + 0x123, 0, &small_page);
	ck_assert(vmifs_tlb_lookup(tlb, small_page.va, 0, &got));
	assert_same(&got, &small_page);
	ck_assert(vmifs_tlb_lookup(tlb, small_page.va + 0xfff, 0, &got));
	assert_same(&got, &small_page);
	ck_assert(!vmifs_tlb_lookup(tlb, small_page.va + 0x1000, 0, &got));
	ck_assert(!vmifs_tlb_lookup(tlb, small_page.va - 1, 0, &got));
}
END_TEST

START_TEST(large_page_is_found_all_over_the_two_mebibytes_asked_for)
{
	g_autoptr(VmifsTlb) tlb = vmifs_tlb_new(64);
	VmifsRange got;

	vmifs_tlb_insert(tlb, huge_page.va + 0x12345678, 0, &huge_page);
	ck_assert(vmifs_tlb_lookup(tlb, huge_page.va + 0x12345678, 0, &got));
	assert_same(&got, &huge_page);
	ck_assert(vmifs_tlb_lookup(tlb, huge_page.va + 0x12200000, 0, &got));
	ck_assert(vmifs_tlb_lookup(tlb, huge_page.va + 0x123fffff, 0, &got));
	ck_assert(!vmifs_tlb_lookup(tlb, huge_page.va + 0x12400000, 0, &got));
}
END_TEST

START_TEST(address_zero_is_not_found_in_an_empty_cache)
{
	g_autoptr(VmifsTlb) tlb = vmifs_tlb_new(2);
	VmifsRange got;

	ck_assert(!vmifs_tlb_lookup(tlb, 0, 0, &got));
}
END_TEST

START_TEST(moved_epoch_forgets_all)
{
	g_autoptr(VmifsTlb) tlb = vmifs_tlb_new(64);
	VmifsRange got;

	vmifs_tlb_insert(tlb, small_page.va, 7, &small_page);
	vmifs_tlb_insert(tlb, huge_page.va, 7, &huge_page);
	ck_assert(vmifs_tlb_lookup(tlb, small_page.va, 7, &got));
	ck_assert(!vmifs_tlb_lookup(tlb, small_page.va, 8, &got));
	ck_assert(!vmifs_tlb_lookup(tlb, huge_page.va, 8, &got));
	vmifs_tlb_insert(tlb, small_page.va, 8, &small_page);
	ck_assert(vmifs_tlb_lookup(tlb, small_page.va, 8, &got));
	ck_assert(!vmifs_tlb_lookup(tlb, small_page.va, 7, &got));
}
END_TEST

START_TEST(full_cache_forgets_the_older)
{
	g_autoptr(VmifsTlb) tlb = vmifs_tlb_new(8);
	VmifsRange page = small_page, got;
	guint found = 0;

	for (guint i = 0; i < 100; i++) {
		page.va = small_page.va + i * 0x1000;
		vmifs_tlb_insert(tlb, page.va, 0, &page);
		ck_assert(vmifs_tlb_lookup(tlb, page.va, 0, &got));
	}
	for (guint i = 0; i < 100; i++)
		found += vmifs_tlb_lookup(tlb, small_page.va + i * 0x1000, 0, &got);
	ck_assert_uint_le(found, 8);
	ck_assert_uint_ge(found, 4);
}
END_TEST

static const VmifsRange unfit[] = {
	{ .va = 0x1000, .len = 0x1000, .pa = 0x2001, .page_shift = 12, .level = 1 },
	{ .va = 0x1200, .len = 0x200, .pa = 0x2000, .page_shift = 9, .level = 1 },
	{ .va = 0x1000, .len = 0x1000, .pa = 0x2000, .page_shift = 12, .perms = 1u << 12 },
};

START_TEST(what_does_not_fit_is_not_kept)
{
	g_autoptr(VmifsTlb) tlb = vmifs_tlb_new(64);
	VmifsRange got;

	vmifs_tlb_insert(tlb, unfit[_i].va, 0, &unfit[_i]);
	ck_assert(!vmifs_tlb_lookup(tlb, unfit[_i].va, 0, &got));
}
END_TEST

#define N_RACES 2000000

/* Two pages that share an entry; each tells by its address what it has to be. */
typedef struct {
	VmifsTlb *tlb;
	VmifsRange pages[2];
	gint ended;
} Race;

static VmifsRange
page_of(guint64 va)
{
	return (VmifsRange){
		.va = va,
		.len = 0x1000,
		.pa = va << 8,
		.entry = ~va,
		.perms = va >> 12 & 0x1f,
		.level = 1,
		.page_shift = 12,
		.kind = VMIFS_RANGE_PAGE,
	};
}

static gpointer
write_both(gpointer data)
{
	Race *race = data;

	for (guint i = 0; !g_atomic_int_get(&race->ended); i++)
		vmifs_tlb_insert(race->tlb, race->pages[i % 2].va, 3, &race->pages[i % 2]);
	return NULL;
}

START_TEST(threads_never_see_half_an_entry)
{
	g_autoptr(VmifsTlb) tlb = vmifs_tlb_new(4);
	Race race = { .tlb = tlb, .pages = { page_of(0x1000), page_of(0x2000) } };
	GThread *writers[2];
	VmifsRange got;

	vmifs_tlb_insert(tlb, 0x1000, 3, &race.pages[0]);
	while (vmifs_tlb_lookup(tlb, 0x1000, 3, &got)) {
		race.pages[1] = page_of(race.pages[1].va + 0x1000);
		vmifs_tlb_insert(tlb, race.pages[1].va, 3, &race.pages[1]);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(writers); i++)
		writers[i] = g_thread_new("write", write_both, &race);
	for (guint i = 0; i < N_RACES; i++) {
		if (vmifs_tlb_lookup(tlb, 0x1000, 3, &got))
			assert_same(&got, &race.pages[0]);
	}
	g_atomic_int_set(&race.ended, TRUE);
	for (gsize i = 0; i < G_N_ELEMENTS(writers); i++)
		g_thread_join(writers[i]);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("tlb");
	TCase *t = tcase_create("tlb");
	tcase_add_test(t, page_is_found_from_each_of_its_addresses);
	tcase_add_test(t, large_page_is_found_all_over_the_two_mebibytes_asked_for);
	tcase_add_test(t, address_zero_is_not_found_in_an_empty_cache);
	tcase_add_test(t, moved_epoch_forgets_all);
	tcase_add_test(t, full_cache_forgets_the_older);
	tcase_add_loop_test(t, what_does_not_fit_is_not_kept, 0, G_N_ELEMENTS(unfit));
	tcase_add_test(t, threads_never_see_half_an_entry);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
