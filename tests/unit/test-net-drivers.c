/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-drivers: virtio's queues and pairs of veth, with types that the kernel itself has. */
#include <unit.h>

#include <net-guest.h>
#include <os/linux/net-counters.h>

#define DEVICE                                                                                     \
	"struct net 256\n"                                                                         \
	"struct net_device_stats 184\n"                                                            \
	"struct pcpu_lstats 24 packets@0:8 bytes@8:8\n"                                            \
	"struct pcpu_sw_netstats 40 rx_packets@0:8 rx_bytes@8:8 tx_packets@16:8 tx_bytes@24:8\n"   \
	"enum NETDEV_PCPU_STAT_LSTATS=1 NETDEV_PCPU_STAT_TSTATS=2\n"
#define MEMBERS                                                                                    \
	"stats@72=net_device_stats lstats@264:8 tstats@264:8 pcpu_stat_type@272:1 "                \
	"num_rx_queues@276:4 "
#define QUEUES                                                                                     \
	"struct rq_stats 32 packets@8:8 bytes@16:8 drops@24:8\n"                                   \
	"struct receive_queue 128 stats@64=rq_stats\n"                                             \
	"struct virtnet_info 32 max_queue_pairs@0:2 rq@8:8 sq@16:8\n"
#define VETH                                                                                       \
	"struct veth_stats 40 rx_drops@0:8 xdp_packets@8:8 xdp_bytes@16:8 xdp_tx_err@24:8 "        \
	"peer_tq_xdp_xmit_err@32:8\n"                                                              \
	"struct veth_rq_stats 40 vs@0=veth_stats\n"                                                \
	"struct veth_rq 64 stats@8=veth_rq_stats\n"                                                \
	"struct veth_priv 32 peer@0:8 dropped@8:8 rq@16:8\n"

/* The driver's part lies behind the device, aligned, or is its last member. */
static const struct {
	const char *types;
	guint64 private;
	guint64 timeouts; /* that are known */
} kernels[] = {
	{ DEVICE QUEUES "struct net_device 520 " MEMBERS "\n"
			"struct sq_stats 32 packets@0:8 bytes@8:8\n"
			"struct send_queue 64 stats@32=sq_stats\n",
	  544, 0 },
	{ DEVICE QUEUES "struct net_device 576 " MEMBERS "\n"
			"struct sq_stats 32 packets@0:8 bytes@8:8 tx_timeouts@24:8\n"
			"struct send_queue 64 stats@32=sq_stats\n",
	  576, 3 + 30 },
	{ DEVICE QUEUES "struct net_device 640 " MEMBERS "priv@576:1x0\n"
			"struct sq_stats 32 packets@0:8 bytes@8:8 timeouts@24:8\n"
			"struct send_queue 64 stats@32=sq_stats\n",
	  576, 3 + 30 },
};

START_TEST(virtio_counts_in_its_queues)
{
	NetGuest n;
	g_autoptr(GError) error = NULL;
	guint64 got[LINUX_NET_N_COUNTERS] = { 0 };
	net_guest_init(&n, kernels[_i].types);
	LinuxGuest *g = &n.g;
	guint64 dev = linux_guest_alloc(g, 1024), private = dev + kernels[_i].private;
	guint64 rq = linux_guest_alloc(g, 3 * 128), sq = linux_guest_alloc(g, 3 * 64);

	linux_guest_put(g, private, LINUX_FIELD_VIRTNET_MAX_PAIRS, 2);
	linux_guest_put(g, private, LINUX_FIELD_VIRTNET_RQ, rq);
	linux_guest_put(g, private, LINUX_FIELD_VIRTNET_SQ, sq);
	/* Queues count 1, 2, 3 and 10, 20, 30 and, behind the last, 100 ... */
	for (guint queue = 0, by = 1; queue < 3; queue++, by *= 10) {
		for (guint i = 0; i < 3; i++)
			linux_guest_u64(g, rq + queue * 128 + 72 + i * 8, (i + 1) * by);
		linux_guest_u64(g, sq + queue * 64 + 32, 4 * by);
		linux_guest_u64(g, sq + queue * 64 + 40, 5 * by);
		linux_guest_u64(g, sq + queue * 64 + 56, 3 * by);
	}
	for (guint i = 0; i < LINUX_NET_N_COUNTERS; i++)
		linux_guest_u64(g, linux_guest_at(g, dev, LINUX_FIELD_NETDEV_STATS) + i * 8,
				1000 + i);
	ck_assert_msg(linux_net_virtio(linux_guest_start(g), dev, got, &error), "%s",
		      error ? error->message : "");
	ck_assert_uint_eq(got[LINUX_NET_RX_PACKETS], 11);
	ck_assert_uint_eq(got[LINUX_NET_RX_BYTES], 22);
	ck_assert_uint_eq(got[LINUX_NET_RX_DROPPED], 33);
	ck_assert_uint_eq(got[LINUX_NET_TX_PACKETS], 44);
	ck_assert_uint_eq(got[LINUX_NET_TX_BYTES], 55);
	ck_assert_uint_eq(got[LINUX_NET_TX_ERRORS], kernels[_i].timeouts);
	ck_assert_uint_eq(got[LINUX_NET_TX_DROPPED], 1000 + LINUX_NET_TX_DROPPED);
	ck_assert_uint_eq(got[LINUX_NET_TX_FIFO_ERRORS], 1000 + LINUX_NET_TX_FIFO_ERRORS);
	ck_assert_uint_eq(got[LINUX_NET_RX_LENGTH_ERRORS], 1000 + LINUX_NET_RX_LENGTH_ERRORS);
	ck_assert_uint_eq(got[LINUX_NET_RX_FRAME_ERRORS], 1000 + LINUX_NET_RX_FRAME_ERRORS);
	ck_assert_uint_eq(got[LINUX_NET_RX_ERRORS], 0);
	ck_assert_uint_eq(got[LINUX_NET_MULTICAST], 0);
	net_guest_clear(&n);
}
END_TEST

START_TEST(a_number_of_queues_that_makes_no_sense_is_refused)
{
	NetGuest n;
	g_autoptr(GError) error = NULL;
	guint64 got[LINUX_NET_N_COUNTERS] = { 0 };
	net_guest_init(&n, kernels[1].types);
	guint64 dev = linux_guest_alloc(&n.g, 1024), private = dev + kernels[1].private;

	linux_guest_put(&n.g, private, LINUX_FIELD_VIRTNET_MAX_PAIRS, 4097);
	linux_guest_put(&n.g, private, LINUX_FIELD_VIRTNET_RQ, dev);
	linux_guest_put(&n.g, private, LINUX_FIELD_VIRTNET_SQ, dev);
	ck_assert(!linux_net_virtio(linux_guest_start(&n.g), dev, got, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	net_guest_clear(&n);
}
END_TEST

/* 1: LSTATS, 2: TSTATS, 3: another; the end alone, with its peer. */
static const struct {
	guint type;
	gboolean has_peer, good;
	guint64 rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped;
} pairs[] = {
	/* Its processor 1 and 2, its queue 50 to 90. */
	{ 1, FALSE, TRUE, 60, 1, 70, 2, 50 + 90, 7 + 80 },
	{ 2, FALSE, TRUE, 60 + 1, 3, 70 + 2, 4, 50 + 90, 7 + 80 },
	/* The other's processor 11 and 12, its queue 500 to 900. */
	{ 1, TRUE, TRUE, 60 + 11, 1 + 600, 70 + 12, 2 + 700, 50 + 90 + 800, 7 + 80 + 900 },
	{ 2, TRUE, TRUE, 60 + 1 + 13, 3 + 600, 70 + 2 + 14, 4 + 700, 50 + 90 + 800, 7 + 80 + 900 },
	{ 3, FALSE },
};

static guint64
make_end(LinuxGuest *g, guint type, guint64 percpu, guint64 by)
{
	guint64 dev = linux_guest_alloc(g, 1024), private = dev + 576;
	guint64 rq = linux_guest_alloc(g, 64);

	linux_guest_put(g, dev, LINUX_FIELD_NETDEV_STAT_TYPE, type);
	linux_guest_put(g, dev, LINUX_FIELD_NETDEV_NUM_RX_QUEUES, 1);
	linux_guest_put(g, dev, LINUX_FIELD_NETDEV_TSTATS, percpu);
	linux_guest_put(g, private, LINUX_FIELD_VETH_DROPPED, 7);
	linux_guest_put(g, private, LINUX_FIELD_VETH_RQ, rq);
	for (guint i = 0; i < 5; i++)
		linux_guest_u64(g, rq + 8 + i * 8, (5 + i) * by);
	return dev;
}

START_TEST(what_one_end_sends_the_other_receives)
{
	NetGuest n;
	g_autoptr(GError) error = NULL;
	guint64 got[LINUX_NET_N_COUNTERS] = { 0 };
	net_guest_init(&n, DEVICE VETH "struct net_device 576 " MEMBERS "\n");
	LinuxGuest *g = &n.g;
	guint64 mask = linux_guest_alloc(g, 8), count = linux_guest_alloc(g, 8);
	guint64 offsets = linux_guest_alloc(g, 8), area = linux_guest_alloc(g, 256);
	guint64 dev = make_end(g, pairs[_i].type, 64, 10);
	guint64 peer = make_end(g, pairs[_i].type, 128, 100);

	linux_guest_u64(g, mask, 1);
	linux_guest_u64(g, count, 1);
	linux_guest_u64(g, offsets, area);
	linux_guest_symbol(g, "__cpu_possible_mask", mask);
	linux_guest_symbol(g, "nr_cpu_ids", count);
	linux_guest_symbol(g, "__per_cpu_offset", offsets);
	for (guint i = 0; i < 4; i++) {
		linux_guest_u64(g, area + 64 + i * 8, i + 1);
		linux_guest_u64(g, area + 128 + i * 8, i + 11);
	}
	if (pairs[_i].has_peer)
		linux_guest_put(g, dev + 576, LINUX_FIELD_VETH_PEER, peer);
	ck_assert_int_eq(linux_net_veth(linux_guest_start(g), dev, got, &error), pairs[_i].good);
	if (pairs[_i].good) {
		ck_assert_uint_eq(got[LINUX_NET_RX_PACKETS], pairs[_i].rx_packets);
		ck_assert_uint_eq(got[LINUX_NET_TX_PACKETS], pairs[_i].tx_packets);
		ck_assert_uint_eq(got[LINUX_NET_RX_BYTES], pairs[_i].rx_bytes);
		ck_assert_uint_eq(got[LINUX_NET_TX_BYTES], pairs[_i].tx_bytes);
		ck_assert_uint_eq(got[LINUX_NET_RX_DROPPED], pairs[_i].rx_dropped);
		ck_assert_uint_eq(got[LINUX_NET_TX_DROPPED], pairs[_i].tx_dropped);
	}
	net_guest_clear(&n);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("net-drivers");
	TCase *t = tcase_create("net-drivers");

	tcase_add_loop_test(t, virtio_counts_in_its_queues, 0, G_N_ELEMENTS(kernels));
	tcase_add_test(t, a_number_of_queues_that_makes_no_sense_is_refused);
	tcase_add_loop_test(t, what_one_end_sends_the_other_receives, 0, G_N_ELEMENTS(pairs));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
