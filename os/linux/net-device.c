/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-device: the devices of a network namespace, by number, and the two texts with a line for each
 * (dev) or for each address that it listens to (dev_mcast). Newer kernels go by the number itself,
 * older ones by its last bits.
 */
#include "net.h"
#include "list.h"

#define N_CHAINS 256
#define MAX_NAME 16
#define MAX_ADDRESS 32
#define MAX_DEVICES (32 * 1024)
#define MAX_ADDRESSES (64 * 1024)  /* of all devices */
#define MAX_TEXT (8 * 1024 * 1024) /* the counters of MAX_DEVICES are shorter */

/* ---- the devices ---- */

static gboolean
visit_device(guint64 dev, guint64 chain, gpointer user)
{
	GArray *devices = user;

	g_array_append_val(devices, dev);
	return devices->len < MAX_DEVICES;
}

typedef struct {
	gint32 index;
	guint64 dev;
} Numbered;

static gint
compare_numbers(gconstpointer a, gconstpointer b)
{
	gint32 x = ((const Numbered *) a)->index, y = ((const Numbered *) b)->index;

	return (x > y) - (x < y);
}

static void
sort_by_number(const Linux *os, GArray *devices)
{
	g_autoptr(GArray) numbered = g_array_new(FALSE, FALSE, sizeof(Numbered));

	for (guint i = 0; i < devices->len; i++) {
		Numbered n = { .dev = g_array_index(devices, guint64, i) };
		guint64 index;
		if (linux_get(os, n.dev, LINUX_FIELD_NETDEV_IFINDEX, &index, NULL))
			n.index = (gint32) index;
		g_array_append_val(numbered, n);
	}
	g_array_sort(numbered, compare_numbers);
	for (guint i = 0; i < devices->len; i++)
		g_array_index(devices, guint64, i) = g_array_index(numbered, Numbered, i).dev;
}

/* Addresses (guint64) of the struct net_device of a namespace, in the order of procfs. */
static GArray *
find_devices(const Linux *os, guint64 net, const VmifsCall *call, GError **error)
{
	g_autoptr(GArray) devices = g_array_new(FALSE, FALSE, sizeof(guint64));
	LinuxHash table = { .n = N_CHAINS, .stride = 8, .name = "network devices" };

	if (!linux_get(os, net, LINUX_FIELD_NET_DEV_INDEX, &table.heads, error) ||
	    !linux_offset(os, LINUX_FIELD_NETDEV_INDEX_NODE, &table.link_at, error) ||
	    !linux_hash_each(os, &table, visit_device, devices, call, error))
		return NULL;
	if (linux_has(os, LINUX_FIELD_NET_DEV_BY_INDEX))
		sort_by_number(os, devices);
	return g_steal_pointer(&devices);
}

char *
linux_net_device_name(const Linux *os, guint64 dev, GError **error)
{
	GString *text;
	char name[MAX_NAME + 1] = { 0 };

	if (!linux_get_bytes(os, dev, LINUX_FIELD_NETDEV_NAME, name, MAX_NAME, error))
		return NULL;
	text = g_string_new(NULL);
	vmifs_text_append_mangled(text, name, -1, LINUX_CONTROL_BYTES " ");
	return g_string_free(text, FALSE);
}

/* A text with what `append` makes of each device; one that cannot be read is logged. Lists of
 * devices take from `left`, which is for all of them: they may all be the same long one. */
static gboolean
append_devices(const Linux *os, const VmifsTask *task, GString *out,
	       gboolean (*append)(const Linux *os, guint64 dev, guint64 *left, GString *out,
				  const VmifsCall *call, GError **error),
	       const VmifsCall *call, GError **error)
{
	guint64 net, left = MAX_ADDRESSES;

	if (!linux_net(os, task, &net, error))
		return FALSE;
	g_autoptr(GArray) devices = find_devices(os, net, call, error);
	if (!devices)
		return FALSE;
	for (guint i = 0; i < devices->len; i++) {
		guint64 dev = g_array_index(devices, guint64, i);
		gsize start = out->len;
		g_autoptr(GError) failed = NULL;
		if (!vmifs_call_check(call, error))
			return FALSE;
		if (append(os, dev, &left, out, call, &failed) && out->len <= MAX_TEXT)
			continue;
		if (out->len > MAX_TEXT || left == 0) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
					    "network devices: more text than there can be");
			return FALSE;
		}
		g_string_truncate(out, start);
		if (!vmifs_call_check(call, error))
			return FALSE;
		g_autofree char *name = linux_net_device_name(os, dev, NULL);
		vmifs_guest_log(os->guest, "network device %s: %s", name ? name : "without a name",
				failed->message);
	}
	return TRUE;
}

/* ---- net/dev ---- */

static gboolean
append_counters(const Linux *os, guint64 dev, guint64 *left, GString *out, const VmifsCall *call,
		GError **error)
{
	guint64 n[LINUX_NET_N_COUNTERS];
	g_autofree char *name = linux_net_device_name(os, dev, error);

	if (!name || !linux_net_counters(os, dev, n, call, error))
		return FALSE;
#define U G_GUINT64_FORMAT
	g_string_append_printf(
		out, "%6s: %7" U " %7" U " %4" U " %4" U " %4" U " %5" U " %10" U " %9" U " ", name,
		n[LINUX_NET_RX_BYTES], n[LINUX_NET_RX_PACKETS], n[LINUX_NET_RX_ERRORS],
		n[LINUX_NET_RX_DROPPED] + n[LINUX_NET_RX_MISSED_ERRORS],
		n[LINUX_NET_RX_FIFO_ERRORS],
		n[LINUX_NET_RX_LENGTH_ERRORS] + n[LINUX_NET_RX_OVER_ERRORS] +
			n[LINUX_NET_RX_CRC_ERRORS] + n[LINUX_NET_RX_FRAME_ERRORS],
		n[LINUX_NET_RX_COMPRESSED], n[LINUX_NET_MULTICAST]);
	g_string_append_printf(
		out, "%8" U " %7" U " %4" U " %4" U " %4" U " %5" U " %7" U " %10" U "\n",
		n[LINUX_NET_TX_BYTES], n[LINUX_NET_TX_PACKETS], n[LINUX_NET_TX_ERRORS],
		n[LINUX_NET_TX_DROPPED], n[LINUX_NET_TX_FIFO_ERRORS], n[LINUX_NET_COLLISIONS],
		n[LINUX_NET_TX_CARRIER_ERRORS] + n[LINUX_NET_TX_ABORTED_ERRORS] +
			n[LINUX_NET_TX_WINDOW_ERRORS] + n[LINUX_NET_TX_HEARTBEAT_ERRORS],
		n[LINUX_NET_TX_COMPRESSED]);
#undef U
	return TRUE;
}

LINUX_VIEW(linux_render_net_dev)
{
	g_string_append(out, "Inter-|   Receive                                                |  "
			     "Transmit\n"
			     " face |bytes    packets errs drop fifo frame compressed multicast|"
			     "bytes    packets errs drop fifo colls carrier compressed\n");
	return append_devices(os, task, out, append_counters, call, error);
}

/* ---- net/dev_mcast ---- */

typedef struct {
	const Linux *os;
	GString *out;
	guint64 list_at;
	const char *name;
	guint64 index, len;
	guint64 *left;
} Addresses;

static gboolean
visit_address(guint64 node, gpointer user)
{
	Addresses *a = user;
	LinuxCursor c = { .os = a->os };
	guint64 entry = node - a->list_at;
	guint8 bytes[MAX_ADDRESS] = { 0 };
	gint refs = (gint) linux_take(&c, entry, LINUX_FIELD_HW_ADDR_REFCOUNT);
	gint global = (gint) linux_take(&c, entry, LINUX_FIELD_HW_ADDR_GLOBAL_USE);

	g_autoptr(GError) problem = NULL;

	*a->left -= 1;
	if (!c.error)
		linux_get_bytes(a->os, entry, LINUX_FIELD_HW_ADDR_ADDR, bytes, sizeof bytes,
				&c.error);
	if (!linux_cursor_end(&c, &problem)) {
		vmifs_guest_log(a->os->guest, "net/dev_mcast: an address of %s: %s", a->name,
				problem->message);
		return TRUE;
	}
	g_string_append_printf(a->out, "%-4d %-15s %-5d %-5d ", (gint) a->index, a->name, refs,
			       global);
	for (guint i = 0; i < MIN(a->len, MAX_ADDRESS); i++)
		g_string_append_printf(a->out, "%02x", bytes[i]);
	g_string_append_c(a->out, '\n');
	return TRUE;
}

static gboolean
append_addresses(const Linux *os, guint64 dev, guint64 *left, GString *out, const VmifsCall *call,
		 GError **error)
{
	g_autofree char *name = linux_net_device_name(os, dev, error);
	Addresses a = { .os = os, .out = out, .name = name, .left = left };
	guint64 head_at;

	return name && linux_get(os, dev, LINUX_FIELD_NETDEV_IFINDEX, &a.index, error) &&
	       linux_get(os, dev, LINUX_FIELD_NETDEV_ADDR_LEN, &a.len, error) &&
	       linux_offset(os, LINUX_FIELD_NETDEV_MULTICAST, &head_at, error) &&
	       linux_offset(os, LINUX_FIELD_HW_ADDR_LIST, &a.list_at, error) &&
	       linux_list_each(os->aspace, dev + head_at, *left, visit_address, &a, call, error);
}

LINUX_VIEW(linux_render_net_dev_mcast)
{
	return append_devices(os, task, out, append_addresses, call, error);
}
