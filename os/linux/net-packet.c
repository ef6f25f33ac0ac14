/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-packet: /proc/net/packet: who reads what a network device sees. */
#include "net.h"

/* Since 6.3 one of many flags. */
static gboolean
take_running(LinuxCursor *c, guint64 sk)
{
	guint64 bit;

	if (linux_has(c->os, LINUX_FIELD_PACKET_SOCK_RUNNING))
		return linux_take(c, sk, LINUX_FIELD_PACKET_SOCK_RUNNING) != 0;
	if (c->error || !linux_value(c->os, LINUX_VALUE_PACKET_SOCK_RUNNING, &bit, &c->error))
		return FALSE;
	return linux_take(c, sk, LINUX_FIELD_PACKET_SOCK_FLAGS) >> (bit & 63) & 1;
}

static gboolean
append_socket(LinuxSockets *s, guint64 sk, guint64 chain, GError **error)
{
	LinuxCursor c = { .os = s->os };

	linux_pointers_append(&s->pointers, sk, s->out);
	g_string_append_printf(
		s->out, " %-6d %-4d %04x   %-5d %1d %-6u %-6u %-6" G_GUINT64_FORMAT "\n",
		(gint) linux_take(&c, sk, LINUX_FIELD_SOCK_COMMON_REFCNT),
		(gint) linux_take(&c, sk, LINUX_FIELD_SOCK_TYPE),
		(guint) linux_port(linux_take(&c, sk, LINUX_FIELD_PACKET_SOCK_NUM)),
		(gint) linux_take(&c, sk, LINUX_FIELD_PACKET_SOCK_IFINDEX), take_running(&c, sk),
		(guint) linux_take(&c, sk, LINUX_FIELD_SOCK_RMEM), (guint) linux_sock_uid(&c, sk),
		linux_sock_inode(&c, sk));
	return linux_cursor_end(&c, error);
}

LINUX_VIEW(linux_render_net_packet)
{
	LinuxHash list = { .n = 1, .stride = 8, .name = "net/packet" };
	LinuxSockets s;
	guint64 at;

	if (!linux_sockets_init(&s, os, task, out, error) ||
	    !linux_offset(os, LINUX_FIELD_NET_PACKET, &at, error) ||
	    !linux_offset(os, LINUX_FIELD_SOCK_COMMON_NODE, &list.link_at, error))
		return FALSE;
	list.heads = s.net + at;
	s.append = append_socket;
	/* Once for kernels of 32 bits only, as wide as those need it. */
	g_string_append_printf(out, "%*sRefCnt Type Proto  Iface R Rmem   User   Inode\n",
			       linux_has_text(os, LINUX_TEXT_PACKET_NARROW) ? -9 : -17, "sk");
	return linux_sockets_append(&s, &list, call, error);
}
