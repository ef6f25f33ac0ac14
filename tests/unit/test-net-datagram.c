/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-datagram: UDP, UDP-Lite, raw sockets and ping's, from tables old and new. */
#include <unit.h>

#include <net-guest.h>

#define N_SLOTS 64

#define TYPES                                                                                      \
	"struct inet_sock 200 inet_sport@192:2\n"                                                  \
	"struct udp_sock 208 forward_deficit@200:4\n"                                              \
	"struct raw_hashinfo 128 ht@64:8x8\n"                                                      \
	"struct ping_table 128 hash@0:8x8\n"                                                       \
	"struct udp_hslot 16 head@0:8\n"                                                           \
	"struct udp_table 24 hash@0:8 mask@16:4\n"
#define OLD TYPES "struct net 256\n"
#define NEW TYPES "struct netns_ipv4 16 udp_table@8:8\nstruct net 256 ipv4@16=netns_ipv4\n"

#define UDP                                                                                        \
	"   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "     \
	"timeout inode ref pointer drops            \n"
#define RAW                                                                                        \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "      \
	"timeout inode ref pointer drops\n"
#define PING                                                                                       \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "      \
	"timeout inode ref pointer drops             \n"
#define V6                                                                                         \
	"  sl  local_address                         remote_address                        st "    \
	"tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
#define HIDDEN "0000000000000000"

static guint64
add_udp_table(NetGuest *n, guint64 *ret_slots)
{
	guint64 table = linux_guest_new(&n->g, LINUX_STRUCT_UDP_TABLE);

	*ret_slots = linux_guest_alloc(&n->g, N_SLOTS * 16);
	linux_guest_put(&n->g, table, LINUX_FIELD_UDP_TABLE_HASH, *ret_slots);
	linux_guest_put(&n->g, table, LINUX_FIELD_UDP_TABLE_MASK, N_SLOTS - 1);
	return table;
}

/* 127.0.0.1:4242, connected to 127.0.0.1:53 where remote is set. */
static guint64
add(NetGuest *n, guint64 net, guint64 link, gboolean remote)
{
	guint64 sk = net_guest_socket(n, LINUX_STRUCT_UDP_SOCK, net, LINUX_AF_INET, link);

	linux_guest_put(&n->g, sk, LINUX_FIELD_SOCK_COMMON_STATE, remote ? 1 : 7);
	linux_guest_put(&n->g, sk, LINUX_FIELD_SOCK_COMMON_RCV_SADDR, 0x0100007f);
	linux_guest_put(&n->g, sk, LINUX_FIELD_SOCK_COMMON_NUM, 17);
	linux_guest_put(&n->g, sk, LINUX_FIELD_INET_SOCK_SPORT, 0x9210);
	if (remote) {
		linux_guest_put(&n->g, sk, LINUX_FIELD_SOCK_COMMON_DADDR, 0x0100007f);
		linux_guest_put(&n->g, sk, LINUX_FIELD_SOCK_COMMON_DPORT, 0x3500);
	}
	return sk;
}

static guint64
add6(NetGuest *n, guint64 link)
{
	guint64 sk = add(n, n->net, link, TRUE);

	linux_guest_put(&n->g, sk, LINUX_FIELD_SOCK_COMMON_FAMILY, LINUX_AF_INET6);
	linux_guest_write(&n->g, linux_guest_at(&n->g, sk, LINUX_FIELD_SOCK_COMMON_V6_RCV_SADDR),
			  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x03", 16);
	return sk;
}

/* 0: one table for all namespaces; 1: each has its own. */
START_TEST(udp_is_shown_by_slot)
{
	NetGuest n;
	guint64 slots;
	net_guest_init(&n, _i ? NEW : OLD);
	guint64 table = add_udp_table(&n, &slots);
	guint64 first = add(&n, n.net, slots + 10 * 16, FALSE);
	guint64 second = add(&n, n.net, slots + 63 * 16, TRUE);
	net_guest_old_owners(&n);
	net_guest_inode(&n, second, 2001, 1323);
	linux_guest_put(&n.g, first, LINUX_FIELD_SOCK_RMEM, 0x500);
	linux_guest_put(&n.g, first, LINUX_FIELD_UDP_SOCK_FORWARD_DEFICIT, 0x100);
	linux_guest_put(&n.g, first, LINUX_FIELD_SOCK_DROPS, 17);
	linux_guest_put(&n.g, second, LINUX_FIELD_SOCK_WMEM, 0x301);
	if (_i)
		linux_guest_put(&n.g, n.net, LINUX_FIELD_NET_UDP_TABLE, table);
	else
		linux_guest_symbol(&n.g, "udp_table", table);
	add6(&n, slots);
	g_autofree char *text = net_guest_render(&n, linux_render_net_udp, NULL);
	ck_assert_str_eq(text,
			 UDP "   10: 0100007F:1092 00000000:0000 07 00000000:00000400 00:00000000 "
			     "00000000     0        0 0 2 " HIDDEN " 17            \n"
			     "   63: 0100007F:1092 0100007F:0035 01 00000300:00000000 00:00000000 "
			     "00000000  2001        0 1323 2 " HIDDEN " 0          \n");
	net_guest_clear(&n);
}
END_TEST

START_TEST(udp6_shows_the_other_version)
{
	NetGuest n;
	guint64 slots;
	net_guest_init(&n, OLD);
	linux_guest_symbol(&n.g, "udp_table", add_udp_table(&n, &slots));
	add(&n, n.net, slots, FALSE);
	linux_guest_put(&n.g, add6(&n, slots + 16), LINUX_FIELD_SOCK_UID, 5);
	g_autofree char *text = net_guest_render(&n, linux_render_net_udp6, &n.init);
	ck_assert_str_eq(text, V6 "    1: B80D0120000000000000000003000000:1092 "
				  "00000000000000000000000000000000:0035 01 00000000:00000000 "
				  "00:00000000 00000000     5        0 0 2 " HIDDEN " 0\n");
	net_guest_clear(&n);
}
END_TEST

START_TEST(namespace_shows_its_own)
{
	NetGuest n;
	guint64 slots;
	net_guest_init(&n, OLD);
	guint64 inner = linux_guest_alloc(&n.g, NET_GUEST_NET_LEN);
	VmifsTask task = net_guest_task(&n, inner);
	linux_guest_symbol(&n.g, "udplite_table", add_udp_table(&n, &slots));
	add(&n, n.net, slots, FALSE);
	g_autofree char *text = net_guest_render(&n, linux_render_net_udplite, &task);
	ck_assert_str_eq(text, UDP);
	net_guest_clear(&n);
}
END_TEST

START_TEST(kernel_without_udplite_has_no_such_file)
{
	NetGuest n;
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	net_guest_init(&n, OLD);
	ck_assert(
		!linux_render_net_udplite6(linux_guest_start(&n.g), NULL, NULL, out, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	net_guest_clear(&n);
}
END_TEST

START_TEST(raw_sockets_show_their_protocol_as_port)
{
	NetGuest n;
	net_guest_init(&n, OLD);
	guint64 table = linux_guest_new(&n.g, LINUX_STRUCT_RAW_TABLE);
	guint64 table6 = linux_guest_new(&n.g, LINUX_STRUCT_RAW_TABLE);
	linux_guest_symbol(&n.g, _i ? "raw_v6_hashinfo" : "raw_v4_hashinfo", _i ? table6 : table);
	add(&n, n.net, table + 64 + 7 * 8, TRUE);
	add6(&n, table6 + 64 + 7 * 8);
	g_autofree char *text =
		net_guest_render(&n, _i ? linux_render_net_raw6 : linux_render_net_raw, NULL);
	ck_assert_str_eq(text, _i ? V6 "    7: B80D0120000000000000000003000000:0011 "
				       "00000000000000000000000000000000:0000 01 00000000:00000000 "
				       "00:00000000 00000000     0        0 0 2 " HIDDEN " 0\n"
				  : RAW "   7: 0100007F:0011 0100007F:0000 01 00000000:00000000 "
					"00:00000000 00000000     0        0 0 2 " HIDDEN " 0\n");
	net_guest_clear(&n);
}
END_TEST

START_TEST(ping_sockets_of_both_versions_share_a_table)
{
	NetGuest n;
	net_guest_init(&n, OLD);
	guint64 table = linux_guest_new(&n.g, LINUX_STRUCT_PING_TABLE);
	linux_guest_symbol(&n.g, "ping_table", table);
	for (guint i = 0; i < 8; i++)
		linux_guest_u64(&n.g, table + i * 8, i << 1 | 1);
	add(&n, n.net, table + 3 * 8, FALSE);
	add6(&n, table + 4 * 8);
	g_autofree char *text =
		net_guest_render(&n, _i ? linux_render_net_icmp6 : linux_render_net_icmp, NULL);
	ck_assert_str_eq(text, _i ? V6 "    4: B80D0120000000000000000003000000:1092 "
				       "00000000000000000000000000000000:0035 01 00000000:00000000 "
				       "00:00000000 00000000     0        0 0 2 " HIDDEN " 0\n"
				  : PING "    3: 0100007F:1092 00000000:0000 07 00000000:00000000 "
					 "00:00000000 00000000     0        0 0 2 " HIDDEN
					 " 0             \n");
	net_guest_clear(&n);
}
END_TEST

START_TEST(drops_of_many_are_counted_in_two_parts)
{
	NetGuest n;
	guint64 slots;
	g_autofree char *types = g_strconcat(
		NEW,
		"struct numa_drop_counters 128 drops0@0:4 drops1@64:4\n"
		"struct sock 192 sk_uid@100:4 sk_ino@160:8 sk_wmem_alloc@112:4 "
		"sk_backlog@116=sock_backlog sk_drops@132:4 sk_drop_counters@168:8 sk_socket@104:8\n",
		NULL);
	net_guest_init(&n, types);
	linux_guest_put(&n.g, n.net, LINUX_FIELD_NET_UDP_TABLE, add_udp_table(&n, &slots));
	guint64 sk = add(&n, n.net, slots, FALSE);
	guint64 counters = linux_guest_new(&n.g, LINUX_STRUCT_DROP_COUNTERS);
	linux_guest_put(&n.g, counters, LINUX_FIELD_DROP_COUNTERS_DROPS0, 40);
	linux_guest_put(&n.g, counters, LINUX_FIELD_DROP_COUNTERS_DROPS1, 2);
	linux_guest_put(&n.g, sk, LINUX_FIELD_SOCK_DROP_COUNTERS, counters);
	linux_guest_put(&n.g, sk, LINUX_FIELD_SOCK_INO, 77);
	g_autofree char *text = net_guest_render(&n, linux_render_net_udp, NULL);
	ck_assert_ptr_nonnull(strstr(text, "        0 77 2 " HIDDEN " 42 "));
	net_guest_clear(&n);
}
END_TEST

START_TEST(enormous_table_is_refused)
{
	NetGuest n;
	guint64 slots;
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	net_guest_init(&n, OLD);
	guint64 table = add_udp_table(&n, &slots);
	linux_guest_symbol(&n.g, "udp_table", table);
	linux_guest_put(&n.g, table, LINUX_FIELD_UDP_TABLE_MASK, G_MAXUINT32);
	ck_assert(!linux_render_net_udp(linux_guest_start(&n.g), NULL, NULL, out, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	net_guest_clear(&n);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("net-datagram");
	TCase *t = tcase_create("net-datagram");

	tcase_add_loop_test(t, udp_is_shown_by_slot, 0, 2);
	tcase_add_test(t, udp6_shows_the_other_version);
	tcase_add_test(t, namespace_shows_its_own);
	tcase_add_test(t, kernel_without_udplite_has_no_such_file);
	tcase_add_loop_test(t, raw_sockets_show_their_protocol_as_port, 0, 2);
	tcase_add_loop_test(t, ping_sockets_of_both_versions_share_a_table, 0, 2);
	tcase_add_test(t, drops_of_many_are_counted_in_two_parts);
	tcase_add_test(t, enormous_table_is_refused);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
