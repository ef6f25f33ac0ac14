/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-writes: any bytes as a kernel's text. One byte for the register, one for a second function's
 * beginning, one for where the text is cut into two pieces. What is found lies in it, in order, and
 * is what it is said to be.
 */
#include "fuzz.h"

#include <arch/x86.h>
#include <engine/writes.h>

#define VA G_GUINT64_CONSTANT(0xffffffff81000000)
#define MOST 64

static void
check(const VmifsWrites *writes, const guint8 *code, gsize len)
{
	g_assert(writes->found->len == MIN(writes->n, MOST));
	for (guint i = 0; i < writes->found->len; i++) {
		guint64 at = g_array_index(writes->found, guint64, i) - VA;
		VmifsArchWrite write;
		g_assert(at < len && writes->arch->decode(code + at, len - at, NULL, &write) &&
			 g_str_equal(write.reg, writes->reg));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const regs[] = { "cr0", "cr3", "cr4", "msr" };
	g_autoptr(VmifsDisasm) disasm = vmifs_disasm_new("x86_64", NULL);
	g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(guint64));
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();

	vmifs_symbols_builder_add(builder, VA, 'T', "one", 3);
	if (len >= 3)
		vmifs_symbols_builder_add(builder, VA + data[1], 'T', "two", 3);
	g_autoptr(VmifsSymbols) symbols = vmifs_symbols_builder_end(builder);
	if (len < 3)
		return 0;
	VmifsWrites writes = { .arch = &vmifs_x86_64_writes,
			       .reg = regs[data[0] % G_N_ELEMENTS(regs)],
			       .disasm = disasm,
			       .symbols = symbols,
			       .found = found,
			       .most = MOST,
			       .budget = 4096 };
	gsize cut = data[2];
	data += 3;
	len -= 3;
	cut = MIN(cut, len);
	vmifs_writes_scan(&writes, data, len, VA, 0, cut);
	vmifs_writes_scan(&writes, data, len, VA, cut, len - cut);
	check(&writes, data, len);
	return 0;
}
