/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-threads: what the threads of a process share: signal_struct with their list, and the
 * numbers (struct pid) of the process, its group and its session.
 *
 *   task.signal -> { .., thread_head, .., pids[4] }     task.thread_pid -> { .., level, numbers[] }
 */
#include "infer.h"

#include "list.h"

#define SIGNAL_WINDOW 1024
#define HEAD_WINDOW 64
#define PID_WINDOW 256
#define MAX_THREADS (4 * 1024 * 1024)
#define MAX_LEVEL 32
#define N_PIDTYPES 4
#define N_SIGNALS 64
#define NODE_WORK 64
#define OBJECT_WORK 64
#define IGNORED 1
/* Of /proc/sys/kernel/pid_max (kernel/pid.c, 6.14). */
#define LEAST_PID_MAX 300
#define PID_MAX (4 * 1024 * 1024)

/* Offset of thread_node if the word at s of each task leads to where its list of threads begins, at
 * h: that leads back to the task, to the same place in each. 0 = it does not. */
static gsize
thread_node(const LinuxInfer *f, const LinuxSample *signals, gsize s, gsize h)
{
	gsize node = 0;

	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		guint64 task = linux_sample_at(&f->tasks, i);
		guint64 signal = linux_sample_ptr(&f->tasks, i, s);
		guint at;

		if (!linux_sample_has(signals, signal, &at))
			return 0;
		guint64 first = linux_sample_ptr(signals, at, h);
		if (first - task >= f->tasks.len - 2 * f->ptr || (node && first - task != node))
			return 0;
		node = first - task;
		if (linux_sample_ptr(&f->tasks, i, node + f->ptr) != signal + h)
			return 0;
	}
	return node;
}

/* signal_struct of each task, if the words at s are pointers to something. Different processes have
 * different ones. */
static gboolean
take_signals(const LinuxInfer *f, gsize s, LinuxSample *ret)
{
	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		guint64 signal = linux_sample_ptr(&f->tasks, i, s);

		/* An empty list in the task itself leads back to it, too. */
		if (!linux_infer_is_kernel(f, signal) ||
		    signal - linux_sample_at(&f->tasks, i) < f->tasks.len ||
		    linux_sample_has(ret, signal, NULL) ||
		    !linux_sample_add(ret, f->os->aspace, signal))
			return FALSE;
	}
	return TRUE;
}

/* sighand, behind signal: what is done with each signal. Tasks of the kernel ignore all. */
static gboolean
ignores_all(const LinuxInfer *f, guint64 sighand, gsize action, gsize stride)
{
	for (guint k = 0; k < N_SIGNALS; k++) {
		if (linux_infer_ptr(f, sighand + action + k * stride) != IGNORED)
			return FALSE;
	}
	return TRUE;
}

static void
find_sighand(LinuxInfer *f, gsize at)
{
	gsize found = 0;
	LinuxOnly action = { 0 };

	for (gsize off = 0; off < HEAD_WINDOW; off += f->ptr) {
		for (gsize stride = 3 * f->ptr; stride <= 4 * f->ptr + 8; stride += 4) {
			guint i = 2;

			while (i < linux_sample_n(&f->tasks) &&
			       (!f->is_kernel[i] || linux_sample_ptr(&f->tasks, i, f->mm) ||
				ignores_all(f, linux_sample_ptr(&f->tasks, i, at), off, stride)))
				i++;
			if (i < linux_sample_n(&f->tasks))
				continue;
			linux_only_add(&action, off);
			found = stride;
		}
	}
	if (!linux_infer_only(f, &action, "task_struct.sighand"))
		return;
	linux_inferred_put(f->table, "task_struct", "sighand", at, f->ptr);
	linux_inferred_put_array(f->table, "sighand_struct", "action", action.at, found, N_SIGNALS);
	linux_inferred_put(f->table, "k_sigaction", "sa.sa_handler", 0, f->ptr);
}

/* That sample, in place of another. Read anew, a guest that runs might give less of it. */
static void
keep(LinuxSample *ret, LinuxSample *found)
{
	linux_sample_clear(ret);
	*ret = *found;
	*found = (LinuxSample){ 0 };
}

static gboolean
find_signals(LinuxInfer *f, LinuxSample *ret, gsize *ret_head, gsize *ret_node)
{
	LinuxOnly signal = { 0 };
	gsize head = 0, node = 0;

	for (gsize s = f->comm; s + f->ptr <= f->tasks.len; s += f->ptr) {
		LinuxSample signals;

		linux_sample_init(&signals, f->ptr, SIGNAL_WINDOW);
		gboolean fits = linux_infer_goes_on(f, OBJECT_WORK * linux_sample_n(&f->tasks)) &&
				take_signals(f, s, &signals);
		for (gsize h = 0; fits && h < HEAD_WINDOW; h += f->ptr) {
			gsize n = thread_node(f, &signals, s, h);
			if (!n)
				continue;
			linux_only_add(&signal, s);
			head = h;
			node = n;
			keep(ret, &signals);
			break;
		}
		linux_sample_clear(&signals);
	}
	if (!linux_infer_put_only(f, &signal, "task_struct", "signal", f->ptr))
		return FALSE;
	*ret_head = head;
	*ret_node = node;
	linux_inferred_put(f->table, "task_struct", "thread_node", node, 2 * f->ptr);
	linux_inferred_put(f->table, "signal_struct", "thread_head", head, 2 * f->ptr);
	find_sighand(f, signal.at + f->ptr);
	return TRUE;
}

typedef struct {
	LinuxInfer *f;
	gsize node;
	guint32 tgid;
	guint n, strangers;
} Threads;

static gboolean
visit(guint64 node, gpointer user)
{
	Threads *t = user;
	guint64 task = node - t->node;

	t->n++;
	if (!linux_infer_goes_on(t->f, NODE_WORK))
		return FALSE;
	if (linux_infer_u32(t->f, task + t->f->pid + 4) != t->tgid)
		t->strangers++;
	else if (t->tgid)
		g_array_append_val(t->f->threads, task);
	return TRUE;
}

/* All threads; and nr_threads, the third number, must be how many there are in each list. */
static void
take_threads(LinuxInfer *f, const LinuxSample *signals, gsize head, gsize node)
{
	gboolean counts = TRUE, strange = FALSE;

	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		Threads t = { f, node, linux_sample_u32(&f->tasks, i, f->pid), 0, 0 };

		linux_list_each(f->os->aspace, linux_sample_at(signals, i) + head, MAX_THREADS,
				visit, &t, f->call, NULL);
		strange |= t.strangers != 0;
		counts &= linux_sample_u32(signals, i, 8) == t.n;
		if (f->threads->len >= 16 * LINUX_SAMPLE_MOST)
			break;
	}
	g_string_append_printf(f->checked, " of %u threads", f->threads->len);
	if (counts && !strange)
		linux_inferred_put(f->table, "signal_struct", "nr_threads", 8, 4);
	else
		linux_infer_lacks(f, "signal_struct.nr_threads", "no count of threads is right");
}

/* ---- numbers ---- */

/* numbers[0]: the task's number, and the first namespace. */
static gboolean
are_numbers(const LinuxInfer *f, const LinuxSample *pids, gsize off, guint64 ns)
{
	for (guint i = 1; i < linux_sample_n(&f->tasks); i++) {
		if (linux_sample_u32(pids, i - 1, off) != linux_sample_u32(&f->tasks, i, f->pid) ||
		    linux_sample_ptr(pids, i - 1, off + f->ptr) != ns)
			return FALSE;
	}
	return TRUE;
}

static gboolean
take_pids(const LinuxInfer *f, gsize off, LinuxSample *ret)
{
	for (guint i = 1; i < linux_sample_n(&f->tasks); i++) {
		guint64 pid = linux_sample_ptr(&f->tasks, i, off);

		if (!linux_infer_is_kernel(f, pid) || linux_sample_has(ret, pid, NULL) ||
		    !linux_sample_add(ret, f->os->aspace, pid))
			return FALSE;
	}
	return TRUE;
}

/* level says how many numbers there are: each of another namespace, the first of all's first. */
static gboolean
are_levels(const LinuxInfer *f, const LinuxSample *pids, gsize numbers)
{
	for (guint i = 0; i < linux_sample_n(pids); i++) {
		guint32 level = linux_sample_u32(pids, i, 4);

		if (level > MAX_LEVEL)
			return FALSE;
		for (guint k = 1; k <= level; k++) {
			gsize at = numbers + k * 2 * f->ptr;
			guint64 ns = linux_infer_ptr(f, linux_sample_at(pids, i) + at + f->ptr);
			if (!linux_infer_is_kernel(f, ns))
				return FALSE;
		}
	}
	return TRUE;
}

static gboolean
find_pids(LinuxInfer *f, guint64 ns, LinuxSample *ret)
{
	LinuxOnly thread_pid = { 0 };
	gsize numbers = 0;

	for (gsize off = f->pid; off + f->ptr <= f->comm; off += f->ptr) {
		LinuxSample pids;

		linux_sample_init(&pids, f->ptr, PID_WINDOW);
		gboolean fits = linux_infer_goes_on(f, OBJECT_WORK * linux_sample_n(&f->tasks)) &&
				take_pids(f, off, &pids);
		guint before = thread_pid.n;
		for (gsize n = 0; fits && n + 2 * f->ptr <= PID_WINDOW; n += f->ptr) {
			if (!are_numbers(f, &pids, n, ns) || !are_levels(f, &pids, n))
				continue;
			linux_only_add(&thread_pid, off);
			numbers = n;
		}
		if (thread_pid.n > before)
			keep(ret, &pids);
		linux_sample_clear(&pids);
	}
	if (!linux_infer_put_only(f, &thread_pid, "task_struct", "thread_pid", f->ptr))
		return FALSE;
	linux_inferred_put(f->table, "pid", "level", 4, 4);
	linux_inferred_put_array(f->table, "pid", "numbers", numbers, 2 * f->ptr, 0);
	linux_inferred_put(f->table, "upid", "nr", 0, 4);
	linux_inferred_put(f->table, "upid", "ns", f->ptr, f->ptr);
	return TRUE;
}

/* pids[]: of the process, its group and its session. The first is not of a process. Numbers of
 * groups and sessions are pids of the sample, or of processes that have ended. */
static void
find_signal_pids(LinuxInfer *f, const LinuxSample *signals, const LinuxSample *pids)
{
	static const char *const names[N_PIDTYPES] = { "PIDTYPE_PID", "PIDTYPE_TGID",
						       "PIDTYPE_PGID", "PIDTYPE_SID" };
	LinuxOnly at = { 0 };
	guint64 numbers = 0;

	linux_inferred_get(f->table, "pid", "numbers", &numbers);
	for (gsize off = 0; off + N_PIDTYPES * f->ptr <= SIGNAL_WINDOW; off += f->ptr) {
		gboolean fits = linux_infer_goes_on(f, linux_sample_n(&f->tasks));

		for (guint i = 1; fits && i < linux_sample_n(&f->tasks); i++) {
			guint64 group = linux_sample_ptr(signals, i, off + 2 * f->ptr);
			guint64 session = linux_sample_ptr(signals, i, off + 3 * f->ptr);

			fits = linux_sample_ptr(signals, i, off + f->ptr) ==
				       linux_sample_at(pids, i - 1) &&
			       !linux_sample_ptr(signals, i, off) &&
			       linux_infer_is_kernel(f, group) && linux_infer_is_kernel(f, session);
		}
		if (fits)
			linux_only_add(&at, off);
	}
	if (!linux_infer_only(f, &at, "signal_struct.pids"))
		return;
	linux_inferred_put_array(f->table, "signal_struct", "pids", at.at, f->ptr, N_PIDTYPES);
	for (guint i = 0; i < N_PIDTYPES; i++)
		linux_inferred_put_value(f->table, names[i], i);
}

/* The number of namespaces around the one of all, and, as there are none, no pointer to one;
 * between them, since 6.14, the most numbers that it may have. */
static gboolean
is_level(const LinuxInfer *f, guint64 at)
{
	guint32 most = linux_infer_u32(f, at + 4);
	gboolean has_most = most > LEAST_PID_MAX && most <= PID_MAX;

	if (linux_infer_u32(f, at) || (most && !has_most))
		return FALSE;
	return !linux_infer_ptr(f, at + (has_most ? 8 : f->ptr));
}

/* Of the namespace of all: the task that is pid 1 in it, a pointer, and that number. */
static void
find_namespace(LinuxInfer *f, guint64 ns)
{
	LinuxOnly reaper = { 0 };

	for (gsize off = 0; off < 256; off += f->ptr) {
		if (linux_infer_ptr(f, ns + off) == linux_sample_at(&f->tasks, 1) &&
		    linux_infer_is_kernel(f, linux_infer_ptr(f, ns + off + f->ptr)) &&
		    is_level(f, ns + off + 2 * f->ptr))
			linux_only_add(&reaper, off);
	}
	if (!linux_infer_put_only(f, &reaper, "pid_namespace", "child_reaper", f->ptr))
		return;
	linux_inferred_put(f->table, "pid_namespace", "level", reaper.at + 2 * f->ptr, 4);
}

void
linux_infer_threads(LinuxInfer *f)
{
	LinuxSample signals = { 0 }, pids = { 0 };
	gsize head, node;
	guint64 ns;

	f->threads = g_array_new(FALSE, FALSE, sizeof(guint64));
	if (find_signals(f, &signals, &head, &node)) {
		take_threads(f, &signals, head, node);
		if (linux_symbol(f->os, "init_pid_ns", &ns, NULL)) {
			find_namespace(f, ns);
			if (find_pids(f, ns, &pids))
				find_signal_pids(f, &signals, &pids);
		}
	}
	linux_sample_clear(&signals);
	linux_sample_clear(&pids);
}
