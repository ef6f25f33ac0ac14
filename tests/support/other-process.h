/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * other-process: a process that has mapped memory as QEMU does, and does with it what a guest or
 * its QEMU would: what backends/qemu reads from outside. It ends with the test.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef struct OtherProcess OtherProcess;

typedef enum {
	OTHER_ANONYMOUS,    /* -m */
	OTHER_SHARED_ANON,  /* memory-backend-ram,share=on of old */
	OTHER_MEMFD,        /* memory-backend-memfd */
	OTHER_FILE_SHARED,  /* memory-backend-file,share=on */
	OTHER_FILE_PRIVATE, /* memory-backend-file: the file has 0xf0 in its even pages */
	OTHER_HUGE_SHARED,  /* memory-backend-memfd,hugetlb=on */
	OTHER_HUGE_PRIVATE,
} OtherKind;

/* Returns: (full) NULL when this machine has no such memory (huge pages). len: of a piece of
 * memory of that kind, with nothing in it and a guard page behind it. */
OtherProcess *
other_process_new(OtherKind kind, gsize len);
/* Ends it. */
void
other_process_free(OtherProcess *other);

pid_t
other_process_pid(const OtherProcess *other);
/* Where its memory begins. */
guint64
other_process_address(const OtherProcess *other);
/* Fills len bytes with that value. */
void
other_process_fill(OtherProcess *other, gsize offset, gsize len, guint8 value);
/* The byte there. */
guint8
other_process_byte(OtherProcess *other, gsize offset);
/* Gives those pages back, as a balloon does. */
void
other_process_discard(OtherProcess *other, gsize offset, gsize len);
/* madvise(2), where the kernel knows that advice. */
void
other_process_advise(OtherProcess *other, gsize offset, gsize len, int advice);
/* Maps another piece of anonymous memory, as for a hot-plugged DIMM. */
guint64
other_process_plug(OtherProcess *other, gsize len);

/* Of it: kB of that line of /proc/PID/status (VmRSS, VmPTE, VmSwap). */
guint64
other_process_status(const OtherProcess *other, const char *key);
/* Blocks of 512 bytes of its file; 0 without one. */
guint64
other_process_blocks(const OtherProcess *other);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(OtherProcess, other_process_free)

G_END_DECLS
