/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-route: /proc/net/route: the main table of IPv4's routes, a trie whose leaves, from left to
 * right, are in the order of addresses:
 *
 *   root -> node of 2^bits children -> node ... -> leaf (key) -> alias (route) -> alias ...
 */
#include "net.h"
#include "seen.h"

#define WIDTH 127
#define KEY_LEN 32
#define MAX_DEPTH 34                /* each node decides a bit at least */
#define MAX_SLOTS (4 * 1024 * 1024) /* of all nodes together */
#define MAX_ROUTES (512 * 1024)

enum { /* fib_alias.fa_type */
       TYPE_BROADCAST = 3,
       TYPE_MULTICAST = 5,
       TYPE_UNREACHABLE = 7,
       TYPE_PROHIBIT = 8,
};

enum {
	FLAG_UP = 0x1,
	FLAG_GATEWAY = 0x2,
	FLAG_HOST = 0x4,
	FLAG_REJECT = 0x200,
};

enum { /* indexes into dst_metrics.metrics */
       METRIC_WINDOW = 2,
       METRIC_RTT = 3,
       METRIC_ADVMSS = 7,
};

typedef struct {
	const Linux *os;
	GString *out;
	guint64 table;  /* number of the main table */
	guint32 prefix; /* of the leaf at hand */
	guint n_routes;
	guint n_slots;
	GHashTable *seen; /* nodes */
	const VmifsCall *call;
} Walk;

/* ---- a route ---- */

gboolean
linux_net_nexthop(const Linux *os, guint64 nexthop, guint64 own, guint64 *ret, GError **error)
{
	LinuxCursor c = { .os = os };
	guint64 group, at, nhc_at;

	if (!nexthop) {
		*ret = own;
		return TRUE;
	}
	if (linux_take(&c, nexthop, LINUX_FIELD_NEXTHOP_IS_GROUP)) {
		group = linux_take(&c, nexthop, LINUX_FIELD_NEXTHOP_GROUP);
		if (!linux_take(&c, group, LINUX_FIELD_NH_GROUP_NUM)) {
			*ret = 0;
			return linux_cursor_end(&c, error);
		}
		if (!linux_offset(os, LINUX_FIELD_NH_GROUP_ENTRIES, &at, &c.error))
			return linux_cursor_end(&c, error);
		nexthop = linux_take(&c, group + at, LINUX_FIELD_NH_GRP_ENTRY_NEXTHOP);
	}
	guint64 info = linux_take(&c, nexthop, LINUX_FIELD_NEXTHOP_INFO);
	if (!linux_cursor_end(&c, error) ||
	    !linux_offset(os, LINUX_FIELD_NH_INFO_NHC, &nhc_at, error))
		return FALSE;
	*ret = info + nhc_at;
	return TRUE;
}

static guint32
take_metric(LinuxCursor *c, guint64 metrics, guint index)
{
	guint64 value;

	if (c->error ||
	    !linux_load(c->os,
			linux_layout_element(c->os->layout, LINUX_FIELD_DST_METRICS_METRICS,
					     metrics, index),
			4, &value, &c->error))
		return 0;
	return (guint32) value;
}

static gboolean
find_nexthop(const Linux *os, guint64 info, guint64 *ret, GError **error)
{
	guint64 shared = 0, own_at, common_at;

	return (!linux_has(os, LINUX_FIELD_FIB_INFO_NEXTHOP) ||
		linux_get(os, info, LINUX_FIELD_FIB_INFO_NEXTHOP, &shared, error)) &&
	       linux_offset(os, LINUX_FIELD_FIB_INFO_OWN_NEXTHOP, &own_at, error) &&
	       linux_offset(os, LINUX_FIELD_FIB_NH_COMMON, &common_at, error) &&
	       linux_net_nexthop(os, shared, info + own_at + common_at, ret, error);
}

static gboolean
append_by_info(Walk *w, guint64 info, guint flags, guint32 mask, GError **error)
{
	LinuxCursor c = { .os = w->os };
	guint64 nhc, gateway = 0, any_gateway = 0, dev = 0;
	g_autofree char *name = NULL;

	if (!find_nexthop(w->os, info, &nhc, error))
		return FALSE;
	if (nhc) {
		dev = linux_take(&c, nhc, LINUX_FIELD_NHC_DEV);
		any_gateway = linux_take(&c, nhc, LINUX_FIELD_NHC_GW4);
		if (linux_take(&c, nhc, LINUX_FIELD_NHC_GW_FAMILY) == LINUX_AF_INET)
			gateway = any_gateway;
	}
	guint64 metrics = linux_take(&c, info, LINUX_FIELD_FIB_INFO_METRICS);
	guint32 advmss = take_metric(&c, metrics, METRIC_ADVMSS);
	guint64 priority = linux_take(&c, info, LINUX_FIELD_FIB_INFO_PRIORITY);
	name = dev && !c.error ? linux_net_device_name(w->os, dev, &c.error) : g_strdup("*");
	if (!c.error)
		g_string_append_printf(w->out, "%s\t%08X\t%08X\t%04X\t0\t0\t%d\t%08X\t%d\t%u\t%u",
				       name, GUINT32_SWAP_LE_BE(w->prefix), (guint) gateway,
				       flags | (any_gateway ? FLAG_GATEWAY : 0), (gint) priority,
				       mask, (gint) (advmss ? advmss + 40 : 0),
				       take_metric(&c, metrics, METRIC_WINDOW),
				       take_metric(&c, metrics, METRIC_RTT) >> 3);
	return linux_cursor_end(&c, error);
}

static gboolean
append_route(Walk *w, guint64 alias, GError **error)
{
	LinuxCursor c = { .os = w->os };
	guint64 type = linux_take(&c, alias, LINUX_FIELD_FIB_ALIAS_TYPE);
	guint64 table = linux_take(&c, alias, LINUX_FIELD_FIB_ALIAS_TABLE);
	guint64 slen = linux_take(&c, alias, LINUX_FIELD_FIB_ALIAS_SLEN);
	guint64 info = linux_take(&c, alias, LINUX_FIELD_FIB_ALIAS_INFO);
	gsize start = w->out->len;

	if (!linux_cursor_end(&c, error))
		return FALSE;
	if (type == TYPE_BROADCAST || type == TYPE_MULTICAST || table != w->table)
		return TRUE;
	guint32 mask = slen < KEY_LEN ? G_MAXUINT32 << slen : 0;
	guint flags = FLAG_UP | (mask == G_MAXUINT32 ? FLAG_HOST : 0) |
		      (type == TYPE_UNREACHABLE || type == TYPE_PROHIBIT ? FLAG_REJECT : 0);
	mask = GUINT32_SWAP_LE_BE(mask);
	if (!info)
		g_string_append_printf(w->out, "*\t%08X\t00000000\t%04X\t0\t0\t0\t%08X\t0\t0\t0",
				       GUINT32_SWAP_LE_BE(w->prefix), flags, mask);
	else if (!append_by_info(w, info, flags, mask, error))
		return FALSE;
	linux_pad(w->out, start, WIDTH);
	return TRUE;
}

static gboolean
visit_route(guint64 alias, guint64 chain, gpointer user)
{
	Walk *w = user;
	gsize start = w->out->len;
	g_autoptr(GError) error = NULL;

	if (!append_route(w, alias, &error)) {
		g_string_truncate(w->out, start);
		vmifs_guest_log(w->os->guest, "route %#" G_GINT64_MODIFIER "x: %s", alias,
				error->message);
	}
	return ++w->n_routes < MAX_ROUTES;
}

/* ---- the trie ---- */

typedef struct {
	guint64 children; /* address of the next */
	guint64 left;
} Level;

static gboolean
visit_leaf(Walk *w, guint64 leaf, GError **error)
{
	LinuxHash routes = { .n = 1, .stride = 8, .name = "net/route" };
	guint64 key, at;

	if (!linux_get(w->os, leaf, LINUX_FIELD_KEY_VECTOR_KEY, &key, error) ||
	    !linux_offset(w->os, LINUX_FIELD_KEY_VECTOR_LEAF, &at, error) ||
	    !linux_offset(w->os, LINUX_FIELD_FIB_ALIAS_NODE, &routes.link_at, error))
		return FALSE;
	w->prefix = (guint32) key;
	routes.heads = leaf + at;
	return linux_hash_each(w->os, &routes, visit_route, w, w->call, error);
}

/* Of a node that is no leaf: the level of its children. */
static gboolean
enter(Walk *w, guint64 node, Level *levels, guint *depth, GError **error)
{
	guint64 bits, at;

	if (!linux_get(w->os, node, LINUX_FIELD_KEY_VECTOR_BITS, &bits, error))
		return FALSE;
	if (!bits)
		return visit_leaf(w, node, error);
	if (bits > KEY_LEN || *depth == MAX_DEPTH || !linux_seen_add(w->seen, node)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "a trie that leads in circles, or of too many levels");
		return FALSE;
	}
	if (!linux_offset(w->os, LINUX_FIELD_KEY_VECTOR_CHILDREN, &at, error))
		return FALSE;
	levels[(*depth)++] = (Level){ node + at, G_GUINT64_CONSTANT(1) << bits };
	return TRUE;
}

static gboolean
walk_trie(Walk *w, guint64 first_child, GError **error)
{
	Level levels[MAX_DEPTH];
	guint depth = 1;
	guint64 node;

	levels[0] = (Level){ first_child, 1 };
	while (depth && w->n_routes < MAX_ROUTES) {
		Level *level = &levels[depth - 1];
		if (!level->left) {
			depth--;
			continue;
		}
		if (w->n_slots++ == MAX_SLOTS) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
					    "a trie that does not end");
			return FALSE;
		}
		if (w->n_slots % 256 == 0 && !vmifs_call_check(w->call, error))
			return FALSE;
		if (!linux_load_word(w->os, level->children, &node, error))
			return FALSE;
		level->children += linux_word(w->os);
		level->left--;
		if (node && !enter(w, node, levels, &depth, error))
			return FALSE;
	}
	return TRUE;
}

LINUX_VIEW(linux_render_net_route)
{
	Walk w = { .os = os, .out = out, .call = call };
	guint64 net, table, trie, root_at, children_at;

	if (!linux_net(os, task, &net, error) ||
	    !linux_get(os, net, LINUX_FIELD_NET_FIB_MAIN, &table, error))
		return FALSE;
	/* Made with its first route. */
	if (!table)
		return TRUE;
	if (!linux_get(os, table, LINUX_FIELD_FIB_TABLE_ID, &w.table, error) ||
	    !linux_get(os, table, LINUX_FIELD_FIB_TABLE_DATA, &trie, error) ||
	    !linux_offset(os, LINUX_FIELD_TRIE_ROOT, &root_at, error) ||
	    !linux_offset(os, LINUX_FIELD_KEY_VECTOR_CHILDREN, &children_at, error))
		return FALSE;
	g_string_append_printf(out, "%-*s\n", WIDTH,
			       "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\t"
			       "MTU\tWindow\tIRTT");
	g_autoptr(GHashTable) seen = linux_seen_new();
	w.seen = seen;
	return walk_trie(&w, trie + root_at + children_at, error);
}
