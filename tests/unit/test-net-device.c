/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-device: devices in their order, their names, and the addresses they listen to. */
#include <unit.h>

#include <net-guest.h>

#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct netdev_hw_addr_list 24 list@0=list_head\n"                                         \
	"struct netdev_hw_addr 80 list@0=list_head addr@16:1x32 global_use@48:1 refcount@52:4\n"   \
	"struct net_device_stats 184\n"                                                            \
	"struct net_device 512 name@0:1x16 ifindex@16:4 index_hlist@24:8 addr_len@32:1 "           \
	"mc@40=netdev_hw_addr_list netdev_ops@64:8 stats@72=net_device_stats rx_dropped@256:8 "    \
	"tx_dropped@264:8 lstats@272:8\n"                                                          \
	"struct net_device_ops 16 ndo_get_stats64@0:8 ndo_get_stats@8:8\n"                         \
	"struct pcpu_lstats 24 packets@0:8 bytes@8:8\n"
#define OLD TYPES "struct net 256 dev_index_head@16:8\n"
#define NEW TYPES "struct net 256 dev_index_head@16:8 dev_by_index@24:8\n"
#define DEV                                                                                        \
	"Inter-|   Receive                                                |  Transmit\n"           \
	" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs " \
	"drop fifo colls carrier compressed\n"

typedef struct {
	NetGuest n;
	guint64 heads, ops;
} Fixture;

static void
setup(Fixture *f, const char *types)
{
	LinuxGuest *g = &f->n.g;

	net_guest_init(&f->n, types);
	f->heads = linux_guest_alloc(g, 256 * 8);
	linux_guest_put(g, f->n.net, LINUX_FIELD_NET_DEV_INDEX, f->heads);
	f->ops = linux_guest_alloc(g, 16);
	guint64 cpus = linux_guest_alloc(g, 8);
	linux_guest_u64(g, cpus, 1);
	linux_guest_symbol(g, "__cpu_possible_mask", cpus);
}

static guint64
add_device(Fixture *f, guint32 index, const char *name)
{
	LinuxGuest *g = &f->n.g;
	guint64 dev = linux_guest_new(g, LINUX_STRUCT_NETDEV), next;
	guint64 head = f->heads + index % 256 * 8;

	memcpy(&next, g->bytes->data + (head - LINUX_GUEST_BASE), 8);
	linux_guest_put_text(g, dev, LINUX_FIELD_NETDEV_NAME, name);
	linux_guest_put(g, dev, LINUX_FIELD_NETDEV_IFINDEX, index);
	linux_guest_put(g, dev, LINUX_FIELD_NETDEV_INDEX_NODE, next);
	linux_guest_u64(g, head, linux_guest_at(g, dev, LINUX_FIELD_NETDEV_INDEX_NODE));
	linux_guest_put(g, dev, LINUX_FIELD_NETDEV_OPS, f->ops);
	return dev;
}

/* 0: by the last eight bits of the number, then the newest first; 1: by the number. */
START_TEST(devices_come_in_the_order_of_the_kernel)
{
	static const char *const orders[] = { "last lo eth", "lo eth last" };
	Fixture f;
	setup(&f, _i ? NEW : OLD);
	add_device(&f, 1, "lo");
	add_device(&f, 256 + 1, "eth");
	add_device(&f, 512, "last");
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_dev, NULL);
	g_autoptr(GString) order = g_string_new(NULL);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (guint i = 2; lines[i] && *lines[i]; i++) {
		*strchr(lines[i], ':') = '\0';
		g_string_append_printf(order, "%s%s", i > 2 ? " " : "", g_strstrip(lines[i]));
	}
	ck_assert_str_eq(order->str, _i ? orders[1] : "last eth lo");
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(counters_are_added_up_as_the_file_has_them)
{
	Fixture f;
	setup(&f, OLD);
	guint64 dev = add_device(&f, 2, "e\033th0");
	for (guint i = 0; i < LINUX_NET_N_COUNTERS; i++)
		linux_guest_u64(&f.n.g,
				linux_guest_at(&f.n.g, dev, LINUX_FIELD_NETDEV_STATS) + i * 8,
				1 << i);
	linux_guest_put(&f.n.g, dev, LINUX_FIELD_NETDEV_RX_DROPPED, 5 << 24);
	linux_guest_put(&f.n.g, dev, LINUX_FIELD_NETDEV_TX_DROPPED, 7 << 24);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_dev, NULL);
	ck_assert_str_eq(text, DEV "e\\033th0:       4       1   16 83918912 16384 15360    "
				   "2097152       256        8       2   32 117440640 262144   512 "
				   "1769472    4194304\n");
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(device_that_cannot_be_told_is_left_out_and_logged)
{
	Fixture f;
	setup(&f, OLD);
	add_device(&f, 1, "one");
	guint64 ops = linux_guest_alloc(&f.n.g, 16);
	linux_guest_put(&f.n.g, ops, LINUX_FIELD_NETDEV_OPS_GET_STATS64, LINUX_GUEST_BASE + 64);
	linux_guest_symbol(&f.n.g, "strange_stats", LINUX_GUEST_BASE + 64);
	linux_guest_put(&f.n.g, add_device(&f, 2, "two"), LINUX_FIELD_NETDEV_OPS, ops);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_dev, NULL);
	ck_assert_ptr_nonnull(strstr(text, "   one:       0 "));
	ck_assert_ptr_null(strstr(text, "two"));
	g_autofree char *log = linux_guest_log(&f.n.g);
	ck_assert_ptr_nonnull(strstr(log, "network device two: "));
	ck_assert_ptr_nonnull(strstr(log, "strange_stats"));
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(addresses_of_groups_are_listed)
{
	Fixture f;
	setup(&f, OLD);
	LinuxGuest *g = &f.n.g;
	guint64 dev = add_device(&f, 2, "dummy0");
	guint64 nodes[3] = { linux_guest_at(g, dev, LINUX_FIELD_NETDEV_MULTICAST) };
	for (guint i = 1; i < 3; i++) {
		nodes[i] = linux_guest_new(g, LINUX_STRUCT_HW_ADDR);
		linux_guest_put_text(g, nodes[i], LINUX_FIELD_HW_ADDR_ADDR,
				     i == 1 ? "\x33\x33\x01\x02\x03\x04"
					    : "\x01\x02\x5e\x7f\x01\xfe");
		linux_guest_put(g, nodes[i], LINUX_FIELD_HW_ADDR_REFCOUNT, i);
		linux_guest_put(g, nodes[i], LINUX_FIELD_HW_ADDR_GLOBAL_USE, i == 2);
	}
	linux_guest_ring(g, nodes, 3);
	linux_guest_put(g, dev, LINUX_FIELD_NETDEV_ADDR_LEN, 6);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_dev_mcast, NULL);
	ck_assert_str_eq(text, "2    dummy0          1     0     333301020304\n"
			       "2    dummy0          2     1     01025e7f01fe\n");
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(more_addresses_than_there_can_be_are_refused)
{
	enum { N = 45000 };
	Fixture f;
	g_autofree guint64 *nodes = g_new(guint64, N);
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	setup(&f, NEW);
	LinuxGuest *g = &f.n.g;
	for (guint k = 0; k < 2; k++) {
		guint64 dev = add_device(&f, k + 1, "longest-of-name");
		guint64 at = linux_guest_alloc(g, 16 * N);
		nodes[0] = linux_guest_at(g, dev, LINUX_FIELD_NETDEV_MULTICAST);
		for (guint i = 1; i < N; i++)
			nodes[i] = at + 16 * i; /* inside of each other */
		linux_guest_ring(g, nodes, N);
		linux_guest_put(g, dev, LINUX_FIELD_NETDEV_ADDR_LEN, 32);
	}
	ck_assert(!linux_render_net_dev_mcast(linux_guest_start(g), NULL, NULL, out, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	net_guest_clear(&f.n);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("net-device");
	TCase *t = tcase_create("net-device");

	tcase_add_loop_test(t, devices_come_in_the_order_of_the_kernel, 0, 2);
	tcase_add_test(t, counters_are_added_up_as_the_file_has_them);
	tcase_add_test(t, device_that_cannot_be_told_is_left_out_and_logged);
	tcase_add_test(t, addresses_of_groups_are_listed);
	tcase_add_test(t, more_addresses_than_there_can_be_are_refused);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
