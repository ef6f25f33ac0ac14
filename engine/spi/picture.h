/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * picture: memory and registers of one moment of a running guest, as its backend tells them: in any
 * order, straight from whatever it reads them from. Blocks are numbered as in the layout() that the
 * engine knows: what does not fit that has changed meanwhile, and is refused.
 */
#pragma once

#include <vmifs/regs.h>

G_BEGIN_DECLS

/* What a page is, of guests and of pictures. */
#define VMIFS_PICTURE_PAGE ((gsize) 4096)

typedef struct VmifsPictureWriter VmifsPictureWriter;

/* How it was taken, for who looks at it. */
typedef struct {
	const char *how; /* (borrowed until return) a line: "QEMU's background snapshot" */
	gint64 moment;   /* when memory was so, by the host's clock: µs since the epoch */
	gint64 still_us; /* for how long the guest was made to stand still; -1 = not known */
} VmifsPictureTaken;

/* len bytes at offset of a block, as they were; bytes NULL = zeros. Both are multiples of a page,
 * unless they end where the block does. What is never told is zeros; of a page that is told twice
 * the later one counts. From any thread, as long as no two tell of the same page at a time. STALE:
 * there is no such block or it is shorter; NO_SPACE, IO: the picture has failed, and so shall the
 * op. */
gboolean
vmifs_picture_write(VmifsPictureWriter *writer, guint32 block, guint64 offset, gconstpointer bytes,
		    gsize len, GError **error);
/* The registers of a vCPU that layout() counts; copied. One thread at a time. STALE: it does not
 * count that one. */
gboolean
vmifs_picture_add_regs(VmifsPictureWriter *writer, guint vcpu, const VmifsRegs *regs,
		       GError **error);
/* Before the op returns TRUE; copied. One thread at a time. */
void
vmifs_picture_set_taken(VmifsPictureWriter *writer, const VmifsPictureTaken *taken);

G_END_DECLS
