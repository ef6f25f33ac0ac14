/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-infer: layouts inferred from whatever objects there are. */
#include "kernel.h"

#include <os/linux/infer.h>

static const FuzzSymbol symbols[] = {
	{ "init_task", FUZZ_PAGE },
	{ "init_pid_ns", 2 * FUZZ_PAGE },
	{ "_stext", 3 * FUZZ_PAGE },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static LinuxLayout *layout;
	FuzzKernel k;

	if (!layout)
		layout = linux_guest_layout("");
	if (!fuzz_kernel_init(&k, layout, symbols, G_N_ELEMENTS(symbols), data, len))
		return 0;
	g_autoptr(GError) error = NULL;
	g_autofree char *origin = NULL;
	g_autoptr(VmifsTypes) types = linux_infer(&k.os, &origin, NULL, &error);
	g_assert(!types == !!error && !types == !origin);
	linux_layout_free(linux_layout_new(types));
	fuzz_kernel_clear(&k);
	return 0;
}
