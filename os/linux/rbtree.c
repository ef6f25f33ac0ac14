/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rbtree: down to the left, back through a stack of what is still to be visited: parent pointers
 * are not needed, so that only two numbers of a node are believed.
 */
#include "rbtree.h"

#include "seen.h"

/* A red-black tree of 2^63 nodes is not deeper. */
#define MAX_DEPTH 126

typedef struct {
	const Linux *os;
	guint64 stack[MAX_DEPTH];
	guint depth;
	guint64 max;
	GHashTable *seen;
} Walk;

static gboolean
broken(const char *what, guint64 node, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "tree: %s at %#" G_GINT64_MODIFIER "x",
		    what, node);
	return FALSE;
}

/* Onto the stack: node and all that is left of it. */
static gboolean
descend(Walk *w, guint64 node, GError **error)
{
	for (guint64 left; node; node = left) {
		if (w->depth == MAX_DEPTH)
			return broken("too deep", node, error);
		if (g_hash_table_size(w->seen) >= w->max)
			return broken("too many nodes", node, error);
		if (!linux_seen_add(w->seen, node))
			return broken("a loop", node, error);
		w->stack[w->depth++] = node;
		if (!linux_get(w->os, node, LINUX_FIELD_RB_NODE_LEFT, &left, error))
			return FALSE;
	}
	return TRUE;
}

gboolean
linux_tree_each(const Linux *os, guint64 root, guint64 max, LinuxTreeVisit visit, gpointer user,
		const VmifsCall *call, GError **error)
{
	g_autoptr(GHashTable) seen = linux_seen_new();
	Walk w = { .os = os, .max = max, .seen = seen };

	if (!descend(&w, root, error))
		return FALSE;
	for (guint n = 0; w.depth; n++) {
		guint64 node = w.stack[--w.depth], right;

		if (n % 64 == 0 && !vmifs_call_check(call, error))
			return FALSE;
		/* First, for visit may be the end of it. */
		if (!linux_get(os, node, LINUX_FIELD_RB_NODE_RIGHT, &right, error))
			return FALSE;
		if (!visit(node, user))
			return TRUE;
		if (!descend(&w, right, error))
			return FALSE;
	}
	return TRUE;
}
