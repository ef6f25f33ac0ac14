/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unpack-zst-none: of a build without that library: such files are known by name only. */
#include "unpack.h"

const VmifsPacking vmifs_packing_zst = { .name = "zstd",
					 .magic = "\050\265\057\375",
					 .magic_len = 4 };
