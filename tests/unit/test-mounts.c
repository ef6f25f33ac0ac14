/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mounts: which ones a task sees, and what is said of each; super: what file systems add. */
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

static guint64
add_dentry(Fixture *f, guint64 parent, const char *name)
{
	guint64 dentry = linux_guest_new(&f->g, LINUX_STRUCT_DENTRY);

	linux_guest_put(&f->g, dentry, LINUX_FIELD_DENTRY_PARENT, parent ? parent : dentry);
	linux_guest_put(&f->g, dentry, LINUX_FIELD_DENTRY_HASH_PPREV, 1);
	linux_guest_put(&f->g, dentry, LINUX_FIELD_DENTRY_NAME, linux_guest_string(&f->g, name));
	linux_guest_put(&f->g, dentry, LINUX_FIELD_DENTRY_NAME_LEN, strlen(name));
	return dentry;
}

static guint64
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
static guint64
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

static guint64
vfs_of(Fixture *f, guint64 mount)
{
	return linux_guest_at(&f->g, mount, LINUX_FIELD_MOUNT_MNT);
}

static void
put_root(Fixture *f, guint64 mount, guint64 dentry)
{
	guint64 path = linux_guest_at(&f->g, f->fs, LINUX_FIELD_FS_ROOT);

	linux_guest_put(&f->g, path, LINUX_FIELD_PATH_MNT, vfs_of(f, mount));
	linux_guest_put(&f->g, path, LINUX_FIELD_PATH_DENTRY, dentry);
}

static void
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
	f->root = add_dentry(f, 0, "/");
	f->top = add_mount(f, add_super(f, "ext9"), f->root, 0, 0);
	put_root(f, f->top, f->root);
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_clear_error(&f->error);
}

/* A balanced tree is not needed: each node is the right child of the one before. */
static void
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

static char *
text_of(Fixture *f, Render *render, gboolean of_task)
{
	g_autoptr(GString) out = g_string_new(NULL);

	if (!f->os)
		f->os = linux_guest_start(&f->g);
	if (!render(f->os, of_task ? &f->task : NULL, NULL, out, NULL, &f->error))
		return NULL;
	return g_string_free(g_steal_pointer(&out), FALSE);
}

static void
expect(Fixture *f, Render *render, const char *text)
{
	tie(f);
	g_autofree char *got = text_of(f, render, TRUE);
	ck_assert_msg(got != NULL, "%s", f->error ? f->error->message : "");
	ck_assert_str_eq(got, text);
	teardown(f);
}

START_TEST(mounts_come_in_order)
{
	Fixture f;
	setup(&f, _i);
	guint64 mnt = add_dentry(&f, f.root, "m\tt #\\");
	guint64 disk = add_dentry(&f, 0, "/");
	guint64 folder = add_dentry(&f, disk, "a b");
	guint64 sb = add_super(&f, "fuse");
	linux_guest_put(&f.g, sb, LINUX_FIELD_SUPER_BLOCK_SUBTYPE, linux_guest_string(&f.g, "x"));
	linux_guest_put(&f.g, sb, LINUX_FIELD_SUPER_BLOCK_FLAGS, 1 | 1 << 4 | 1 << 25);
	guint64 inner = add_mount(&f, sb, folder, f.top, mnt);
	linux_guest_put(&f.g, vfs_of(&f, inner), LINUX_FIELD_VFSMOUNT_FLAGS, 0xbf);
	expect(&f, linux_render_mountinfo,
	       "20 20 8:0 / / rw - ext9 dev rw\n"
	       "21 20 8:1 /a\\040b /m\\011t\\040#\\134 rw,nosuid,nodev,noexec,noatime,"
	       "nodiratime,relatime,nosymfollow - fuse.x dev ro,sync,lazytime\n");
}
END_TEST

START_TEST(other_forms_show_the_same)
{
	Fixture f;
	setup(&f, _i);
	guint64 mnt = add_dentry(&f, f.root, "mnt");
	guint64 sb = add_super(&f, "none");
	guint64 inner = add_mount(&f, sb, add_dentry(&f, 0, "/"), f.top, mnt);
	linux_guest_put(&f.g, sb, LINUX_FIELD_SUPER_BLOCK_FLAGS, 1);
	linux_guest_put(&f.g, inner, LINUX_FIELD_MOUNT_DEVNAME, 0);
	linux_guest_put(&f.g, vfs_of(&f, inner), LINUX_FIELD_VFSMOUNT_IDMAP, 0x123);
	tie(&f);
	g_autofree char *mounts = text_of(&f, linux_render_mounts, FALSE);
	g_autofree char *stats = text_of(&f, linux_render_mountstats, TRUE);
	ck_assert_str_eq(mounts, "dev / ext9 rw 0 0\nnone /mnt none ro,idmapped 0 0\n");
	ck_assert_str_eq(stats, "device dev mounted on / with fstype ext9\n"
				"no device mounted on /mnt with fstype none\n");
	teardown(&f);
}
END_TEST

START_TEST(what_a_root_cannot_see_is_not_shown)
{
	Fixture f;
	setup(&f, _i);
	guint64 jail = add_dentry(&f, f.root, "jail");
	guint64 mnt = add_dentry(&f, jail, "mnt"), other = add_dentry(&f, f.root, "other");
	add_mount(&f, add_super(&f, "in"), add_dentry(&f, 0, "/"), f.top, mnt);
	add_mount(&f, add_super(&f, "out"), add_dentry(&f, 0, "/"), f.top, other);
	put_root(&f, f.top, jail);
	expect(&f, linux_render_mounts, "dev /mnt in rw 0 0\n");
}
END_TEST

static void
put_sharing(Fixture *f, guint64 mount, gboolean shared, guint group, guint64 master)
{
	if (f->tree)
		linux_guest_put(&f->g, mount, LINUX_FIELD_MOUNT_T_FLAGS, shared ? 1 : 2);
	else
		linux_guest_put(&f->g, vfs_of(f, mount), LINUX_FIELD_VFSMOUNT_FLAGS,
				shared ? 0x1000 : 0x2000);
	linux_guest_put(&f->g, mount, LINUX_FIELD_MOUNT_GROUP_ID, group);
	linux_guest_put(&f->g, mount, LINUX_FIELD_MOUNT_MASTER, master);
}

START_TEST(propagation_is_told)
{
	Fixture f;
	setup(&f, _i);
	/* A master elsewhere, whose own master is seen here as the top. */
	guint64 hidden = add_mount(&f, add_super(&f, "x"), add_dentry(&f, 0, "/"), 0, 0);
	linux_guest_put(&f.g, hidden, LINUX_FIELD_MOUNT_NS, 0x1000);
	f.n_links--;
	put_sharing(&f, f.top, TRUE, 7, 0);
	put_sharing(&f, hidden, TRUE, 8, f.top);
	guint64 slave = add_mount(&f, add_super(&f, "y"), add_dentry(&f, 0, "/"), f.top,
				  add_dentry(&f, f.root, "s"));
	put_sharing(&f, slave, FALSE, 0, hidden);
	expect(&f, linux_render_mountinfo,
	       "20 20 8:0 / / rw shared:7 - ext9 dev rw\n"
	       "21 20 8:1 / /s rw master:8 propagate_from:7 unbindable - y dev rw\n");
}
END_TEST

START_TEST(masters_in_a_circle_end)
{
	Fixture f;
	setup(&f, _i);
	guint64 hidden = add_mount(&f, add_super(&f, "x"), add_dentry(&f, 0, "/"), 0, 0);
	linux_guest_put(&f.g, hidden, LINUX_FIELD_MOUNT_NS, 0x1000);
	f.n_links--;
	put_sharing(&f, hidden, TRUE, 8, hidden);
	put_sharing(&f, f.top, TRUE, 7, hidden);
	expect(&f, linux_render_mountinfo, "20 20 8:0 / / rw shared:7 master:8 - ext9 dev rw\n");
}
END_TEST

START_TEST(peers_in_a_circle_without_the_first_end)
{
	Fixture f;
	setup(&f, _i);
	guint64 hidden = add_mount(&f, add_super(&f, "x"), add_dentry(&f, 0, "/"), 0, 0);
	guint64 peer = add_mount(&f, add_super(&f, "x"), add_dentry(&f, 0, "/"), 0, 0);
	f.n_links -= 2;
	linux_guest_put(&f.g, hidden, LINUX_FIELD_MOUNT_NS, 0x1000);
	linux_guest_put(&f.g, peer, LINUX_FIELD_MOUNT_NS, 0x1000);
	linux_guest_u64(&f.g, linux_guest_at(&f.g, hidden, LINUX_FIELD_MOUNT_SHARE),
			linux_guest_at(&f.g, peer, LINUX_FIELD_MOUNT_SHARE));
	put_sharing(&f, f.top, TRUE, 7, hidden);
	tie(&f);
	ck_assert_ptr_null(text_of(&f, linux_render_mountinfo, TRUE));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	teardown(&f);
}
END_TEST

START_TEST(cursor_of_a_reader_is_no_mount)
{
	Fixture f;
	setup(&f, FALSE);
	guint64 cursor = add_mount(&f, 0, 0, 0, 0);
	linux_guest_put(&f.g, vfs_of(&f, cursor), LINUX_FIELD_VFSMOUNT_FLAGS, 0x10000000);
	expect(&f, linux_render_mounts, "dev / ext9 rw 0 0\n");
}
END_TEST

START_TEST(task_that_has_ended_has_none)
{
	Fixture f;
	setup(&f, _i);
	linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_NSPROXY, 0);
	tie(&f);
	ck_assert_ptr_null(text_of(&f, linux_render_mounts, TRUE));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_INVALID));
	teardown(&f);
}
END_TEST

START_TEST(mount_that_cannot_be_read_is_left_out)
{
	Fixture f;
	setup(&f, _i);
	add_mount(&f, 0x1000, add_dentry(&f, 0, "/"), f.top, add_dentry(&f, f.root, "bad"));
	add_mount(&f, add_super(&f, "good"), add_dentry(&f, 0, "/"), f.top,
		  add_dentry(&f, f.root, "good"));
	tie(&f);
	g_autofree char *text = text_of(&f, linux_render_mounts, TRUE);
	g_autofree char *log = linux_guest_log(&f.g);
	ck_assert_str_eq(text, "dev / ext9 rw 0 0\ndev /good good rw 0 0\n");
	ck_assert_ptr_nonnull(strstr(log, "mount at "));
	teardown(&f);
}
END_TEST

START_TEST(circle_ends_and_keeps_what_was_found)
{
	Fixture f;
	setup(&f, _i);
	add_mount(&f, add_super(&f, "x"), add_dentry(&f, 0, "/"), f.top,
		  add_dentry(&f, f.root, "x"));
	tie(&f);
	if (_i)
		linux_guest_put(&f.g, f.links[2], LINUX_FIELD_RB_NODE_LEFT, f.links[1]);
	else
		linux_guest_u64(&f.g, f.links[2], f.links[1]);
	g_autofree char *text = text_of(&f, linux_render_mounts, TRUE);
	ck_assert_msg(text && g_str_has_prefix(text, "dev / ext9 rw 0 0\n"), "%s", text);
	g_autofree char *log = linux_guest_log(&f.g);
	ck_assert_ptr_nonnull(strstr(log, "mounts: "));
	teardown(&f);
}
END_TEST

/* ---- what file systems add ---- */

static void
put_shmem(Fixture *f, guint64 info)
{
	linux_guest_put(&f->g, info, LINUX_FIELD_SHMEM_MAX_BLOCKS, 1000);
	linux_guest_put(&f->g, info, LINUX_FIELD_SHMEM_MAX_INODES, 1000);
	linux_guest_put(&f->g, info, LINUX_FIELD_SHMEM_MODE, 01777);
	linux_guest_put(&f->g, info, LINUX_FIELD_SHMEM_FULL_INUMS, 1);
}

static void
put_shmem_all(Fixture *f, guint64 info)
{
	linux_guest_put(&f->g, info, LINUX_FIELD_SHMEM_MAX_BLOCKS, 16);
	linux_guest_put(&f->g, info, LINUX_FIELD_SHMEM_MAX_INODES, 5);
	linux_guest_put(&f->g, info, LINUX_FIELD_SHMEM_MODE, 055);
	linux_guest_put(&f->g, info, LINUX_FIELD_SHMEM_UID, 1);
	linux_guest_put(&f->g, info, LINUX_FIELD_SHMEM_GID, G_MAXUINT32);
	linux_guest_put(&f->g, info, LINUX_FIELD_SHMEM_HUGE, 2);
	linux_guest_put(&f->g, info, LINUX_FIELD_SHMEM_NOSWAP, 1);
}

static void
put_proc(Fixture *f, guint64 info)
{
	linux_guest_put(&f->g, info, LINUX_FIELD_PROCFS_GID, 4);
	linux_guest_put(&f->g, info, LINUX_FIELD_PROCFS_HIDE_PID, 2);
	linux_guest_put(&f->g, info, LINUX_FIELD_PROCFS_PIDONLY, 1);
}

static void
put_devpts(Fixture *f, guint64 info)
{
	linux_guest_put(&f->g, info, LINUX_FIELD_DEVPTS_SETGID, 1);
	linux_guest_put(&f->g, info, LINUX_FIELD_DEVPTS_GID, 5);
	linux_guest_put(&f->g, info, LINUX_FIELD_DEVPTS_MODE, 0620);
	linux_guest_put(&f->g, info, LINUX_FIELD_DEVPTS_MAX, 1 << 20);
}

static void
put_hugetlbfs(Fixture *f, guint64 info)
{
	guint64 hstate = linux_guest_new(&f->g, LINUX_STRUCT_HSTATE);
	guint64 pool = linux_guest_new(&f->g, LINUX_STRUCT_SUBPOOL);

	linux_guest_put(&f->g, hstate, LINUX_FIELD_HSTATE_ORDER, 9);
	linux_guest_put(&f->g, pool, LINUX_FIELD_SUBPOOL_MAX_HPAGES, 3);
	linux_guest_put(&f->g, pool, LINUX_FIELD_SUBPOOL_MIN_HPAGES, G_MAXUINT64);
	linux_guest_put(&f->g, info, LINUX_FIELD_HUGETLBFS_HSTATE, hstate);
	linux_guest_put(&f->g, info, LINUX_FIELD_HUGETLBFS_SPOOL, pool);
	linux_guest_put(&f->g, info, LINUX_FIELD_HUGETLBFS_MAX_INODES, G_MAXUINT64);
	linux_guest_put(&f->g, info, LINUX_FIELD_HUGETLBFS_MODE, 0700);
}

static void
put_debugfs(Fixture *f, guint64 info)
{
	linux_guest_put(&f->g, info, LINUX_FIELD_DEBUGFS_MODE, 0755);
}

static void
put_ramfs(Fixture *f, guint64 info)
{
	linux_guest_put(&f->g, info, LINUX_FIELD_RAMFS_MODE, 01777);
}

static const struct {
	const char *function;
	LinuxStruct info;
	void (*put)(Fixture *f, guint64 info);
	const char *options;
} supers[] = {
	{ "shmem_show_options", LINUX_STRUCT_SHMEM, put_shmem, ",inode64" },
	{ "shmem_show_options", LINUX_STRUCT_SHMEM, put_shmem_all,
	  ",size=64k,nr_inodes=5,mode=055,uid=1,gid=4294967295,inode32,huge=within_size,noswap" },
	{ "proc_show_options", LINUX_STRUCT_PROCFS, put_proc,
	  ",gid=4,hidepid=invisible,subset=pid" },
	{ "devpts_show_options", LINUX_STRUCT_DEVPTS, put_devpts, ",gid=5,mode=620,ptmxmode=000" },
	{ "hugetlbfs_show_options", LINUX_STRUCT_HUGETLBFS, put_hugetlbfs,
	  ",mode=700,pagesize=2M,size=6291456" },
	{ "debugfs_show_options", LINUX_STRUCT_DEBUGFS, put_debugfs, ",mode=755" },
	{ "ramfs_show_options", LINUX_STRUCT_RAMFS, put_ramfs, ",mode=1777" },
	{ "unknown_show_options", LINUX_STRUCT_RAMFS, put_ramfs, "" },
};

START_TEST(options_of_a_file_system)
{
	Fixture f;
	setup(&f, FALSE);
	guint64 sb = add_super(&f, "x"), op = linux_guest_new(&f.g, LINUX_STRUCT_SUPER_OPERATIONS);
	guint64 info = linux_guest_new(&f.g, supers[_i].info);
	linux_guest_put(&f.g, sb, LINUX_FIELD_SUPER_BLOCK_OP, op);
	linux_guest_put(&f.g, op, LINUX_FIELD_SUPER_OPERATIONS_SHOW_OPTIONS, f.symbols + 0x100);
	linux_guest_symbol(&f.g, supers[_i].function, f.symbols + 0x100);
	linux_guest_put(&f.g, sb, LINUX_FIELD_SUPER_BLOCK_FS_INFO, info);
	supers[_i].put(&f, info);
	Linux *os = linux_guest_start(&f.g);
	g_autoptr(GString) out = g_string_new(NULL);
	ck_assert(linux_super_options(os, sb, f.root, out, &f.error));
	ck_assert_str_eq(out->str, supers[_i].options);
	teardown(&f);
}
END_TEST

START_TEST(short_inode_numbers_are_shown_where_they_are_not_the_default)
{
	Fixture f;
	setup(&f, FALSE);
	guint64 sb = add_super(&f, "tmpfs"),
		op = linux_guest_new(&f.g, LINUX_STRUCT_SUPER_OPERATIONS);
	guint64 info = linux_guest_new(&f.g, LINUX_STRUCT_SHMEM);
	guint64 type = linux_guest_new(&f.g, LINUX_STRUCT_FILE_SYSTEM);
	linux_guest_put(&f.g, sb, LINUX_FIELD_SUPER_BLOCK_OP, op);
	linux_guest_put(&f.g, op, LINUX_FIELD_SUPER_OPERATIONS_SHOW_OPTIONS, f.symbols + 0x100);
	linux_guest_symbol(&f.g, "shmem_show_options", f.symbols + 0x100);
	linux_guest_put(&f.g, sb, LINUX_FIELD_SUPER_BLOCK_FS_INFO, info);
	put_shmem(&f, info);
	linux_guest_put(&f.g, info, LINUX_FIELD_SHMEM_FULL_INUMS, _i);
	linux_guest_put(&f.g, type, LINUX_FIELD_FILE_SYSTEM_SUPERS, sb + 48);
	linux_guest_symbol(&f.g, "internal_fs_type", type);
	Linux *os = linux_guest_start(&f.g);
	g_autoptr(GString) out = g_string_new(NULL);
	ck_assert(linux_super_options(os, sb, f.root, out, &f.error));
	ck_assert_str_eq(out->str, _i ? ",inode64" : "");
	teardown(&f);
}
END_TEST

START_TEST(options_of_bpf_are_those_of_its_folder)
{
	Fixture f;
	setup(&f, FALSE);
	guint64 sb = add_super(&f, "bpf"),
		op = linux_guest_new(&f.g, LINUX_STRUCT_SUPER_OPERATIONS);
	guint64 inode = linux_guest_new(&f.g, LINUX_STRUCT_INODE);
	linux_guest_put(&f.g, sb, LINUX_FIELD_SUPER_BLOCK_OP, op);
	linux_guest_put(&f.g, op, LINUX_FIELD_SUPER_OPERATIONS_SHOW_OPTIONS, f.symbols + 0x100);
	linux_guest_symbol(&f.g, "bpf_show_options", f.symbols + 0x100);
	linux_guest_put(&f.g, f.root, LINUX_FIELD_DENTRY_INODE, inode);
	linux_guest_put(&f.g, inode, LINUX_FIELD_INODE_MODE, 0041700);
	linux_guest_put(&f.g, inode, LINUX_FIELD_INODE_UID, 9);
	Linux *os = linux_guest_start(&f.g);
	g_autoptr(GString) out = g_string_new(NULL);
	ck_assert(linux_super_options(os, sb, f.root, out, &f.error));
	ck_assert_str_eq(out->str, ",uid=9,mode=700");
	teardown(&f);
}
END_TEST

START_TEST(mounted_namespace_is_shown_by_its_number)
{
	Fixture f;
	setup(&f, FALSE);
	guint64 sb = add_super(&f, "nsfs"),
		op = linux_guest_new(&f.g, LINUX_STRUCT_SUPER_OPERATIONS);
	guint64 inode = linux_guest_new(&f.g, LINUX_STRUCT_INODE);
	guint64 ns = linux_guest_new(&f.g, LINUX_STRUCT_NS_COMMON);
	guint64 ns_op = linux_guest_new(&f.g, LINUX_STRUCT_NS_OPERATIONS);
	linux_guest_put(&f.g, sb, LINUX_FIELD_SUPER_BLOCK_OP, op);
	linux_guest_put(&f.g, op, LINUX_FIELD_SUPER_OPERATIONS_SHOW_PATH, f.symbols + 0x100);
	linux_guest_symbol(&f.g, "nsfs_show_path", f.symbols + 0x100);
	linux_guest_put(&f.g, f.root, LINUX_FIELD_DENTRY_INODE, inode);
	linux_guest_put(&f.g, inode, LINUX_FIELD_INODE_INO, 4026531992);
	linux_guest_put(&f.g, inode, LINUX_FIELD_INODE_PRIVATE, ns);
	linux_guest_put(&f.g, ns, LINUX_FIELD_NS_COMMON_OPS, ns_op);
	linux_guest_put(&f.g, ns_op, LINUX_FIELD_NS_OPERATIONS_NAME,
			linux_guest_string(&f.g, "net"));
	Linux *os = linux_guest_start(&f.g);
	g_autoptr(GString) out = g_string_new(NULL);
	guint64 steps = 0;
	ck_assert(linux_super_path(os, sb, f.root, out, &steps, &f.error));
	ck_assert_str_eq(out->str, "net:[4026531992]");
	teardown(&f);
}
END_TEST

START_TEST(unlinked_folder_is_deleted)
{
	Fixture f;
	setup(&f, FALSE);
	guint64 folder = add_dentry(&f, add_dentry(&f, f.root, "a"), "b");
	linux_guest_put(&f.g, folder, LINUX_FIELD_DENTRY_HASH_PPREV, 0);
	Linux *os = linux_guest_start(&f.g);
	g_autoptr(GString) out = g_string_new(NULL);
	guint64 steps = 0;
	ck_assert(linux_dentry_append(os, folder, out, &steps, &f.error));
	ck_assert_str_eq(out->str, "/a/b//deleted");
	ck_assert_uint_eq(steps, 2);
	teardown(&f);
}
END_TEST

START_TEST(dentries_in_a_circle_end)
{
	Fixture f;
	setup(&f, FALSE);
	guint64 a = add_dentry(&f, f.root, ""), b = add_dentry(&f, a, "");
	linux_guest_put(&f.g, a, LINUX_FIELD_DENTRY_PARENT, b);
	Linux *os = linux_guest_start(&f.g);
	g_autoptr(GString) out = g_string_new(NULL);
	guint64 steps = 0;
	ck_assert(!linux_dentry_append(os, a, out, &steps, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_uint_le(steps, 8192);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("mounts");
	TCase *t = tcase_create("mounts");

	tcase_add_loop_test(t, mounts_come_in_order, 0, 2);
	tcase_add_loop_test(t, other_forms_show_the_same, 0, 2);
	tcase_add_loop_test(t, what_a_root_cannot_see_is_not_shown, 0, 2);
	tcase_add_loop_test(t, propagation_is_told, 0, 2);
	tcase_add_loop_test(t, masters_in_a_circle_end, 0, 2);
	tcase_add_loop_test(t, peers_in_a_circle_without_the_first_end, 0, 2);
	tcase_add_test(t, cursor_of_a_reader_is_no_mount);
	tcase_add_loop_test(t, task_that_has_ended_has_none, 0, 2);
	tcase_add_loop_test(t, mount_that_cannot_be_read_is_left_out, 0, 2);
	tcase_add_loop_test(t, circle_ends_and_keeps_what_was_found, 0, 2);
	tcase_add_loop_test(t, options_of_a_file_system, 0, G_N_ELEMENTS(supers));
	tcase_add_loop_test(t, short_inode_numbers_are_shown_where_they_are_not_the_default, 0, 2);
	tcase_add_test(t, options_of_bpf_are_those_of_its_folder);
	tcase_add_test(t, mounted_namespace_is_shown_by_its_number);
	tcase_add_test(t, unlinked_folder_is_deleted);
	tcase_add_test(t, dentries_in_a_circle_end);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
