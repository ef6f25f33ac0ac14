/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-files: a task, behind the first page, what it has open, and paths through the mount tree. */
#include "kernel.h"

#define TYPES                                                                                      \
	"struct qstr 16 len@4:4 name@8:8\n"                                                        \
	"struct hlist_bl_node 16 next@0:8 pprev@8:8\n"                                             \
	"struct inode 32 i_ino@0:8\n"                                                              \
	"struct dentry 128 d_hash@0=hlist_bl_node d_parent@16:8 d_name@24=qstr d_inode@40:8 "      \
	"d_op@48:8\n"                                                                              \
	"struct dentry_operations 16 d_dname@8:8\n"                                                \
	"struct vfsmount 16 mnt_root@0:8\n"                                                        \
	"struct mount 64 mnt_parent@16:8 mnt_mountpoint@24:8 mnt@32=vfsmount\n"                    \
	"struct path 16 mnt@0:8 dentry@8:8\n"                                                      \
	"struct file 48 f_path@16=path\n"                                                          \
	"struct fs_struct 48 root@8=path pwd@24=path\n"                                            \
	"struct fdtable 16 max_fds@0:4 fd@8:8\n"                                                   \
	"struct files_struct 16 fdt@8:8\n"                                                         \
	"struct pid_namespace 16 child_reaper@8:8\n"                                               \
	"struct mm_struct 16 exe_file@8:8\n"                                                       \
	"struct task_struct 32 files@0:8 fs@8:8 mm@16:8\n"

static const FuzzSymbol symbols[] = { { "init_pid_ns", FUZZ_PAGE + 64 },
				      { "pipefs_dname", 0x100 },
				      { "sockfs_dname", 0x110 },
				      { "simple_dname", 0x120 },
				      { "ns_dname", 0x130 } };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	FuzzKernel k;
	VmifsTask task = { .pid = 1, .tgid = 1, .object = FUZZ_PAGE, .mm = FUZZ_PAGE + 32 };

	if (!fuzz_kernel_init(&k, TYPES, NULL, symbols, G_N_ELEMENTS(symbols), data, len))
		return 0;
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GString) text = g_string_new(NULL);

	linux_list_fd(&k.os, &task, names, NULL, NULL);
	for (guint i = 0; i < MIN(names->len, 16); i++)
		linux_render_fd(&k.os, &task, g_ptr_array_index(names, i), text, NULL, NULL);
	linux_render_exe(&k.os, &task, NULL, text, NULL, NULL);
	linux_render_cwd(&k.os, &task, NULL, text, NULL, NULL);
	linux_render_root(&k.os, &task, NULL, text, NULL, NULL);
	fuzz_kernel_clear(&k);
	return 0;
}
