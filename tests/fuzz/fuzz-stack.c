/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-stack: a kernel stack and the tables that tell where its frames lie. One byte for the form
 * of the tables (1: of old kernels; 2: stacks may switch; 4: learn from where it starts), then
 * numbers of eight bytes each: instruction, stack and frame pointer, where the stack and both
 * tables begin, how many entries there are; then what lies behind every address. Code is what is
 * above 64 KiB.
 */
#include "fuzz.h"

#include <os/linux/orc.h>
#include <spi/bytes.h>

#define CODE 0x10000
#define MAX_STEPS 512

typedef struct {
	const guint8 *data;
	gsize len;
	LinuxOrcTable table;
} Memory;

static gboolean
read_memory(gpointer user, guint64 va, gpointer buf, gsize len)
{
	const Memory *m = user;

	if (!vmifs_in_bounds(va, len, m->len))
		return FALSE;
	memcpy(buf, m->data + va, len);
	return TRUE;
}

static gboolean
find_table(gpointer user, guint64 ip, LinuxOrcTable *ret)
{
	const Memory *m = user;

	*ret = m->table;
	return ip >= CODE;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VmifsBytes b = vmifs_bytes(data, len);
	guint8 form = vmifs_bytes_u8(&b);
	Memory m = { 0 };
	LinuxOrcState s = { .ip = vmifs_bytes_u64(&b),
			    .sp = vmifs_bytes_u64(&b),
			    .regs[LINUX_ORC_BP] = vmifs_bytes_u64(&b),
			    .has_regs = TRUE };
	LinuxOrc orc = {
		.read = read_memory,
		.find = find_table,
		.user = &m,
		.format = {
			.size = 6,
			.sp_offset = { 0, 2, 0, 16 },
			.bp_offset = { 2, 2, 0, 16 },
			.sp_reg = { 4, 2, 0, 4 },
			.bp_reg = { 4, 2, 4, 4 },
			.type = { 4, 2, 8, form & 1 ? 2 : 3 },
			.signal = { 4, form & 1 ? 0 : 2, 11, 1 },
			.end = { 4, form & 1 ? 2 : 0, 10, 1 },
		},
		.pt_regs = {
			.size = 168,
			.regs = { [LINUX_ORC_R13] = 16, [LINUX_ORC_BP] = 32, [LINUX_ORC_R10] = 56,
				  [LINUX_ORC_DX] = 96, [LINUX_ORC_DI] = 112 },
			.ip = 128,
			.cs = 136,
			.sp = 152,
		},
		.may_switch = (form & 2) != 0,
	};

	orc.stack = vmifs_bytes_u64(&b);
	m.table.ips = vmifs_bytes_u64(&b);
	m.table.entries = vmifs_bytes_u64(&b);
	m.table.n = vmifs_bytes_u64(&b);
	if (b.failed)
		return 0;
	m.data = data + b.at;
	m.len = len - b.at;
	orc.stack_len = G_MAXUINT64 - orc.stack;
	if (form & 4)
		linux_orc_learn(&orc, s.ip);
	for (guint i = 0; i < MAX_STEPS; i++) {
		guint64 sp = s.sp;
		if (!linux_orc_next(&orc, &s))
			break;
		g_assert(s.is_user || orc.may_switch || s.sp > sp);
	}
	return 0;
}
