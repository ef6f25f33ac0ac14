/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inode: two sets over the same nodes, by number and by (parent, name, identity), each holding
 * nothing but the pointer: a listed guest can have 200,000 symbols, and each costs what stands
 * here.
 */
#include "inode.h"

struct VmifsInodes {
	GMutex lock;         /* guards what follows, and the id and lookups of nodes */
	GHashTable *by_id;   /* holds the reference */
	GHashTable *by_name; /* (borrowed) the same nodes but for the root */
	guint64 last_id;
};

static guint
hash_id(gconstpointer key)
{
	const VmifsNode *node = key;
	return (guint) node->id;
}

static gboolean
equal_id(gconstpointer a, gconstpointer b)
{
	return ((const VmifsNode *) a)->id == ((const VmifsNode *) b)->id;
}

static guint
hash_name(gconstpointer key)
{
	const VmifsNode *node = key;
	return (guint) (node->ino ^ (node->ino >> 32));
}

/* The inode number is made of parent, name and identity: it stands for the identity here. */
static gboolean
equal_name(gconstpointer key_a, gconstpointer key_b)
{
	const VmifsNode *a = key_a;
	const VmifsNode *b = key_b;
	return a->ino == b->ino && a->parent == b->parent && g_str_equal(a->name, b->name);
}

VmifsInodes *
vmifs_inodes_new(VmifsNode *root)
{
	VmifsInodes *inodes = g_new0(VmifsInodes, 1);
	g_mutex_init(&inodes->lock);
	inodes->by_id = g_hash_table_new_full(hash_id, equal_id, NULL, NULL);
	inodes->by_name = g_hash_table_new(hash_name, equal_name);
	root->id = inodes->last_id = 1;
	g_hash_table_add(inodes->by_id, root);
	return inodes;
}

void
vmifs_inodes_free(VmifsInodes *inodes)
{
	if (!inodes)
		return;
	g_hash_table_unref(inodes->by_name);
	GHashTableIter iter;
	gpointer node;
	g_hash_table_iter_init(&iter, inodes->by_id);
	while (g_hash_table_iter_next(&iter, &node, NULL)) {
		g_hash_table_iter_steal(&iter);
		vmifs_node_unref(node);
	}
	g_hash_table_unref(inodes->by_id);
	g_mutex_clear(&inodes->lock);
	g_free(inodes);
}

VmifsNode *
vmifs_inodes_get(VmifsInodes *inodes, guint64 id)
{
	VmifsNode key = { .id = id };
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&inodes->lock);
	VmifsNode *node = g_hash_table_lookup(inodes->by_id, &key);
	return node ? vmifs_node_ref(node) : NULL;
}

VmifsNode *
vmifs_inodes_enter(VmifsInodes *inodes, VmifsNode *node)
{
	g_mutex_lock(&inodes->lock);
	VmifsNode *known = g_hash_table_lookup(inodes->by_name, node);
	if (!known) {
		known = vmifs_node_ref(node);
		known->id = ++inodes->last_id;
		g_hash_table_add(inodes->by_id, known);
		g_hash_table_add(inodes->by_name, known);
	}
	known->lookups++;
	vmifs_node_ref(known);
	g_mutex_unlock(&inodes->lock);
	vmifs_node_unref(node);
	return known;
}

void
vmifs_inodes_forget(VmifsInodes *inodes, guint64 id, guint64 n)
{
	VmifsNode key = { .id = id };
	g_mutex_lock(&inodes->lock);
	VmifsNode *node = g_hash_table_lookup(inodes->by_id, &key);
	gboolean gone = node && node->parent && node->lookups <= n;
	if (gone) {
		g_hash_table_remove(inodes->by_id, node);
		g_hash_table_remove(inodes->by_name, node);
	} else if (node && node->parent) {
		node->lookups -= n;
	}
	g_mutex_unlock(&inodes->lock);
	if (gone)
		vmifs_node_unref(node);
}

GArray *
vmifs_inodes_select(VmifsInodes *inodes, gboolean (*select)(const VmifsNode *node, gpointer user),
		    gpointer user)
{
	GArray *ids = g_array_new(FALSE, FALSE, sizeof(guint64));
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&inodes->lock);
	GHashTableIter iter;
	gpointer key;
	g_hash_table_iter_init(&iter, inodes->by_id);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		const VmifsNode *node = key;
		if (select(node, user))
			g_array_append_val(ids, node->id);
	}
	return ids;
}

gsize
vmifs_inodes_count(VmifsInodes *inodes)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&inodes->lock);
	return g_hash_table_size(inodes->by_id);
}
