/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block (private): one RAM block of a running guest, and where each of its pages is to be read.
 *
 *                    page is in the process   page is not
 *   anonymous        process                  hole
 *   private file     process                  file, where it has data; else hole
 *   shared file      file, where it has data; else hole: the process is not concerned
 *   huge pages       as above; a shared file of theirs tells no holes: reading one makes no page
 *
 * What cannot be told is read from the process.
 */
#pragma once

#include "maps.h"

#include <spi/mapping.h>

G_BEGIN_DECLS

typedef struct QemuBlock QemuBlock;

/* Where pages of a block are read, a bit each; in neither: a hole. */
typedef struct {
	guint64 in_process[QEMU_PRESENCE_PAGES / 64];
	guint64 in_file[QEMU_PRESENCE_PAGES / 64];
} QemuWindow;

static inline gboolean
qemu_window_is_set(const guint64 *bits, gsize page)
{
	return bits[page / 64] >> page % 64 & 1;
}

/* The block whose len bytes begin at address in the process. process: (borrowed) outlives it. */
QemuBlock *
qemu_block_new(QemuProcess *process, const char *name, guint64 address, guint64 len,
	       const GArray *maps);
void
qemu_block_free(QemuBlock *block);
/* It was unplugged: gives back what keeps its memory. It stays valid for who still uses it, as does
 * the number of its descriptor; reading fails. */
void
qemu_block_retire(QemuBlock *block);
gboolean
qemu_block_is_retired(const QemuBlock *block);
/* Is it what qemu_block_new() would make of these? */
gboolean
qemu_block_is(const QemuBlock *block, const char *name, guint64 address, guint64 len,
	      const GArray *maps);

const char *
qemu_block_name(const QemuBlock *block);
guint64
qemu_block_address(const QemuBlock *block);
guint64
qemu_block_len(const QemuBlock *block);
/* May holes be told from data? */
gboolean
qemu_block_is_sparse(const QemuBlock *block);
/* Has nobody but the process a part in it? */
gboolean
qemu_block_is_anonymous(const QemuBlock *block);
/* Is it a shared file, of which can be told which of its pages are there? */
gboolean
qemu_block_is_shared_file(const QemuBlock *block);
/* (of such) Is that another mapping of its file? */
gboolean
qemu_block_has_mapping(const QemuBlock *block, const QemuMapping *mapping);
/* (of such) Its descriptor. (borrowed) */
int
qemu_block_shared_fd(const QemuBlock *block);
/* Bytes of the pages that a bit stands for. */
guint64
qemu_block_page(const QemuBlock *block);
/* How many of these it has; the last may be cut short. */
guint64
qemu_block_n_pages(const QemuBlock *block);
/* How many of them are there. */
guint64
qemu_block_n_present(const QemuBlock *block);
/* The file that is this block from its first byte to its last, and may be given to the kernel; -1
 * when there is none. (borrowed) */
int
qemu_block_fd(const QemuBlock *block);
/* Its file in our memory; NULL when it is not to be loaded from. (borrowed) */
VmifsMapping *
qemu_block_mapping(const QemuBlock *block);

/* Where the pages from that one on are to be read. Bits behind the block are not set. */
void
qemu_block_look(const QemuBlock *block, guint64 first_page, QemuWindow *ret);
/* Reads from its file. Returns: 0 or an errno value. */
int
qemu_block_read_file(const QemuBlock *block, guint64 offset, gpointer buf, gsize len);
/* For info: "memfd, mapped". (static) */
const char *
qemu_block_describe(const QemuBlock *block);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuBlock, qemu_block_free)

G_END_DECLS
