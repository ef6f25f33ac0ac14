/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node: the life of tree entries, directory listings, and directories that are tables. Parents are
 * held by their children, so that a path can always be walked upwards: to the guest, to the task.
 */
#include "fs.h"

#include <string.h>

/* For how long a thread that takes requests may decode; some fifty times what most texts take. */
#define TRY_US 1000

gboolean
vmifs_node_needs_work(VmifsNodeCall *call)
{
	if (!call->may_block)
		call->defer = VMIFS_DEFER_WORK;
	return call->may_block;
}

gboolean
vmifs_node_needs_monitor(VmifsNodeCall *call)
{
	if (!call->may_block)
		call->defer = VMIFS_DEFER_MONITOR;
	return call->may_block;
}

gboolean
vmifs_node_needs_patience(VmifsNodeCall *call)
{
	if (!call->may_block)
		call->defer = VMIFS_DEFER_PATIENCE;
	return call->may_block;
}

gboolean
vmifs_node_may_try(VmifsNode *node, VmifsNodeCall *call)
{
	if (call->may_block || !node->guest->frozen || !g_atomic_int_get(&node->guest->discovered))
		return vmifs_node_needs_work(call);
	if (!call->trying)
		call->call.deadline = g_get_monotonic_time() + TRY_US;
	call->trying = TRUE;
	return TRUE;
}

gboolean
vmifs_node_end_try(VmifsNodeCall *call, gboolean done, GError **error)
{
	if (vmifs_call_check(&call->call, done && !call->trying ? error : NULL))
		return done;
	if (!call->trying)
		return FALSE;
	if (!done)
		g_clear_error(error);
	call->defer = VMIFS_DEFER_WORK;
	return FALSE;
}

gboolean
vmifs_node_needs_discovery(VmifsNode *node, VmifsNodeCall *call)
{
	if (g_atomic_int_get(&node->guest->discovered))
		return vmifs_node_needs_work(call);
	call->defer = VMIFS_DEFER_DISCOVERY;
	return FALSE;
}

/* ---- lists ---- */

VmifsNodeList *
vmifs_node_list_new(void)
{
	VmifsNodeList *list = g_new0(VmifsNodeList, 1);
	list->entries = g_array_new(FALSE, FALSE, sizeof(VmifsNodeEntry));
	return list;
}

void
vmifs_node_list_free(VmifsNodeList *list)
{
	if (!list)
		return;
	g_array_unref(list->entries);
	if (list->names)
		g_string_chunk_free(list->names);
	if (list->unpin)
		list->unpin(list->pin);
	g_free(list);
}

void
vmifs_node_list_add_borrowed(VmifsNodeList *list, const char *name, mode_t type, guint tag)
{
	if (!vmifs_text_is_file_name(name))
		return;
	VmifsNodeEntry entry = { .name = name, .type = type, .tag = tag };
	g_array_append_val(list->entries, entry);
}

void
vmifs_node_list_add(VmifsNodeList *list, const char *name, mode_t type, guint tag)
{
	if (!list->names)
		list->names = g_string_chunk_new(1024);
	vmifs_node_list_add_borrowed(list, g_string_chunk_insert(list->names, name), type, tag);
}

gboolean
vmifs_node_list_has(const VmifsNodeList *list, const char *name)
{
	for (guint i = 0; i < list->entries->len; i++)
		if (g_str_equal(g_array_index(list->entries, VmifsNodeEntry, i).name, name))
			return TRUE;
	return FALSE;
}

/* ---- nodes ---- */

/* FNV-1a over the bytes, then a finalizer: neighbouring names must not give neighbouring buckets.
 */
static guint64
hash_bytes(guint64 hash, gconstpointer data, gsize len)
{
	const guint8 *bytes = data;
	for (gsize i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return hash;
}

guint64
vmifs_node_child_ino(const VmifsNode *parent, const char *name, guint64 identity)
{
	guint64 hash = hash_bytes(0xcbf29ce484222325, &parent->ino, sizeof parent->ino);
	hash = hash_bytes(hash, name, strlen(name));
	hash = hash_bytes(hash, &identity, sizeof identity);
	hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
	hash ^= hash >> 33;
	return hash ? hash : 1; /* 0 is none */
}

static guint64
random_ino(void)
{
	guint64 ino = (guint64) g_random_int() << 32 | g_random_int();
	return ino ? ino : 1;
}

gpointer
vmifs_node_new(const VmifsNodeOps *ops, VmifsNode *parent, const char *name, guint64 identity)
{
	gsize instance_size = MAX(ops->instance_size, sizeof(VmifsNode));
	gsize name_size = strlen(name) + 1;
	VmifsNode *node = g_malloc(instance_size + name_size);
	memset(node, 0, instance_size);
	g_atomic_ref_count_init(&node->refs);
	node->ops = ops;
	node->flags = ops->flags;
	node->name = memcpy((char *) node + instance_size, name, name_size);
	node->text_size = -1;
	node->ino = parent ? vmifs_node_child_ino(parent, name, identity) : random_ino();
	if (parent) {
		node->parent = vmifs_node_ref(parent);
		node->guest = parent->guest;
		node->boot = parent->boot;
	}
	return node;
}

/* The number of the guest's boot; 0 is none, and that of what is frozen. */
static guint64
boot_now(const VmifsFsGuest *guest)
{
	return guest->frozen ? 0 : (guint64) vmifs_guest_generation(guest->guest) + 1;
}

gpointer
vmifs_node_new_of_boot(const VmifsNodeOps *ops, VmifsNode *parent, const char *name)
{
	guint64 boot = boot_now(parent->guest);
	VmifsNode *node = vmifs_node_new(ops, parent, name, parent->boot ? 0 : boot);
	node->boot = parent->boot ? parent->boot : boot;
	return node;
}

VmifsNode *
vmifs_node_ref(VmifsNode *node)
{
	g_atomic_ref_count_inc(&node->refs);
	return node;
}

/* A loop over the parents: they may go with their last child. */
void
vmifs_node_unref(VmifsNode *node)
{
	while (node && g_atomic_ref_count_dec(&node->refs)) {
		VmifsNode *parent = node->parent;
		if (node->ops->clear)
			node->ops->clear(node);
		g_free(node);
		node = parent;
	}
}

const VmifsTask *
vmifs_node_task(const VmifsNode *node)
{
	for (; node; node = node->parent)
		if (node->flags & VMIFS_NODE_TASK)
			return &((const VmifsTaskNode *) node)->task;
	return NULL;
}

VmifsGuest *
vmifs_node_guest(const VmifsNode *node)
{
	return node->guest->guest;
}

gboolean
vmifs_node_is_frozen(const VmifsNode *node)
{
	return node->guest && node->guest->frozen;
}

gboolean
vmifs_node_check(const VmifsNode *node, GError **error)
{
	const VmifsFsGuest *guest = node->guest;
	if (!guest || guest->frozen)
		return TRUE;
	gboolean gone = g_atomic_int_get(&guest->gone);
	if (!gone && (!node->boot || node->boot == boot_now(guest)))
		return TRUE;
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_STALE,
			    gone ? "the guest has gone" : "the guest has booted anew");
	return FALSE;
}

gboolean
vmifs_node_check_writable(VmifsFs *fs, const VmifsNode *node, GError **error)
{
	const char *why = NULL;
	if (!node->ops->write)
		why = "nothing there can be changed";
	else if (fs->options->engine.passive)
		why = "the mount is passive";
	else if (node->flags & VMIFS_NODE_OURS)
		return TRUE;
	else if (node->guest->frozen)
		why = "memory images and what is derived from them are never written";
	else if (!fs->options->engine.guest_rw)
		why = "the mount has no guest_rw: mount with -o guest_rw to change a guest";
	if (!why)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_DENIED, "a change was refused: %s", why);
	return FALSE;
}

gboolean
vmifs_node_is_cached_memory(const VmifsNode *node, const VmifsNodeCall *call)
{
	return vmifs_node_is_frozen(node) && !(node->flags & VMIFS_NODE_ADDRESSES) &&
	       !call->fs->options->engine.holes_error;
}

char *
vmifs_node_path(const VmifsNode *node)
{
	g_autoptr(GString) path = g_string_new(NULL);
	for (; node->parent; node = node->parent) {
		if (path->len)
			g_string_prepend_c(path, '/');
		g_string_prepend(path, node->name);
	}
	return g_string_free(g_steal_pointer(&path), FALSE);
}

void
vmifs_node_set_not_found(GError **error, const char *name)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND, "there is no %s", name);
}

/* ---- tables ---- */

void
vmifs_fixed_list(VmifsNode *dir, const VmifsFixed *table, gsize n, VmifsNodeList *list)
{
	for (gsize i = 0; i < n; i++)
		if (!table[i].present || table[i].present(dir) == VMIFS_PRESENT_YES)
			vmifs_node_list_add_borrowed(list, table[i].name, table[i].ops->type, 0);
}

VmifsNode *
vmifs_fixed_lookup(VmifsNode *dir, const VmifsFixed *table, gsize n, const char *name,
		   VmifsNodeCall *call)
{
	for (gsize i = 0; i < n; i++) {
		if (!g_str_equal(table[i].name, name))
			continue;
		VmifsPresent present = table[i].present ? table[i].present(dir) : VMIFS_PRESENT_YES;
		if (present == VMIFS_PRESENT_UNKNOWN)
			call->defer = VMIFS_DEFER_DISCOVERY;
		if (present == VMIFS_PRESENT_NO)
			continue; /* there may be another of that name */
		if (present == VMIFS_PRESENT_UNKNOWN)
			return NULL;
		return table[i].of_boot ? vmifs_node_new_of_boot(table[i].ops, dir, name)
					: vmifs_node_new(table[i].ops, dir, name, 0);
	}
	return NULL;
}
