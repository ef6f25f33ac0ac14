/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btf-find: the kernel's BTF where no symbol tells its place: recognised by its header in read-only
 * data, taken when the whole of it can be read and the first task looks as it says.
 */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

/* NULL with UNSUPPORTED when there is none that agrees with init_task. (full) */
VmifsTypes *
linux_btf_find(const Linux *os, GError **error);

G_END_DECLS
