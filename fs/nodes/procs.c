/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procs: what a guest's /proc would be: a directory per process, `self` for its pid 1, and the
 * system-wide views. Tools built on procps look themselves up by pid: when the guest has no such
 * process, the caller's own pid leads to `self`, for that caller alone, and is never listed.
 */
#include "../caller.h"
#include "nodes.h"

#define INIT_PID 1

static gboolean
list(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	const VmifsTaskList *tasks = vmifs_pin_tasks(self, list, call, error);
	if (!tasks)
		return FALSE;
	vmifs_views_list(self, VMIFS_SCOPE_PROCS, list);
	gsize index;
	if (vmifs_task_list_leader(tasks, INIT_PID, &index))
		vmifs_node_list_add(list, "self", S_IFDIR, (guint) index);
	for (index = 0; index < vmifs_task_list_count(tasks); index++) {
		const VmifsTask *task = vmifs_task_list_get(tasks, index);
		if (task->pid && task->pid == task->tgid)
			vmifs_list_task(list, task, index);
	}
	return TRUE;
}

/* Views are found by name, tasks by their index in the list. */
static VmifsNode *
child(VmifsNode *self, const VmifsNodeList *list, guint index)
{
	const VmifsNodeEntry *entry = &g_array_index(list->entries, VmifsNodeEntry, index);
	guint32 pid;
	VmifsNodeCall call = { 0 };
	if (!g_str_equal(entry->name, "self") && !vmifs_parse_pid(entry->name, &pid))
		return vmifs_views_lookup(self, VMIFS_SCOPE_PROCS, entry->name, &call);
	return vmifs_task_node_new(&vmifs_node_process, self, entry->name,
				   vmifs_task_list_get(list->pin, entry->tag));
}

static VmifsNode *
lookup_process(VmifsNode *self, const char *name, guint32 pid, VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsTaskList) tasks = vmifs_try_tasks(self, call, error);
	if (!tasks)
		return NULL;
	gsize index;
	gboolean found = vmifs_task_list_leader(tasks, pid, &index);
	gboolean borrowed = !found && vmifs_caller_is(call->fs->proc, call->caller, pid);
	if (borrowed)
		found = vmifs_task_list_leader(tasks, INIT_PID, &index);
	if (!found) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND, "there is no process %s",
			    name);
		return NULL;
	}
	VmifsNode *node = vmifs_task_node_new(&vmifs_node_process, self, name,
					      vmifs_task_list_get(tasks, index));
	if (borrowed)
		node->flags |= VMIFS_NODE_FLEETING;
	return node;
}

static VmifsNode *
lookup(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	guint32 pid = INIT_PID;
	if (g_str_equal(name, "self") || vmifs_parse_pid(name, &pid))
		return lookup_process(self, name, pid, call, error);
	VmifsNode *found = vmifs_views_lookup(self, VMIFS_SCOPE_PROCS, name, call);
	if (!found)
		vmifs_node_set_not_found(error, name);
	return found;
}

const VmifsNodeOps vmifs_node_procs = {
	.type = S_IFDIR,
	.list = list,
	.lookup = lookup,
	.child = child,
};
