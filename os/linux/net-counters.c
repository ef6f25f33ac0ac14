/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-counters: what a network device has counted. A driver has a function that tells: which one it
 * is says where the numbers lie. Those of the kernel's own kinds are known here; what a driver of
 * hardware keeps to itself is not.
 */
#include "net.h"

#include <spi/bytes.h>

typedef struct {
	LinuxNetCounter counter;
	LinuxField field;
} Part;

/* dev->stats, numbers in the order of the ABI. */
static gboolean
read_stats(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	guint8 bytes[LINUX_NET_N_COUNTERS * 8] = { 0 };

	if (!linux_get_bytes(os, dev, LINUX_FIELD_NETDEV_STATS, bytes, sizeof bytes, error))
		return FALSE;
	for (guint i = 0; i < LINUX_NET_N_COUNTERS; i++)
		ret[i] = vmifs_load_u64(bytes + i * 8);
	return TRUE;
}

/* Adds every processor's own of the structure that a field of the device points to. */
static gboolean
add_percpu(const Linux *os, guint64 dev, LinuxField pointer, const Part *parts, gsize n,
	   guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	guint64 base, own, number;

	if (!linux_get(os, dev, pointer, &base, error))
		return FALSE;
	if (!base)
		return TRUE;
	g_autoptr(GArray) cpus = linux_cpus(os, "__cpu_possible_mask", error);
	if (!cpus)
		return FALSE;
	for (guint i = 0; i < cpus->len; i++) {
		if (!linux_percpu(os, base, g_array_index(cpus, guint32, i), &own, error))
			return FALSE;
		for (gsize k = 0; k < n; k++) {
			if (!linux_get(os, own, parts[k].field, &number, error))
				return FALSE;
			ret[parts[k].counter] += number;
		}
	}
	return TRUE;
}

/* ---- kinds of devices ---- */

static gboolean
loopback(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	static const Part parts[] = {
		{ LINUX_NET_RX_PACKETS, LINUX_FIELD_LSTATS_PACKETS },
		{ LINUX_NET_RX_BYTES, LINUX_FIELD_LSTATS_BYTES },
		{ LINUX_NET_TX_PACKETS, LINUX_FIELD_LSTATS_PACKETS },
		{ LINUX_NET_TX_BYTES, LINUX_FIELD_LSTATS_BYTES },
	};

	return add_percpu(os, dev, LINUX_FIELD_NETDEV_LSTATS, parts, G_N_ELEMENTS(parts), ret,
			  error);
}

static gboolean
dummy(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	static const Part parts[] = {
		{ LINUX_NET_TX_PACKETS, LINUX_FIELD_LSTATS_PACKETS },
		{ LINUX_NET_TX_BYTES, LINUX_FIELD_LSTATS_BYTES },
	};

	return add_percpu(os, dev, LINUX_FIELD_NETDEV_LSTATS, parts, G_N_ELEMENTS(parts), ret,
			  error);
}

static gboolean
software(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	static const Part parts[] = {
		{ LINUX_NET_RX_PACKETS, LINUX_FIELD_TSTATS_RX_PACKETS },
		{ LINUX_NET_RX_BYTES, LINUX_FIELD_TSTATS_RX_BYTES },
		{ LINUX_NET_TX_PACKETS, LINUX_FIELD_TSTATS_TX_PACKETS },
		{ LINUX_NET_TX_BYTES, LINUX_FIELD_TSTATS_TX_BYTES },
	};

	return read_stats(os, dev, ret, error) &&
	       add_percpu(os, dev, LINUX_FIELD_NETDEV_TSTATS, parts, G_N_ELEMENTS(parts), ret,
			  error);
}

static gboolean
dropping(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	static const Part parts[] = {
		{ LINUX_NET_RX_PACKETS, LINUX_FIELD_DSTATS_RX_PACKETS },
		{ LINUX_NET_RX_BYTES, LINUX_FIELD_DSTATS_RX_BYTES },
		{ LINUX_NET_TX_PACKETS, LINUX_FIELD_DSTATS_TX_PACKETS },
		{ LINUX_NET_TX_BYTES, LINUX_FIELD_DSTATS_TX_BYTES },
		{ LINUX_NET_RX_DROPPED, LINUX_FIELD_DSTATS_RX_DROPS },
		{ LINUX_NET_TX_DROPPED, LINUX_FIELD_DSTATS_TX_DROPS },
	};

	return read_stats(os, dev, ret, error) &&
	       add_percpu(os, dev, LINUX_FIELD_NETDEV_DSTATS, parts, G_N_ELEMENTS(parts), ret,
			  error);
}

static const struct {
	const char *function;
	gboolean (*read)(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS],
			 GError **error);
} kinds[] = {
	{ "loopback_get_stats64", loopback },
	{ "dummy_get_stats64", dummy },
	{ "dev_get_tstats64", software },
	{ "ip_tunnel_get_stats64", software }, /* until 5.11 */
};

/* Devices without a function of their own: newer kernels let them say where they count. */
static gboolean
read_common(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	guint64 type, tstats, dstats;

	if (!linux_has(os, LINUX_FIELD_NETDEV_STAT_TYPE))
		return read_stats(os, dev, ret, error);
	if (!linux_get(os, dev, LINUX_FIELD_NETDEV_STAT_TYPE, &type, error) ||
	    !linux_value(os, LINUX_VALUE_NETDEV_PCPU_STAT_TSTATS, &tstats, error) ||
	    !linux_value(os, LINUX_VALUE_NETDEV_PCPU_STAT_DSTATS, &dstats, error))
		return FALSE;
	if (type == tstats)
		return software(os, dev, ret, error);
	if (type == dstats)
		return dropping(os, dev, ret, error);
	return read_stats(os, dev, ret, error);
}

/* Which function stands at that address. Of modules, as drivers mostly are, it takes the table of
 * all symbols to know. (full) */
static char *
function_name(const Linux *os, guint64 function, const VmifsCall *call, GError **error)
{
	VmifsSymbol symbol;
	guint64 offset;

	if (os->symbols && vmifs_symbols_nearest(os->symbols, function, &symbol, &offset) &&
	    !offset)
		return g_strdup(symbol.name);
	g_autoptr(VmifsSymbols) all = vmifs_guest_symbols(os->guest, call, error);
	if (!all)
		return NULL;
	if (vmifs_symbols_nearest(all, function, &symbol, &offset) && !offset)
		return g_strdup(symbol.name);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
		    "counted by the function at %#" G_GINT64_MODIFIER "x, which is no symbol",
		    function);
	return NULL;
}

static gboolean
read_by_function(const Linux *os, guint64 function, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS],
		 const VmifsCall *call, GError **error)
{
	g_autofree char *name = function_name(os, function, call, error);

	if (!name)
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (g_str_equal(name, kinds[i].function))
			return kinds[i].read(os, dev, ret, error);
	}
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
		    "what %s counts is known to its driver only", name);
	return FALSE;
}

/* What was dropped before or behind the driver. */
static gboolean
add_dropped(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	static const Part parts[] = {
		{ LINUX_NET_RX_DROPPED, LINUX_FIELD_CORE_STATS_RX_DROPPED },
		{ LINUX_NET_TX_DROPPED, LINUX_FIELD_CORE_STATS_TX_DROPPED },
	};
	LinuxCursor c = { .os = os };

	if (linux_has(os, LINUX_FIELD_NETDEV_CORE_STATS))
		return add_percpu(os, dev, LINUX_FIELD_NETDEV_CORE_STATS, parts,
				  G_N_ELEMENTS(parts), ret, error);
	ret[LINUX_NET_RX_DROPPED] += linux_take(&c, dev, LINUX_FIELD_NETDEV_RX_DROPPED);
	ret[LINUX_NET_TX_DROPPED] += linux_take(&c, dev, LINUX_FIELD_NETDEV_TX_DROPPED);
	return linux_cursor_end(&c, error);
}

gboolean
linux_net_counters(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS],
		   const VmifsCall *call, GError **error)
{
	guint64 n[LINUX_NET_N_COUNTERS] = { 0 }, ops, function;

	if (!linux_get(os, dev, LINUX_FIELD_NETDEV_OPS, &ops, error) ||
	    !linux_get(os, ops, LINUX_FIELD_NETDEV_OPS_GET_STATS64, &function, error) ||
	    (!function && !linux_get(os, ops, LINUX_FIELD_NETDEV_OPS_GET_STATS, &function, error)))
		return FALSE;
	if (!(function ? read_by_function(os, function, dev, n, call, error)
		       : read_common(os, dev, n, error)) ||
	    !add_dropped(os, dev, n, error))
		return FALSE;
	memcpy(ret, n, sizeof n);
	return TRUE;
}
