/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unpack-xz: by liblzma, which joins several streams by itself, but wants to be told of the end. */
#include "unpack.h"

#include <lzma.h>

typedef struct {
	lzma_stream lzma;
} Xz;

static gpointer
open_xz(void)
{
	Xz *xz = g_new0(Xz, 1);

	xz->lzma = (lzma_stream) LZMA_STREAM_INIT;
	if (lzma_stream_decoder(&xz->lzma, VMIFS_UNPACK_MEMORY, LZMA_CONCATENATED) != LZMA_OK)
		g_clear_pointer(&xz, g_free);
	return xz;
}

static void
close_xz(gpointer self)
{
	Xz *xz = self;

	lzma_end(&xz->lzma);
	g_free(xz);
}

static const char *
step_xz(gpointer self, const guint8 **in, gsize *in_len, guint8 **out, gsize *out_len,
	gboolean *ret_whole)
{
	Xz *xz = self;

	xz->lzma.next_in = *in;
	xz->lzma.avail_in = *in_len;
	xz->lzma.next_out = *out;
	xz->lzma.avail_out = *out_len;
	lzma_ret status = lzma_code(&xz->lzma, *in_len ? LZMA_RUN : LZMA_FINISH);
	*in = xz->lzma.next_in;
	*in_len = xz->lzma.avail_in;
	*out = xz->lzma.next_out;
	*out_len = xz->lzma.avail_out;
	*ret_whole = status == LZMA_STREAM_END;
	if (status == LZMA_MEMLIMIT_ERROR)
		return "it takes more than 80 MiB to unpack";
	return status == LZMA_OK || status == LZMA_STREAM_END || status == LZMA_BUF_ERROR
		       ? NULL
		       : "it is damaged";
}

const VmifsPacking vmifs_packing_xz = {
	.name = "xz",
	.magic = "\3757zXZ\0",
	.magic_len = 6,
	.open = open_xz,
	.close = close_xz,
	.step = step_xz,
};
