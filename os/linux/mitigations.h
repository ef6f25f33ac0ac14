/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mitigations: what status says of speculation. */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

/* flags: task_struct.atomic_flags. (static) NULL with UNSUPPORTED when this kernel does not tell.
 */
const char *
linux_store_bypass(const Linux *os, guint64 flags, GError **error);
const char *
linux_indirect_branch(const Linux *os, guint64 flags, GError **error);

G_END_DECLS
