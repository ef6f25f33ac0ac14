/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registered: names that drivers have given: file systems, device numbers, swap. */
#include <view-test.h>

#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct file_system_type 24 name@0:8 fs_flags@8:4 next@16:8\n"                             \
	"struct char_device_struct 80 next@0:8 major@8:4 name@12:1x64\n"                           \
	"struct blk_major_name 32 next@0:8 major@8:4 name@12:1x16\n"                               \
	"struct miscdevice 32 minor@0:4 name@8:8 list@16=list_head\n"                              \
	"struct path 16 mnt@0:8 dentry@8:8\n"                                                      \
	"struct file 32 f_path@0=path f_inode@16:8\n"                                              \
	"struct inode 16 i_mode@0:2\n"                                                             \
	"struct swap_info_struct 48 flags@0:8 prio@8:2 swap_map@16:8 pages@24:4 inuse_pages@32:8 swap_file@40:8\n"

static guint64
filesystem(Fixture *f, const char *name, guint64 flags, guint64 next)
{
	guint64 fs = linux_guest_new(&f->g, LINUX_STRUCT_FILESYSTEM);
	linux_guest_put(&f->g, fs, LINUX_FIELD_FILESYSTEM_NAME, linux_guest_string(&f->g, name));
	linux_guest_put(&f->g, fs, LINUX_FIELD_FILESYSTEM_FLAGS, flags);
	linux_guest_put(&f->g, fs, LINUX_FIELD_FILESYSTEM_NEXT, next);
	return fs;
}

START_TEST(filesystems_without_a_device_say_so)
{
	Fixture f;
	setup(&f, TYPES);
	guint64 last = filesystem(&f, "ext\0334", 1 | 64, 0);
	variable(&f, "file_systems", filesystem(&f, "proc", 64, last));
	shows(&f, linux_render_filesystems, NULL, "nodev\tproc\n\text\\0334\n");
	teardown(&f);
}
END_TEST

START_TEST(filesystems_in_a_list_are_found_by_their_nodes)
{
	Fixture f;
	setup(&f, "struct hlist_node 16 next@0:8 pprev@8:8\n"
		  "struct file_system_type 40 name@0:8 fs_flags@8:4 list@16=hlist_node\n");
	guint64 last = filesystem(&f, "ext4", 1, 0);
	guint64 first =
		filesystem(&f, "proc", 0, linux_guest_at(&f.g, last, LINUX_FIELD_FILESYSTEM_LIST));
	variable(&f, "file_systems", linux_guest_at(&f.g, first, LINUX_FIELD_FILESYSTEM_LIST));
	shows(&f, linux_render_filesystems, NULL, "nodev\tproc\n\text4\n");
	teardown(&f);
}
END_TEST

START_TEST(ring_of_filesystems_ends)
{
	Fixture f;
	setup(&f, TYPES);
	guint64 fs = filesystem(&f, "a", 0, 0);
	linux_guest_put(&f.g, fs, LINUX_FIELD_FILESYSTEM_NEXT, fs);
	variable(&f, "file_systems", fs);
	ck_assert(!linux_render_filesystems(linux_guest_start(&f.g), NULL, NULL, f.out, NULL,
					    &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	teardown(&f);
}
END_TEST

START_TEST(chain_into_nowhere_fails)
{
	Fixture f;
	setup(&f, TYPES);
	variable(&f, "file_systems", filesystem(&f, "a", 0, 0x1000));
	fails(&f, linux_render_filesystems, VMIFS_ERROR_HOLE);
	teardown(&f);
}
END_TEST

START_TEST(devices_are_sorted_by_number)
{
	Fixture f;
	setup(&f, TYPES);
	guint64 chars = variable(&f, "chrdevs", 0), blocks = variable(&f, "major_names", 0);
	guint64 low = linux_guest_new(&f.g, LINUX_STRUCT_CHAR_DEVICE);
	guint64 high = linux_guest_new(&f.g, LINUX_STRUCT_CHAR_DEVICE);
	guint64 disk = linux_guest_new(&f.g, LINUX_STRUCT_BLOCK_MAJOR);
	linux_guest_put(&f.g, low, LINUX_FIELD_CHAR_DEVICE_MAJOR, 5);
	linux_guest_put(&f.g, low, LINUX_FIELD_CHAR_DEVICE_NEXT, high);
	linux_guest_put_text(&f.g, low, LINUX_FIELD_CHAR_DEVICE_NAME, "tty");
	linux_guest_put(&f.g, high, LINUX_FIELD_CHAR_DEVICE_MAJOR, 260);
	linux_guest_put_text(&f.g, high, LINUX_FIELD_CHAR_DEVICE_NAME, "late");
	linux_guest_u64(&f.g, chars + 5 * 8, low);
	linux_guest_put(&f.g, disk, LINUX_FIELD_BLOCK_MAJOR_MAJOR, 254);
	linux_guest_put_text(&f.g, disk, LINUX_FIELD_BLOCK_MAJOR_NAME, "virtblk");
	linux_guest_u64(&f.g, blocks + 254 * 8, disk);
	shows(&f, linux_render_devices, NULL,
	      "Character devices:\n  5 tty\n260 late\n\nBlock devices:\n254 virtblk\n");
	teardown(&f);
}
END_TEST

START_TEST(misc_devices_stand_in_the_rings_order)
{
	Fixture f;
	setup(&f, TYPES);
	guint64 nodes[3] = { variable(&f, "misc_list", 0) };
	static const char *const names[] = { "fuse", "tun" };
	for (guint i = 0; i < 2; i++) {
		guint64 device = linux_guest_new(&f.g, LINUX_STRUCT_MISC_DEVICE);
		linux_guest_put(&f.g, device, LINUX_FIELD_MISC_DEVICE_MINOR, i ? 7 : 229);
		linux_guest_put(&f.g, device, LINUX_FIELD_MISC_DEVICE_NAME,
				linux_guest_string(&f.g, names[i]));
		nodes[i + 1] = linux_guest_at(&f.g, device, LINUX_FIELD_MISC_DEVICE_LIST);
	}
	linux_guest_ring(&f.g, nodes, 3);
	shows(&f, linux_render_misc, NULL, "229 fuse\n  7 tun\n");
	teardown(&f);
}
END_TEST

START_TEST(without_swap_there_is_the_head_alone)
{
	Fixture f;
	setup(&f, TYPES);
	variable(&f, "swap_info", 0);
	variable(&f, "nr_swapfiles", 0);
	shows(&f, linux_render_swaps, NULL, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	teardown(&f);
}
END_TEST

START_TEST(swap_that_cannot_be_read_is_an_error)
{
	Fixture f;
	setup(&f, TYPES);
	variable(&f, "swap_info", 0x1000);
	variable(&f, "nr_swapfiles", 1);
	ck_assert(!linux_render_swaps(linux_guest_start(&f.g), NULL, NULL, f.out, NULL, &f.error));
	teardown(&f);
}
END_TEST

START_TEST(kernel_without_them_says_what_it_lacks)
{
	Fixture f;
	setup(&f, TYPES);
	fails(&f, linux_render_devices, VMIFS_ERROR_UNSUPPORTED);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("registered");
	TCase *t = tcase_create("registered");
	tcase_add_test(t, filesystems_without_a_device_say_so);
	tcase_add_test(t, filesystems_in_a_list_are_found_by_their_nodes);
	tcase_add_test(t, ring_of_filesystems_ends);
	tcase_add_test(t, chain_into_nowhere_fails);
	tcase_add_test(t, devices_are_sorted_by_number);
	tcase_add_test(t, misc_devices_stand_in_the_rings_order);
	tcase_add_test(t, without_swap_there_is_the_head_alone);
	tcase_add_test(t, swap_that_cannot_be_read_is_an_error);
	tcase_add_test(t, kernel_without_them_says_what_it_lacks);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
