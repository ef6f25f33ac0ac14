/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-gdb: any bytes as what a gdbstub sends: packets, of stops and registers among them, and the
 * description of its registers. */
#include "fuzz.h"

#include <backends/qemu/gdb-stop.h>
#include <backends/qemu/gdb.h>

static const char described[] =
	"<target><reg name=\"rip\" bitsize=\"64\"/><reg name=\"cs\" bitsize=\"32\"/>"
	"<reg name=\"st0\" bitsize=\"80\"/><reg name=\"cr3\" bitsize=\"64\"/></target>";

static void
read_packet(const GByteArray *packet)
{
	g_autoptr(GPtrArray) includes = g_ptr_array_new_with_free_func(g_free);
	g_auto(QemuGdbTarget) target;
	QemuGdbStop stop;

	if (qemu_gdb_stop_parse((const char *) packet->data, &stop, NULL))
		g_assert(stop.signal <= 255 && stop.vcpu < VMIFS_MAX_VCPUS);
	qemu_gdb_target_init(&target);
	g_assert(qemu_gdb_describe(&target, described, sizeof described - 1, includes, NULL));
	g_autoptr(VmifsRegs) regs =
		qemu_gdb_regs_parse(&target, (const char *) packet->data, packet->len, NULL);
	g_assert(!regs || packet->len >= 16);
}

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
		read_packet(packet);
	}
	qemu_gdb_target_init(&target);
	if (qemu_gdb_describe(&target, (const char *) data, len, includes, NULL))
		qemu_gdb_target_find(&target, "rax");
	g_assert(target.regs->len <= 1024 && includes->len <= 16);
	return 0;
}
