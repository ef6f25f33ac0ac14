/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-drivers: what those drivers have counted that do it in structures of their own: known where
 * the driver's types are. Cards that count by themselves are not among them: what their driver last
 * asked of them is older than what procfs would have shown.
 */
#include "net-counters.h"

#define MAX_QUEUES 4096 /* of one device; QEMU has 1024 */
#define PRIVATE_ALIGN 32

typedef struct {
	LinuxField pointer; /* in the driver's part: to an array */
	LinuxStruct element;
	guint64 n;
} Queues;

/* The driver's part of a device. */
static gboolean
find_private(const Linux *os, guint64 dev, guint64 *ret, GError **error)
{
	guint64 at;

	if (!linux_has(os, LINUX_FIELD_NETDEV_PRIV)) {
		if (!linux_sizeof(os, LINUX_STRUCT_NETDEV, &at, error))
			return FALSE;
		at = (at + PRIVATE_ALIGN - 1) & ~(guint64) (PRIVATE_ALIGN - 1);
	} else if (!linux_offset(os, LINUX_FIELD_NETDEV_PRIV, &at, error)) {
		return FALSE;
	}
	*ret = dev + at;
	return TRUE;
}

/* Adds what each of a device's queues has counted. */
static gboolean
add_queues(const Linux *os, guint64 private, const Queues *queues, const LinuxNetPart *parts,
	   gsize n_parts, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	guint64 base, len, number;

	if (!linux_get(os, private, queues->pointer, &base, error) ||
	    !linux_sizeof(os, queues->element, &len, error))
		return FALSE;
	if (queues->n > MAX_QUEUES) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "%" G_GUINT64_FORMAT " queues make no sense", queues->n);
		return FALSE;
	}
	for (guint64 i = 0; i < queues->n; i++) {
		for (gsize k = 0; k < n_parts; k++) {
			if (!linux_get(os, base + i * len, parts[k].field, &number, error))
				return FALSE;
			ret[parts[k].counter] += number;
		}
	}
	return TRUE;
}

gboolean
linux_net_virtio(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	/* Queues know of these not. */
	static const LinuxNetCounter common[] = { LINUX_NET_TX_DROPPED, LINUX_NET_TX_FIFO_ERRORS,
						  LINUX_NET_RX_LENGTH_ERRORS,
						  LINUX_NET_RX_FRAME_ERRORS };
	static const LinuxNetPart received[] = {
		{ LINUX_NET_RX_PACKETS, LINUX_FIELD_VIRTNET_RQ_PACKETS },
		{ LINUX_NET_RX_BYTES, LINUX_FIELD_VIRTNET_RQ_BYTES },
		{ LINUX_NET_RX_DROPPED, LINUX_FIELD_VIRTNET_RQ_DROPS },
	};
	static const LinuxNetPart sent[] = {
		{ LINUX_NET_TX_PACKETS, LINUX_FIELD_VIRTNET_SQ_PACKETS },
		{ LINUX_NET_TX_BYTES, LINUX_FIELD_VIRTNET_SQ_BYTES },
		{ LINUX_NET_TX_ERRORS, LINUX_FIELD_VIRTNET_SQ_TIMEOUTS }, /* the last */
	};
	gsize n_sent = G_N_ELEMENTS(sent) - !linux_has(os, LINUX_FIELD_VIRTNET_SQ_TIMEOUTS);
	Queues rq = { LINUX_FIELD_VIRTNET_RQ, LINUX_STRUCT_VIRTNET_RQ };
	Queues sq = { LINUX_FIELD_VIRTNET_SQ, LINUX_STRUCT_VIRTNET_SQ };
	guint64 stats[LINUX_NET_N_COUNTERS], private;

	if (!linux_net_stats(os, dev, stats, error) || !find_private(os, dev, &private, error) ||
	    !linux_get(os, private, LINUX_FIELD_VIRTNET_MAX_PAIRS, &rq.n, error))
		return FALSE;
	sq.n = rq.n;
	for (gsize i = 0; i < G_N_ELEMENTS(common); i++)
		ret[common[i]] = stats[common[i]];
	return add_queues(os, private, &rq, received, G_N_ELEMENTS(received), ret, error) &&
	       add_queues(os, private, &sq, sent, n_sent, ret, error);
}

/* ---- veth: what one end has sent, the other has received ---- */

/* What an end's processors have sent, and some received; where that is depends on the kernel. */
static gboolean
add_veth_own(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	guint64 type, lstats, tstats;

	if (!linux_get(os, dev, LINUX_FIELD_NETDEV_STAT_TYPE, &type, error) ||
	    !linux_value(os, LINUX_VALUE_NETDEV_PCPU_STAT_LSTATS, &lstats, error) ||
	    !linux_value(os, LINUX_VALUE_NETDEV_PCPU_STAT_TSTATS, &tstats, error))
		return FALSE;
	if (type == tstats)
		return linux_net_add_tstats(os, dev, ret, error);
	if (type == lstats)
		return linux_net_add_lstats(os, dev, ret, error);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
		    "a pair of devices that counts by no kind known");
	return FALSE;
}

/* What its queues have received through XDP, by names of the ends' counters. */
static gboolean
add_veth_queues(const Linux *os, guint64 dev, const LinuxNetPart *parts, gsize n_parts,
		guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	Queues rq = { LINUX_FIELD_VETH_RQ, LINUX_STRUCT_VETH_RQ };
	guint64 private;

	return find_private(os, dev, &private, error) &&
	       linux_get(os, dev, LINUX_FIELD_NETDEV_NUM_RX_QUEUES, &rq.n, error) &&
	       add_queues(os, private, &rq, parts, n_parts, ret, error);
}

static gboolean
add_veth_peer(const Linux *os, guint64 peer, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	static const LinuxNetPart parts[] = {
		{ LINUX_NET_TX_PACKETS, LINUX_FIELD_VETH_RQ_PACKETS },
		{ LINUX_NET_TX_BYTES, LINUX_FIELD_VETH_RQ_BYTES },
		{ LINUX_NET_TX_DROPPED, LINUX_FIELD_VETH_RQ_PEER_ERRORS },
		{ LINUX_NET_RX_DROPPED, LINUX_FIELD_VETH_RQ_TX_ERRORS },
	};
	guint64 own[LINUX_NET_N_COUNTERS] = { 0 };

	if (!add_veth_own(os, peer, own, error))
		return FALSE;
	ret[LINUX_NET_RX_PACKETS] += own[LINUX_NET_TX_PACKETS];
	ret[LINUX_NET_RX_BYTES] += own[LINUX_NET_TX_BYTES];
	return add_veth_queues(os, peer, parts, G_N_ELEMENTS(parts), ret, error);
}

gboolean
linux_net_veth(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	static const LinuxNetPart parts[] = {
		{ LINUX_NET_RX_PACKETS, LINUX_FIELD_VETH_RQ_PACKETS },
		{ LINUX_NET_RX_BYTES, LINUX_FIELD_VETH_RQ_BYTES },
		{ LINUX_NET_RX_DROPPED, LINUX_FIELD_VETH_RQ_DROPS },
		{ LINUX_NET_RX_DROPPED, LINUX_FIELD_VETH_RQ_PEER_ERRORS },
		{ LINUX_NET_TX_DROPPED, LINUX_FIELD_VETH_RQ_TX_ERRORS },
	};
	guint64 private, peer, dropped;

	if (!find_private(os, dev, &private, error) ||
	    !linux_get(os, private, LINUX_FIELD_VETH_PEER, &peer, error) ||
	    !linux_get(os, private, LINUX_FIELD_VETH_DROPPED, &dropped, error))
		return FALSE;
	ret[LINUX_NET_TX_DROPPED] += dropped;
	return add_veth_own(os, dev, ret, error) &&
	       add_veth_queues(os, dev, parts, G_N_ELEMENTS(parts), ret, error) &&
	       (!peer || add_veth_peer(os, peer, ret, error));
}
