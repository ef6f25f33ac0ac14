/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rules (private): the layout of a guest's memory without a monitor: its QEMU is hung, or has none.
 * Where machines put RAM is known (QEMU's hw/i386, docs of `max-ram-below-4g`), how much there is
 * stands in the arguments, and each piece of it is a mapping of just that size. All of it is a
 * guess until the guest's own memory agrees.
 */
#pragma once

#include "args.h"
#include "ram.h"

G_BEGIN_DECLS

/* pieces: (full) RAM alone, no ROM. how: (full) for info: what was assumed, and what proves it. On
 * failure SOURCE: what there is no rule for, or what did not agree as long as the call
 * lasted. */
gboolean
qemu_rules_find(const QemuArgs *args, QemuProcess *process, const GArray *maps, GArray **ret_pieces,
		char **ret_how, const VmifsCall *call, GError **error);

G_END_DECLS
