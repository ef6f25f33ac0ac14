/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* piece (private): a part of the guest's memory, as a monitor or a rule tells of it. */
#pragma once

#include <vmifs/physmem.h>

G_BEGIN_DECLS

#define QEMU_MAX_PIECES 65536

/* len bytes of guest memory at pa: those of a block from offset on. Its first one, and so the
 * block's, by its address in the process. */
typedef struct {
	guint64 pa, len;
	char *block; /* as QEMU calls it */
	guint64 offset;
	guint64 address;
	VmifsRegionKind kind;
} QemuPiece;

/* The name of a block as that of a file: without what cannot be in one, or would be seen by a
 * terminal; may be empty. (full) */
char *
qemu_piece_file_name(const char *block);

/* An array of them. */
GArray *
qemu_pieces_new(void);

G_END_DECLS
