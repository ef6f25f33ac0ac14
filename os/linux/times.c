/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * times: see the header. The timekeeper lies behind the counter that guards it; that pair has had a
 * name of its own only since 6.13.
 */
#include "times.h"

#define NS_PER_S G_GUINT64_CONSTANT(1000000000)
#define NS_PER_HUNDREDTH 10000000ULL

static gboolean
find_timekeeper(const Linux *os, guint64 *ret, GError **error)
{
	guint64 address, at, guard;

	if (linux_symbol(os, "tk_core.timekeeper", ret, NULL))
		return TRUE;
	if (!linux_symbol(os, "tk_core", &address, NULL) &&
	    !linux_symbol(os, "timekeeper_data", &address, error))
		return FALSE;
	if (!linux_offset(os, LINUX_FIELD_TK_DATA_TIMEKEEPER, &at, NULL)) {
		if (!linux_sizeof(os, LINUX_STRUCT_SEQCOUNT_RAW, &guard, error))
			return FALSE;
		at = (guard + 7) & ~7ULL;
	}
	*ret = address + at;
	return TRUE;
}

gboolean
linux_clock(const Linux *os, LinuxClock *ret, GError **error)
{
	LinuxCursor c = { .os = os };
	guint64 tk;

	if (!find_timekeeper(os, &tk, error))
		return FALSE;
	guint64 s = linux_take(&c, tk, LINUX_FIELD_TIMEKEEPER_XTIME_SEC) +
		    linux_take(&c, tk, LINUX_FIELD_TIMEKEEPER_WALL_TO_MONO_SEC);
	guint64 shift = linux_take(&c, tk, LINUX_FIELD_TIMEKEEPER_MONO_SHIFT);
	guint64 ns = (linux_take(&c, tk, LINUX_FIELD_TIMEKEEPER_MONO_XTIME_NSEC) >> (shift & 63)) +
		     linux_take(&c, tk, LINUX_FIELD_TIMEKEEPER_WALL_TO_MONO_NSEC);
	guint64 offs_boot = linux_take(&c, tk, LINUX_FIELD_TIMEKEEPER_OFFS_BOOT);
	guint64 offs_real = linux_take(&c, tk, LINUX_FIELD_TIMEKEEPER_OFFS_REAL);
	if (!linux_cursor_end(&c, error))
		return FALSE;
	ret->monotonic = s * NS_PER_S + ns;
	ret->since_boot = ret->monotonic + offs_boot;
	ret->boot = offs_real - offs_boot;
	return TRUE;
}

gboolean
linux_cpu_time(const Linux *os, guint32 cpu, LinuxValue kind, guint64 *ret, GError **error)
{
	guint64 stat, index;

	if (!linux_symbol(os, "kernel_cpustat", &stat, error) ||
	    !linux_percpu(os, stat, cpu, &stat, error) || !linux_value(os, kind, &index, error))
		return FALSE;
	guint64 at = linux_layout_element(os->layout, LINUX_FIELD_CPUSTAT_TIMES, stat, index);
	return linux_load(os, at, 8, ret, error);
}

gboolean
linux_idle_time(const Linux *os, guint32 cpu, guint64 *ret_idle, guint64 *ret_iowait,
		GError **error)
{
	guint64 tick, active = 0;

	/* Where the tick stops in idleness, idle time was counted apart until 7.2, in whole
	 * microseconds. */
	linux_variable(os, "tick_nohz_active", 1, &active, NULL);
	if (!active || !linux_has(os, LINUX_FIELD_TICK_SCHED_IDLE) ||
	    !linux_symbol(os, "tick_cpu_sched", &tick, NULL))
		return linux_cpu_time(os, cpu, LINUX_VALUE_CPUTIME_IDLE, ret_idle, error) &&
		       linux_cpu_time(os, cpu, LINUX_VALUE_CPUTIME_IOWAIT, ret_iowait, error);
	if (!linux_percpu(os, tick, cpu, &tick, error) ||
	    !linux_get(os, tick, LINUX_FIELD_TICK_SCHED_IDLE, ret_idle, error) ||
	    !linux_get(os, tick, LINUX_FIELD_TICK_SCHED_IOWAIT, ret_iowait, error))
		return FALSE;
	*ret_idle -= *ret_idle % 1000;
	*ret_iowait -= *ret_iowait % 1000;
	return TRUE;
}

static void
append_seconds(GString *out, guint64 ns, char end)
{
	g_string_append_printf(out, "%" G_GUINT64_FORMAT ".%02u%c", ns / NS_PER_S,
			       (guint) (ns % NS_PER_S / NS_PER_HUNDREDTH), end);
}

LINUX_VIEW(linux_render_uptime)
{
	const Linux *self = os;
	LinuxClock clock;
	guint64 all = 0, idle, iowait;
	g_autoptr(GArray) cpus = linux_cpus(self, "__cpu_possible_mask", error);

	if (!cpus || !linux_clock(self, &clock, error))
		return FALSE;
	for (guint i = 0; i < cpus->len; i++) {
		if ((i % 64 == 0 && !vmifs_call_check(call, error)) ||
		    !linux_idle_time(self, g_array_index(cpus, guint32, i), &idle, &iowait, error))
			return FALSE;
		all += idle;
	}
	append_seconds(out, clock.since_boot, ' ');
	append_seconds(out, all, '\n');
	return TRUE;
}

/* Ticks are counted from five minutes before 0, modulo 2^32: so only one rate makes the clock of
 * them, but around the time that they pass 0. */
static gboolean
length_by_clock(const Linux *os, guint64 now, guint64 *ret, GError **error)
{
	static const guint32 rates[] = { 100, 250, 300, 1000 };
	LinuxClock clock;
	guint n = 0;

	if (!linux_clock(os, &clock, error))
		return FALSE;
	for (guint i = 0; i < G_N_ELEMENTS(rates); i++) {
		guint64 length = NS_PER_S / rates[i];
		guint64 ticks = now - (guint32) - (5 * 60 * rates[i]);
		guint64 seconds = ticks / rates[i];

		if (seconds - (clock.since_boot / NS_PER_S - 1) <= 2) {
			*ret = length;
			n++;
		}
	}
	if (n == 1)
		return TRUE;
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "how long a tick is cannot be told");
	return FALSE;
}

/* The length is built into the kernel; a clock that goes by ticks has it in its factors. */
gboolean
linux_jiffies(const Linux *os, LinuxJiffies *ret, GError **error)
{
	LinuxCursor c = { .os = os };
	guint64 clock, now;

	if (!linux_variable(os, "jiffies_64", 8, &now, error))
		return FALSE;
	if (os->is_text_only) {
		ret->now = now;
		return length_by_clock(os, now, &ret->length, error);
	}
	if (!linux_symbol(os, "clocksource_jiffies", &clock, error))
		return FALSE;
	guint64 mult = linux_take(&c, clock, LINUX_FIELD_CLOCKSOURCE_MULT);
	guint64 shift = linux_take(&c, clock, LINUX_FIELD_CLOCKSOURCE_SHIFT);
	if (!linux_cursor_end(&c, error))
		return FALSE;
	ret->now = now;
	ret->length = mult >> (shift & 63);
	return TRUE;
}

guint64
linux_jiffies_to_clock(const LinuxJiffies *jiffies, guint64 n)
{
	return n * jiffies->length / NS_PER_HUNDREDTH;
}

guint64
linux_jiffies_until(const LinuxJiffies *jiffies, guint64 then)
{
	guint64 n = then - jiffies->now;

	return (gint64) n > 0 ? linux_jiffies_to_clock(jiffies, n) : 0;
}
