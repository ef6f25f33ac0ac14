/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-gdb: any bytes as what a gdbstub sends, and as the description of its registers. */
#include "fuzz.h"

#include <backends/qemu/gdb.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autoptr(GPtrArray) includes = g_ptr_array_new_with_free_func(g_free);
	g_auto(QemuGdbTarget) target;
	gsize used = 0;

	for (size_t at = 0; at < len; at += used) {
		g_autoptr(GError) error = NULL;
		g_autoptr(GByteArray) packet = qemu_gdb_packet(data + at, len - at, &used, &error);
		g_assert(used <= len - at);
		if (!packet)
			break;
		g_assert(used > 0 && !error && packet->len < used);
	}
	qemu_gdb_target_init(&target);
	if (qemu_gdb_describe(&target, (const char *) data, len, includes, NULL))
		qemu_gdb_target_find(&target, "rax");
	g_assert(target.regs->len <= 1024 && includes->len <= 16);
	return 0;
}
