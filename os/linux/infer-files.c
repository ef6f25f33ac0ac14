/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-files: from open and mapped files to their dentries and inodes, which point to one another
 * in one way only:
 *
 *   file.f_path.dentry -> dentry.d_inode == file.f_inode,  dentry.d_sb == inode.i_sb
 */
#include "infer.h"

#define FILE_WINDOW 256
#define DENTRY_WINDOW 192
#define INODE_WINDOW 192
#define SUPER_WINDOW 64
#define LEAST_FILES 4
#define OBJECT_WORK 32

/* What every file that is mapped has of f_mode, and every one that is open. */
#define FMODE_MAPPED 0x80001u
#define FMODE_OPENED 0x80000u

static void
take_mapped(LinuxInfer *f)
{
	for (guint i = 0; i < linux_sample_n(&f->vmas); i++) {
		guint64 file = linux_sample_ptr(&f->vmas, i, f->vma_file);

		if (file)
			linux_sample_add(&f->files, f->os->aspace, file);
	}
	f->n_mapped = linux_sample_n(&f->files);
}

/* Objects that the word at off of all of a sample points to; FALSE when one does not. */
static gboolean
follow(const LinuxInfer *f, const LinuxSample *from, gsize off, gsize len, LinuxSample *ret)
{
	linux_sample_init(ret, f->ptr, len);
	for (guint i = 0; i < linux_sample_n(from); i++) {
		guint64 to = linux_sample_ptr(from, i, off);

		/* Lists that are empty lead back to where they stand. */
		if (!linux_infer_goes_on(f, OBJECT_WORK) || !linux_infer_is_kernel(f, to) ||
		    to % f->ptr || to - linux_sample_at(from, i) < from->len ||
		    (!linux_sample_has(ret, to, NULL) &&
		     !linux_sample_add(ret, f->os->aspace, to))) {
			linux_sample_clear(ret);
			return FALSE;
		}
	}
	return TRUE;
}

static gboolean
leads_to_inode(const LinuxInfer *f, const LinuxSample *dentries, gsize a, gsize d, gsize i)
{
	guint64 first = 0;
	gboolean differ = FALSE;

	for (guint k = 0; k < linux_sample_n(&f->files); k++) {
		guint64 inode = linux_sample_ptr(&f->files, k, i);
		guint at;

		if (!linux_infer_is_kernel(f, inode) ||
		    !linux_sample_has(dentries, linux_sample_ptr(&f->files, k, a), &at) ||
		    linux_sample_ptr(dentries, at, d) != inode)
			return FALSE;
		differ |= first && inode != first;
		first = inode;
	}
	return differ;
}

/* Offsets: of f_path.dentry and f_inode in a file, of d_inode and d_sb in a dentry, of i_sb. */
typedef struct {
	gsize path, f_inode, d_inode, d_sb, i_sb;
} Places;

/* d_sb and i_sb: the same of a dentry and its inode, not the same of all. */
static gboolean
is_super(const LinuxSample *dentries, const LinuxSample *inodes, const LinuxInfer *f,
	 const Places *p)
{
	gboolean differ = FALSE;
	guint64 first = 0;

	for (guint k = 0; k < linux_sample_n(dentries); k++) {
		guint64 own = linux_sample_ptr(dentries, k, p->d_sb);
		guint at;

		if (!linux_infer_is_kernel(f, own) ||
		    !linux_sample_has(inodes, linux_sample_ptr(dentries, k, p->d_inode), &at) ||
		    linux_sample_ptr(inodes, at, p->i_sb) != own)
			return FALSE;
		differ |= first && own != first;
		first = own;
	}
	return differ;
}

static void
find_supers(LinuxInfer *f, const LinuxSample *dentries, Places p, LinuxOnly *only, Places *ret)
{
	LinuxSample inodes;

	if (!follow(f, &f->files, p.f_inode, INODE_WINDOW, &inodes))
		return;
	for (p.d_sb = 0; p.d_sb + f->ptr <= DENTRY_WINDOW; p.d_sb += f->ptr) {
		for (p.i_sb = 0; p.i_sb + f->ptr <= INODE_WINDOW; p.i_sb += f->ptr) {
			if (p.d_sb == p.d_inode ||
			    !linux_infer_goes_on(f, linux_sample_n(dentries)) ||
			    !is_super(dentries, &inodes, f, &p))
				continue;
			linux_only_add(only, p.path);
			*ret = p;
		}
	}
	linux_sample_clear(&inodes);
}

/* Other pairs of objects point to one another, too, but are not of one file system. */
static gboolean
find_paths(LinuxInfer *f, Places *ret)
{
	LinuxOnly path = { 0 };
	Places p = { 0 };

	for (p.path = f->ptr; p.path + f->ptr <= FILE_WINDOW; p.path += f->ptr) {
		LinuxSample dentries;

		if (!follow(f, &f->files, p.path, DENTRY_WINDOW, &dentries))
			continue;
		for (p.d_inode = 0; p.d_inode + f->ptr <= DENTRY_WINDOW; p.d_inode += f->ptr) {
			for (p.f_inode = 0; p.f_inode + f->ptr <= FILE_WINDOW;
			     p.f_inode += f->ptr) {
				if (linux_infer_goes_on(f, linux_sample_n(&f->files)) &&
				    leads_to_inode(f, &dentries, p.path, p.d_inode, p.f_inode))
					find_supers(f, &dentries, p, &path, ret);
			}
		}
		linux_sample_clear(&dentries);
	}
	return linux_infer_only(f, &path, "file.f_path");
}

static gboolean
are_modes(const LinuxInfer *f, gsize off)
{
	for (guint i = 0; i < linux_sample_n(&f->files); i++) {
		guint32 mode = linux_sample_u32(&f->files, i, off);
		guint32 must = i < f->n_mapped ? FMODE_MAPPED : FMODE_OPENED;

		/* The upper half of a pointer has all of them, too. */
		if ((mode & must) != must || mode >> 16 == 0xffff)
			return FALSE;
	}
	return TRUE;
}

static void
find_mode(LinuxInfer *f)
{
	LinuxOnly mode = { 0 };

	for (gsize off = 0; off + 4 <= FILE_WINDOW; off += 4) {
		if (are_modes(f, off))
			linux_only_add(&mode, off);
	}
	linux_infer_put_only(f, &mode, "file", "f_mode", 4);
}

/* ---- file systems ---- */

/* i_ino: behind i_sb and pointers, no two the same on a file system, and i_nlink behind it. */
static gboolean
are_numbers(const LinuxInfer *f, gsize off, gsize i_sb)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	gboolean linked = FALSE;

	for (guint i = 0; i < linux_sample_n(&f->inodes); i++) {
		guint64 number = linux_sample_ptr(&f->inodes, i, off);
		guint32 links = linux_sample_u32(&f->inodes, i, off + f->ptr);

		if (linux_infer_is_kernel(f, number) || links > 65536 ||
		    !g_hash_table_add(
			    seen, g_strdup_printf("%" G_GINT64_MODIFIER "x/%" G_GINT64_MODIFIER "x",
						  linux_sample_ptr(&f->inodes, i, i_sb), number)))
			return FALSE;
		linked |= links > 1;
	}
	return linked || linux_sample_n(&f->inodes) >= LEAST_FILES;
}

static void
find_numbers(LinuxInfer *f, gsize i_sb)
{
	LinuxOnly ino = { 0 };

	for (gsize off = i_sb + f->ptr; off + 2 * f->ptr <= i_sb + 6 * f->ptr; off += f->ptr) {
		if (are_numbers(f, off, i_sb))
			linux_only_add(&ino, off);
	}
	linux_infer_put_only(f, &ino, "inode", "i_ino", f->ptr);
}

/* s_dev: behind it the size of a block, as a power of two and as it is. */
static void
find_device(LinuxInfer *f, gsize i_sb)
{
	LinuxOnly dev = { 0 };

	if (!follow(f, &f->inodes, i_sb, SUPER_WINDOW, &f->supers)) {
		linux_infer_lacks(f, "super_block.s_dev", "some cannot be read");
		return;
	}
	for (gsize off = 0; off + 8 + f->ptr <= SUPER_WINDOW; off += 4) {
		gboolean fits = TRUE;

		for (guint i = 0; fits && i < linux_sample_n(&f->supers); i++) {
			guint8 bits = *linux_sample_bytes(&f->supers, i, off + 4);

			fits = bits >= 9 && bits <= 30 &&
			       linux_sample_ptr(&f->supers, i, off + 8) == 1u << bits;
			for (guint k = 0; fits && k < i; k++)
				fits = linux_sample_u32(&f->supers, i, off) !=
				       linux_sample_u32(&f->supers, k, off);
		}
		if (fits)
			linux_only_add(&dev, off);
	}
	linux_infer_put_only(f, &dev, "super_block", "s_dev", 4);
}

gboolean
linux_infer_files(LinuxInfer *f)
{
	Places p = { 0 };

	linux_sample_init(&f->files, f->ptr, FILE_WINDOW);
	take_mapped(f);
	linux_infer_open(f);
	g_string_append_printf(f->checked, ", %u files", linux_sample_n(&f->files));
	if (linux_sample_n(&f->files) < LEAST_FILES)
		return linux_infer_lacks(f, "file.f_path", "too few files are open");
	if (!find_paths(f, &p) || !follow(f, &f->files, p.path, DENTRY_WINDOW, &f->dentries) ||
	    !follow(f, &f->files, p.f_inode, INODE_WINDOW, &f->inodes))
		return FALSE;
	linux_inferred_put(f->table, "file", "f_path", p.path - f->ptr, 2 * f->ptr);
	linux_inferred_put(f->table, "file", "f_inode", p.f_inode, f->ptr);
	linux_inferred_put(f->table, "path", "mnt", 0, f->ptr);
	linux_inferred_put(f->table, "path", "dentry", f->ptr, f->ptr);
	linux_inferred_put(f->table, "dentry", "d_inode", p.d_inode, f->ptr);
	linux_inferred_put(f->table, "dentry", "d_sb", p.d_sb, f->ptr);
	linux_inferred_put(f->table, "inode", "i_sb", p.i_sb, f->ptr);
	f->file_dentry = p.path;
	f->dentry_inode = p.d_inode;
	f->dentry_sb = p.d_sb;
	find_mode(f);
	find_numbers(f, p.i_sb);
	find_device(f, p.i_sb);
	return linux_infer_dentries(f);
}
