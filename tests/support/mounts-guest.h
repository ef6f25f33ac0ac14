/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mounts-guest: a made-up guest with a task, file systems, and what is mounted where. */
#pragma once

#include <unit.h>

#include <linux-guest.h>

#define TYPES                                                                                      \
	"struct qstr 16 len@4:4 name@8:8\n"                                                        \
	"struct hlist_bl_node 16 next@0:8 pprev@8:8\n"                                             \
	"struct dentry 128 d_hash@0=hlist_bl_node d_parent@16:8 d_name@24=qstr d_inode@40:8\n"     \
	"struct inode 64 i_ino@0:8 i_private@8:8 i_mode@16:2 i_uid@20:4 i_gid@24:4\n"              \
	"struct ns_common 16 ops@0:8 inum@8:4\n"                                                   \
	"struct proc_ns_operations 8 name@0:8\n"                                                   \
	"struct vfsmount 32 mnt_root@0:8 mnt_sb@8:8 mnt_flags@16:4 mnt_idmap@24:8\n"               \
	"struct path 16 mnt@0:8 dentry@8:8\n"                                                      \
	"struct fs_struct 48 root@8=path pwd@24=path\n"                                            \
	"struct nsproxy 16 mnt_ns@8:8\n"                                                           \
	"struct task_struct 32 nsproxy@0:8 fs@8:8\n"                                               \
	"struct pid_namespace 16 child_reaper@8:8\n"                                               \
	"struct hlist_head 8 first@0:8\n"                                                          \
	"struct file_system_type 16 name@0:8 fs_supers@8=hlist_head\n"                             \
	"struct super_operations 32 show_options@8:8 show_path@16:8\n"                             \
	"struct super_block 64 s_dev@0:4 s_type@8:8 s_op@16:8 s_flags@24:8 s_subtype@32:8 "        \
	"s_fs_info@40:8 s_instances@48:8\n"                                                        \
	"struct shmem_sb_info 64 max_blocks@0:8 max_inodes@8:8 mode@16:2 huge@18:1 uid@20:4 "      \
	"gid@24:4 full_inums@28:1 noswap@29:1\n"                                                   \
	"struct proc_fs_info 32 pid_gid@0:4 hide_pid@4:4 pidonly@8:4\n"                            \
	"struct pts_mount_opts 32 setuid@0:4 setgid@4:4 uid@8:4 gid@12:4 mode@16:2 "               \
	"ptmxmode@18:2 max@20:4\n"                                                                 \
	"struct pts_fs_info 64 mount_opts@8=pts_mount_opts\n"                                      \
	"struct hstate 8 order@0:4\n"                                                              \
	"struct hugepage_subpool 16 max_hpages@0:8 min_hpages@8:8\n"                               \
	"struct hugetlbfs_sb_info 64 max_inodes@0:8 hstate@8:8 spool@16:8 uid@24:4 gid@28:4 "      \
	"mode@32:2\n"                                                                              \
	"struct debugfs_fs_info 16 uid@0:4 gid@4:4 mode@8:2\n"                                     \
	"struct ramfs_mount_opts 4 mode@0:2\n"                                                     \
	"struct ramfs_fs_info 4 mount_opts@0=ramfs_mount_opts\n"                                   \
	"struct bpf_mount_opts 8 uid@0:4\n"

#define MOUNT(rest)                                                                                \
	"struct mount 256 mnt_parent@16:8 mnt_mountpoint@24:8 mnt@32=vfsmount mnt_id@64:4 "        \
	"mnt_group_id@68:4 mnt_master@72:8 mnt_ns@80:8 mnt_devname@88:8 mnt_share@96:8 " rest "\n"

/* Two shapes: a list, with flags all in one place; a tree, with those of sharing apart. */
#define WITH_LIST                                                                                  \
	TYPES "struct list_head 16 next@0:8 prev@8:8\n"                                            \
	      "struct mnt_namespace 64 list@16=list_head mounts@32:4\n" MOUNT(                     \
		      "mnt_list@112=list_head")
#define WITH_TREE                                                                                  \
	TYPES "struct rb_node 24 __rb_parent_color@0:8 rb_right@8:8 rb_left@16:8\n"                \
	      "struct rb_root 8 rb_node@0:8\n"                                                     \
	      "enum T_SHARED=1 T_UNBINDABLE=2\n"                                                   \
	      "struct mnt_namespace 64 mounts@16=rb_root\n" MOUNT(                                 \
		      "mnt_node@112=rb_node mnt_t_flags@136:4")

typedef struct {
	LinuxGuest g;
	gboolean tree;
	guint64 ns, fs, op, symbols;
	guint64 links[16];
	guint n_links;
	guint64 top, root; /* the first mount, and its dentry */
	VmifsTask task;
	Linux *os; /* once it has started */
	GError *error;
} Fixture;

static inline guint64
add_super(Fixture *f, const char *type)
{
	guint64 sb = linux_guest_new(&f->g, LINUX_STRUCT_SUPER_BLOCK);
	guint64 fs_type = linux_guest_new(&f->g, LINUX_STRUCT_FILE_SYSTEM);

	linux_guest_put(&f->g, fs_type, LINUX_FIELD_FILE_SYSTEM_NAME,
			linux_guest_string(&f->g, type));
	linux_guest_put(&f->g, sb, LINUX_FIELD_SUPER_BLOCK_TYPE, fs_type);
	linux_guest_put(&f->g, sb, LINUX_FIELD_SUPER_BLOCK_OP,
			linux_guest_new(&f->g, LINUX_STRUCT_SUPER_OPERATIONS));
	linux_guest_put(&f->g, sb, LINUX_FIELD_SUPER_BLOCK_DEV, 8 << 20 | f->n_links);
	return sb;
}

/* parent 0: the top. Returns the mount. */
static inline guint64
add_mount(Fixture *f, guint64 sb, guint64 root, guint64 parent, guint64 mountpoint)
{
	LinuxGuest *g = &f->g;
	guint64 mount = linux_guest_new(g, LINUX_STRUCT_MOUNT);
	guint64 vfs = linux_guest_at(g, mount, LINUX_FIELD_MOUNT_MNT);

	linux_guest_put(g, vfs, LINUX_FIELD_VFSMOUNT_ROOT, root);
	linux_guest_put(g, vfs, LINUX_FIELD_VFSMOUNT_SB, sb);
	linux_guest_put(g, vfs, LINUX_FIELD_VFSMOUNT_IDMAP, f->symbols);
	linux_guest_put(g, mount, LINUX_FIELD_MOUNT_PARENT, parent ? parent : mount);
	linux_guest_put(g, mount, LINUX_FIELD_MOUNT_MOUNTPOINT, mountpoint ? mountpoint : root);
	linux_guest_put(g, mount, LINUX_FIELD_MOUNT_ID, 20 + f->n_links);
	linux_guest_put(g, mount, LINUX_FIELD_MOUNT_NS, f->ns);
	linux_guest_put(g, mount, LINUX_FIELD_MOUNT_DEVNAME, linux_guest_string(g, "dev"));
	guint64 share = linux_guest_at(g, mount, LINUX_FIELD_MOUNT_SHARE);
	linux_guest_u64(g, share, share);
	f->links[++f->n_links] =
		linux_guest_at(g, mount, f->tree ? LINUX_FIELD_MOUNT_NODE : LINUX_FIELD_MOUNT_LIST);
	return mount;
}

static inline guint64
vfs_of(Fixture *f, guint64 mount)
{
	return linux_guest_at(&f->g, mount, LINUX_FIELD_MOUNT_MNT);
}

static inline void
put_root(Fixture *f, guint64 mount, guint64 dentry)
{
	guint64 path = linux_guest_at(&f->g, f->fs, LINUX_FIELD_FS_ROOT);

	linux_guest_put(&f->g, path, LINUX_FIELD_PATH_MNT, vfs_of(f, mount));
	linux_guest_put(&f->g, path, LINUX_FIELD_PATH_DENTRY, dentry);
}

static inline void
setup(Fixture *f, gboolean tree)
{
	LinuxGuest *g = &f->g;

	*f = (Fixture){ .tree = tree };
	linux_guest_init(g, tree ? WITH_TREE : WITH_LIST);
	f->symbols = linux_guest_alloc(g, 4096);
	linux_guest_symbol(g, "nop_mnt_idmap", f->symbols);
	linux_guest_symbol(g, "_totalram_pages", f->symbols + 8);
	linux_guest_u64(g, f->symbols + 8, 2000);
	f->ns = linux_guest_new(g, LINUX_STRUCT_MNT_NAMESPACE);
	f->links[0] = f->ns + 16;
	f->fs = linux_guest_new(g, LINUX_STRUCT_FS);
	f->task.object = linux_guest_new(g, LINUX_STRUCT_TASK);
	guint64 nsproxy = linux_guest_new(g, LINUX_STRUCT_NSPROXY);
	linux_guest_put(g, nsproxy, LINUX_FIELD_NSPROXY_MNT, f->ns);
	linux_guest_put(g, f->task.object, LINUX_FIELD_TASK_NSPROXY, nsproxy);
	linux_guest_put(g, f->task.object, LINUX_FIELD_TASK_FS, f->fs);
	guint64 pid_ns = linux_guest_new(g, LINUX_STRUCT_PID_NAMESPACE);
	linux_guest_symbol(g, "init_pid_ns", pid_ns);
	linux_guest_put(g, pid_ns, LINUX_FIELD_PID_NAMESPACE_CHILD_REAPER, f->task.object);
	f->root = linux_guest_dentry(&f->g, 0, "/");
	f->top = add_mount(f, add_super(f, "ext9"), f->root, 0, 0);
	put_root(f, f->top, f->root);
}

static inline void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_clear_error(&f->error);
}

/* A balanced tree is not needed: each node is the right child of the one before. */
static inline void
tie(Fixture *f)
{
	if (!f->tree) {
		linux_guest_ring(&f->g, f->links, f->n_links + 1);
		return;
	}
	linux_guest_u64(&f->g, f->links[0], f->links[1]);
	for (guint i = 1; i < f->n_links; i++)
		linux_guest_put(&f->g, f->links[i], LINUX_FIELD_RB_NODE_RIGHT, f->links[i + 1]);
}

typedef LINUX_VIEW(Render);

static inline char *
text_of(Fixture *f, Render *render, gboolean of_task)
{
	g_autoptr(GString) out = g_string_new(NULL);

	if (!f->os)
		f->os = linux_guest_start(&f->g);
	if (!render(f->os, of_task ? &f->task : NULL, NULL, out, NULL, &f->error))
		return NULL;
	return g_string_free(g_steal_pointer(&out), FALSE);
}

static inline void
expect(Fixture *f, Render *render, const char *text)
{
	tie(f);
	g_autofree char *got = text_of(f, render, TRUE);
	ck_assert_msg(got != NULL, "%s", f->error ? f->error->message : "");
	ck_assert_str_eq(got, text);
	teardown(f);
}
