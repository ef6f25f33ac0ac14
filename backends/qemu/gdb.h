/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gdb: the remote protocol of gdb, as far as registers are set and stops are heard of by it: its
 * packets. What is in them: gdb-target.h, gdb-stop.h.
 */
#pragma once

#include <glib.h>
#include <vmifs/call.h>

G_BEGIN_DECLS

typedef struct {
	int fd;       /* of a stream socket that does not block */
	gint64 until; /* monotonic */
	const VmifsCall *call;
	GByteArray *in; /* what came, and was not looked at yet */
	gint64 waited;  /* for answers, in all, in µs */
	GQueue stops;   /* of GByteArray: packets that tell of a stop, which nobody took yet */
} QemuGdb;

/* fd: (borrowed) */
void
qemu_gdb_init(QemuGdb *gdb, int fd, gint64 until, const VmifsCall *call);
void
qemu_gdb_clear(QemuGdb *gdb);
/* Appends "$" PACKET "#" SUM. */
void
qemu_gdb_wrap(GString *out, const char *packet);
/* Says all these bytes. FALSE with TIMEOUT, IO (hung up), CANCELLED. */
gboolean
qemu_gdb_send(QemuGdb *gdb, const char *bytes, gsize len, GError **error);
/* What answers the oldest question; stops that are told of before it are queued. Returns: (full)
 * the answer's bytes with a zero after them; NULL with TIMEOUT, IO, CORRUPT, CANCELLED. */
GByteArray *
qemu_gdb_answer(QemuGdb *gdb, GError **error);
/* The next stop. (full) NULL without error: none has come by now. */
GByteArray *
qemu_gdb_stop(QemuGdb *gdb, GError **error);
/* Has something come that qemu_gdb_stop() would take, or not bear? */
gboolean
qemu_gdb_has_more(const QemuGdb *gdb);
/* Waits for it until gdb->until. */
GByteArray *
qemu_gdb_wait_stop(QemuGdb *gdb, GError **error);
/* Says one packet. Returns: (full) the answer's bytes with a zero after them; NULL with TIMEOUT, IO
 * (hung up), CORRUPT, CANCELLED. */
GByteArray *
qemu_gdb_ask(QemuGdb *gdb, const char *packet, GError **error);

/* The first packet in these bytes. ret_used: all up to its end, or what need not
 * be seen again. (full) NULL without error: more is needed; CORRUPT. */
GByteArray *
qemu_gdb_packet(const guint8 *bytes, gsize len, gsize *ret_used, GError **error);

/* Sets CORRUPT. FALSE always. */
gboolean
qemu_gdb_corrupt(const char *what, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(QemuGdb, qemu_gdb_clear)

G_END_DECLS
