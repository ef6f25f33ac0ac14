/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-packet: sockets that read what a device sees. */
#include <unit.h>

#include <net-guest.h>

#define TYPES                                                                                      \
	"struct hlist_head 8 first@0:8\n"                                                          \
	"struct netns_packet 16 sklist@8=hlist_head\n"                                             \
	"struct net 256 packet@16=netns_packet\n"
#define OLD TYPES "struct packet_sock 224 num@192:2 ifindex@196:4 running@200:1\n"
#define NEW                                                                                        \
	TYPES "struct packet_sock 224 num@192:2 ifindex@196:4 flags@208:8\n"                       \
	      "enum PACKET_SOCK_RUNNING=4\n"
#define COLUMNS "RefCnt Type Proto  Iface R Rmem   User   Inode\n"
#define HIDDEN "0000000000000000"

static void
add_sockets(NetGuest *n, gboolean old)
{
	guint64 head = linux_guest_at(&n->g, n->net, LINUX_FIELD_NET_PACKET);
	guint64 first = net_guest_socket(n, LINUX_STRUCT_PACKET_SOCK, n->net, 17, head);
	guint64 second =
		net_guest_socket(n, LINUX_STRUCT_PACKET_SOCK, n->net, 17,
				 linux_guest_at(&n->g, first, LINUX_FIELD_SOCK_COMMON_NODE));

	linux_guest_put(&n->g, first, LINUX_FIELD_SOCK_TYPE, 3);
	linux_guest_put(&n->g, first, LINUX_FIELD_SOCK_RMEM, 7180);
	linux_guest_put(&n->g, first, LINUX_FIELD_SOCK_UID, 2001);
	linux_guest_put(&n->g, first, LINUX_FIELD_PACKET_SOCK_NUM, 0x0300);
	linux_guest_put(&n->g, first, LINUX_FIELD_PACKET_SOCK_IFINDEX, 12);
	if (old)
		linux_guest_put(&n->g, first, LINUX_FIELD_PACKET_SOCK_RUNNING, 1);
	else
		linux_guest_put(&n->g, first, LINUX_FIELD_PACKET_SOCK_FLAGS, 1 << 4);
	linux_guest_put(&n->g, second, LINUX_FIELD_SOCK_TYPE, 2);
	if (!old)
		linux_guest_put(&n->g, second, LINUX_FIELD_PACKET_SOCK_FLAGS, (guint64) ~(1 << 4));
	net_guest_inode(n, second, 0, 1393);
}

START_TEST(sockets_are_shown_in_the_order_of_the_list)
{
	NetGuest n;
	net_guest_init(&n, _i ? NEW : OLD);
	add_sockets(&n, !_i);
	g_autofree char *text = net_guest_render(&n, linux_render_net_packet, NULL);
	ck_assert_str_eq(text, "sk               " COLUMNS HIDDEN
			       " 2      3    0003   12    1 7180   2001   0     \n" HIDDEN
			       " 2      2    0000   0     0 0      0      1393  \n");
	net_guest_clear(&n);
}
END_TEST

START_TEST(header_is_as_narrow_as_the_kernel_has_it)
{
	NetGuest n;
	net_guest_init(&n, OLD);
	guint64 text = linux_guest_string(&n.g, "sk       " COLUMNS);
	linux_guest_symbol(&n.g, "__start_rodata", text);
	linux_guest_symbol(&n.g, "__end_rodata", text + 256);
	g_autofree char *shown = net_guest_render(&n, linux_render_net_packet, &n.init);
	ck_assert_str_eq(shown, "sk       " COLUMNS);
	net_guest_clear(&n);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("net-packet");
	TCase *t = tcase_create("net-packet");

	tcase_add_loop_test(t, sockets_are_shown_in_the_order_of_the_list, 0, 2);
	tcase_add_test(t, header_is_as_narrow_as_the_kernel_has_it);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
