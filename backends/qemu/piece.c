/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* piece: arrays of them own the names of their blocks. */
#include "piece.h"

#define NAME_LEN 200

char *
qemu_piece_file_name(const char *block)
{
	char *name = g_strndup(block, NAME_LEN);

	for (char *c = name; *c; c++)
		if (*c == '/' || g_ascii_iscntrl(*c) || *c & 0x80 || (c == name && *c == '.'))
			*c = '_';
	return name;
}

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
