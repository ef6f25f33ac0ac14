/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ram (private): the guest's memory as pieces of RAM blocks, read from where each page is. The
 * layout may change while others read by the one before: a block keeps its number for good, and
 * the number of one that was unplugged is not given to another.
 */
#pragma once

#include "block.h"
#include "owed.h"
#include "piece.h"

#include <spi/backend.h>

G_BEGIN_DECLS

#define QEMU_MAX_BLOCKS 4096

typedef struct QemuRam QemuRam;

/* process: (borrowed) outlives it. */
QemuRam *
qemu_ram_new(QemuProcess *process);
void
qemu_ram_free(QemuRam *ram);

/* It was migrated here, and memory may come later than it runs. owed: (borrowed) outlives it */
void
qemu_ram_expect(QemuRam *ram, QemuOwed *owed);
/* Do pages still come? Their places are no holes, and reading them is EIO. */
gboolean
qemu_ram_is_owed(QemuRam *ram);

/* These pieces are its memory from now on; maps: of the process, as of now. ret_changed: is it
 * another layout than before? CORRUPT: it cannot be one. */
gboolean
qemu_ram_set_pieces(QemuRam *ram, const GArray *pieces, const GArray *maps, gboolean *ret_changed,
		    GError **error);

/* The guest stands still now: what was a hole before may be none. */
void
qemu_ram_stopped(QemuRam *ram);
/* Its blocks have the numbers up to that; those that were unplugged among them. */
guint
qemu_ram_n_blocks(const QemuRam *ram);
/* (borrowed) as long as the ram lives. */
const QemuBlock *
qemu_ram_block(const QemuRam *ram, guint32 number);

/* As VmifsBackend's ops. Thread-safe. */
void
qemu_ram_layout(QemuRam *ram, VmifsLayout *ret);
gsize
qemu_ram_read(QemuRam *ram, VmifsIo *io, gsize n);
gsize
qemu_ram_write(QemuRam *ram, VmifsIo *io, gsize n);
gboolean
qemu_ram_map(QemuRam *ram, guint32 block, VmifsDirect *ret);
gboolean
qemu_ram_extent(QemuRam *ram, guint32 block, guint64 offset, gboolean *ret_data, guint64 *ret_len);
/* Exactly len bytes of guest memory at pa; zeros where there is nothing, but FALSE where no region
 * is. */
gboolean
qemu_ram_read_pa(QemuRam *ram, guint64 pa, gpointer buf, gsize len);
/* "block pc.ram: 1024 MiB, shared file, mapped", a line each. */
void
qemu_ram_info(QemuRam *ram, GString *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuRam, qemu_ram_free)

G_END_DECLS
