/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz: what a target implements: reads any bytes at all, returns 0. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
