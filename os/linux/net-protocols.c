/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-protocols: how many sockets there are: of each protocol (protocols), and in sum (sockstat,
 * sockstat6). A namespace counts them on each processor by itself, memory is counted for all.
 */
#include "list.h"
#include "modules.h"
#include "net.h"

#define MAX_PROTOCOLS 4096
#define MAX_NAME 32

typedef struct {
	const Linux *os;
	guint64 net;
	GArray *cpus; /* of guint32: the possible ones */
	GString *out;
} Counts;

static gboolean
start(Counts *n, const Linux *os, const VmifsTask *task, GString *out, GError **error)
{
	*n = (Counts){ .os = os, .out = out };
	if (!linux_net(os, task, &n->net, error))
		return FALSE;
	n->cpus = linux_cpus(os, "__cpu_possible_mask", error);
	return n->cpus != NULL;
}

/* Of an int of each processor; what is below zero is one that took another's away. */
static gint
sum_cpus(const Counts *n, LinuxCursor *c, guint64 address)
{
	guint64 own, part = 0;
	gint sum = 0;

	for (guint i = 0; i < n->cpus->len && !c->error; i++) {
		if (linux_percpu(n->os, address, g_array_index(n->cpus, guint32, i), &own,
				 &c->error) &&
		    linux_load(n->os, own, 4, &part, &c->error))
			sum = (gint) ((guint) sum + (guint) part);
	}
	return MAX(sum, 0);
}

static gint
sockets_of(const Counts *n, LinuxCursor *c, guint64 proto)
{
	guint64 index = linux_take(c, proto, LINUX_FIELD_PROTO_INUSE_IDX);
	guint64 base = linux_take(c, n->net, LINUX_FIELD_NET_PROT_INUSE);
	VmifsMember val;

	if (c->error || !linux_member(n->os, LINUX_FIELD_PROT_INUSE_VAL, &val, &c->error))
		return 0;
	if (index >= val.count) {
		g_set_error(&c->error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "protocol number %" G_GUINT64_FORMAT, index);
		return 0;
	}
	return sum_cpus(n, c, base + val.offset + index * val.elem_size);
}

/* Pages; -1 where they are not counted. */
static gint64
memory_of(LinuxCursor *c, guint64 proto)
{
	guint64 at = linux_take(c, proto, LINUX_FIELD_PROTO_MEMORY_ALLOCATED), pages = 0;

	if (c->error || !at)
		return -1;
	linux_load_word(c->os, at, &pages, &c->error);
	return MAX(linux_signed(c->os, pages), 0);
}

/* ---- net/protocols ---- */

static const struct {
	LinuxField field;
	const char *name;
} methods[] = {
	{ LINUX_FIELD_PROTO_CLOSE, "cl" },          { LINUX_FIELD_PROTO_CONNECT, "co" },
	{ LINUX_FIELD_PROTO_DISCONNECT, "di" },     { LINUX_FIELD_PROTO_ACCEPT, "ac" },
	{ LINUX_FIELD_PROTO_IOCTL, "io" },          { LINUX_FIELD_PROTO_INIT, "in" },
	{ LINUX_FIELD_PROTO_DESTROY, "de" },        { LINUX_FIELD_PROTO_SHUTDOWN, "sh" },
	{ LINUX_FIELD_PROTO_SETSOCKOPT, "ss" },     { LINUX_FIELD_PROTO_GETSOCKOPT, "gs" },
	{ LINUX_FIELD_PROTO_SENDMSG, "se" },        { LINUX_FIELD_PROTO_RECVMSG, "re" },
	{ LINUX_FIELD_PROTO_SENDPAGE, "sp" },       { LINUX_FIELD_PROTO_BIND, "bi" },
	{ LINUX_FIELD_PROTO_BACKLOG_RCV, "br" },    { LINUX_FIELD_PROTO_HASH, "ha" },
	{ LINUX_FIELD_PROTO_UNHASH, "uh" },         { LINUX_FIELD_PROTO_GET_PORT, "gp" },
	{ LINUX_FIELD_PROTO_ENTER_PRESSURE, "em" },
};

static const char *
pressure_of(LinuxCursor *c, guint64 proto)
{
	guint64 at = linux_take(c, proto, LINUX_FIELD_PROTO_MEMORY_PRESSURE), pressure = 0;

	if (c->error || !at)
		return "NI";
	linux_load_word(c->os, at, &pressure, &c->error);
	return pressure ? "yes" : "no";
}

static gboolean
append_protocol(const Counts *n, guint64 proto, GError **error)
{
	LinuxCursor c = { .os = n->os };
	char name[MAX_NAME + 1] = { 0 }, module[LINUX_MODULE_NAME] = "kernel";
	guint64 owner = linux_take(&c, proto, LINUX_FIELD_PROTO_OWNER);
	gint sockets = sockets_of(n, &c, proto);
	gint64 memory = memory_of(&c, proto);
	const char *pressure = pressure_of(&c, proto);
	g_autoptr(GString) shown = g_string_new(NULL);

	if (!linux_cursor_end(&c, error) ||
	    !linux_get_bytes(n->os, proto, LINUX_FIELD_PROTO_NAME, name, MAX_NAME, error) ||
	    (owner && !linux_module_name(n->os, owner, module, error)))
		return FALSE;
	vmifs_text_append_mangled(shown, name, -1, LINUX_CONTROL_BYTES);
	g_string_append_printf(
		n->out, "%-9s %4u %6d  %6" G_GINT64_FORMAT "   %-3s %6u   %-3s  ", shown->str,
		(guint) linux_take(&c, proto, LINUX_FIELD_PROTO_OBJ_SIZE), sockets, memory,
		pressure, (guint) linux_take(&c, proto, LINUX_FIELD_PROTO_MAX_HEADER),
		linux_take(&c, proto, LINUX_FIELD_PROTO_SLAB) ? "yes" : "no");
	g_string_truncate(shown, 0);
	vmifs_text_append_mangled(shown, module, -1, LINUX_CONTROL_BYTES);
	g_string_append_printf(n->out, "%-10s", shown->str);
	for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
		if (linux_has(n->os, methods[i].field))
			g_string_append(n->out,
					linux_take(&c, proto, methods[i].field) ? "  y" : "  n");
	}
	g_string_append_c(n->out, '\n');
	return linux_cursor_end(&c, error);
}

typedef struct {
	const Counts *counts;
	guint64 node_at;
} Protocols;

static gboolean
visit_protocol(guint64 node, gpointer user)
{
	const Protocols *p = user;
	GString *out = p->counts->out;
	gsize before = out->len;
	g_autoptr(GError) error = NULL;

	if (!append_protocol(p->counts, node - p->node_at, &error)) {
		g_string_truncate(out, before);
		vmifs_guest_log(p->counts->os->guest, "protocol %#" G_GINT64_MODIFIER "x: %s",
				node - p->node_at, error->message);
	}
	return TRUE;
}

static gboolean
append_protocols(const Counts *n, const VmifsCall *call, GError **error)
{
	Protocols p = { .counts = n };
	guint64 head;

	g_string_append(n->out, "protocol  size sockets  memory press maxhdr  slab module    ");
	for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
		if (linux_has(n->os, methods[i].field))
			g_string_append_printf(n->out, " %s", methods[i].name);
	}
	g_string_append_c(n->out, '\n');
	return linux_symbol(n->os, "proto_list", &head, error) &&
	       linux_offset(n->os, LINUX_FIELD_PROTO_NODE, &p.node_at, error) &&
	       linux_list_each(n->os->aspace, head, MAX_PROTOCOLS, visit_protocol, &p, call, error);
}

LINUX_VIEW(linux_render_net_protocols)
{
	Counts n;

	if (!start(&n, os, task, out, error))
		return FALSE;
	g_autoptr(GArray) cpus = n.cpus;
	return append_protocols(&n, call, error);
}

/* ---- net/sockstat, net/sockstat6 ---- */

/* One that each processor has, or in older kernels a counter with their shares. */
static gint
orphans(const Counts *n, LinuxCursor *c)
{
	guint64 address, first, end;
	gint64 sum = 0;

	if (c->error || !linux_symbol(n->os, "tcp_orphan_count", &address, &c->error))
		return 0;
	if (linux_symbol(n->os, "__per_cpu_start", &first, NULL) &&
	    linux_symbol(n->os, "__per_cpu_end", &end, NULL) && address - first < end - first)
		return sum_cpus(n, c, address);
	linux_percpu_counter(n->os, address, &sum, NULL, &c->error);
	return (gint) MAX(sum, 0);
}

static gint
all_sockets(const Counts *n, LinuxCursor *c)
{
	gboolean apart = linux_has(n->os, LINUX_FIELD_NET_SOCK_INUSE);
	guint64 base = linux_take(c, n->net,
				  apart ? LINUX_FIELD_NET_SOCK_INUSE : LINUX_FIELD_NET_PROT_INUSE);
	guint64 at = 0;

	if (c->error ||
	    (!apart && !linux_offset(n->os, LINUX_FIELD_PROT_INUSE_ALL, &at, &c->error)))
		return 0;
	return sum_cpus(n, c, base + at);
}

static gint
waiting(const Counts *n, LinuxCursor *c)
{
	if (linux_has(n->os, LINUX_FIELD_NET_TW_REFCOUNT))
		return (gint) (linux_take(c, n->net, LINUX_FIELD_NET_TW_REFCOUNT) - 1);
	return (gint) linux_take(c, n->net, LINUX_FIELD_NET_TW_COUNT);
}

static guint64
proto_named(const Counts *n, LinuxCursor *c, const char *symbol)
{
	guint64 address = 0;

	if (!c->error)
		linux_symbol(n->os, symbol, &address, &c->error);
	return address;
}

static void
append_tcp(const Counts *n, LinuxCursor *c)
{
	guint64 tcp = proto_named(n, c, "tcp_prot"), counter;
	gint64 sockets = 0;

	if (!c->error) {
		counter = linux_take(c, tcp, LINUX_FIELD_PROTO_SOCKETS_ALLOCATED);
		if (!c->error)
			linux_percpu_counter(n->os, counter, &sockets, NULL, &c->error);
	}
	g_string_append_printf(n->out,
			       "TCP: inuse %d orphan %d tw %d alloc %d mem %" G_GINT64_FORMAT "\n",
			       sockets_of(n, c, tcp), orphans(n, c), waiting(n, c),
			       (gint) MAX(sockets, 0), memory_of(c, tcp));
}

static void
append_fragments(const Counts *n, LinuxCursor *c, const char *name, LinuxField field)
{
	guint64 fragments = linux_take(c, n->net, field);

	g_string_append_printf(n->out, "%s: inuse %u memory %" G_GUINT64_FORMAT "\n", name,
			       (guint) linux_take(c, fragments, LINUX_FIELD_FQDIR_NELEMS),
			       linux_take(c, fragments, LINUX_FIELD_FQDIR_MEM));
}

/* A line of one protocol; nothing where this kernel has not got it. */
static void
append_inuse(const Counts *n, LinuxCursor *c, const char *name, const char *symbol)
{
	guint64 proto;

	if (!c->error && linux_symbol(n->os, symbol, &proto, NULL))
		g_string_append_printf(n->out, "%s: inuse %d\n", name, sockets_of(n, c, proto));
}

LINUX_VIEW(linux_render_net_sockstat)
{
	LinuxCursor c = { .os = os };
	Counts n;

	if (!start(&n, os, task, out, error))
		return FALSE;
	g_autoptr(GArray) cpus = n.cpus;
	g_string_append_printf(out, "sockets: used %d\n", all_sockets(&n, &c));
	append_tcp(&n, &c);
	guint64 udp = proto_named(&n, &c, "udp_prot");
	g_string_append_printf(out, "UDP: inuse %d mem %" G_GINT64_FORMAT "\n",
			       sockets_of(&n, &c, udp), memory_of(&c, udp));
	append_inuse(&n, &c, "UDPLITE", "udplite_prot");
	append_inuse(&n, &c, "RAW", "raw_prot");
	append_fragments(&n, &c, "FRAG", LINUX_FIELD_NET_FRAGMENTS);
	return linux_cursor_end(&c, error);
}

LINUX_VIEW(linux_render_net_sockstat6)
{
	LinuxCursor c = { .os = os };
	Counts n;

	if (!start(&n, os, task, out, error))
		return FALSE;
	g_autoptr(GArray) cpus = n.cpus;
	append_inuse(&n, &c, "TCP6", "tcpv6_prot");
	append_inuse(&n, &c, "UDP6", "udpv6_prot");
	append_inuse(&n, &c, "UDPLITE6", "udplitev6_prot");
	append_inuse(&n, &c, "RAW6", "rawv6_prot");
	append_fragments(&n, &c, "FRAG6", LINUX_FIELD_NET_FRAGMENTS6);
	return linux_cursor_end(&c, error);
}
