/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disasm-none: in a build without capstone. */
#include "disasm.h"

#include <spi/insn.h>
#include <vmifs/error.h>

gboolean
vmifs_disasm_is_there(void)
{
	return FALSE;
}

VmifsDisasm *
vmifs_disasm_new(const char *arch, GError **error)
{
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "this vmifs was built without capstone, which finds instructions");
	return NULL;
}

void
vmifs_disasm_free(VmifsDisasm *disasm)
{
}

gsize
vmifs_disasm_len(VmifsDisasm *disasm, const guint8 *code, gsize len)
{
	return 0;
}

GArray *
vmifs_insns(const char *arch, const guint8 *code, gsize len, guint64 va, gsize most)
{
	return NULL;
}
