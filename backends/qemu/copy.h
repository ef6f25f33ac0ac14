/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy (private): the memory of a guest that stands still, into a picture.
 */
#pragma once

#include "ram.h"

G_BEGIN_DECLS

/* Everything that is there; nothing comes into being by it. */
gboolean
qemu_copy_ram(const QemuRam *ram, QemuProcess *process, VmifsPictureWriter *out,
	      const VmifsCall *call, GError **error);

G_END_DECLS
