/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gdb: the remote protocol of gdb, as far as registers are set and stops are heard of by it:
 * packets, and the description of the target, which says which register has which number.
 */
#pragma once

#include <glib.h>
#include <vmifs/call.h>
#include <vmifs/regs.h>

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

typedef struct {
	char name[VMIFS_REG_NAME_LEN]; /* lower case; empty: that is too long for it */
	guint number;
	guint bits;
} QemuGdbReg;

/* The registers of a target. regs: of QemuGdbReg; architecture: (full) (nullable) CORRUPT. */
typedef struct {
	GArray *regs;
	char *architecture;
} QemuGdbTarget;

/* One document of the description of a target, which continues what was told before. includes: of
 * char *, appended to: those that come after it, in this order. */
gboolean
qemu_gdb_describe(QemuGdbTarget *target, const char *xml, gsize len, GPtrArray *includes,
		  GError **error);
void
qemu_gdb_target_init(QemuGdbTarget *target);
void
qemu_gdb_target_clear(QemuGdbTarget *target);
/* By gdb's name, or, of a processor in 32-bit mode, by that of its lower half. (borrowed) NULL:
 * there is none. */
const QemuGdbReg *
qemu_gdb_target_find(const QemuGdbTarget *target, const char *name);
/* Does the guest stop before an access that is watched, and not behind it? */
gboolean
qemu_gdb_target_stops_before(const QemuGdbTarget *target);
/* The one that says where a vCPU is. */
const QemuGdbReg *
qemu_gdb_target_pc(const QemuGdbTarget *target);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(QemuGdb, qemu_gdb_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(QemuGdbTarget, qemu_gdb_target_clear)

G_END_DECLS
