/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-unix: /proc/net/unix. A name in the file system is a path, an abstract one any bytes: what
 * could break the line or a terminal is escaped, which the kernel does not do.
 */
#include "net.h"

#include <string.h>

#define N_CHAINS 512
#define ACCEPTS 0x10000
#define FAMILY_LEN 2 /* before the name, and counted with it */
#define MAX_NAME 109 /* of a path without end, its NUL is added */

enum { /* What the kernel says of a socket by whether it has a file, and a peer. */
       UNCONNECTED = 1,
       CONNECTING,
       CONNECTED,
       DISCONNECTING,
};

static gboolean
append_name(const Linux *os, guint64 address, GString *out, GError **error)
{
	char name[MAX_NAME];
	guint64 at, len;

	if (!linux_get(os, address, LINUX_FIELD_UNIX_ADDRESS_LEN, &len, error) ||
	    !linux_offset(os, LINUX_FIELD_UNIX_ADDRESS_NAME, &at, error))
		return FALSE;
	if (len < FAMILY_LEN || len > FAMILY_LEN + MAX_NAME) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "a name of %" G_GUINT64_FORMAT " bytes", len);
		return FALSE;
	}
	len -= FAMILY_LEN;
	if (!vmifs_aspace_read(os->aspace, address + at + FAMILY_LEN, name, len, error))
		return FALSE;
	g_string_append_c(out, ' ');
	/* A path's NUL counts. */
	if (len && name[0])
		len--;
	for (gsize i = 0; i < len; i++) {
		if (!name[i])
			name[i] = '@';
	}
	vmifs_text_append_mangled(out, name, (gssize) len, LINUX_CONTROL_BYTES);
	return TRUE;
}

static gboolean
append_socket(LinuxSockets *s, guint64 sk, guint64 chain, GError **error)
{
	LinuxCursor c = { .os = s->os };
	guint64 refs = linux_take(&c, sk, LINUX_FIELD_SOCK_COMMON_REFCNT);
	guint64 state = linux_take(&c, sk, LINUX_FIELD_SOCK_COMMON_STATE);
	guint64 type = linux_take(&c, sk, LINUX_FIELD_SOCK_TYPE);
	guint64 socket = linux_take(&c, sk, LINUX_FIELD_SOCK_SOCKET);
	guint64 address = linux_take(&c, sk, LINUX_FIELD_UNIX_SOCK_ADDR);
	guint64 inode = linux_sock_inode(&c, sk);
	gboolean connected = state == LINUX_TCP_ESTABLISHED;

	if (!linux_cursor_end(&c, error))
		return FALSE;
	linux_pointers_append(&s->pointers, sk, s->out);
	g_string_append_printf(s->out, ": %08X %08X %08X %04X %02X %5" G_GUINT64_FORMAT,
			       (guint) refs, 0, state == LINUX_TCP_LISTEN ? ACCEPTS : 0,
			       (guint) type,
			       socket ? (connected ? CONNECTED : UNCONNECTED)
				      : (connected ? CONNECTING : DISCONNECTING),
			       inode);
	if (address && !append_name(s->os, address, s->out, error))
		return FALSE;
	g_string_append_c(s->out, '\n');
	return TRUE;
}

/* Each namespace has its own since 6.0. */
static gboolean
find_table(const Linux *os, guint64 net, guint64 *ret, GError **error)
{
	if (linux_has(os, LINUX_FIELD_NET_UNIX_TABLE))
		return linux_get(os, net, LINUX_FIELD_NET_UNIX_TABLE, ret, error);
	return linux_symbol(os, "unix_socket_table", ret, error);
}

LINUX_VIEW(linux_render_net_unix)
{
	const Linux *self = os;
	LinuxHash table = { .n = N_CHAINS, .stride = 8, .name = "net/unix" };
	LinuxSockets s;

	if (!linux_sockets_init(&s, self, task, out, error) ||
	    !linux_offset(self, LINUX_FIELD_SOCK_COMMON_NODE, &table.link_at, error) ||
	    !find_table(self, s.net, &table.heads, error))
		return FALSE;
	s.append = append_socket;
	g_string_append(out, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	return linux_sockets_append(&s, &table, call, error);
}
