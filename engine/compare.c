/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * compare: two sorted lists are gone through side by side. A process is its number and the time
 * when it started: of an exec by another thread than the first, nothing else stays. It has ended
 * when none of its threads has memory any more, though it may be listed until its parent has heard
 * of that.
 */
#include "compare.h"

#include <string.h>

typedef struct {
	guint32 pid, ppid;
	guint64 start_time;
	guint64 mm; /* of any of its threads; 0 = none has one */
	gboolean execed;
	gboolean ended; /* that was told */
	char comm[sizeof((VmifsTask *) NULL)->comm];
} Process;

struct VmifsCompare {
	VmifsEvents *events;
	guint generation;  /* of what follows */
	GArray *processes; /* of Process, by pid; NULL = no list yet */
	GArray *modules;   /* of VmifsModule, by name and base; NULL = no list yet */
};

VmifsCompare *
vmifs_compare_new(VmifsEvents *events)
{
	VmifsCompare *compare = g_new0(VmifsCompare, 1);

	compare->events = events;
	return compare;
}

void
vmifs_compare_reset(VmifsCompare *compare)
{
	g_clear_pointer(&compare->processes, g_array_unref);
	g_clear_pointer(&compare->modules, g_array_unref);
}

void
vmifs_compare_free(VmifsCompare *compare)
{
	if (!compare)
		return;
	vmifs_compare_reset(compare);
	g_free(compare);
}

static void
begin_generation(VmifsCompare *compare, guint generation)
{
	if (compare->generation != generation)
		vmifs_compare_reset(compare);
	compare->generation = generation;
}

/* ---- processes ---- */

static void
push_task(VmifsCompare *compare, const char *what, const Process *process)
{
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("task");

	event.pid = process->pid;
	event.comm = g_strdup(process->comm);
	vmifs_event_add_text(&event, "what", what, -1);
	vmifs_event_add_number(&event, "ppid", process->ppid);
	vmifs_events_push(compare->events, &event);
}

/* Tasks come by process, the first of its threads first. */
static GArray *
processes_of(const VmifsTaskList *list)
{
	GArray *processes = g_array_new(FALSE, FALSE, sizeof(Process));
	gsize n = vmifs_task_list_count(list);

	for (gsize i = 0; i < n; i++) {
		const VmifsTask *task = vmifs_task_list_get(list, i);
		Process *last = processes->len
					? &g_array_index(processes, Process, processes->len - 1)
					: NULL;
		if (task->pid == task->tgid) {
			Process process = { .pid = task->pid,
					    .ppid = task->ppid,
					    .start_time = task->start_time,
					    .mm = task->mm,
					    .execed = task->execed };
			memcpy(process.comm, task->comm, sizeof process.comm);
			g_array_append_val(processes, process);
		} else if (last && last->pid == task->tgid && !last->mm) {
			last->mm = task->mm;
			last->execed = task->execed;
		}
	}
	return processes;
}

static void
start(VmifsCompare *compare, const Process *now)
{
	push_task(compare, "start", now);
	if (now->execed)
		push_task(compare, "exec", now);
}

/* Of one that is in both lists. */
static gboolean
go_on(VmifsCompare *compare, const Process *before, Process *now)
{
	gboolean execed = now->mm && (before->mm != now->mm || (now->execed && !before->execed));
	gboolean ended = before->mm && !now->mm;

	now->ended = before->ended || ended;
	if (execed)
		push_task(compare, "exec", now);
	if (ended)
		push_task(compare, "exit", now);
	return execed || ended;
}

static gboolean
end(VmifsCompare *compare, const Process *before)
{
	if (!before->ended)
		push_task(compare, "exit", before);
	return !before->ended;
}

gboolean
vmifs_compare_tasks(VmifsCompare *compare, const VmifsTaskList *list, guint generation)
{
	gboolean changed = FALSE;

	begin_generation(compare, generation);
	if (!vmifs_task_list_is_complete(list))
		return FALSE;
	GArray *now = processes_of(list);
	g_autoptr(GArray) before = compare->processes;
	compare->processes = now;
	for (guint i = 0, j = 0; before && (i < before->len || j < now->len);) {
		const Process *old = i < before->len ? &g_array_index(before, Process, i) : NULL;
		Process *new = j < now->len ? &g_array_index(now, Process, j) : NULL;
		if (old && new && old->pid == new->pid && old->start_time == new->start_time) {
			changed |= go_on(compare, old, new);
			i++;
			j++;
		} else if (old && (!new || old->pid <= new->pid)) {
			changed |= end(compare, old);
			i++;
		} else {
			start(compare, new);
			changed = TRUE;
			j++;
		}
	}
	return changed;
}

/* ---- modules ---- */

static int
compare_modules(gconstpointer a, gconstpointer b)
{
	const VmifsModule *x = a, *y = b;
	int names = strcmp(x->name, y->name);

	if (names)
		return names;
	return x->base < y->base ? -1 : x->base > y->base;
}

static void
push_module(VmifsCompare *compare, const char *what, const VmifsModule *module)
{
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("module");

	vmifs_event_add_text(&event, "what", what, -1);
	vmifs_event_add_text(&event, "name", module->name, -1);
	vmifs_event_add_hex(&event, "base", module->base);
	vmifs_events_push(compare->events, &event);
}

gboolean
vmifs_compare_modules(VmifsCompare *compare, GArray *modules, guint generation)
{
	gboolean changed = FALSE;

	begin_generation(compare, generation);
	g_array_sort(modules, compare_modules);
	g_autoptr(GArray) before = compare->modules;
	compare->modules = modules;
	for (guint i = 0, j = 0; before && (i < before->len || j < modules->len);) {
		const VmifsModule *old =
			i < before->len ? &g_array_index(before, VmifsModule, i) : NULL;
		const VmifsModule *new =
			j < modules->len ? &g_array_index(modules, VmifsModule, j) : NULL;
		int order = !old ? 1 : !new ? -1 : compare_modules(old, new);
		if (order)
			push_module(compare, order < 0 ? "unload" : "load", order < 0 ? old : new);
		changed |= order != 0;
		i += order <= 0;
		j += order >= 0;
	}
	return changed;
}
