/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * readdir: a listing is an array that opendir made, so a cookie is an index in it. READDIRPLUS
 * gives the kernel an inode for every entry whose node costs nothing to make, and so saves it a
 * lookup for each; the others, and those of directories with very many, are given by name and type
 * alone.
 */
#include "operations.h"

#include "nodes/nodes.h"
#include "reply.h"

/* A guest chooses how many files a process has open. */
#define MAX_ENTERED 16384

/* An entry as it is listed; `.` and `..` come first. */
typedef struct {
	const char *name;
	mode_t type;
	guint64 ino;
} Listed;

static gboolean
listed_at(const VmifsHandle *handle, guint64 index, Listed *ret)
{
	const VmifsNode *dir = handle->node;
	if (index < 2) {
		const VmifsNode *node = index && dir->parent ? dir->parent : dir;
		*ret = (Listed){ index ? ".." : ".", S_IFDIR, node->ino };
		return TRUE;
	}
	if (index - 2 >= handle->list->entries->len)
		return FALSE;
	const VmifsNodeEntry *entry =
		&g_array_index(handle->list->entries, VmifsNodeEntry, index - 2);
	*ret = (Listed){ entry->name, entry->type, vmifs_node_child_ino(dir, entry->name, 0) };
	return TRUE;
}

/* The node of an entry if it is cheap to have. (full) */
static VmifsNode *
cheap_node(VmifsFs *fs, const VmifsHandle *handle, guint64 index)
{
	VmifsNode *dir = handle->node;
	if (index < 2 || dir->flags & VMIFS_NODE_CROWDED ||
	    handle->list->entries->len > MAX_ENTERED)
		return NULL;
	if (dir->ops->child)
		return dir->ops->child(dir, handle->list, (guint) index - 2);
	VmifsNodeCall call = { .fs = fs };
	const VmifsNodeEntry *entry =
		&g_array_index(handle->list->entries, VmifsNodeEntry, index - 2);
	return dir->ops->lookup(dir, entry->name, &call, NULL);
}

/* Fills what the kernel is told of the entry; entered: of guint64, the lookups to take back should
 * the reply fail. */
static struct fuse_entry_param
entry_param(VmifsFs *fs, const VmifsHandle *handle, guint64 index, const Listed *listed,
	    GArray *entered)
{
	struct fuse_entry_param entry = { .attr = { .st_ino = listed->ino,
						    .st_mode = listed->type } };
	VmifsNode *node = cheap_node(fs, handle, index);
	if (!node)
		return entry;
	node = vmifs_inodes_enter(fs->inodes, node);
	VmifsNodeCall call = { .fs = fs };
	struct stat attr;
	if (vmifs_attr_fill(fs, node, FALSE, &attr, &entry.attr_timeout, &call, NULL)) {
		entry.ino = node->id;
		entry.attr = attr;
		entry.entry_timeout = vmifs_attr_entry_timeout(fs, node);
		g_array_append_val(entered, node->id);
	} else {
		vmifs_inodes_forget(fs->inodes, node->id, 1);
	}
	vmifs_node_unref(node);
	return entry;
}

/* Bytes that the entry took; 0 when there is no room for it. */
static gsize
add_entry(VmifsFs *fs, fuse_req_t req, const VmifsHandle *handle, guint64 index,
	  const Listed *listed, gboolean plus, char *buf, gsize room, GArray *entered)
{
	off_t next = (off_t) index + 1;
	if (!plus) {
		struct stat attr = { .st_ino = listed->ino, .st_mode = listed->type };
		gsize need = fuse_add_direntry(req, buf, room, listed->name, &attr, next);
		return need <= room ? need : 0;
	}
	if (fuse_add_direntry_plus(req, NULL, 0, listed->name, NULL, 0) > room)
		return 0;
	struct fuse_entry_param entry = entry_param(fs, handle, index, listed, entered);
	return fuse_add_direntry_plus(req, buf, room, listed->name, &entry, next);
}

static void
reply(VmifsRequest *request)
{
	VmifsFs *fs = request->fs;
	g_autoptr(GArray) entered = g_array_new(FALSE, FALSE, sizeof(guint64));
	g_autofree char *buf = g_malloc(request->size);
	gsize used = 0;
	Listed listed;
	for (guint64 index = request->off; listed_at(request->handle, index, &listed); index++) {
		gsize took = add_entry(fs, request->req, request->handle, index, &listed,
				       request->flag, buf + used, request->size - used, entered);
		if (!took)
			break;
		used += took;
	}
	if (fuse_reply_buf(request->req, buf, used) == 0)
		return;
	for (guint i = 0; i < entered->len; i++)
		vmifs_inodes_forget(fs->inodes, g_array_index(entered, guint64, i), 1);
}

/* The list is that of the open; but who begins to read it shall be told when its process has ended
 * since. */
gboolean
vmifs_run_readdir(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	VmifsNode *node = request->handle->node;
	if (!request->off && vmifs_node_task(node) && !vmifs_task_check(node, call, error))
		return FALSE;
	if (vmifs_request_claim(request))
		reply(request);
	return TRUE;
}
