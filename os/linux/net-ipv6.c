/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-ipv6: IPv6's addresses (if_inet6) and routes (ipv6_route). A table of routes is a tree of two
 * children, where a node comes behind all that are below it; a node may hold a tree of its own, of
 * the same routes by their source.
 */
#include "net.h"
#include "seen.h"

#include <spi/bytes.h>

#define N_CHAINS 256
#define MAX_DEPTH 300 /* each level decides a bit of 128, of source and destination */
#define MAX_SEEN (512 * 1024)
#define HAS_ROUTES 0x4 /* fib6_node.fn_flags */
#define FLAG_GATEWAY 0x2

/* As 32 digits. */
static gboolean
append_digits(const Linux *os, guint64 object, LinuxField field, GString *out, GError **error)
{
	guint8 bytes[16];

	if (!linux_get_bytes(os, object, field, bytes, sizeof bytes, error))
		return FALSE;
	for (guint i = 0; i < sizeof bytes; i++)
		g_string_append_printf(out, "%02x", bytes[i]);
	return TRUE;
}

/* ---- addresses ---- */

typedef struct {
	const Linux *os;
	guint64 net;
	GString *out;
	const VmifsCall *call;
	GHashTable *seen; /* routes and nodes of a table: all have the route to nowhere */
	guint n_seen;     /* of all of them */
} Walk;

static gboolean
append_address(const Walk *w, guint64 address, GError **error)
{
	LinuxCursor c = { .os = w->os };
	guint64 idev = linux_take(&c, address, LINUX_FIELD_IFADDR6_IDEV);
	guint64 dev = linux_take(&c, idev, LINUX_FIELD_IDEV6_DEV);
	guint64 net = linux_take(&c, dev, LINUX_FIELD_NETDEV_NET);

	if (!linux_cursor_end(&c, error))
		return FALSE;
	if (net != w->net)
		return TRUE;
	g_autofree char *name = linux_net_device_name(w->os, dev, error);
	if (!name || !append_digits(w->os, address, LINUX_FIELD_IFADDR6_ADDR, w->out, error))
		return FALSE;
	g_string_append_printf(w->out, " %02x %02x %02x %02x %8s\n",
			       (guint) linux_take(&c, dev, LINUX_FIELD_NETDEV_IFINDEX),
			       (guint) linux_take(&c, address, LINUX_FIELD_IFADDR6_PREFIX_LEN),
			       (guint) linux_take(&c, address, LINUX_FIELD_IFADDR6_SCOPE),
			       (guint) linux_take(&c, address, LINUX_FIELD_IFADDR6_FLAGS) & 0xff,
			       name);
	return linux_cursor_end(&c, error);
}

static gboolean
visit_address(guint64 address, guint64 chain, gpointer user)
{
	const Walk *w = user;
	gsize start = w->out->len;
	g_autoptr(GError) error = NULL;

	if (!append_address(w, address, &error)) {
		g_string_truncate(w->out, start);
		vmifs_guest_log(w->os->guest, "IPv6 address %#" G_GINT64_MODIFIER "x: %s", address,
				error->message);
	}
	return TRUE;
}

LINUX_VIEW(linux_render_net_if_inet6)
{
	Walk w = { .os = os, .out = out };
	LinuxHash table = { .n = N_CHAINS, .stride = 8, .name = "net/if_inet6" };

	if (!linux_net(os, task, &w.net, error) ||
	    !linux_offset(os, LINUX_FIELD_IFADDR6_NODE, &table.link_at, error))
		return FALSE;
	if (linux_has(os, LINUX_FIELD_NET_IFADDR6_TABLE)) {
		if (!linux_get(os, w.net, LINUX_FIELD_NET_IFADDR6_TABLE, &table.heads, error))
			return FALSE;
	} else if (!linux_symbol(os, "inet6_addr_lst", &table.heads, error)) {
		return FALSE;
	}
	return linux_hash_each(os, &table, visit_address, &w, call, error);
}

/* ---- a route ---- */

static gboolean
append_source(const Walk *w, guint64 route, GError **error)
{
	guint64 len;

	if (!linux_has(w->os, LINUX_FIELD_FIB6_NODE_SUBTREE)) {
		g_string_append(w->out, "00000000000000000000000000000000 00 ");
		return TRUE;
	}
	if (!append_digits(w->os, route, LINUX_FIELD_FIB6_INFO_SRC, w->out, error) ||
	    !linux_get(w->os, route, LINUX_FIELD_FIB6_INFO_SRC_LEN, &len, error))
		return FALSE;
	g_string_append_printf(w->out, " %02x ", (guint) len);
	return TRUE;
}

static gboolean
find_nexthop(const Linux *os, guint64 route, guint64 *ret, GError **error)
{
	guint64 shared = 0, own_at, common_at;

	return (!linux_has(os, LINUX_FIELD_FIB6_INFO_NEXTHOP) ||
		linux_get(os, route, LINUX_FIELD_FIB6_INFO_NEXTHOP, &shared, error)) &&
	       linux_offset(os, LINUX_FIELD_FIB6_INFO_OWN_NEXTHOP, &own_at, error) &&
	       linux_offset(os, LINUX_FIELD_FIB6_NH_COMMON, &common_at, error) &&
	       linux_net_nexthop(os, shared, route + own_at + common_at, ret, error);
}

/* Appends the gateway. Where there is a device, name is it. */
static gboolean
append_gateway(const Walk *w, guint64 route, guint64 *flags, char **ret_name, GError **error)
{
	guint64 nhc, family = 0, dev = 0;

	if (!find_nexthop(w->os, route, &nhc, error) ||
	    (nhc && (!linux_get(w->os, nhc, LINUX_FIELD_NHC_GW_FAMILY, &family, error) ||
		     !linux_get(w->os, nhc, LINUX_FIELD_NHC_DEV, &dev, error))))
		return FALSE;
	if (family) {
		*flags |= FLAG_GATEWAY;
		if (!append_digits(w->os, nhc, LINUX_FIELD_NHC_GW6, w->out, error))
			return FALSE;
	} else {
		g_string_append(w->out, "00000000000000000000000000000000");
	}
	*ret_name = dev ? linux_net_device_name(w->os, dev, error) : g_strdup("");
	return *ret_name != NULL;
}

static gboolean
append_route(const Walk *w, guint64 route, GError **error)
{
	LinuxCursor c = { .os = w->os };
	guint64 flags = linux_take(&c, route, LINUX_FIELD_FIB6_INFO_FLAGS);
	guint64 len = linux_take(&c, route, LINUX_FIELD_FIB6_INFO_DST_LEN);
	guint64 metric = linux_take(&c, route, LINUX_FIELD_FIB6_INFO_METRIC);
	guint64 refs = linux_take(&c, route, LINUX_FIELD_FIB6_INFO_REF);
	g_autofree char *name = NULL;

	if (!linux_cursor_end(&c, error) ||
	    !append_digits(w->os, route, LINUX_FIELD_FIB6_INFO_DST, w->out, error))
		return FALSE;
	g_string_append_printf(w->out, " %02x ", (guint) len);
	if (!append_source(w, route, error) || !append_gateway(w, route, &flags, &name, error))
		return FALSE;
	g_string_append_printf(w->out, " %08x %08x %08x %08x %8s\n", (guint) metric, (guint) refs,
			       0, (guint) flags, name);
	return TRUE;
}

/* ---- the tree ---- */

/* Of every route and node that the walk comes to: FALSE where it must not go on. */
static gboolean
may_go_on(Walk *w, guint64 address, GError **error)
{
	if (w->n_seen % 256 == 0 && !vmifs_call_check(w->call, error))
		return FALSE;
	if (w->n_seen < MAX_SEEN && linux_seen_add(w->seen, address)) {
		w->n_seen++;
		return TRUE;
	}
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "routes that lead in circles, or too many");
	return FALSE;
}

/* A node's routes, one behind the other. */
static gboolean
append_routes(Walk *w, guint64 node, GError **error)
{
	guint64 flags, route;

	if (!linux_get(w->os, node, LINUX_FIELD_FIB6_NODE_FLAGS, &flags, error) ||
	    !linux_get(w->os, node, LINUX_FIELD_FIB6_NODE_LEAF, &route, error))
		return FALSE;
	if (!(flags & HAS_ROUTES))
		return TRUE;
	while (route) {
		gsize start = w->out->len;
		if (!may_go_on(w, route, error))
			return FALSE;
		if (!append_route(w, route, error)) {
			g_string_truncate(w->out, start);
			return FALSE;
		}
		if (!linux_get(w->os, route, LINUX_FIELD_FIB6_INFO_NEXT, &route, error))
			return FALSE;
	}
	return TRUE;
}

typedef struct {
	guint64 node;
	guint step; /* which of what is below comes next */
} Level;

static gboolean
walk_tree(Walk *w, guint64 root, GError **error)
{
	static const LinuxField below[] = { LINUX_FIELD_FIB6_NODE_SUBTREE,
					    LINUX_FIELD_FIB6_NODE_LEFT,
					    LINUX_FIELD_FIB6_NODE_RIGHT };
	g_autofree Level *levels = g_new(Level, MAX_DEPTH);
	guint depth = 1;

	levels[0] = (Level){ root, 0 };
	while (depth) {
		Level *level = &levels[depth - 1];
		guint64 child = 0;

		if (level->step == G_N_ELEMENTS(below)) {
			if (!append_routes(w, level->node, error))
				return FALSE;
			depth--;
			continue;
		}
		LinuxField field = below[level->step++];
		if (linux_has(w->os, field) && !linux_get(w->os, level->node, field, &child, error))
			return FALSE;
		if (!child)
			continue;
		if (!may_go_on(w, child, error))
			return FALSE;
		if (depth == MAX_DEPTH) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
					    "a tree of routes of too many levels");
			return FALSE;
		}
		levels[depth++] = (Level){ child, 0 };
	}
	return TRUE;
}

static gboolean
visit_table(guint64 table, guint64 chain, gpointer user)
{
	Walk *w = user;
	g_autoptr(GHashTable) seen = linux_seen_new();
	g_autoptr(GError) error = NULL;
	guint64 at;

	w->seen = seen;
	if (linux_offset(w->os, LINUX_FIELD_FIB6_TABLE_ROOT, &at, &error) &&
	    walk_tree(w, table + at, &error))
		return TRUE;
	vmifs_guest_log(w->os->guest, "net/ipv6_route: %s", error->message);
	return w->n_seen < MAX_SEEN && vmifs_call_check(w->call, NULL);
}

LINUX_VIEW(linux_render_net_ipv6_route)
{
	Walk w = { .os = os, .out = out, .call = call };
	LinuxHash tables = { .n = N_CHAINS, .stride = 8, .name = "net/ipv6_route" };

	return linux_net(os, task, &w.net, error) &&
	       linux_get(os, w.net, LINUX_FIELD_NET_FIB6_TABLES, &tables.heads, error) &&
	       linux_offset(os, LINUX_FIELD_FIB6_TABLE_NODE, &tables.link_at, error) &&
	       linux_hash_each(os, &tables, visit_table, &w, call, error) &&
	       vmifs_call_check(call, error);
}
