/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smaps, pages, mapping: whose the pages of a process are, and what is said of its mappings. */
#include <unit.h>

#include <engine/disasm.h>
#include <linux-guest.h>
#include <os/linux/pages.h>
#include <os/linux/smaps.h>
#include <stdio.h>

#define MM                                                                                         \
	"struct mm_struct 128 pgd@0:8 mmap@8:8 brk@16:8 start_brk@24:8 start_stack@32:8 "          \
	"flags@40:8"
#define REST                                                                                       \
	"struct vm_area_struct 128 vm_start@0:8 vm_end@8:8 vm_next@16:8 vm_flags@24:8 "            \
	"vm_pgoff@32:8 vm_file@40:8 vm_ops@48:8 vm_private_data@56:8\n"                            \
	"struct path 16 mnt@0:8 dentry@8:8\n"                                                      \
	"struct file 64 f_path@0=path f_inode@16:8 f_mode@24:4\n"                                  \
	"struct inode 64 i_ino@0:8 i_sb@8:8\n"                                                     \
	"struct super_operations 8 show_options@0:8\n"                                             \
	"struct super_block 32 s_dev@0:4 s_op@8:8 s_fs_info@16:8\n"                                \
	"struct hstate 8 order@0:4\n"                                                              \
	"struct hugetlbfs_sb_info 16 hstate@8:8\n"                                                 \
	"struct shmem_sb_info 8 huge@0:1\n"                                                        \
	"struct shmem_inode_info 128 swapped@8:8 vfs_inode@16=inode\n"                             \
	"struct swap_info_struct 16 max@0:4 swap_map@8:8\n"                                        \
	"enum TRANSPARENT_HUGEPAGE_FLAG=1 TRANSPARENT_HUGEPAGE_REQ_MADV_FLAG=2\n"
#define PAGE                                                                                       \
	"struct page 64 flags@0:8 compound_head@8:8 compound_mapcount@16:4 mapping@24:8 "          \
	"_mapcount@48:4 _refcount@52:4\n"
#define COMMON MM "\n" REST
#define OLD_ENUM "enum PG_referenced=1 PG_dirty=3 PG_double_map=6 PG_swapbacked=19 PG_head=16\n"
#define OLD COMMON PAGE OLD_ENUM
/* With a maple tree of mappings. */
#define MAPLE                                                                                      \
	"struct maple_tree 16 ma_root@8:8\n"                                                       \
	"struct maple_range_64 256 pivot@8:8x15 slot@128:8x16\n"                                   \
	"struct maple_arange_64 256 pivot@8:8x9 slot@80:8x10\n"                                    \
	"struct maple_node 256 mr64@0=maple_range_64 ma64@0=maple_arange_64\n" MM                  \
	" mm_mt@64=maple_tree\n" REST PAGE OLD_ENUM
#define MODERN                                                                                     \
	COMMON "struct page 64 flags@0:8 compound_info@8:8 mapping@24:8 _mapcount@48:4 "           \
	       "_refcount@52:4\n"                                                                  \
	       "struct folio 128 _entire_mapcount@84:4\n"                                          \
	       "enum PG_referenced=2 PG_dirty=4 PG_swapbacked=17 PG_young=21\n"

#define START G_GUINT64_CONSTANT(0x40000000)
#define N_PAGES 2048 /* that have a struct page */
#define REFERENCED 0x2ULL
#define DIRTY 0x8ULL
#define SWAP_BACKED (1ULL << 19)
#define PRESENT 0x7ULL
#define ACCESSED 0x20ULL
#define WRITTEN 0x40ULL

typedef struct {
	LinuxGuest g;
	guint64 array;           /* of struct page */
	guint64 middle, entries; /* page tables: of 2 MiB pages, and the first of 4 KiB pages */
	guint64 vma, last;
	VmifsTask task;
	GError *error;
} Fixture;

static guint64
add_table(Fixture *f)
{
	guint64 va = linux_guest_alloc(&f->g, 8192);

	return (va + 4095) & ~4095ULL;
}

static guint64
entry_of(guint64 va)
{
	return (va - LINUX_GUEST_BASE) | PRESENT;
}

static guint64
add_vma(Fixture *f, guint64 start, guint64 end, guint64 flags)
{
	guint64 vma = linux_guest_new(&f->g, LINUX_STRUCT_VMA);

	linux_guest_put(&f->g, vma, LINUX_FIELD_VMA_START, start);
	linux_guest_put(&f->g, vma, LINUX_FIELD_VMA_END, end);
	linux_guest_put(&f->g, vma, LINUX_FIELD_VMA_FLAGS, flags);
	if (f->last)
		linux_guest_put(&f->g, f->last, LINUX_FIELD_VMA_NEXT, vma);
	else
		linux_guest_put(&f->g, f->task.mm, LINUX_FIELD_MM_MMAP, vma);
	f->last = vma;
	return vma;
}

/* One mapping of 4 MiB, of memory of its own, readable and writable. */
static void
setup(Fixture *f, const char *types)
{
	LinuxGuest *g = &f->g;

	*f = (Fixture){ 0 };
	linux_guest_init(g, types);
	f->array = add_table(f);
	linux_guest_alloc(g, N_PAGES * 64);
	guint64 base = linux_guest_alloc(g, 8);
	linux_guest_u64(g, base, f->array);
	linux_guest_symbol(g, "vmemmap_base", base);
	f->task.mm = linux_guest_new(g, LINUX_STRUCT_MM);
	f->task.object = linux_guest_alloc(g, 8);
	guint64 root = add_table(f), upper = add_table(f);
	f->middle = add_table(f);
	f->entries = add_table(f);
	linux_guest_put(g, f->task.mm, LINUX_FIELD_MM_PGD, root);
	linux_guest_u64(g, root, entry_of(upper));
	linux_guest_u64(g, upper + 8, entry_of(f->middle));
	linux_guest_u64(g, f->middle, entry_of(f->entries));
	f->vma = add_vma(f, START, START + 4 * 1024 * 1024, 0x100073);
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_clear_error(&f->error);
}

static guint64
page_at(Fixture *f, guint pfn)
{
	return f->array + pfn * 64ULL;
}

static void
put_page(Fixture *f, guint pfn, guint64 flags, guint64 mapping, guint refs, guint maps)
{
	linux_guest_put(&f->g, page_at(f, pfn), LINUX_FIELD_PAGE_FLAGS, flags);
	linux_guest_put(&f->g, page_at(f, pfn), LINUX_FIELD_PAGE_MAPPING, mapping);
	linux_guest_put(&f->g, page_at(f, pfn), LINUX_FIELD_PAGE_REFCOUNT, refs);
	linux_guest_put(&f->g, page_at(f, pfn), LINUX_FIELD_PAGE_MAPCOUNT, maps - 1);
}

static void
put_entry(Fixture *f, guint index, guint pfn, guint64 bits)
{
	linux_guest_u64(&f->g, f->entries + index * 8ULL, (guint64) pfn << 12 | PRESENT | bits);
}

static char *
render(Fixture *f, gboolean rollup)
{
	g_autoptr(GString) out = g_string_new(NULL);
	Linux *os = linux_guest_start(&f->g);
	gboolean ok = rollup ? linux_render_smaps_rollup(os, &f->task, NULL, out, NULL, &f->error)
			     : linux_render_smaps(os, &f->task, NULL, out, NULL, &f->error);

	return ok ? g_string_free(g_steal_pointer(&out), FALSE) : NULL;
}

/* What is said after each name, without those that are 0: "Rss=4 Pss=4 ...". */
static char *
figures(Fixture *f)
{
	g_autofree char *text = render(f, FALSE);
	GString *out = g_string_new(NULL);
	ck_assert_msg(text != NULL, "%s", f->error ? f->error->message : "");
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines + 4; *line; line++) {
		char name[64];
		guint value;
		if (sscanf(*line, "%63[^:]: %u kB", name, &value) == 2 && value)
			g_string_append_printf(out, "%s%s=%u", out->len ? " " : "", name, value);
	}
	return g_string_free(out, FALSE);
}

static void
expect(Fixture *f, const char *text)
{
	g_autofree char *got = figures(f);
	ck_assert_str_eq(got, text);
	teardown(f);
}

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

static guint64
add_file(Fixture *f, const char *ops, guint64 info)
{
	guint64 file = linux_guest_new(&f->g, LINUX_STRUCT_FILE);
	guint64 node = linux_guest_new(&f->g, LINUX_STRUCT_SHMEM_INODE);
	guint64 inode = linux_guest_at(&f->g, node, LINUX_FIELD_SHMEM_INODE_INODE);
	guint64 sb = linux_guest_new(&f->g, LINUX_STRUCT_SUPER_BLOCK);
	guint64 op = linux_guest_new(&f->g, LINUX_STRUCT_SUPER_OPERATIONS);

	linux_guest_symbol(&f->g, ops, op);
	linux_guest_put(&f->g, node, LINUX_FIELD_SHMEM_INODE_SWAPPED, 5);
	linux_guest_put(&f->g, sb, LINUX_FIELD_SUPER_BLOCK_OP, op);
	linux_guest_put(&f->g, sb, LINUX_FIELD_SUPER_BLOCK_FS_INFO, info);
	linux_guest_put(&f->g, inode, LINUX_FIELD_INODE_SB, sb);
	linux_guest_put(&f->g, file, LINUX_FIELD_FILE_INODE, inode);
	linux_guest_put(&f->g, f->vma, LINUX_FIELD_VMA_FILE, file);
	linux_guest_put(&f->g, f->vma, LINUX_FIELD_VMA_OPS, op);
	return file;
}

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
	tcase_add_test(t, huge_page_of_one_process);
	tcase_add_loop_test(t, huge_page_of_two_processes, 0, 2);
	tcase_add_test(t, part_of_a_large_page_knows_its_head);
	tcase_add_test(t, head_may_be_told_by_a_mask);
	tcase_add_loop_test(t, forbidden_huge_page_counts_where_the_kernel_counts_it, 0,
			    2 * G_N_ELEMENTS(forbidden));
	tcase_add_test(t, huge_page_of_zeros_is_nobodys);
	tcase_add_loop_test(t, pages_of_hugetlbfs_are_apart, 0, 2);
	tcase_add_test(t, swapped_pages_are_shared_too);
	tcase_add_test(t, swapped_pages_of_shared_memory_are_those_of_its_file);
	tcase_add_loop_test(t, huge_pages_come_where_they_may, 0, G_N_ELEMENTS(thp));
	tcase_add_test(t, names_of_flags_are_the_kernels_own);
	tcase_add_test(t, tables_that_map_more_than_there_is_end);
	tcase_add_test(t, page_without_a_description_is_not_counted);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
