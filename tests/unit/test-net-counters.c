/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-counters: where each kind of device counts. */
#include <unit.h>

#include <net-guest.h>

#define TYPES                                                                                      \
	"struct net 256\n"                                                                         \
	"struct net_device_stats 184\n"                                                            \
	"struct net_device_ops 16 ndo_get_stats64@0:8 ndo_get_stats@8:8\n"                         \
	"struct pcpu_lstats 24 packets@0:8 bytes@8:8\n"                                            \
	"struct pcpu_sw_netstats 40 rx_packets@0:8 rx_bytes@8:8 tx_packets@16:8 tx_bytes@24:8\n"   \
	"struct pcpu_dstats 56 rx_packets@0:8 rx_bytes@8:8 tx_packets@16:8 tx_bytes@24:8 "         \
	"rx_drops@32:8 tx_drops@40:8\n"                                                            \
	"struct net_device_core_stats 32 rx_dropped@0:8 tx_dropped@8:8\n"                          \
	"struct net_device 512 netdev_ops@64:8 stats@72=net_device_stats core_stats@256:8 "        \
	"lstats@264:8 tstats@264:8 dstats@264:8 pcpu_stat_type@272:1\n"                            \
	"enum NETDEV_PCPU_STAT_TSTATS=2 NETDEV_PCPU_STAT_DSTATS=3\n"
#define FUNCTION (LINUX_GUEST_BASE + 0x1800)
#define N_CPUS 2

static const struct {
	const char *function; /* NULL: none */
	guint type;
	guint64 rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped;
} cases[] = {
	/* dev->stats alone: 100, 101 ... */
	{ NULL, 0, 100, 101, 102, 103, 106 + 7, 107 + 9 },
	/* The processors' own: 1, 2 ... and 10, 20 ... */
	{ "loopback_get_stats64", 1, 11, 11, 22, 22, 7, 9 },
	{ "dummy_get_stats64", 1, 0, 11, 0, 22, 7, 9 },
	/* Both. */
	{ "dev_get_tstats64", 0, 111, 134, 124, 147, 106 + 7, 107 + 9 },
	{ "ip_tunnel_get_stats64", 0, 111, 134, 124, 147, 106 + 7, 107 + 9 },
	{ NULL, 2, 111, 134, 124, 147, 106 + 7, 107 + 9 },
	{ NULL, 3, 111, 134, 124, 147, 106 + 55 + 7, 107 + 66 + 9 },
};

START_TEST(counters_are_found_by_function_and_kind)
{
	NetGuest n;
	g_autoptr(GError) error = NULL;
	guint64 got[LINUX_NET_N_COUNTERS];
	net_guest_init(&n, TYPES);
	LinuxGuest *g = &n.g;
	guint64 dev = linux_guest_new(g, LINUX_STRUCT_NETDEV), mask = linux_guest_alloc(g, 8);
	guint64 ops = linux_guest_alloc(g, 16), offsets = linux_guest_alloc(g, N_CPUS * 8);
	guint64 areas = linux_guest_alloc(g, N_CPUS * 256), count = linux_guest_alloc(g, 8);
	linux_guest_u64(g, mask, 3);
	linux_guest_u64(g, count, N_CPUS);
	linux_guest_symbol(g, "__cpu_possible_mask", mask);
	linux_guest_symbol(g, "nr_cpu_ids", count);
	linux_guest_symbol(g, "__per_cpu_offset", offsets);
	for (guint cpu = 0; cpu < N_CPUS; cpu++) {
		linux_guest_u64(g, offsets + cpu * 8, areas + cpu * 256);
		for (guint i = 0; i < 6; i++)
			linux_guest_u64(g, areas + cpu * 256 + i * 8, (i + 1) * (cpu ? 10 : 1));
		linux_guest_u64(g, areas + cpu * 256 + 64, cpu ? 3 : 4);
		linux_guest_u64(g, areas + cpu * 256 + 72, cpu ? 5 : 4);
	}
	/* A per-CPU address of 0 is no counter at all, so they are at 8 of a page before. */
	for (guint cpu = 0; cpu < N_CPUS; cpu++)
		linux_guest_u64(g, offsets + cpu * 8, areas + cpu * 256 - 8);
	linux_guest_put(g, dev, LINUX_FIELD_NETDEV_LSTATS, 8);
	linux_guest_put(g, dev, LINUX_FIELD_NETDEV_CORE_STATS, 72);
	linux_guest_put(g, dev, LINUX_FIELD_NETDEV_STAT_TYPE, cases[_i].type);
	linux_guest_put(g, dev, LINUX_FIELD_NETDEV_OPS, ops);
	for (guint i = 0; i < LINUX_NET_N_COUNTERS; i++)
		linux_guest_u64(g, linux_guest_at(g, dev, LINUX_FIELD_NETDEV_STATS) + i * 8,
				100 + i);
	if (cases[_i].function) {
		linux_guest_put(g, ops, LINUX_FIELD_NETDEV_OPS_GET_STATS64, FUNCTION);
		linux_guest_symbol(g, cases[_i].function, FUNCTION);
	}
	ck_assert_msg(linux_net_counters(linux_guest_start(g), dev, got, NULL, &error), "%s",
		      error ? error->message : "");
	ck_assert_uint_eq(got[LINUX_NET_RX_PACKETS], cases[_i].rx_packets);
	ck_assert_uint_eq(got[LINUX_NET_TX_PACKETS], cases[_i].tx_packets);
	ck_assert_uint_eq(got[LINUX_NET_RX_BYTES], cases[_i].rx_bytes);
	ck_assert_uint_eq(got[LINUX_NET_TX_BYTES], cases[_i].tx_bytes);
	ck_assert_uint_eq(got[LINUX_NET_RX_DROPPED], cases[_i].rx_dropped);
	ck_assert_uint_eq(got[LINUX_NET_TX_DROPPED], cases[_i].tx_dropped);
	net_guest_clear(&n);
}
END_TEST

/* 0: a function that nobody knows, 1: the older kind of function. */
START_TEST(counters_of_a_driver_alone_are_not_made_up)
{
	NetGuest n;
	g_autoptr(GError) error = NULL;
	guint64 got[LINUX_NET_N_COUNTERS];
	net_guest_init(&n, TYPES);
	LinuxGuest *g = &n.g;
	guint64 dev = linux_guest_new(g, LINUX_STRUCT_NETDEV), ops = linux_guest_alloc(g, 16);
	linux_guest_put(g, dev, LINUX_FIELD_NETDEV_OPS, ops);
	linux_guest_put(g, ops,
			_i ? LINUX_FIELD_NETDEV_OPS_GET_STATS : LINUX_FIELD_NETDEV_OPS_GET_STATS64,
			FUNCTION);
	linux_guest_symbol(g, "driver_stats", FUNCTION);
	ck_assert(!linux_net_counters(linux_guest_start(g), dev, got, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	net_guest_clear(&n);
}
END_TEST

/* The name of its function says nothing when that is of another module, and without the module's
 * types it says too little. */
START_TEST(drivers_count_where_their_own_types_say)
{
	static const struct {
		const char *module, *message;
	} modules[] = {
		{ "other", "what virtnet_stats counts is known to its driver only" },
		{ "virtio_net", "types of virtio_net: the kernel's symbols lack btf_modules" },
	};
	NetGuest n;
	g_autoptr(GError) error = NULL;
	guint64 got[LINUX_NET_N_COUNTERS];
	net_guest_init(&n, TYPES);
	LinuxGuest *g = &n.g;
	guint64 dev = linux_guest_new(g, LINUX_STRUCT_NETDEV), ops = linux_guest_alloc(g, 16);
	linux_guest_put(g, dev, LINUX_FIELD_NETDEV_OPS, ops);
	linux_guest_put(g, ops, LINUX_FIELD_NETDEV_OPS_GET_STATS64, FUNCTION);
	vmifs_symbols_builder_module(g->symbols, modules[_i].module);
	linux_guest_symbol(g, "virtnet_stats", FUNCTION);
	ck_assert(!linux_net_counters(linux_guest_start(g), dev, got, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	ck_assert_str_eq(error->message, modules[_i].message);
	net_guest_clear(&n);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("net-counters");
	TCase *t = tcase_create("net-counters");

	tcase_add_loop_test(t, counters_are_found_by_function_and_kind, 0, G_N_ELEMENTS(cases));
	tcase_add_loop_test(t, counters_of_a_driver_alone_are_not_made_up, 0, 2);
	tcase_add_loop_test(t, drivers_count_where_their_own_types_say, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
