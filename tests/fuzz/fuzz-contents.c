/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-contents: variables that are known by what they hold, in whatever an image is. */
#include "kernel.h"

#include <os/linux/contents.h>

static const FuzzSymbol symbols[] = {
	{ "_stext", FUZZ_PAGE - 64 },
	{ "_etext", FUZZ_PAGE + 64 },
	{ "last", 2 * FUZZ_PAGE },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	FuzzKernel k;

	if (!fuzz_kernel_init(&k, "", NULL, symbols, G_N_ELEMENTS(symbols), data, len))
		return 0;
	VmifsSymbols *found = linux_contents_find(&k.os, NULL);
	if (found) {
		g_assert(vmifs_symbols_count(found) == 1);
		vmifs_symbols_unref(found);
	}
	fuzz_kernel_clear(&k);
	return 0;
}
