/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-sched: how urgent a task is, four numbers in a row, and the policy that goes with them.
 *
 *   prio static_prio normal_prio rt_priority .. policy     (include/linux/sched.h, 5.10 to 6.12)
 */
#include "infer.h"

#define MAX_RT_PRIO 100 /* below that: real time */
#define MAX_PRIO 140
#define DEFAULT_PRIO 120
#define DEADLINE_PRIO (-1)
#define MAX_POLICY 7
#define SCHED_FIFO 1
#define SCHED_RR 2
#define SCHED_UNUSED 4

/* What prio of somebody is without what was lent to him by whom he holds up. */
static gboolean
is_normal(gint32 normal, gint32 fixed, guint32 rt)
{
	if (rt)
		return normal == MAX_RT_PRIO - 1 - (gint32) rt;
	return normal == fixed || normal == DEADLINE_PRIO;
}

static gboolean
are_prios(const LinuxInfer *f, gsize off)
{
	guint others = 0;

	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		gint32 prio = (gint32) linux_sample_u32(&f->tasks, i, off);
		gint32 fixed = (gint32) linux_sample_u32(&f->tasks, i, off + 4);
		gint32 normal = (gint32) linux_sample_u32(&f->tasks, i, off + 8);
		guint32 rt = linux_sample_u32(&f->tasks, i, off + 12);

		if (fixed < MAX_RT_PRIO || fixed >= MAX_PRIO || rt >= MAX_RT_PRIO ||
		    !is_normal(normal, fixed, rt) || prio > normal || prio < DEADLINE_PRIO)
			return FALSE;
		others += fixed != DEFAULT_PRIO;
	}
	/* Some workers are more urgent than others in each kernel. */
	return others != 0;
}

static gboolean
are_policies(const LinuxInfer *f, gsize off, gsize rt_at)
{
	guint n_rt = 0;

	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		guint32 policy = linux_sample_u32(&f->tasks, i, off);
		gboolean is_rt = linux_sample_u32(&f->tasks, i, rt_at) != 0;

		if (policy > MAX_POLICY || policy == SCHED_UNUSED ||
		    (policy == SCHED_FIFO || policy == SCHED_RR) != is_rt)
			return FALSE;
		n_rt += is_rt;
	}
	return n_rt != 0;
}

static void
find_policy(LinuxInfer *f, gsize rt_at)
{
	LinuxOnly policy = { 0 };

	for (gsize off = rt_at + 4; off + 4 <= f->mm; off += 4) {
		if (linux_infer_goes_on(f, linux_sample_n(&f->tasks)) &&
		    are_policies(f, off, rt_at))
			linux_only_add(&policy, off);
	}
	linux_infer_put_only(f, &policy, "task_struct", "policy", 4);
}

void
linux_infer_sched(LinuxInfer *f)
{
	LinuxOnly prio = { 0 };

	for (gsize off = 0; off + 16 <= f->mm; off += 4) {
		if (linux_infer_goes_on(f, linux_sample_n(&f->tasks)) && are_prios(f, off))
			linux_only_add(&prio, off);
	}
	if (!linux_infer_put_only(f, &prio, "task_struct", "prio", 4))
		return;
	linux_inferred_put(f->table, "task_struct", "static_prio", prio.at + 4, 4);
	linux_inferred_put(f->table, "task_struct", "rt_priority", prio.at + 12, 4);
	find_policy(f, prio.at + 12);
}
