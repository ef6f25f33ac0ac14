/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-arp: neighbours of every state, and the addresses that are answered for. */
#include <unit.h>

#include <net-guest.h>

#define TYPES                                                                                      \
	"struct net 256\n"                                                                         \
	"struct net_device 64 name@0:1x16 nd_net@16=possible_net_t type@24:2 addr_len@26:1\n"      \
	"struct neigh_table 64 nht@8:8 phash_buckets@16:8\n"                                       \
	"struct pneigh_entry 64 next@0:8 net@8=possible_net_t dev@16:8 key@24:4x0\n"
#define OLD                                                                                        \
	TYPES "struct neigh_hash_table 16 hash_buckets@0:8 hash_shift@8:4\n"                       \
	      "struct neighbour 128 next@0:8 nud_state@8:1 ha@16:1x32 dev@48:8 "                   \
	      "primary_key@56:1x0\n"
#define NEW                                                                                        \
	TYPES "struct neigh_hash_table 16 hash_heads@0:8 hash_shift@8:4\n"                         \
	      "struct neighbour 128 hash@64:8 nud_state@8:1 ha@16:1x32 dev@48:8 "                  \
	      "primary_key@56:1x0\n"
#define HEADER "IP address       HW type     Flags       HW address            Mask     Device\n"

typedef struct {
	NetGuest n;
	guint64 hash, heads, proxies, dev;
} Fixture;

static void
setup(Fixture *f, const char *types)
{
	LinuxGuest *g = &f->n.g;

	net_guest_init(&f->n, types);
	guint64 table = linux_guest_new(g, LINUX_STRUCT_NEIGH_TABLE);
	f->hash = linux_guest_new(g, LINUX_STRUCT_NEIGH_HASH);
	f->heads = linux_guest_alloc(g, 8 * 8);
	f->proxies = linux_guest_alloc(g, 16 * 8);
	f->dev = linux_guest_new(g, LINUX_STRUCT_NETDEV);
	linux_guest_symbol(g, "arp_tbl", table);
	linux_guest_put(g, table, LINUX_FIELD_NEIGH_TABLE_HASH, f->hash);
	linux_guest_put(g, table, LINUX_FIELD_NEIGH_TABLE_PROXIES, f->proxies);
	linux_guest_put(g, f->hash, LINUX_FIELD_NEIGH_HASH_HEADS, f->heads);
	linux_guest_put(g, f->hash, LINUX_FIELD_NEIGH_HASH_SHIFT, 3);
	linux_guest_put_text(g, f->dev, LINUX_FIELD_NETDEV_NAME, "eth0");
	linux_guest_put(g, f->dev, LINUX_FIELD_NETDEV_NET, f->n.net);
	linux_guest_put(g, f->dev, LINUX_FIELD_NETDEV_TYPE, 1);
	linux_guest_put(g, f->dev, LINUX_FIELD_NETDEV_ADDR_LEN, 6);
}

static void
add(Fixture *f, guint chain, guint64 dev, guint state, const char *ip)
{
	LinuxGuest *g = &f->n.g;
	guint64 n = linux_guest_new(g, LINUX_STRUCT_NEIGHBOUR);

	linux_guest_u64(g, f->heads + chain * 8, linux_guest_at(g, n, LINUX_FIELD_NEIGHBOUR_NODE));
	linux_guest_put(g, n, LINUX_FIELD_NEIGHBOUR_STATE, state);
	linux_guest_put(g, n, LINUX_FIELD_NEIGHBOUR_DEV, dev);
	linux_guest_write(g, linux_guest_at(g, n, LINUX_FIELD_NEIGHBOUR_HA),
			  "\x02\xab\xcd\xef\0\x01\x11\x12\x13\x14", 10);
	linux_guest_write(g, n + 56, ip, 4);
}

/* 0: linked by a pointer, 1: by a node. */
START_TEST(neighbours_are_shown_by_state)
{
	Fixture f;
	setup(&f, _i ? NEW : OLD);
	LinuxGuest *g = &f.n.g;
	add(&f, 0, f.dev, 0x02, "\x0a\x01\x02\x03"); /* reachable */
	add(&f, 1, f.dev, 0x80, "\xc0\xa8\xff\xfe"); /* permanent */
	add(&f, 2, f.dev, 0x01, "\x0a\x01\x02\x04"); /* asked for */
	add(&f, 3, f.dev, 0x20, "\x0a\x01\x02\x05"); /* failed */
	add(&f, 4, f.dev, 0x40, "\x0a\x01\x02\x06"); /* needs none */
	guint64 other = linux_guest_new(g, LINUX_STRUCT_NETDEV);
	add(&f, 5, other, 0x02, "\x0a\x01\x02\x07"); /* of another namespace */
	guint64 proxy = linux_guest_new(g, LINUX_STRUCT_PNEIGH);
	linux_guest_u64(g, f.proxies + 15 * 8, proxy);
	linux_guest_put(g, proxy, LINUX_FIELD_PNEIGH_NET, f.n.net);
	linux_guest_write(g, proxy + 24, "\x0a\x01\x02\x4d", 4);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_arp, NULL);
	ck_assert_str_eq(
		text, HEADER
		"10.1.2.3         0x1         0x2         02:ab:cd:ef:00:01     *        eth0\n"
		"192.168.255.254  0x1         0x6         02:ab:cd:ef:00:01     *        eth0\n"
		"10.1.2.4         0x1         0x0         02:ab:cd:ef:00:01     *        eth0\n"
		"10.1.2.5         0x1         0x0         02:ab:cd:ef:00:01     *        eth0\n"
		"10.1.2.77        0x0         0xc         00:00:00:00:00:00     *        *\n");
	net_guest_clear(&f.n);
}
END_TEST

static const struct {
	guint len;
	const char *text;
} addresses[] = {
	{ 0, "" },
	{ 1, "02" },
	{ 9, "02:ab:cd:ef:00:01:11:12:13" },
	{ 255, "02:ab:cd:ef:00:01:11:12:13" },
};

START_TEST(long_hardware_addresses_are_cut_as_the_kernel_does)
{
	Fixture f;
	setup(&f, OLD);
	linux_guest_put(&f.n.g, f.dev, LINUX_FIELD_NETDEV_ADDR_LEN, addresses[_i].len);
	add(&f, 0, f.dev, 0x02, "\x0a\x01\x02\x03");
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_arp, NULL);
	g_autofree char *want = g_strdup_printf(
		HEADER "10.1.2.3         0x1         0x2         %-17s     *        "
		       "eth0\n",
		addresses[_i].text);
	ck_assert_str_eq(text, want);
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(enormous_table_is_refused)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	setup(&f, OLD);
	linux_guest_put(&f.n.g, f.hash, LINUX_FIELD_NEIGH_HASH_SHIFT, _i ? 63 : 0x80000001);
	ck_assert(!linux_render_net_arp(linux_guest_start(&f.n.g), NULL, NULL, out, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	net_guest_clear(&f.n);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("net-arp");
	TCase *t = tcase_create("net-arp");

	tcase_add_loop_test(t, neighbours_are_shown_by_state, 0, 2);
	tcase_add_loop_test(t, long_hardware_addresses_are_cut_as_the_kernel_does, 0,
			    G_N_ELEMENTS(addresses));
	tcase_add_loop_test(t, enormous_table_is_refused, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
