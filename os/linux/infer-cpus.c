/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-cpus: what processors have done with their time: ten kinds of it in a row; where idle time
 * is counted apart, and what there is in their queues, functions tell (include/linux/kernel_stat.h,
 * kernel/time/tick-sched.c, kernel/sched/core.c, 5.10 to 6.12). Since 7.1 something else stands in
 * front of the times: a counter whose high half no time can reach.
 */
#include "infer-code.h"

#include "times.h"

#define MAX_TIME_BITS 60
#define MAX_LEN 8192 /* of what processors have of their own, one thing */
#define MAX_HANDED 2
#define MAX_BEHIND G_GUINT64_CONSTANT(10000000000) /* ns */

static const char *const kinds[] = { "CPUTIME_USER",      "CPUTIME_NICE",  "CPUTIME_SYSTEM",
				     "CPUTIME_SOFTIRQ",   "CPUTIME_IRQ",   "CPUTIME_IDLE",
				     "CPUTIME_IOWAIT",    "CPUTIME_STEAL", "CPUTIME_GUEST",
				     "CPUTIME_GUEST_NICE" };
enum { USER, NICE, GUEST = 8, GUEST_NICE };

/* The most that one processor can have spent, by the timekeeper, which may be behind. */
static guint64
most_spent(const LinuxInfer *f)
{
	g_autoptr(VmifsTypes) types = linux_inferred_types(f->table, NULL);
	g_autoptr(LinuxLayout) layout = linux_layout_new(types);
	Linux os = *f->os;
	LinuxClock clock;

	os.layout = layout;
	if (!linux_clock(&os, &clock, NULL) || clock.monotonic >> MAX_TIME_BITS)
		return G_GUINT64_CONSTANT(1) << MAX_TIME_BITS;
	return clock.monotonic + clock.monotonic / 8 + MAX_BEHIND;
}

/* A guest's time is a part of a program's, and no processor has spent more than there was. */
static gboolean
are_times(const guint64 *times, guint64 most)
{
	guint64 sum = 0;

	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (times[i] > most)
			return FALSE;
		sum += i < GUEST ? times[i] : 0;
	}
	return sum && sum <= most && times[GUEST] <= times[USER] &&
	       times[GUEST_NICE] <= times[NICE];
}

static void
find_times(LinuxInfer *f, const GArray *cpus)
{
	guint64 stat, own, times[G_N_ELEMENTS(kinds)], most = most_spent(f);

	if (!linux_symbol(f->os, "kernel_cpustat", &stat, NULL))
		return;
	for (guint i = 0; i < cpus->len; i++) {
		gboolean fits =
			linux_percpu(f->os, stat, g_array_index(cpus, guint32, i), &own, NULL);

		for (gsize k = 0; fits && k < G_N_ELEMENTS(kinds); k++)
			fits = vmifs_aspace_read_u64(f->os->aspace, own + k * 8, &times[k], NULL);
		if (!fits || !are_times(times, most)) {
			linux_infer_lacks(f, "kernel_cpustat", "its times do not agree");
			return;
		}
	}
	linux_inferred_put_array(f->table, "kernel_cpustat", "cpustat", 0, 8, G_N_ELEMENTS(kinds));
	for (gsize k = 0; k < G_N_ELEMENTS(kinds); k++)
		linux_inferred_put_value(f->table, kinds[k], (gint64) k);
}

/* What a function reads of a processor's own at that symbol, and (hands) whose address it hands on.
 * FALSE: it is not known. */
static gboolean
add_parts(const LinuxInfer *f, const char *name, guint64 own, guint width, gboolean hands,
	  LinuxPlaces *parts)
{
	g_auto(LinuxFunction) function = { 0 };

	if (!linux_function_look(f->os, name, &function))
		return FALSE;
	for (guint i = 0; i < function.mentions->len; i++) {
		const LinuxMention *m = &g_array_index(function.mentions, LinuxMention, i);

		if (m->kind == LINUX_MENTION_INDEX && m->width == width &&
		    m->address - own < MAX_LEN)
			linux_places_add(parts, m->address - own);
		for (guint k = 0; hands && m->kind == LINUX_MENTION_CALL && k < MAX_HANDED; k++)
			if (m->arguments[k].kind == LINUX_OPERAND_SUM &&
			    m->arguments[k].value - own < MAX_LEN)
				linux_places_add(parts, m->arguments[k].value - own);
	}
	return TRUE;
}

static gboolean
are_idle(const LinuxInfer *f, const GArray *cpus, guint64 at)
{
	guint64 own, idle, iowait;

	for (guint i = 0; i < cpus->len; i++)
		if (!linux_percpu(f->os, at, g_array_index(cpus, guint32, i), &own, NULL) ||
		    !vmifs_aspace_read_u64(f->os->aspace, own, &idle, NULL) ||
		    !vmifs_aspace_read_u64(f->os->aspace, own + 8, &iowait, NULL) ||
		    (idle | iowait) >> MAX_TIME_BITS)
			return FALSE;
	return TRUE;
}

/* idle_sleeptime and iowait_sleeptime: the only two that are next to each other. */
static void
find_idle(LinuxInfer *f, const GArray *cpus)
{
	LinuxPlaces parts = { 0 };
	LinuxOnly idle = { 0 };
	guint64 tick;

	if (!linux_symbol(f->os, "tick_cpu_sched", &tick, NULL) ||
	    !add_parts(f, "get_cpu_idle_time_us", tick, 8, TRUE, &parts) ||
	    !add_parts(f, "get_cpu_iowait_time_us", tick, 8, TRUE, &parts))
		return;
	for (guint i = 0; i + 1 < parts.n; i++)
		if (parts.at[i + 1] == parts.at[i] + 8 && are_idle(f, cpus, tick + parts.at[i]))
			linux_only_add(&idle, parts.at[i]);
	if (!linux_infer_put_only(f, &idle, "tick_sched", "idle_sleeptime", 8))
		return;
	linux_inferred_put(f->table, "tick_sched", "iowait_sleeptime", idle.at + 8, 8);
}

/* Sums over all processors' queues. */
static void
find_queues(LinuxInfer *f)
{
	static const struct {
		const char *function, *member;
		guint width;
	} sums[] = {
		{ "nr_context_switches", "nr_switches", 8 },
		{ "nr_running", "nr_running", 4 },
		{ "nr_iowait_cpu", "nr_iowait", 4 },
	};
	guint64 queues, at;

	if (!linux_symbol(f->os, "runqueues", &queues, NULL))
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(sums); i++) {
		LinuxPlaces parts = { 0 };

		if (add_parts(f, sums[i].function, queues, sums[i].width, FALSE, &parts) &&
		    linux_function_only(f, parts, sums[i].function, &at))
			linux_inferred_put(f->table, "rq", sums[i].member, at, sums[i].width);
	}
}

void
linux_infer_cpus(LinuxInfer *f)
{
	g_autoptr(GArray) cpus = linux_cpus(f->os, "__cpu_possible_mask", NULL);

	if (!cpus)
		return;
	find_times(f, cpus);
	find_idle(f, cpus);
	find_queues(f);
}
