/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-socket: the way from a task to its network namespace, and what sockets of all kinds share. A
 * hash table mostly serves all namespaces: each socket says which one it is of.
 */
#include "net.h"

#include <spi/bytes.h>

/* A text may come from many tables, each with bounds of its own. */
#define MAX_SOCKETS (1024 * 1024)

gboolean
linux_net(const Linux *os, const VmifsTask *task, guint64 *ret, GError **error)
{
	guint64 ns, object, proxy, net;

	if (task)
		object = task->object;
	else if (!linux_symbol(os, "init_pid_ns", &ns, error) ||
		 !linux_get(os, ns, LINUX_FIELD_PID_NAMESPACE_CHILD_REAPER, &object, error))
		return FALSE;
	if (!linux_get(os, object, LINUX_FIELD_TASK_NSPROXY, &proxy, error))
		return FALSE;
	/* Given up at the task's end. */
	if (!proxy) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND,
				    "a task that has ended is in no network namespace");
		return FALSE;
	}
	if (!linux_get(os, proxy, LINUX_FIELD_NSPROXY_NET, &net, error))
		return FALSE;
	*ret = net;
	return TRUE;
}

gboolean
linux_sockets_init(LinuxSockets *sockets, const Linux *os, const VmifsTask *task, GString *out,
		   GError **error)
{
	*sockets = (LinuxSockets){ .os = os, .out = out };
	return linux_net(os, task, &sockets->net, error) &&
	       linux_pointers_read(os, &sockets->pointers, error);
}

static gboolean
append_socket(LinuxSockets *s, guint64 sk, guint64 chain, GError **error)
{
	guint64 net, family;

	if (!linux_get(s->os, sk, LINUX_FIELD_SOCK_COMMON_NET, &net, error) ||
	    !linux_get(s->os, sk, LINUX_FIELD_SOCK_COMMON_FAMILY, &family, error))
		return FALSE;
	if (net != s->net || (s->family && family != s->family))
		return TRUE;
	if (!s->append(s, sk, chain, error))
		return FALSE;
	s->n_lines++;
	return TRUE;
}

gboolean
linux_sockets_visit(guint64 sk, guint64 chain, gpointer user)
{
	LinuxSockets *s = user;
	gsize start = s->out->len;
	g_autoptr(GError) error = NULL;

	if (!append_socket(s, sk, chain, &error)) {
		g_string_truncate(s->out, start);
		vmifs_guest_log(s->os->guest, "socket %#" G_GINT64_MODIFIER "x: %s", sk,
				error->message);
	}
	return ++s->n_seen < MAX_SOCKETS;
}

gboolean
linux_sockets_append(LinuxSockets *sockets, const LinuxHash *hash, const VmifsCall *call,
		     GError **error)
{
	return linux_hash_each(sockets->os, hash, linux_sockets_visit, sockets, call, error);
}

/* ---- what procfs shows of all of them ---- */

/* The inode is the second half of what the socket is allocated in. 0: without one. */
static guint64
find_inode(LinuxCursor *c, guint64 sk)
{
	guint64 socket = linux_take(c, sk, LINUX_FIELD_SOCK_SOCKET), from, to;

	if (c->error || !socket ||
	    !linux_offset(c->os, LINUX_FIELD_SOCKET_ALLOC_SOCKET, &from, &c->error) ||
	    !linux_offset(c->os, LINUX_FIELD_SOCKET_ALLOC_INODE, &to, &c->error))
		return 0;
	return socket - from + to;
}

guint64
linux_sock_uid(LinuxCursor *c, guint64 sk)
{
	guint64 address;

	/* Kernels that ask the inode have a function for it, those that do not keep a copy. */
	if (!linux_symbol(c->os, "sock_i_uid", &address, NULL))
		return linux_take(c, sk, LINUX_FIELD_SOCK_UID);
	guint64 inode = find_inode(c, sk);
	return inode ? linux_take(c, inode, LINUX_FIELD_INODE_UID) : 0;
}

guint64
linux_sock_inode(LinuxCursor *c, guint64 sk)
{
	if (linux_has(c->os, LINUX_FIELD_SOCK_INO))
		return linux_take(c, sk, LINUX_FIELD_SOCK_INO);
	guint64 inode = find_inode(c, sk);
	return inode ? linux_take(c, inode, LINUX_FIELD_INODE_INO) : 0;
}

static void
append_address(LinuxSockets *s, LinuxCursor *c, guint64 sk, LinuxField v4, LinuxField v6)
{
	guint8 bytes[16] = { 0 };

	if (s->family != LINUX_AF_INET6) {
		g_string_append_printf(s->out, "%08X", (guint) linux_take(c, sk, v4));
		return;
	}
	if (!c->error)
		linux_get_bytes(c->os, sk, v6, bytes, sizeof bytes, &c->error);
	for (guint i = 0; i < sizeof bytes; i += 4)
		g_string_append_printf(s->out, "%08X", vmifs_load_u32(bytes + i));
}

void
linux_sock_append_addresses(LinuxSockets *sockets, LinuxCursor *c, guint64 sk, guint64 local_port,
			    guint64 remote_port)
{
	append_address(sockets, c, sk, LINUX_FIELD_SOCK_COMMON_RCV_SADDR,
		       LINUX_FIELD_SOCK_COMMON_V6_RCV_SADDR);
	g_string_append_printf(sockets->out, ":%04X ", (guint) local_port);
	append_address(sockets, c, sk, LINUX_FIELD_SOCK_COMMON_DADDR,
		       LINUX_FIELD_SOCK_COMMON_V6_DADDR);
	g_string_append_printf(sockets->out, ":%04X", (guint) remote_port);
}

void
linux_pad(GString *out, gsize start, gsize width)
{
	while (out->len - start < width)
		g_string_append_c(out, ' ');
	g_string_append_c(out, '\n');
}
