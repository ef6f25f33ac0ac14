/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* piece: arrays of them own the names of their blocks. */
#include "piece.h"

static void
piece_clear(gpointer data)
{
	QemuPiece *piece = data;

	g_free(piece->block);
}

GArray *
qemu_pieces_new(void)
{
	GArray *pieces = g_array_new(FALSE, FALSE, sizeof(QemuPiece));

	g_array_set_clear_func(pieces, piece_clear);
	return pieces;
}
