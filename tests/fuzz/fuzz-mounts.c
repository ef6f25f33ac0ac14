/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-mounts: a task, behind the first page: its mounts, cgroups, and what it has open. The
 * input's first byte chooses how its kernel keeps mounts: in a list, or in a tree. */
#include "kernel.h"

#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct rb_node 24 rb_right@8:8 rb_left@16:8\n"                                            \
	"struct rb_root 8 rb_node@0:8\n"                                                           \
	"struct rb_root_cached 8 rb_root@0=rb_root\n"                                              \
	"struct qstr 16 len@4:4 name@8:8\n"                                                        \
	"struct hlist_bl_node 16 next@0:8 pprev@8:8\n"                                             \
	"struct path 16 mnt@0:8 dentry@8:8\n"                                                      \
	"struct task_struct 64 nsproxy@0:8 fs@8:8 files@16:8 cgroups@24:8 flags@32:4\n"            \
	"struct pid_namespace 16 child_reaper@8:8\n"                                               \
	"struct nsproxy 32 mnt_ns@8:8 cgroup_ns@16:8\n"                                            \
	"struct cgroup_namespace 16 root_cset@8:8\n"                                               \
	"struct fs_struct 32 root@8=path\n"                                                        \
	"struct vfsmount 24 mnt_root@0:8 mnt_sb@8:8 mnt_flags@16:4\n"                              \
	"struct dentry 64 d_hash@0=hlist_bl_node d_parent@16:8 d_name@24=qstr d_inode@40:8\n"      \
	"struct inode 64 i_ino@0:8 i_sb@8:8 i_flctx@16:8 i_generation@24:4 "                       \
	"i_fsnotify_marks@32:8 i_private@40:8\n"                                                   \
	"struct super_block 64 s_dev@0:4 s_type@8:8 s_op@16:8 s_flags@24:8 s_subtype@32:8 "        \
	"s_fs_info@40:8 s_export_op@48:8\n"                                                        \
	"struct file_system_type 8 name@0:8\n"                                                     \
	"struct super_operations 16 show_options@0:8 show_path@8:8\n"                              \
	"struct shmem_sb_info 32 max_blocks@0:8 max_inodes@8:8 mode@16:2 huge@18:1 uid@20:4 "      \
	"gid@24:4\n"                                                                               \
	"struct kernfs_super_info 8 root@0:8\n"                                                    \
	"struct kernfs_root 16 kn@0:8 syscall_ops@8:8\n"                                           \
	"struct kernfs_syscall_ops 16 show_options@0:8 show_path@8:8\n"                            \
	"struct kernfs_node 32 parent@0:8 name@8:8 priv@16:8 id@24:8\n"                            \
	"struct css_set 32 dfl_cgrp@0:8 cgrp_links@8=list_head\n"                                  \
	"struct cgrp_cset_link 32 cgrp@0:8 cgrp_link@8=list_head\n"                                \
	"struct cgroup_subsys_state 16 cgroup@0:8 flags@8:4\n"                                     \
	"struct cgroup 48 self@0=cgroup_subsys_state flags@16:8 kn@24:8 root@32:8\n"               \
	"struct cgroup_root 128 subsys_mask@0:4 hierarchy_id@4:4 root_list@8=list_head "           \
	"cgrp@24=cgroup flags@72:4 release_agent_path@76:1x16 name@92:1x16\n"                      \
	"struct cgroup_subsys 8 legacy_name@0:8\n"                                                 \
	"struct file_operations 8 show_fdinfo@0:8\n"                                               \
	"struct file 64 f_path@0=path f_inode@16:8 f_op@24:8 f_flags@32:4 f_pos@40:8 "             \
	"private_data@48:8\n"                                                                      \
	"struct fdtable 24 max_fds@0:4 fd@8:8 close_on_exec@16:8\n"                                \
	"struct files_struct 16 fdt@8:8\n"                                                         \
	"struct eventpoll 8 rbr@0=rb_root_cached\n"                                                \
	"struct epoll_filefd 12 file@0:8 fd@8:4\n"                                                 \
	"struct epoll_event 12 events@0:4 data@4:8\n"                                              \
	"struct epitem 48 rbn@0=rb_node ffd@24=epoll_filefd event@36=epoll_event\n"                \
	"struct fsnotify_group 16 marks_list@0=list_head\n"                                        \
	"struct fsnotify_mark 40 g_list@0=list_head connector@16:8 mask@24:4 flags@28:4\n"         \
	"struct inotify_inode_mark 40 fsn_mark@0=fsnotify_mark wd@36:4\n"                          \
	"struct fsnotify_mark_connector 8 obj@0:8\n"                                               \
	"struct file_lock_context 48 flc_flock@0=list_head flc_posix@16=list_head "                \
	"flc_lease@32=list_head\n"                                                                 \
	"struct file_lock 64 fl_list@0=list_head fl_owner@16:8 fl_flags@24:4 fl_type@28:1 "        \
	"fl_pid@32:4 fl_file@40:8 fl_start@48:8 fl_end@56:8\n"                                     \
	"enum CGROUP_SUBSYS_COUNT=4 CSS_ONLINE=2 CGRP_ROOT_NS_DELEGATE=8\n"

#define MOUNT                                                                                      \
	"struct mount 128 mnt_parent@0:8 mnt_mountpoint@8:8 mnt@16=vfsmount mnt_id@40:4 "          \
	"mnt_group_id@44:4 mnt_master@48:8 mnt_ns@56:8 mnt_devname@64:8 mnt_share@72:8 "

static const char *const types[] = {
	TYPES "struct mnt_namespace 32 list@8=list_head\n" MOUNT "mnt_list@88=list_head\n",
	TYPES "struct mnt_namespace 32 mounts@8=rb_root\n" MOUNT "mnt_node@88=rb_node\n",
};

static const FuzzSymbol symbols[] = {
	{ "shmem_show_options", 0x100 },       { "kernfs_sop_show_options", 0x110 },
	{ "kernfs_sop_show_path", 0x120 },     { "cgroup_show_options", 0x130 },
	{ "cgroup1_show_options", 0x140 },     { "cgroup_show_path", 0x150 },
	{ "ep_show_fdinfo", 0x160 },           { "inotify_show_fdinfo", 0x170 },
	{ "shmem_encode_fh", 0x180 },          { "init_pid_ns", FUZZ_PAGE + 64 },
	{ "_totalram_pages", FUZZ_PAGE + 80 }, { "cgrp_dfl_visible", FUZZ_PAGE + 88 },
	{ "cgroup_roots", FUZZ_PAGE + 96 },    { "cgroup_subsys", FUZZ_PAGE + 112 },
	{ "init_css_set", FUZZ_PAGE + 144 },   { "cgrp_dfl_root", FUZZ_PAGE + 256 },
};

static void
render_files(FuzzKernel *k, const VmifsTask *task, GString *text)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

	linux_list_fd(&k->os, task, names, NULL, NULL);
	for (guint i = 0; i < MIN(names->len, 16); i++)
		linux_render_fdinfo(&k->os, task, g_ptr_array_index(names, i), text, NULL, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VmifsTask task = { .pid = 1, .tgid = 1, .object = FUZZ_PAGE };
	FuzzKernel k;

	if (!fuzz_kernel_init(&k, types[0], types[1], symbols, G_N_ELEMENTS(symbols), data, len))
		return 0;
	g_autoptr(GString) text = g_string_new(NULL);
	linux_render_mountinfo(&k.os, &task, NULL, text, NULL, NULL);
	linux_render_mounts(&k.os, NULL, NULL, text, NULL, NULL);
	linux_render_mountstats(&k.os, &task, NULL, text, NULL, NULL);
	linux_render_cgroup(&k.os, &task, NULL, text, NULL, NULL);
	render_files(&k, &task, text);
	/* Of what is a path, each line ends. */
	g_assert(!text->len || text->str[text->len - 1] == '\n');
	fuzz_kernel_clear(&k);
	return 0;
}
