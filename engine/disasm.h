/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disasm (private): where one instruction ends and the next begins, of any bytes; by capstone, if
 * the build has it. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct VmifsDisasm VmifsDisasm;

gboolean
vmifs_disasm_is_there(void);
/* Of one thread. arch: "x86_64", "i386". NULL with UNSUPPORTED. (full) */
VmifsDisasm *
vmifs_disasm_new(const char *arch, GError **error);
void
vmifs_disasm_free(VmifsDisasm *disasm);
/* Bytes of the instruction that these begin with; 0 = of none that is known for certain. */
gsize
vmifs_disasm_len(VmifsDisasm *disasm, const guint8 *code, gsize len);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsDisasm, vmifs_disasm_free)

G_END_DECLS
