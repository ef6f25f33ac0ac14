/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unpack-gz: by zlib. A file may be several that were joined. */
#include "unpack.h"

#include <zlib.h>

typedef struct {
	z_stream z;
	gboolean has_ended; /* one of them has; another may follow */
} Gz;

static gpointer
open_gz(void)
{
	Gz *gz = g_new0(Gz, 1);

	if (inflateInit2(&gz->z, 15 + 16) != Z_OK)
		g_clear_pointer(&gz, g_free);
	return gz;
}

static void
close_gz(gpointer self)
{
	Gz *gz = self;

	inflateEnd(&gz->z);
	g_free(gz);
}

static const char *
step_gz(gpointer self, const guint8 **in, gsize *in_len, guint8 **out, gsize *out_len,
	gboolean *ret_whole)
{
	Gz *gz = self;

	if (gz->has_ended && *in_len) {
		inflateReset(&gz->z);
		gz->has_ended = FALSE;
	}
	if (gz->has_ended)
		return NULL;
	gz->z.next_in = (Bytef *) *in;
	gz->z.avail_in = (uInt) MIN(*in_len, G_MAXUINT);
	gz->z.next_out = *out;
	gz->z.avail_out = (uInt) MIN(*out_len, G_MAXUINT);
	int status = inflate(&gz->z, Z_NO_FLUSH);
	*in_len -= (gsize) (gz->z.next_in - *in);
	*in = gz->z.next_in;
	*out_len -= (gsize) (gz->z.next_out - *out);
	*out = gz->z.next_out;
	gz->has_ended = status == Z_STREAM_END;
	*ret_whole = gz->has_ended;
	return status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR ? NULL
										 : "it is damaged";
}

const VmifsPacking vmifs_packing_gz = {
	.name = "gzip",
	.magic = "\037\213",
	.magic_len = 2,
	.open = open_gz,
	.close = close_gz,
	.step = step_gz,
};
