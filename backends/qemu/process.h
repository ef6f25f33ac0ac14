/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process (private): the memory of a QEMU process from outside. Everything that needs rights is
 * opened at once, when the guest appears: afterwards nothing can be refused any more, and what was
 * opened belongs to that life of the process, whoever gets its number later.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* Pages that one call of qemu_process_presence() tells of. */
#define QEMU_PRESENCE_PAGES 512

typedef struct QemuProcess QemuProcess;

/* One piece of a vectored transfer. */
typedef struct {
	guint64 address; /* in the process */
	gpointer buf;
	gsize len;
	int status; /* out: 0, or an errno value */
} QemuTransfer;

/* What /proc/PID/stat tells, below that folder: its state (field 3) and start (22). FALSE: it has
 * ended, or is not to be seen. */
gboolean
qemu_process_stat(int dir, char *ret_state, guint64 *ret_start_time);

/* start_time: in clock ticks since boot, as /proc/PID/stat has it; 0 = whoever has that number now.
 * writable: its memory will be written to. On failure SOURCE: what is not permitted, and to whom
 * it would be. */
QemuProcess *
qemu_process_open(pid_t pid, guint64 start_time, gboolean writable, GError **error);
void
qemu_process_close(QemuProcess *self);

/* Readable (poll) from the moment on at which it has ended. (borrowed) */
int
qemu_process_pidfd(const QemuProcess *self);
/* /proc/PID of this very process; what is opened below fails once it has ended. (borrowed) */
int
qemu_process_dir(const QemuProcess *self);
gboolean
qemu_process_is_gone(const QemuProcess *self);
/* Stopped by a signal (SIGSTOP) or a debugger: it answers nobody. */
gboolean
qemu_process_is_stopped(const QemuProcess *self);
/* Of a stopped one: do all its threads rest? A moment after the signal they do. ret_switches: how
 * often they have gone off a CPU; another number later means that one of them ran meanwhile. */
gboolean
qemu_process_rests(const QemuProcess *self, guint64 *ret_switches);

/* The text of /proc/PID/maps. Returns: (full) NULL with IO or STALE. */
char *
qemu_process_maps(const QemuProcess *self, GError **error);

/* Which of the n (<= QEMU_PRESENCE_PAGES) pages from address on hold anything, in RAM or swapped
 * out: a bit each. Touches none of them. FALSE: cannot be told. */
gboolean
qemu_process_presence(const QemuProcess *self, guint64 address, gsize n, guint64 *ret_bits);

/* Read every element, or write it. Return how many have status 0; an element that fails costs the
 * others nothing. The caller asks for presence first: reading a page that is not there would make
 * one. Thread-safe. */
gsize
qemu_process_read(QemuProcess *self, QemuTransfer *io, gsize n);
gsize
qemu_process_write(QemuProcess *self, QemuTransfer *io, gsize n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuProcess, qemu_process_close)

G_END_DECLS
