/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * raw: memory as it is, one piece, its first byte at base=, or where its kernel says. It has no
 * magic: whatever no other format claims is taken for it. A size that is no multiple of a page is
 * read to its end, and said to be odd: no machine has such a memory.
 */
#include "snapshot.h"

static gboolean
raw_matches(const VmifsSource *src)
{
	return TRUE;
}

static gboolean
raw_find_regions(VmifsSnapshot *self, const VmifsSource *src, const VmifsCall *call, GError **error)
{
	VmifsRegion region = { .pa = src->options->has_base ? src->options->base : 0,
			       .len = self->len };

	if (region.pa % VMIFS_SNAPSHOT_PAGE || region.len > G_MAXUINT64 - region.pa) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID,
			    "base=%#" G_GINT64_MODIFIER
			    "x: must be a multiple of %d, and the image "
			    "of %" G_GUINT64_FORMAT " bytes must end below 2^64",
			    region.pa, VMIFS_SNAPSHOT_PAGE, region.len);
		return FALSE;
	}
	g_array_append_val(self->regions, region);
	self->is_base_assumed = !src->options->has_base;
	if (region.len % VMIFS_SNAPSHOT_PAGE)
		g_string_append_printf(
			self->remarks,
			"missing: the image ends within a page, at %#" G_GINT64_MODIFIER
			"x: it was cut short, or is still being written\n",
			region.len);
	return TRUE;
}

const VmifsSnapshotFormat vmifs_snapshot_raw = {
	.matches = raw_matches,
	.find_regions = raw_find_regions,
};
