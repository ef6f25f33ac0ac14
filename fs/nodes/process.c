/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process: procs/<pid>: its memory, its threads, and whatever the OS has views for. */
#include "nodes.h"

static const VmifsFixed table[] = {
	{ "vmem", &vmifs_node_vmem },        { "map_files", &vmifs_node_map_files },
	{ "ptmap", &vmifs_node_task_ptmap }, { "pagemap", &vmifs_node_pagemap },
	{ "task", &vmifs_node_threads },
};

static gboolean
list(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_task_check(self, call, error))
		return FALSE;
	vmifs_fixed_list(self, table, G_N_ELEMENTS(table), list);
	vmifs_views_list(self, VMIFS_SCOPE_PROCESS, list);
	return TRUE;
}

static VmifsNode *
lookup(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	VmifsNode *found = vmifs_fixed_lookup(self, table, G_N_ELEMENTS(table), name, call);
	if (!found)
		found = vmifs_views_lookup(self, VMIFS_SCOPE_PROCESS, name, call);
	if (!found)
		vmifs_node_set_not_found(error, name);
	return found;
}

const VmifsNodeOps vmifs_node_process = {
	.type = S_IFDIR,
	.flags = VMIFS_NODE_TASK,
	.instance_size = sizeof(VmifsTaskNode),
	.list = list,
	.lookup = lookup,
};
