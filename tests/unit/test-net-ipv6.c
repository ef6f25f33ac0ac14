/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-ipv6: addresses, and routes out of trees. */
#include <unit.h>

#include <net-guest.h>

#define ROUTES                                                                                     \
	"struct gateway 16 ipv6@0=in6_addr\n"                                                      \
	"struct fib_nh_common 48 nhc_dev@0:8 nhc_gw_family@8:1 nhc_gw@16=gateway\n"                \
	"struct fib6_nh 48 nh_common@0=fib_nh_common\n"                                            \
	"struct rt6key 20 addr@0=in6_addr plen@16:4\n"                                             \
	"struct fib6_info 96 fib6_next@0:8 fib6_ref@8:4 fib6_dst@12=rt6key fib6_src@32=rt6key "    \
	"fib6_flags@52:4 fib6_metric@56:4 fib6_nh@64=fib6_nhx0\n"
#define COMMON                                                                                     \
	"struct net_device 64 name@0:1x16 nd_net@16=possible_net_t ifindex@24:4\n"                 \
	"struct inet6_dev 16 dev@8:8\n"                                                            \
	"struct inet6_ifaddr 64 addr@0=in6_addr prefix_len@16:4 scope@20:2 flags@24:4 idev@32:8 "  \
	"addr_lst@40:8\n" ROUTES
#define PLAIN "struct fib6_node 40 left@0:8 right@8:8 leaf@16:8 fn_flags@24:2\n"
#define WITH_SOURCE "struct fib6_node 40 left@0:8 right@8:8 leaf@16:8 fn_flags@24:2 subtree@32:8\n"
#define TABLE "struct fib6_table 64 tb6_hlist@0:8 tb6_root@16=fib6_node\n"
#define OLD                                                                                        \
	COMMON PLAIN TABLE "struct netns_ipv6 32 fib_table_hash@8:8\n"                             \
			   "struct net 256 ipv6@16=netns_ipv6\n"
#define NEW                                                                                        \
	COMMON WITH_SOURCE TABLE "struct netns_ipv6 32 fib_table_hash@8:8 inet6_addr_lst@16:8\n"   \
				 "struct net 256 ipv6@16=netns_ipv6\n"
#define ZEROS "00000000000000000000000000000000"

static guint64
add_device(NetGuest *n, guint64 net, const char *name)
{
	guint64 dev = linux_guest_new(&n->g, LINUX_STRUCT_NETDEV);

	linux_guest_put_text(&n->g, dev, LINUX_FIELD_NETDEV_NAME, name);
	linux_guest_put(&n->g, dev, LINUX_FIELD_NETDEV_NET, net);
	linux_guest_put(&n->g, dev, LINUX_FIELD_NETDEV_IFINDEX, 0x102);
	return dev;
}

static void
add_address(NetGuest *n, guint64 link, guint64 dev)
{
	guint64 a = linux_guest_new(&n->g, LINUX_STRUCT_IFADDR6);
	guint64 idev = linux_guest_new(&n->g, LINUX_STRUCT_IDEV6);

	linux_guest_u64(&n->g, link, linux_guest_at(&n->g, a, LINUX_FIELD_IFADDR6_NODE));
	linux_guest_put(&n->g, idev, LINUX_FIELD_IDEV6_DEV, dev);
	linux_guest_put(&n->g, a, LINUX_FIELD_IFADDR6_IDEV, idev);
	linux_guest_write(&n->g, a, "\xfe\x80\0\0\0\0\0\0\x01\x23\x45\x67\x89\xab\xcd\xef", 16);
	linux_guest_put(&n->g, a, LINUX_FIELD_IFADDR6_PREFIX_LEN, 64);
	linux_guest_put(&n->g, a, LINUX_FIELD_IFADDR6_SCOPE, 0x20);
	linux_guest_put(&n->g, a, LINUX_FIELD_IFADDR6_FLAGS, 0x180);
}

/* 0: one table for all namespaces, 1: each has its own. */
START_TEST(addresses_are_those_of_the_namespace)
{
	NetGuest n;
	net_guest_init(&n, _i ? NEW : OLD);
	guint64 table = linux_guest_alloc(&n.g, 256 * 8);
	add_address(&n, table + 255 * 8, add_device(&n, n.net, "eth0"));
	add_address(&n, table, add_device(&n, 0, "other"));
	if (_i)
		linux_guest_put(&n.g, n.net, LINUX_FIELD_NET_IFADDR6_TABLE, table);
	else
		linux_guest_symbol(&n.g, "inet6_addr_lst", table);
	g_autofree char *text = net_guest_render(&n, linux_render_net_if_inet6, NULL);
	ck_assert_str_eq(text, "fe800000000000000123456789abcdef 102 40 20 80     eth0\n");
	net_guest_clear(&n);
}
END_TEST

/* ---- routes ---- */

typedef struct {
	NetGuest n;
	guint64 root, dev;
} Fixture;

static void
setup(Fixture *f, const char *types)
{
	LinuxGuest *g = &f->n.g;

	net_guest_init(&f->n, types);
	guint64 tables = linux_guest_alloc(g, 256 * 8);
	guint64 table = linux_guest_new(g, LINUX_STRUCT_FIB6_TABLE);
	linux_guest_put(g, f->n.net, LINUX_FIELD_NET_FIB6_TABLES, tables);
	linux_guest_u64(g, tables + 254 * 8, table);
	f->root = linux_guest_at(g, table, LINUX_FIELD_FIB6_TABLE_ROOT);
	f->dev = add_device(&f->n, f->n.net, "eth0");
}

static guint64
add_node(Fixture *f, guint64 above, LinuxField field)
{
	guint64 node = linux_guest_new(&f->n.g, LINUX_STRUCT_FIB6_NODE);

	linux_guest_put(&f->n.g, above, field, node);
	return node;
}

/* To 20NN::/16. */
static guint64
add_route(Fixture *f, guint64 node, guint nn, gboolean gateway)
{
	LinuxGuest *g = &f->n.g;
	guint64 route = linux_guest_alloc(g, 128), nhc = route + 64;
	guint8 ip[16] = { 0x20, (guint8) nn };

	if (node) {
		linux_guest_put(g, node, LINUX_FIELD_FIB6_NODE_LEAF, route);
		linux_guest_put(g, node, LINUX_FIELD_FIB6_NODE_FLAGS, 4);
	}
	linux_guest_write(g, linux_guest_at(g, route, LINUX_FIELD_FIB6_INFO_DST), ip, 16);
	linux_guest_put(g, route, LINUX_FIELD_FIB6_INFO_DST_LEN, 16);
	linux_guest_put(g, route, LINUX_FIELD_FIB6_INFO_FLAGS, 0x80200001);
	linux_guest_put(g, route, LINUX_FIELD_FIB6_INFO_METRIC, 0x400);
	linux_guest_put(g, route, LINUX_FIELD_FIB6_INFO_REF, 2);
	linux_guest_put(g, nhc, LINUX_FIELD_NHC_DEV, f->dev);
	if (gateway) {
		linux_guest_put(g, nhc, LINUX_FIELD_NHC_GW_FAMILY, LINUX_AF_INET6);
		linux_guest_write(g, linux_guest_at(g, nhc, LINUX_FIELD_NHC_GW6), ip, 16);
	}
	return route;
}

static char *
destinations(Fixture *f)
{
	g_autofree char *text = net_guest_render(&f->n, linux_render_net_ipv6_route, NULL);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (guint i = 0; lines[i] && *lines[i]; i++)
		lines[i][4] = '\0';
	return g_strjoinv(" ", lines);
}

START_TEST(node_comes_behind_what_is_below_it)
{
	Fixture f;
	setup(&f, _i ? NEW : OLD);
	guint64 left = add_node(&f, f.root, LINUX_FIELD_FIB6_NODE_LEFT);
	guint64 right = add_node(&f, f.root, LINUX_FIELD_FIB6_NODE_RIGHT);
	guint64 first = add_route(&f, right, 3, FALSE);
	linux_guest_put(&f.n.g, first, LINUX_FIELD_FIB6_INFO_NEXT, add_route(&f, 0, 4, FALSE));
	add_route(&f, left, 2, FALSE);
	add_route(&f, f.root, 5, FALSE);
	if (_i)
		add_route(&f, add_node(&f, f.root, LINUX_FIELD_FIB6_NODE_SUBTREE), 1, FALSE);
	guint64 silent = add_node(&f, left, LINUX_FIELD_FIB6_NODE_LEFT);
	add_route(&f, silent, 9, FALSE);
	linux_guest_put(&f.n.g, silent, LINUX_FIELD_FIB6_NODE_FLAGS, 1);
	g_autofree char *order = destinations(&f);
	ck_assert_str_eq(order, _i ? "2001 2002 2003 2004 2005 " : "2002 2003 2004 2005 ");
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(route_shows_its_gateway_and_source)
{
	Fixture f;
	setup(&f, _i ? NEW : OLD);
	guint64 route = add_route(&f, f.root, 1, _i);
	linux_guest_put(&f.n.g, route, LINUX_FIELD_FIB6_INFO_SRC_LEN, 8);
	linux_guest_write(&f.n.g, linux_guest_at(&f.n.g, route, LINUX_FIELD_FIB6_INFO_SRC), "\xfd",
			  1);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_ipv6_route, NULL);
	ck_assert_str_eq(text, _i ? "20010000000000000000000000000000 10 "
				    "fd000000000000000000000000000000 08 "
				    "20010000000000000000000000000000 00000400 00000002 00000000 "
				    "80200003     eth0\n"
				  : "20010000000000000000000000000000 10 " ZEROS " 00 " ZEROS
				    " 00000400 00000002 00000000 80200001     eth0\n");
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(tables_share_the_route_to_nowhere)
{
	Fixture f;
	setup(&f, OLD);
	guint64 route = add_route(&f, f.root, 1, FALSE), tables;
	guint64 local = linux_guest_new(&f.n.g, LINUX_STRUCT_FIB6_TABLE);
	guint64 root = linux_guest_at(&f.n.g, local, LINUX_FIELD_FIB6_TABLE_ROOT);
	memcpy(&tables,
	       f.n.g.bytes->data + (linux_guest_at(&f.n.g, f.n.net, LINUX_FIELD_NET_FIB6_TABLES) -
				    LINUX_GUEST_BASE),
	       8);
	linux_guest_u64(&f.n.g, tables + 255 * 8, local);
	linux_guest_put(&f.n.g, root, LINUX_FIELD_FIB6_NODE_LEAF, route);
	linux_guest_put(&f.n.g, root, LINUX_FIELD_FIB6_NODE_FLAGS, 4);
	g_autofree char *order = destinations(&f);
	ck_assert_str_eq(order, "2001 2001 ");
	net_guest_clear(&f.n);
}
END_TEST

/* 0: a node below itself, 1: a route behind itself. */
START_TEST(tree_that_leads_in_circles_ends_and_is_logged)
{
	Fixture f;
	setup(&f, OLD);
	guint64 route = add_route(&f, f.root, 1, FALSE);
	if (_i)
		linux_guest_put(&f.n.g, route, LINUX_FIELD_FIB6_INFO_NEXT, route);
	else
		linux_guest_put(&f.n.g, f.root, LINUX_FIELD_FIB6_NODE_LEFT, f.root);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_ipv6_route, NULL);
	ck_assert_ptr_nonnull(text);
	g_autofree char *log = linux_guest_log(&f.n.g);
	ck_assert_ptr_nonnull(strstr(log, "net/ipv6_route: "));
	net_guest_clear(&f.n);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("net-ipv6");
	TCase *t = tcase_create("net-ipv6");

	tcase_add_loop_test(t, addresses_are_those_of_the_namespace, 0, 2);
	tcase_add_loop_test(t, node_comes_behind_what_is_below_it, 0, 2);
	tcase_add_loop_test(t, route_shows_its_gateway_and_source, 0, 2);
	tcase_add_test(t, tables_share_the_route_to_nowhere);
	tcase_add_loop_test(t, tree_that_leads_in_circles_ends_and_is_logged, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
