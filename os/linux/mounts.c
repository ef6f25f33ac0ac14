/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mounts: the three texts of /proc/<pid>/ that list what is mounted: mountinfo, mounts, mountstats.
 * They show the mounts of the task's namespace that its root can see, in the namespace's order, as
 * paths from that root; what a file system adds of its own is super.c's.
 *
 *   task -> nsproxy -> mnt_namespace -> a list (until 6.8) or a tree of struct mount
 */
#include "list.h"
#include "rbtree.h"

/* The kernel's own limit, fs.mount-max, is 100,000 by default. Each of three files in each
 * namespace takes a third of a second where all of memory is one ring of them. */
#define MAX_MOUNTS (256 * 1024)
#define MAX_TEXT (64 * 1024 * 1024)
/* Of all paths together: a few mounts upon each other are one step each, for every one of them. */
#define MAX_STEPS (8 * 1024 * 1024)
#define MAX_NAME 4096
#define MAX_MASTERS 256
#define MAX_PEERS 65536

#define MNT_READONLY 0x40
#define MNT_SHARED 0x1000
#define MNT_UNBINDABLE 0x2000
#define MNT_CURSOR 0x10000000 /* a reader's place in the list, 5.8 to 6.7 */
#define SB_RDONLY 1
#define MINOR_BITS 20

typedef struct {
	guint64 object, vfs, root, sb, op;
	guint64 flags;    /* of the mount */
	guint64 sb_flags; /* of its file system */
	char *path;       /* (full) from the viewer's root */
} Mount;

typedef struct Walk Walk;
struct Walk {
	const Linux *os;
	const VmifsCall *call;
	guint64 ns;
	LinuxPath root;
	guint64 vfs_at, link_at; /* within struct mount: vfsmount; link of the list or tree */
	guint64 steps;
	GString *out;
	gboolean (*show)(Walk *w, const Mount *m, GString *line, GError **error);
	GError **problem; /* the first one */
	GError *given_up; /* what ends the walk */
};

/* ---- pieces that the texts share ---- */

typedef struct {
	guint64 flag;
	const char *text;
} Option;

static void
append_options(GString *line, guint64 flags, const Option *options, gsize n)
{
	for (gsize i = 0; i < n; i++) {
		if (flags & options[i].flag)
			g_string_append(line, options[i].text);
	}
}

static void
append_super_flags(Walk *w, const Mount *m, GString *line)
{
	static const Option first[] = { { 1 << 4, ",sync" }, { 1 << 7, ",dirsync" } };
	static const Option mandatory[] = { { 1 << 6, ",mand" } };
	static const Option last[] = { { 1 << 25, ",lazytime" } };

	append_options(line, m->sb_flags, first, G_N_ELEMENTS(first));
	if (linux_has_text(w->os, LINUX_TEXT_MANDLOCK))
		append_options(line, m->sb_flags, mandatory, G_N_ELEMENTS(mandatory));
	append_options(line, m->sb_flags, last, G_N_ELEMENTS(last));
}

static gboolean
is_idmapped(const Linux *os, guint64 vfs)
{
	guint64 map, sb, own;

	if (linux_get(os, vfs, LINUX_FIELD_VFSMOUNT_IDMAP, &map, NULL))
		return !linux_is_symbol(os, map, "nop_mnt_idmap") &&
		       !linux_is_symbol(os, map, "invalid_mnt_idmap");
	/* Until 5.16 a mount without a map had the first namespace, then that of its file system.
	 */
	return linux_get(os, vfs, LINUX_FIELD_VFSMOUNT_USERNS, &map, NULL) &&
	       !linux_is_symbol(os, map, "init_user_ns") &&
	       linux_get(os, vfs, LINUX_FIELD_VFSMOUNT_SB, &sb, NULL) &&
	       linux_get(os, sb, LINUX_FIELD_SUPER_BLOCK_USER_NS, &own, NULL) && map != own;
}

static void
append_mount_flags(Walk *w, const Mount *m, GString *line)
{
	static const Option options[] = {
		{ 0x01, ",nosuid" },      { 0x02, ",nodev" },      { 0x04, ",noexec" },
		{ 0x08, ",noatime" },     { 0x10, ",nodiratime" }, { 0x20, ",relatime" },
		{ 0x80, ",nosymfollow" },
	};

	append_options(line, m->flags, options, G_N_ELEMENTS(options));
	if (is_idmapped(w->os, m->vfs))
		g_string_append(line, ",idmapped");
}

/* Since 6.0 a # is escaped, too: readers took such a line for a comment. */
static void
append_escaped(const Linux *os, const char *text, GString *line)
{
	vmifs_text_append_mangled(line, text, -1,
				  linux_has_text(os, LINUX_TEXT_ESCAPE_HASH) ? " \t\n\\#"
									     : " \t\n\\");
}

/* The text that a pointer in a field leads to; NULL for none. */
static gboolean
read_text(const Linux *os, guint64 object, LinuxField field, char **ret, GError **error)
{
	guint64 at;

	if (!linux_get(os, object, field, &at, error))
		return FALSE;
	char *text = at ? vmifs_aspace_read_string(os->aspace, at, MAX_NAME, error) : NULL;
	if (at && !text)
		return FALSE;
	*ret = text;
	return TRUE;
}

static gboolean
append_type(Walk *w, const Mount *m, GString *line, GError **error)
{
	g_autofree char *name = NULL, *subtype = NULL;
	guint64 type;

	if (!linux_get(w->os, m->sb, LINUX_FIELD_SUPER_BLOCK_TYPE, &type, error) ||
	    !read_text(w->os, type, LINUX_FIELD_FILE_SYSTEM_NAME, &name, error) ||
	    !read_text(w->os, m->sb, LINUX_FIELD_SUPER_BLOCK_SUBTYPE, &subtype, error))
		return FALSE;
	append_escaped(w->os, name ? name : "(null)", line);
	if (subtype) {
		g_string_append_c(line, '.');
		append_escaped(w->os, subtype, line);
	}
	return TRUE;
}

/* What is mounted. File systems with a function for it (nfs, btrfs ...) mostly print the same. */
static gboolean
append_device(Walk *w, const Mount *m, const char *none, const char *before, GString *line,
	      GError **error)
{
	g_autofree char *name = NULL;

	if (!read_text(w->os, m->object, LINUX_FIELD_MOUNT_DEVNAME, &name, error))
		return FALSE;
	if (!name) {
		g_string_append(line, none);
		return TRUE;
	}
	g_string_append(line, before);
	append_escaped(w->os, name, line);
	return TRUE;
}

static void
append_path(const Mount *m, GString *line)
{
	vmifs_text_append_mangled(line, m->path, -1, " \t\n\\");
}

/* ---- propagation ---- */

static gboolean
is_reachable(Walk *w, guint64 mount, gboolean *ret, GError **error)
{
	g_autoptr(GString) path = g_string_new(NULL);
	LinuxPath place = { .mnt = mount + w->vfs_at };

	return linux_get(w->os, place.mnt, LINUX_FIELD_VFSMOUNT_ROOT, &place.dentry, error) &&
	       linux_path_below(w->os, &place, &w->root, path, ret, &w->steps, error);
}

/* A mount of the viewer's namespace among those that share with this one; 0 when there is none. */
static gboolean
find_peer(Walk *w, guint64 mount, guint64 ns, guint64 *ret, GError **error)
{
	guint64 share_at, at = mount;

	if (!linux_offset(w->os, LINUX_FIELD_MOUNT_SHARE, &share_at, error))
		return FALSE;
	for (guint n = 0; n < MAX_PEERS && w->steps++ < MAX_STEPS; n++) {
		gboolean reachable = FALSE;
		guint64 its_ns, next;

		if ((n % 256 == 0 && !vmifs_call_check(w->call, error)) ||
		    !linux_get(w->os, at, LINUX_FIELD_MOUNT_NS, &its_ns, error) ||
		    (its_ns == ns && !is_reachable(w, at, &reachable, error)) ||
		    !vmifs_aspace_read_ptr(w->os->aspace, at + share_at, &next, error))
			return FALSE;
		*ret = reachable ? at : 0;
		if (reachable || next - share_at == mount)
			return TRUE;
		at = next - share_at;
	}
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "peers that do not end");
	return FALSE;
}

/* The nearest group up the chain of masters that the viewer sees; 0 when it sees none. */
static gboolean
find_dominating(Walk *w, const Mount *m, guint64 master, guint64 *ret, GError **error)
{
	guint64 ns, peer;

	if (!linux_get(w->os, m->object, LINUX_FIELD_MOUNT_NS, &ns, error))
		return FALSE;
	for (guint n = 0; master && n < MAX_MASTERS; n++) {
		if (!find_peer(w, master, ns, &peer, error))
			return FALSE;
		if (peer)
			return linux_get(w->os, peer, LINUX_FIELD_MOUNT_GROUP_ID, ret, error);
		if (!linux_get(w->os, master, LINUX_FIELD_MOUNT_MASTER, &master, error))
			return FALSE;
	}
	*ret = 0;
	return TRUE;
}

static gboolean
append_propagation(Walk *w, const Mount *m, GString *line, GError **error)
{
	guint64 flags = m->flags, shared = MNT_SHARED, unbindable = MNT_UNBINDABLE;
	guint64 group, master, dominating;

	if (linux_has(w->os, LINUX_FIELD_MOUNT_T_FLAGS) &&
	    (!linux_value(w->os, LINUX_VALUE_T_SHARED, &shared, error) ||
	     !linux_value(w->os, LINUX_VALUE_T_UNBINDABLE, &unbindable, error) ||
	     !linux_get(w->os, m->object, LINUX_FIELD_MOUNT_T_FLAGS, &flags, error)))
		return FALSE;
	if (!linux_get(w->os, m->object, LINUX_FIELD_MOUNT_GROUP_ID, &group, error) ||
	    !linux_get(w->os, m->object, LINUX_FIELD_MOUNT_MASTER, &master, error))
		return FALSE;
	if (flags & shared)
		g_string_append_printf(line, " shared:%i", (gint32) group);
	if (master) {
		if (!linux_get(w->os, master, LINUX_FIELD_MOUNT_GROUP_ID, &group, error) ||
		    !find_dominating(w, m, master, &dominating, error))
			return FALSE;
		g_string_append_printf(line, " master:%i", (gint32) group);
		if (dominating && dominating != group)
			g_string_append_printf(line, " propagate_from:%i", (gint32) dominating);
	}
	if (flags & unbindable)
		g_string_append(line, " unbindable");
	return TRUE;
}

/* ---- one line each ---- */

static gboolean
show_mountinfo(Walk *w, const Mount *m, GString *line, GError **error)
{
	LinuxCursor c = { .os = w->os };
	guint64 parent = linux_take(&c, m->object, LINUX_FIELD_MOUNT_PARENT);
	guint64 id = linux_take(&c, m->object, LINUX_FIELD_MOUNT_ID);
	guint64 parent_id = linux_take(&c, parent, LINUX_FIELD_MOUNT_ID);
	guint32 dev = (guint32) linux_take(&c, m->sb, LINUX_FIELD_SUPER_BLOCK_DEV);

	if (!linux_cursor_end(&c, error))
		return FALSE;
	g_string_append_printf(line, "%i %i %u:%u ", (gint32) id, (gint32) parent_id,
			       dev >> MINOR_BITS, dev & ((1U << MINOR_BITS) - 1));
	if (!linux_super_path(w->os, m->sb, m->root, line, &w->steps, error))
		return FALSE;
	g_string_append_c(line, ' ');
	append_path(m, line);
	g_string_append(line, m->flags & MNT_READONLY ? " ro" : " rw");
	append_mount_flags(w, m, line);
	if (!append_propagation(w, m, line, error))
		return FALSE;
	g_string_append(line, " - ");
	if (!append_type(w, m, line, error))
		return FALSE;
	g_string_append_c(line, ' ');
	if (!append_device(w, m, "none", "", line, error))
		return FALSE;
	g_string_append(line, m->sb_flags & SB_RDONLY ? " ro" : " rw");
	append_super_flags(w, m, line);
	if (!linux_super_options(w->os, m->sb, m->root, line, error))
		return FALSE;
	g_string_append_c(line, '\n');
	return TRUE;
}

static gboolean
show_mounts(Walk *w, const Mount *m, GString *line, GError **error)
{
	gboolean ro = (m->flags & MNT_READONLY) || (m->sb_flags & SB_RDONLY);

	if (!append_device(w, m, "none", "", line, error))
		return FALSE;
	g_string_append_c(line, ' ');
	append_path(m, line);
	g_string_append_c(line, ' ');
	if (!append_type(w, m, line, error))
		return FALSE;
	g_string_append(line, ro ? " ro" : " rw");
	append_super_flags(w, m, line);
	append_mount_flags(w, m, line);
	if (!linux_super_options(w->os, m->sb, m->root, line, error))
		return FALSE;
	g_string_append(line, " 0 0\n");
	return TRUE;
}

static gboolean
show_mountstats(Walk *w, const Mount *m, GString *line, GError **error)
{
	if (!append_device(w, m, "no device", "device ", line, error))
		return FALSE;
	g_string_append(line, " mounted on ");
	append_path(m, line);
	g_string_append(line, " with fstype ");
	if (!append_type(w, m, line, error))
		return FALSE;
	g_string_append_c(line, '\n');
	return TRUE;
}

/* ---- all of them ---- */

/* FALSE without error for what is not shown. */
static gboolean
read_mount(Walk *w, guint64 object, Mount *ret, GError **error)
{
	const Linux *os = w->os;
	Mount m = { .object = object, .vfs = object + w->vfs_at };
	g_autoptr(GString) path = g_string_new(NULL);
	gboolean below;

	if (!linux_get(os, m.vfs, LINUX_FIELD_VFSMOUNT_FLAGS, &m.flags, error))
		return FALSE;
	if (m.flags & MNT_CURSOR && !linux_has(os, LINUX_FIELD_MNT_NAMESPACE_TREE))
		return FALSE;
	if (!linux_get(os, m.vfs, LINUX_FIELD_VFSMOUNT_ROOT, &m.root, error) ||
	    !linux_get(os, m.vfs, LINUX_FIELD_VFSMOUNT_SB, &m.sb, error) ||
	    !linux_get(os, m.sb, LINUX_FIELD_SUPER_BLOCK_FLAGS, &m.sb_flags, error))
		return FALSE;
	LinuxPath place = { m.vfs, m.root };
	if (!linux_path_below(os, &place, &w->root, path, &below, &w->steps, error) || !below)
		return FALSE;
	m.path = g_string_free(g_steal_pointer(&path), FALSE);
	*ret = m;
	return TRUE;
}

/* What cannot be read is left out, and said in the log: the others are still of use. */
static void
note_problem(Walk *w, guint64 object, GError *error)
{
	if (*w->problem)
		return g_error_free(error);
	g_prefix_error(&error, "mount at %#" G_GINT64_MODIFIER "x: ", object);
	*w->problem = error;
}

static gboolean
visit_mount(guint64 link, gpointer user)
{
	Walk *w = user;
	guint64 object = link - w->link_at;
	g_autoptr(GString) line = g_string_new(NULL);
	GError *error = NULL;
	Mount m;

	if (!vmifs_call_check(w->call, &w->given_up))
		return FALSE;
	if (w->steps > MAX_STEPS || w->out->len > MAX_TEXT) {
		g_set_error_literal(&w->given_up, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "mounts without end");
		return FALSE;
	}
	if (read_mount(w, object, &m, &error)) {
		if (w->show(w, &m, line, &error))
			g_string_append_len(w->out, line->str, (gssize) line->len);
		g_free(m.path);
	}
	if (error)
		note_problem(w, object, error);
	return TRUE;
}

static gboolean
walk_mounts(Walk *w, GError **error)
{
	const Linux *os = w->os;
	guint64 max = MIN(MAX_MOUNTS, linux_room_for(os, 256)), list_at, root;

	if (linux_has(os, LINUX_FIELD_MNT_NAMESPACE_TREE))
		return linux_offset(os, LINUX_FIELD_MOUNT_NODE, &w->link_at, error) &&
		       linux_get(os, w->ns, LINUX_FIELD_MNT_NAMESPACE_TREE, &root, error) &&
		       linux_tree_each(os, root, max, visit_mount, w, w->call, error);
	return linux_offset(os, LINUX_FIELD_MOUNT_LIST, &w->link_at, error) &&
	       linux_offset(os, LINUX_FIELD_MNT_NAMESPACE_LIST, &list_at, error) &&
	       linux_list_each(os->aspace, w->ns + list_at, max, visit_mount, w, w->call, error);
}

/* Where the walk starts: a task that has ended has no namespaces any more, and the kernel says
 * EINVAL to whoever asks for them. */
static gboolean
init_walk(Walk *w, guint64 task, GError **error)
{
	guint64 nsproxy, fs, at;

	if (!linux_get(w->os, task, LINUX_FIELD_TASK_NSPROXY, &nsproxy, error) ||
	    !linux_get(w->os, task, LINUX_FIELD_TASK_FS, &fs, error))
		return FALSE;
	if (!nsproxy || !fs) {
		g_set_error_literal(error, VMIFS_ERROR,
				    nsproxy ? VMIFS_ERROR_NOT_FOUND : VMIFS_ERROR_INVALID,
				    "the task has no mounts any more");
		return FALSE;
	}
	return linux_get(w->os, nsproxy, LINUX_FIELD_NSPROXY_MNT, &w->ns, error) &&
	       linux_offset(w->os, LINUX_FIELD_FS_ROOT, &at, error) &&
	       linux_path_read(w->os, fs + at, &w->root, error) &&
	       linux_offset(w->os, LINUX_FIELD_MOUNT_MNT, &w->vfs_at, error);
}

static gboolean
render(const Linux *os, const VmifsTask *task,
       gboolean (*show)(Walk *, const Mount *, GString *, GError **), GString *out,
       const VmifsCall *call, GError **error)
{
	g_autoptr(GError) problem = NULL, broken = NULL, given_up = NULL;
	Walk w = { .os = os, .call = call, .out = out, .show = show, .problem = &problem };
	guint64 object;

	/* Of nobody in particular: of the guest's pid 1. */
	if (task)
		object = task->object;
	else if (!linux_init_task(os, &object, error))
		return FALSE;
	if (!init_walk(&w, object, error))
		return FALSE;
	gsize before = out->len;
	gboolean ok = walk_mounts(&w, &broken);
	given_up = w.given_up;
	if (!vmifs_call_check(call, error))
		return FALSE;
	if (out->len == before && (broken || given_up || problem)) {
		g_propagate_error(error, broken     ? g_steal_pointer(&broken)
					 : given_up ? g_steal_pointer(&given_up)
						    : g_steal_pointer(&problem));
		return FALSE;
	}
	if (!ok || given_up)
		vmifs_guest_log(os->guest, "mounts: %s", (broken ? broken : given_up)->message);
	if (problem)
		vmifs_guest_log(os->guest, "mounts: %s", problem->message);
	return TRUE;
}

LINUX_VIEW(linux_render_mountinfo)
{
	return render(os, task, show_mountinfo, out, call, error);
}

LINUX_VIEW(linux_render_mounts)
{
	return render(os, task, show_mounts, out, call, error);
}

LINUX_VIEW(linux_render_mountstats)
{
	return render(os, task, show_mountstats, out, call, error);
}
