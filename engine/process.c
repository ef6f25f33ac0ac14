/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process: immutable task lists. Sorted by process, so that the threads of one stand together; an
 * index by thread id makes lookups of /proc/<tid> a binary search.
 */
#include "attached.h"

struct VmifsTaskList {
	gatomicrefcount refs;
	GArray *tasks;   /* of VmifsTask by (tgid, leader first, pid, object) */
	guint32 *by_pid; /* indexes into tasks, by pid */
	gboolean complete;
};

static int
compare_tasks(gconstpointer a, gconstpointer b)
{
	const VmifsTask *x = a, *y = b;
	if (x->tgid != y->tgid)
		return x->tgid < y->tgid ? -1 : 1;
	/* The leader first: ids wrap, so a thread's may be lower than its leader's. */
	gboolean x_leads = x->pid == x->tgid, y_leads = y->pid == y->tgid;
	if (x_leads != y_leads)
		return x_leads ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->object < y->object ? -1 : x->object > y->object;
}

static int
compare_by_pid(gconstpointer a, gconstpointer b, gpointer user)
{
	const VmifsTask *tasks = user;
	guint32 i = *(const guint32 *) a, j = *(const guint32 *) b;
	if (tasks[i].pid != tasks[j].pid)
		return tasks[i].pid < tasks[j].pid ? -1 : 1;
	return i < j ? -1 : i > j;
}

VmifsTaskList *
vmifs_task_list_new(GArray *tasks, gboolean complete)
{
	VmifsTaskList *list = g_new0(VmifsTaskList, 1);
	g_atomic_ref_count_init(&list->refs);
	list->complete = complete;

	g_array_sort(tasks, compare_tasks);
	guint n = 0;
	for (guint i = 0; i < tasks->len; i++) {
		VmifsTask *all = (VmifsTask *) (gpointer) tasks->data;
		if (n == 0 || compare_tasks(&all[n - 1], &all[i]) != 0)
			all[n++] = all[i];
	}
	g_array_set_size(tasks, n);
	list->tasks = tasks;

	list->by_pid = g_new(guint32, MAX(n, 1));
	for (guint32 i = 0; i < n; i++)
		list->by_pid[i] = i;
	if (n)
		g_qsort_with_data(list->by_pid, (gint) n, sizeof(guint32), compare_by_pid,
				  tasks->data);
	return list;
}

void
vmifs_task_list_mark(VmifsTaskList *list, guint generation)
{
	for (guint i = 0; i < list->tasks->len; i++)
		g_array_index(list->tasks, VmifsTask, i).generation = generation;
}

VmifsTaskList *
vmifs_task_list_ref(VmifsTaskList *list)
{
	g_atomic_ref_count_inc(&list->refs);
	return list;
}

void
vmifs_task_list_unref(VmifsTaskList *list)
{
	if (!list || !g_atomic_ref_count_dec(&list->refs))
		return;
	g_array_unref(list->tasks);
	g_free(list->by_pid);
	g_free(list);
}

gsize
vmifs_task_list_count(const VmifsTaskList *list)
{
	return list->tasks->len;
}

const VmifsTask *
vmifs_task_list_get(const VmifsTaskList *list, gsize index)
{
	g_assert(index < list->tasks->len);
	return &g_array_index(list->tasks, VmifsTask, index);
}

const VmifsTask *
vmifs_task_list_find(const VmifsTaskList *list, guint32 pid)
{
	gsize low = 0, high = list->tasks->len;
	while (low < high) {
		gsize mid = low + (high - low) / 2;
		if (vmifs_task_list_get(list, list->by_pid[mid])->pid < pid)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == list->tasks->len)
		return NULL;
	const VmifsTask *task = vmifs_task_list_get(list, list->by_pid[low]);
	return task->pid == pid ? task : NULL;
}

gboolean
vmifs_task_list_leader(const VmifsTaskList *list, guint32 tgid, gsize *ret_index)
{
	const VmifsTask *all = (const VmifsTask *) (gconstpointer) list->tasks->data;
	const VmifsTask *task = vmifs_task_list_find(list, tgid);
	if (!task || task->tgid != tgid)
		return FALSE;
	*ret_index = (gsize) (task - all);
	return TRUE;
}

gboolean
vmifs_task_list_is_complete(const VmifsTaskList *list)
{
	return list->complete;
}

void
vmifs_vma_clear(VmifsVma *vma)
{
	g_clear_pointer(&vma->path, g_free);
}
