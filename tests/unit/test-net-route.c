/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-route: IPv4's routes out of a trie, and tries that are none. */
#include <unit.h>

#include <net-guest.h>

#define TYPES                                                                                      \
	"struct netns_ipv4 16 fib_main@8:8\n"                                                      \
	"struct net 256 ipv4@16=netns_ipv4\n"                                                      \
	"struct net_device 64 name@0:1x16\n"                                                       \
	"struct fib_table 24 tb_id@0:4 tb_data@8:8\n"                                              \
	"struct key_vector 16 key@0:4 pos@4:1 bits@5:1 leaf@8:8 tnode@8:8x0\n"                     \
	"struct trie 32 kv@0=key_vector\n"                                                         \
	"struct fib_alias 48 fa_list@0:8 fa_info@16:8 fa_type@24:1 fa_slen@25:1 tb_id@28:4\n"      \
	"struct fib_nh_common 48 nhc_dev@0:8 nhc_gw_family@8:1 nhc_gw@16=gateway\n"                \
	"struct fib_nh 48 nh_common@0=fib_nh_common\n"                                             \
	"struct dst_metrics 72 metrics@0:4x17\n"                                                   \
	"struct nh_info 64 fib_nhc@16=fib_nh_common\n"                                             \
	"struct nh_grp_entry 16 nh@0:8\n"                                                          \
	"struct nh_group 16 num_nh@0:2 nh_entries@16=nh_grp_entryx0\n"                             \
	"struct nexthop 32 is_group@0:1 nh_info@8:8 nh_grp@8:8\n"                                  \
	"struct fib_info 64 fib_priority@0:4 fib_metrics@8:8 nh@16:8 fib_nh@24=fib_nhx0\n"
#define HEADER "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"

typedef struct {
	NetGuest n;
	guint64 trie, root, dev, metrics;
} Fixture;

static void
setup(Fixture *f)
{
	LinuxGuest *g = &f->n.g;

	net_guest_init(&f->n, "struct gateway 16 ipv4@0:4\n" TYPES);
	guint64 table = linux_guest_new(g, LINUX_STRUCT_FIB_TABLE);
	f->trie = linux_guest_new(g, LINUX_STRUCT_TRIE);
	f->root = f->trie + 8;
	f->dev = linux_guest_new(g, LINUX_STRUCT_NETDEV);
	f->metrics = linux_guest_new(g, LINUX_STRUCT_DST_METRICS);
	linux_guest_put(g, f->n.net, LINUX_FIELD_NET_FIB_MAIN, table);
	linux_guest_put(g, table, LINUX_FIELD_FIB_TABLE_ID, 254);
	linux_guest_put(g, table, LINUX_FIELD_FIB_TABLE_DATA, f->trie);
	linux_guest_put_text(g, f->dev, LINUX_FIELD_NETDEV_NAME, "eth0");
}

static guint64
add_node(Fixture *f, guint64 link, guint bits)
{
	guint64 node = linux_guest_alloc(&f->n.g, 8 + (8ULL << bits));

	linux_guest_put(&f->n.g, node, LINUX_FIELD_KEY_VECTOR_BITS, bits);
	linux_guest_u64(&f->n.g, link, node);
	return node + 8;
}

static guint64
add_leaf(Fixture *f, guint64 link, guint32 key)
{
	guint64 leaf = linux_guest_new(&f->n.g, LINUX_STRUCT_KEY_VECTOR);

	linux_guest_put(&f->n.g, leaf, LINUX_FIELD_KEY_VECTOR_KEY, key);
	linux_guest_u64(&f->n.g, link, leaf);
	return leaf + 8;
}

static guint64
add_route(Fixture *f, guint64 link, guint slen, guint type, guint32 gateway)
{
	LinuxGuest *g = &f->n.g;
	guint64 alias = linux_guest_new(g, LINUX_STRUCT_FIB_ALIAS);
	guint64 info = linux_guest_alloc(g, 128);

	linux_guest_u64(g, link, alias);
	linux_guest_put(g, alias, LINUX_FIELD_FIB_ALIAS_INFO, info);
	linux_guest_put(g, alias, LINUX_FIELD_FIB_ALIAS_TYPE, type);
	linux_guest_put(g, alias, LINUX_FIELD_FIB_ALIAS_SLEN, slen);
	linux_guest_put(g, alias, LINUX_FIELD_FIB_ALIAS_TABLE, 254);
	linux_guest_put(g, info, LINUX_FIELD_FIB_INFO_METRICS, f->metrics);
	linux_guest_put(g, info, LINUX_FIELD_FIB_INFO_PRIORITY, 100);
	linux_guest_put(g, info + 24, LINUX_FIELD_NHC_DEV, type == 7 ? 0 : f->dev);
	if (gateway) {
		linux_guest_put(g, info + 24, LINUX_FIELD_NHC_GW_FAMILY, LINUX_AF_INET);
		linux_guest_put(g, info + 24, LINUX_FIELD_NHC_GW4, gateway);
	}
	return alias;
}

/* The lines behind the header, without the blanks that fill each up to 127 bytes. */
static char *
render(Fixture *f)
{
	g_autofree char *text = net_guest_render(&f->n, linux_render_net_route, NULL);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	ck_assert(g_str_has_prefix(lines[0], HEADER));
	for (guint i = 0; lines[i] && *lines[i]; i++) {
		ck_assert_uint_eq(strlen(lines[i]), 127);
		g_strchomp(lines[i]);
	}
	return g_strjoinv("\n", lines + 1);
}

START_TEST(routes_come_in_the_order_of_addresses)
{
	Fixture f;
	setup(&f);
	LinuxGuest *g = &f.n.g;
	guint64 top = add_node(&f, f.root, 2), below = add_node(&f, top + 16, 1);
	add_route(&f, add_leaf(&f, top, 0), 32, 1, 0x0102010a);
	guint64 one = add_leaf(&f, below, 0x0a010200);
	guint64 first = add_route(&f, one, 8, 1, 0);
	add_route(&f, first, 8, 3, 0); /* broadcast */
	guint64 host = add_route(&f, add_leaf(&f, below + 8, 0x0a010203), 0, 7, 0);
	guint64 bare = add_route(&f, host, 16, 8, 0);
	linux_guest_put(g, bare, LINUX_FIELD_FIB_ALIAS_INFO, 0);
	guint64 local = add_route(&f, add_leaf(&f, top + 24, 0x7f000001), 0, 2, 0);
	linux_guest_put(g, local, LINUX_FIELD_FIB_ALIAS_TABLE, 255);
	linux_guest_put_element(g, f.metrics, LINUX_FIELD_DST_METRICS_METRICS, 2, 3000);
	linux_guest_put_element(g, f.metrics, LINUX_FIELD_DST_METRICS_METRICS, 3, 400);
	linux_guest_put_element(g, f.metrics, LINUX_FIELD_DST_METRICS_METRICS, 7, 1160);
	g_autofree char *text = render(&f);
	ck_assert_str_eq(text,
			 "eth0\t00000000\t0102010A\t0003\t0\t0\t100\t00000000\t1200\t3000\t50\n"
			 "eth0\t0002010A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t1200\t3000\t50\n"
			 "*\t0302010A\t00000000\t0205\t0\t0\t100\tFFFFFFFF\t1200\t3000\t50\n"
			 "*\t0302010A\t00000000\t0201\t0\t0\t0\t0000FFFF\t0\t0\t0\n");
	net_guest_clear(&f.n);
}
END_TEST

/* 0: one that routes share; 1: a group of them; 2: an empty group. */
START_TEST(nexthops_may_be_objects)
{
	Fixture f;
	setup(&f);
	LinuxGuest *g = &f.n.g;
	guint64 alias = add_route(&f, add_leaf(&f, f.root, 0), 32, 1, 0), info = alias + 256;
	guint64 nexthop = linux_guest_new(g, LINUX_STRUCT_NEXTHOP), found = nexthop;
	guint64 object = linux_guest_new(g, LINUX_STRUCT_NH_INFO);
	if (_i) {
		guint64 group = linux_guest_alloc(g, 64);
		found = linux_guest_new(g, LINUX_STRUCT_NEXTHOP);
		linux_guest_put(g, group, LINUX_FIELD_NH_GROUP_NUM, _i == 1);
		linux_guest_u64(g, group + 16, nexthop);
		linux_guest_put(g, found, LINUX_FIELD_NEXTHOP_IS_GROUP, 1);
		linux_guest_put(g, found, LINUX_FIELD_NEXTHOP_GROUP, group);
	}
	linux_guest_put(g, nexthop, LINUX_FIELD_NEXTHOP_INFO, object);
	linux_guest_put(g, object + 16, LINUX_FIELD_NHC_DEV, f.dev);
	linux_guest_put(g, object + 16, LINUX_FIELD_NHC_GW_FAMILY, LINUX_AF_INET6);
	linux_guest_put(g, object + 16, LINUX_FIELD_NHC_GW4, 5);
	linux_guest_put(g, info, LINUX_FIELD_FIB_INFO_NEXTHOP, found);
	g_autofree char *text = render(&f);
	ck_assert_str_eq(
		text, _i == 2 ? "*\t00000000\t00000000\t0001\t0\t0\t100\t00000000\t0\t0\t0\n"
			      : "eth0\t00000000\t00000000\t0003\t0\t0\t100\t00000000\t0\t0\t0\n");
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(namespace_without_a_route_has_no_text)
{
	Fixture f;
	setup(&f);
	linux_guest_put(&f.n.g, f.n.net, LINUX_FIELD_NET_FIB_MAIN, 0);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_route, NULL);
	ck_assert_str_eq(text, "");
	net_guest_clear(&f.n);
}
END_TEST

/* 0: a node below itself, 1: more children than there are addresses, 2: two that are each other's.
 */
START_TEST(trie_that_is_none_ends)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	setup(&f);
	LinuxGuest *g = &f.n.g;
	guint64 top = add_node(&f, f.root, 1), below = add_node(&f, top + 8, 1);
	linux_guest_u64(g, top, _i == 0 ? top - 8 : 0);
	if (_i == 1)
		linux_guest_put(g, below - 8, LINUX_FIELD_KEY_VECTOR_BITS, 200);
	linux_guest_u64(g, below, top - 8);
	linux_guest_u64(g, below + 8, top - 8);
	ck_assert(!linux_render_net_route(linux_guest_start(g), NULL, NULL, out, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	net_guest_clear(&f.n);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("net-route");
	TCase *t = tcase_create("net-route");

	tcase_add_test(t, routes_come_in_the_order_of_addresses);
	tcase_add_loop_test(t, nexthops_may_be_objects, 0, 3);
	tcase_add_test(t, namespace_without_a_route_has_no_text);
	tcase_add_loop_test(t, trie_that_is_none_ends, 0, 3);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
