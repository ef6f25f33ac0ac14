/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * task: what processes and threads have in common, and the directory `task` of a process. A node is
 * bound to the task's identity; its pid may come to mean another task, and then it answers ESRCH.
 */
#include "nodes.h"

VmifsNode *
vmifs_task_node_new(const VmifsNodeOps *ops, VmifsNode *parent, const char *name,
		    const VmifsTask *task)
{
	/* Two tasks of one pid differ in one of these, or the guest forges both. */
	guint64 identity = task->object ^ (task->start_time * 0x9e3779b97f4a7c15) ^
			   ((guint64) task->pid << 32);
	VmifsTaskNode *node = vmifs_node_new(ops, parent, name, identity);
	node->task = *task;
	return &node->node;
}

gboolean
vmifs_task_now(VmifsNode *node, VmifsTask *ret, VmifsNodeCall *call, GError **error)
{
	const VmifsTask *task = vmifs_node_task(node);
	if (node->guest->frozen) {
		*ret = *task;
		return TRUE;
	}
	g_autoptr(VmifsTaskList) tasks =
		vmifs_guest_tasks(vmifs_node_guest(node), &call->call, error);
	if (!tasks)
		return FALSE;
	const VmifsTask *now = vmifs_task_list_find(tasks, task->pid);
	if (now && now->object == task->object && now->start_time == task->start_time) {
		*ret = *now;
		return TRUE;
	}
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_ENDED, "task %u has ended", task->pid);
	return FALSE;
}

VmifsAspace *
vmifs_task_memory(VmifsNode *node, VmifsAspace *file_aspace, VmifsNodeCall *call, GError **error)
{
	VmifsTask task;
	if (file_aspace && node->guest->frozen)
		return vmifs_aspace_ref(file_aspace);
	if (!vmifs_node_needs_work(call) || !vmifs_task_now(node, &task, call, error))
		return NULL;
	VmifsAspace *now =
		vmifs_guest_task_aspace(vmifs_node_guest(node), &task, &call->call, error);
	if (!now || !file_aspace || vmifs_aspace_root(now) != vmifs_aspace_root(file_aspace))
		return now;
	vmifs_aspace_unref(now);
	return vmifs_aspace_ref(file_aspace); /* it knows its tables already */
}

gboolean
vmifs_task_check(VmifsNode *node, VmifsNodeCall *call, GError **error)
{
	VmifsTask task;
	if (node->guest->frozen)
		return TRUE;
	return vmifs_node_needs_work(call) && vmifs_task_now(node, &task, call, error);
}

VmifsTaskList *
vmifs_try_tasks(VmifsNode *node, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_may_try(node, call))
		return NULL;
	g_autoptr(VmifsTaskList) tasks =
		vmifs_guest_tasks(vmifs_node_guest(node), &call->call, error);
	return vmifs_node_end_try(call, tasks != NULL, error) ? g_steal_pointer(&tasks) : NULL;
}

const VmifsTaskList *
vmifs_pin_tasks(VmifsNode *node, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	list->pin = vmifs_try_tasks(node, call, error);
	list->unpin = (GDestroyNotify) vmifs_task_list_unref;
	return list->pin;
}

void
vmifs_list_task(VmifsNodeList *list, const VmifsTask *task, gsize index)
{
	char name[16];
	g_snprintf(name, sizeof name, "%u", task->pid);
	vmifs_node_list_add(list, name, S_IFDIR, (guint) index);
}

gboolean
vmifs_parse_pid(const char *text, guint32 *ret)
{
	guint64 value = 0;
	if (text[0] < '1' || text[0] > '9')
		return FALSE;
	for (; *text; text++) {
		if (!g_ascii_isdigit(*text))
			return FALSE;
		value = value * 10 + (guint64) (*text - '0');
		if (value > G_MAXUINT32)
			return FALSE;
	}
	*ret = (guint32) value;
	return TRUE;
}

/* ---- procs/<pid>/task/<tid> ---- */

static gboolean
list_thread(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_task_check(self, call, error))
		return FALSE;
	vmifs_views_list(self, VMIFS_SCOPE_THREAD, list);
	return TRUE;
}

static VmifsNode *
lookup_thread(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	VmifsNode *found = vmifs_views_lookup(self, VMIFS_SCOPE_THREAD, name, call);
	if (!found)
		vmifs_node_set_not_found(error, name);
	return found;
}

static const VmifsNodeOps thread_ops = {
	.type = S_IFDIR,
	.flags = VMIFS_NODE_TASK,
	.instance_size = sizeof(VmifsTaskNode),
	.list = list_thread,
	.lookup = lookup_thread,
};

/* ---- procs/<pid>/task ---- */

static gboolean
list(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	const VmifsTaskList *tasks = vmifs_pin_tasks(self, list, call, error);
	if (!tasks || !vmifs_task_check(self, call, error))
		return FALSE;
	guint32 tgid = vmifs_node_task(self)->tgid;
	gsize index;
	if (!vmifs_task_list_leader(tasks, tgid, &index))
		return TRUE;
	for (; index < vmifs_task_list_count(tasks); index++) {
		const VmifsTask *task = vmifs_task_list_get(tasks, index);
		if (task->tgid != tgid)
			break;
		vmifs_list_task(list, task, index);
	}
	return TRUE;
}

static VmifsNode *
child(VmifsNode *self, const VmifsNodeList *list, guint index)
{
	const VmifsNodeEntry *entry = &g_array_index(list->entries, VmifsNodeEntry, index);
	return vmifs_task_node_new(&thread_ops, self, entry->name,
				   vmifs_task_list_get(list->pin, entry->tag));
}

static VmifsNode *
lookup(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	guint32 tid;
	if (!vmifs_parse_pid(name, &tid)) {
		vmifs_node_set_not_found(error, name);
		return NULL;
	}
	g_autoptr(VmifsTaskList) tasks = vmifs_try_tasks(self, call, error);
	if (!tasks || !vmifs_task_check(self, call, error))
		return NULL;
	const VmifsTask *task = vmifs_task_list_find(tasks, tid);
	if (task && task->tgid == vmifs_node_task(self)->tgid)
		return vmifs_task_node_new(&thread_ops, self, name, task);
	vmifs_node_set_not_found(error, name);
	return NULL;
}

const VmifsNodeOps vmifs_node_threads = {
	.type = S_IFDIR,
	.list = list,
	.lookup = lookup,
	.child = child,
};
