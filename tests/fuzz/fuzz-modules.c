/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-modules: the list of modules, behind the first page, its text, and their tables of symbols.
 */
#include "kernel.h"

#include <modules-guest.h>
#include <os/linux/modules.h>

static const FuzzSymbol symbols[] = { { "modules", FUZZ_PAGE } };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	FuzzKernel k;

	if (!fuzz_kernel_init(&k, OLD_TYPES, NEW_TYPES, symbols, G_N_ELEMENTS(symbols), data, len))
		return 0;
	g_autoptr(GString) text = g_string_new(NULL);
	linux_render_modules(&k.os, NULL, NULL, text, NULL, NULL);
	VmifsSymbols *all = linux_symbols(&k.os, NULL, NULL);
	if (all)
		g_assert(vmifs_symbols_count(all) >= G_N_ELEMENTS(symbols));
	g_clear_pointer(&all, vmifs_symbols_unref);
	fuzz_kernel_clear(&k);
	return 0;
}
