/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * oom: how likely a process is to be killed when memory runs out: what its user has asked for
 * (oom_score_adj, and the same on the scale of old as oom_adj), and what the kernel makes of it and
 * of its size (oom_score).
 */
#include "counters.h"

#define PF_KTHREAD 0x00200000
#define MMF_OOM_SKIP 21
#define ADJ_MIN (-1000)
#define ADJ_MAX 1000
#define OLD_DISABLE (-17)
#define OLD_MAX 15

static gint64
adjustment(LinuxCursor *c, const VmifsTask *task)
{
	guint64 signal = linux_take(c, task->object, LINUX_FIELD_TASK_SIGNAL);
	return (gint16) linux_take(c, signal, LINUX_FIELD_SIGNAL_OOM_SCORE_ADJ);
}

static gboolean
append_number(LinuxCursor *c, GString *out, gint64 number, GError **error)
{
	if (!linux_cursor_end(c, error))
		return FALSE;
	g_string_append_printf(out, "%" G_GINT64_FORMAT "\n", number);
	return TRUE;
}

LINUX_VIEW(linux_render_oom_score_adj)
{
	LinuxCursor c = { .os = os };
	return append_number(&c, out, adjustment(&c, task), error);
}

LINUX_VIEW(linux_render_oom_adj)
{
	LinuxCursor c = { .os = os };
	gint64 adj = adjustment(&c, task);

	adj = adj == ADJ_MAX ? OLD_MAX : MIN(adj * -OLD_DISABLE / -ADJ_MIN, OLD_MAX);
	return append_number(&c, out, adj, error);
}

/* Memory of the process: of its first thread that still has any. */
static guint64
find_mm(LinuxCursor *c, const VmifsTask *task, const VmifsCall *call)
{
	g_autoptr(GArray) threads = g_array_new(FALSE, FALSE, sizeof(guint64));
	guint64 mm = task->mm;

	if (mm || c->error || !linux_task_threads(c->os, task, threads, call, &c->error))
		return mm;
	for (guint i = 0; i < threads->len && !mm; i++)
		mm = linux_take(c, g_array_index(threads, guint64, i), LINUX_FIELD_TASK_MM);
	return mm;
}

/* A child that runs in its parent's memory until it has a program of its own. */
static gboolean
is_in_vfork(LinuxCursor *c, guint64 task, guint64 mm)
{
	guint64 parent = linux_take(c, task, LINUX_FIELD_TASK_REAL_PARENT);

	return linux_take(c, task, LINUX_FIELD_TASK_VFORK_DONE) &&
	       linux_take(c, parent, LINUX_FIELD_TASK_MM) == mm;
}

/* Pages that killing it would free, FALSE when it is never killed. */
static gboolean
count_pages(LinuxCursor *c, const VmifsTask *task, gint64 *ret, const VmifsCall *call)
{
	LinuxRss rss = { 0 };

	if (task->tgid == 1 || linux_take(c, task->object, LINUX_FIELD_TASK_FLAGS) & PF_KTHREAD)
		return FALSE;
	guint64 mm = find_mm(c, task, call);
	if (!mm || adjustment(c, task) == ADJ_MIN ||
	    linux_take(c, mm, LINUX_FIELD_MM_FLAGS) >> MMF_OOM_SKIP & 1 ||
	    is_in_vfork(c, task->object, mm))
		return FALSE;
	if (!c->error)
		linux_rss(c->os, mm, FALSE, &rss, call, &c->error);
	*ret = (gint64) (rss.file + rss.anon + rss.shmem + rss.swap +
			 linux_take(c, mm, LINUX_FIELD_MM_PGTABLES_BYTES) / linux_page_size(c->os));
	return TRUE;
}

LINUX_VIEW(linux_render_oom_score)
{
	LinuxCursor c = { .os = os };
	guint64 ram, swap = 0, score = 0;
	gint64 points;

	/* Without swap compiled in there is no such number. */
	linux_word_variable(os, "total_swap_pages", &swap, NULL);
	if (!linux_word_variable(os, "_totalram_pages", &ram, error))
		return FALSE;
	gint64 total = (gint64) ((ram + swap) & G_MAXINT32);
	if (total && count_pages(&c, task, &points, call)) {
		/* No more than what fits: both are a guest's word. */
		points = (points & G_MAXINT32) + adjustment(&c, task) * (total / 1000);
		score = (guint64) (1000 + points * 1000 / total) * 2 / 3;
	}
	return append_number(&c, out, (gint64) score, error);
}
