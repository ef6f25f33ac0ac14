/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unpack-gz-none: of a build without that library: such files are known by name only. */
#include "unpack.h"

const VmifsPacking vmifs_packing_gz = { .name = "gzip", .magic = "\037\213", .magic_len = 2 };
