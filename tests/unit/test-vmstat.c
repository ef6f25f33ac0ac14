/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmstat: the counters of memory management and their names. */
#include <view-test.h>

#define TYPES                                                                                      \
	"struct vm_event_state 24 event@0:8x3\n"                                                   \
	"enum NR_VM_ZONE_STAT_ITEMS=1 NR_VM_NUMA_STAT_ITEMS=1 NR_VM_NODE_STAT_ITEMS=4 "            \
	"NR_VM_EVENT_ITEMS=3 PGPGIN=1 PGPGOUT=2 NR_FREE_PAGES=0 NR_INACTIVE_FILE=0 "               \
	"NR_ACTIVE_FILE=1 NR_ANON_THPS=2 NR_SWAPCACHE=3\n"

#define SHARES                                                                                     \
	"struct per_cpu_zonestat 16 vm_numa_event@0:8x2\n"                                         \
	"struct zone 64 per_cpu_zonestats@0:8\n"                                                   \
	"struct pglist_data 128 node_zones@0=zonex2\n"                                             \
	"enum NR_VM_ZONE_STAT_ITEMS=1 NR_VM_NUMA_EVENT_ITEMS=2 NR_VM_NODE_STAT_ITEMS=4 "           \
	"NR_FREE_PAGES=0 NR_INACTIVE_FILE=0 NR_ACTIVE_FILE=1\n"

static void
make_counters(Fixture *f, gboolean with_nodes, gboolean with_events)
{
	static const char *const names[] = { "nr_free", "numa_hit", "nr_in",     "nr_ac",
					     "nr_thp",  "nr_swap",  "threshold", "back",
					     "pgx",     "pgpgin",   "pgpg\nout" };
	guint64 table = variable(f, "vmstat_text", 0);
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		linux_guest_u64(&f->g, table + i * 8, linux_guest_string(&f->g, names[i]));
	variable(f, "vm_zone_stat", 1000);
	variable(f, "vm_numa_stat", 7);
	guint64 nodes = variable(f, with_nodes ? "vm_node_stat" : "other", 100);
	linux_guest_u64(&f->g, nodes + 8, 99);
	linux_guest_u64(&f->g, nodes + 16, 1024);
	linux_guest_u64(&f->g, nodes + 24, (guint64) -3);
	variable(f, "totalreserve_pages", 200);
	variable(f, "vm_dirty_bytes", 0);
	variable(f, "vm_dirty_ratio", 20);
	variable(f, "dirty_background_bytes", 4097);
	variable(f, "dirty_background_ratio", 10);
	if (!with_events) {
		linux_guest_symbol(&f->g, "vm_event_states", LINUX_GUEST_BASE + LINUX_GUEST_LEN);
		return;
	}
	guint64 events = variable(f, "vm_event_states", 5);
	linux_guest_u64(&f->g, events + 8, 11);
	linux_guest_u64(&f->g, events + 16, 12);
}

START_TEST(counters_have_the_kernels_names)
{
	Fixture f;
	setup(&f, TYPES);
	make_counters(&f, TRUE, TRUE);
	shows(&f, linux_render_vmstat, NULL,
	      "nr_free 1000\nnuma_hit 7\nnr_in 100\nnr_ac 99\nnr_thp 2\nnr_swap 0\nthreshold 199\n"
	      "back 2\npgx 5\npgpgin 5\npgpg\\012out 6\nnr_unstable 0\n");
	teardown(&f);
}
END_TEST

/* A node with two zones, of which the first has shares; nodes: so many have it as theirs. */
static void
make_shares(Fixture *f, guint nodes)
{
	guint64 node = linux_guest_new(&f->g, LINUX_STRUCT_NODE);
	guint64 pcp = linux_guest_new(&f->g, LINUX_STRUCT_ZONE_PCP);
	guint64 table = variable(f, "node_data", 0);

	linux_guest_put(&f->g, node, LINUX_FIELD_ZONE_PCP, pcp);
	linux_guest_put_element(&f->g, pcp, LINUX_FIELD_ZONE_PCP_NUMA, 0, 40);
	linux_guest_put_element(&f->g, pcp, LINUX_FIELD_ZONE_PCP_NUMA, 1, 50);
	for (guint i = 0; i < nodes; i++)
		linux_guest_u64(&f->g, table + i * 8, node);
	variable(f, "nr_node_ids", nodes);
	linux_guest_u64(&f->g, variable(f, "vm_numa_event", 1) + 8, 2);
}

START_TEST(shares_of_zones_come_to_the_sums)
{
	Fixture f;
	setup(&f, SHARES);
	make_counters(&f, TRUE, TRUE);
	make_shares(&f, 2);
	shows(&f, linux_render_vmstat, NULL,
	      "nr_free 1000\nnuma_hit 81\nnr_in 102\nnr_ac 100\nnr_thp 99\nnr_swap 1024\nthreshold 0\n"
	      "back 199\npgx 2\nnr_unstable 0\n");
	teardown(&f);
}
END_TEST

START_TEST(more_shares_than_there_can_be_fail)
{
	Fixture f;
	setup(&f, SHARES);
	make_counters(&f, TRUE, TRUE);
	make_shares(&f, 100);
	guint64 mask = variable(&f, "__cpu_online_mask", 0);
	for (guint i = 0; i < 1024; i += 8)
		linux_guest_u64(&f.g, mask + i, G_MAXUINT64);
	variable(&f, "nr_cpu_ids", 8192);
	fails(&f, linux_render_vmstat, VMIFS_ERROR_CORRUPT);
	teardown(&f);
}
END_TEST

START_TEST(counter_that_is_missing_fails)
{
	Fixture f;
	setup(&f, TYPES);
	make_counters(&f, FALSE, TRUE);
	fails(&f, linux_render_vmstat, VMIFS_ERROR_UNSUPPORTED);
	teardown(&f);
}
END_TEST

START_TEST(events_that_cannot_be_read_fail)
{
	Fixture f;
	setup(&f, TYPES);
	make_counters(&f, TRUE, FALSE);
	fails(&f, linux_render_vmstat, VMIFS_ERROR_HOLE);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("vmstat");
	TCase *t = tcase_create("vmstat");
	tcase_add_test(t, counters_have_the_kernels_names);
	tcase_add_test(t, shares_of_zones_come_to_the_sums);
	tcase_add_test(t, more_shares_than_there_can_be_fail);
	tcase_add_test(t, counter_that_is_missing_fails);
	tcase_add_test(t, events_that_cannot_be_read_fail);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
