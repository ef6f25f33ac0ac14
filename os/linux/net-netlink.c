/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-netlink: /proc/net/netlink: a table for each protocol, of kernel's and users' ends alike. */
#include "net.h"

#define N_PROTOCOLS 32

static guint64
take_groups(LinuxCursor *c, guint64 sk)
{
	guint64 groups = linux_take(c, sk, LINUX_FIELD_NETLINK_SOCK_GROUPS), first = 0;

	if (!c->error && groups)
		linux_load(c->os, groups, 4, &first, &c->error);
	return first;
}

static gboolean
append_socket(LinuxSockets *s, guint64 sk, guint64 chain, GError **error)
{
	LinuxCursor c = { .os = s->os };

	linux_pointers_append(&s->pointers, sk, s->out);
	g_string_append_printf(
		s->out, " %-3d %-10u %08x %-8d %-8d %-5d %-8d %-8u %-8" G_GUINT64_FORMAT "\n",
		(gint) linux_take(&c, sk, LINUX_FIELD_SOCK_PROTOCOL),
		(guint) linux_take(&c, sk, LINUX_FIELD_NETLINK_SOCK_PORTID),
		(guint) take_groups(&c, sk), (gint) linux_take(&c, sk, LINUX_FIELD_SOCK_RMEM),
		(gint) (linux_take(&c, sk, LINUX_FIELD_SOCK_WMEM) - 1),
		(gint) linux_take(&c, sk, LINUX_FIELD_NETLINK_SOCK_CB_RUNNING),
		(gint) linux_take(&c, sk, LINUX_FIELD_SOCK_COMMON_REFCNT),
		(guint) linux_take(&c, sk, LINUX_FIELD_SOCK_DROPS), linux_sock_inode(&c, sk));
	return linux_cursor_end(&c, error);
}

LINUX_VIEW(linux_render_net_netlink)
{
	guint64 tables, len, hash_at, link_at;
	LinuxSockets s;

	if (!linux_sockets_init(&s, os, task, out, error) ||
	    !linux_word_variable(os, "nl_table", &tables, error) ||
	    !linux_sizeof(os, LINUX_STRUCT_NETLINK_TABLE, &len, error) ||
	    !linux_offset(os, LINUX_FIELD_NETLINK_TABLE_HASH, &hash_at, error) ||
	    !linux_offset(os, LINUX_FIELD_NETLINK_SOCK_NODE, &link_at, error))
		return FALSE;
	s.append = append_socket;
	g_string_append(out, "sk               Eth Pid        Groups   Rmem     Wmem     Dump  "
			     "Locks    Drops    Inode\n");
	for (guint i = 0; i < N_PROTOCOLS; i++) {
		if (!linux_rhashtable_each(os, tables + i * len + hash_at, link_at, "net/netlink",
					   linux_sockets_visit, &s, call, error))
			return FALSE;
	}
	return TRUE;
}
