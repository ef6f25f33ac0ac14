/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-dentries: names. A name is as long as it says; parents lead, in one file system, to one
 * that is its own and is called "/"; who can be looked up is pointed back to from a table that is
 * neither its parent nor its inode.
 */
#include "infer.h"

#include <string.h>

#define MAX_NAME 255
#define MAX_DEPTH 256
#define OPS_WORDS 12

/* ---- d_name ---- */

static gboolean
is_name(const LinuxInfer *f, guint64 dentry, gsize off, guint32 *ret_len)
{
	guint64 name = linux_infer_ptr(f, dentry + off);
	guint32 len = linux_infer_u32(f, dentry + off - 4);

	if (!name || name < f->init >> 1 || len > MAX_NAME)
		return FALSE;
	g_autofree char *text = vmifs_aspace_read_string(f->os->aspace, name, MAX_NAME + 1, NULL);
	*ret_len = len;
	return text && strlen(text) == len;
}

static gboolean
find_name(LinuxInfer *f, gsize *ret)
{
	guint n = linux_sample_n(&f->dentries);
	LinuxOnly name = { 0 };

	for (gsize off = 8; off + f->ptr <= f->dentries.len; off += f->ptr) {
		guint i = 0, named = 0;
		guint32 len;

		while (i < n && is_name(f, linux_sample_at(&f->dentries, i), off, &len)) {
			named += len > 0;
			i++;
		}
		if (i == n && named * 2 > n)
			linux_only_add(&name, off);
	}
	if (!linux_infer_only(f, &name, "dentry.d_name"))
		return FALSE;
	linux_inferred_put(f->table, "dentry", "d_name.name", name.at, f->ptr);
	linux_inferred_put(f->table, "dentry", "d_name.len", name.at - 4, 4);
	*ret = name.at;
	return TRUE;
}

/* ---- d_parent ---- */

/* From one up to the top of its file system; *deep: by several steps. */
static gboolean
leads_up(const LinuxInfer *f, guint64 dentry, gsize off, gsize name, gboolean *deep)
{
	guint64 sb = linux_infer_ptr(f, dentry + f->dentry_sb);

	for (guint n = 0; n < MAX_DEPTH; n++) {
		guint64 parent = linux_infer_ptr(f, dentry + off);
		guint32 len;

		if (parent == dentry) {
			char *top;
			gboolean ok;

			*deep |= n > 1;
			if (n == 0)
				return TRUE;
			top = vmifs_aspace_read_string(f->os->aspace,
						       linux_infer_ptr(f, dentry + name), 2, NULL);
			ok = g_strcmp0(top, "/") == 0;
			g_free(top);
			return ok;
		}
		if (!linux_infer_is_kernel(f, parent) ||
		    linux_infer_ptr(f, parent + f->dentry_sb) != sb ||
		    !is_name(f, parent, name, &len))
			return FALSE;
		dentry = parent;
	}
	return FALSE;
}

static gboolean
find_parent(LinuxInfer *f, gsize name, gsize *ret)
{
	guint n = linux_sample_n(&f->dentries);
	LinuxOnly parent = { 0 };

	for (gsize off = 0; off + f->ptr <= f->dentries.len; off += f->ptr) {
		gboolean deep = FALSE;
		guint i = 0;

		while (i < n && leads_up(f, linux_sample_at(&f->dentries, i), off, name, &deep))
			i++;
		if (i == n && deep)
			linux_only_add(&parent, off);
	}
	if (!linux_infer_put_only(f, &parent, "dentry", "d_parent", f->ptr))
		return FALSE;
	*ret = parent.at;
	return TRUE;
}

/* ---- d_hash ---- */

static gboolean
are_hashed(const LinuxInfer *f, gsize off, gsize parent_at)
{
	guint below = 0, hashed = 0;

	for (guint i = 0; i < linux_sample_n(&f->dentries); i++) {
		guint64 dentry = linux_sample_at(&f->dentries, i);
		guint64 parent = linux_sample_ptr(&f->dentries, i, parent_at);
		guint64 inode = linux_sample_ptr(&f->dentries, i, f->dentry_inode);
		guint64 back = linux_sample_ptr(&f->dentries, i, off);

		below += parent != dentry;
		if (!back)
			continue;
		/* What hangs off its inode or its parent is another list. */
		if (!linux_infer_is_kernel(f, back) || back - inode < 1024 ||
		    back - parent < f->dentries.len ||
		    (linux_infer_ptr(f, back) & ~(guint64) 1) != dentry + off - f->ptr)
			return FALSE;
		hashed += parent != dentry;
	}
	return hashed && hashed * 2 >= below;
}

/* In front of the parent, in all kernels that there have been: the next one of the slab may be in
 * view, too. */
static void
find_hash(LinuxInfer *f, gsize parent)
{
	LinuxOnly hash = { 0 };

	for (gsize off = f->ptr; off + f->ptr <= parent; off += f->ptr) {
		if (are_hashed(f, off, parent))
			linux_only_add(&hash, off);
	}
	if (linux_infer_only(f, &hash, "dentry.d_hash"))
		linux_inferred_put(f->table, "dentry", "d_hash.pprev", hash.at, f->ptr);
}

/* ---- d_op ---- */

static gboolean
is_code(const LinuxInfer *f, guint64 va)
{
	VmifsRange range;

	return linux_infer_is_kernel(f, va & ~(guint64) 3) &&
	       vmifs_aspace_translate(f->os->aspace, va, &range, NULL) &&
	       range.perms & VMIFS_PERM_EXEC;
}

/* Operations are functions, or nothing; which of them d_dname is, one of those says that are known
 * by name. */
static gboolean
are_operations(const LinuxInfer *f, guint64 ops, const guint64 *names, gsize n_names, LinuxOnly *at)
{
	for (gsize k = 0; k < OPS_WORDS; k++) {
		guint64 fn = linux_infer_ptr(f, ops + k * f->ptr);

		if (fn && !is_code(f, fn))
			return FALSE;
		for (gsize i = 0; fn && i < n_names; i++) {
			if (fn == names[i] && !(at->n && at->at == k * f->ptr))
				linux_only_add(at, k * f->ptr);
		}
	}
	return TRUE;
}

static void
find_operations(LinuxInfer *f)
{
	static const char *const symbols[] = { "pipefs_dname", "sockfs_dname", "anon_inodefs_dname",
					       "simple_dname", "ns_dname" };
	guint64 names[G_N_ELEMENTS(symbols)];
	gsize n_names = 0, dname_at = 0;
	LinuxOnly op = { 0 };

	for (gsize i = 0; i < G_N_ELEMENTS(symbols); i++) {
		if (linux_symbol(f->os, symbols[i], &names[n_names], NULL))
			n_names++;
	}
	for (gsize off = 0; off + f->ptr <= f->dentries.len; off += f->ptr) {
		LinuxOnly dname = { 0 };
		gboolean fits = TRUE;

		for (guint i = 0; fits && i < linux_sample_n(&f->dentries); i++) {
			guint64 ops = linux_sample_ptr(&f->dentries, i, off);
			fits = !ops || (linux_infer_is_kernel(f, ops) &&
					are_operations(f, ops, names, n_names, &dname));
		}
		if (!fits || dname.n != 1)
			continue;
		linux_only_add(&op, off);
		dname_at = dname.at;
	}
	if (!linux_infer_put_only(f, &op, "dentry", "d_op", f->ptr))
		return;
	linux_inferred_put(f->table, "dentry_operations", "d_dname", dname_at, f->ptr);
}

gboolean
linux_infer_dentries(LinuxInfer *f)
{
	gsize name, parent;

	if (!find_name(f, &name) || !find_parent(f, name, &parent))
		return FALSE;
	f->dentry_parent = parent;
	find_hash(f, parent);
	find_operations(f);
	return TRUE;
}
