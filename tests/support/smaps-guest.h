/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smaps-guest: a guest with a process of one mapping, whose tables and pages a test describes. */
#pragma once

#include <unit.h>

#include <linux-guest.h>
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

static inline guint64
add_table(Fixture *f)
{
	guint64 va = linux_guest_alloc(&f->g, 8192);

	return (va + 4095) & ~4095ULL;
}

static inline guint64
entry_of(guint64 va)
{
	return (va - LINUX_GUEST_BASE) | PRESENT;
}

static inline guint64
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
static inline void
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

static inline void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_clear_error(&f->error);
}

static inline guint64
page_at(Fixture *f, guint pfn)
{
	return f->array + pfn * 64ULL;
}

static inline void
put_page(Fixture *f, guint pfn, guint64 flags, guint64 mapping, guint refs, guint maps)
{
	linux_guest_put(&f->g, page_at(f, pfn), LINUX_FIELD_PAGE_FLAGS, flags);
	linux_guest_put(&f->g, page_at(f, pfn), LINUX_FIELD_PAGE_MAPPING, mapping);
	linux_guest_put(&f->g, page_at(f, pfn), LINUX_FIELD_PAGE_REFCOUNT, refs);
	linux_guest_put(&f->g, page_at(f, pfn), LINUX_FIELD_PAGE_MAPCOUNT, maps - 1);
}

static inline void
put_entry(Fixture *f, guint index, guint pfn, guint64 bits)
{
	linux_guest_u64(&f->g, f->entries + index * 8ULL, (guint64) pfn << 12 | PRESENT | bits);
}

static inline char *
render(Fixture *f, gboolean rollup)
{
	g_autoptr(GString) out = g_string_new(NULL);
	Linux *os = linux_guest_start(&f->g);
	gboolean ok = rollup ? linux_render_smaps_rollup(os, &f->task, NULL, out, NULL, &f->error)
			     : linux_render_smaps(os, &f->task, NULL, out, NULL, &f->error);

	return ok ? g_string_free(g_steal_pointer(&out), FALSE) : NULL;
}

/* What is said after each name, without those that are 0: "Rss=4 Pss=4 ...". */
static inline char *
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

static inline void
expect(Fixture *f, const char *text)
{
	g_autofree char *got = figures(f);
	ck_assert_str_eq(got, text);
	teardown(f);
}

static inline guint64
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
