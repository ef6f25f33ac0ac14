/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-tasks: from init_task to the ring of all processes: names, numbers and parents, which prove
 * each other.
 */
#include "infer.h"

#include "list.h"

#include <spi/bytes.h>

#include <string.h>

/* init_task is read so far; what is of interest ends about as far behind the name. */
#define WINDOW 16384
#define BEHIND_COMM 1024
#define COMM_LEN 16
#define NODE_WORK 64
#define MAX_RING (4 * 1024 * 1024)
/* The idle task, pid 1 and pid 2. */
#define LEAST_TASKS 3
#define MAX_PID (4 * 1024 * 1024)

/* ---- the ring ---- */

static gboolean
is_name(const guint8 *bytes)
{
	const guint8 *end = memchr(bytes, 0, COMM_LEN);

	return end && end != bytes;
}

typedef struct {
	LinuxInfer *f;
	gsize tasks, comm;
	guint n, named;
	GArray *found; /* of guint64 */
} Ring;

static gboolean
visit(guint64 node, gpointer user)
{
	Ring *r = user;
	guint64 task = node - r->tasks;
	guint8 name[COMM_LEN];

	r->n++;
	if (!linux_infer_goes_on(r->f, NODE_WORK))
		return FALSE;
	if (vmifs_aspace_read(r->f->os->aspace, task + r->comm, name, sizeof name, NULL) &&
	    is_name(name))
		r->named++;
	else if (r->n < LEAST_TASKS)
		return FALSE;
	if (r->found->len < LINUX_SAMPLE_MOST)
		g_array_append_val(r->found, task);
	return TRUE;
}

/* Is init_task's list at that offset the ring of all processes? A running guest may tear it. */
static gboolean
is_ring(LinuxInfer *f, const guint8 *init, gsize tasks, gsize comm, GArray *found)
{
	Ring r = { f, tasks, comm, 0, 0, found };
	guint64 next = f->ptr == 8 ? vmifs_load_u64(init + tasks) : vmifs_load_u32(init + tasks);
	guint64 head = f->init + tasks;

	g_array_set_size(found, 0);
	if (!linux_infer_is_kernel(f, next) || next == head ||
	    linux_infer_ptr(f, next + f->ptr) != head)
		return FALSE;
	if (!linux_list_each(f->os->aspace, head, MAX_RING, visit, &r, f->call, NULL) &&
	    vmifs_guest_is_frozen(f->os->guest))
		return FALSE;
	return r.n >= LEAST_TASKS - 1 && r.named == r.n;
}

static gboolean
find_ring(LinuxInfer *f, const guint8 *init, gsize len, LinuxOnly *comm, LinuxOnly *tasks,
	  GArray *ret)
{
	g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(guint64));

	for (gsize c = 0; c + COMM_LEN <= len; c += f->ptr) {
		if (memcmp(init + c, "swapper", 7) || (init[c + 7] && init[c + 7] != '/'))
			continue;
		for (gsize t = 0; t + 2 * f->ptr <= c; t += f->ptr) {
			if (!is_ring(f, init, t, c, found))
				continue;
			linux_only_add(comm, c);
			linux_only_add(tasks, t);
			g_array_set_size(ret, 0);
			g_array_append_vals(ret, found->data, found->len);
		}
		/* A name further on is another's. */
		break;
	}
	return linux_infer_only(f, tasks, "the ring of processes");
}

static gboolean
take_tasks(LinuxInfer *f)
{
	g_autofree guint8 *init = g_malloc0(WINDOW);
	g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(guint64));
	LinuxOnly comm = { 0 }, tasks = { 0 };
	gsize len = vmifs_aspace_read_some(f->os->aspace, f->init, init, WINDOW, NULL);

	if (!find_ring(f, init, len, &comm, &tasks, found))
		return FALSE;
	f->comm = comm.at;
	linux_sample_init(&f->tasks, f->ptr, MIN(comm.at + BEHIND_COMM, len));
	linux_sample_add(&f->tasks, f->os->aspace, f->init);
	for (guint i = 0; i < found->len; i++)
		linux_sample_add(&f->tasks, f->os->aspace, g_array_index(found, guint64, i));
	linux_inferred_put(f->table, "task_struct", "tasks", tasks.at, 2 * f->ptr);
	linux_inferred_put_array(f->table, "task_struct", "comm", comm.at, 1, COMM_LEN);
	g_string_append_printf(f->checked, "%u processes", linux_sample_n(&f->tasks));
	return linux_sample_n(&f->tasks) >= LEAST_TASKS;
}

/* ---- who is who ---- */

/* pid and tgid: the same in the first of each process, different in all of them. */
static gboolean
are_pids(const LinuxSample *s, gsize off)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

	for (guint i = 0; i < linux_sample_n(s); i++) {
		guint32 pid = linux_sample_u32(s, i, off);

		if (pid != linux_sample_u32(s, i, off + 4) || pid >= MAX_PID ||
		    (i < LEAST_TASKS ? pid != i : pid == 0) ||
		    !g_hash_table_add(seen, GUINT_TO_POINTER(pid)))
			return FALSE;
	}
	return TRUE;
}

static gboolean
find_pids(LinuxInfer *f)
{
	guint n = linux_sample_n(&f->tasks);
	LinuxOnly pid = { 0 };

	for (gsize off = 0; off + 8 <= f->comm; off += 4) {
		if (linux_infer_goes_on(f, n) && are_pids(&f->tasks, off))
			linux_only_add(&pid, off);
	}
	if (!linux_infer_put_only(f, &pid, "task_struct", "pid", 4))
		return FALSE;
	f->pid = pid.at;
	linux_inferred_put(f->table, "task_struct", "tgid", pid.at + 4, 4);
	return TRUE;
}

/* A thread of a process that is in the ring. */
static gboolean
is_task(const LinuxInfer *f, guint64 va, GHashTable *pids)
{
	return linux_sample_has(&f->tasks, va, NULL) ||
	       (linux_infer_is_kernel(f, va) &&
		g_hash_table_contains(pids, GUINT_TO_POINTER(linux_infer_u32(f, va + f->pid + 4))));
}

/* real_parent and parent: of the first three init_task, of all others a task that is not itself. */
static gboolean
are_parents(const LinuxInfer *f, gsize off, GHashTable *pids)
{
	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		guint64 real = linux_sample_ptr(&f->tasks, i, off);
		guint64 parent = linux_sample_ptr(&f->tasks, i, off + f->ptr);

		if (i < LEAST_TASKS ? real != f->init || parent != f->init
				    : real == linux_sample_at(&f->tasks, i) ||
					      !is_task(f, real, pids) || !is_task(f, parent, pids))
			return FALSE;
	}
	return TRUE;
}

typedef struct {
	const LinuxInfer *f;
	gsize parent, sibling;
	guint n, strangers;
} Children;

static gboolean
visit_child(guint64 node, gpointer user)
{
	Children *c = user;
	guint i;

	c->n++;
	if (!linux_infer_goes_on(c->f, NODE_WORK))
		return FALSE;
	if (!linux_sample_has(&c->f->tasks, node - c->sibling, &i))
		c->strangers++;
	return TRUE;
}

/* Do the lists of children hold every task, each once? */
static gboolean
are_children_lists(LinuxInfer *f, gsize parent, gsize children, gsize sibling)
{
	Children c = { f, parent, sibling, 0, 0 };
	guint n = linux_sample_n(&f->tasks), expected = 0;

	for (guint i = 0; i < n; i++) {
		if (i && linux_sample_has(&f->tasks, linux_sample_ptr(&f->tasks, i, parent), NULL))
			expected++;
		if (!linux_list_each(f->os->aspace, linux_sample_at(&f->tasks, i) + children,
				     LINUX_SAMPLE_MOST * 16, visit_child, &c, f->call, NULL))
			return FALSE;
	}
	/* Those that are not in the sample, as it is full, may be children, too. */
	return c.n >= expected && (n >= LINUX_SAMPLE_MOST || (c.n == expected && !c.strangers));
}

static gboolean
find_parents(LinuxInfer *f)
{
	g_autoptr(GHashTable) pids = g_hash_table_new(NULL, NULL);
	guint n = linux_sample_n(&f->tasks);
	LinuxOnly parent = { 0 };

	for (guint i = 0; i < linux_sample_n(&f->tasks); i++)
		g_hash_table_add(pids, GUINT_TO_POINTER(linux_sample_u32(&f->tasks, i, f->pid)));
	for (gsize off = 0; off + 2 * f->ptr <= f->comm; off += f->ptr) {
		if (linux_infer_goes_on(f, n) && are_parents(f, off, pids))
			linux_only_add(&parent, off);
	}
	if (!linux_infer_only(f, &parent, "task_struct.real_parent"))
		return FALSE;
	gsize children = parent.at + 2 * f->ptr, sibling = parent.at + 4 * f->ptr;
	linux_inferred_put(f->table, "task_struct", "real_parent", parent.at, f->ptr);
	linux_inferred_put(f->table, "task_struct", "parent", parent.at + f->ptr, f->ptr);
	if (are_children_lists(f, parent.at, children, sibling)) {
		linux_inferred_put(f->table, "task_struct", "children", children, 2 * f->ptr);
		linux_inferred_put(f->table, "task_struct", "sibling", sibling, 2 * f->ptr);
	} else {
		linux_infer_lacks(f, "task_struct.children", "lists of children do not close");
	}
	return TRUE;
}

/* kthreadd and its children are the kernel's own, but for what has memory that is its own. */
static void
tell_kernel_tasks(LinuxInfer *f)
{
	guint64 parent = 0;

	linux_inferred_get(f->table, "task_struct", "real_parent", &parent);
	f->is_kernel = g_malloc0(linux_sample_n(&f->tasks));
	for (guint i = 0; i < linux_sample_n(&f->tasks); i++)
		f->is_kernel[i] =
			i == 0 || i == 2 ||
			linux_sample_ptr(&f->tasks, i, parent) == linux_sample_at(&f->tasks, 2);
}

/* mm and active_mm: those of processes are the same; kernel threads have no mm. */
static gboolean
are_mms(const LinuxInfer *f, gsize off)
{
	guint with = 0, kernel = 0, without = 0;

	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		guint64 mm = linux_sample_ptr(&f->tasks, i, off);
		guint64 active = linux_sample_ptr(&f->tasks, i, off + f->ptr);

		if (mm && (mm != active || !linux_infer_is_kernel(f, mm)))
			return FALSE;
		if (active && !linux_infer_is_kernel(f, active))
			return FALSE;
		if (f->is_kernel[i])
			kernel++;
		if (f->is_kernel[i] && !mm)
			without++;
		if ((i == 1 && !mm) || ((i == 0 || i == 2) && mm))
			return FALSE;
		/* A kernel thread is in no list of files, of signals to come and such either. */
		if (!f->is_kernel[i] && mm)
			with++;
	}
	return with && without * 10 >= kernel * 9;
}

static gboolean
find_mms(LinuxInfer *f)
{
	guint n = linux_sample_n(&f->tasks);
	LinuxOnly mm = { 0 };

	tell_kernel_tasks(f);
	for (gsize off = 0; off + 2 * f->ptr <= f->pid; off += f->ptr) {
		if (linux_infer_goes_on(f, n) && are_mms(f, off))
			linux_only_add(&mm, off);
	}
	if (!linux_infer_put_only(f, &mm, "task_struct", "mm", f->ptr))
		return FALSE;
	f->mm = mm.at;
	return TRUE;
}

gboolean
linux_infer_tasks(LinuxInfer *f)
{
	return take_tasks(f) && find_pids(f) && find_parents(f) && find_mms(f);
}
