/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smaps, pages, mapping: huge pages, and parts of large ones. */
#include <unit.h>

#include <engine/disasm.h>
#include <os/linux/pages.h>
#include <os/linux/smaps.h>
#include <smaps-guest.h>

/* Parts of a large page from pfn 512 on. */
static void
put_large(Fixture *f, gboolean mask, guint64 whole_at, guint whole)
{
	guint64 head = page_at(f, 512);

	for (guint i = 1; i < 512; i++) {
		linux_guest_put(&f->g, page_at(f, 512 + i), LINUX_FIELD_PAGE_COMPOUND,
				mask ? 0xffffffffffff8001ULL : head | 1);
		linux_guest_put(&f->g, page_at(f, 512 + i), LINUX_FIELD_PAGE_MAPCOUNT, G_MAXUINT32);
	}
	guint32 stored = GUINT32_TO_LE(whole - 1);
	linux_guest_write(&f->g, head + whole_at, &stored, 4);
}

START_TEST(huge_page_of_one_process)
{
	Fixture f;
	setup(&f, OLD);
	put_page(&f, 512, SWAP_BACKED, 1, 1, 0);
	put_large(&f, FALSE, 64 + 16, 1);
	linux_guest_u64(&f.g, f.middle + 8, 512ULL << 12 | 0x80 | PRESENT | ACCESSED | WRITTEN);
	expect(&f, "Rss=2048 Pss=2048 Private_Dirty=2048 Referenced=2048 Anonymous=2048 "
		   "AnonHugePages=2048");
}
END_TEST

START_TEST(huge_page_of_two_processes)
{
	Fixture f;
	setup(&f, _i ? MODERN : OLD);
	put_page(&f, 512, _i ? 1 << 17 : SWAP_BACKED, 1, 3, 0);
	put_large(&f, FALSE, _i ? 84 : 64 + 16, 2);
	linux_guest_u64(&f.g, f.middle + 8, 512ULL << 12 | 0x80 | PRESENT);
	expect(&f, "Rss=2048 Pss=1024 Shared_Clean=2048 Anonymous=2048 AnonHugePages=2048");
}
END_TEST

START_TEST(part_of_a_large_page_knows_its_head)
{
	Fixture f;
	setup(&f, MODERN);
	/* The array is aligned to less than such a mask needs: take it at its word. */
	put_page(&f, 512, 1 << 17, 1, 9, 0);
	put_large(&f, FALSE, 84, 0);
	linux_guest_put(&f.g, page_at(&f, 515), LINUX_FIELD_PAGE_MAPCOUNT, 3);
	put_entry(&f, 3, 515, 0);
	expect(&f, "Rss=4 Pss=1 Shared_Clean=4 Anonymous=4");
}
END_TEST

START_TEST(head_may_be_told_by_a_mask)
{
	Fixture f;
	LinuxPage page;
	setup(&f, MODERN);
	guint pfn = (guint) ((0x8000 - (f.array & 0x7fff)) / 64 % 512);
	for (guint i = 1; i < 512; i++)
		linux_guest_put(&f.g, page_at(&f, pfn + i), LINUX_FIELD_PAGE_COMPOUND,
				0xffffffffffff8001ULL);
	Linux *os = linux_guest_start(&f.g);
	g_autoptr(LinuxPages) list = linux_pages_new(os, &f.error);
	ck_assert(linux_page(list, (pfn + 300ULL) << 12, &page));
	ck_assert_uint_eq(page.head, page_at(&f, pfn));
	teardown(&f);
}
END_TEST

/* A leaf with the one mapping. */
static void
put_tree(Fixture *f)
{
	guint64 node = linux_guest_new(&f->g, LINUX_STRUCT_MAPLE_NODE);

	linux_guest_u64(&f->g, node + 8, START - 1);
	linux_guest_u64(&f->g, node + 16, START + 4 * 1024 * 1024 - 1);
	linux_guest_u64(&f->g, node + 128 + 8, f->vma);
	linux_guest_u64(&f->g, linux_guest_at(&f->g, f->task.mm, LINUX_FIELD_MM_MT) + 8,
			node | 1 << 3 | 2);
}

/* call callee; ret */
static void
put_function(Fixture *f, const char *name, const char *callee)
{
	guint64 at = linux_guest_alloc(&f->g, 256), other = linux_guest_alloc(&f->g, 256);
	guint8 code[] = { 0xe8, 0, 0, 0, 0, 0xc3 };
	guint32 distance = GUINT32_TO_LE((guint32) (other - (at + 5)));

	memcpy(code + 1, &distance, 4);
	linux_guest_write(&f->g, at, code, sizeof code);
	linux_guest_symbol(&f->g, name, at);
	linux_guest_symbol(&f->g, callee, other);
}

#define PROT_NONE (0x106ULL | ACCESSED | WRITTEN)

static const struct {
	const char *types, *callee, *balancing;
	guint64 bits;
	gboolean is_left_out;
} forbidden[] = {
	{ MAPLE, "follow_trans_huge_pmd", "task_numa_fault", PROT_NONE, TRUE },
	{ MAPLE, "follow_trans_huge_pmd", "task_numa_fault", PRESENT | ACCESSED | WRITTEN, FALSE },
	{ MAPLE, "follow_trans_huge_pmd", "other", PROT_NONE, FALSE },
	{ MAPLE, "vm_normal_page_pmd", "task_numa_fault", PROT_NONE, FALSE },
	{ OLD, "follow_trans_huge_pmd", "task_numa_fault", PROT_NONE, FALSE },
};

START_TEST(forbidden_huge_page_counts_where_the_kernel_counts_it)
{
	guint row = (guint) _i / 2;
	gboolean rollup = _i % 2;
	/* Without capstone the kernel's code tells nothing, and all are counted. */
	gboolean is_left_out = forbidden[row].is_left_out && vmifs_disasm_is_there();
	Fixture f;
	setup(&f, forbidden[row].types);
	if (strstr(forbidden[row].types, "maple_tree"))
		put_tree(&f);
	put_function(&f, "smaps_pte_range", forbidden[row].callee);
	linux_guest_symbol(&f.g, forbidden[row].balancing, linux_guest_alloc(&f.g, 256));
	put_page(&f, 0, SWAP_BACKED, 1, 1, 0);
	linux_guest_u64(&f.g, f.middle + 8, 0x80 | forbidden[row].bits);
	g_autofree char *text = render(&f, rollup);
	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_nonnull(strstr(text, is_left_out ? "\nRss:                   0 kB\n"
						       : "\nRss:                2048 kB\n"));
	ck_assert_ptr_nonnull(strstr(text, is_left_out ? "\nAnonHugePages:         0 kB\n"
						       : "\nAnonHugePages:      2048 kB\n"));
	teardown(&f);
}
END_TEST

START_TEST(huge_page_of_zeros_is_nobodys)
{
	Fixture f;
	setup(&f, OLD);
	guint64 variable = linux_guest_alloc(&f.g, 8);
	linux_guest_u64(&f.g, variable, page_at(&f, 512));
	linux_guest_symbol(&f.g, "huge_zero_page", variable);
	put_page(&f, 512, 0, 0, 2, 0);
	put_large(&f, FALSE, 64 + 16, 1);
	linux_guest_u64(&f.g, f.middle + 8, 512ULL << 12 | 0x80 | PRESENT);
	expect(&f, "");
}
END_TEST

START_TEST(pages_of_hugetlbfs_are_apart)
{
	Fixture f;
	setup(&f, OLD);
	guint64 info = linux_guest_new(&f.g, LINUX_STRUCT_HUGETLBFS);
	guint64 hstate = linux_guest_new(&f.g, LINUX_STRUCT_HSTATE);
	linux_guest_put(&f.g, hstate, LINUX_FIELD_HSTATE_ORDER, 9);
	linux_guest_put(&f.g, info, LINUX_FIELD_HUGETLBFS_HSTATE, hstate);
	add_file(&f, "hugetlbfs_ops", info);
	linux_guest_put(&f.g, f.vma, LINUX_FIELD_VMA_FLAGS, 0x400073);
	put_page(&f, 512, SWAP_BACKED, 0x1000, 3, 0);
	put_large(&f, FALSE, 64 + 16, _i ? 2 : 1);
	linux_guest_u64(&f.g, f.middle + 8, 512ULL << 12 | 0x80 | PRESENT);
	g_autofree char *text = render(&f, FALSE);
	ck_assert_ptr_nonnull(strstr(text,
				     "\nKernelPageSize:     2048 kB\nMMUPageSize:        2048 "
				     "kB\nRss:                   0 kB\n"));
	ck_assert_ptr_nonnull(strstr(text, _i ? "\nShared_Hugetlb:     2048 kB\nPrivate_Hugetlb: "
						"      0 kB\n"
					      : "\nShared_Hugetlb:        0 kB\nPrivate_Hugetlb: "
						"   2048 kB\n"));
	teardown(&f);
}
END_TEST

static const struct {
	guint64 switches, flags, mm_flags, length;
	gboolean eligible;
} thp[] = {
	{ 1 << 1, 0x73, 0, 4 << 20, TRUE },        { 1 << 1 | 1, 0x73, 0, 4 << 20, FALSE },
	{ 1 << 1, 0x40000073, 0, 4 << 20, FALSE }, { 1 << 1, 0x73, 1 << 24, 4 << 20, FALSE },
	{ 1 << 1, 0x73, 0, 1 << 20, FALSE },       { 1 << 2, 0x73, 0, 4 << 20, FALSE },
	{ 1 << 2, 0x20000073, 0, 4 << 20, TRUE },  { 0, 0x20000073, 0, 4 << 20, FALSE },
	{ 1 << 1, 0x473, 0, 4 << 20, FALSE },
};

START_TEST(huge_pages_come_where_they_may)
{
	Fixture f;
	setup(&f, OLD);
	guint64 variable = linux_guest_alloc(&f.g, 8);
	linux_guest_u64(&f.g, variable, thp[_i].switches);
	linux_guest_symbol(&f.g, "transparent_hugepage_flags", variable);
	linux_guest_put(&f.g, f.task.mm, LINUX_FIELD_MM_FLAGS, thp[_i].mm_flags);
	Linux *os = linux_guest_start(&f.g);
	VmifsVma vma = { .start = START, .end = START + thp[_i].length };
	LinuxMapping m = { .flags = thp[_i].flags };
	ck_assert_int_eq(linux_mapping_is_thp_eligible(os, f.task.mm, &vma, &m), thp[_i].eligible);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("smaps-large");
	TCase *t = tcase_create("smaps-large");

	tcase_add_test(t, huge_page_of_one_process);
	tcase_add_loop_test(t, huge_page_of_two_processes, 0, 2);
	tcase_add_test(t, part_of_a_large_page_knows_its_head);
	tcase_add_test(t, head_may_be_told_by_a_mask);
	tcase_add_loop_test(t, forbidden_huge_page_counts_where_the_kernel_counts_it, 0,
			    2 * G_N_ELEMENTS(forbidden));
	tcase_add_test(t, huge_page_of_zeros_is_nobodys);
	tcase_add_loop_test(t, pages_of_hugetlbfs_are_apart, 0, 2);
	tcase_add_loop_test(t, huge_pages_come_where_they_may, 0, G_N_ELEMENTS(thp));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
