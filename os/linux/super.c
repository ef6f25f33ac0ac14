/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * super: what a file system adds to a line of a mount. Each kernel function that prints such
 * options is known by its symbol and has its twin here; of file systems with another one only the
 * general options are shown.
 */
#include "cgroup.h"

#define ALL_BITS 07777
#define STICKY 01000

/* One superblock: its private data, the mount's root, and the first failure. */
typedef struct {
	LinuxCursor c;
	guint64 sb, info, root;
	GString *out;
} Super;

static guint64
own(Super *s, LinuxField field)
{
	return linux_take(&s->c, s->info, field);
}

/* uid= and gid= are shown where they are not root's. */
static void
append_owner(Super *s, guint64 uid, guint64 gid)
{
	if (uid)
		g_string_append_printf(s->out, ",uid=%u", (guint32) uid);
	if (gid)
		g_string_append_printf(s->out, ",gid=%u", (guint32) gid);
}

/* ---- one function for each of the kernel's ---- */

static guint64
total_pages(Super *s)
{
	guint64 pages = 0;

	if (!s->c.error)
		linux_word_variable(s->c.os, "_totalram_pages", &pages, &s->c.error);
	return pages;
}

/* The kernel makes the file system of /dev by itself, so that its options are the default. */
static gboolean
default_numbers(const Linux *os, guint64 *ret_are_long)
{
	guint64 type, node, at, mount, sb, info;

	if (linux_word_variable(os, "devtmpfs.mnt", &mount, NULL)) {
		if (!linux_get(os, mount, LINUX_FIELD_VFSMOUNT_SB, &sb, NULL))
			return FALSE;
	} else if (linux_symbol(os, "internal_fs_type", &type, NULL) &&
		   linux_get(os, type, LINUX_FIELD_FILE_SYSTEM_SUPERS, &node, NULL) && node &&
		   linux_offset(os, LINUX_FIELD_SUPER_BLOCK_INSTANCES, &at, NULL)) {
		sb = node - at;
	} else {
		return FALSE;
	}
	return linux_get(os, sb, LINUX_FIELD_SUPER_BLOCK_FS_INFO, &info, NULL) &&
	       linux_get(os, info, LINUX_FIELD_SHMEM_FULL_INUMS, ret_are_long, NULL);
}

/* 32 bits are not shown by kernels that have them as their default. */
static void
append_numbers(Super *s)
{
	guint64 are_long;

	if (own(s, LINUX_FIELD_SHMEM_FULL_INUMS))
		g_string_append(s->out, ",inode64");
	else if (default_numbers(s->c.os, &are_long) && are_long)
		g_string_append(s->out, ",inode32");
}

static void
show_shmem(Super *s)
{
	static const char *const huge[] = { "never", "always", "within_size", "advise" };
	guint64 default_max = total_pages(s) / 2;
	guint64 blocks = own(s, LINUX_FIELD_SHMEM_MAX_BLOCKS);
	guint64 inodes = own(s, LINUX_FIELD_SHMEM_MAX_INODES);
	guint64 mode = own(s, LINUX_FIELD_SHMEM_MODE), how = own(s, LINUX_FIELD_SHMEM_HUGE);

	if (blocks != default_max)
		g_string_append_printf(s->out, ",size=%" G_GUINT64_FORMAT "k",
				       linux_pages_kb(s->c.os, blocks));
	if (inodes != default_max)
		g_string_append_printf(s->out, ",nr_inodes=%" G_GUINT64_FORMAT, inodes);
	if (mode != (0777 | STICKY))
		g_string_append_printf(s->out, ",mode=%03o", (guint) mode);
	append_owner(s, own(s, LINUX_FIELD_SHMEM_UID), own(s, LINUX_FIELD_SHMEM_GID));
	if (linux_has(s->c.os, LINUX_FIELD_SHMEM_FULL_INUMS))
		append_numbers(s);
	if (how && how < G_N_ELEMENTS(huge))
		g_string_append_printf(s->out, ",huge=%s", huge[how]);
	if (linux_has(s->c.os, LINUX_FIELD_SHMEM_NOSWAP) && own(s, LINUX_FIELD_SHMEM_NOSWAP))
		g_string_append(s->out, ",noswap");
}

static void
show_ramfs(Super *s)
{
	guint64 mode = own(s, LINUX_FIELD_RAMFS_MODE);

	if (mode != 0755)
		g_string_append_printf(s->out, ",mode=%o", (guint) mode);
}

static void
show_proc(Super *s)
{
	static const char *const hide[] = { "off", "noaccess", "invisible", NULL, "ptraceable" };
	guint64 gid = own(s, LINUX_FIELD_PROCFS_GID), how = own(s, LINUX_FIELD_PROCFS_HIDE_PID);

	if (gid)
		g_string_append_printf(s->out, ",gid=%u", (guint32) gid);
	if (how && how < G_N_ELEMENTS(hide) && hide[how])
		g_string_append_printf(s->out, ",hidepid=%s", hide[how]);
	if (own(s, LINUX_FIELD_PROCFS_PIDONLY))
		g_string_append(s->out, ",subset=pid");
}

static void
show_devpts(Super *s)
{
	guint64 max = own(s, LINUX_FIELD_DEVPTS_MAX);

	if (own(s, LINUX_FIELD_DEVPTS_SETUID))
		g_string_append_printf(s->out, ",uid=%u", (guint32) own(s, LINUX_FIELD_DEVPTS_UID));
	if (own(s, LINUX_FIELD_DEVPTS_SETGID))
		g_string_append_printf(s->out, ",gid=%u", (guint32) own(s, LINUX_FIELD_DEVPTS_GID));
	g_string_append_printf(s->out, ",mode=%03o,ptmxmode=%03o",
			       (guint) own(s, LINUX_FIELD_DEVPTS_MODE),
			       (guint) own(s, LINUX_FIELD_DEVPTS_PTMXMODE));
	if (max < 1 << 20)
		g_string_append_printf(s->out, ",max=%u", (guint) max);
}

static void
show_hugetlbfs(Super *s)
{
	guint64 mode = own(s, LINUX_FIELD_HUGETLBFS_MODE);
	guint64 inodes = own(s, LINUX_FIELD_HUGETLBFS_MAX_INODES);
	guint64 hstate = own(s, LINUX_FIELD_HUGETLBFS_HSTATE);
	guint64 size = linux_page_size(s->c.os)
		       << (linux_take(&s->c, hstate, LINUX_FIELD_HSTATE_ORDER) & 31);
	guint64 pool = own(s, LINUX_FIELD_HUGETLBFS_SPOOL), max, min;

	append_owner(s, own(s, LINUX_FIELD_HUGETLBFS_UID), own(s, LINUX_FIELD_HUGETLBFS_GID));
	if (mode != 0755)
		g_string_append_printf(s->out, ",mode=%o", (guint) mode);
	if (inodes != G_MAXUINT64)
		g_string_append_printf(s->out, ",nr_inodes=%" G_GUINT64_FORMAT, inodes);
	if (size >= 1024 * 1024)
		g_string_append_printf(s->out, ",pagesize=%" G_GUINT64_FORMAT "M", size >> 20);
	else
		g_string_append_printf(s->out, ",pagesize=%" G_GUINT64_FORMAT "K", size >> 10);
	if (!pool)
		return;
	max = linux_take(&s->c, pool, LINUX_FIELD_SUBPOOL_MAX_HPAGES);
	min = linux_take(&s->c, pool, LINUX_FIELD_SUBPOOL_MIN_HPAGES);
	if (max != G_MAXUINT64)
		g_string_append_printf(s->out, ",size=%" G_GUINT64_FORMAT, max * size);
	if (min != G_MAXUINT64)
		g_string_append_printf(s->out, ",min_size=%" G_GUINT64_FORMAT, min * size);
}

static void
show_debug(Super *s, guint64 uid, guint64 gid, guint64 mode)
{
	append_owner(s, uid, gid);
	if (mode != 0700)
		g_string_append_printf(s->out, ",mode=%o", (guint) mode);
}

static void
show_debugfs(Super *s)
{
	show_debug(s, own(s, LINUX_FIELD_DEBUGFS_UID), own(s, LINUX_FIELD_DEBUGFS_GID),
		   own(s, LINUX_FIELD_DEBUGFS_MODE));
}

static void
show_tracefs(Super *s)
{
	show_debug(s, own(s, LINUX_FIELD_TRACEFS_UID), own(s, LINUX_FIELD_TRACEFS_GID),
		   own(s, LINUX_FIELD_TRACEFS_MODE));
}

/* What is shown is the state of the mounted folder. */
static void
show_bpf(Super *s)
{
	guint64 inode = linux_take(&s->c, s->root, LINUX_FIELD_DENTRY_INODE);
	guint64 mode = linux_take(&s->c, inode, LINUX_FIELD_INODE_MODE) & ALL_BITS & ~STICKY;

	if (linux_has(s->c.os, LINUX_FIELD_BPFFS_UID))
		append_owner(s, linux_take(&s->c, inode, LINUX_FIELD_INODE_UID),
			     linux_take(&s->c, inode, LINUX_FIELD_INODE_GID));
	if (mode != 0777)
		g_string_append_printf(s->out, ",mode=%o", (guint) mode);
}

static guint64
kernfs_root(Super *s)
{
	return own(s, LINUX_FIELD_KERNFS_SUPER_ROOT);
}

/* A file system made of kernel objects asks its owner: sysfs has nothing to say, cgroups have. */
static void
show_kernfs(Super *s)
{
	guint64 root = kernfs_root(s), fn = 0;
	guint64 ops = linux_take(&s->c, root, LINUX_FIELD_KERNFS_ROOT_SYSCALL_OPS);

	if (ops)
		fn = linux_take(&s->c, ops, LINUX_FIELD_KERNFS_SYSCALL_OPS_SHOW_OPTIONS);
	if (fn && linux_is_symbol(s->c.os, fn, "cgroup_show_options"))
		linux_cgroup_options(&s->c, s->out);
	else if (fn && linux_is_symbol(s->c.os, fn, "cgroup1_show_options"))
		linux_cgroup1_options(&s->c, root, s->out);
}

static const struct {
	const char *symbol;
	void (*show)(Super *s);
} shows[] = {
	{ "shmem_show_options", show_shmem },         { "ramfs_show_options", show_ramfs },
	{ "proc_show_options", show_proc },           { "devpts_show_options", show_devpts },
	{ "hugetlbfs_show_options", show_hugetlbfs }, { "debugfs_show_options", show_debugfs },
	{ "tracefs_show_options", show_tracefs },     { "bpf_show_options", show_bpf },
	{ "kernfs_sop_show_options", show_kernfs },
};

static Super
take_super(const Linux *os, guint64 sb, guint64 root, GString *out)
{
	Super s = { .c = { .os = os }, .sb = sb, .root = root, .out = out };

	s.info = linux_take(&s.c, sb, LINUX_FIELD_SUPER_BLOCK_FS_INFO);
	return s;
}

static guint64
operation(Super *s, LinuxField field)
{
	guint64 op = linux_take(&s->c, s->sb, LINUX_FIELD_SUPER_BLOCK_OP);

	return linux_take(&s->c, op, field);
}

gboolean
linux_super_options(const Linux *os, guint64 sb, guint64 root, GString *out, GError **error)
{
	Super s = take_super(os, sb, root, out);
	guint64 fn = operation(&s, LINUX_FIELD_SUPER_OPERATIONS_SHOW_OPTIONS);

	for (gsize i = 0; fn && !s.c.error && i < G_N_ELEMENTS(shows); i++) {
		if (linux_is_symbol(os, fn, shows[i].symbol)) {
			shows[i].show(&s);
			break;
		}
	}
	return linux_cursor_end(&s.c, error);
}

/* ---- which part is mounted ---- */

/* Cgroups show a path as the reader's cgroup namespace has it: that of the guest's pid 1. */
static gboolean
append_kernfs_path(Super *s, guint64 *steps, GError **error)
{
	guint64 root = kernfs_root(s), fn = 0;
	guint64 ops = linux_take(&s->c, root, LINUX_FIELD_KERNFS_ROOT_SYSCALL_OPS);

	if (ops)
		fn = linux_take(&s->c, ops, LINUX_FIELD_KERNFS_SYSCALL_OPS_SHOW_PATH);
	if (!linux_cursor_end(&s->c, error))
		return FALSE;
	if (!fn || !linux_is_symbol(s->c.os, fn, "cgroup_show_path"))
		return linux_dentry_append(s->c.os, s->root, s->out, steps, error);
	guint64 inode = linux_take(&s->c, s->root, LINUX_FIELD_DENTRY_INODE);
	guint64 node = linux_take(&s->c, inode, LINUX_FIELD_INODE_PRIVATE);
	return linux_cursor_end(&s->c, error) &&
	       linux_cgroup_path(s->c.os, root, node, s->out, error);
}

gboolean
linux_super_path(const Linux *os, guint64 sb, guint64 root, GString *out, guint64 *steps,
		 GError **error)
{
	g_autoptr(GString) path = g_string_new(NULL);
	Super s = take_super(os, sb, root, path);
	guint64 fn = operation(&s, LINUX_FIELD_SUPER_OPERATIONS_SHOW_PATH);
	gboolean ok;

	if (!linux_cursor_end(&s.c, error))
		return FALSE;
	if (fn && linux_is_symbol(os, fn, "nsfs_show_path")) {
		ok = linux_namespace_append(os, root, path, error);
	} else if (fn && linux_is_symbol(os, fn, "kernfs_sop_show_path")) {
		ok = append_kernfs_path(&s, steps, error);
	} else {
		ok = linux_dentry_append(os, root, path, steps, error);
	}
	if (ok)
		vmifs_text_append_mangled(out, path->str, (gssize) path->len, " \t\n\\");
	return ok;
}
