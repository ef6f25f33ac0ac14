/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup: which cgroups a task is in: the files cgroup and cpuset. A task has a css_set; that knows
 * its cgroup in the unified hierarchy at once, and in the older ones by a list of links.
 */
#include "cgroup.h"

#include "list.h"

#define MAX_DEPTH 512 /* the kernel takes no path of more than 4096 bytes */
#define MAX_NAME 256
#define MAX_ROOTS 256
#define MAX_SUBSYSTEMS 32
#define PF_EXITING 0x4

/* ---- paths ---- */

/* Nodes from this one up to the top of its hierarchy. */
static GArray *
read_ancestors(const Linux *os, guint64 node, GError **error)
{
	g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof node);

	while (node) {
		if (nodes->len == MAX_DEPTH) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
					    "cgroups without end");
			return NULL;
		}
		g_array_append_val(nodes, node);
		if (!linux_get(os, node, LINUX_FIELD_KERNFS_NODE_PARENT, &node, error))
			return NULL;
	}
	return g_steal_pointer(&nodes);
}

static gboolean
append_name(const Linux *os, guint64 node, GString *out, GError **error)
{
	guint64 at;

	if (!linux_get(os, node, LINUX_FIELD_KERNFS_NODE_NAME, &at, error))
		return FALSE;
	g_autofree char *name = vmifs_aspace_read_string(os->aspace, at, MAX_NAME, error);
	if (!name)
		return FALSE;
	g_string_append_c(out, '/');
	g_string_append(out, name);
	return TRUE;
}

/* Where `to` lies as seen from `from`: up by "/..", then down by names. */
static gboolean
append_between(const Linux *os, guint64 to, guint64 from, GString *out, GError **error)
{
	g_autoptr(GArray) down = read_ancestors(os, to, error);
	g_autoptr(GArray) up = down ? read_ancestors(os, from, error) : NULL;
	gsize start = out->len;

	if (!up)
		return FALSE;
	guint common = 0;
	while (common < down->len && common < up->len &&
	       g_array_index(down, guint64, down->len - 1 - common) ==
		       g_array_index(up, guint64, up->len - 1 - common))
		common++;
	if (!common) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "cgroups of two hierarchies");
		return FALSE;
	}
	for (guint i = common; i < up->len; i++)
		g_string_append(out, "/..");
	for (guint i = down->len - common; i > 0; i--) {
		if (!append_name(os, g_array_index(down, guint64, i - 1), out, error))
			return FALSE;
	}
	if (out->len == start)
		g_string_append_c(out, '/');
	return TRUE;
}

/* ---- a task's cgroup in a hierarchy ---- */

typedef struct {
	LinuxCursor *c;
	guint64 root, link_at;
	guint64 found;
} Search;

static gboolean
visit_link(guint64 node, gpointer user)
{
	Search *s = user;
	guint64 cgroup = linux_take(s->c, node - s->link_at, LINUX_FIELD_CSET_LINK_CGRP);

	if (linux_take(s->c, cgroup, LINUX_FIELD_CGROUP_ROOT) == s->root)
		s->found = cgroup;
	return !s->found && !s->c->error;
}

/* 0 where it has none (any more), and with an error at the cursor. */
static guint64
find_cgroup(LinuxCursor *c, guint64 css_set, guint64 root, const VmifsCall *call)
{
	const Linux *os = c->os;
	Search s = { .c = c, .root = root };
	GError *broken = NULL;
	guint64 links_at, at;

	if (c->error)
		return 0;
	if (linux_is_symbol(os, css_set, "init_css_set"))
		return linux_offset(os, LINUX_FIELD_CGROUP_ROOT_CGRP, &at, &c->error) ? root + at
										      : 0;
	if (linux_is_symbol(os, root, "cgrp_dfl_root"))
		return linux_take(c, css_set, LINUX_FIELD_CSS_SET_DFL_CGRP);
	if (linux_offset(os, LINUX_FIELD_CSET_LINK_LINK, &s.link_at, &c->error) &&
	    linux_offset(os, LINUX_FIELD_CSS_SET_LINKS, &links_at, &c->error))
		linux_list_each(os->aspace, css_set + links_at, MAX_ROOTS, visit_link, &s, call,
				&broken);
	linux_cursor_fail(c, broken);
	return c->error ? 0 : s.found;
}

/* The css_set of the root that the guest's pid 1 sees. */
static guint64
viewer_css_set(LinuxCursor *c)
{
	guint64 init = 0;

	if (!c->error)
		linux_init_task(c->os, &init, &c->error);
	guint64 nsproxy = linux_take(c, init, LINUX_FIELD_TASK_NSPROXY);
	guint64 ns = linux_take(c, nsproxy, LINUX_FIELD_NSPROXY_CGROUP);
	return linux_take(c, ns, LINUX_FIELD_CGROUP_NAMESPACE_ROOT_CSET);
}

static gboolean
append_path(LinuxCursor *c, guint64 cgroup, GString *out, const VmifsCall *call)
{
	guint64 to = linux_take(c, cgroup, LINUX_FIELD_CGROUP_KN);
	guint64 root = linux_take(c, cgroup, LINUX_FIELD_CGROUP_ROOT);
	guint64 base = find_cgroup(c, viewer_css_set(c), root, call);
	guint64 from = linux_take(c, base, LINUX_FIELD_CGROUP_KN);

	return !c->error && append_between(c->os, to, from, out, &c->error);
}

gboolean
linux_cgroup_path(const Linux *os, guint64 kf_root, guint64 node, GString *out, GError **error)
{
	LinuxCursor c = { .os = os };
	guint64 top = linux_take(&c, kf_root, LINUX_FIELD_KERNFS_ROOT_KN);
	guint64 cgroup = linux_take(&c, top, LINUX_FIELD_KERNFS_NODE_PRIV);
	guint64 root = linux_take(&c, cgroup, LINUX_FIELD_CGROUP_ROOT);
	guint64 base = find_cgroup(&c, viewer_css_set(&c), root, NULL);
	guint64 from = linux_take(&c, base, LINUX_FIELD_CGROUP_KN);

	return linux_cursor_end(&c, error) && append_between(os, node, from, out, error);
}

/* ---- names of a hierarchy ---- */

/* The controllers of a hierarchy, as the older file systems name them. */
static void
append_controllers(LinuxCursor *c, guint64 root, const char *first, const char *next, GString *out)
{
	guint64 mask = linux_take(c, root, LINUX_FIELD_CGROUP_ROOT_SUBSYS_MASK), table, n, name;

	if (c->error || !mask || !linux_symbol(c->os, "cgroup_subsys", &table, &c->error) ||
	    !linux_value(c->os, LINUX_VALUE_CGROUP_SUBSYS_COUNT, &n, &c->error))
		return;
	for (guint64 i = 0; i < MIN(n, MAX_SUBSYSTEMS); i++) {
		guint64 subsystem = 0;

		if (!(mask >> i & 1))
			continue;
		if (!c->error)
			linux_load_word(c->os, table + i * linux_word(c->os), &subsystem,
					&c->error);
		name = linux_take(c, subsystem, LINUX_FIELD_CGROUP_SUBSYS_LEGACY_NAME);
		g_autofree char *text = c->error ? NULL
						 : vmifs_aspace_read_string(c->os->aspace, name,
									    MAX_NAME, &c->error);
		if (!text)
			return;
		g_string_append(out, first);
		vmifs_text_append_mangled(out, text, -1, ",= \t\n\\");
		first = next;
	}
}

/* A text that lies within the hierarchy's root. */
static char *
read_text(LinuxCursor *c, guint64 root, LinuxField field)
{
	char text[4096 + 1] = { 0 };

	if (c->error || !linux_get_bytes(c->os, root, field, text, sizeof text - 1, &c->error))
		return g_strdup("");
	return g_strdup(text);
}

static void
append_hierarchy(LinuxCursor *c, guint64 root, GString *out)
{
	g_autofree char *name = read_text(c, root, LINUX_FIELD_CGROUP_ROOT_NAME);
	gsize start = out->len;

	if (!linux_is_symbol(c->os, root, "cgrp_dfl_root"))
		append_controllers(c, root, "", ",", out);
	if (*name)
		g_string_append_printf(out, "%sname=%s", out->len > start ? "," : "", name);
}

/* ---- cgroup ---- */

typedef struct {
	LinuxCursor c;
	guint64 link_at, css_set, flags;
	GString *out;
	const VmifsCall *call;
} Lines;

static void
append_line(Lines *l, guint64 root)
{
	LinuxCursor *c = &l->c;
	gboolean unified = linux_is_symbol(c->os, root, "cgrp_dfl_root");
	guint64 visible = 0, self_at, online;
	guint64 cgroup = find_cgroup(c, l->css_set, root, l->call);

	if (unified && !c->error)
		linux_variable(c->os, "cgrp_dfl_visible", 1, &visible, &c->error);
	/* A hierarchy that nobody ever mounted; one that is being unmounted. */
	if (c->error || (unified && !visible) || !cgroup)
		return;
	g_string_append_printf(l->out,
			       "%d:", (gint32) linux_take(c, root, LINUX_FIELD_CGROUP_ROOT_ID));
	append_hierarchy(c, root, l->out);
	g_string_append_c(l->out, ':');
	if (unified || !(l->flags & PF_EXITING))
		append_path(c, cgroup, l->out, l->call);
	else
		g_string_append_c(l->out, '/');
	if (unified && !c->error &&
	    linux_offset(c->os, LINUX_FIELD_CGROUP_SELF, &self_at, &c->error) &&
	    linux_value(c->os, LINUX_VALUE_CSS_ONLINE, &online, &c->error) &&
	    !(linux_take(c, cgroup + self_at, LINUX_FIELD_CSS_FLAGS) & online))
		g_string_append(l->out, " (deleted)");
	g_string_append_c(l->out, '\n');
}

static gboolean
visit_root(guint64 node, gpointer user)
{
	Lines *l = user;

	append_line(l, node - l->link_at);
	return !l->c.error;
}

LINUX_VIEW(linux_render_cgroup)
{
	const Linux *self = os;
	g_autoptr(GString) text = g_string_new(NULL);
	Lines l = { .c = { .os = self }, .out = text, .call = call };
	guint64 roots;

	if (!linux_symbol(self, "cgroup_roots", &roots, error) ||
	    !linux_offset(self, LINUX_FIELD_CGROUP_ROOT_LINK, &l.link_at, error))
		return FALSE;
	l.css_set = linux_take(&l.c, task->object, LINUX_FIELD_TASK_CGROUPS);
	l.flags = linux_take(&l.c, task->object, LINUX_FIELD_TASK_FLAGS);
	if (!linux_cursor_end(&l.c, error) ||
	    !linux_list_each(self->aspace, roots, MAX_ROOTS, visit_root, &l, call, error)) {
		g_clear_error(&l.c.error);
		return FALSE;
	}
	if (!linux_cursor_end(&l.c, error))
		return FALSE;
	g_string_append_len(out, text->str, (gssize) text->len);
	return TRUE;
}

LINUX_VIEW(linux_render_cpuset)
{
	const Linux *self = os;
	LinuxCursor c = { .os = self };
	guint64 index, css = 0;
	g_autoptr(GString) text = g_string_new(NULL);

	if (!linux_value(self, LINUX_VALUE_cpuset_cgrp_id, &index, error))
		return FALSE;
	guint64 set = linux_take(&c, task->object, LINUX_FIELD_TASK_CGROUPS);
	guint64 at = linux_layout_element(self->layout, LINUX_FIELD_CSS_SET_SUBSYS, set,
					  index % MAX_SUBSYSTEMS);
	if (!c.error)
		vmifs_aspace_read_ptr(self->aspace, at, &css, &c.error);
	append_path(&c, linux_take(&c, css, LINUX_FIELD_CSS_CGROUP), text, call);
	if (!linux_cursor_end(&c, error))
		return FALSE;
	g_string_append_len(out, text->str, (gssize) text->len);
	g_string_append_c(out, '\n');
	return TRUE;
}

/* ---- options of their file systems ---- */

typedef struct {
	LinuxValue flag;
	const char *text;
} Option;

static void
append_flags(LinuxCursor *c, guint64 flags, const Option *options, gsize n, GString *out)
{
	guint64 flag;

	for (gsize i = 0; i < n; i++) {
		if (linux_value(c->os, options[i].flag, &flag, NULL) && flags & flag)
			g_string_append(out, options[i].text);
	}
}

void
linux_cgroup_options(LinuxCursor *c, GString *out)
{
	static const Option options[] = {
		{ LINUX_VALUE_CGRP_ROOT_NS_DELEGATE, ",nsdelegate" },
		{ LINUX_VALUE_CGRP_ROOT_FAVOR_DYNMODS, ",favordynmods" },
		{ LINUX_VALUE_CGRP_ROOT_MEMORY_LOCAL_EVENTS, ",memory_localevents" },
		{ LINUX_VALUE_CGRP_ROOT_MEMORY_RECURSIVE_PROT, ",memory_recursiveprot" },
		{ LINUX_VALUE_CGRP_ROOT_MEMORY_HUGETLB_ACCOUNTING, ",memory_hugetlb_accounting" },
		{ LINUX_VALUE_CGRP_ROOT_PIDS_LOCAL_EVENTS, ",pids_localevents" },
	};
	guint64 root = 0;

	if (!c->error)
		linux_symbol(c->os, "cgrp_dfl_root", &root, &c->error);
	append_flags(c, linux_take(c, root, LINUX_FIELD_CGROUP_ROOT_FLAGS), options,
		     G_N_ELEMENTS(options), out);
}

void
linux_cgroup1_options(LinuxCursor *c, guint64 kf_root, GString *out)
{
	static const Option options[] = {
		{ LINUX_VALUE_CGRP_ROOT_NOPREFIX, ",noprefix" },
		{ LINUX_VALUE_CGRP_ROOT_XATTR, ",xattr" },
		{ LINUX_VALUE_CGRP_ROOT_CPUSET_V2_MODE, ",cpuset_v2_mode" },
		{ LINUX_VALUE_CGRP_ROOT_FAVOR_DYNMODS, ",favordynmods" },
	};
	guint64 top = linux_take(c, kf_root, LINUX_FIELD_KERNFS_ROOT_KN), bit;
	guint64 cgroup = linux_take(c, top, LINUX_FIELD_KERNFS_NODE_PRIV);
	guint64 root = linux_take(c, cgroup, LINUX_FIELD_CGROUP_ROOT);
	guint64 flags = linux_take(c, root, LINUX_FIELD_CGROUP_ROOT_FLAGS);

	append_controllers(c, root, ",", ",", out);
	append_flags(c, flags, options, G_N_ELEMENTS(options), out);
	g_autofree char *agent = read_text(c, root, LINUX_FIELD_CGROUP_ROOT_RELEASE_AGENT);
	g_autofree char *name = read_text(c, root, LINUX_FIELD_CGROUP_ROOT_NAME);
	if (*agent) {
		g_string_append(out, ",release_agent=");
		vmifs_text_append_mangled(out, agent, -1, ", \t\n\\");
	}
	if (linux_value(c->os, LINUX_VALUE_CGRP_CPUSET_CLONE_CHILDREN, &bit, NULL) &&
	    linux_take(c, cgroup, LINUX_FIELD_CGROUP_FLAGS) >> (bit & 63) & 1)
		g_string_append(out, ",clone_children");
	if (*name) {
		g_string_append(out, ",name=");
		vmifs_text_append_mangled(out, name, -1, ", \t\n\\");
	}
}
