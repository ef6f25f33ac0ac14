/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pieces: what headers say lies where becomes regions. Headers repeat themselves: a dump that
 * follows the guest's page tables names the same memory once for each place where it is mapped. So
 * pieces may overlap; of two that hold the same address, the one that begins lower counts.
 *
 *   added    [----A----]   [-B-][--C--]          A, B and C as the headers have them
 *                 [----D----]
 *   settled  [----A----][-D-]B-][--C--]    B and C are one where the file has them in one piece
 */
#include "snapshot.h"

#define X64 "%#" G_GINT64_MODIFIER "x"
/* Widest physical addresses of any machine we know of. */
#define MAX_PA ((guint64) 1 << 52)
/* Headers kept; those that only go on where the one before ended count as one with it. */
#define MAX_PIECES (1 << 20)

/* Does b go on where a ends, in memory and in the file? */
static gboolean
continues(const VmifsRegion *a, const VmifsRegion *b)
{
	return a->pa + a->len == b->pa && a->offset + a->len == b->offset && a->kind == b->kind;
}

gboolean
vmifs_snapshot_add_piece(VmifsSnapshot *self, guint64 pa, guint64 offset, guint64 len,
			 GError **error)
{
	VmifsRegion piece = { .pa = pa, .offset = offset, .len = len };

	if (!len)
		return TRUE;
	if (pa >= MAX_PA || len > MAX_PA - pa) {
		self->n_strange++;
		return TRUE;
	}
	guint64 there = offset < self->len ? MIN(len, self->len - offset) : 0;
	if (!g_uint64_checked_add(&self->n_missing, self->n_missing, len - there))
		self->n_missing = G_MAXUINT64;
	if (!there)
		return TRUE;
	piece.len = there;
	if (self->regions->len) {
		VmifsRegion *last =
			&g_array_index(self->regions, VmifsRegion, self->regions->len - 1);
		if (continues(last, &piece)) {
			last->len += piece.len;
			return TRUE;
		}
	}
	if (self->regions->len >= MAX_PIECES)
		return vmifs_snapshot_bad(error, "it says that memory is in more than %d pieces",
					  MAX_PIECES);
	g_array_append_val(self->regions, piece);
	return TRUE;
}

static int
compare_pieces(gconstpointer a, gconstpointer b)
{
	const VmifsRegion *x = a, *y = b;

	if (x->pa != y->pa)
		return x->pa < y->pa ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

gboolean
vmifs_snapshot_settle(VmifsSnapshot *self, GError **error)
{
	GArray *pieces = self->regions;
	guint64 end = 0; /* of what was kept */
	guint n = 0;

	g_array_sort(pieces, compare_pieces);
	for (guint i = 0; i < pieces->len; i++) {
		VmifsRegion piece = g_array_index(pieces, VmifsRegion, i);
		VmifsRegion *last = n ? &g_array_index(pieces, VmifsRegion, n - 1) : NULL;
		guint64 known = piece.pa < end ? end - piece.pa : 0;
		if (known >= piece.len)
			continue;
		piece.pa += known;
		piece.offset += known;
		piece.len -= known;
		end = piece.pa + piece.len;
		if (last && continues(last, &piece))
			last->len += piece.len;
		else
			g_array_index(pieces, VmifsRegion, n++) = piece;
	}
	g_array_set_size(pieces, n);
	if (n)
		return TRUE;
	return vmifs_snapshot_bad(error, "there is no memory in it%s",
				  self->n_missing ? ": it was cut short before the first byte"
						  : "");
}
