/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disasm: see disasm.h. The only file that knows capstone. */
#include "disasm.h"

#include <vmifs/error.h>

#include <capstone.h>

struct VmifsDisasm {
	csh handle;
	cs_insn *insn; /* filled in anew each time */
};

static const struct {
	const char *name;
	cs_arch arch;
	cs_mode mode;
} archs[] = {
	{ "x86_64", CS_ARCH_X86, CS_MODE_64 },
	{ "i386", CS_ARCH_X86, CS_MODE_32 },
};

gboolean
vmifs_disasm_is_there(void)
{
	return TRUE;
}

VmifsDisasm *
vmifs_disasm_new(const char *arch, GError **error)
{
	csh handle;

	for (gsize i = 0; i < G_N_ELEMENTS(archs); i++) {
		if (!g_str_equal(arch, archs[i].name))
			continue;
		if (cs_open(archs[i].arch, archs[i].mode, &handle) != CS_ERR_OK)
			break;
		VmifsDisasm *disasm = g_new0(VmifsDisasm, 1);
		disasm->handle = handle;
		disasm->insn = cs_malloc(handle);
		return disasm;
	}
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "capstone knows no code of %s",
		    arch);
	return NULL;
}

void
vmifs_disasm_free(VmifsDisasm *disasm)
{
	if (!disasm)
		return;
	cs_free(disasm->insn, 1);
	cs_close(&disasm->handle);
	g_free(disasm);
}

gsize
vmifs_disasm_len(VmifsDisasm *disasm, const guint8 *code, gsize len)
{
	uint64_t address = 0;

	if (!cs_disasm_iter(disasm->handle, &code, &len, &address, disasm->insn))
		return 0;
	/* Version 4 takes these for shorter than processors do. */
	if (disasm->insn->id == X86_INS_UD0 || disasm->insn->id == X86_INS_UD2B)
		return 0;
	return disasm->insn->size;
}
