/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * percpu: variables of which each processor has its own. A per-CPU address is turned into a
 * processor's own by adding that processor's offset; a kernel for one processor has no offsets.
 */
#include "linux.h"

/* NR_CPUS of the largest configurations. */
#define MAX_CPUS 8192
#define CHECK_EVERY 64

gboolean
linux_percpu(const Linux *os, guint64 address, guint32 cpu, guint64 *ret, GError **error)
{
	guint64 table, offset;

	if (!linux_symbol(os, "__per_cpu_offset", &table, NULL)) {
		*ret = address;
		return TRUE;
	}
	if (!linux_load_word(os, table + (guint64) cpu * linux_word(os), &offset, error))
		return FALSE;
	*ret = linux_wrap(os, address + offset);
	return TRUE;
}

guint32
linux_n_cpus(const Linux *os)
{
	guint64 n;

	if (!linux_variable(os, "nr_cpu_ids", 4, &n, NULL))
		return 1;
	return (guint32) CLAMP(n, 1, MAX_CPUS);
}

GArray *
linux_cpus(const Linux *os, const char *mask, GError **error)
{
	g_autoptr(GArray) cpus = g_array_new(FALSE, FALSE, sizeof(guint32));
	guint32 n = linux_n_cpus(os);
	guint8 bits[MAX_CPUS / 8];
	guint64 address;

	/* One processor needs no mask. */
	if (!linux_symbol(os, mask, &address, NULL) && n == 1) {
		guint32 first = 0;
		g_array_append_val(cpus, first);
		return g_steal_pointer(&cpus);
	}
	if (!linux_symbol(os, mask, &address, error) ||
	    !vmifs_aspace_read(os->aspace, address, bits, (n + 7) / 8, error))
		return NULL;
	for (guint32 i = 0; i < n; i++) {
		if (bits[i / 8] >> i % 8 & 1)
			g_array_append_val(cpus, i);
	}
	return g_steal_pointer(&cpus);
}

gboolean
linux_percpu_counter(const Linux *os, guint64 address, gint64 *ret, const VmifsCall *call,
		     GError **error)
{
	guint64 count, counters, own, part;

	if (!linux_get(os, address, LINUX_FIELD_PERCPU_COUNTER_COUNT, &count, error))
		return FALSE;
	if (linux_has(os, LINUX_FIELD_PERCPU_COUNTER_COUNTERS)) {
		g_autoptr(GArray) cpus = linux_cpus(os, "__cpu_possible_mask", error);
		if (!cpus ||
		    !linux_get(os, address, LINUX_FIELD_PERCPU_COUNTER_COUNTERS, &counters, error))
			return FALSE;
		for (guint i = 0; i < cpus->len; i++) {
			/* A guest may say that it has thousands. */
			if ((i % CHECK_EVERY == 0 && !vmifs_call_check(call, error)) ||
			    !linux_percpu(os, counters, g_array_index(cpus, guint32, i), &own,
					  error) ||
			    !linux_load(os, own, 4, &part, error))
				return FALSE;
			count += (guint64) (gint64) (gint32) part;
		}
	}
	*ret = (gint64) count;
	return TRUE;
}
