/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* paths: places in a mount tree, and objects that have no place. */
#include <unit.h>

#include <linux-guest.h>

#define TYPES                                                                                      \
	"struct qstr 16 len@4:4 name@8:8\n"                                                        \
	"struct hlist_bl_node 16 next@0:8 pprev@8:8\n"                                             \
	"struct dentry 128 d_hash@0=hlist_bl_node d_parent@16:8 d_name@24=qstr d_inode@40:8 "      \
	"d_op@48:8 d_fsdata@56:8\n"                                                                \
	"struct dentry_operations 16 d_dname@8:8\n"                                                \
	"struct inode 32 i_ino@0:8 i_private@8:8\n"                                                \
	"struct ns_common 16 ops@8:8\n"                                                            \
	"struct proc_ns_operations 8 name@0:8\n"                                                   \
	"struct dma_buf 8 name@0:8\n"                                                              \
	"struct vfsmount 16 mnt_root@0:8\n"                                                        \
	"struct mount 64 mnt_parent@16:8 mnt_mountpoint@24:8 mnt@32=vfsmount\n"                    \
	"struct path 16 mnt@0:8 dentry@8:8\n"

typedef struct {
	LinuxGuest g;
	guint64 mount, root; /* of the first file system */
	GError *error;
} Fixture;

/* parent 0: the top of everything. Returns the vfsmount's address. */
static guint64
add_mount(Fixture *f, guint64 root, guint64 parent, guint64 mountpoint)
{
	guint64 mount = linux_guest_new(&f->g, LINUX_STRUCT_MOUNT);
	guint64 vfsmount = linux_guest_at(&f->g, mount, LINUX_FIELD_MOUNT_MNT);
	guint64 at = vfsmount - mount;

	linux_guest_put(&f->g, vfsmount, LINUX_FIELD_VFSMOUNT_ROOT, root);
	linux_guest_put(&f->g, mount, LINUX_FIELD_MOUNT_PARENT, parent ? parent - at : mount);
	linux_guest_put(&f->g, mount, LINUX_FIELD_MOUNT_MOUNTPOINT, mountpoint ? mountpoint : root);
	return vfsmount;
}

static void
setup(Fixture *f)
{
	f->error = NULL;
	linux_guest_init(&f->g, TYPES);
	f->root = linux_guest_dentry(&f->g, 0, "/");
	f->mount = add_mount(f, f->root, 0, 0);
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_clear_error(&f->error);
}

/* root_dentry 0: seen from nowhere. NULL with f->error. */
static char *
path_of(Fixture *f, guint64 mnt, guint64 dentry, guint64 root_dentry)
{
	GString *out = g_string_new("before ");
	LinuxPath path = { mnt, dentry }, root = { f->mount, root_dentry };

	if (linux_path_append(linux_guest_start(&f->g), &path, root_dentry ? &root : NULL, out,
			      &f->error)) {
		ck_assert(g_str_has_prefix(out->str, "before "));
		char *text = g_strdup(out->str + 7);
		g_string_free(out, TRUE);
		return text;
	}
	ck_assert_str_eq(out->str, "before ");
	g_string_free(out, TRUE);
	return NULL;
}

static void
expect(Fixture *f, guint64 mnt, guint64 dentry, guint64 root, const char *text)
{
	g_autofree char *path = path_of(f, mnt, dentry, root);
	ck_assert_msg(path != NULL, "%s", f->error ? f->error->message : "");
	ck_assert_str_eq(path, text);
	teardown(f);
}

START_TEST(root_is_a_slash)
{
	Fixture f;
	setup(&f);
	expect(&f, f.mount, f.root, f.root, "/");
}
END_TEST

START_TEST(names_are_joined)
{
	Fixture f;
	setup(&f);
	guint64 usr = linux_guest_dentry(&f.g, f.root, "usr");
	guint64 file = linux_guest_dentry(&f.g, usr, "a file\n");
	expect(&f, f.mount, file, f.root, "/usr/a file\n");
}
END_TEST

START_TEST(mounts_are_crossed)
{
	Fixture f;
	setup(&f);
	guint64 mnt = linux_guest_dentry(&f.g, f.root, "mnt");
	guint64 inner_root = linux_guest_dentry(&f.g, 0, "/");
	guint64 inner = add_mount(&f, inner_root, f.mount, mnt);
	guint64 file = linux_guest_dentry(&f.g, inner_root, "x");
	expect(&f, inner, file, f.root, "/mnt/x");
}
END_TEST

START_TEST(mount_of_a_folder_hides_what_is_above_it)
{
	Fixture f;
	setup(&f);
	guint64 mnt = linux_guest_dentry(&f.g, f.root, "mnt");
	guint64 disk = linux_guest_dentry(&f.g, 0, "/");
	guint64 folder = linux_guest_dentry(&f.g, disk, "deep");
	guint64 bind = add_mount(&f, folder, f.mount, mnt);
	guint64 file = linux_guest_dentry(&f.g, folder, "x");
	expect(&f, bind, file, f.root, "/mnt/x");
}
END_TEST

START_TEST(deleted_file_says_so)
{
	Fixture f;
	setup(&f);
	guint64 file = linux_guest_dentry(&f.g, f.root, "gone");
	linux_guest_put(&f.g, file, LINUX_FIELD_DENTRY_HASH_PPREV, 0);
	expect(&f, f.mount, file, f.root, "/gone (deleted)");
}
END_TEST

START_TEST(path_is_cut_at_the_viewers_root)
{
	Fixture f;
	setup(&f);
	guint64 jail = linux_guest_dentry(&f.g, f.root, "jail");
	guint64 file = linux_guest_dentry(&f.g, jail, "x");
	expect(&f, f.mount, file, jail, "/x");
}
END_TEST

START_TEST(path_outside_of_it_goes_up_to_the_top)
{
	Fixture f;
	setup(&f);
	guint64 jail = linux_guest_dentry(&f.g, f.root, "jail");
	guint64 other = linux_guest_dentry(&f.g, f.root, "other");
	expect(&f, f.mount, other, jail, "/other");
}
END_TEST

START_TEST(place_that_was_moved_out_of_its_mount_is_the_root)
{
	Fixture f;
	setup(&f);
	guint64 other_root = linux_guest_dentry(&f.g, 0, "/");
	guint64 file = linux_guest_dentry(&f.g, other_root, "x");
	expect(&f, f.mount, file, f.root, "/");
}
END_TEST

START_TEST(loop_of_dentries_ends)
{
	Fixture f;
	setup(&f);
	guint64 a = linux_guest_dentry(&f.g, f.root, "a");
	guint64 b = linux_guest_dentry(&f.g, a, "b");
	linux_guest_put(&f.g, a, LINUX_FIELD_DENTRY_PARENT, b);
	ck_assert_ptr_null(path_of(&f, f.mount, b, f.root));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	teardown(&f);
}
END_TEST

START_TEST(loop_of_mounts_ends)
{
	Fixture f;
	setup(&f);
	guint64 at = linux_guest_at(&f.g, 0, LINUX_FIELD_MOUNT_MNT);
	guint64 root = linux_guest_dentry(&f.g, 0, "/");
	guint64 a = add_mount(&f, root, f.mount, f.root);
	guint64 b = add_mount(&f, root, a, root);
	linux_guest_put(&f.g, a - at, LINUX_FIELD_MOUNT_PARENT, b - at);
	linux_guest_put(&f.g, a - at, LINUX_FIELD_MOUNT_MOUNTPOINT, root);
	ck_assert_ptr_null(path_of(&f, b, root, f.root));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	teardown(&f);
}
END_TEST

START_TEST(enormous_name_is_refused)
{
	Fixture f;
	setup(&f);
	guint64 file = linux_guest_dentry(&f.g, f.root, "x");
	linux_guest_put(&f.g, file, LINUX_FIELD_DENTRY_NAME_LEN, G_MAXUINT32);
	ck_assert_ptr_null(path_of(&f, f.mount, file, f.root));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	teardown(&f);
}
END_TEST

START_TEST(path_of_nothing_but_long_names_is_refused)
{
	Fixture f;
	setup(&f);
	g_autofree char *name = g_strnfill(4000, 'x');
	guint64 at = f.root;
	for (guint i = 0; i < 20; i++)
		at = linux_guest_dentry(&f.g, at, name);
	ck_assert_ptr_null(path_of(&f, f.mount, at, f.root));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	teardown(&f);
}
END_TEST

START_TEST(unreadable_place_is_a_hole)
{
	Fixture f;
	setup(&f);
	guint64 file = linux_guest_dentry(&f.g, 0x1000, "x");
	ck_assert_ptr_null(path_of(&f, f.mount, file, f.root));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	teardown(&f);
}
END_TEST

/* ---- names made by a function ---- */

static const struct {
	const char *function, *name, *text;
} named[] = {
	{ "pipefs_dname", "", "pipe:[77]" },
	{ "sockfs_dname", "", "socket:[77]" },
	{ "anon_inodefs_dname", "[eventfd]", "anon_inode:[eventfd]" },
	{ "simple_dname", "memfd:x y", "/memfd:x y (deleted)" },
	{ "ns_dname", "", "net:[77]" },
	{ "pidfs_dname", "", "anon_inode:[pidfd]" },
	{ "dmabuffs_dname", "dmabuf", "/dmabuf:buffer" },
};

/* An object with no place in the tree. */
static guint64
add_object(Fixture *f, const char *function, const char *name)
{
	guint64 root = linux_guest_dentry(&f->g, 0, "");
	guint64 dentry = linux_guest_dentry(&f->g, 0, name);
	guint64 ops = linux_guest_new(&f->g, LINUX_STRUCT_DENTRY_OPERATIONS);
	guint64 inode = linux_guest_new(&f->g, LINUX_STRUCT_INODE);
	guint64 ns = linux_guest_new(&f->g, LINUX_STRUCT_NS_COMMON);
	guint64 ns_ops = linux_guest_new(&f->g, LINUX_STRUCT_NS_OPERATIONS);
	guint64 buffer = linux_guest_new(&f->g, LINUX_STRUCT_DMA_BUF);

	linux_guest_symbol(&f->g, function, 0xffffffff81000000);
	linux_guest_put(&f->g, ops, LINUX_FIELD_DENTRY_OPERATIONS_DNAME, 0xffffffff81000000);
	linux_guest_put(&f->g, dentry, LINUX_FIELD_DENTRY_OP, ops);
	linux_guest_put(&f->g, dentry, LINUX_FIELD_DENTRY_INODE, inode);
	linux_guest_put(&f->g, dentry, LINUX_FIELD_DENTRY_FSDATA, buffer);
	linux_guest_put(&f->g, buffer, LINUX_FIELD_DMA_BUF_NAME,
			linux_guest_string(&f->g, "buffer"));
	linux_guest_put(&f->g, inode, LINUX_FIELD_INODE_INO, 77);
	linux_guest_put(&f->g, inode, LINUX_FIELD_INODE_PRIVATE, ns);
	linux_guest_put(&f->g, ns, LINUX_FIELD_NS_COMMON_OPS, ns_ops);
	linux_guest_put(&f->g, ns_ops, LINUX_FIELD_NS_OPERATIONS_NAME,
			linux_guest_string(&f->g, "net"));
	f->mount = add_mount(f, root, 0, 0);
	return dentry;
}

START_TEST(object_is_named_by_its_function)
{
	Fixture f;
	setup(&f);
	guint64 dentry = add_object(&f, named[_i].function, named[_i].name);
	expect(&f, f.mount, dentry, 0, named[_i].text);
}
END_TEST

START_TEST(unknown_function_is_no_name)
{
	Fixture f;
	setup(&f);
	guint64 dentry = add_object(&f, "new_dname", "x");
	ck_assert_ptr_null(path_of(&f, f.mount, dentry, 0));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	teardown(&f);
}
END_TEST

START_TEST(mounted_object_has_a_place)
{
	Fixture f;
	setup(&f);
	guint64 place = linux_guest_dentry(&f.g, f.root, "ns");
	guint64 outer = f.mount;
	guint64 dentry = add_object(&f, "ns_dname", "");
	f.mount = add_mount(&f, dentry, outer, place);
	expect(&f, f.mount, dentry, 0, "/ns");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("paths");
	TCase *t = tcase_create("walked");

	tcase_add_test(t, root_is_a_slash);
	tcase_add_test(t, names_are_joined);
	tcase_add_test(t, mounts_are_crossed);
	tcase_add_test(t, mount_of_a_folder_hides_what_is_above_it);
	tcase_add_test(t, deleted_file_says_so);
	tcase_add_test(t, path_is_cut_at_the_viewers_root);
	tcase_add_test(t, path_outside_of_it_goes_up_to_the_top);
	tcase_add_test(t, place_that_was_moved_out_of_its_mount_is_the_root);
	tcase_add_test(t, loop_of_dentries_ends);
	tcase_add_test(t, loop_of_mounts_ends);
	tcase_add_test(t, enormous_name_is_refused);
	tcase_add_test(t, path_of_nothing_but_long_names_is_refused);
	tcase_add_test(t, unreadable_place_is_a_hole);
	suite_add_tcase(s, t);
	t = tcase_create("named");
	tcase_add_loop_test(t, object_is_named_by_its_function, 0, G_N_ELEMENTS(named));
	tcase_add_test(t, unknown_function_is_no_name);
	tcase_add_test(t, mounted_object_has_a_place);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
