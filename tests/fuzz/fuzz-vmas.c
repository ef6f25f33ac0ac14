/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-vmas: mappings in a list or, where the first byte is odd, in a maple tree; the memory map
 * lies behind the first page.
 */
#include "kernel.h"

#define TYPES                                                                                      \
	"struct qstr 16 len@4:4 name@8:8\n"                                                        \
	"struct hlist_bl_node 16 next@0:8 pprev@8:8\n"                                             \
	"struct dentry 128 d_hash@0=hlist_bl_node d_parent@16:8 d_name@24=qstr d_inode@40:8 "      \
	"d_op@48:8 d_sb@56:8\n"                                                                    \
	"struct dentry_operations 16 d_dname@8:8\n"                                                \
	"struct super_block 8 s_dev@0:4\n"                                                         \
	"struct vfsmount 16 mnt_root@0:8 mnt_sb@8:8\n"                                             \
	"struct mount 64 mnt_parent@16:8 mnt_mountpoint@24:8 mnt@32=vfsmount\n"                    \
	"struct path 16 mnt@0:8 dentry@8:8\n"                                                      \
	"struct file 48 f_path@0=path f_inode@16:8 f_mode@24:4\n"                                  \
	"struct backing_file 64 user_path@48=path\n"                                               \
	"struct inode 32 i_ino@0:8 i_sb@8:8\n"                                                     \
	"struct vm_operations_struct 16 name@8:8\n"                                                \
	"struct vm_special_mapping 8 name@0:8\n"                                                   \
	"struct anon_vma_name 8 name@4:1x0\n"                                                      \
	"struct mm_context_t 8 flags@0:8\n"                                                        \
	"struct vm_area_struct 128 vm_start@0:8 vm_end@8:8 vm_next@16:8 vm_flags@24:8 "            \
	"vm_pgoff@32:8 vm_file@40:8 vm_ops@48:8 vm_private_data@56:8 anon_name@64:8 shared@72:8\n"

#define MM_TYPES "brk@8:8 start_brk@16:8 start_stack@24:8 context@32=mm_context_t"

#define LIST_TYPES TYPES "struct mm_struct 64 mmap@0:8 " MM_TYPES "\n"

#define TREE_TYPES                                                                                 \
	TYPES "struct maple_tree 16 ma_root@8:8\n"                                                 \
	      "struct maple_range_64 256 pivot@8:8x15 slot@128:8x16\n"                             \
	      "struct maple_arange_64 256 pivot@8:8x9 slot@80:8x10\n"                              \
	      "struct maple_node 256 mr64@0=maple_range_64 ma64@0=maple_arange_64\n"               \
	      "struct mm_struct 64 mm_mt@48=maple_tree " MM_TYPES "\n"

static const FuzzSymbol symbols[] = { { "special_mapping_name", 0x100 } };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	FuzzKernel k;
	VmifsTask task = { .pid = 1, .tgid = 1, .mm = FUZZ_PAGE };

	if (!fuzz_kernel_init(&k, LIST_TYPES, TREE_TYPES, symbols, G_N_ELEMENTS(symbols), data,
			      len))
		return 0;
	g_autoptr(GArray) vmas = g_array_new(FALSE, FALSE, sizeof(VmifsVma));
	g_autoptr(GString) text = g_string_new(NULL);
	guint64 end = 0;

	g_array_set_clear_func(vmas, (GDestroyNotify) vmifs_vma_clear);
	linux_vmas(&k.os, &task, vmas, NULL, NULL);
	for (guint i = 0; i < vmas->len; i++) {
		const VmifsVma *vma = &g_array_index(vmas, VmifsVma, i);
		g_assert(vma->start >= end && vma->end > vma->start);
		end = vma->end;
	}
	linux_render_maps(&k.os, &task, NULL, text, NULL, NULL);
	g_string_truncate(text, 0);
	linux_render_task_modules(&k.os, &task, NULL, text, NULL, NULL);
	g_assert(!strpbrk(text->str, "\033\177\r"));
	fuzz_kernel_clear(&k);
	return 0;
}
