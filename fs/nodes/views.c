/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * views: files, links and folders whose content the OS makes. One implementation for all of them:
 * a new view needs no code here. Names may be nested ("sys/kernel/ostype"): the folders between are
 * made of the names' common beginnings.
 */
#include "nodes.h"

#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define MANY_NAMES 65536

typedef struct {
	VmifsNode node;
	const VmifsView *view; /* (static) of a folder in between: one of those below it */
	gsize prefix_len;      /* of such a folder: "sys/" of the view's name; else 0 */
	VmifsScope scope;
} ViewNode;

/* What a link's target begins with where the mount follows links: no name in the tree does. */
#define LINK_PREFIX "guest:"

static const VmifsView *
view_of(const VmifsNode *node)
{
	return ((const ViewNode *) node)->view;
}

/* ---- texts and links ---- */

static gboolean
may_decode(VmifsNode *self, const VmifsView *view, VmifsNodeCall *call)
{
	return view->quick ? vmifs_node_may_try(self, call) : vmifs_node_needs_work(call);
}

/* A hole is no more than an answer to who reads memory, and a task's own has many. Where the kernel
 * should have kept something it is a mishap, and the reader cannot know where. */
static void
log_hole(VmifsNode *self, const VmifsTask *task, GError *const *error)
{
	if (task || !error || !g_error_matches(*error, VMIFS_ERROR, VMIFS_ERROR_HOLE))
		return;
	g_autofree char *path = vmifs_node_path(self);
	vmifs_guest_log(vmifs_node_guest(self), "%s: %s", path, (*error)->message);
}

/* entry: the name within a LIST, or NULL. */
static gboolean
render_view(VmifsNode *self, const VmifsView *view, const char *entry, GString *out,
	    VmifsNodeCall *call, GError **error)
{
	VmifsTask now;
	const VmifsTask *task = vmifs_node_task(self) ? &now : NULL;
	if (!may_decode(self, view, call))
		return FALSE;
	if (task && !vmifs_task_now(self, &now, call, error))
		return FALSE;
	if (S_ISLNK(self->ops->type) && call->fs->links_prefixed)
		g_string_append(out, LINK_PREFIX);
	gboolean rendered = vmifs_guest_render(vmifs_node_guest(self), view, task, entry, out,
					       &call->call, error);
	if (vmifs_node_end_try(call, rendered, error))
		return TRUE;
	log_hole(self, task, error);
	return FALSE;
}

static gboolean
render_plain(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	gboolean of_vcpu = ((const ViewNode *) self)->scope == VMIFS_SCOPE_VCPU;
	return render_view(self, view_of(self), of_vcpu ? self->parent->name : NULL, out, call,
			   error);
}

static gboolean
render_entry(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	return render_view(self, view_of(self->parent), self->name, out, call, error);
}

static const VmifsNodeOps text_ops = {
	.type = S_IFREG,
	.instance_size = sizeof(ViewNode),
	.render = render_plain,
};

static const VmifsNodeOps link_ops = {
	.type = S_IFLNK,
	.instance_size = sizeof(ViewNode),
	.render = render_plain,
};

static const VmifsNodeOps text_entry_ops = {
	.type = S_IFREG,
	.render = render_entry,
};

static const VmifsNodeOps link_entry_ops = {
	.type = S_IFLNK,
	.render = render_entry,
};

/* ---- a LIST: a folder of what the OS names ---- */

static const VmifsNodeOps *
entry_ops(const VmifsView *view)
{
	return view->entries == VMIFS_VIEW_LINK ? &link_entry_ops : &text_entry_ops;
}

/* Of a million files of a process each name is a small block. What freed them keeps them for later,
 * in each thread that made such a listing. */
static void
free_names(GPtrArray *names)
{
	guint n = names->len;

	g_ptr_array_unref(names);
#ifdef __GLIBC__
	if (n > MANY_NAMES)
		malloc_trim(0);
#else
	(void) n;
#endif
}

static gboolean
ask_names(VmifsNode *self, GPtrArray *names, VmifsNodeCall *call, GError **error)
{
	const VmifsView *view = view_of(self);
	VmifsTask now;
	const VmifsTask *task = vmifs_node_task(self) ? &now : NULL;
	if (!may_decode(self, view, call))
		return FALSE;
	if (task && !vmifs_task_now(self, &now, call, error))
		return FALSE;
	gboolean listed =
		vmifs_guest_list(vmifs_node_guest(self), view, task, names, &call->call, error);
	return vmifs_node_end_try(call, listed, error);
}

static gboolean
list_entries(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	const VmifsView *view = view_of(self);
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	gboolean listed = ask_names(self, names, call, error);
	for (guint i = 0; listed && i < names->len; i++)
		vmifs_node_list_add(list, g_ptr_array_index(names, i), entry_ops(view)->type, 0);
	free_names(names);
	return listed;
}

/* As in procfs a link that leads nowhere is there all the same: a task that has ended has a name
 * for each kind of namespace. FALSE with error, or deferred: it is not, or that cannot be told. */
static gboolean
is_listed(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	gboolean asked = ask_names(self, names, call, error);
	gboolean found = asked && g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL);
	free_names(names);
	if (asked && !found)
		vmifs_node_set_not_found(error, name);
	return found;
}

/* Only rendering tells whether there is such an entry; content that cannot be had is one. */
static VmifsNode *
lookup_entry(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsNode) node = vmifs_node_new(entry_ops(view_of(self)), self, name, 0);
	g_autoptr(GString) text = g_string_new(NULL);
	GError *failure = NULL;
	gboolean rendered = render_entry(node, text, call, &failure);
	if (rendered && self->guest->frozen)
		node->text_size = (gint64) text->len;
	if (g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND) &&
	    view_of(self)->leads_nowhere) {
		g_clear_error(&failure);
		return is_listed(self, name, call, error) ? g_steal_pointer(&node) : NULL;
	}
	if (!rendered && !g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_HOLE) &&
	    !g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_CORRUPT)) {
		if (failure) /* else deferred */
			g_propagate_error(error, failure);
		return NULL;
	}
	g_clear_error(&failure);
	return g_steal_pointer(&node);
}

static const VmifsNodeOps list_ops = {
	.type = S_IFDIR,
	.instance_size = sizeof(ViewNode),
	.list = list_entries,
	.lookup = lookup_entry,
};

/* ---- folders in between ---- */

static const VmifsNodeOps folder_ops;

static const VmifsNodeOps *
ops_of_kind(VmifsViewKind kind)
{
	static const VmifsNodeOps *const by_kind[] = {
		[VMIFS_VIEW_TEXT] = &text_ops,
		[VMIFS_VIEW_LINK] = &link_ops,
		[VMIFS_VIEW_LIST] = &list_ops,
	};
	return by_kind[kind];
}

/* The part of a view's name below the prefix up to the next slash: its length, or 0 when the view
 * does not lie there. */
static gsize
component(const VmifsView *view, VmifsScope scope, const char *prefix, gsize prefix_len)
{
	if (!(view->scopes & scope) || strncmp(view->name, prefix, prefix_len) != 0)
		return 0;
	return strcspn(view->name + prefix_len, "/");
}

static void
list_below(VmifsNode *dir, VmifsScope scope, const char *prefix, gsize prefix_len,
	   VmifsNodeList *list)
{
	gsize n;
	const VmifsView *views = vmifs_guest_views(vmifs_node_guest(dir), &n);
	for (gsize i = 0; i < n; i++) {
		gsize len = component(&views[i], scope, prefix, prefix_len);
		const char *rest = views[i].name + prefix_len;
		if (!len || !vmifs_guest_has_view(vmifs_node_guest(dir), &views[i]))
			continue;
		g_autofree char *name = g_strndup(rest, len);
		if (!vmifs_node_list_has(list, name))
			vmifs_node_list_add(list, name,
					    rest[len] ? S_IFDIR : ops_of_kind(views[i].kind)->type,
					    0);
	}
}

static VmifsNode *
lookup_below(VmifsNode *dir, VmifsScope scope, const char *prefix, gsize prefix_len,
	     const char *name)
{
	gsize n;
	const VmifsView *views = vmifs_guest_views(vmifs_node_guest(dir), &n);
	for (gsize i = 0; i < n; i++) {
		gsize len = component(&views[i], scope, prefix, prefix_len);
		const char *rest = views[i].name + prefix_len;
		if (!len || strncmp(rest, name, len) != 0 || name[len] ||
		    !vmifs_guest_has_view(vmifs_node_guest(dir), &views[i]))
			continue;
		ViewNode *node = vmifs_node_new_of_boot(
			rest[len] ? &folder_ops : ops_of_kind(views[i].kind), dir, name);
		node->view = &views[i];
		if (!rest[len] && views[i].quick && views[i].kind == VMIFS_VIEW_TEXT)
			node->node.flags |= VMIFS_NODE_QUICK;
		node->scope = scope;
		node->prefix_len = rest[len] ? prefix_len + len + 1 : 0;
		return &node->node;
	}
	return NULL;
}

/* Has this task such a folder? */
static gboolean
check_folder(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	const ViewNode *folder = (const ViewNode *) self;
	if (folder->view->name[folder->prefix_len])
		return TRUE; /* the OS says nothing of the folder itself */
	g_autoptr(GPtrArray) none = g_ptr_array_new_with_free_func(g_free);
	return ask_names(self, none, call, error);
}

static gboolean
list_folder(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	ViewNode *folder = (ViewNode *) self;
	if (!check_folder(self, call, error))
		return FALSE;
	list_below(self, folder->scope, folder->view->name, folder->prefix_len, list);
	return TRUE;
}

static VmifsNode *
lookup_folder(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	ViewNode *folder = (ViewNode *) self;
	g_autoptr(GError) failure = NULL;
	if (!check_folder(self, call, &failure)) {
		if (g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_INVALID))
			vmifs_node_set_not_found(error, name);
		else if (failure) /* else deferred */
			g_propagate_error(error, g_steal_pointer(&failure));
		return NULL;
	}
	VmifsNode *found =
		lookup_below(self, folder->scope, folder->view->name, folder->prefix_len, name);
	if (!found)
		vmifs_node_set_not_found(error, name);
	return found;
}

static const VmifsNodeOps folder_ops = {
	.type = S_IFDIR,
	.instance_size = sizeof(ViewNode),
	.list = list_folder,
	.lookup = lookup_folder,
};

/* ---- where the tree meets them ---- */

void
vmifs_views_list(VmifsNode *dir, VmifsScope scope, VmifsNodeList *list)
{
	list_below(dir, scope, "", 0, list);
}

VmifsNode *
vmifs_views_lookup(VmifsNode *dir, VmifsScope scope, const char *name, VmifsNodeCall *call)
{
	if (!g_atomic_int_get(&dir->guest->discovered)) {
		call->defer = VMIFS_DEFER_DISCOVERY;
		return NULL;
	}
	return lookup_below(dir, scope, "", 0, name);
}
