/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socket: connecting waits in the kernel, where a listener's clients stand in a fair queue; all
 * else polls in slices, so that a caller who gives up is noticed.
 */
#include "socket.h"

#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <vmifs/error.h>

#define SLICE (20 * G_TIME_SPAN_MILLISECOND)
#define CHUNK ((gsize) 64 << 10)

void
qemu_socket_init(QemuSocket *s)
{
	*s = (QemuSocket){ .fd = -1, .in = g_byte_array_new() };
}

void
qemu_socket_clear(QemuSocket *s)
{
	qemu_socket_disconnect(s);
	g_clear_pointer(&s->in, g_byte_array_unref);
}

void
qemu_socket_disconnect(QemuSocket *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	g_byte_array_set_size(s->in, 0);
	s->at = s->scanned = 0;
}

static gboolean
fail(GError **error, VmifsError code, const char *what, int problem)
{
	g_set_error(error, VMIFS_ERROR, code, "%s: %s", what, g_strerror(problem));
	return FALSE;
}

gboolean
qemu_socket_connect(QemuSocket *s, const struct sockaddr_un *address, gint64 until, GError **error)
{
	gint64 left = MAX(until - g_get_monotonic_time(), 1000);
	struct timeval limit = { .tv_sec = left / G_USEC_PER_SEC,
				 .tv_usec = left % G_USEC_PER_SEC };
	int problem = 0;

	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return fail(error, VMIFS_ERROR_IO, "socket", errno);
	setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (connect(s->fd, (const struct sockaddr *) address, sizeof *address) ||
	    fcntl(s->fd, F_SETFL, O_NONBLOCK))
		problem = errno;
	if (!problem)
		return TRUE;
	qemu_socket_disconnect(s);
	return fail(error,
		    problem == EAGAIN || problem == EINPROGRESS || problem == EINTR
			    ? VMIFS_ERROR_TIMEOUT
			    : VMIFS_ERROR_IO,
		    "connect", problem);
}

static gboolean
wait_for(const QemuSocket *s, short events, gint64 until, const VmifsCall *call, GError **error)
{
	for (;;) {
		struct pollfd poller = { .fd = s->fd, .events = events };
		gint64 left = until - g_get_monotonic_time();
		if (left <= 0)
			return fail(error, VMIFS_ERROR_TIMEOUT, "no answer", ETIMEDOUT);
		if (!vmifs_call_check(call, error))
			return FALSE;
		int n = poll(&poller, 1, (int) ((MIN(left, SLICE) + 999) / 1000));
		if (n > 0)
			return TRUE;
		if (n < 0 && errno != EINTR)
			return fail(error, VMIFS_ERROR_IO, "poll", errno);
	}
}

gboolean
qemu_socket_send(QemuSocket *s, const char *text, gsize len, const int *pass, gint64 until,
		 const VmifsCall *call, GError **error)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };

	while (len) {
		struct iovec iov = { .iov_base = (char *) text, .iov_len = len };
		struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
		if (pass) {
			message.msg_control = control.bytes;
			message.msg_controllen = sizeof control.bytes;
			struct cmsghdr *head = CMSG_FIRSTHDR(&message);
			head->cmsg_level = SOL_SOCKET;
			head->cmsg_type = SCM_RIGHTS;
			head->cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(head), pass, sizeof(int));
		}
		gssize n = sendmsg(s->fd, &message, MSG_NOSIGNAL);
		if (n > 0) {
			pass = NULL; /* it went with the first byte */
			text += n;
			len -= (gsize) n;
		} else if (n < 0 && errno == EAGAIN) {
			if (!wait_for(s, POLLOUT, until, call, error))
				return FALSE;
		} else if (n < 0 && errno != EINTR) {
			return fail(error, VMIFS_ERROR_IO, "send", errno);
		}
	}
	return TRUE;
}

/* More bytes, at least one. */
static gboolean
receive(QemuSocket *s, gint64 until, const VmifsCall *call, GError **error)
{
	guint before;

	if (s->at) { /* or GLib moves all there is to where it is */
		g_byte_array_remove_range(s->in, 0, (guint) s->at);
		s->scanned -= s->at;
		s->at = 0;
	}
	before = s->in->len;
	if (before >= QEMU_MAX_REPLY) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "an answer has more than %zu bytes", QEMU_MAX_REPLY);
		return FALSE;
	}
	for (;;) {
		g_byte_array_set_size(s->in, before + CHUNK);
		gssize n = recv(s->fd, s->in->data + before, CHUNK, 0);
		int problem = errno;
		g_byte_array_set_size(s->in, before + (guint) MAX(n, 0));
		if (n > 0)
			return TRUE;
		if (n == 0) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_IO, "it hung up");
			return FALSE;
		}
		if (problem == EAGAIN) {
			if (!wait_for(s, POLLIN, until, call, error))
				return FALSE;
		} else if (problem != EINTR) {
			return fail(error, VMIFS_ERROR_IO, "receive", problem);
		}
	}
}

const char *
qemu_socket_line(QemuSocket *s, gsize *ret_len, gint64 until, const VmifsCall *call, GError **error)
{
	for (;;) {
		const guint8 *from = s->in->data ? s->in->data + s->scanned : NULL;
		const guint8 *end = from ? memchr(from, '\n', s->in->len - s->scanned) : NULL;
		if (end) {
			const char *line = (const char *) s->in->data + s->at;
			*ret_len = (gsize) (end - s->in->data) - s->at;
			s->at += *ret_len + 1;
			s->scanned = s->at;
			return line;
		}
		s->scanned = s->in->len;
		/* A peer that never stops talking must not keep us from looking at the clock. */
		if (until && g_get_monotonic_time() >= until) {
			fail(error, VMIFS_ERROR_TIMEOUT, "no answer", ETIMEDOUT);
			return NULL;
		}
		if (!vmifs_call_check(call, error) || !receive(s, until, call, error))
			return NULL;
	}
}
