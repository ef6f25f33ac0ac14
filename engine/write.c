/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * write: bytes on their way into a guest, always by its backend, even where memory is mapped: our
 * own mappings are read-only, whatever the mount's options say, and see what the backend has
 * written.
 */
#include "aspace.h"
#include "backend-call.h"
#include "physmem.h"
#include "regions.h"

#define X64 "%#" G_GINT64_MODIFIER "x"

/* ---- physical memory ---- */

/* Only RAM: writing to a flash chip is not what it looks like. */
static gboolean
collect(VmifsPhysmem *mem, guint64 pa, guint8 *buf, gsize len, GArray *io, GError **error)
{
	gsize n_regions;
	const VmifsRegion *regions = vmifs_physmem_regions(mem, &n_regions);

	for (gsize i = vmifs_regions_find(regions, n_regions, pa); len; i++) {
		const VmifsRegion *region = i < n_regions ? &regions[i] : NULL;
		if (!region || !vmifs_region_holds(region, pa) ||
		    region->kind != VMIFS_REGION_RAM) {
			vmifs_physmem_set_hole(pa, error);
			return FALSE;
		}
		VmifsIo part = { .block = region->block,
				 .offset = region->offset + (pa - region->pa),
				 .buf = buf,
				 .len = MIN(len, region->len - (pa - region->pa)) };
		g_array_append_val(io, part);
		pa += part.len;
		buf += part.len;
		len -= part.len;
	}
	return TRUE;
}

gboolean
vmifs_physmem_write(VmifsPhysmem *mem, guint64 pa, gconstpointer buf, gsize len,
		    const VmifsCall *call, GError **error)
{
	VmifsConnection *connection = vmifs_physmem_connection(mem);
	g_autoptr(GArray) io = g_array_new(FALSE, FALSE, sizeof(VmifsIo));
	VmifsIo *elements;

	if (!vmifs_backend_may_write(connection, error) || !vmifs_call_check(call, error) ||
	    !collect(mem, pa, (guint8 *) buf, len, io, error))
		return FALSE;
	elements = (VmifsIo *) (gpointer) io->data;
	gboolean written = vmifs_backend_write(connection, elements, io->len, call);
	vmifs_epoch_move(&connection->epoch);
	return written || vmifs_physmem_fail_io(mem, elements, call, error);
}

/* ---- address spaces ---- */

gsize
vmifs_aspace_write(VmifsAspace *aspace, guint64 va, gconstpointer buf, gsize len,
		   const VmifsCall *call, GError **error)
{
	const guint8 *from = buf;
	gsize below_end = vmifs_aspace_clip(va, len), done = 0;
	VmifsWalker walker;
	VmifsRange range;

	if (!len)
		return 0;
	vmifs_physmem_touch(aspace->tables.mem);
	vmifs_walker_init(&walker, &aspace->tables, va, va + (below_end - 1), G_MAXUINT64);
	while (vmifs_walker_next(&walker, &range)) {
		if (range.kind != VMIFS_RANGE_PAGE) {
			vmifs_aspace_set_error(aspace, &range, error);
			return done;
		}
		if (!vmifs_physmem_write(aspace->tables.mem, range.pa, from + done, range.len, call,
					 error)) {
			g_prefix_error(error, "walk " X64 ": ", range.va);
			return done;
		}
		done += range.len;
	}
	if (done < len)
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE,
			    "walk " X64 ": addresses end at 2^64", va);
	return done;
}
