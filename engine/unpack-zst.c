/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unpack-zst: by libzstd; frames may follow one another. */
#include "unpack.h"

#include <zstd.h>

/* The largest window, as a power of two, that VMIFS_UNPACK_MEMORY has room for. */
#define WINDOW_LOG 26

static gpointer
open_zst(void)
{
	ZSTD_DCtx *zst = ZSTD_createDCtx();

	if (zst)
		ZSTD_DCtx_setParameter(zst, ZSTD_d_windowLogMax, WINDOW_LOG);
	return zst;
}

static void
close_zst(gpointer self)
{
	ZSTD_freeDCtx(self);
}

static const char *
step_zst(gpointer self, const guint8 **in, gsize *in_len, guint8 **out, gsize *out_len,
	 gboolean *ret_whole)
{
	ZSTD_inBuffer from = { *in, *in_len, 0 };
	ZSTD_outBuffer to = { *out, *out_len, 0 };
	size_t left = ZSTD_decompressStream(self, &to, &from);

	if (ZSTD_isError(left))
		return ZSTD_getErrorName(left);
	*in += from.pos;
	*in_len -= from.pos;
	*out += to.pos;
	*out_len -= to.pos;
	*ret_whole = !left;
	return NULL;
}

const VmifsPacking vmifs_packing_zst = {
	.name = "zstd",
	.magic = "\050\265\057\375",
	.magic_len = 4,
	.open = open_zst,
	.close = close_zst,
	.step = step_zst,
};
