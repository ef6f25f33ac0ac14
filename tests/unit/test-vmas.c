/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmas: mappings in a list (before 6.1), and the texts maps and modules. */
#include <unit.h>

#include <linux-guest.h>
#include <time.h>

#define KERNEL_TYPES                                                                               \
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
	"struct vm_operations_struct 16 name@8:8\n"                                                \
	"struct vm_special_mapping 8 name@0:8\n"                                                   \
	"struct anon_vma_name 8 name@4:1x0\n"                                                      \
	"struct mm_context_t 8 flags@0:8\n"                                                        \
	"struct mm_struct 64 mmap@0:8 brk@8:8 start_brk@16:8 start_stack@24:8 "                    \
	"context@32=mm_context_t\n"                                                                \
	"struct vm_area_struct 128 vm_start@0:8 vm_end@8:8 vm_next@16:8 vm_flags@24:8 "            \
	"vm_pgoff@32:8 vm_file@40:8 vm_ops@48:8 vm_private_data@56:8 anon_name@64:8 shared@72:8\n"

#define STACKED_TYPES KERNEL_TYPES "struct backing_file 64 user_path@48=path\n"
#define INFERRED_TYPES KERNEL_TYPES "struct inode 32 i_ino@0:8 i_sb@8:8\n"
#define OLD_TYPES STACKED_TYPES "struct inode 32 i_ino@0:8 i_sb@8:8\n"
#define NEW_TYPES STACKED_TYPES "struct inode 32 i_ino@0:8 i_sb@8:8 __i_ctime@16:8\n"
#define USER_PATH 48

#define RX 0x5
#define RW 0x3
#define SHARED 0x88

typedef struct {
	LinuxGuest g;
	guint64 mm, last; /* the last mapping so far */
	guint64 mount, root, upper;
	gboolean is_partial;
	VmifsTask task;
} Fixture;

static void
setup(Fixture *f, const char *types)
{
	*f = (Fixture){ 0 };
	linux_guest_init(&f->g, types);
	f->mm = linux_guest_new(&f->g, LINUX_STRUCT_MM);
	f->root = linux_guest_dentry(&f->g, f->root, "/");
	guint64 mount = linux_guest_new(&f->g, LINUX_STRUCT_MOUNT);
	f->mount = linux_guest_at(&f->g, mount, LINUX_FIELD_MOUNT_MNT);
	linux_guest_put(&f->g, mount, LINUX_FIELD_MOUNT_PARENT, mount);
	linux_guest_put(&f->g, f->mount, LINUX_FIELD_VFSMOUNT_ROOT, f->root);
	f->task = (VmifsTask){ .pid = 5, .tgid = 5, .mm = f->mm };
	linux_guest_put(&f->g, f->mm, LINUX_FIELD_MM_START_BRK, 0x1000000);
	linux_guest_put(&f->g, f->mm, LINUX_FIELD_MM_BRK, 0x1021000);
	linux_guest_put(&f->g, f->mm, LINUX_FIELD_MM_START_STACK, 0x7ffc00001000);
}

static guint64
add_vma(Fixture *f, guint64 start, guint64 end, guint64 flags, guint64 file, guint64 pgoff)
{
	guint64 vma = linux_guest_new(&f->g, LINUX_STRUCT_VMA);

	linux_guest_put(&f->g, vma, LINUX_FIELD_VMA_START, start);
	linux_guest_put(&f->g, vma, LINUX_FIELD_VMA_END, end);
	linux_guest_put(&f->g, vma, LINUX_FIELD_VMA_FLAGS, flags);
	linux_guest_put(&f->g, vma, LINUX_FIELD_VMA_FILE, file);
	linux_guest_put(&f->g, vma, LINUX_FIELD_VMA_PGOFF, pgoff);
	if (f->last)
		linux_guest_put(&f->g, f->last, LINUX_FIELD_VMA_NEXT, vma);
	else
		linux_guest_put(&f->g, f->mm, LINUX_FIELD_MM_MMAP, vma);
	f->last = vma;
	return vma;
}

static guint64
add_file(Fixture *f, const char *name, guint64 ino)
{
	guint64 file = linux_guest_alloc(&f->g, 64);
	guint64 inode = linux_guest_new(&f->g, LINUX_STRUCT_INODE);
	guint64 sb = linux_guest_new(&f->g, LINUX_STRUCT_SUPER_BLOCK);
	guint64 path = linux_guest_at(&f->g, file, LINUX_FIELD_FILE_PATH);

	linux_guest_put(&f->g, path, LINUX_FIELD_PATH_MNT, f->mount);
	linux_guest_put(&f->g, path, LINUX_FIELD_PATH_DENTRY,
			linux_guest_dentry(&f->g, f->root, name));
	linux_guest_put(&f->g, file, LINUX_FIELD_FILE_INODE, inode);
	linux_guest_put(&f->g, inode, LINUX_FIELD_INODE_INO, ino);
	linux_guest_put(&f->g, inode, LINUX_FIELD_INODE_SB, sb);
	linux_guest_put(&f->g, sb, LINUX_FIELD_SUPER_BLOCK_DEV, 253 << 20 | 1);
	return file;
}

static void
expect(Fixture *f, gboolean modules, const char *text)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	Linux *os = linux_guest_start(&f->g);

	os->is_partial = f->is_partial;
	gboolean ok = modules ? linux_render_task_modules(os, &f->task, NULL, out, NULL, &error)
			      : linux_render_maps(os, &f->task, NULL, out, NULL, &error);
	ck_assert_msg(ok, "%s", error ? error->message : "");
	ck_assert_str_eq(out->str, text);
}

START_TEST(lines_are_those_of_procfs)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	guint64 file = add_file(&f, "a program\n", 1234567);
	add_vma(&f, 0x400000, 0x401000, RX, file, 0);
	add_vma(&f, 0x600000, 0x602000, RW, file, 0x12345);
	add_vma(&f, 0x602000, 0x603000, 0, 0, 0x602);
	add_vma(&f, 0xfff000, 0x1022000, RW, 0, 0);
	add_vma(&f, 0x7f0000000000, 0x7f0000001000, RW | SHARED, add_file(&f, "s", 7), 0);
	add_vma(&f, 0x7ffc00000000, 0x7ffc00002000, RW, 0, 0);
	expect(&f, FALSE,
	       "00400000-00401000 r-xp 00000000 fd:01 1234567                            "
	       "/a program\\012\n"
	       "00600000-00602000 rw-p 12345000 fd:01 1234567                            "
	       "/a program\\012\n"
	       "00602000-00603000 ---p 00000000 00:00 0 \n"
	       "00fff000-01022000 rw-p 00000000 00:00 0                                  [heap]\n"
	       "7f0000000000-7f0000001000 rw-s 00000000 fd:01 7                          /s\n"
	       "7ffc00000000-7ffc00002000 rw-p 00000000 00:00 0                          "
	       "[stack]\n");
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(neighbours_of_the_heap_belonged_to_it_once)
{
	Fixture f;
	setup(&f, _i ? NEW_TYPES : OLD_TYPES);
	add_vma(&f, 0xfff000, 0x1000000, RW, 0, 0);
	add_vma(&f, 0x1021000, 0x1022000, RW, 0, 0);
	expect(&f, FALSE,
	       _i ? "00fff000-01000000 rw-p 00000000 00:00 0 \n"
		    "01021000-01022000 rw-p 00000000 00:00 0 \n"
		  : "00fff000-01000000 rw-p 00000000 00:00 0                                  "
		    "[heap]\n"
		    "01021000-01022000 rw-p 00000000 00:00 0                                  "
		    "[heap]\n");
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(special_and_named_mappings_have_their_names)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	guint64 vdso = add_vma(&f, 0x100000, 0x101000, RX, 0, 0);
	guint64 ops = linux_guest_new(&f.g, LINUX_STRUCT_VM_OPERATIONS);
	guint64 special = linux_guest_new(&f.g, LINUX_STRUCT_SPECIAL_MAPPING);
	linux_guest_put(&f.g, ops, LINUX_FIELD_VM_OPERATIONS_NAME, 0xffffffff81000010);
	linux_guest_symbol(&f.g, "special_mapping_name", 0xffffffff81000010);
	linux_guest_put(&f.g, special, LINUX_FIELD_SPECIAL_MAPPING_NAME,
			linux_guest_string(&f.g, "[vdso]"));
	linux_guest_put(&f.g, vdso, LINUX_FIELD_VMA_OPS, ops);
	linux_guest_put(&f.g, vdso, LINUX_FIELD_VMA_PRIVATE_DATA, special);
	guint64 anon = add_vma(&f, 0x200000, 0x201000, RW, 0, 0);
	guint64 name = linux_guest_string(&f.g, "....arena");
	linux_guest_put(&f.g, anon, LINUX_FIELD_VMA_ANON_NAME, name);
	guint64 shmem = add_vma(&f, 0x300000, 0x301000, RW | SHARED, add_file(&f, "zero", 3), 0);
	linux_guest_put(&f.g, shmem, LINUX_FIELD_VMA_ANON_NAME, name);
	expect(&f, FALSE,
	       "00100000-00101000 r-xp 00000000 00:00 0                                  [vdso]\n"
	       "00200000-00201000 rw-p 00000000 00:00 0                                  "
	       "[anon:arena]\n"
	       "00300000-00301000 rw-s 00000000 fd:01 3                                  "
	       "[anon_shmem:arena]\n");
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(list_that_was_given_up_is_no_list)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	gint cancelled = 1;
	VmifsCall call = { .cancelled = &cancelled };
	setup(&f, OLD_TYPES);
	add_vma(&f, 0x400000, 0x401000, RX, 0, 0);
	ck_assert(!linux_render_maps(linux_guest_start(&f.g), &f.task, NULL, out, &call, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
	ck_assert_str_eq(out->str, "");
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(vsyscall_page_is_shown_where_it_is_on)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	guint64 gate = linux_guest_new(&f.g, LINUX_STRUCT_VMA), mode = linux_guest_alloc(&f.g, 4);
	linux_guest_put(&f.g, gate, LINUX_FIELD_VMA_START, 0xffffffffff600000);
	linux_guest_put(&f.g, gate, LINUX_FIELD_VMA_END, 0xffffffffff601000);
	linux_guest_put(&f.g, gate, LINUX_FIELD_VMA_FLAGS, 0x4);
	linux_guest_symbol(&f.g, "gate_vma", gate);
	linux_guest_symbol(&f.g, "vsyscall_mode", mode);
	linux_guest_u64(&f.g, mode, _i == 1 ? 2 : 1);
	linux_guest_put(&f.g, f.mm, LINUX_FIELD_MM_CONTEXT_FLAGS, _i == 2 ? 1 : 2);
	expect(&f, FALSE,
	       _i ? ""
		  : "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  "
		    "[vsyscall]\n");
	linux_guest_clear(&f.g);
}
END_TEST

/* A file whose user's path is /upper, on the file system that sb and mnt_sb name. */
static guint64
add_stacked(Fixture *f, guint64 sb, guint64 mnt_sb, guint64 mode)
{
	guint64 file = add_file(f, "lower", 11);
	guint64 path = file + USER_PATH;
	guint64 dentry = linux_guest_dentry(&f->g, f->root, "upper");
	guint64 inode = linux_guest_new(&f->g, LINUX_STRUCT_INODE);

	linux_guest_put(&f->g, sb, LINUX_FIELD_SUPER_BLOCK_DEV, 44);
	linux_guest_put(&f->g, inode, LINUX_FIELD_INODE_INO, 22);
	linux_guest_put(&f->g, inode, LINUX_FIELD_INODE_SB, sb);
	linux_guest_put(&f->g, dentry, LINUX_FIELD_DENTRY_INODE, inode);
	linux_guest_put(&f->g, dentry, LINUX_FIELD_DENTRY_SB, sb);
	linux_guest_put(&f->g, f->mount, LINUX_FIELD_VFSMOUNT_SB, mnt_sb);
	linux_guest_put(&f->g, path, LINUX_FIELD_PATH_MNT, f->mount);
	linux_guest_put(&f->g, path, LINUX_FIELD_PATH_DENTRY, dentry);
	linux_guest_put(&f->g, file, LINUX_FIELD_FILE_MODE, mode);
	f->upper = inode;
	return file;
}

START_TEST(file_behind_a_stacked_one_shows_that_one)
{
	static const guint64 modes[] = { 1 << 24, 1 << 25 };
	Fixture f;
	setup(&f, OLD_TYPES);
	guint64 sb = linux_guest_new(&f.g, LINUX_STRUCT_SUPER_BLOCK);
	add_vma(&f, 0x400000, 0x401000, RX, add_stacked(&f, sb, sb, modes[_i]), 0);
	expect(&f, FALSE,
	       "00400000-00401000 r-xp 00000000 00:2c 22                                 /upper\n");
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(what_lies_behind_another_file_is_no_path)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	guint64 sb = linux_guest_new(&f.g, LINUX_STRUCT_SUPER_BLOCK);
	guint64 file = _i ? add_stacked(&f, sb, sb + 8, 3 << 24) : add_stacked(&f, sb, sb, 0);
	add_vma(&f, 0x400000, 0x401000, RX, file, 0);
	expect(&f, FALSE,
	       "00400000-00401000 r-xp 00000000 fd:01 11                                 /lower\n");
	linux_guest_clear(&f.g);
}
END_TEST

/* Where it would stand is not known then: nothing is shown of it, and of others what they are. */
START_TEST(inferred_file_is_shown_where_it_cannot_be_a_stacked_one)
{
	Fixture f;
	setup(&f, INFERRED_TYPES);
	linux_guest_symbol(&f.g, "backing_file_user_path", 0);
	guint64 sb = linux_guest_new(&f.g, LINUX_STRUCT_SUPER_BLOCK);
	guint64 file = add_stacked(&f, sb, _i == 1 ? sb + 8 : sb, 3 << 24);
	if (_i == 2) /* a file that lies next to it */
		linux_guest_put(&f.g, file + USER_PATH, LINUX_FIELD_FILE_INODE, f.upper);
	add_vma(&f, 0x400000, 0x401000, RX, file, 0);
	f.is_partial = TRUE;
	expect(&f, FALSE,
	       _i ? "00400000-00401000 r-xp 00000000 fd:01 11                                 /lower\n"
		  : "");
	linux_guest_clear(&f.g);
}
END_TEST

/* Of a guest that runs, what makes no sense now may do so in a moment. */
START_TEST(list_that_goes_back_ends)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	f.g.is_live = _i;
	guint64 first = add_vma(&f, 0x400000, 0x401000, RX, 0, 0);
	guint64 second = add_vma(&f, 0x500000, 0x501000, RX, 0, 0);
	linux_guest_put(&f.g, second, LINUX_FIELD_VMA_NEXT, first);
	gint64 start = g_get_monotonic_time();
	expect(&f, FALSE,
	       "00400000-00401000 r-xp 00000000 00:00 0 \n00500000-00501000 r-xp 00000000 00:00 0 "
	       "\n");
	ck_assert(!_i || g_get_monotonic_time() - start >= 50 * G_TIME_SPAN_MILLISECOND);
	g_autofree char *log = linux_guest_log(&f.g);
	ck_assert_ptr_nonnull(strstr(log, "mappings of task 5 are partial: "));
	ck_assert_ptr_null(strstr(log, "times)"));
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(mapping_that_ends_before_it_starts_is_left_out)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	add_vma(&f, 0x401000, 0x400000, RX, 0, 0);
	expect(&f, FALSE, "");
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(unreadable_file_costs_its_mapping_only_the_name)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	guint64 file = add_file(&f, "x", 5);
	guint64 path = linux_guest_at(&f.g, file, LINUX_FIELD_FILE_PATH);
	linux_guest_put(&f.g, path, LINUX_FIELD_PATH_DENTRY, 0x1000);
	add_vma(&f, 0x400000, 0x401000, RX, file, 0);
	expect(&f, FALSE, "00400000-00401000 r-xp 00000000 fd:01 5 \n");
	linux_guest_clear(&f.g);
}
END_TEST

/* CPU time that n mappings of a file take whose path leads round in a circle. */
static clock_t
time_of_endless_paths(guint n)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	setup(&f, OLD_TYPES);
	guint64 file = add_file(&f, "x", 5), a = linux_guest_dentry(&f.g, f.root, "a"),
		b = linux_guest_dentry(&f.g, f.root, "b");
	guint64 path = linux_guest_at(&f.g, file, LINUX_FIELD_FILE_PATH);
	linux_guest_put(&f.g, a, LINUX_FIELD_DENTRY_PARENT, b);
	linux_guest_put(&f.g, b, LINUX_FIELD_DENTRY_PARENT, a);
	linux_guest_put(&f.g, path, LINUX_FIELD_PATH_DENTRY, a);
	for (guint i = 0; i < n; i++)
		add_vma(&f, 0x400000 + i * 0x2000, 0x401000 + i * 0x2000, RX, file, 0);
	Linux *os = linux_guest_start(&f.g);
	clock_t start = clock();
	ck_assert(linux_render_maps(os, &f.task, NULL, out, NULL, NULL));
	clock_t took = clock() - start;
	ck_assert_ptr_null(strstr(out->str, "/a"));
	linux_guest_clear(&f.g);
	return took;
}

START_TEST(path_that_fails_is_not_tried_for_each_mapping)
{
	clock_t one = time_of_endless_paths(1), many = time_of_endless_paths(1000);
	ck_assert_msg(many < 100 * one, "%ld of %ld", (long) many, (long) one);
}
END_TEST

/* Each of another file, all of them at one path of 61 KB. */
START_TEST(paths_of_many_files_are_bounded_as_a_whole)
{
	enum { N = 800, LEN = 4095, DEPTH = 15 };
	Fixture f;
	guint64 dentry, named = 0;
	g_autofree char *name = g_strnfill(LEN, 'x');
	g_autoptr(GArray) vmas = g_array_new(FALSE, FALSE, sizeof(VmifsVma));

	setup(&f, OLD_TYPES);
	g_array_set_clear_func(vmas, (GDestroyNotify) vmifs_vma_clear);
	dentry = linux_guest_dentry(&f.g, f.root, name);
	for (guint i = 1; i < DEPTH; i++) {
		guint64 below = linux_guest_dentry(&f.g, f.root, name);
		linux_guest_put(&f.g, below, LINUX_FIELD_DENTRY_PARENT, dentry);
		dentry = below;
	}
	for (guint64 i = 0; i < N; i++) {
		guint64 file = add_file(&f, "", 7);
		guint64 path = linux_guest_at(&f.g, file, LINUX_FIELD_FILE_PATH);
		linux_guest_put(&f.g, path, LINUX_FIELD_PATH_DENTRY, dentry);
		add_vma(&f, 0x400000 + i * 4096, 0x401000 + i * 4096, RX, file, 0);
	}
	ck_assert(linux_vmas(linux_guest_start(&f.g), &f.task, vmas, NULL, NULL));
	ck_assert_uint_eq(vmas->len, N);
	for (guint i = 0; i < N; i++)
		named += g_array_index(vmas, VmifsVma, i).path != NULL;
	/* The table of paths has one, the mapping another. */
	ck_assert_uint_gt(named, 500);
	ck_assert_uint_le(named, 64 * 1024 * 1024 / (2 * DEPTH * (LEN + 1)) + 1);
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(task_without_memory_has_no_mappings)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	add_vma(&f, 0x400000, 0x401000, RX, 0, 0);
	f.task.mm = 0;
	expect(&f, FALSE, "");
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(modules_are_files_with_code)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	guint64 program = add_file(&f, "program", 1), data = add_file(&f, "data", 2);
	guint64 library = add_file(&f, "lib c\033.so", 3);
	add_vma(&f, 0x400000, 0x401000, 1, program, 0);
	add_vma(&f, 0x401000, 0x402000, RX, program, 1);
	add_vma(&f, 0x402000, 0x403000, RW, 0, 0);
	add_vma(&f, 0x404000, 0x405000, RW, program, 3);
	add_vma(&f, 0x500000, 0x501000, RW, data, 0);
	add_vma(&f, 0x600000, 0x601000, RX, 0, 0);
	add_vma(&f, 0x7f0000000000, 0x7f0000001000, RX, library, 0);
	expect(&f, TRUE, "00400000-00405000 /program\n7f0000000000-7f0000001000 /lib c\\033.so\n");
	linux_guest_clear(&f.g);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("vmas");
	TCase *t = tcase_create("vmas");

	tcase_add_test(t, lines_are_those_of_procfs);
	tcase_add_loop_test(t, neighbours_of_the_heap_belonged_to_it_once, 0, 2);
	tcase_add_test(t, special_and_named_mappings_have_their_names);
	tcase_add_test(t, list_that_was_given_up_is_no_list);
	tcase_add_loop_test(t, vsyscall_page_is_shown_where_it_is_on, 0, 3);
	tcase_add_loop_test(t, file_behind_a_stacked_one_shows_that_one, 0, 2);
	tcase_add_loop_test(t, what_lies_behind_another_file_is_no_path, 0, 2);
	tcase_add_loop_test(t, inferred_file_is_shown_where_it_cannot_be_a_stacked_one, 0, 3);
	tcase_add_loop_test(t, list_that_goes_back_ends, 0, 2);
	tcase_add_test(t, mapping_that_ends_before_it_starts_is_left_out);
	tcase_add_test(t, unreadable_file_costs_its_mapping_only_the_name);
	tcase_add_test(t, path_that_fails_is_not_tried_for_each_mapping);
	tcase_add_test(t, paths_of_many_files_are_bounded_as_a_whole);
	tcase_add_test(t, task_without_memory_has_no_mappings);
	tcase_add_test(t, modules_are_files_with_code);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
