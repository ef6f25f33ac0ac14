/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unpack-xz-none: of a build without that library: such files are known by name only. */
#include "unpack.h"

const VmifsPacking vmifs_packing_xz = { .name = "xz", .magic = "\3757zXZ\0", .magic_len = 6 };
