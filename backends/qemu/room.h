/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * room (private): pages of a guest that are kept in memory until they can be written to a picture:
 * how long that takes a disk decides, and the guest shall not wait for it. A page is kept again and
 * again; of one that is as it was nothing is written, which is quicker.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct QemuRoom QemuRoom;

/* For so many pages, or as many as a part of the free memory holds; all of it is touched. blocks:
 * how many pages each has. (full) NULL: there is no memory for it. */
QemuRoom *
qemu_room_new(guint64 n_pages, const guint64 *blocks, guint n_blocks);
void
qemu_room_free(QemuRoom *room);

/* len: of a page, or of less at the end of a block. FALSE: there is no room for one more. Several
 * threads may keep several pages. */
gboolean
qemu_room_keep(QemuRoom *room, guint32 block, guint64 page, const guint8 *bytes, gsize len);
/* There is no such page any more. */
void
qemu_room_forget(QemuRoom *room, guint32 block, guint64 page);
/* Kept pages from *page on that lie one behind the other, some thousands at most. Returns: the
 * first one's bytes, with *page its number; NULL: there are no more. (borrowed) */
const guint8 *
qemu_room_next(const QemuRoom *room, guint32 block, guint64 *page, gsize *ret_n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuRoom, qemu_room_free)

G_END_DECLS
