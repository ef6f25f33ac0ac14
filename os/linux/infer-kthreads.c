/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-kthreads: what procfs calls tasks of the kernel: names that do not fit into comm, and what
 * workers work on, which stands in a struct that leads back to their task.
 *
 *   task.worker_private -> kthread { .. data, .. full_name }    data -> worker { .. task, pool, ..
 * desc }
 */
#include "infer.h"

#include <string.h>

#define PF_WQ_WORKER 0x20
#define COMM_CHARS 15
#define KTHREAD_WINDOW 256
#define WORKER_WINDOW 256
#define NAME_WORK 128
#define READ_WORK 16
#define DESC_LEN 24

/* What the word at o of a task leads to, if that is not in the task itself. */
static guint64
kthread_of(const LinuxInfer *f, guint i, gsize o)
{
	guint64 va = linux_sample_ptr(&f->tasks, i, o);

	return linux_infer_is_kernel(f, va) && va - linux_sample_at(&f->tasks, i) >= f->tasks.len
		       ? va
		       : 0;
}

static gboolean
is_kthread(const LinuxInfer *f, guint i)
{
	return f->is_kernel[i] && !linux_sample_ptr(&f->tasks, i, f->mm);
}

/* A name that comm is, or the first 15 characters of. *ret_cut: it does not fit. */
static gboolean
is_full_name(const LinuxInfer *f, guint i, guint64 va, gboolean *ret_cut)
{
	const char *comm = (const char *) linux_sample_bytes(&f->tasks, i, f->comm);
	gsize len = strnlen(comm, COMM_CHARS);

	if (!linux_infer_goes_on(f, NAME_WORK) || va < f->init >> 1)
		return FALSE;
	g_autofree char *name = vmifs_aspace_read_string(f->os->aspace, va, 64, NULL);
	*ret_cut = name && strlen(name) > len;
	return name && !strncmp(name, comm, len) && (!*ret_cut || len == COMM_CHARS);
}

/* struct kthread of the kernel's tasks, at o, has at q the names of those that do not fit, and may
 * have others. */
static gboolean
are_full_names(const LinuxInfer *f, gsize o, gsize q)
{
	guint n = 0;

	for (guint i = 2; i < linux_sample_n(&f->tasks); i++) {
		guint64 kthread = kthread_of(f, i, o), name;
		gboolean cut = FALSE;

		if (!is_kthread(f, i))
			continue;
		if (!kthread || !vmifs_aspace_read_ptr(f->os->aspace, kthread + q, &name, NULL) ||
		    (name && !is_full_name(f, i, name, &cut)))
			return FALSE;
		n += cut;
	}
	return n > 0;
}

static gboolean
is_worker(const LinuxInfer *f, guint i, gsize flags)
{
	return is_kthread(f, i) && linux_sample_u32(&f->tasks, i, flags) & PF_WQ_WORKER;
}

/* Where in what the word at d of each worker's kthread leads to is that worker's task; 0 = nowhere
 * that is the same in all. */
static gsize
task_in_worker(const LinuxInfer *f, gsize o, gsize d, gsize flags)
{
	gsize found = 0;

	for (guint i = 2; i < linux_sample_n(&f->tasks); i++) {
		if (!is_worker(f, i, flags))
			continue;
		guint64 kthread = kthread_of(f, i, o), task = linux_sample_at(&f->tasks, i);
		guint64 worker = kthread ? linux_infer_ptr(f, kthread + d) : 0;
		gsize at = found ? found : 4 * f->ptr;

		/* Where struct kthread has the task itself (since 6.14), an empty list in it leads
		 * to that, too. */
		if (!linux_infer_is_kernel(f, worker) || worker - task < f->tasks.len ||
		    worker - kthread <= d)
			return 0;
		while (!found && at < WORKER_WINDOW && linux_infer_ptr(f, worker + at) != task)
			at += f->ptr;
		if (at >= WORKER_WINDOW || linux_infer_ptr(f, worker + at) != task)
			return 0;
		found = at;
	}
	return found;
}

typedef struct {
	gsize kthread, data, flags; /* in task_struct, in kthread, in task_struct */
} Place;

/* desc: printable in all workers, and of some what the kernel's own queue is called. */
static gboolean
are_descs(const LinuxInfer *f, const Place *p, gsize off)
{
	gboolean known = FALSE;

	for (guint i = 2; i < linux_sample_n(&f->tasks); i++) {
		char desc[DESC_LEN];

		if (!is_worker(f, i, p->flags))
			continue;
		guint64 worker =
			linux_infer_ptr(f, linux_sample_ptr(&f->tasks, i, p->kthread) + p->data);
		if (!vmifs_aspace_read(f->os->aspace, worker + off, desc, sizeof desc, NULL) ||
		    !memchr(desc, 0, sizeof desc))
			return FALSE;
		for (const char *c = desc; *c; c++) {
			if (!g_ascii_isprint(*c))
				return FALSE;
		}
		known |= g_str_has_prefix(desc, "events");
	}
	return known;
}

static void
find_workers(LinuxInfer *f, const Place *p, gsize task)
{
	LinuxOnly desc = { 0 };

	for (gsize off = task + 2 * f->ptr; off < WORKER_WINDOW; off += 4) {
		if (linux_infer_goes_on(f, NAME_WORK * linux_sample_n(&f->tasks)) &&
		    are_descs(f, p, off))
			linux_only_add(&desc, off);
	}
	if (!linux_infer_only(f, &desc, "worker.desc"))
		return;
	linux_inferred_put(f->table, "kthread", "data", p->data, f->ptr);
	linux_inferred_put(f->table, "worker", "current_work", 2 * f->ptr, f->ptr);
	linux_inferred_put(f->table, "worker", "pool", task + f->ptr, f->ptr);
	linux_inferred_put_array(f->table, "worker", "desc", desc.at, 1, DESC_LEN);
}

/* Several places of a task may lead into struct kthread, as vfork_done does; it begins where the
 * one leads that is farthest from what is looked for. Until 5.17 there are no full names. */
static Place
find_names(LinuxInfer *f, gsize flags)
{
	Place named = { .flags = flags };

	for (gsize o = f->pid; o + f->ptr <= f->comm; o += f->ptr) {
		for (gsize q = 0; q < KTHREAD_WINDOW; q += f->ptr) {
			if (linux_infer_goes_on(f, READ_WORK * linux_sample_n(&f->tasks)) &&
			    are_full_names(f, o, q) && q >= named.data) {
				named.kthread = o;
				named.data = q;
			}
		}
	}
	return named;
}

/* Lists of tasks lead to workers, too, in roundabout ways: names say where struct kthread is. */
void
linux_infer_kthreads(LinuxInfer *f)
{
	gsize task = 0;
	guint64 flags;

	if (!linux_inferred_get(f->table, "task_struct", "flags", &flags))
		return;
	Place named = find_names(f, flags), p = { .flags = flags };
	gsize first = named.data ? named.kthread : f->pid;
	gsize end = named.data ? first + f->ptr : f->comm;
	for (gsize o = first; o + f->ptr <= end; o += f->ptr) {
		for (gsize q = 0; q < KTHREAD_WINDOW; q += f->ptr) {
			gsize at = linux_infer_goes_on(f, READ_WORK * linux_sample_n(&f->tasks))
					   ? task_in_worker(f, o, q, flags)
					   : 0;
			if (at && q >= p.data) {
				p.kthread = o;
				p.data = q;
				task = at;
			}
		}
	}
	if (!task) {
		linux_infer_lacks(f, "kthread.data", "no place leads to workers");
		return;
	}
	linux_inferred_put(f->table, "task_struct", "worker_private", p.kthread, f->ptr);
	if (named.data)
		linux_inferred_put(f->table, "kthread", "full_name", named.data, f->ptr);
	find_workers(f, &p, task);
}
