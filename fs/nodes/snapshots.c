/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshots: a folder of a running guest in which mkdir(2) takes a snapshot and rmdir(2) drops it.
 * Each is a guest's directory like any other, of a guest that is frozen. The kernel asks for its
 * name each time, since the next one of that name may be another; what is in it never changes.
 */
#include "nodes.h"

#include "../keeper.h"

/* (full) */
static VmifsNode *
node_of(VmifsNode *self, VmifsGuest *snapshot, VmifsFs *fs)
{
	VmifsFsGuest *kept = vmifs_fs_guest(fs, snapshot, self->guest);
	VmifsNode *node = vmifs_node_new(&vmifs_node_guest_dir, self, vmifs_guest_name(snapshot),
					 kept->serial);
	node->guest = kept; /* (taken) given back by its clear() */
	node->flags |= VMIFS_NODE_FLEETING;
	return node;
}

static gboolean
list(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	g_autoptr(GPtrArray) snapshots = vmifs_guest_snapshots(vmifs_node_guest(self));
	for (guint i = 0; i < snapshots->len; i++)
		vmifs_node_list_add(list, vmifs_guest_name(snapshots->pdata[i]), S_IFDIR, 0);
	return TRUE;
}

static VmifsNode *
lookup(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsGuest) snapshot = vmifs_guest_snapshot(vmifs_node_guest(self), name);
	if (snapshot)
		return node_of(self, snapshot, call->fs);
	vmifs_node_set_not_found(error, name);
	return NULL;
}

static VmifsNode *
make(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_needs_patience(call))
		return NULL;
	g_autoptr(VmifsGuest) snapshot =
		vmifs_guest_take_snapshot(vmifs_node_guest(self), name, &call->call, error);
	return snapshot ? node_of(self, snapshot, call->fs) : NULL;
}

static gboolean
drop(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_needs_work(call) ||
	    !vmifs_guest_drop_snapshot(vmifs_node_guest(self), name, error))
		return FALSE;
	vmifs_keeper_wake(call->fs->keeper);
	return TRUE;
}

const VmifsNodeOps vmifs_node_snapshots = {
	.type = S_IFDIR,
	.list = list,
	.lookup = lookup,
	.make = make,
	.drop = drop,
};
