/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-datagram: the Internet's sockets without connections: UDP, UDP-Lite, raw ones and those of
 * ping. All have the same columns; they differ in their tables and in the blanks around.
 */
#include "net.h"

#define HEADER                                                                                     \
	"sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "        \
	"timeout inode ref pointer drops"
#define HEADER6                                                                                    \
	"  sl  local_address                         remote_address                        st "    \
	"tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops"

typedef struct {
	const char *name;
	guint family;
	const char *header;
	int number_width; /* of the first column */
	gsize width;      /* 0: without blanks at the end */
	gboolean (*find)(const Linux *os, guint64 net, LinuxHash *ret, GError **error);
	gboolean is_udp; /* else: forward_deficit is no member */
	gboolean is_raw; /* which have no ports, but a protocol */
} Kind;

/* ---- tables ---- */

static gboolean
find_udp_slots(const Linux *os, guint64 table, LinuxHash *ret, GError **error)
{
	guint64 slots, mask, head_at, size;

	if (!linux_get(os, table, LINUX_FIELD_UDP_TABLE_HASH, &slots, error) ||
	    !linux_get(os, table, LINUX_FIELD_UDP_TABLE_MASK, &mask, error) ||
	    !linux_offset(os, LINUX_FIELD_UDP_SLOT_HEAD, &head_at, error) ||
	    !linux_sizeof(os, LINUX_STRUCT_UDP_SLOT, &size, error))
		return FALSE;
	ret->heads = slots + head_at;
	ret->n = mask + 1;
	ret->stride = size;
	return TRUE;
}

static gboolean
find_udp(const Linux *os, guint64 net, LinuxHash *ret, GError **error)
{
	guint64 table;

	if (linux_has(os, LINUX_FIELD_NET_UDP_TABLE)) {
		if (!linux_get(os, net, LINUX_FIELD_NET_UDP_TABLE, &table, error))
			return FALSE;
	} else if (!linux_symbol(os, "udp_table", &table, error)) {
		return FALSE;
	}
	return find_udp_slots(os, table, ret, error);
}

static gboolean
find_udplite(const Linux *os, guint64 net, LinuxHash *ret, GError **error)
{
	guint64 table;

	return linux_symbol(os, "udplite_table", &table, error) &&
	       find_udp_slots(os, table, ret, error);
}

gboolean
linux_has_udplite(gpointer os)
{
	guint64 address;

	return linux_symbol(os, "udplite_table", &address, NULL);
}

static gboolean
find_array(const Linux *os, const char *symbol, LinuxField field, LinuxHash *ret, GError **error)
{
	VmifsMember heads;
	guint64 table;

	if (!linux_symbol(os, symbol, &table, error) || !linux_member(os, field, &heads, error))
		return FALSE;
	ret->heads = table + heads.offset;
	ret->n = heads.count;
	ret->stride = heads.elem_size;
	return TRUE;
}

static gboolean
find_raw(const Linux *os, guint64 net, LinuxHash *ret, GError **error)
{
	return find_array(os, "raw_v4_hashinfo", LINUX_FIELD_RAW_TABLE_HEADS, ret, error);
}

static gboolean
find_raw6(const Linux *os, guint64 net, LinuxHash *ret, GError **error)
{
	return find_array(os, "raw_v6_hashinfo", LINUX_FIELD_RAW_TABLE_HEADS, ret, error);
}

static gboolean
find_ping(const Linux *os, guint64 net, LinuxHash *ret, GError **error)
{
	return find_array(os, "ping_table", LINUX_FIELD_PING_TABLE_HEADS, ret, error);
}

/* ---- lines ---- */

static guint64
take_drops(LinuxCursor *c, guint64 sk)
{
	guint64 drops = linux_take(c, sk, LINUX_FIELD_SOCK_DROPS), counters;

	if (!linux_has(c->os, LINUX_FIELD_SOCK_DROP_COUNTERS))
		return drops;
	counters = linux_take(c, sk, LINUX_FIELD_SOCK_DROP_COUNTERS);
	if (c->error || !counters)
		return drops;
	return linux_take(c, counters, LINUX_FIELD_DROP_COUNTERS_DROPS0) +
	       linux_take(c, counters, LINUX_FIELD_DROP_COUNTERS_DROPS1);
}

static gboolean
append_socket(LinuxSockets *s, guint64 sk, guint64 chain, GError **error)
{
	const Kind *kind = s->user;
	LinuxCursor c = { .os = s->os };
	gsize start = s->out->len;
	guint64 sport, dport, rmem;

	if (kind->is_raw) {
		sport = linux_take(&c, sk, LINUX_FIELD_SOCK_COMMON_NUM);
		dport = 0;
	} else {
		sport = linux_port(linux_take(&c, sk, LINUX_FIELD_INET_SOCK_SPORT));
		dport = linux_port(linux_take(&c, sk, LINUX_FIELD_SOCK_COMMON_DPORT));
	}
	rmem = linux_take(&c, sk, LINUX_FIELD_SOCK_RMEM);
	if (kind->is_udp)
		rmem -= linux_take(&c, sk, LINUX_FIELD_UDP_SOCK_FORWARD_DEFICIT);
	g_string_append_printf(s->out, "%*u: ", kind->number_width, (guint) chain);
	linux_sock_append_addresses(s, &c, sk, sport, dport);
	g_string_append_printf(
		s->out,
		" %02X %08X:%08X 00:00000000 00000000 %5u        0 %" G_GUINT64_FORMAT " %d ",
		(guint) linux_take(&c, sk, LINUX_FIELD_SOCK_COMMON_STATE),
		(guint) linux_take(&c, sk, LINUX_FIELD_SOCK_WMEM) - 1, (guint) rmem,
		(guint) linux_sock_uid(&c, sk), linux_sock_inode(&c, sk),
		(gint) linux_take(&c, sk, LINUX_FIELD_SOCK_COMMON_REFCNT));
	linux_pointers_append(&s->pointers, sk, s->out);
	g_string_append_printf(s->out, " %u", (guint) take_drops(&c, sk));
	linux_pad(s->out, start, kind->width);
	return linux_cursor_end(&c, error);
}

static gboolean
render(const Linux *os, const VmifsTask *task, const Kind *kind, GString *out,
       const VmifsCall *call, GError **error)
{
	LinuxHash table = { .name = kind->name };
	LinuxSockets s;
	gsize start = out->len;

	if (!linux_sockets_init(&s, os, task, out, error) ||
	    !linux_offset(os, LINUX_FIELD_SOCK_COMMON_NODE, &table.link_at, error) ||
	    !kind->find(os, s.net, &table, error))
		return FALSE;
	s.family = kind->family;
	s.append = append_socket;
	s.user = kind;
	g_string_append(out, kind->header);
	linux_pad(out, start, kind->width);
	return linux_sockets_append(&s, &table, call, error);
}

LINUX_VIEW(linux_render_net_udp)
{
	static const Kind kind = { "net/udp", LINUX_AF_INET, "   " HEADER, 5, 127, find_udp, TRUE };
	return render(os, task, &kind, out, call, error);
}

LINUX_VIEW(linux_render_net_udp6)
{
	static const Kind kind = { "net/udp6", LINUX_AF_INET6, HEADER6, 5, 0, find_udp, TRUE };
	return render(os, task, &kind, out, call, error);
}

LINUX_VIEW(linux_render_net_udplite)
{
	static const Kind kind = { "net/udplite", LINUX_AF_INET, "   " HEADER, 5,
				   127,           find_udplite,  TRUE };
	return render(os, task, &kind, out, call, error);
}

LINUX_VIEW(linux_render_net_udplite6)
{
	static const Kind kind = {
		"net/udplite6", LINUX_AF_INET6, HEADER6, 5, 0, find_udplite, TRUE
	};
	return render(os, task, &kind, out, call, error);
}

LINUX_VIEW(linux_render_net_raw)
{
	static const Kind kind = { "net/raw", LINUX_AF_INET, "  " HEADER,   4,
				   0,         find_raw,      .is_raw = TRUE };
	return render(os, task, &kind, out, call, error);
}

LINUX_VIEW(linux_render_net_raw6)
{
	static const Kind kind = { "net/raw6", LINUX_AF_INET6, HEADER6,       5,
				   0,          find_raw6,      .is_raw = TRUE };
	return render(os, task, &kind, out, call, error);
}

LINUX_VIEW(linux_render_net_icmp)
{
	static const Kind kind = { "net/icmp", LINUX_AF_INET, "  " HEADER, 5, 127, find_ping };
	return render(os, task, &kind, out, call, error);
}

LINUX_VIEW(linux_render_net_icmp6)
{
	static const Kind kind = { "net/icmp6", LINUX_AF_INET6, HEADER6, 5, 0, find_ping };
	return render(os, task, &kind, out, call, error);
}
