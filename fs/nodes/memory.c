/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory: rules that all files of sized memory share. */
#include "nodes.h"

VmifsGatherFlags
vmifs_sized_flags(const VmifsNodeCall *call)
{
	return call->fs->options->engine.holes_error ? VMIFS_GATHER_STOP_AT_HOLE
						     : VMIFS_GATHER_ZERO_HOLES;
}

gsize
vmifs_sized_answer(gsize got, gsize want, const VmifsNodeCall *call, GError **error)
{
	if (got == want || got == 0 || call->direct)
		return got;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE,
		    "only %zu of %zu bytes can be had: read less at once to get them", got, want);
	return 0;
}

/* When the budget of table visits ends on the way to a hole, the place reached is said to be one:
 * the next SEEK_DATA goes on from there, so nothing is lost. Data cannot be made up that way. */
gboolean
vmifs_address_seek(VmifsAspace *aspace, guint64 va, guint64 last, gboolean want_data,
		   guint64 *ret_va, gboolean *ret_found, VmifsNodeCall *call, GError **error)
{
	g_autoptr(GError) failure = NULL;
	guint64 reached = va;
	*ret_found =
		vmifs_aspace_seek(aspace, va, last, want_data, &reached, &call->call, &failure);
	if (!*ret_found && !failure && !want_data) {
		reached = last + 1;
		*ret_found = TRUE;
	}
	if (failure && !want_data && reached > va &&
	    g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT)) {
		g_clear_error(&failure);
		*ret_found = TRUE;
	}
	if (failure) {
		g_propagate_error(error, g_steal_pointer(&failure));
		return FALSE;
	}
	*ret_va = reached;
	return TRUE;
}

gboolean
vmifs_sized_clip(VmifsSizedSeek seek, gpointer file, guint64 off, gsize *len, VmifsNodeCall *call,
		 GError **error)
{
	if (!call->fs->options->engine.holes_error)
		return TRUE;
	if (!vmifs_node_needs_work(call))
		return FALSE;
	guint64 data, hole;
	if (!seek(file, off, TRUE, &data) || data != off) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE,
			    "nothing is allocated at 0x%" G_GINT64_MODIFIER "x", off);
		return FALSE;
	}
	if (seek(file, off, FALSE, &hole) && hole - off < *len)
		*len = (gsize) (hole - off);
	return TRUE;
}

gsize
vmifs_address_write(VmifsAspace *aspace, guint64 va, gconstpointer bytes, gsize len,
		    VmifsNodeCall *call, GError **error)
{
	g_autoptr(GError) failure = NULL;
	gsize written = vmifs_aspace_write(aspace, va, bytes, len, &call->call, &failure);
	/* As write(2) has it: what was written is told, why no more, by the next. */
	if (!written && failure)
		g_propagate_error(error, g_steal_pointer(&failure));
	return written;
}

void
vmifs_set_beyond(guint64 off, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE,
		    "nothing can be written at 0x%" G_GINT64_MODIFIER "x: the file ends before it",
		    off);
}
