/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmlinux-none: of a build without libdw; a mount with vmlinux= fails before anything is read. */
#include "vmlinux.h"

#include <vmifs/error.h>

const gboolean vmifs_vmlinux_is_readable = FALSE;

gboolean
vmifs_vmlinux_read(gpointer bytes, gsize len, const VmifsWanted *wanted, VmifsGiven *ret,
		   const VmifsCall *call, GError **error)
{
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "this build cannot read ELF files: it lacks libdw");
	return FALSE;
}
