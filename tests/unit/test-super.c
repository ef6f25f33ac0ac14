/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* super: what each kind of file system adds to the line of a mount, and which part of it is
 * mounted. */
#include <mounts-guest.h>

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
	  ",size=64k,nr_inodes=5,mode=055,uid=1,gid=4294967295,huge=within_size,noswap" },
	{ "proc_show_options", LINUX_STRUCT_PROCFS, put_proc,
	  ",gid=4,hidepid=invisible,subset=pid" },
	{ "devpts_show_options", LINUX_STRUCT_DEVPTS, put_devpts, ",gid=5,mode=620,ptmxmode=000" },
	{ "hugetlbfs_show_options", LINUX_STRUCT_HUGETLBFS, put_hugetlbfs,
	  ",mode=700,pagesize=2M,size=6291456" },
	{ "debugfs_show_options", LINUX_STRUCT_DEBUGFS, put_debugfs, ",mode=755" },
	{ "ramfs_show_options", LINUX_STRUCT_RAMFS, put_ramfs, ",mode=1777" },
	{ "unknown_show_options", LINUX_STRUCT_RAMFS, put_ramfs, "" },
};

/* Whose options, or path, that function of the kernel shows. */
static guint64
add_super_shown(Fixture *f, const char *type, LinuxField how, const char *function)
{
	guint64 sb = add_super(f, type), op = linux_guest_new(&f->g, LINUX_STRUCT_SUPER_OPERATIONS);
	linux_guest_put(&f->g, sb, LINUX_FIELD_SUPER_BLOCK_OP, op);
	linux_guest_put(&f->g, op, how, f->symbols + 0x100);
	linux_guest_symbol(&f->g, function, f->symbols + 0x100);
	return sb;
}

static void
shows_options(Fixture *f, guint64 sb, const char *options)
{
	g_autoptr(GString) out = g_string_new(NULL);
	ck_assert(linux_super_options(linux_guest_start(&f->g), sb, f->root, out, &f->error));
	ck_assert_str_eq(out->str, options);
}

START_TEST(options_of_a_file_system)
{
	Fixture f;
	setup(&f, FALSE);
	guint64 sb = add_super_shown(&f, "x", LINUX_FIELD_SUPER_OPERATIONS_SHOW_OPTIONS,
				     supers[_i].function);
	guint64 info = linux_guest_new(&f.g, supers[_i].info);
	linux_guest_put(&f.g, sb, LINUX_FIELD_SUPER_BLOCK_FS_INFO, info);
	supers[_i].put(&f, info);
	shows_options(&f, sb, supers[_i].options);
	teardown(&f);
}
END_TEST

static guint64
add_shmem(Fixture *f, gboolean has_long_numbers)
{
	guint64 sb = add_super_shown(f, "tmpfs", LINUX_FIELD_SUPER_OPERATIONS_SHOW_OPTIONS,
				     "shmem_show_options");
	guint64 info = linux_guest_new(&f->g, LINUX_STRUCT_SHMEM);

	linux_guest_put(&f->g, sb, LINUX_FIELD_SUPER_BLOCK_FS_INFO, info);
	put_shmem(f, info);
	linux_guest_put(&f->g, info, LINUX_FIELD_SHMEM_FULL_INUMS, has_long_numbers);
	return sb;
}

/* What the kernel made for itself: found by its type, or by where it is mounted. */
static void
put_devtmpfs(Fixture *f, guint64 sb, gboolean is_by_mount)
{
	guint64 type = linux_guest_new(&f->g, LINUX_STRUCT_FILE_SYSTEM);
	guint64 mount = linux_guest_new(&f->g, LINUX_STRUCT_VFSMOUNT);
	guint64 variable = linux_guest_alloc(&f->g, 8);

	linux_guest_put(&f->g, type, LINUX_FIELD_FILE_SYSTEM_SUPERS, sb + 48);
	linux_guest_put(&f->g, mount, LINUX_FIELD_VFSMOUNT_SB, sb);
	linux_guest_u64(&f->g, variable, mount);
	if (is_by_mount)
		linux_guest_symbol(&f->g, "devtmpfs.mnt", variable);
	else
		linux_guest_symbol(&f->g, "internal_fs_type", type);
}

static const struct {
	gboolean are_long, knows_default, default_is_long;
	const char *options;
} inode_numbers[] = {
	{ TRUE, TRUE, TRUE, ",inode64" },   { TRUE, TRUE, FALSE, ",inode64" },
	{ FALSE, TRUE, TRUE, ",inode32" },  { FALSE, TRUE, FALSE, "" },
	{ TRUE, FALSE, FALSE, ",inode64" }, { FALSE, FALSE, FALSE, "" },
};

START_TEST(short_inode_numbers_are_shown_where_they_are_not_the_default)
{
	for (guint by_mount = 0; by_mount < 2; by_mount++) {
		Fixture f;
		setup(&f, FALSE);
		guint64 sb = add_shmem(&f, inode_numbers[_i].are_long);
		if (inode_numbers[_i].knows_default)
			put_devtmpfs(&f, add_shmem(&f, inode_numbers[_i].default_is_long),
				     by_mount);
		shows_options(&f, sb, inode_numbers[_i].options);
		teardown(&f);
	}
}
END_TEST

START_TEST(options_of_bpf_are_those_of_its_folder)
{
	Fixture f;
	setup(&f, FALSE);
	guint64 sb = add_super_shown(&f, "bpf", LINUX_FIELD_SUPER_OPERATIONS_SHOW_OPTIONS,
				     "bpf_show_options");
	guint64 inode = linux_guest_new(&f.g, LINUX_STRUCT_INODE);
	linux_guest_put(&f.g, f.root, LINUX_FIELD_DENTRY_INODE, inode);
	linux_guest_put(&f.g, inode, LINUX_FIELD_INODE_MODE, 0041700);
	linux_guest_put(&f.g, inode, LINUX_FIELD_INODE_UID, 9);
	shows_options(&f, sb, ",uid=9,mode=700");
	teardown(&f);
}
END_TEST

START_TEST(mounted_namespace_is_shown_by_its_number)
{
	Fixture f;
	setup(&f, FALSE);
	guint64 sb = add_super_shown(&f, "nsfs", LINUX_FIELD_SUPER_OPERATIONS_SHOW_PATH,
				     "nsfs_show_path");
	guint64 inode = linux_guest_new(&f.g, LINUX_STRUCT_INODE);
	guint64 ns = linux_guest_new(&f.g, LINUX_STRUCT_NS_COMMON);
	guint64 ns_op = linux_guest_new(&f.g, LINUX_STRUCT_NS_OPERATIONS);
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
	guint64 folder = linux_guest_dentry(&f.g, linux_guest_dentry(&f.g, f.root, "a"), "b");
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
	guint64 a = linux_guest_dentry(&f.g, f.root, ""), b = linux_guest_dentry(&f.g, a, "");
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
	Suite *s = suite_create("super");
	TCase *t = tcase_create("super");
	tcase_add_loop_test(t, options_of_a_file_system, 0, G_N_ELEMENTS(supers));
	tcase_add_loop_test(t, short_inode_numbers_are_shown_where_they_are_not_the_default, 0,
			    G_N_ELEMENTS(inode_numbers));
	tcase_add_test(t, options_of_bpf_are_those_of_its_folder);
	tcase_add_test(t, mounted_namespace_is_shown_by_its_number);
	tcase_add_test(t, unlinked_folder_is_deleted);
	tcase_add_test(t, dentries_in_a_circle_end);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
