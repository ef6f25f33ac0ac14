/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-registers: any text as what "info registers -a" prints. */
#include "fuzz.h"

#include <backends/qemu/registers.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autofree char *text = g_strndup((const char *) data, len);
	g_autoptr(GPtrArray) all = qemu_registers_parse(text, NULL);

	g_assert(!all || all->len <= VMIFS_MAX_VCPUS);
	for (guint i = 0; all && i < all->len; i++) {
		gsize n;
		if (g_ptr_array_index(all, i))
			g_assert(vmifs_regs_all(g_ptr_array_index(all, i), &n) && n);
	}
	return 0;
}
