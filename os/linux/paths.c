/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * paths: the name of a place in the guest's mount tree, as its kernel would print it. A path is
 * built from its end: up the dentries of a file system, across to the place where that is mounted,
 * and on, until the viewer's root or the top is reached.
 *
 *   path {mnt, dentry} -> dentry.d_parent ... mnt.mnt_root -> mount.mnt_mountpoint in mnt_parent
 * ...
 *
 * File systems that nobody can mount name their objects with a function; each is known by its
 * symbol.
 */
#include "linux.h"

/* Far beyond what a kernel lets anyone build; the text of one path. */
#define MAX_STEPS 8192
#define MAX_TEXT (64 * 1024)
#define MAX_COMPONENT 4096

/* A dentry's name, not ended by a NUL of its own. */
static char *
read_name(const Linux *os, guint64 dentry, gsize *ret_len, GError **error)
{
	guint64 name, len;

	if (!linux_get(os, dentry, LINUX_FIELD_DENTRY_NAME, &name, error) ||
	    !linux_get(os, dentry, LINUX_FIELD_DENTRY_NAME_LEN, &len, error))
		return NULL;
	if (len > MAX_COMPONENT) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "dentry %#" G_GINT64_MODIFIER "x: a name of %" G_GUINT64_FORMAT
			    " bytes",
			    dentry, len);
		return NULL;
	}
	g_autofree char *text = g_malloc0(len + 1);
	if (!vmifs_aspace_read(os->aspace, name, text, len, error))
		return NULL;
	*ret_len = len;
	return g_steal_pointer(&text);
}

gboolean
linux_path_read(const Linux *os, guint64 path, LinuxPath *ret, GError **error)
{
	LinuxPath p;

	if (!linux_get(os, path, LINUX_FIELD_PATH_MNT, &p.mnt, error) ||
	    !linux_get(os, path, LINUX_FIELD_PATH_DENTRY, &p.dentry, error))
		return FALSE;
	*ret = p;
	return TRUE;
}

gboolean
linux_init_task(const Linux *os, guint64 *ret, GError **error)
{
	guint64 ns;

	/* Containers have a pid 1 of their own; this is the one of the whole guest. */
	return linux_symbol(os, "init_pid_ns", &ns, error) &&
	       linux_get(os, ns, LINUX_FIELD_PID_NAMESPACE_CHILD_REAPER, ret, error);
}

gboolean
linux_path_root(const Linux *os, LinuxPath *ret, GError **error)
{
	guint64 init, fs, at;

	if (!linux_init_task(os, &init, error) ||
	    !linux_get(os, init, LINUX_FIELD_TASK_FS, &fs, error) ||
	    !linux_offset(os, LINUX_FIELD_FS_ROOT, &at, error))
		return FALSE;
	return linux_path_read(os, fs + at, ret, error);
}

/* ---- ordinary paths ---- */

/* Pieces from last to first. */
typedef struct {
	GPtrArray *pieces; /* of GString */
	gsize len;
	guint steps;
} Pieces;

static gboolean
add_piece(Pieces *p, char *name, gsize len, GError **error)
{
	g_autofree char *owned = name;

	p->len += len + 1;
	if (p->len > MAX_TEXT) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "a path too long");
		return FALSE;
	}
	GString *piece = g_string_sized_new(len + 2);
	g_string_append_c(piece, '/');
	g_string_append_len(piece, owned, (gssize) len);
	g_ptr_array_add(p->pieces, piece);
	return TRUE;
}

static void
free_piece(gpointer piece)
{
	g_string_free(piece, TRUE);
}

static gboolean
fail_endless(GError **error)
{
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "a path that does not end");
	return FALSE;
}

/* From a mount's top to where it is mounted. FALSE without error at the top of everything. */
static gboolean
step_mount(const Linux *os, guint64 mount, LinuxPath *at, guint64 vfsmount_at, GError **error)
{
	guint64 parent, mountpoint;

	if (!linux_get(os, mount, LINUX_FIELD_MOUNT_PARENT, &parent, error) || parent == mount ||
	    !linux_get(os, mount, LINUX_FIELD_MOUNT_MOUNTPOINT, &mountpoint, error))
		return FALSE;
	*at = (LinuxPath){ parent + vfsmount_at, mountpoint };
	return TRUE;
}

/* *ret_below: did it come to root, and not past it? */
static gboolean
collect_pieces(const Linux *os, LinuxPath at, const LinuxPath *root, Pieces *p, gboolean *ret_below,
	       GError **error)
{
	guint64 vfsmount_at;
	/* A place that was passed, set anew ever more rarely: a path that leads round meets it. */
	LinuxPath mark = { 0 };

	*ret_below = FALSE;
	if (!linux_offset(os, LINUX_FIELD_MOUNT_MNT, &vfsmount_at, error))
		return FALSE;
	for (guint n = 0; n < MAX_STEPS; n++) {
		guint64 top, parent;
		g_autoptr(GError) failed = NULL;

		if (at.mnt == mark.mnt && at.dentry == mark.dentry)
			break;
		if ((n & (n + 1)) == 0)
			mark = at;
		p->steps++;
		if (root && at.mnt == root->mnt && at.dentry == root->dentry) {
			*ret_below = TRUE;
			return TRUE;
		}
		if (!linux_get(os, at.mnt, LINUX_FIELD_VFSMOUNT_ROOT, &top, error) ||
		    !linux_get(os, at.dentry, LINUX_FIELD_DENTRY_PARENT, &parent, error))
			return FALSE;
		if (at.dentry == top) {
			if (step_mount(os, at.mnt - vfsmount_at, &at, vfsmount_at, &failed))
				continue;
			if (!failed)
				return TRUE;
			g_propagate_error(error, g_steal_pointer(&failed));
			return FALSE;
		}
		if (at.dentry == parent) {
			/* Moved out of what is mounted: the kernel shows nothing of it either. */
			g_ptr_array_set_size(p->pieces, 0);
			return TRUE;
		}
		gsize len;
		char *name = read_name(os, at.dentry, &len, error);
		if (!name || !add_piece(p, name, len, error))
			return FALSE;
		at.dentry = parent;
	}
	return fail_endless(error);
}

static gboolean
is_deleted(const Linux *os, guint64 dentry, gboolean *ret, GError **error)
{
	guint64 hashed, parent;

	if (!linux_get(os, dentry, LINUX_FIELD_DENTRY_HASH_PPREV, &hashed, error) ||
	    !linux_get(os, dentry, LINUX_FIELD_DENTRY_PARENT, &parent, error))
		return FALSE;
	*ret = !hashed && parent != dentry;
	return TRUE;
}

static void
append_pieces(const Pieces *p, GString *out)
{
	if (p->pieces->len == 0)
		g_string_append_c(out, '/');
	for (guint i = p->pieces->len; i > 0; i--) {
		const GString *piece = g_ptr_array_index(p->pieces, i - 1);
		g_string_append_len(out, piece->str, (gssize) piece->len);
	}
}

static gboolean
append_walked(const Linux *os, const LinuxPath *path, const LinuxPath *root, GString *out,
	      GError **error)
{
	g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func(free_piece);
	Pieces p = { .pieces = pieces };
	gboolean deleted, below;

	if (!is_deleted(os, path->dentry, &deleted, error) ||
	    !collect_pieces(os, *path, root, &p, &below, error))
		return FALSE;
	append_pieces(&p, out);
	if (deleted)
		g_string_append(out, " (deleted)");
	return TRUE;
}

gboolean
linux_path_below(const Linux *os, const LinuxPath *path, const LinuxPath *root, GString *out,
		 gboolean *ret_below, guint64 *steps, GError **error)
{
	g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func(free_piece);
	Pieces p = { .pieces = pieces };
	gboolean below;
	gboolean ok = collect_pieces(os, *path, root, &p, &below, error);

	*steps += p.steps;
	if (!ok)
		return FALSE;
	if (below)
		append_pieces(&p, out);
	*ret_below = below;
	return TRUE;
}

gboolean
linux_dentry_append(const Linux *os, guint64 dentry, GString *out, guint64 *steps, GError **error)
{
	g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func(free_piece);
	Pieces p = { .pieces = pieces };
	gboolean deleted;
	guint64 parent;

	if (!is_deleted(os, dentry, &deleted, error) ||
	    !linux_get(os, dentry, LINUX_FIELD_DENTRY_PARENT, &parent, error))
		return FALSE;
	for (guint n = 0; parent != dentry; n++, ++*steps) {
		gsize len;

		if (n == MAX_STEPS)
			return fail_endless(error);
		char *name = read_name(os, dentry, &len, error);
		if (!name || !add_piece(&p, name, len, error))
			return FALSE;
		dentry = parent;
		if (!linux_get(os, dentry, LINUX_FIELD_DENTRY_PARENT, &parent, error))
			return FALSE;
	}
	append_pieces(&p, out);
	if (deleted)
		g_string_append(out, "//deleted");
	return TRUE;
}

/* ---- names made by a function ---- */

typedef gboolean (*NameFn)(const Linux *os, guint64 dentry, GString *out, GError **error);

static gboolean
append_inode_number(const Linux *os, guint64 dentry, const char *kind, GString *out, GError **error)
{
	guint64 inode, ino;

	if (!linux_get(os, dentry, LINUX_FIELD_DENTRY_INODE, &inode, error) ||
	    !linux_get(os, inode, LINUX_FIELD_INODE_INO, &ino, error))
		return FALSE;
	g_string_append_printf(out, "%s:[%" G_GUINT64_FORMAT "]", kind, ino);
	return TRUE;
}

static gboolean
append_pipe(const Linux *os, guint64 dentry, GString *out, GError **error)
{
	return append_inode_number(os, dentry, "pipe", out, error);
}

static gboolean
append_socket(const Linux *os, guint64 dentry, GString *out, GError **error)
{
	return append_inode_number(os, dentry, "socket", out, error);
}

static gboolean
append_pidfd(const Linux *os, guint64 dentry, GString *out, GError **error)
{
	g_string_append(out, "anon_inode:[pidfd]");
	return TRUE;
}

/* head + the dentry's own name + tail */
static gboolean
append_named(const Linux *os, guint64 dentry, const char *head, const char *tail, GString *out,
	     GError **error)
{
	gsize len;
	g_autofree char *name = read_name(os, dentry, &len, error);

	if (!name)
		return FALSE;
	g_string_append(out, head);
	g_string_append_len(out, name, (gssize) len);
	g_string_append(out, tail);
	return TRUE;
}

static gboolean
append_anon_inode(const Linux *os, guint64 dentry, GString *out, GError **error)
{
	return append_named(os, dentry, "anon_inode:", "", out, error);
}

static gboolean
append_simple(const Linux *os, guint64 dentry, GString *out, GError **error)
{
	return append_named(os, dentry, "/", " (deleted)", out, error);
}

/* A namespace: its kind is a literal, its number the inode's. */
gboolean
linux_namespace_append(const Linux *os, guint64 dentry, GString *out, GError **error)
{
	guint64 inode, ns, ops, name;

	if (!linux_get(os, dentry, LINUX_FIELD_DENTRY_INODE, &inode, error) ||
	    !linux_get(os, inode, LINUX_FIELD_INODE_PRIVATE, &ns, error) ||
	    !linux_get(os, ns, LINUX_FIELD_NS_COMMON_OPS, &ops, error) ||
	    !linux_get(os, ops, LINUX_FIELD_NS_OPERATIONS_NAME, &name, error))
		return FALSE;
	g_autofree char *kind = vmifs_aspace_read_string(os->aspace, name, 32, error);
	return kind && append_inode_number(os, dentry, kind, out, error);
}

static gboolean
append_dmabuf(const Linux *os, guint64 dentry, GString *out, GError **error)
{
	guint64 buffer, name;

	if (!linux_get(os, dentry, LINUX_FIELD_DENTRY_FSDATA, &buffer, error) ||
	    !linux_get(os, buffer, LINUX_FIELD_DMA_BUF_NAME, &name, error))
		return FALSE;
	g_autofree char *text = name ? vmifs_aspace_read_string(os->aspace, name, 32, error) : NULL;
	if (name && !text)
		return FALSE;
	return append_named(os, dentry, "/", ":", out, error) &&
	       (g_string_append(out, text ? text : ""), TRUE);
}

static const struct {
	const char *symbol;
	NameFn append;
} name_functions[] = {
	{ "pipefs_dname", append_pipe },
	{ "sockfs_dname", append_socket },
	{ "anon_inodefs_dname", append_anon_inode },
	{ "simple_dname", append_simple },
	{ "ns_dname", linux_namespace_append },
	{ "pidfs_dname", append_pidfd },
	{ "dmabuffs_dname", append_dmabuf },
};

/* FALSE without error when the path has to be walked. */
static gboolean
append_by_function(const Linux *os, const LinuxPath *path, GString *out, GError **error)
{
	guint64 ops, fn, parent, top;

	if (!linux_get(os, path->dentry, LINUX_FIELD_DENTRY_OP, &ops, error) || !ops ||
	    !linux_get(os, ops, LINUX_FIELD_DENTRY_OPERATIONS_DNAME, &fn, error) || !fn ||
	    !linux_get(os, path->dentry, LINUX_FIELD_DENTRY_PARENT, &parent, error) ||
	    !linux_get(os, path->mnt, LINUX_FIELD_VFSMOUNT_ROOT, &top, error))
		return FALSE;
	if (parent == path->dentry && top == path->dentry)
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(name_functions); i++) {
		if (linux_is_symbol(os, fn, name_functions[i].symbol))
			return name_functions[i].append(os, path->dentry, out, error);
	}
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
		    "dentry %#" G_GINT64_MODIFIER
		    "x is named by an unknown function at %#" G_GINT64_MODIFIER "x",
		    path->dentry, fn);
	return FALSE;
}

gboolean
linux_path_append(const Linux *os, const LinuxPath *path, const LinuxPath *root, GString *out,
		  GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GError) failed = NULL;

	if (!append_by_function(os, path, text, &failed)) {
		if (failed) {
			g_propagate_prefixed_error(error, g_steal_pointer(&failed), "path: ");
			return FALSE;
		}
		if (!append_walked(os, path, root, text, error)) {
			g_prefix_error(error, "path: ");
			return FALSE;
		}
	}
	g_string_append_len(out, text->str, (gssize) text->len);
	return TRUE;
}
