/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gdb: "$" BYTES "#" SUM, where SUM is two hex digits, and "}" says that the next byte has bit 5
 * turned. Whoever got a packet says "+"; that is not said here, for QEMU takes the next packet for
 * it, and any byte that comes while the guest runs for the wish to stop it. A stub may tell on its
 * own that the guest stopped, which is no answer to anything.
 */
#include "gdb.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <vmifs/error.h>

#define MAX_PACKET ((gsize) 64 << 10)
#define MAX_STOPS 64 /* that wait */

/* ---- packets ---- */

gboolean
qemu_gdb_corrupt(const char *what, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "gdbstub: %s", what);
	return FALSE;
}

/* What stands between "$" and "#". (full) */
static GByteArray *
unescape(const guint8 *bytes, gsize len)
{
	GByteArray *out = g_byte_array_sized_new((guint) len + 1);
	const guint8 *mark;

	while ((mark = memchr(bytes, '}', len)) && (gsize) (mark - bytes) + 1 < len) {
		const guint8 byte = mark[1] ^ 0x20;
		gsize before = (gsize) (mark - bytes);
		g_byte_array_append(out, bytes, (guint) before);
		g_byte_array_append(out, &byte, 1);
		bytes += before + 2;
		len -= before + 2;
	}
	g_byte_array_append(out, bytes, (guint) len);
	g_byte_array_append(out, (const guint8 *) "", 1);
	g_byte_array_set_size(out, out->len - 1);
	return out;
}

static gboolean
has_sum(const guint8 *bytes, gsize len, const guint8 *digits)
{
	guint8 sum = 0;

	for (gsize i = 0; i < len; i++)
		sum += bytes[i];
	return g_ascii_xdigit_value((char) digits[0]) == sum >> 4 &&
	       g_ascii_xdigit_value((char) digits[1]) == (sum & 15);
}

GByteArray *
qemu_gdb_packet(const guint8 *bytes, gsize len, gsize *ret_used, GError **error)
{
	/* Of an array in which nothing ever was there are no bytes at all. */
	const guint8 *start = len ? memchr(bytes, '$', len) : NULL;

	if (!start) {
		*ret_used = len;
		return NULL;
	}
	gsize at = (gsize) (start - bytes);
	const guint8 *body = start + 1;
	const guint8 *end = memchr(body, '#', len - at - 1);
	*ret_used = at;
	if (len - at > MAX_PACKET && (!end || (gsize) (end - body) > MAX_PACKET)) {
		qemu_gdb_corrupt("a packet without an end", error);
		return NULL;
	}
	if (!end || (gsize) (end - bytes) + 3 > len)
		return NULL;
	if (!has_sum(body, (gsize) (end - body), end + 1)) {
		qemu_gdb_corrupt("a packet with a wrong sum", error);
		return NULL;
	}
	*ret_used = (gsize) (end - bytes) + 3;
	return unescape(body, (gsize) (end - body));
}

static gboolean
wait_for(const QemuGdb *gdb, short events, GError **error)
{
	struct pollfd poller = { .fd = gdb->fd, .events = events };

	for (;;) {
		gint64 left = gdb->until - g_get_monotonic_time();
		if (!vmifs_call_check(gdb->call, error))
			return FALSE;
		if (left <= 0) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT,
					    "gdbstub: it does not answer");
			return FALSE;
		}
		if (poll(&poller, 1, (int) MIN(left / 1000 + 1, 20)) > 0)
			return TRUE;
	}
}

gboolean
qemu_gdb_send(QemuGdb *gdb, const char *bytes, gsize len, GError **error)
{
	while (len) {
		gssize n = send(gdb->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "gdbstub: %s",
				    g_strerror(errno));
			return FALSE;
		}
		if (n < 0 && !wait_for(gdb, POLLOUT, error))
			return FALSE;
		bytes += MAX(n, 0);
		len -= (gsize) MAX(n, 0);
	}
	return TRUE;
}

/* FALSE without error: nothing is there. */
static gboolean
receive_now(QemuGdb *gdb, GError **error)
{
	guint8 bytes[4096];
	gssize n = recv(gdb->fd, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n > 0)
		g_byte_array_append(gdb->in, bytes, (guint) n);
	if (n <= 0 && (!n || (errno != EAGAIN && errno != EINTR)))
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "gdbstub: %s",
			    n ? g_strerror(errno) : "it hung up");
	return n > 0;
}

void
qemu_gdb_init(QemuGdb *gdb, int fd, gint64 until, const VmifsCall *call)
{
	*gdb = (QemuGdb){ .fd = fd, .until = until, .call = call, .in = g_byte_array_new() };
	g_queue_init(&gdb->stops);
}

void
qemu_gdb_clear(QemuGdb *gdb)
{
	g_byte_array_unref(gdb->in);
	g_queue_clear_full(&gdb->stops, (GDestroyNotify) g_byte_array_unref);
}

/* ---- what is said and heard ---- */

void
qemu_gdb_wrap(GString *out, const char *packet)
{
	guint8 sum = 0;

	for (const char *c = packet; *c; c++)
		sum += (guint8) *c;
	g_string_append_printf(out, "$%s#%02x", packet, sum);
}

/* An answer in what has come; stops before it are queued. (full) NULL without error: none yet. */
static GByteArray *
take_answer(QemuGdb *gdb, GError **error)
{
	for (;;) {
		gsize used;
		GByteArray *packet = qemu_gdb_packet(gdb->in->data, gdb->in->len, &used, error);
		g_byte_array_remove_range(gdb->in, 0, (guint) used);
		if (!packet || !packet->len || (*packet->data != 'T' && *packet->data != 'S'))
			return packet;
		g_queue_push_tail(&gdb->stops, packet);
		if (gdb->stops.length > MAX_STOPS) {
			qemu_gdb_corrupt("stops without end", error);
			return NULL;
		}
	}
}

GByteArray *
qemu_gdb_answer(QemuGdb *gdb, GError **error)
{
	for (;;) {
		GError *problem = NULL;
		GByteArray *answer = take_answer(gdb, &problem);
		gint64 start = answer ? 0 : g_get_monotonic_time();
		if (!answer && !problem && wait_for(gdb, POLLIN, &problem))
			receive_now(gdb, &problem);
		gdb->waited += answer ? 0 : g_get_monotonic_time() - start;
		if (problem)
			g_propagate_error(error, problem);
		if (answer || problem)
			return answer;
	}
}

/* Who answers what nobody asked is not believed any more. */
static gboolean
sort(QemuGdb *gdb, GError **error)
{
	GError *problem = NULL;
	g_autoptr(GByteArray) answer = take_answer(gdb, &problem);

	if (!answer && !problem)
		return TRUE;
	if (problem)
		g_propagate_error(error, problem);
	else
		qemu_gdb_corrupt("an answer to no question", error);
	return FALSE;
}

GByteArray *
qemu_gdb_stop(QemuGdb *gdb, GError **error)
{
	GError *problem = NULL;

	if (!gdb->stops.length)
		receive_now(gdb, &problem);
	if (problem || !sort(gdb, &problem)) {
		g_propagate_error(error, problem);
		return NULL;
	}
	return g_queue_pop_head(&gdb->stops);
}

gboolean
qemu_gdb_has_more(const QemuGdb *gdb)
{
	g_autoptr(GError) error = NULL;
	gsize used;
	g_autoptr(GByteArray) packet = qemu_gdb_packet(gdb->in->data, gdb->in->len, &used, &error);

	return gdb->stops.length || packet || error;
}

GByteArray *
qemu_gdb_wait_stop(QemuGdb *gdb, GError **error)
{
	for (;;) {
		GError *problem = NULL;
		GByteArray *stop = qemu_gdb_stop(gdb, &problem);
		if (stop)
			return stop;
		if (!problem)
			wait_for(gdb, POLLIN, &problem);
		if (problem) {
			g_propagate_error(error, problem);
			return NULL;
		}
	}
}

GByteArray *
qemu_gdb_ask(QemuGdb *gdb, const char *packet, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);

	qemu_gdb_wrap(text, packet);
	return qemu_gdb_send(gdb, text->str, text->len, error) ? qemu_gdb_answer(gdb, error) : NULL;
}
