/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * names: what a task is called. task_struct.comm holds 15 characters; for threads of the kernel
 * procfs shows more: a worker's name is put together from its pool and what it worked on last, any
 * other kernel thread's full name hangs off its struct kthread. comm stays what it is for all else.
 */
#include "linux.h"

#define PF_WQ_WORKER 0x00000020
/* The kernel's buffer for it, with the NUL. */
#define MAX_NAME 64

static gboolean
append_comm(const Linux *os, guint64 task, GString *out, GError **error)
{
	char comm[MAX_NAME] = { 0 };

	if (!linux_get_bytes(os, task, LINUX_FIELD_TASK_COMM, comm, sizeof comm - 1, error))
		return FALSE;
	g_string_append(out, comm);
	return TRUE;
}

static gboolean
append_string(const Linux *os, guint64 address, GString *out, GError **error)
{
	g_autofree char *text = vmifs_aspace_read_string(os->aspace, address, MAX_NAME - 1, error);
	if (!text)
		return FALSE;
	g_string_append(out, text);
	return TRUE;
}

/* The name as the pool gives it. Kernels that put it together each time have a function for it;
 * before, a worker was named once and comm is all there is. */
static gboolean
append_worker_id(const Linux *os, guint64 worker, guint64 pool, GString *out, GError **error)
{
	guint64 rescue_wq, at, cpu, id, worker_id, attrs, nice;

	if (!linux_get(os, worker, LINUX_FIELD_WORKER_RESCUE_WQ, &rescue_wq, error))
		return FALSE;
	if (rescue_wq) {
		if (!linux_offset(os, LINUX_FIELD_WORKQUEUE_NAME, &at, error))
			return FALSE;
		g_string_append(out, "kworker/R-");
		return append_string(os, rescue_wq + at, out, error);
	}
	if (!pool) {
		g_string_append(out, "kworker/dying");
		return TRUE;
	}
	if (!linux_get(os, worker, LINUX_FIELD_WORKER_ID, &worker_id, error) ||
	    !linux_get(os, pool, LINUX_FIELD_WORKER_POOL_CPU, &cpu, error) ||
	    !linux_get(os, pool, LINUX_FIELD_WORKER_POOL_ID, &id, error) ||
	    !linux_get(os, pool, LINUX_FIELD_WORKER_POOL_ATTRS, &attrs, error) ||
	    !linux_get(os, attrs, LINUX_FIELD_WORKQUEUE_ATTRS_NICE, &nice, error))
		return FALSE;
	if ((gint32) cpu >= 0)
		g_string_append_printf(out, "kworker/%d:%d%s", (gint32) cpu, (gint32) worker_id,
				       (gint32) nice < 0 ? "H" : "");
	else
		g_string_append_printf(out, "kworker/u%d:%d", (gint32) id, (gint32) worker_id);
	return TRUE;
}

static gboolean
append_kthread(const Linux *os, guint64 task, GString *out, GError **error)
{
	guint64 kthread = 0, full_name = 0;

	/* Only names that did not fit into comm are kept in full. */
	if (linux_get(os, task, LINUX_FIELD_TASK_KTHREAD, &kthread, NULL) && kthread)
		linux_get(os, kthread, LINUX_FIELD_KTHREAD_FULL_NAME, &full_name, NULL);
	if (full_name)
		return append_string(os, full_name, out, error);
	return append_comm(os, task, out, error);
}

static gboolean
append_worker(const Linux *os, guint64 task, GString *out, GError **error)
{
	guint64 kthread, worker, pool, work, address;
	char desc[MAX_NAME] = { 0 };

	if (!linux_get(os, task, LINUX_FIELD_TASK_KTHREAD, &kthread, error) ||
	    !linux_get(os, kthread, LINUX_FIELD_KTHREAD_DATA, &worker, error) ||
	    !linux_get(os, worker, LINUX_FIELD_WORKER_POOL, &pool, error))
		return FALSE;
	gboolean by_pool = linux_symbol(os, "format_worker_id", &address, NULL);
	if (by_pool && os->is_partial) {
		/* It was put together the same way when it began. */
		if (!append_kthread(os, task, out, error))
			return FALSE;
	} else if (by_pool) {
		if (!append_worker_id(os, worker, pool, out, error))
			return FALSE;
	} else if (!append_comm(os, task, out, error)) {
		return FALSE;
	}
	if (!pool)
		return TRUE;
	if (!linux_get_bytes(os, worker, LINUX_FIELD_WORKER_DESC, desc, sizeof desc - 1, error) ||
	    !linux_get(os, worker, LINUX_FIELD_WORKER_CURRENT_WORK, &work, error))
		return FALSE;
	if (desc[0])
		g_string_append_printf(out, "%c%s", work ? '+' : '-', desc);
	return TRUE;
}

gboolean
linux_task_name(const Linux *os, const VmifsTask *task, GString *out, GError **error)
{
	gsize start = out->len;
	guint64 flags;
	gboolean ok;

	if (!linux_get(os, task->object, LINUX_FIELD_TASK_FLAGS, &flags, error))
		return FALSE;
	if (flags & PF_WQ_WORKER)
		ok = append_worker(os, task->object, out, error);
	else if (flags & LINUX_PF_KTHREAD)
		ok = append_kthread(os, task->object, out, error);
	else
		ok = append_comm(os, task->object, out, error);
	if (!ok)
		g_string_truncate(out, start);
	else if (out->len - start > MAX_NAME - 1)
		g_string_truncate(out, start + MAX_NAME - 1);
	return ok;
}

LINUX_VIEW(linux_render_comm)
{
	if (!linux_task_name(os, task, out, error))
		return FALSE;
	g_string_append_c(out, '\n');
	return TRUE;
}
