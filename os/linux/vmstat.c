/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmstat: /proc/vmstat: every counter of memory management, a line each. The kernel has the names
 * in one table; the numbers behind them come from five places, one after the other, and how many
 * each has its types tell.
 */
#include "linux.h"

#define MAX_NAME 64
#define MAX_ITEMS 1024
#define MAX_NODES 1024
#define MAX_ZONES 16
#define MAX_NUMA_ITEMS 16
#define MAX_SHARES (512 * 1024) /* of 2048 processors in 64 nodes of four zones */
#define PERCENT 100

typedef struct {
	const Linux *os;
	GString *out;
	guint64 names; /* table of pointers */
	guint64 n_shown;
	guint64 n_shares; /* looked at */
	const VmifsCall *call;
	GError *error;
} Stat;

static void
append_item(Stat *s, guint64 value)
{
	guint64 pointer;

	if (s->error ||
	    !linux_load_word(s->os, s->names + s->n_shown * linux_word(s->os), &pointer, &s->error))
		return;
	s->n_shown++;
	g_autofree char *name =
		pointer ? vmifs_aspace_read_string(s->os->aspace, pointer, MAX_NAME, NULL) : NULL;
	vmifs_text_append_mangled(s->out, name ? name : "", -1, LINUX_CONTROL_BYTES);
	g_string_append_printf(s->out, " %" G_GUINT64_FORMAT "\n", value);
}

/* How many items of a kind there are; 0 of one that this kernel does not have. */
static guint64
count(const Linux *os, LinuxValue value)
{
	gint64 n;
	return linux_layout_value(os->layout, value, &n) ? (guint64) CLAMP(n, 0, MAX_ITEMS) : 0;
}

static guint64
variable(Stat *s, const char *name, guint32 size)
{
	guint64 value;
	return !s->error && linux_variable(s->os, name, size, &value, &s->error) ? value : 0;
}

/* An item of an array of sums, never shown negative. */
static guint64
sum_at(Stat *s, const char *array, guint64 index)
{
	guint64 base, value;

	if (s->error || !linux_symbol(s->os, array, &base, &s->error) ||
	    !linux_load_word(s->os, base + index * linux_word(s->os), &value, &s->error))
		return 0;
	return (guint64) MAX(linux_signed(s->os, value), 0);
}

static guint64
value_at(Stat *s, const char *array, LinuxValue item)
{
	guint64 index;
	return !s->error && linux_value(s->os, item, &index, &s->error) ? sum_at(s, array, index)
									: 0;
}

/* ---- NUMA: the processors' shares come to the sums when the file is read ---- */

/* Adds those of one zone. */
static void
add_zone(Stat *s, const GArray *cpus, const VmifsMember *events, guint64 zone, guint64 *sums)
{
	guint64 pcp, own, n;

	if (s->error || !linux_get(s->os, zone, LINUX_FIELD_ZONE_PCP, &pcp, &s->error) || !pcp)
		return;
	s->n_shares += cpus->len;
	if (s->n_shares > MAX_SHARES)
		g_set_error_literal(&s->error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "more shares of zones than there can be");
	if (s->error || !vmifs_call_check(s->call, &s->error))
		return;
	for (guint i = 0; i < cpus->len; i++) {
		if (!linux_percpu(s->os, pcp, g_array_index(cpus, guint32, i), &own, NULL))
			continue;
		for (guint64 k = 0; k < MIN(events->count, MAX_NUMA_ITEMS); k++)
			if (linux_load(s->os, own + events->offset + k * events->elem_size,
				       events->elem_size, &n, NULL))
				sums[k] += n;
	}
}

static void
add_shares(Stat *s, guint64 *sums)
{
	g_autoptr(GArray) cpus = linux_cpus(s->os, "__cpu_online_mask", NULL);
	const VmifsMember *zones = linux_layout_member(s->os->layout, LINUX_FIELD_NODE_ZONES);
	const VmifsMember *events = linux_layout_member(s->os->layout, LINUX_FIELD_ZONE_PCP_NUMA);
	guint64 table, data, n_nodes;

	if (!cpus || !zones || !events || !linux_has(s->os, LINUX_FIELD_ZONE_PCP) ||
	    !linux_symbol(s->os, "node_data", &table, NULL) ||
	    !linux_variable(s->os, "nr_node_ids", 4, &n_nodes, NULL))
		return;
	for (guint64 n = 0; n < MIN(n_nodes, MAX_NODES); n++) {
		if (!linux_load_word(s->os, table + n * linux_word(s->os), &data, NULL) || !data)
			continue;
		for (guint64 z = 0; z < MIN(zones->count, MAX_ZONES); z++)
			add_zone(s, cpus, events, data + zones->offset + z * zones->elem_size,
				 sums);
	}
}

static void
append_numa(Stat *s)
{
	guint64 n = count(s->os, LINUX_VALUE_NR_VM_NUMA_EVENT_ITEMS);
	guint64 sums[MAX_NUMA_ITEMS] = { 0 };

	if (n)
		add_shares(s, sums);
	for (guint64 i = 0; i < n; i++)
		append_item(s, sum_at(s, "vm_numa_event", i) + (i < MAX_NUMA_ITEMS ? sums[i] : 0));
	if (n)
		return;
	n = count(s->os, LINUX_VALUE_NR_VM_NUMA_STAT_ITEMS); /* before 5.14 */
	for (guint64 i = 0; i < n; i++)
		append_item(s, sum_at(s, "vm_numa_stat", i));
}

/* ---- nodes ---- */

/* Counted in small pages since 5.12, and shown in huge ones. */
static gboolean
is_huge(const Linux *os, guint64 item)
{
	static const LinuxValue huge[] = {
		LINUX_VALUE_NR_ANON_THPS,      LINUX_VALUE_NR_FILE_THPS,
		LINUX_VALUE_NR_SHMEM_THPS,     LINUX_VALUE_NR_SHMEM_PMDMAPPED,
		LINUX_VALUE_NR_FILE_PMDMAPPED,
	};
	gint64 value;

	if (!linux_layout_value(os->layout, LINUX_VALUE_NR_SWAPCACHE, &value))
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(huge); i++)
		if (linux_layout_value(os->layout, huge[i], &value) && (guint64) value == item)
			return TRUE;
	return FALSE;
}

static void
append_nodes(Stat *s)
{
	guint64 n = count(s->os, LINUX_VALUE_NR_VM_NODE_STAT_ITEMS);

	for (guint64 i = 0; i < n; i++)
		append_item(s, sum_at(s, "vm_node_stat", i) /
				       (is_huge(s->os, i) ? 1ULL << linux_huge_order(s->os) : 1));
}

/* ---- when dirty pages are written: computed from what could be dirty now ---- */

static guint64
limit(Stat *s, const char *bytes_name, const char *ratio_name, guint64 pages)
{
	guint64 bytes = variable(s, bytes_name, linux_word(s->os));
	guint64 ratio = variable(s, ratio_name, 4);
	guint64 page = linux_page_size(s->os);

	if (bytes)
		return bytes / page + (bytes % page != 0);
	return ratio * page / PERCENT * pages / page;
}

static void
append_writeback(Stat *s)
{
	guint64 n = count(s->os, LINUX_VALUE_NR_VM_STAT_ITEMS);
	guint64 pages = value_at(s, "vm_zone_stat", LINUX_VALUE_NR_FREE_PAGES);

	pages -= MIN(pages, variable(s, "totalreserve_pages", linux_word(s->os)));
	pages += value_at(s, "vm_node_stat", LINUX_VALUE_NR_INACTIVE_FILE) +
		 value_at(s, "vm_node_stat", LINUX_VALUE_NR_ACTIVE_FILE) + 1;
	guint64 front = limit(s, "vm_dirty_bytes", "vm_dirty_ratio", pages);
	guint64 back = limit(s, "dirty_background_bytes", "dirty_background_ratio", pages);
	append_item(s, front);
	append_item(s, back >= front ? front / 2 : back);
	/* Since 6.12 the pages that describe pages stand there, too. */
	if (n > 2)
		append_item(s, sum_at(s, "nr_memmap_pages", 0));
	if (n > 3)
		append_item(s, sum_at(s, "nr_memmap_boot_pages", 0));
}

/* ---- events ---- */

static void
append_events(Stat *s)
{
	g_autoptr(GArray) cpus = linux_cpus(s->os, "__cpu_online_mask", NULL);
	guint64 n = count(s->os, LINUX_VALUE_NR_VM_EVENT_ITEMS), states, own, value;
	gint64 in = -1, out = -1;
	VmifsMember events;

	if (s->error || !n || !cpus || !linux_symbol(s->os, "vm_event_states", &states, NULL) ||
	    !linux_member(s->os, LINUX_FIELD_VM_EVENTS_EVENT, &events, &s->error))
		return;
	linux_layout_value(s->os->layout, LINUX_VALUE_PGPGIN, &in);
	linux_layout_value(s->os->layout, LINUX_VALUE_PGPGOUT, &out);
	for (guint64 i = 0; i < MIN(n, events.count) && !s->error; i++) {
		guint64 sum = 0;
		if (!vmifs_call_check(s->call, &s->error))
			return;
		for (guint k = 0; k < cpus->len && !s->error; k++)
			if (linux_percpu(s->os, states, g_array_index(cpus, guint32, k), &own,
					 &s->error) &&
			    linux_load_word(s->os, own + events.offset + i * linux_word(s->os),
					    &value, &s->error))
				sum += value;
		/* Sectors, shown in kB. */
		append_item(s, (gint64) i == in || (gint64) i == out ? sum / 2 : sum);
	}
}

LINUX_VIEW(linux_render_vmstat)
{
	Stat s = { .os = os, .out = out, .call = call };
	guint64 n;

	if (!linux_symbol(os, "vmstat_text", &s.names, error))
		return FALSE;
	n = count(os, LINUX_VALUE_NR_VM_ZONE_STAT_ITEMS);
	for (guint64 i = 0; i < n; i++)
		append_item(&s, sum_at(&s, "vm_zone_stat", i));
	append_numa(&s);
	append_nodes(&s);
	append_writeback(&s);
	append_events(&s);
	g_string_append(out, "nr_unstable 0\n");
	if (s.error)
		g_propagate_error(error, s.error);
	return !s.error;
}
