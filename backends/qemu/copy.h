/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy (private): the memory of a guest that stands still, into a picture. Who waits for it is let
 * run before the picture is written: how long that takes a disk decides. As much as fits into a
 * part of the free memory is kept there meanwhile.
 */
#pragma once

#include "ram.h"

G_BEGIN_DECLS

typedef struct QemuCopy QemuCopy;

/* All is (borrowed). hurry: the guest will wait; makes room for what it has now. */
QemuCopy *
qemu_copy_new(const QemuRam *ram, QemuProcess *process, VmifsPictureWriter *out, gboolean hurry);
void
qemu_copy_free(QemuCopy *copy);
/* While it stands still: everything that is there; nothing comes into being by it. */
gboolean
qemu_copy_ram(QemuCopy *copy, const VmifsCall *call, GError **error);
/* Afterwards, whether it runs or not: what was kept is written. */
gboolean
qemu_copy_tell(QemuCopy *copy, const VmifsCall *call, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuCopy, qemu_copy_free)

G_END_DECLS
