/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-guest: a made-up guest with a network namespace, for the decoders of sockets: pid 1 is in it,
 * other tasks are in it or in one of their own. Pointers are hidden: they are all zeros.
 */
#pragma once

#include <linux-guest.h>
#include <os/linux/net.h>

/* A struct net of 256 bytes is the test's to declare, and so are the kinds of sockets: their
 * members lie behind the 192 bytes of a struct sock. */
#define NET_GUEST_TYPES                                                                            \
	"struct possible_net_t 8 net@0:8\n"                                                        \
	"struct in6_addr 16\n"                                                                     \
	"struct hlist_node 16 next@0:8 pprev@8:8\n"                                                \
	"struct timer_list 24 entry@0=hlist_node expires@16:8\n"                                   \
	"struct sock_backlog 16 rmem_alloc@0:4\n"                                                  \
	"struct sock_common 96 skc_daddr@0:4 skc_rcv_saddr@4:4 skc_dport@8:2 skc_num@10:2 "        \
	"skc_family@12:2 skc_state@14:1 skc_net@16=possible_net_t skc_node@24:8 "                  \
	"skc_refcnt@32:4 skc_listener@40:8 skc_v6_daddr@48=in6_addr "                              \
	"skc_v6_rcv_saddr@64=in6_addr\n"                                                           \
	"struct sock 192 sk_type@96:2 sk_protocol@98:2 sk_uid@100:4 sk_socket@104:8 "              \
	"sk_wmem_alloc@112:4 sk_backlog@116=sock_backlog sk_drops@132:4 sk_ack_backlog@136:4 "     \
	"sk_timer@144=timer_list\n"                                                                \
	"struct socket 32\n"                                                                       \
	"struct inode 64 i_uid@0:4 i_ino@8:8\n"                                                    \
	"struct socket_alloc 128 socket@0=socket vfs_inode@64=inode\n"                             \
	"struct pid_namespace 16 child_reaper@8:8\n"                                               \
	"struct task_struct 32 nsproxy@0:8\n"                                                      \
	"struct nsproxy 32 net_ns@8:8\n"                                                           \
	"struct clocksource 16 mult@0:4 shift@4:4\n"
#define NET_GUEST_NET_LEN 256

typedef struct {
	LinuxGuest g;
	guint64 net;
	VmifsTask init;
} NetGuest;

/* types: what is to be known beyond NET_GUEST_TYPES. */
void
net_guest_init(NetGuest *n, const char *types);
void
net_guest_clear(NetGuest *n);
/* A task in that namespace. */
VmifsTask
net_guest_task(NetGuest *n, guint64 net);
/* The one for sockets whose user and inode are asked of their inode. */
void
net_guest_old_owners(NetGuest *n);
/* Jiffies of 4 ms, now. */
void
net_guest_jiffies(NetGuest *n, guint64 now);

/* A socket of that kind, with two references; its link is put at the address `link`. */
guint64
net_guest_socket(NetGuest *n, LinuxStruct kind, guint64 net, guint family, guint64 link);
/* An inode for it. */
void
net_guest_inode(NetGuest *n, guint64 sk, guint64 uid, guint64 ino);

typedef LINUX_VIEW((*NetGuestView));
/* The text; fails the test when there is none. Nothing may be written any more. (full) */
char *
net_guest_render(NetGuest *n, NetGuestView view, const VmifsTask *task);
