/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load: /proc/stat and /proc/loadavg: what all processors together have done and are doing. The
 * line of interrupts by number is left out of stat: its counters hang off a tree of descriptors.
 */
#include "times.h"

#define NS_PER_S G_GUINT64_CONSTANT(1000000000)
#define N_TIMES 10
#define MAX_SOFTIRQS 32
/* Load averages have eleven bits behind the point. */
#define LOAD_SHIFT 11
#define LOAD_HALF_HUNDREDTH ((1 << LOAD_SHIFT) / 200)

/* Sum of a member of the run queues. */
static gboolean
sum_runqueues(const Linux *os, const GArray *cpus, LinuxField field, guint64 *ret, GError **error)
{
	guint64 rq, own, n, sum = 0;

	if (!linux_symbol(os, "runqueues", &rq, error))
		return FALSE;
	for (guint i = 0; i < cpus->len; i++) {
		if (!linux_percpu(os, rq, g_array_index(cpus, guint32, i), &own, error) ||
		    !linux_get(os, own, field, &n, error))
			return FALSE;
		sum += n;
	}
	*ret = sum;
	return TRUE;
}

LINUX_VIEW(linux_render_loadavg)
{
	const Linux *self = os;
	guint64 averages, running, threads, ns, last, n;
	g_autoptr(GArray) cpus = linux_cpus(self, "__cpu_online_mask", error);

	if (!cpus || !linux_symbol(self, "avenrun", &averages, error) ||
	    !linux_symbol(self, "init_pid_ns", &ns, error) ||
	    !linux_get(self, ns, LINUX_FIELD_PID_NAMESPACE_IDR_NEXT, &last, error) ||
	    !linux_variable(self, "nr_threads", 4, &threads, error) ||
	    !sum_runqueues(self, cpus, LINUX_FIELD_RQ_NR_RUNNING, &running, error))
		return FALSE;
	for (guint i = 0; i < 3; i++) {
		if (!linux_load_word(self, averages + i * linux_word(self), &n, error))
			return FALSE;
		n += LOAD_HALF_HUNDREDTH;
		g_string_append_printf(out, "%" G_GUINT64_FORMAT ".%02u ", n >> LOAD_SHIFT,
				       (guint) ((n & ((1 << LOAD_SHIFT) - 1)) * 100 >> LOAD_SHIFT));
	}
	g_string_append_printf(out, "%u/%d %d\n", (guint) running, (gint32) threads,
			       (gint32) ((guint32) last - 1));
	return TRUE;
}

/* ---- stat ---- */

/* Times of a processor, in the order of the line. */
static gboolean
read_times(const Linux *os, guint32 cpu, guint64 times[N_TIMES], GError **error)
{
	static const LinuxValue kinds[N_TIMES] = {
		LINUX_VALUE_CPUTIME_USER,    LINUX_VALUE_CPUTIME_NICE,
		LINUX_VALUE_CPUTIME_SYSTEM,  LINUX_VALUE_CPUTIME_IDLE,
		LINUX_VALUE_CPUTIME_IOWAIT,  LINUX_VALUE_CPUTIME_IRQ,
		LINUX_VALUE_CPUTIME_SOFTIRQ, LINUX_VALUE_CPUTIME_STEAL,
		LINUX_VALUE_CPUTIME_GUEST,   LINUX_VALUE_CPUTIME_GUEST_NICE,
	};

	for (guint i = 0; i < N_TIMES; i++) {
		if (!linux_cpu_time(os, cpu, kinds[i], &times[i], error))
			return FALSE;
	}
	return linux_idle_time(os, cpu, &times[3], &times[4], error);
}

static void
append_times(GString *out, const guint64 times[N_TIMES])
{
	for (guint i = 0; i < N_TIMES; i++)
		g_string_append_printf(out, " %" G_GUINT64_FORMAT, times[i] / LINUX_NS_PER_TICK);
	g_string_append_c(out, '\n');
}

static gboolean
append_cpus(const Linux *os, const GArray *possible, GString *out, GError **error)
{
	g_autoptr(GArray) online = linux_cpus(os, "__cpu_online_mask", error);
	guint64 times[N_TIMES], all[N_TIMES] = { 0 };

	if (!online)
		return FALSE;
	for (guint i = 0; i < possible->len; i++) {
		if (!read_times(os, g_array_index(possible, guint32, i), times, error))
			return FALSE;
		for (guint k = 0; k < N_TIMES; k++)
			all[k] += times[k];
	}
	g_string_append(out, "cpu ");
	append_times(out, all);
	for (guint i = 0; i < online->len; i++) {
		guint32 cpu = g_array_index(online, guint32, i);
		if (!read_times(os, cpu, times, error))
			return FALSE;
		g_string_append_printf(out, "cpu%u", cpu);
		append_times(out, times);
	}
	return TRUE;
}

static gboolean
append_softirqs(const Linux *os, const GArray *cpus, GString *out, GError **error)
{
	guint64 stat, own, n, all = 0, sums[MAX_SOFTIRQS] = { 0 };
	VmifsMember counts;

	if (!linux_symbol(os, "kstat", &stat, error) ||
	    !linux_member(os, LINUX_FIELD_KERNEL_STAT_SOFTIRQS, &counts, error))
		return FALSE;
	guint n_kinds = (guint) MIN(counts.count, MAX_SOFTIRQS);
	for (guint i = 0; i < cpus->len; i++) {
		if (!linux_percpu(os, stat, g_array_index(cpus, guint32, i), &own, error))
			return FALSE;
		for (guint k = 0; k < n_kinds; k++) {
			if (!linux_load(os, own + counts.offset + k * counts.elem_size,
					counts.elem_size, &n, error))
				return FALSE;
			sums[k] += n;
			all += n;
		}
	}
	g_string_append_printf(out, "softirq %" G_GUINT64_FORMAT, all);
	for (guint k = 0; k < n_kinds; k++)
		g_string_append_printf(out, " %" G_GUINT64_FORMAT, sums[k]);
	g_string_append_c(out, '\n');
	return TRUE;
}

static gboolean
append_runqueues(const Linux *os, const GArray *cpus, const char *name, LinuxField field,
		 GString *out, GError **error)
{
	guint64 n;

	if (!sum_runqueues(os, cpus, field, &n, error))
		return FALSE;
	g_string_append_printf(out, "%s %" G_GUINT64_FORMAT "\n", name,
			       field == LINUX_FIELD_RQ_NR_SWITCHES ? n : (guint32) n);
	return TRUE;
}

static gboolean
append_switches(const Linux *os, const GArray *cpus, GString *out, GError **error)
{
	return append_runqueues(os, cpus, "ctxt", LINUX_FIELD_RQ_NR_SWITCHES, out, error);
}

static gboolean
append_boot(const Linux *os, const GArray *cpus, GString *out, GError **error)
{
	LinuxClock clock;

	if (!linux_clock(os, &clock, error))
		return FALSE;
	g_string_append_printf(out, "btime %" G_GUINT64_FORMAT "\n", clock.boot / NS_PER_S);
	return TRUE;
}

static gboolean
append_forks(const Linux *os, const GArray *cpus, GString *out, GError **error)
{
	guint64 forks;

	if (!linux_word_variable(os, "total_forks", &forks, error))
		return FALSE;
	g_string_append_printf(out, "processes %" G_GUINT64_FORMAT "\n", forks);
	return TRUE;
}

static gboolean
append_running(const Linux *os, const GArray *cpus, GString *out, GError **error)
{
	return append_runqueues(os, cpus, "procs_running", LINUX_FIELD_RQ_NR_RUNNING, out, error);
}

static gboolean
append_blocked(const Linux *os, const GArray *cpus, GString *out, GError **error)
{
	return append_runqueues(os, cpus, "procs_blocked", LINUX_FIELD_RQ_NR_IOWAIT, out, error);
}

LINUX_VIEW(linux_render_kernel_stat)
{
	static gboolean (*const lines[])(const Linux *, const GArray *, GString *, GError **) = {
		append_cpus,    append_switches, append_boot,     append_forks,
		append_running, append_blocked,  append_softirqs,
	};
	const Linux *self = os;
	g_autoptr(GArray) cpus = linux_cpus(self, "__cpu_possible_mask", error);
	g_autoptr(GError) problem = NULL;

	/* Of a kernel whose layouts were inferred each of these may be unknown by itself. */
	for (gsize i = 0; cpus && i < G_N_ELEMENTS(lines); i++) {
		gsize start = out->len;

		if (lines[i](self, cpus, out, &problem))
			continue;
		if (!self->is_partial ||
		    !g_error_matches(problem, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED)) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return FALSE;
		}
		g_clear_error(&problem);
		g_string_truncate(out, start);
	}
	return cpus != NULL;
}
