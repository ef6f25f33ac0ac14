/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-counters: what a network device has counted. A driver has a function that tells: which one it
 * is says where the numbers lie. Those of the kernel's own kinds are known here, and of a few
 * drivers that tell their types; what others keep to themselves is not.
 */
#include "net-counters.h"

#include "module-types.h"

/* Numbers in the order of the ABI. */
gboolean
linux_net_stats(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	guint8 bytes[LINUX_NET_N_COUNTERS * 8] = { 0 };

	if (!linux_get_bytes(os, dev, LINUX_FIELD_NETDEV_STATS, bytes, sizeof bytes, error))
		return FALSE;
	for (guint i = 0; i < LINUX_NET_N_COUNTERS; i++)
		ret[i] = linux_word_at(os, bytes, i);
	return TRUE;
}

/* Adds every processor's own of the structure that a field of the device points to. */
static gboolean
add_percpu(const Linux *os, guint64 dev, LinuxField pointer, const LinuxNetPart *parts, gsize n,
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
	static const LinuxNetPart parts[] = {
		{ LINUX_NET_RX_PACKETS, LINUX_FIELD_LSTATS_PACKETS },
		{ LINUX_NET_RX_BYTES, LINUX_FIELD_LSTATS_BYTES },
		{ LINUX_NET_TX_PACKETS, LINUX_FIELD_LSTATS_PACKETS },
		{ LINUX_NET_TX_BYTES, LINUX_FIELD_LSTATS_BYTES },
	};

	return add_percpu(os, dev, LINUX_FIELD_NETDEV_LSTATS, parts, G_N_ELEMENTS(parts), ret,
			  error);
}

gboolean
linux_net_add_lstats(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS],
		     GError **error)
{
	static const LinuxNetPart parts[] = {
		{ LINUX_NET_TX_PACKETS, LINUX_FIELD_LSTATS_PACKETS },
		{ LINUX_NET_TX_BYTES, LINUX_FIELD_LSTATS_BYTES },
	};

	return add_percpu(os, dev, LINUX_FIELD_NETDEV_LSTATS, parts, G_N_ELEMENTS(parts), ret,
			  error);
}

gboolean
linux_net_add_tstats(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS],
		     GError **error)
{
	static const LinuxNetPart parts[] = {
		{ LINUX_NET_RX_PACKETS, LINUX_FIELD_TSTATS_RX_PACKETS },
		{ LINUX_NET_RX_BYTES, LINUX_FIELD_TSTATS_RX_BYTES },
		{ LINUX_NET_TX_PACKETS, LINUX_FIELD_TSTATS_TX_PACKETS },
		{ LINUX_NET_TX_BYTES, LINUX_FIELD_TSTATS_TX_BYTES },
	};

	return add_percpu(os, dev, LINUX_FIELD_NETDEV_TSTATS, parts, G_N_ELEMENTS(parts), ret,
			  error);
}

static gboolean
software(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	return linux_net_stats(os, dev, ret, error) && linux_net_add_tstats(os, dev, ret, error);
}

static gboolean
dropping(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	static const LinuxNetPart parts[] = {
		{ LINUX_NET_RX_PACKETS, LINUX_FIELD_DSTATS_RX_PACKETS },
		{ LINUX_NET_RX_BYTES, LINUX_FIELD_DSTATS_RX_BYTES },
		{ LINUX_NET_TX_PACKETS, LINUX_FIELD_DSTATS_TX_PACKETS },
		{ LINUX_NET_TX_BYTES, LINUX_FIELD_DSTATS_TX_BYTES },
		{ LINUX_NET_RX_DROPPED, LINUX_FIELD_DSTATS_RX_DROPS },
		{ LINUX_NET_TX_DROPPED, LINUX_FIELD_DSTATS_TX_DROPS },
	};

	return linux_net_stats(os, dev, ret, error) &&
	       add_percpu(os, dev, LINUX_FIELD_NETDEV_DSTATS, parts, G_N_ELEMENTS(parts), ret,
			  error);
}

static const struct {
	const char *function;
	gboolean (*read)(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS],
			 GError **error);
	const char *module; /* that has its types; NULL: the kernel has them */
} kinds[] = {
	{ "loopback_get_stats64", loopback },
	{ "dummy_get_stats64", linux_net_add_lstats },
	{ "dev_get_tstats64", software },
	{ "ip_tunnel_get_stats64", software }, /* until 5.11 */
	{ "virtnet_stats", linux_net_virtio, "virtio_net" },
	{ "veth_get_stats64", linux_net_veth, "veth" },
};

/* Devices without a function of their own: newer kernels let them say where they count. */
static gboolean
read_common(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	guint64 type, tstats, dstats;

	if (!linux_has(os, LINUX_FIELD_NETDEV_STAT_TYPE))
		return linux_net_stats(os, dev, ret, error);
	if (!linux_get(os, dev, LINUX_FIELD_NETDEV_STAT_TYPE, &type, error) ||
	    !linux_value(os, LINUX_VALUE_NETDEV_PCPU_STAT_TSTATS, &tstats, error) ||
	    !linux_value(os, LINUX_VALUE_NETDEV_PCPU_STAT_DSTATS, &dstats, error))
		return FALSE;
	if (type == tstats)
		return software(os, dev, ret, error);
	if (type == dstats)
		return dropping(os, dev, ret, error);
	return linux_net_stats(os, dev, ret, error);
}

/* A function by its names. */
typedef struct {
	char *name;
	char *module; /* (nullable) */
} Function;

static void
function_clear(Function *f)
{
	g_clear_pointer(&f->name, g_free);
	g_clear_pointer(&f->module, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Function, function_clear)

/* Which function stands at that address. Of modules, as drivers mostly are, it takes the table of
 * all symbols to know. */
static gboolean
find_function(const Linux *os, guint64 address, Function *ret, const VmifsCall *call,
	      GError **error)
{
	g_autoptr(VmifsSymbols) all = NULL;
	VmifsSymbol symbol;
	guint64 offset;

	if (!os->symbols || !vmifs_symbols_nearest(os->symbols, address, &symbol, &offset) ||
	    offset) {
		all = vmifs_guest_symbols(os->guest, call, error);
		if (!all)
			return FALSE;
		if (!vmifs_symbols_nearest(all, address, &symbol, &offset) || offset) {
			g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "counted by the function at %#" G_GINT64_MODIFIER
				    "x, which is no symbol",
				    address);
			return FALSE;
		}
	}
	ret->name = g_strdup(symbol.name);
	ret->module = g_strdup(symbol.module);
	return TRUE;
}

static gboolean
read_by_function(const Linux *os, guint64 function, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS],
		 const VmifsCall *call, GError **error)
{
	g_auto(Function) f = { 0 };
	Linux driver;

	if (!find_function(os, function, &f, call, error))
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (!g_str_equal(f.name, kinds[i].function))
			continue;
		if (!kinds[i].module || !f.module)
			return kinds[i].read(os, dev, ret, error);
		if (g_str_equal(f.module, kinds[i].module))
			return linux_of_module(os, kinds[i].module, &driver, call, error) &&
			       kinds[i].read(&driver, dev, ret, error);
	}
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
		    "what %s counts is known to its driver only", f.name);
	return FALSE;
}

/* What was dropped before or behind the driver. */
static gboolean
add_dropped(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error)
{
	static const LinuxNetPart parts[] = {
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
