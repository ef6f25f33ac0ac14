/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* meminfo: counters become lines, what this kernel does not have becomes none. */
#include <unit.h>

#include <linux-guest.h>

#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct percpu_counter 16 count@0:8 counters@8:8\n"                                        \
	"struct address_space 16 nrpages@8:8\n"                                                    \
	"struct inode 64 i_mapping@8:8 i_sb_list@16=list_head\n"                                   \
	"struct super_block 64 s_inodes@16=list_head\n"                                            \
	"struct zone 64 _watermark@0:8x4 watermark_boost@32:8\n"                                   \
	"struct pglist_data 256 node_zones@0=zonex2\n"                                             \
	"struct hstate 64 order@0:4 nr_huge_pages@8:8 free_huge_pages@16:8 resv_huge_pages@24:8 "  \
	"surplus_huge_pages@32:8\n"                                                                \
	"enum WMARK_MIN=0 WMARK_LOW=1\n"                                                           \
	"enum NR_FREE_PAGES=0 NR_MLOCK=1\n"                                                        \
	"enum NR_ACTIVE_FILE=0 NR_INACTIVE_FILE=1 NR_SLAB_RECLAIMABLE_B=2 "                        \
	"NR_KERNEL_MISC_RECLAIMABLE=3 NR_FILE_PAGES=4 NR_SWAPCACHE=5 NR_SHMEM=6 "                  \
	"NR_KERNEL_STACK_KB=7\n"

typedef struct {
	LinuxGuest g;
	guint64 nodes, zones; /* their counters */
	GString *out;
	GError *error;
} Fixture;

static guint64
variable(Fixture *f, const char *name, guint64 value)
{
	guint64 va = linux_guest_alloc(&f->g, 256);
	linux_guest_u64(&f->g, va, value);
	linux_guest_symbol(&f->g, name, va);
	return va;
}

static void
setup_with(Fixture *f, const char *types)
{
	static const guint64 node[] = { 100, 60, 40, 10, 500, 20, 7, 1536 };

	*f = (Fixture){ .out = g_string_new(NULL) };
	linux_guest_init(&f->g, types);
	f->nodes = variable(f, "vm_node_stat", 0);
	f->zones = variable(f, "vm_zone_stat", 1000);
	for (guint i = 0; i < G_N_ELEMENTS(node); i++)
		linux_guest_u64(&f->g, f->nodes + i * 8, node[i]);
	linux_guest_u64(&f->g, f->zones + 8, (guint64) -3);
	variable(f, "_totalram_pages", 4000);
}

static void
setup(Fixture *f)
{
	setup_with(f, TYPES);
}

static char *
render(Fixture *f)
{
	ck_assert(linux_render_meminfo(linux_guest_start(&f->g), NULL, NULL, f->out, NULL,
				       &f->error));
	linux_guest_clear(&f->g);
	return g_string_free(f->out, FALSE);
}

static void
expect_line(const char *text, const char *line)
{
	g_autofree char *whole = g_strconcat("\n", line, "\n", NULL);
	ck_assert_msg(strstr(text, whole) || g_str_has_prefix(text, whole + 1), "%s not in:\n%s",
		      line, text);
}

START_TEST(counters_are_lines)
{
	Fixture f;
	setup(&f);
	g_autofree char *text = render(&f);
	expect_line(text, "MemTotal:          16000 kB");
	expect_line(text, "MemFree:            4000 kB");
	expect_line(text, "SwapCached:           80 kB");
	expect_line(text, "Shmem:                28 kB");
	expect_line(text, "KernelStack:        1536 kB");
	expect_line(text, "VmallocTotal:   34359738367 kB");
	/* Less than nothing is nothing. */
	expect_line(text, "Mlocked:               0 kB");
}
END_TEST

START_TEST(what_this_kernel_lacks_has_no_line)
{
	static const char *const absent[] = { "MemAvailable", "Buffers",       "Active",
					      "SwapTotal",    "SecPageTables", "Bounce",
					      "CommitLimit",  "HugePages",     "DirectMap",
					      "Percpu",       "AnonHuge",      "Unaccepted" };
	Fixture f;
	setup(&f);
	g_autofree char *text = render(&f);
	for (gsize i = 0; i < G_N_ELEMENTS(absent); i++)
		ck_assert_msg(!strstr(text, absent[i]), "%s in:\n%s", absent[i], text);
}
END_TEST

START_TEST(available_is_what_would_be_given_up)
{
	Fixture f;
	setup(&f);
	guint64 data = linux_guest_new(&f.g, LINUX_STRUCT_NODE);
	guint64 table = variable(&f, "node_data", data);
	ck_assert_uint_ne(table, 0);
	variable(&f, "nr_node_ids", 1);
	variable(&f, "totalreserve_pages", 50);
	for (guint i = 0; i < 2; i++) {
		linux_guest_put_element(&f.g, data + i * 64, LINUX_FIELD_ZONE_WATERMARK, 1, 10);
		linux_guest_put(&f.g, data + i * 64, LINUX_FIELD_ZONE_BOOST, 2);
	}
	g_autofree char *text = render(&f);
	/* 1000 - 50, and of 160 of files all but the 24 of the marks, and of 50 of slabs, too. */
	expect_line(text, "MemAvailable:       4448 kB");
}
END_TEST

START_TEST(available_of_more_than_a_number_holds_is_none)
{
	Fixture f;
	setup(&f);
	guint64 data = linux_guest_new(&f.g, LINUX_STRUCT_NODE);
	variable(&f, "node_data", data);
	variable(&f, "nr_node_ids", 1);
	/* What is free less this is the largest number there is; 128 would be given up, too. */
	variable(&f, "totalreserve_pages", 1001 + (G_GUINT64_CONSTANT(1) << 63));
	g_autofree char *text = render(&f);
	expect_line(text, "MemAvailable:          0 kB");
}
END_TEST

START_TEST(buffers_are_pages_of_block_devices)
{
	Fixture f;
	setup(&f);
	guint64 sb = linux_guest_new(&f.g, LINUX_STRUCT_SUPER_BLOCK);
	guint64 nodes[3] = { linux_guest_at(&f.g, sb, LINUX_FIELD_SUPER_BLOCK_INODES) };
	variable(&f, "blockdev_superblock", sb);
	for (guint i = 1; i < 3; i++) {
		guint64 inode = linux_guest_new(&f.g, LINUX_STRUCT_INODE);
		guint64 mapping = linux_guest_new(&f.g, LINUX_STRUCT_ADDRESS_SPACE);
		linux_guest_put(&f.g, inode, LINUX_FIELD_INODE_MAPPING, mapping);
		linux_guest_put(&f.g, mapping, LINUX_FIELD_ADDRESS_SPACE_NRPAGES, 30);
		nodes[i] = linux_guest_at(&f.g, inode, LINUX_FIELD_INODE_SB_LIST);
	}
	linux_guest_ring(&f.g, nodes, 3);
	g_autofree char *text = render(&f);
	expect_line(text, "Buffers:             240 kB");
	expect_line(text, "Cached:             1680 kB");
}
END_TEST

START_TEST(page_tables_are_counted_by_zones_or_by_nodes)
{
	static const char *const types[] = {
		TYPES "enum NR_PAGETABLE=8 NR_VM_ZONE_STAT_ITEMS=12\n",
		TYPES "enum NR_PAGETABLE=28 NR_VM_ZONE_STAT_ITEMS=12\n",
	};
	for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
		Fixture f;
		setup_with(&f, types[i]);
		linux_guest_u64(&f.g, i ? f.nodes + 28 * 8 : f.zones + 8 * 8, 387);
		g_autofree char *text = render(&f);
		expect_line(text, "PageTables:         1548 kB");
	}
}
END_TEST

START_TEST(huge_pages_are_counted_by_size)
{
	static const LinuxField fields[] = { LINUX_FIELD_HSTATE_NR, LINUX_FIELD_HSTATE_FREE,
					     LINUX_FIELD_HSTATE_RESERVED,
					     LINUX_FIELD_HSTATE_SURPLUS };
	Fixture f;
	setup(&f);
	guint64 states = linux_guest_alloc(&f.g, 128);
	linux_guest_symbol(&f.g, "hstates", states);
	variable(&f, "hugetlb_max_hstate", 2);
	variable(&f, "default_hstate_idx", 1);
	linux_guest_put(&f.g, states, LINUX_FIELD_HSTATE_ORDER, 18);
	linux_guest_put(&f.g, states, LINUX_FIELD_HSTATE_NR, 1);
	linux_guest_put(&f.g, states + 64, LINUX_FIELD_HSTATE_ORDER, 9);
	for (guint i = 0; i < G_N_ELEMENTS(fields); i++)
		linux_guest_put(&f.g, states + 64, fields[i], 8 - i);
	g_autofree char *text = render(&f);
	ck_assert_ptr_nonnull(strstr(text, "\nHugePages_Total:       8\nHugePages_Free:        7\n"
					   "HugePages_Rsvd:        6\nHugePages_Surp:        5\n"
					   "Hugepagesize:       2048 kB\n"
					   "Hugetlb:         1064960 kB\n"));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("meminfo");
	TCase *t = tcase_create("meminfo");

	tcase_add_test(t, counters_are_lines);
	tcase_add_test(t, what_this_kernel_lacks_has_no_line);
	tcase_add_test(t, available_is_what_would_be_given_up);
	tcase_add_test(t, available_of_more_than_a_number_holds_is_none);
	tcase_add_test(t, buffers_are_pages_of_block_devices);
	tcase_add_test(t, page_tables_are_counted_by_zones_or_by_nodes);
	tcase_add_test(t, huge_pages_are_counted_by_size);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
