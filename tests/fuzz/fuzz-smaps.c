/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-smaps: a process's mappings in a list, its page tables, the descriptions of pages and what
 * was swapped out; the memory map lies behind the first page.
 */
#include "kernel.h"

#include <os/linux/smaps.h>

#define TYPES                                                                                      \
	"struct mm_struct 64 mmap@0:8 pgd@8:8 flags@16:8 brk@24:8 start_brk@32:8 "                 \
	"start_stack@40:8\n"                                                                       \
	"struct vm_area_struct 64 vm_start@0:8 vm_end@8:8 vm_next@16:8 vm_flags@24:8 "             \
	"vm_pgoff@32:8 vm_file@40:8 vm_ops@48:8 vm_private_data@56:8\n"                            \
	"struct path 16 mnt@0:8 dentry@8:8\n"                                                      \
	"struct file 32 f_path@0=path f_inode@16:8 f_mode@24:4\n"                                  \
	"struct inode 32 i_ino@0:8 i_sb@8:8\n"                                                     \
	"struct super_operations 8 show_options@0:8\n"                                             \
	"struct super_block 32 s_dev@0:4 s_op@8:8 s_fs_info@16:8\n"                                \
	"struct hstate 8 order@0:4\n"                                                              \
	"struct hugetlbfs_sb_info 16 hstate@8:8\n"                                                 \
	"struct shmem_sb_info 8 huge@0:1\n"                                                        \
	"struct shmem_inode_info 64 swapped@8:8 vfs_inode@16=inode\n"                              \
	"struct swap_info_struct 16 max@0:4 swap_map@8:8\n"                                        \
	"enum TRANSPARENT_HUGEPAGE_FLAG=1 TRANSPARENT_HUGEPAGE_REQ_MADV_FLAG=2\n"

#define OLD_TYPES                                                                                  \
	TYPES "struct page 64 flags@0:8 compound_head@8:8 compound_mapcount@16:4 mapping@24:8 "    \
	      "_mapcount@48:4 _refcount@52:4\n"                                                    \
	      "enum PG_referenced=1 PG_dirty=3 PG_double_map=6 PG_swapbacked=19 PG_head=16\n"

#define NEW_TYPES                                                                                  \
	TYPES "struct page 64 flags@0:8 compound_info@8:8 mapping@24:8 _mapcount@48:4 "            \
	      "_refcount@52:4\n"                                                                   \
	      "struct folio 128 _entire_mapcount@84:4\n"                                           \
	      "enum PG_referenced=2 PG_dirty=4 PG_swapbacked=17 PG_young=21\n"

static const FuzzSymbol symbols[] = {
	{ "vmemmap_base", 0x10 },
	{ "swap_info", 0x18 },
	{ "nr_swapfiles", 0x20 },
	{ "huge_zero_pfn", 0x28 },
	{ "shmem_ops", 0x30 },
	{ "shmem_huge", 0x38 },
	{ "boot_cpu_data", 0x40 },
	{ "huge_anon_orders_always", 0x50 },
	{ "transparent_hugepage_flags", 0x58 },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	FuzzKernel k;
	VmifsTask task = { .pid = 1, .tgid = 1, .mm = FUZZ_PAGE };

	if (!fuzz_kernel_init(&k, OLD_TYPES, NEW_TYPES, symbols, G_N_ELEMENTS(symbols), data, len))
		return 0;
	g_autoptr(GString) text = g_string_new(NULL);

	linux_render_smaps(&k.os, &task, NULL, text, NULL, NULL);
	g_string_truncate(text, 0);
	linux_render_smaps_rollup(&k.os, &task, NULL, text, NULL, NULL);
	g_assert(!strpbrk(text->str, "\033\177\r"));
	fuzz_kernel_clear(&k);
	return 0;
}
