/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mounts: which mounts are shown, in which order and form, and lists that lie. */
#include <mounts-guest.h>

START_TEST(mounts_come_in_order)
{
	Fixture f;
	setup(&f, _i);
	guint64 mnt = linux_guest_dentry(&f.g, f.root, "m\tt #\\");
	guint64 disk = linux_guest_dentry(&f.g, 0, "/");
	guint64 folder = linux_guest_dentry(&f.g, disk, "a b");
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
	guint64 mnt = linux_guest_dentry(&f.g, f.root, "mnt");
	guint64 sb = add_super(&f, "none");
	guint64 inner = add_mount(&f, sb, linux_guest_dentry(&f.g, 0, "/"), f.top, mnt);
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
	guint64 jail = linux_guest_dentry(&f.g, f.root, "jail");
	guint64 mnt = linux_guest_dentry(&f.g, jail, "mnt"),
		other = linux_guest_dentry(&f.g, f.root, "other");
	add_mount(&f, add_super(&f, "in"), linux_guest_dentry(&f.g, 0, "/"), f.top, mnt);
	add_mount(&f, add_super(&f, "out"), linux_guest_dentry(&f.g, 0, "/"), f.top, other);
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
	guint64 hidden = add_mount(&f, add_super(&f, "x"), linux_guest_dentry(&f.g, 0, "/"), 0, 0);
	linux_guest_put(&f.g, hidden, LINUX_FIELD_MOUNT_NS, 0x1000);
	f.n_links--;
	put_sharing(&f, f.top, TRUE, 7, 0);
	put_sharing(&f, hidden, TRUE, 8, f.top);
	guint64 slave = add_mount(&f, add_super(&f, "y"), linux_guest_dentry(&f.g, 0, "/"), f.top,
				  linux_guest_dentry(&f.g, f.root, "s"));
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
	guint64 hidden = add_mount(&f, add_super(&f, "x"), linux_guest_dentry(&f.g, 0, "/"), 0, 0);
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
	guint64 hidden = add_mount(&f, add_super(&f, "x"), linux_guest_dentry(&f.g, 0, "/"), 0, 0);
	guint64 peer = add_mount(&f, add_super(&f, "x"), linux_guest_dentry(&f.g, 0, "/"), 0, 0);
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
	add_mount(&f, 0x1000, linux_guest_dentry(&f.g, 0, "/"), f.top,
		  linux_guest_dentry(&f.g, f.root, "bad"));
	add_mount(&f, add_super(&f, "good"), linux_guest_dentry(&f.g, 0, "/"), f.top,
		  linux_guest_dentry(&f.g, f.root, "good"));
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
	add_mount(&f, add_super(&f, "x"), linux_guest_dentry(&f.g, 0, "/"), f.top,
		  linux_guest_dentry(&f.g, f.root, "x"));
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
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
