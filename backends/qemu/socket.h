/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socket: a line of text at a time over a unix socket, with every wait bounded by the clock and
 * by the call. Lines are bounded by QEMU_MAX_REPLY.
 */
#pragma once

#include <glib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <vmifs/call.h>

typedef struct {
	int fd; /* -1 = not connected */
	GByteArray *in;
	gsize at;      /* in `in`: the first byte that was not taken yet */
	gsize scanned; /* ... and that was not looked at for the end of a line */
} QemuSocket;

void
qemu_socket_init(QemuSocket *socket);
void
qemu_socket_clear(QemuSocket *socket);

/* until: monotonic. FALSE with TIMEOUT while others keep the listener busy, IO when nobody listens.
 */
gboolean
qemu_socket_connect(QemuSocket *socket, const struct sockaddr_un *address, gint64 until,
		    GError **error);
void
qemu_socket_disconnect(QemuSocket *socket);
/* All of it; pass: (nullable) a descriptor that goes along. FALSE with TIMEOUT, IO, CANCELLED. */
gboolean
qemu_socket_send(QemuSocket *socket, const char *text, gsize len, const int *pass, gint64 until,
		 const VmifsCall *call, GError **error);
/* A line without its end; lives until the next call. until: 0 = that has come already. (borrowed)
 * NULL with TIMEOUT, IO (hung up), CORRUPT (too long), CANCELLED. */
const char *
qemu_socket_line(QemuSocket *socket, gsize *ret_len, gint64 until, const VmifsCall *call,
		 GError **error);
