/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* root: the mount point: a directory per guest, and .vmifs, which no guest's name can be. */
#include "nodes.h"

static const VmifsFixed table[] = {
	{ ".vmifs", &vmifs_node_own },
};

static gboolean
list(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	vmifs_fixed_list(self, table, G_N_ELEMENTS(table), list);
	g_autoptr(GPtrArray) guests = vmifs_host_guests(call->fs->host);
	for (guint i = 0; i < guests->len; i++)
		vmifs_node_list_add(list, vmifs_guest_name(g_ptr_array_index(guests, i)), S_IFDIR,
				    0);
	return TRUE;
}

static VmifsNode *
lookup(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	VmifsNode *found = vmifs_fixed_lookup(self, table, G_N_ELEMENTS(table), name, call);
	if (found)
		return found;
	g_autoptr(VmifsGuest) guest = vmifs_host_find(call->fs->host, name);
	if (!guest) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND, "there is no guest %s",
			    name);
		return NULL;
	}
	VmifsFsGuest *kept = vmifs_fs_guest(call->fs, guest, NULL);
	VmifsNode *node = vmifs_node_new(&vmifs_node_guest_dir, self, name, kept->serial);
	node->guest = kept; /* (taken) given back by its clear() */
	return node;
}

const VmifsNodeOps vmifs_node_root = {
	.type = S_IFDIR,
	.list = list,
	.lookup = lookup,
};
