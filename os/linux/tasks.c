/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tasks: every thread of the guest: the ring of processes that starts at init_task (the idle task,
 * which procfs does not show), and in each process the ring of its threads. What breaks is logged
 * and left out, the rest is listed as incomplete.
 *
 *   init_task.tasks -> leader.tasks -> ...          leader.signal->thread_head -> thread_node ->
 * ...
 */
#include "list.h"
#include "machine.h"
#include "seen.h"

/* A task takes a page at the very least, with its stack. */
#define LEAST_ROOM 4096

typedef struct {
	const Linux *os;
	GArray *tasks;    /* of VmifsTask */
	GHashTable *seen; /* their addresses: rings may share elements */
	guint64 node_at;  /* offset of the list_head in task_struct */
	guint64 visits;   /* elements that may still be looked at, over all rings */
	gboolean complete, has_threads;
	const VmifsCall *call;
} Walk;

static guint64
most_tasks(const Linux *os)
{
	return MIN(LINUX_MAX_TASKS, linux_room_for(os, LEAST_ROOM));
}

gboolean
linux_task_read(const Linux *os, guint64 object, VmifsTask *ret, GError **error)
{
	VmifsTask task = { .object = object };
	guint64 pid, tgid, parent, ppid, flags;

	if (!linux_get(os, object, LINUX_FIELD_TASK_PID, &pid, error) ||
	    !linux_get(os, object, LINUX_FIELD_TASK_TGID, &tgid, error) ||
	    !linux_get(os, object, LINUX_FIELD_TASK_REAL_PARENT, &parent, error) ||
	    !linux_get(os, parent, LINUX_FIELD_TASK_TGID, &ppid, error) ||
	    !linux_get(os, object, LINUX_FIELD_TASK_FLAGS, &flags, error) ||
	    !linux_get(os, object, LINUX_FIELD_TASK_MM, &task.mm, error) ||
	    !linux_get(os, object, LINUX_FIELD_TASK_START_BOOTTIME, &task.start_time, error) ||
	    !linux_get_bytes(os, object, LINUX_FIELD_TASK_COMM, task.comm, sizeof task.comm - 1,
			     error))
		return FALSE;
	/* A kernel thread that borrows a process's memory for a while does not own it. */
	if (flags & LINUX_PF_KTHREAD)
		task.mm = 0;
	task.execed = task.mm && !(flags & LINUX_PF_FORKNOEXEC);
	task.pid = (guint32) pid;
	task.tgid = (guint32) tgid;
	task.ppid = (guint32) ppid;
	*ret = task;
	return TRUE;
}

static void
note_broken(Walk *w, const char *what, guint64 object, const GError *error)
{
	w->complete = FALSE;
	vmifs_guest_log(w->os->guest, "%s of task %#" G_GINT64_MODIFIER "x: %s", what, object,
			error->message);
}

static void
add_task(Walk *w, guint64 object)
{
	g_autoptr(GError) error = NULL;
	VmifsTask task;

	if (!linux_seen_add(w->seen, object))
		return;
	if (!linux_task_read(w->os, object, &task, &error))
		note_broken(w, "members", object, error);
	else
		g_array_append_val(w->tasks, task);
}

typedef struct {
	GArray *objects; /* of guint64 */
	guint64 node_at;
} Collect;

static gboolean
collect(guint64 node, gpointer user)
{
	Collect *c = user;
	guint64 object = node - c->node_at;
	g_array_append_val(c->objects, object);
	return TRUE;
}

/* Addresses of the threads of the process that `object` belongs to. */
static gboolean
collect_threads(const Linux *os, guint64 object, guint64 max, GArray *ret, const VmifsCall *call,
		GError **error)
{
	Collect c = { .objects = ret };
	guint64 signal, head_at;

	if (!linux_get(os, object, LINUX_FIELD_TASK_SIGNAL, &signal, error) ||
	    !linux_offset(os, LINUX_FIELD_SIGNAL_THREAD_HEAD, &head_at, error) ||
	    !linux_offset(os, LINUX_FIELD_TASK_THREAD_NODE, &c.node_at, error))
		return FALSE;
	return linux_list_each_sized(os->aspace, signal + head_at, max, LINUX_LEAST_TASK, collect,
				     &c, call, error);
}

gboolean
linux_task_threads(const Linux *os, const VmifsTask *task, GArray *ret, const VmifsCall *call,
		   GError **error)
{
	return collect_threads(os, task->object, most_tasks(os), ret, call, error);
}

static gboolean
visit_leader(guint64 node, gpointer user)
{
	Walk *w = user;
	guint64 leader = node - w->node_at;
	g_autoptr(GArray) threads = g_array_new(FALSE, FALSE, sizeof(guint64));
	g_autoptr(GError) error = NULL;

	add_task(w, leader);
	if (!w->has_threads)
		return vmifs_call_check(w->call, NULL);
	if (!collect_threads(w->os, leader, w->visits, threads, w->call, &error))
		note_broken(w, "threads", leader, error);
	w->visits -= threads->len;
	for (guint i = 0; i < threads->len; i++) {
		guint64 object = g_array_index(threads, guint64, i);
		if (object != leader)
			add_task(w, object);
	}
	return vmifs_call_check(w->call, NULL);
}

VmifsTaskList *
linux_tasks(gpointer self, const VmifsCall *call, GError **error)
{
	const Linux *os = self;
	g_autoptr(GArray) tasks = g_array_new(FALSE, FALSE, sizeof(VmifsTask));
	g_autoptr(GHashTable) seen = linux_seen_new();
	guint64 most = most_tasks(os);
	Walk w = { .os = os,
		   .tasks = tasks,
		   .seen = seen,
		   .visits = most,
		   .complete = TRUE,
		   .has_threads = linux_has(os, LINUX_FIELD_TASK_SIGNAL) &&
				  linux_has(os, LINUX_FIELD_SIGNAL_THREAD_HEAD) &&
				  linux_has(os, LINUX_FIELD_TASK_THREAD_NODE),
		   .call = call };
	guint64 init;

	if (!linux_symbol(os, "init_task", &init, error) ||
	    !linux_offset(os, LINUX_FIELD_TASK_TASKS, &w.node_at, error))
		return NULL;
	g_autoptr(GError) broken = NULL;
	if (!linux_list_each_sized(os->aspace, init + w.node_at, most, LINUX_LEAST_TASK,
				   visit_leader, &w, call, &broken)) {
		note_broken(&w, "processes after that", init, broken);
		if (tasks->len == 0) {
			g_propagate_error(error, g_steal_pointer(&broken));
			return NULL;
		}
	}
	/* A list that was given up is no list: it would be kept for the whole epoch. */
	if (!vmifs_call_check(call, error))
		return NULL;
	return vmifs_task_list_new(g_steal_pointer(&tasks), w.complete);
}

/* ---- page tables ---- */

static gboolean
find_root(const Linux *os, const VmifsTask *task, guint64 *ret, GError **error)
{
	guint64 pgd;
	VmifsRange range;

	if (!task->mm) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE, "task %u has no user memory",
			    task->pid);
		return FALSE;
	}
	if (!linux_get(os, task->mm, LINUX_FIELD_MM_PGD, &pgd, error) ||
	    !vmifs_aspace_translate(os->aspace, pgd, &range, error))
		return FALSE;
	*ret = range.pa;
	return TRUE;
}

VmifsAspace *
linux_task_aspace(gpointer self, const VmifsTask *task, GError **error)
{
	const Linux *os = self;
	guint64 root;

	if (!find_root(os, task, &root, error))
		return NULL;
	const LinuxMachine *machine = linux_machine(os);
	return machine->task_aspace
		       ? machine->task_aspace(os, root)
		       : vmifs_aspace_new_like(os->aspace, root, machine->resolve, os->mem);
}

guint
linux_task_roots(gpointer self, const VmifsTask *task, guint64 *ret, GError **error)
{
	const Linux *os = self;
	const LinuxMachine *machine = linux_machine(os);
	guint64 root;

	if (!find_root(os, task, &root, error))
		return 0;
	if (machine->roots)
		return machine->roots(os, root, ret);
	ret[0] = root;
	return 1;
}
