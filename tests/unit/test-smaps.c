/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smaps, pages, mapping: whose the pages of a process are, and what is said of its mappings; of
 * large pages see test-smaps-large. */
#include <unit.h>

#include <os/linux/smaps.h>
#include <smaps-guest.h>

START_TEST(every_line_is_there)
{
	Fixture f;
	setup(&f, OLD);
	g_autofree char *text = render(&f, FALSE);
	ck_assert_str_eq(text, "40000000-40400000 rw-p 00000000 00:00 0 \n"
			       "Size:               4096 kB\n"
			       "KernelPageSize:        4 kB\n"
			       "MMUPageSize:           4 kB\n"
			       "Rss:                   0 kB\n"
			       "Pss:                   0 kB\n"
			       "Shared_Clean:          0 kB\n"
			       "Shared_Dirty:          0 kB\n"
			       "Private_Clean:         0 kB\n"
			       "Private_Dirty:         0 kB\n"
			       "Referenced:            0 kB\n"
			       "Anonymous:             0 kB\n"
			       "LazyFree:              0 kB\n"
			       "AnonHugePages:         0 kB\n"
			       "ShmemPmdMapped:        0 kB\n"
			       "FilePmdMapped:         0 kB\n"
			       "Shared_Hugetlb:        0 kB\n"
			       "Private_Hugetlb:       0 kB\n"
			       "Swap:                  0 kB\n"
			       "SwapPss:               0 kB\n"
			       "Locked:                0 kB\n"
			       "THPeligible:    0\n"
			       "VmFlags: rd wr mr mw me ac \n");
	teardown(&f);
}
END_TEST

START_TEST(rollup_sums_up)
{
	Fixture f;
	setup(&f, OLD);
	add_vma(&f, START + 0x400000, START + 0x401000, 1);
	put_page(&f, 9, SWAP_BACKED, 1, 1, 1);
	put_entry(&f, 0, 9, ACCESSED | WRITTEN);
	g_autofree char *text = render(&f, TRUE);
	ck_assert_msg(g_str_has_prefix(text, "40000000-40401000 ---p 00000000 00:00 0"
					     "                                  [rollup]\n"
					     "Rss:                   4 kB\n"
					     "Pss:                   4 kB\n"
					     "Pss_Anon:              4 kB\n"
					     "Pss_File:              0 kB\n"
					     "Pss_Shmem:             0 kB\n"
					     "Shared_Clean:          0 kB\n"),
		      "%s", text);
	ck_assert_msg(g_str_has_suffix(text, "Locked:                0 kB\n"), "%s", text);
	teardown(&f);
}
END_TEST

START_TEST(kernel_thread_has_no_memory)
{
	Fixture f;
	setup(&f, OLD);
	f.task.mm = 0;
	g_autofree char *text = _i ? NULL : render(&f, FALSE);
	if (_i) {
		ck_assert_ptr_null(render(&f, TRUE));
		ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_ENDED));
	} else {
		ck_assert_str_eq(text, "");
	}
	teardown(&f);
}
END_TEST

static const struct {
	guint64 flags, mapping;
	guint refs, maps;
	guint64 bits;
	const char *text;
} pages[] = {
	/* one's own, written */
	{ SWAP_BACKED, 1, 1, 1, ACCESSED | WRITTEN,
	  "Rss=4 Pss=4 Private_Dirty=4 Referenced=4 Anonymous=4" },
	/* of two, not written */
	{ SWAP_BACKED, 1, 3, 2, 0, "Rss=4 Pss=2 Shared_Clean=4 Anonymous=4" },
	/* of a file, of three, the page dirty, referenced */
	{ DIRTY | REFERENCED, 0x1000, 4, 3, 0, "Rss=4 Pss=1 Shared_Dirty=4 Referenced=4" },
	/* given back, but not taken yet */
	{ 0, 1, 2, 1, 0, "Rss=4 Pss=4 Private_Clean=4 Anonymous=4 LazyFree=4" },
	/* of shared memory that no table but this one maps */
	{ SWAP_BACKED | DIRTY, 0x1000, 2, 1, 0, "Rss=4 Pss=4 Private_Dirty=4" },
	/* the page of zeros, which is nobody's */
	{ 0, 0, 1, 1, 0x200, "" },
};

START_TEST(page_is_counted_by_whose_it_is)
{
	Fixture f;
	setup(&f, OLD);
	put_page(&f, 9, pages[_i].flags, pages[_i].mapping, pages[_i].refs, pages[_i].maps);
	put_entry(&f, 3, 9, pages[_i].bits);
	expect(&f, pages[_i].text);
}
END_TEST

START_TEST(young_page_is_referenced)
{
	Fixture f;
	setup(&f, MODERN);
	put_page(&f, 9, 1 << 21, 1, 1, 1);
	put_entry(&f, 3, 9, 0);
	expect(&f, "Rss=4 Pss=4 Private_Clean=4 Referenced=4 Anonymous=4 LazyFree=4");
}
END_TEST

START_TEST(neighbours_are_told_apart)
{
	Fixture f;
	setup(&f, OLD);
	put_page(&f, 9, SWAP_BACKED, 1, 1, 1);
	put_page(&f, 10, SWAP_BACKED, 1, 1, 1);
	put_entry(&f, 3, 9, 0);
	put_entry(&f, 4, 10, WRITTEN | ACCESSED);
	expect(&f, "Rss=8 Pss=8 Private_Clean=4 Private_Dirty=4 Referenced=4 Anonymous=8");
}
END_TEST

START_TEST(locked_pages_are_counted)
{
	Fixture f;
	setup(&f, OLD);
	linux_guest_put(&f.g, f.vma, LINUX_FIELD_VMA_FLAGS, 0x2073);
	put_page(&f, 9, SWAP_BACKED, 1, 3, 2);
	put_entry(&f, 3, 9, 0);
	expect(&f, "Rss=4 Pss=2 Shared_Clean=4 Anonymous=4 Locked=2");
}
END_TEST

/* The entry of what lies at that place of the swap file of that number. */
static guint64
swap_entry(guint64 type, guint64 offset)
{
	return type << 59 | (~offset << 9 & ((1ULL << 59) - 1) & ~0x1ffULL);
}

START_TEST(swapped_pages_are_shared_too)
{
	Fixture f;
	setup(&f, OLD);
	LinuxGuest *g = &f.g;
	guint64 table = linux_guest_alloc(g, 64), map = linux_guest_alloc(g, 64);
	guint64 info = linux_guest_new(g, LINUX_STRUCT_SWAP_INFO);
	linux_guest_symbol(g, "swap_info", table);
	linux_guest_symbol(g, "nr_swapfiles", table + 32);
	linux_guest_u64(g, table + 8, info);
	linux_guest_u64(g, table + 32, 2);
	linux_guest_put(g, info, LINUX_FIELD_SWAP_INFO_MAX, 50);
	linux_guest_put(g, info, LINUX_FIELD_SWAP_INFO_MAP, map);
	linux_guest_write(g, map + 40, "\x42\x01", 2); /* of two, and in memory besides */
	linux_guest_u64(g, f.entries, swap_entry(1, 40));
	linux_guest_u64(g, f.entries + 8, swap_entry(1, 41));
	linux_guest_u64(g, f.entries + 16, swap_entry(30, 41)); /* no swap: on its way */
	expect(&f, "Swap=8 SwapPss=6");
}
END_TEST

START_TEST(swapped_pages_of_shared_memory_are_those_of_its_file)
{
	Fixture f;
	setup(&f, OLD);
	add_file(&f, "shmem_ops", 0);
	linux_guest_put(&f.g, f.vma, LINUX_FIELD_VMA_FLAGS, 0xfb);
	expect(&f, "Swap=20");
}
END_TEST

START_TEST(names_of_flags_are_the_kernels_own)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	setup(&f, OLD);
	guint64 rodata = linux_guest_alloc(&f.g, 512);
	char names[64 * 3] = "rd\0wr\0ex\0sh\0mr\0mw\0me\0ms";
	memcpy(names + 40 * 3, "xy", 2);
	linux_guest_write(&f.g, rodata + 7, names, sizeof names);
	linux_guest_symbol(&f.g, "__start_rodata", rodata);
	linux_guest_symbol(&f.g, "__end_rodata", rodata + 512);
	linux_mapping_append_flags(linux_guest_start(&f.g), 1ULL << 40 | 1ULL << 41 | 0x13, out);
	ck_assert_str_eq(out->str, "VmFlags: rd wr mr xy \n");
	teardown(&f);
}
END_TEST

START_TEST(tables_that_map_more_than_there_is_end)
{
	Fixture f;
	setup(&f, OLD);
	/* Every table is the same one: 512 GiB of pages. */
	guint64 root = add_table(&f), table = add_table(&f);
	linux_guest_put(&f.g, f.task.mm, LINUX_FIELD_MM_PGD, root);
	linux_guest_u64(&f.g, root, entry_of(table));
	for (guint i = 0; i < 512; i++)
		linux_guest_u64(&f.g, table + i * 8, entry_of(table));
	linux_guest_put(&f.g, f.vma, LINUX_FIELD_VMA_START, 0);
	linux_guest_put(&f.g, f.vma, LINUX_FIELD_VMA_END, 1ULL << 39);
	ck_assert_ptr_null(render(&f, FALSE));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT) ||
		  g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT));
	teardown(&f);
}
END_TEST

START_TEST(page_without_a_description_is_not_counted)
{
	Fixture f;
	setup(&f, OLD);
	put_entry(&f, 3, 0x12345678, ACCESSED);
	expect(&f, "");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("smaps");
	TCase *t = tcase_create("smaps");

	tcase_add_test(t, every_line_is_there);
	tcase_add_test(t, rollup_sums_up);
	tcase_add_loop_test(t, kernel_thread_has_no_memory, 0, 2);
	tcase_add_loop_test(t, page_is_counted_by_whose_it_is, 0, G_N_ELEMENTS(pages));
	tcase_add_test(t, young_page_is_referenced);
	tcase_add_test(t, neighbours_are_told_apart);
	tcase_add_test(t, locked_pages_are_counted);
	tcase_add_test(t, swapped_pages_are_shared_too);
	tcase_add_test(t, swapped_pages_of_shared_memory_are_those_of_its_file);
	tcase_add_test(t, names_of_flags_are_the_kernels_own);
	tcase_add_test(t, tables_that_map_more_than_there_is_end);
	tcase_add_test(t, page_without_a_description_is_not_counted);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
