/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-net: a network namespace and all that hangs off it: tables, chains, tries and trees. Behind
 * the first page lie a task, then at fixed places the kernel's variables; what text is made of them
 * is a byte of the task. What devices count is left out: which function tells is asked of a guest
 * that was discovered.
 */
#include "kernel.h"

#include <net-guest.h>

#define VIEW (FUZZ_PAGE + 24)
#define VARIABLES (FUZZ_PAGE + 64)

#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct unix_sock 200 addr@192:8\n"                                                        \
	"struct unix_address 16 len@4:4 name@8:1x0\n"                                              \
	"struct inet_sock 200 inet_sport@192:2\n"                                                  \
	"struct udp_sock 208 forward_deficit@200:4\n"                                              \
	"struct raw_hashinfo 128 ht@64:8x8\n"                                                      \
	"struct ping_table 64 hash@0:8x8\n"                                                        \
	"struct udp_hslot 16 head@0:8\n"                                                           \
	"struct udp_table 24 hash@0:8 mask@16:4\n"                                                 \
	"struct icsk_ack 16 ato@0:4 quick@4:1 pingpong@5:1\n"                                      \
	"struct fastopen_queue 8 max_qlen@4:4\n"                                                   \
	"struct request_sock_queue 16 fastopenq@8=fastopen_queue\n"                                \
	"struct inet_connection_sock 320 icsk_accept_queue@200=request_sock_queue "                \
	"icsk_pending@216:1 icsk_retransmits@217:1 icsk_probes_out@218:1 icsk_rto@220:4 "          \
	"icsk_ack@224=icsk_ack icsk_timeout@248:8\n"                                               \
	"struct tcp_sock 384 write_seq@320:4 snd_una@324:4 rcv_nxt@328:4 copied_seq@332:4 "        \
	"snd_cwnd@336:4 snd_ssthresh@340:4\n"                                                      \
	"struct inet_timewait_sock 160 tw_substate@96:1 tw_sport@98:2 tw_timer@104=timer_list\n"   \
	"struct request_sock 160 num_timeout@96:1 rsk_timer@104=timer_list\n"                      \
	"struct inet_ehash_bucket 8 chain@0:8\n"                                                   \
	"struct inet_listen_hashbucket 16 nulls_head@8:8\n"                                        \
	"struct inet_hashinfo 40 ehash@0:8 ehash_mask@8:4 lhash2_mask@12:4 lhash2@16:8\n"          \
	"struct hlist_head 8 first@0:8\n"                                                          \
	"struct packet_sock 224 num@192:2 ifindex@196:4 running@200:1\n"                           \
	"struct rhash_head 8 next@0:8\n"                                                           \
	"struct rhashtable 32 tbl@8:8 nelems@16:4\n"                                               \
	"struct bucket_table 64 size@0:4 nest@4:4 future_tbl@8:8 buckets@64:8x0\n"                 \
	"struct netlink_table 64 hash@16=rhashtable\n"                                             \
	"struct netlink_sock 256 portid@192:4 groups@200:8 cb_running@208:1 node@216=rhash_head\n" \
	"struct netdev_hw_addr_list 24 list@0=list_head\n"                                         \
	"struct netdev_hw_addr 80 list@0=list_head addr@16:1x32 global_use@48:1 refcount@52:4\n"   \
	"struct net_device 304 name@0:1x16 ifindex@16:4 index_hlist@24:8 addr_len@32:1 "           \
	"type@34:2 mc@40=netdev_hw_addr_list nd_net@280=possible_net_t\n"                          \
	"struct neigh_table 24 nht@8:8 phash_buckets@16:8\n"                                       \
	"struct neigh_hash_table 16 hash_buckets@0:8 hash_shift@8:4\n"                             \
	"struct neighbour 64 next@0:8 nud_state@8:1 ha@16:1x32 dev@48:8 primary_key@56:1x0\n"      \
	"struct pneigh_entry 32 next@0:8 net@8=possible_net_t dev@16:8 key@24:4x0\n"               \
	"struct fib_table 24 tb_id@0:4 tb_data@8:8\n"                                              \
	"struct key_vector 16 key@0:4 pos@4:1 bits@5:1 leaf@8:8 tnode@8:8x0\n"                     \
	"struct trie 32 kv@0=key_vector\n"                                                         \
	"struct fib_alias 48 fa_list@0:8 fa_info@16:8 fa_type@24:1 fa_slen@25:1 tb_id@28:4\n"      \
	"struct gateway 16 ipv4@0:4 ipv6@0=in6_addr\n"                                             \
	"struct fib_nh_common 32 nhc_dev@0:8 nhc_gw_family@8:1 nhc_gw@16=gateway\n"                \
	"struct fib_nh 32 nh_common@0=fib_nh_common\n"                                             \
	"struct fib6_nh 32 nh_common@0=fib_nh_common\n"                                            \
	"struct dst_metrics 72 metrics@0:4x17\n"                                                   \
	"struct nh_info 48 fib_nhc@16=fib_nh_common\n"                                             \
	"struct nh_grp_entry 16 nh@0:8\n"                                                          \
	"struct nh_group 16 num_nh@0:2 nh_entries@16=nh_grp_entryx0\n"                             \
	"struct nexthop 16 is_group@0:1 nh_info@8:8 nh_grp@8:8\n"                                  \
	"struct fib_info 24 fib_priority@0:4 fib_metrics@8:8 nh@16:8 fib_nh@24=fib_nhx0\n"         \
	"struct inet6_dev 16 dev@8:8\n"                                                            \
	"struct inet6_ifaddr 48 addr@0=in6_addr prefix_len@16:4 scope@20:2 flags@24:4 idev@32:8 "  \
	"addr_lst@40:8\n"                                                                          \
	"struct rt6key 20 addr@0=in6_addr plen@16:4\n"                                             \
	"struct fib6_info 64 fib6_next@0:8 fib6_ref@8:4 fib6_dst@12=rt6key fib6_src@32=rt6key "    \
	"fib6_flags@52:4 fib6_metric@56:4 fib6_nh@64=fib6_nhx0\n"                                  \
	"struct fib6_node 40 left@0:8 right@8:8 leaf@16:8 fn_flags@24:2 subtree@32:8\n"            \
	"struct fib6_table 56 tb6_hlist@0:8 tb6_root@16=fib6_node\n"                               \
	"struct module 64 name@0:1x56\n"                                                           \
	"struct percpu_counter 16 count@0:8\n"                                                     \
	"struct fqdir 48 rhashtable@0=rhashtable mem@32:8\n"                                       \
	"struct proto 256 node@0=list_head name@16:1x32 obj_size@48:4 inuse_idx@52:4 "             \
	"sockets_allocated@56:8 memory_allocated@64:8 memory_pressure@72:8 max_header@80:4 "       \
	"slab@88:8 owner@96:8 close@104:8 connect@112:8 disconnect@120:8 accept@128:8 "            \
	"ioctl@136:8 init@144:8 destroy@152:8 shutdown@160:8 setsockopt@168:8 getsockopt@176:8 "   \
	"sendmsg@184:8 recvmsg@192:8 bind@208:8 backlog_rcv@216:8 hash@224:8 unhash@232:8 "        \
	"get_port@240:8 enter_memory_pressure@248:8\n"                                             \
	"struct prot_inuse 260 all@0:4 val@4:4x64\n"                                               \
	"struct netns_core 8 prot_inuse@0:8\n"                                                     \
	"struct netns_packet 8 sklist@0=hlist_head\n"                                              \
	"struct unix_table 8 buckets@0:8\n"                                                        \
	"struct netns_unix 8 table@0=unix_table\n"                                                 \
	"struct inet_timewait_death_row 16 tw_count@0:4 hashinfo@8:8\n"                            \
	"struct netns_ipv4 64 udp_table@0:8 fib_main@8:8 fqdir@16:8 "                              \
	"tcp_death_row@24=inet_timewait_death_row\n"                                               \
	"struct netns_ipv6 32 fqdir@0:8 fib_table_hash@8:8 inet6_addr_lst@16:8\n"                  \
	"struct net 256 dev_index_head@8:8 core@16=netns_core packet@24=netns_packet "             \
	"unx@32=netns_unix ipv4@64=netns_ipv4 ipv6@128=netns_ipv6\n"

static const NetGuestView views[] = {
	linux_render_net_tcp,       linux_render_net_tcp6,       linux_render_net_udp,
	linux_render_net_udplite6,  linux_render_net_raw,        linux_render_net_icmp,
	linux_render_net_unix,      linux_render_net_packet,     linux_render_net_netlink,
	linux_render_net_dev_mcast, linux_render_net_arp,        linux_render_net_route,
	linux_render_net_if_inet6,  linux_render_net_ipv6_route, linux_render_net_protocols,
	linux_render_net_sockstat,  linux_render_net_sockstat6,
};

static const FuzzSymbol symbols[] = {
	{ "kptr_restrict", VARIABLES },
	{ "jiffies_64", VARIABLES + 8 },
	{ "clocksource_jiffies", VARIABLES + 16 },
	{ "ptr_key", VARIABLES + 16 },
	{ "nl_table", VARIABLES + 32 },
	{ "udplite_table", VARIABLES + 40 },
	{ "arp_tbl", VARIABLES + 64 },
	{ "proto_list", VARIABLES + 88 },
	{ "tcp_orphan_count", VARIABLES + 104 },
	{ "raw_v4_hashinfo", VARIABLES + 128 },
	{ "ping_table", VARIABLES + 256 },
	{ "tcp_prot", VARIABLES + 320 },
	{ "udp_prot", VARIABLES + 320 },
	{ "tcpv6_prot", VARIABLES + 320 },
	{ "sock_i_uid", 0x100 },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VmifsTask task = { .pid = 1, .tgid = 1, .object = FUZZ_PAGE };
	FuzzKernel k;

	if (len <= VIEW || !fuzz_kernel_init(&k, NET_GUEST_TYPES TYPES, NULL, symbols,
					     G_N_ELEMENTS(symbols), data, len))
		return 0;
	g_autoptr(GString) text = g_string_new(NULL);
	views[data[VIEW] % G_N_ELEMENTS(views)](&k.os, &task, NULL, text, NULL, NULL);
	fuzz_kernel_clear(&k);
	return 0;
}
