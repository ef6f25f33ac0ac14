/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-elf: any bytes as an ELF core, its segments and notes. */
#include "image.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_image(data, len, "elf");
	return 0;
}
