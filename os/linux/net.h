/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net: what the texts below net/ have in common: a namespace, and sockets as lines. */
#pragma once

#include "hash.h"
#include "pointers.h"

G_BEGIN_DECLS

#define LINUX_AF_INET 2
#define LINUX_AF_INET6 10

enum { /* sock_common.skc_state, of all kinds of sockets */
       LINUX_TCP_ESTABLISHED = 1,
       LINUX_TCP_SYN_RECV = 3,
       LINUX_TCP_TIME_WAIT = 6,
       LINUX_TCP_LISTEN = 10,
       LINUX_TCP_NEW_SYN_RECV = 12,
};

/* Address of the struct net that the task sees; without one, that of the guest's pid 1. */
gboolean
linux_net(const Linux *os, const VmifsTask *task, guint64 *ret, GError **error);

/* ---- a text with a line for each socket: net-socket.c ---- */

typedef struct LinuxSockets LinuxSockets;
struct LinuxSockets {
	const Linux *os;
	guint64 net;
	guint64 family; /* 0: any */
	LinuxPointers pointers;
	GString *out;
	guint64 n_lines;
	guint n_seen; /* of all tables together */
	/* Appends the line of a socket; chain: where in the table it was found. */
	gboolean (*append)(LinuxSockets *sockets, guint64 sk, guint64 chain, GError **error);
	gconstpointer user;
};

/* For the namespace of that task. */
gboolean
linux_sockets_init(LinuxSockets *sockets, const Linux *os, const VmifsTask *task, GString *out,
		   GError **error);
/* A line for every socket of the table that is of the namespace and family. One that cannot be read
 * is logged and left out. */
gboolean
linux_sockets_append(LinuxSockets *sockets, const LinuxHash *hash, const VmifsCall *call,
		     GError **error);

/* "address:port address:port", with their length by the family; ports in the host's order. */
void
linux_sock_append_addresses(LinuxSockets *sockets, LinuxCursor *c, guint64 sk, guint64 local_port,
			    guint64 remote_port);
/* A port as a structure has it. */
static inline guint64
linux_port(guint64 be)
{
	return GUINT16_SWAP_LE_BE((guint16) be);
}
/* Blanks up to a width from start on, and a newline: the kernel's seq_pad(). */
void
linux_pad(GString *out, gsize start, gsize width);
/* LinuxHashVisit for other tables of sockets; user is the LinuxSockets. */
gboolean
linux_sockets_visit(guint64 sk, guint64 chain, gpointer user);

/* What procfs shows as the owner, and as the inode; 0 without one. */
guint64
linux_sock_uid(LinuxCursor *c, guint64 sk);
guint64
linux_sock_inode(LinuxCursor *c, guint64 sk);

/* ---- devices: net-device.c ---- */

/* Its name, made fit to be shown. (full) */
char *
linux_net_device_name(const Linux *os, guint64 dev, GError **error);

/* Address of the struct fib_nh_common by which a route goes, the first of several; 0: by none.
 * nexthop: the object that routes may share, else own. */
gboolean
linux_net_nexthop(const Linux *os, guint64 nexthop, guint64 own, guint64 *ret, GError **error);

/* What a device has counted, in the order of the kernel's ABI (struct rtnl_link_stats64). */
typedef enum {
	LINUX_NET_RX_PACKETS,
	LINUX_NET_TX_PACKETS,
	LINUX_NET_RX_BYTES,
	LINUX_NET_TX_BYTES,
	LINUX_NET_RX_ERRORS,
	LINUX_NET_TX_ERRORS,
	LINUX_NET_RX_DROPPED,
	LINUX_NET_TX_DROPPED,
	LINUX_NET_MULTICAST,
	LINUX_NET_COLLISIONS,
	LINUX_NET_RX_LENGTH_ERRORS,
	LINUX_NET_RX_OVER_ERRORS,
	LINUX_NET_RX_CRC_ERRORS,
	LINUX_NET_RX_FRAME_ERRORS,
	LINUX_NET_RX_FIFO_ERRORS,
	LINUX_NET_RX_MISSED_ERRORS,
	LINUX_NET_TX_ABORTED_ERRORS,
	LINUX_NET_TX_CARRIER_ERRORS,
	LINUX_NET_TX_FIFO_ERRORS,
	LINUX_NET_TX_HEARTBEAT_ERRORS,
	LINUX_NET_TX_WINDOW_ERRORS,
	LINUX_NET_RX_COMPRESSED,
	LINUX_NET_TX_COMPRESSED,
	LINUX_NET_N_COUNTERS,
} LinuxNetCounter;

/* UNSUPPORTED, naming the driver's function, where only the driver knows: net-counters.c. */
gboolean
linux_net_counters(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS],
		   const VmifsCall *call, GError **error);

G_END_DECLS
