/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-arp: /proc/net/arp: the hardware addresses of IPv4's neighbours, then the addresses that are
 * answered for in others' stead. One table serves all namespaces.
 */
#include "net.h"

#define N_PROXY_CHAINS 16
#define MAX_SHIFT 24
#define MAX_ADDRESS 32
#define SHOWN_ADDRESS 9 /* as many as fit in the kernel's 30 characters */

enum { /* neighbour.nud_state */
       NUD_REACHABLE = 0x02,
       NUD_STALE = 0x04,
       NUD_DELAY = 0x08,
       NUD_PROBE = 0x10,
       NUD_NOARP = 0x40,
       NUD_PERMANENT = 0x80,
       NUD_VALID = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY,
};

enum {
	FLAG_COMPLETE = 0x2,
	FLAG_PERMANENT = 0x4,
	FLAG_PUBLISHED = 0x8,
};

typedef struct {
	const Linux *os;
	guint64 net;
	GString *out;
} Table;

static gboolean
append_start(const Table *t, guint64 key, guint64 dev, guint flags, GError **error)
{
	guint8 ip[4];
	guint64 type = 0;

	if (!vmifs_aspace_read(t->os->aspace, key, ip, sizeof ip, error) ||
	    (dev && !linux_get(t->os, dev, LINUX_FIELD_NETDEV_TYPE, &type, error)))
		return FALSE;
	g_autofree char *text = g_strdup_printf("%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
	g_string_append_printf(t->out, "%-16s 0x%-10x0x%-10x", text, (guint) type, flags);
	return TRUE;
}

static gboolean
append_end(const Table *t, const char *hardware, guint64 dev, GError **error)
{
	g_autofree char *name = dev ? linux_net_device_name(t->os, dev, error) : g_strdup("*");

	if (!name)
		return FALSE;
	g_string_append_printf(t->out, "%-17s     *        %s\n", hardware, name);
	return TRUE;
}

static gboolean
append_neighbour(const Table *t, guint64 n, GError **error)
{
	LinuxCursor c = { .os = t->os };
	guint64 dev = linux_take(&c, n, LINUX_FIELD_NEIGHBOUR_DEV), key_at;
	guint64 state = linux_take(&c, n, LINUX_FIELD_NEIGHBOUR_STATE);
	guint64 net = linux_take(&c, dev, LINUX_FIELD_NETDEV_NET);
	guint64 len = linux_take(&c, dev, LINUX_FIELD_NETDEV_ADDR_LEN);
	guint flags = state & NUD_PERMANENT ? FLAG_PERMANENT | FLAG_COMPLETE
		      : state & NUD_VALID   ? FLAG_COMPLETE
					    : 0;
	guint8 bytes[MAX_ADDRESS];
	char text[3 * SHOWN_ADDRESS + 1] = "";

	if (!linux_cursor_end(&c, error))
		return FALSE;
	if (net != t->net || !(state & ~(guint64) NUD_NOARP))
		return TRUE;
	if (!linux_get_bytes(t->os, n, LINUX_FIELD_NEIGHBOUR_HA, bytes, sizeof bytes, error) ||
	    !linux_offset(t->os, LINUX_FIELD_NEIGHBOUR_KEY, &key_at, error) ||
	    !append_start(t, n + key_at, dev, flags, error))
		return FALSE;
	len = MIN(len, SHOWN_ADDRESS);
	for (guint i = 0; i < len; i++)
		g_snprintf(text + i * 3, sizeof text - i * 3, i + 1 < len ? "%02x:" : "%02x",
			   bytes[i]);
	return append_end(t, text, dev, error);
}

static gboolean
append_proxy(const Table *t, guint64 p, GError **error)
{
	LinuxCursor c = { .os = t->os };
	guint64 dev = linux_take(&c, p, LINUX_FIELD_PNEIGH_DEV), key_at;
	guint64 net = linux_take(&c, p, LINUX_FIELD_PNEIGH_NET);

	if (!linux_cursor_end(&c, error))
		return FALSE;
	if (net != t->net)
		return TRUE;
	return linux_offset(t->os, LINUX_FIELD_PNEIGH_KEY, &key_at, error) &&
	       append_start(t, p + key_at, dev, FLAG_PUBLISHED | FLAG_PERMANENT, error) &&
	       append_end(t, "00:00:00:00:00:00", dev, error);
}

static void
visit(const Table *t, guint64 entry,
      gboolean (*append)(const Table *t, guint64 entry, GError **error))
{
	gsize start = t->out->len;
	g_autoptr(GError) error = NULL;

	if (append(t, entry, &error))
		return;
	g_string_truncate(t->out, start);
	vmifs_guest_log(t->os->guest, "neighbour %#" G_GINT64_MODIFIER "x: %s", entry,
			error->message);
}

static gboolean
visit_neighbour(guint64 entry, guint64 chain, gpointer user)
{
	visit(user, entry, append_neighbour);
	return TRUE;
}

static gboolean
visit_proxy(guint64 entry, guint64 chain, gpointer user)
{
	visit(user, entry, append_proxy);
	return TRUE;
}

LINUX_VIEW(linux_render_net_arp)
{
	Table t = { .os = os, .out = out };
	LinuxHash neighbours = { .stride = 8, .name = "net/arp" };
	LinuxHash proxies = { .n = N_PROXY_CHAINS, .stride = 8, .name = "net/arp" };
	guint64 table, hash, shift;

	if (!linux_net(os, task, &t.net, error) || !linux_symbol(os, "arp_tbl", &table, error) ||
	    !linux_get(os, table, LINUX_FIELD_NEIGH_TABLE_HASH, &hash, error) ||
	    !linux_get(os, table, LINUX_FIELD_NEIGH_TABLE_PROXIES, &proxies.heads, error) ||
	    !linux_get(os, hash, LINUX_FIELD_NEIGH_HASH_HEADS, &neighbours.heads, error) ||
	    !linux_get(os, hash, LINUX_FIELD_NEIGH_HASH_SHIFT, &shift, error) ||
	    !linux_offset(os, LINUX_FIELD_NEIGHBOUR_NODE, &neighbours.link_at, error) ||
	    !linux_offset(os, LINUX_FIELD_PNEIGH_NEXT, &proxies.link_at, error))
		return FALSE;
	neighbours.n = G_GUINT64_CONSTANT(1) << MIN(shift, MAX_SHIFT);
	g_string_append(out, "IP address       HW type     Flags       HW address            "
			     "Mask     Device\n");
	return linux_hash_each(os, &neighbours, visit_neighbour, &t, call, error) &&
	       linux_hash_each(os, &proxies, visit_proxy, &t, call, error);
}
