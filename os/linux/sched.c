/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sched: /proc/<pid>/sched: what the scheduler keeps of a task, a line for each number that this
 * kernel keeps. Of what procfs shows, two things are not here: clock-delta is not of the task but
 * of that moment, and the effective uclamp values are worked out from what all groups ask for.
 */
#include "linux.h"

#define NS_PER_MS 1000000
#define UTIL_EST_MASK 0x7fffffff /* the upper bit says whether it was updated */
#define SCHED_NORMAL 0
#define SCHED_BATCH 3
#define SCHED_DEADLINE 6
#define MAX_NODES 1024
#define RULE "-------------------------------------------------------------------"

typedef enum {
	NUMBER,
	SIGNED, /* of 32 bits */
	TIME,   /* ns, shown as ms */
	UTIL,   /* without its mark */
} Form;

typedef struct {
	const char *name;
	LinuxField field;
	Form form;
} Line;

/* In the order of procfs. A kernel that lacks the field has no such line. */
static const Line runtime[] = {
	{ "se.exec_start", LINUX_FIELD_TASK_EXEC_START, TIME },
	{ "se.vruntime", LINUX_FIELD_TASK_VRUNTIME, TIME },
	{ "se.sum_exec_runtime", LINUX_FIELD_TASK_SUM_EXEC_RUNTIME, TIME },
	{ "se.nr_migrations", LINUX_FIELD_TASK_NR_MIGRATIONS, NUMBER },
};

static const Line load[] = {
	{ "nr_voluntary_switches", LINUX_FIELD_TASK_NVCSW, NUMBER },
	{ "nr_involuntary_switches", LINUX_FIELD_TASK_NIVCSW, NUMBER },
	{ "se.load.weight", LINUX_FIELD_TASK_LOAD_WEIGHT, NUMBER },
	{ "se.avg.load_sum", LINUX_FIELD_TASK_LOAD_SUM, NUMBER },
	{ "se.avg.runnable_sum", LINUX_FIELD_TASK_RUNNABLE_SUM, NUMBER },
	{ "se.avg.util_sum", LINUX_FIELD_TASK_UTIL_SUM, NUMBER },
	{ "se.avg.load_avg", LINUX_FIELD_TASK_LOAD_AVG, NUMBER },
	{ "se.avg.runnable_avg", LINUX_FIELD_TASK_RUNNABLE_AVG, NUMBER },
	{ "se.avg.util_avg", LINUX_FIELD_TASK_UTIL_AVG, NUMBER },
	{ "se.avg.last_update_time", LINUX_FIELD_TASK_LAST_UPDATE_TIME, NUMBER },
	{ "se.avg.util_est.ewma", LINUX_FIELD_TASK_UTIL_EST_EWMA, NUMBER },
	{ "se.avg.util_est.enqueued", LINUX_FIELD_TASK_UTIL_EST_ENQUEUED, UTIL },
};

static const Line policy[] = {
	{ "policy", LINUX_FIELD_TASK_POLICY, NUMBER },
	{ "prio", LINUX_FIELD_TASK_PRIO, SIGNED },
};

static const Line deadline[] = {
	{ "dl.runtime", LINUX_FIELD_TASK_DL_RUNTIME, NUMBER },
	{ "dl.deadline", LINUX_FIELD_TASK_DL_DEADLINE, NUMBER },
};

static const Line numa[] = {
	{ "numa_pages_migrated", LINUX_FIELD_TASK_NUMA_PAGES_MIGRATED, NUMBER },
	{ "numa_preferred_nid", LINUX_FIELD_TASK_NUMA_PREFERRED_NID, SIGNED },
	{ "total_numa_faults", LINUX_FIELD_TASK_TOTAL_NUMA_FAULTS, NUMBER },
};

typedef struct {
	LinuxCursor c;
	const VmifsTask *task;
	GString *out;
} Sched;

static guint64
own(Sched *s, LinuxField field)
{
	return linux_take(&s->c, s->task->object, field);
}

static void
append(Sched *s, const char *name, Form form, guint64 value)
{
	guint64 size = (gint64) value < 0 ? -value : value;

	if (form == TIME) {
		gint64 ms = (gint64) (size / NS_PER_MS);
		g_string_append_printf(s->out, "%-45s:%14" G_GINT64_FORMAT ".%06u\n", name,
				       (gint64) value < 0 ? -ms : ms, (guint) (size % NS_PER_MS));
		return;
	}
	if (form == SIGNED)
		value = (guint64) (gint64) (gint32) value;
	if (form == UTIL)
		value &= UTIL_EST_MASK;
	g_string_append_printf(s->out, "%-45s:%21" G_GINT64_FORMAT "\n", name, (gint64) value);
}

static void
append_lines(Sched *s, const Line *lines, gsize n)
{
	for (gsize i = 0; i < n; i++) {
		if (linux_has(s->c.os, lines[i].field))
			append(s, lines[i].name, lines[i].form, own(s, lines[i].field));
	}
}
#define APPEND(s, lines) append_lines(s, lines, G_N_ELEMENTS(lines))

/* Since 6.8 it is a number by itself. */
static void
append_util_est(Sched *s)
{
	if (linux_has(s->c.os, LINUX_FIELD_TASK_UTIL_EST) &&
	    !linux_has(s->c.os, LINUX_FIELD_TASK_UTIL_EST_EWMA))
		append(s, "se.avg.util_est", UTIL, own(s, LINUX_FIELD_TASK_UTIL_EST));
}

static void
append_uclamp(Sched *s)
{
	static const char *const names[] = { "uclamp.min", "uclamp.max" };

	if (!linux_has(s->c.os, LINUX_FIELD_TASK_UCLAMP_REQ))
		return;
	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		guint64 at = linux_layout_element(s->c.os->layout, LINUX_FIELD_TASK_UCLAMP_REQ,
						  s->task->object, i);
		append(s, names[i], NUMBER, linux_take(&s->c, at, LINUX_FIELD_UCLAMP_VALUE));
	}
}

static void
append_policy(Sched *s)
{
	const Linux *os = s->c.os;
	guint64 number = own(s, LINUX_FIELD_TASK_POLICY);

	APPEND(s, policy);
	/* A slice is shown since a task may choose its own: 6.12. */
	if (number == SCHED_DEADLINE)
		APPEND(s, deadline);
	else if ((number == SCHED_NORMAL || number == SCHED_BATCH) &&
		 linux_has(os, LINUX_FIELD_TASK_CUSTOM_SLICE))
		append(s, "se.slice", NUMBER, own(s, LINUX_FIELD_TASK_SLICE));
	if (linux_has(os, LINUX_FIELD_TASK_SCX) && linux_has(os, LINUX_FIELD_TASK_SCHED_CLASS))
		append(s, "ext.enabled", NUMBER,
		       linux_is_symbol(os, own(s, LINUX_FIELD_TASK_SCHED_CLASS),
				       "ext_sched_class"));
}

/* ---- memory of several nodes ---- */

/* Faults of two kinds on a node: of shared memory, of its own. */
static void
take_faults(Sched *s, guint64 faults, guint32 node, guint64 ret[2])
{
	for (guint i = 0; i < 2; i++) {
		ret[i] = 0;
		if (faults && !s->c.error)
			linux_load_word(s->c.os, faults + (node * 2ULL + i) * linux_word(s->c.os),
					&ret[i], &s->c.error);
	}
}

static void
append_nodes(Sched *s, guint64 group)
{
	const Linux *os = s->c.os;
	guint64 faults = own(s, LINUX_FIELD_TASK_NUMA_FAULTS), states, online, at, of_task[2],
		of_group[2], of_all = 0;
	VmifsMember mask; /* a task has one of those that node_states is made of */
	guint8 bits[MAX_NODES / 8] = { 0 };

	if (group && linux_has(os, LINUX_FIELD_NUMA_GROUP_FAULTS) &&
	    linux_offset(os, LINUX_FIELD_NUMA_GROUP_FAULTS, &at, &s->c.error))
		of_all = group + at;
	if (s->c.error || !linux_symbol(os, "node_states", &states, &s->c.error) ||
	    !linux_member(os, LINUX_FIELD_TASK_MEMS_ALLOWED, &mask, &s->c.error) ||
	    !linux_value(os, LINUX_VALUE_N_ONLINE, &online, &s->c.error))
		return;
	gsize len = MIN(mask.size, sizeof bits);
	if (!vmifs_aspace_read(os->aspace, states + online * mask.size, bits, len, &s->c.error))
		return;
	for (guint32 node = 0; node < len * 8; node++) {
		if (!(bits[node / 8] >> node % 8 & 1))
			continue;
		take_faults(s, faults, node, of_task);
		take_faults(s, of_all, node, of_group);
		g_string_append_printf(s->out,
				       "numa_faults node=%u task_private=%" G_GUINT64_FORMAT
				       " task_shared=%" G_GUINT64_FORMAT
				       " group_private=%" G_GUINT64_FORMAT
				       " group_shared=%" G_GUINT64_FORMAT "\n",
				       node, of_task[1], of_task[0], of_group[1], of_group[0]);
	}
}

static void
append_numa(Sched *s)
{
	const Linux *os = s->c.os;
	guint64 at, node = 0, group, gid;

	if (!linux_has(os, LINUX_FIELD_MM_NUMA_SCAN_SEQ))
		return;
	if (s->task->mm)
		append(s, "mm->numa_scan_seq", SIGNED,
		       linux_take(&s->c, s->task->mm, LINUX_FIELD_MM_NUMA_SCAN_SEQ));
	APPEND(s, numa);
	guint64 cpu = own(s, LINUX_FIELD_TASK_CPU);
	if (!s->c.error && linux_symbol(os, "numa_node", &at, &s->c.error) &&
	    linux_percpu(os, at, (guint32) cpu, &at, &s->c.error))
		linux_load(os, at, 4, &node, &s->c.error);
	group = own(s, LINUX_FIELD_TASK_NUMA_GROUP);
	gid = group ? linux_take(&s->c, group, LINUX_FIELD_NUMA_GROUP_GID) : 0;
	g_string_append_printf(s->out, "current_node=%d, numa_group_id=%d\n", (gint32) node,
			       (gint32) gid);
	append_nodes(s, group);
}

LINUX_VIEW(linux_render_sched)
{
	g_autoptr(GString) text = g_string_new(NULL);
	Sched s = { .c = { .os = os }, .task = task, .out = text };
	guint64 statistics = 0;

	linux_variable(os, "sched_schedstats", 4, &statistics, NULL);
	if (statistics) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "sched with its statistics switched on");
		return FALSE;
	}
	guint64 signal = own(&s, LINUX_FIELD_TASK_SIGNAL);
	/* Unescaped: here the kernel prints the name as it is. */
	g_string_append_printf(text, "%s (%u, #threads: %d)\n" RULE "\n", task->comm, task->pid,
			       (gint32) linux_take(&s.c, signal, LINUX_FIELD_SIGNAL_NR_THREADS));
	APPEND(&s, runtime);
	append(&s, "nr_switches", NUMBER,
	       own(&s, LINUX_FIELD_TASK_NVCSW) + own(&s, LINUX_FIELD_TASK_NIVCSW));
	APPEND(&s, load);
	append_util_est(&s);
	append_uclamp(&s);
	append_policy(&s);
	append_numa(&s);
	if (!linux_cursor_end(&s.c, error))
		return FALSE;
	g_string_append_len(out, text->str, (gssize) text->len);
	return TRUE;
}
