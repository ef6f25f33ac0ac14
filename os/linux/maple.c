/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * maple: depth first with a stack of node copies in place of recursion. A node counts once, however
 * many slots lead to it, and its pivots must ascend within what its parent gave it: so the walk
 * ends whatever the guest wrote.
 */
#include "maple.h"

#include "seen.h"

#include <spi/bytes.h>

#define MAX_DEPTH 16
#define MAX_NODE 512

/* What a leaf stores is a pointer; what the tree keeps for itself there has low bits 10. So has the
 * pointer to the root when it is a node and not the tree's only entry. */
#define INTERNAL_MASK 3
#define INTERNAL 2
#define MIN_NODE 4096
#define NODE_MASK 0xffULL
#define TYPE_SHIFT 3
#define TYPE_MASK 0xf

enum {
	TYPE_DENSE = 0,
	TYPE_LEAF_64 = 1,
	TYPE_RANGE_64 = 2,
	TYPE_ARANGE_64 = 3,
};

typedef struct {
	guint64 pivot_at, slot_at;
	guint32 n_slots;
} Shape;

typedef struct {
	guint8 bytes[MAX_NODE];
	guint64 first, last; /* what the node covers */
	guint64 next_first;  /* low end of the slot at `slot` */
	guint32 slot;
	gboolean leaf;
	const Shape *shape;
} Level;

typedef struct {
	const Linux *os;
	Shape range, arange;
	guint64 node_len;
	guint64 *nodes; /* that may still be read */
	GHashTable *seen;
	GError **problem; /* the first one */
	Level levels[MAX_DEPTH];
	guint depth;
} Walk;

static gboolean
read_shape(const Linux *os, LinuxField pivot, LinuxField slot, guint64 node_len, Shape *ret,
	   GError **error)
{
	VmifsMember p, s;

	if (!linux_member(os, pivot, &p, error) || !linux_member(os, slot, &s, error))
		return FALSE;
	if (p.count + 1 != s.count ||
	    !vmifs_in_bounds(p.offset, p.count * (guint64) linux_word(os), node_len) ||
	    !vmifs_in_bounds(s.offset, s.count * (guint64) linux_word(os), node_len)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "maple nodes of %" G_GUINT64_FORMAT " pivots and %" G_GUINT64_FORMAT
			    " slots make no sense",
			    p.count, s.count);
		return FALSE;
	}
	*ret = (Shape){ p.offset, s.offset, s.count };
	return TRUE;
}

static void
note_problem(Walk *w, guint64 node, const char *what)
{
	if (w->problem && !*w->problem)
		g_set_error(w->problem, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "maple node %#" G_GINT64_MODIFIER "x: %s", node, what);
}

static void
push(Walk *w, guint64 entry, guint64 first, guint64 last)
{
	guint64 node = entry & ~NODE_MASK;
	guint type = (guint) (entry >> TYPE_SHIFT) & TYPE_MASK;

	if (w->depth == MAX_DEPTH)
		return note_problem(w, node, "too deep");
	if (*w->nodes == 0)
		return note_problem(w, node, "too many nodes");
	if (type != TYPE_LEAF_64 && type != TYPE_RANGE_64 && type != TYPE_ARANGE_64)
		return note_problem(w, node, "unknown type");
	if (!linux_seen_add(w->seen, node))
		return note_problem(w, node, "reached twice");

	Level *level = &w->levels[w->depth];
	--*w->nodes;
	if (!vmifs_aspace_read(w->os->aspace, node, level->bytes, w->node_len, NULL))
		return note_problem(w, node, "cannot be read");
	level->first = level->next_first = first;
	level->last = last;
	level->slot = 0;
	level->leaf = type == TYPE_LEAF_64;
	level->shape = type == TYPE_ARANGE_64 ? &w->arange : &w->range;
	w->depth++;
}

/* The next slot of the deepest node; FALSE when it has no more. */
static gboolean
take_slot(Walk *w, guint64 *ret_first, guint64 *ret_last, guint64 *ret_entry)
{
	Level *level = &w->levels[w->depth - 1];
	const Shape *shape = level->shape;
	guint32 i = level->slot;

	if (i == shape->n_slots)
		return FALSE;
	guint64 last = level->last;
	if (i < shape->n_slots - 1) {
		guint64 pivot = linux_word_at(w->os, level->bytes + shape->pivot_at, i);
		/* No pivot after the first: the rest of the node is not in use. */
		if (pivot || i == 0)
			last = pivot;
	}
	if (last < level->next_first || last > level->last) {
		note_problem(w, level->next_first, "pivots do not ascend");
		return FALSE;
	}
	*ret_first = level->next_first;
	*ret_last = last;
	*ret_entry = linux_word_at(w->os, level->bytes + shape->slot_at, i);
	level->slot = last == level->last ? shape->n_slots : i + 1;
	level->next_first = last + 1;
	return TRUE;
}

static gboolean
walk(Walk *w, LinuxMapleVisit visit, gpointer user, const VmifsCall *call, GError **error)
{
	guint64 first, last, entry;

	while (w->depth) {
		if (!take_slot(w, &first, &last, &entry)) {
			w->depth--;
			continue;
		}
		if (!w->levels[w->depth - 1].leaf) {
			if (!vmifs_call_check(call, error))
				return FALSE;
			if (entry > MIN_NODE)
				push(w, entry, first, last);
			else
				note_problem(w, entry, "not a node");
		} else if (entry && (entry & INTERNAL_MASK) != INTERNAL) {
			if (!visit(first, last, entry, user))
				break;
		}
	}
	return TRUE;
}

gboolean
linux_maple_each(const Linux *os, guint64 address, guint64 *nodes, LinuxMapleVisit visit,
		 gpointer user, const VmifsCall *call, GError **error)
{
	g_autoptr(GHashTable) seen = linux_seen_new();
	g_autoptr(GError) problem = NULL;
	g_autofree Walk *w = g_new0(Walk, 1);
	guint64 root;

	*w = (Walk){ .os = os, .nodes = nodes, .seen = seen, .problem = &problem };
	if (!linux_sizeof(os, LINUX_STRUCT_MAPLE_NODE, &w->node_len, error) ||
	    !linux_get(os, address, LINUX_FIELD_MAPLE_TREE_ROOT, &root, error))
		return FALSE;
	if (w->node_len > MAX_NODE) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "a maple node of %" G_GUINT64_FORMAT " bytes", w->node_len);
		return FALSE;
	}
	if (!read_shape(os, LINUX_FIELD_MAPLE_NODE_RANGE_PIVOT, LINUX_FIELD_MAPLE_NODE_RANGE_SLOT,
			w->node_len, &w->range, error) ||
	    !read_shape(os, LINUX_FIELD_MAPLE_NODE_ARANGE_PIVOT, LINUX_FIELD_MAPLE_NODE_ARANGE_SLOT,
			w->node_len, &w->arange, error))
		return FALSE;
	if ((root & INTERNAL_MASK) == INTERNAL && root > MIN_NODE)
		push(w, root, 0, linux_wrap(os, G_MAXUINT64));
	else if (root)
		note_problem(w, root, "the root is not a node");
	if (!walk(w, visit, user, call, error))
		return FALSE;
	if (problem) {
		g_propagate_error(error, g_steal_pointer(&problem));
		return FALSE;
	}
	return TRUE;
}
