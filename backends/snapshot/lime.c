/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lime: what LiME writes, and AVML without compression: ranges of memory one behind the other, each
 * behind a header.
 *
 *   u32 "EMiL" | u32 version 1 | u64 first address | u64 last address | 8 bytes | the range
 *
 * LiME's other formats, raw and padded, have no header and are raw images.
 */
#include "snapshot.h"

#include <spi/bytes.h>

#define X64 "%#" G_GINT64_MODIFIER "x"
#define MAGIC 0x4c694d45u
#define HEAD_LEN 32

static gboolean
lime_matches(const VmifsSource *src)
{
	return src->head_len >= 4 && vmifs_load_u32(src->head) == MAGIC;
}

/* What stands where a header should: a dump that was stopped, or another tool's trailer. */
static void
end_early(VmifsSnapshot *self, guint64 at)
{
	g_string_append_printf(self->remarks,
			       "ignored: %" G_GUINT64_FORMAT " bytes from offset " X64
			       " on, where no LiME header follows\n",
			       self->len - at, at);
}

static gboolean
lime_find_regions(VmifsSnapshot *self, const VmifsSource *src, const VmifsCall *call,
		  GError **error)
{
	guint8 head[HEAD_LEN];
	guint64 at = 0;

	while (at < self->len) {
		gsize n = MIN(sizeof head, self->len - at);
		memset(head, 0, sizeof head);
		int status = vmifs_snapshot_read(self, at, head, n);
		if (status)
			return vmifs_snapshot_bad(error, "header at " X64 ": %s", at,
						  g_strerror(status));
		guint32 version = vmifs_load_u32(head + 4);
		guint64 first = vmifs_load_u64(head + 8), last = vmifs_load_u64(head + 16);
		gboolean is_header = n == sizeof head && vmifs_load_u32(head) == MAGIC &&
				     version == 1 && first <= last && last - first < G_MAXINT64;
		if (!is_header && at == 0)
			return vmifs_snapshot_bad(error,
						  "the header makes no sense: version %u, memory "
						  "from " X64 " to " X64
						  "; version 1 is read (avml-convert makes it)",
						  version, first, last);
		if (!is_header) {
			end_early(self, at);
			break;
		}
		guint64 len = last - first + 1;
		if (!vmifs_call_check(call, error) ||
		    !vmifs_snapshot_add_piece(self, first, at + sizeof head, len, error))
			return FALSE;
		at = len < self->len - at - sizeof head ? at + sizeof head + len : self->len;
	}
	return vmifs_snapshot_settle(self, error);
}

const VmifsSnapshotFormat vmifs_snapshot_lime = {
	.matches = lime_matches,
	.find_regions = lime_find_regions,
};
