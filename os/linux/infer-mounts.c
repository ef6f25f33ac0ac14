/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-mounts: where file systems are mounted: struct mount holds what others see of it, struct
 * vfsmount, and just before that its parent, itself for the topmost, and the dentry that it covers,
 * which is of its parent's file system. Then, by those, what a process has for its root.
 *
 *   mount { .., mnt_parent, mnt_mountpoint, mnt { mnt_root, mnt_sb, .. } .. }
 */
#include "infer.h"

#define BEFORE 128
#define MOUNT_WINDOW 64
#define MAX_DEPTH 128
#define FS_WINDOW 96
#define UMASK_OF_KERNEL 022

/* ---- vfsmount ---- */

static gboolean
is_vfsmount(const LinuxInfer *f, guint64 mnt, gsize root_at)
{
	guint64 root = linux_infer_ptr(f, mnt + root_at);
	guint64 sb = linux_infer_ptr(f, mnt + root_at + f->ptr);

	return linux_infer_is_kernel(f, root) && linux_infer_is_kernel(f, sb) &&
	       linux_infer_ptr(f, root + f->dentry_sb) == sb;
}

static gboolean
find_vfsmount(LinuxInfer *f, gsize *ret)
{
	guint n = linux_sample_n(&f->mounts);
	LinuxOnly root = { 0 };

	for (gsize off = 0; off + 2 * f->ptr <= MOUNT_WINDOW; off += f->ptr) {
		guint i = 0;

		while (i < n && is_vfsmount(f, linux_sample_at(&f->mounts, i), off))
			i++;
		if (n && i == n)
			linux_only_add(&root, off);
	}
	if (!linux_infer_put_only(f, &root, "vfsmount", "mnt_root", f->ptr))
		return FALSE;
	linux_inferred_put(f->table, "vfsmount", "mnt_sb", root.at + f->ptr, f->ptr);
	*ret = root.at;
	return TRUE;
}

/* ---- mount ---- */

typedef struct {
	gsize before; /* from mnt_parent to mnt */
	gsize mnt;    /* from the mount's start to mnt */
	gsize root;   /* of mnt_root in vfsmount */
} Place;

/* Up to the topmost; *below: by a step at least. */
static gboolean
leads_up(const LinuxInfer *f, guint64 mnt, const Place *p, gboolean *below)
{
	for (guint n = 0; n < MAX_DEPTH; n++) {
		guint64 parent = linux_infer_ptr(f, mnt - p->before);
		guint64 point = linux_infer_ptr(f, mnt - p->before + f->ptr);

		if (parent == mnt - p->mnt)
			return TRUE;
		if (!linux_infer_is_kernel(f, parent) || !linux_infer_is_kernel(f, point) ||
		    !is_vfsmount(f, parent + p->mnt, p->root) ||
		    linux_infer_ptr(f, point + f->dentry_sb) !=
			    linux_infer_ptr(f, parent + p->mnt + p->root + f->ptr))
			return FALSE;
		mnt = parent + p->mnt;
		*below = TRUE;
	}
	return FALSE;
}

static gboolean
find_mount(LinuxInfer *f, gsize root)
{
	LinuxOnly parent = { 0 };
	Place found = { 0 };

	for (gsize before = 2 * f->ptr; before <= BEFORE; before += f->ptr) {
		for (gsize mnt = before; mnt <= BEFORE; mnt += f->ptr) {
			Place p = { before, mnt, root };
			gboolean below = FALSE;
			guint i = 0;

			while (i < linux_sample_n(&f->mounts) &&
			       leads_up(f, linux_sample_at(&f->mounts, i), &p, &below))
				i++;
			if (i < linux_sample_n(&f->mounts) || !below)
				continue;
			linux_only_add(&parent, before);
			found = p;
		}
	}
	if (!linux_infer_only(f, &parent, "mount.mnt_parent"))
		return FALSE;
	linux_inferred_put(f->table, "mount", "mnt_parent", found.mnt - found.before, f->ptr);
	linux_inferred_put(f->table, "mount", "mnt_mountpoint", found.mnt - found.before + f->ptr,
			   f->ptr);
	linux_inferred_put(f->table, "mount", "mnt", found.mnt, 2 * f->ptr);
	return TRUE;
}

/* ---- fs_struct ---- */

static gboolean
is_path(const LinuxInfer *f, guint64 at, gsize root)
{
	guint64 mnt = linux_infer_ptr(f, at), dentry = linux_infer_ptr(f, at + f->ptr);

	return linux_infer_is_kernel(f, mnt) && linux_infer_is_kernel(f, dentry) &&
	       is_vfsmount(f, mnt, root) &&
	       linux_infer_ptr(f, dentry + f->dentry_sb) == linux_infer_ptr(f, mnt + root + f->ptr);
}

/* root and pwd. Who has ended has none. */
static gboolean
are_fs(const LinuxInfer *f, gsize at, gsize off, gsize root)
{
	guint with = 0;

	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		guint64 fs = linux_sample_ptr(&f->tasks, i, at);

		if (!fs && !linux_sample_ptr(&f->tasks, i, f->mm) && !f->is_kernel[i])
			continue;
		if (!linux_infer_is_kernel(f, fs) || !is_path(f, fs + off, root) ||
		    !is_path(f, fs + off + 2 * f->ptr, root))
			return FALSE;
		with++;
	}
	return with > 1;
}

static void
find_umask(LinuxInfer *f, gsize at, gsize root)
{
	LinuxOnly umask = { 0 };

	for (gsize off = 0; off < root; off += 4) {
		guint i = 0;

		for (; i < linux_sample_n(&f->tasks); i++) {
			guint64 fs = linux_sample_ptr(&f->tasks, i, at);
			guint32 mask = fs ? linux_infer_u32(f, fs + off) : 0;

			if (mask > 0777 || (i == 0 && mask != UMASK_OF_KERNEL))
				break;
		}
		if (i == linux_sample_n(&f->tasks))
			linux_only_add(&umask, off);
	}
	linux_infer_put_only(f, &umask, "fs_struct", "umask", 4);
}

static void
find_fs(LinuxInfer *f, gsize root)
{
	LinuxOnly fs = { 0 };
	gsize fs_root = 0;

	for (gsize at = f->comm; at + f->ptr <= f->tasks.len; at += f->ptr) {
		for (gsize off = 0; off + 4 * f->ptr <= FS_WINDOW; off += f->ptr) {
			if (!are_fs(f, at, off, root))
				continue;
			linux_only_add(&fs, at);
			fs_root = off;
		}
	}
	if (!linux_infer_put_only(f, &fs, "task_struct", "fs", f->ptr))
		return;
	linux_inferred_put(f->table, "fs_struct", "root", fs_root, 2 * f->ptr);
	linux_inferred_put(f->table, "fs_struct", "pwd", fs_root + 2 * f->ptr, 2 * f->ptr);
	find_umask(f, fs.at, fs_root);
}

void
linux_infer_mounts(LinuxInfer *f)
{
	gsize root;

	linux_sample_init(&f->mounts, f->ptr, MOUNT_WINDOW);
	for (guint i = 0; i < linux_sample_n(&f->files); i++)
		linux_sample_add(&f->mounts, f->os->aspace,
				 linux_sample_ptr(&f->files, i, f->file_dentry - f->ptr));
	g_string_append_printf(f->checked, ", %u mounts", linux_sample_n(&f->mounts));
	if (find_vfsmount(f, &root) && find_mount(f, root))
		find_fs(f, root);
}
