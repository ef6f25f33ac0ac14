/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy (private): the memory of a guest that stands still, into a picture. For who waits meanwhile
 * it is quick: as much as fits into a part of the free memory is copied ahead, while the guest
 * still runs; when it stands, that is compared, and only what has changed copied once more. The
 * picture is written when it runs again.
 */
#pragma once

#include "ram.h"

G_BEGIN_DECLS

typedef struct QemuCopy QemuCopy;

/* All is (borrowed). */
QemuCopy *
qemu_copy_new(const QemuRam *ram, QemuProcess *process, VmifsPictureWriter *out);
void
qemu_copy_free(QemuCopy *copy);
/* While it runs. FALSE: who waits has given up. */
gboolean
qemu_copy_ahead(QemuCopy *copy, const VmifsCall *call, GError **error);
/* While it stands still: everything that is there; nothing comes into being by it. */
gboolean
qemu_copy_ram(QemuCopy *copy, const VmifsCall *call, GError **error);
/* Afterwards, whether it runs or not: what was kept is written. */
gboolean
qemu_copy_tell(QemuCopy *copy, const VmifsCall *call, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuCopy, qemu_copy_free)

G_END_DECLS
