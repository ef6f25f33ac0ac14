/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files: descriptors, and the links of a task. */
#include <unit.h>

#include <linux-guest.h>

#define TYPES                                                                                      \
	"struct qstr 16 len@4:4 name@8:8\n"                                                        \
	"struct hlist_bl_node 16 next@0:8 pprev@8:8\n"                                             \
	"struct dentry 128 d_hash@0=hlist_bl_node d_parent@16:8 d_name@24=qstr d_op@48:8\n"        \
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
	"struct task_struct 32 files@0:8 fs@8:8\n"

typedef struct {
	LinuxGuest g;
	guint64 mount, root, dir; /* dir is /dir */
	guint64 fs, fdt, slots;
	VmifsTask task;
} Fixture;

static void
put_path(Fixture *f, guint64 path, guint64 dentry)
{
	linux_guest_put(&f->g, path, LINUX_FIELD_PATH_MNT, f->mount);
	linux_guest_put(&f->g, path, LINUX_FIELD_PATH_DENTRY, dentry);
}

static guint64
add_file(Fixture *f, const char *name)
{
	guint64 file = linux_guest_new(&f->g, LINUX_STRUCT_FILE);
	put_path(f, linux_guest_at(&f->g, file, LINUX_FIELD_FILE_PATH),
		 linux_guest_dentry(&f->g, f->dir, name));
	return file;
}

/* A task whose root is /dir, seen by a pid 1 whose root is /. */
static void
setup(Fixture *f)
{
	LinuxGuest *g = &f->g;

	*f = (Fixture){ 0 };
	linux_guest_init(g, TYPES);
	f->root = linux_guest_dentry(&f->g, 0, "/");
	f->dir = linux_guest_dentry(&f->g, f->root, "dir");
	guint64 mount = linux_guest_new(g, LINUX_STRUCT_MOUNT);
	f->mount = linux_guest_at(g, mount, LINUX_FIELD_MOUNT_MNT);
	linux_guest_put(g, mount, LINUX_FIELD_MOUNT_PARENT, mount);
	linux_guest_put(g, f->mount, LINUX_FIELD_VFSMOUNT_ROOT, f->root);

	guint64 ns = linux_guest_new(g, LINUX_STRUCT_PID_NAMESPACE);
	guint64 init = linux_guest_new(g, LINUX_STRUCT_TASK);
	guint64 init_fs = linux_guest_new(g, LINUX_STRUCT_FS);
	linux_guest_symbol(g, "init_pid_ns", ns);
	linux_guest_put(g, ns, LINUX_FIELD_PID_NAMESPACE_CHILD_REAPER, init);
	linux_guest_put(g, init, LINUX_FIELD_TASK_FS, init_fs);
	put_path(f, linux_guest_at(g, init_fs, LINUX_FIELD_FS_ROOT), f->root);

	guint64 files = linux_guest_new(g, LINUX_STRUCT_FILES);
	f->task = (VmifsTask){ .pid = 5,
			       .object = linux_guest_new(g, LINUX_STRUCT_TASK),
			       .mm = linux_guest_new(g, LINUX_STRUCT_MM) };
	f->fs = linux_guest_new(g, LINUX_STRUCT_FS);
	put_path(f, linux_guest_at(g, f->fs, LINUX_FIELD_FS_ROOT), f->dir);
	put_path(f, linux_guest_at(g, f->fs, LINUX_FIELD_FS_PWD),
		 linux_guest_dentry(&f->g, f->dir, "cwd"));
	f->fdt = linux_guest_new(g, LINUX_STRUCT_FDTABLE);
	f->slots = linux_guest_alloc(g, 8 * 1024);
	linux_guest_put(g, f->task.object, LINUX_FIELD_TASK_FS, f->fs);
	linux_guest_put(g, f->task.object, LINUX_FIELD_TASK_FILES, files);
	linux_guest_put(g, files, LINUX_FIELD_FILES_FDT, f->fdt);
	linux_guest_put(g, f->fdt, LINUX_FIELD_FDTABLE_MAX_FDS, 1024);
	linux_guest_put(g, f->fdt, LINUX_FIELD_FDTABLE_FD, f->slots);
}

static char *
list(Fixture *f, GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

	if (!linux_list_fd(linux_guest_start(&f->g), &f->task, names, NULL, error))
		return NULL;
	g_ptr_array_add(names, NULL);
	return g_strjoinv(" ", (char **) names->pdata);
}

START_TEST(open_descriptors_are_listed)
{
	Fixture f;
	g_autoptr(GError) error = NULL;
	setup(&f);
	guint64 file = add_file(&f, "x");
	linux_guest_u64(&f.g, f.slots, file);
	linux_guest_u64(&f.g, f.slots + 511 * 8, file);
	linux_guest_u64(&f.g, f.slots + 512 * 8, file);
	linux_guest_u64(&f.g, f.slots + 1023 * 8, file);
	g_autofree char *names = list(&f, &error);
	ck_assert_str_eq(names, "0 511 512 1023");
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(task_that_gave_up_its_files_has_none)
{
	Fixture f;
	g_autoptr(GError) error = NULL;
	setup(&f);
	linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_FILES, 0);
	g_autofree char *names = list(&f, &error);
	ck_assert_str_eq(names, "");
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(enormous_table_is_refused)
{
	Fixture f;
	g_autoptr(GError) error = NULL;
	setup(&f);
	linux_guest_put(&f.g, f.fdt, LINUX_FIELD_FDTABLE_MAX_FDS, G_MAXUINT32);
	ck_assert_ptr_null(list(&f, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(memory_that_is_no_table_of_files_is_not_listed)
{
	static const guint64 no_files[] = { 0x6f662f6574617473, 0x7f0000001000 };
	Fixture f;
	g_autoptr(GError) error = NULL;
	setup(&f);
	linux_guest_u64(&f.g, f.slots, add_file(&f, "x"));
	linux_guest_u64(&f.g, f.slots + 8, no_files[_i]);
	ck_assert_ptr_null(list(&f, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(table_that_is_not_in_memory_is_a_hole)
{
	Fixture f;
	g_autoptr(GError) error = NULL;
	setup(&f);
	linux_guest_put(&f.g, f.fdt, LINUX_FIELD_FDTABLE_FD, 0x1000);
	ck_assert_ptr_null(list(&f, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(links_are_seen_from_pid_1)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	setup(&f);
	linux_guest_u64(&f.g, f.slots + 7 * 8, add_file(&f, "open"));
	linux_guest_put(&f.g, f.task.mm, LINUX_FIELD_MM_EXE_FILE, add_file(&f, "exe"));
	Linux *os = linux_guest_start(&f.g);
	ck_assert(linux_render_fd(os, &f.task, "7", out, NULL, NULL));
	g_string_append_c(out, ' ');
	ck_assert(linux_render_exe(os, &f.task, NULL, out, NULL, NULL));
	g_string_append_c(out, ' ');
	ck_assert(linux_render_cwd(os, &f.task, NULL, out, NULL, NULL));
	g_string_append_c(out, ' ');
	ck_assert(linux_render_root(os, &f.task, NULL, out, NULL, NULL));
	ck_assert_str_eq(out->str, "/dir/open /dir/exe /dir/cwd /dir");
	linux_guest_clear(&f.g);
}
END_TEST

static const char *const no_names[] = {
	"8", "07", "+7", "-1", " 7", "7 ", "", "x", "1024", "99999999999", "0x7",
};

START_TEST(other_names_are_not_found)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	setup(&f);
	linux_guest_u64(&f.g, f.slots + 7 * 8, add_file(&f, "open"));
	Linux *os = linux_guest_start(&f.g);
	ck_assert(!linux_render_fd(os, &f.task, no_names[_i], out, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(task_without_them_has_no_links)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) exe = NULL, kernel = NULL, cwd = NULL;
	setup(&f);
	linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_FS, 0);
	Linux *os = linux_guest_start(&f.g);
	ck_assert(!linux_render_exe(os, &f.task, NULL, out, NULL, &exe));
	ck_assert(g_error_matches(exe, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	f.task.mm = 0;
	ck_assert(!linux_render_exe(os, &f.task, NULL, out, NULL, &kernel));
	ck_assert(g_error_matches(kernel, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	ck_assert(!linux_render_cwd(os, &f.task, NULL, out, NULL, &cwd));
	ck_assert(g_error_matches(cwd, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	ck_assert_uint_eq(out->len, 0);
	linux_guest_clear(&f.g);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("files");
	TCase *t = tcase_create("files");

	tcase_add_test(t, open_descriptors_are_listed);
	tcase_add_test(t, task_that_gave_up_its_files_has_none);
	tcase_add_test(t, enormous_table_is_refused);
	tcase_add_loop_test(t, memory_that_is_no_table_of_files_is_not_listed, 0, 2);
	tcase_add_test(t, table_that_is_not_in_memory_is_a_hole);
	tcase_add_test(t, links_are_seen_from_pid_1);
	tcase_add_loop_test(t, other_names_are_not_found, 0, G_N_ELEMENTS(no_names));
	tcase_add_test(t, task_without_them_has_no_links);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
