/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-infer: layouts inferred from whatever objects there are. */
#include "kernel.h"

#include <os/linux/infer.h>

static const FuzzSymbol symbols[] = {
	{ "init_task", FUZZ_PAGE },
	{ "init_pid_ns", 2 * FUZZ_PAGE },
	{ "_stext", 3 * FUZZ_PAGE },
	{ "task_curr", 3 * FUZZ_PAGE + 16 },
	{ "tty_devnum", 3 * FUZZ_PAGE + 32 },
	{ "tty_get_pgrp", 3 * FUZZ_PAGE + 64 },
	{ "proc_clear_tty", 3 * FUZZ_PAGE + 96 },
	{ "account_user_time", 3 * FUZZ_PAGE + 160 },
	{ "account_system_index_time", 3 * FUZZ_PAGE + 192 },
	{ "task_cputime_adjusted", 3 * FUZZ_PAGE + 224 },
	{ "thread_group_cputime_adjusted", 3 * FUZZ_PAGE + 320 },
	{ "thread_group_cputime", 3 * FUZZ_PAGE + 384 },
	{ "cputime_adjust", 3 * FUZZ_PAGE + 512 },
	{ "task_statm", 3 * FUZZ_PAGE + 528 },
	{ "__percpu_counter_sum", 3 * FUZZ_PAGE + 640 },
	{ "_etext", 3 * FUZZ_PAGE + 704 },
	{ "modules", 4 * FUZZ_PAGE },
	{ "iomem_resource", 5 * FUZZ_PAGE },
	{ "init_uts_ns", 6 * FUZZ_PAGE },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	FuzzKernel k;

	if (!fuzz_kernel_init(&k, "", NULL, symbols, G_N_ELEMENTS(symbols), data, len))
		return 0;
	g_autoptr(GError) error = NULL;
	g_autofree char *origin = NULL;
	g_autoptr(VmifsTypes) types = linux_infer(&k.os, &origin, NULL, &error);
	g_assert(!types == !!error && !types == !origin);
	linux_layout_free(linux_layout_new(types));
	fuzz_kernel_clear(&k);
	return 0;
}
