/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-lime: any bytes as a LiME image. */
#include "image.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_image(data, len, "lime");
	return 0;
}
