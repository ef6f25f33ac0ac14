/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * picture-backend: a picture as a source of bytes like any other, so that the frozen guest is an
 * ordinary one. It opens no SOURCE of the command line, and stands in no table: who has taken a
 * picture names it. Pages in one layer are mapped; those of several, and what cannot be, are read.
 */
#include "picture.h"

#include <errno.h>
#include <string.h>
#include <vmifs/text.h>

static int
probe(const VmifsSource *src)
{
	return 0;
}

static gpointer
open_picture(const VmifsSource *src, const VmifsCall *call, GError **error)
{
	VmifsPicture *picture = src->target;

	g_atomic_ref_count_inc(&picture->refs);
	return picture;
}

static void
close_picture(gpointer self)
{
	vmifs_picture_unref(self);
}

static gboolean
layout(gpointer self, VmifsLayout *ret, const VmifsCall *call, GError **error)
{
	const VmifsPicture *picture = self;

	g_array_append_vals(ret->regions, picture->regions->data, picture->regions->len);
	for (gsize i = 0; i < picture->n_blocks; i++) {
		VmifsBlock block = { .name = g_strdup(picture->blocks[i].name),
				     .len = picture->blocks[i].len,
				     .sparse = TRUE,
				     .fd = -1 };
		g_array_append_val(ret->blocks, block);
	}
	ret->n_vcpus = picture->regs->len;
	ret->is_encrypted = picture->is_encrypted;
	return TRUE;
}

static int
read_element(const VmifsPicture *picture, const VmifsIo *io)
{
	guint64 len;
	int status = 0;

	for (guint64 done = 0; done < io->len && !status; done += len) {
		guint64 offset = io->offset + done;
		guint8 *to = (guint8 *) io->buf + done;
		guint8 layer = vmifs_picture_run(picture, io->block, offset, io->len - done, &len);
		if (layer)
			status = vmifs_layer_read(picture->layers[layer - 1],
						  picture->blocks[io->block].at + offset, to,
						  (gsize) len);
		else
			memset(to, 0, (gsize) len);
	}
	return status;
}

static gsize
read_picture(gpointer self, VmifsIo *io, gsize n, const VmifsCall *call)
{
	gsize good = 0;

	for (gsize i = 0; i < n; i++) {
		io[i].status = read_element(self, &io[i]);
		good += !io[i].status;
	}
	return good;
}

static gint64
acquired(gpointer self)
{
	return ((const VmifsPicture *) self)->moment;
}

static gboolean
map(gpointer self, guint32 block, VmifsDirect *ret, GError **error)
{
	const VmifsPicture *picture = self;
	const VmifsLayer *layer = vmifs_picture_only_layer(picture);

	if (!layer || !picture->blocks[block].len)
		return FALSE;
	/* Of mappings there is a number for all guests together, which one of them may use up. */
	ret->mapping = vmifs_mapping_new(layer->fd, picture->blocks[block].at,
					 (gsize) picture->blocks[block].len, NULL);
	ret->to_kernel = TRUE;
	return ret->mapping != NULL;
}

static gboolean
extent(gpointer self, guint32 block, guint64 offset, gboolean *ret_data, guint64 *ret_len)
{
	const VmifsPicture *picture = self;

	*ret_data = vmifs_picture_run(picture, block, offset, picture->blocks[block].len - offset,
				      ret_len) != 0;
	return TRUE;
}

static gboolean
regs(gpointer self, guint vcpu, VmifsRegs *ret, const VmifsCall *call, GError **error)
{
	const VmifsPicture *picture = self;
	const VmifsRegs *told = picture->regs->pdata[vcpu];
	gsize n = 0;
	const VmifsReg *reg = told ? vmifs_regs_all(told, &n) : NULL;

	if (!told) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND,
			    "the registers of vCPU %u were not told", vcpu);
		return FALSE;
	}
	for (gsize i = 0; i < n; i++)
		vmifs_regs_set(ret, reg[i].name, reg[i].value);
	return TRUE;
}

static void
info(gpointer self, GString *out)
{
	const VmifsPicture *picture = self;

	g_string_append(out, "taken: ");
	vmifs_text_append_octal(out, picture->how ? picture->how : "how was not told", -1, NULL);
	if (picture->still_us < 0)
		g_string_append(out, "\nstood still: not known\n");
	else
		g_string_append_printf(out, "\nstood still: %.1f ms\n",
				       (double) picture->still_us / 1000);
	g_string_append_printf(out,
			       "stored: %" G_GUINT64_FORMAT " bytes, %" G_GUINT64_FORMAT
			       " more shared with the snapshot before\n",
			       picture->stored, picture->shared);
}

const VmifsBackend vmifs_picture_backend = {
	.name = "picture",
	.probe = probe,
	.open = open_picture,
	.close = close_picture,
	.layout = layout,
	.read = read_picture,
	.frozen = TRUE,
	.acquired = acquired,
	.map = map,
	.extent = extent,
	.regs = regs,
	.info = info,
};
