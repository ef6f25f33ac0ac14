/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-picture: a picture in plain memory, for tests of who writes one. Included by one file of a
 * program alone: it takes the place of the engine's.
 */
#pragma once

#include <spi/backend.h>
#include <string.h>

#define FAKE_MAX_BLOCKS 8

struct VmifsPictureWriter {
	guint n_blocks;
	guint64 len[FAKE_MAX_BLOCKS];
	guint8 *bytes[FAKE_MAX_BLOCKS];
	GPtrArray *regs; /* of VmifsRegs, by vCPU */
	char *how;       /* NULL = not told that it is complete */
	VmifsPictureTaken taken;
	guint n_writes, most_writes; /* 0 = no bound; then there is no room */
	void (*written)(gpointer user);
	void (*added_regs)(gpointer user);
	gpointer user;
};

static void
fake_picture_init(VmifsPictureWriter *writer)
{
	*writer = (VmifsPictureWriter){
		.regs = g_ptr_array_new_with_free_func((GDestroyNotify) vmifs_regs_unref),
	};
}

static void
fake_picture_add_block(VmifsPictureWriter *writer, guint64 len)
{
	writer->len[writer->n_blocks] = len;
	writer->bytes[writer->n_blocks++] = g_malloc0(len);
}

static void
fake_picture_clear(VmifsPictureWriter *writer)
{
	for (guint i = 0; i < writer->n_blocks; i++)
		g_free(writer->bytes[i]);
	g_ptr_array_unref(writer->regs);
	g_free(writer->how);
}

gboolean
vmifs_picture_write(VmifsPictureWriter *writer, guint32 block, guint64 offset, gconstpointer bytes,
		    gsize len, GError **error)
{
	g_assert(block < writer->n_blocks && offset % VMIFS_PICTURE_PAGE == 0);
	g_assert(offset <= writer->len[block] && len <= writer->len[block] - offset);
	g_assert(len % VMIFS_PICTURE_PAGE == 0 || offset + len == writer->len[block]);
	if (writer->most_writes && writer->n_writes++ >= writer->most_writes) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_NO_SPACE, "no room");
		return FALSE;
	}
	if (bytes)
		memcpy(writer->bytes[block] + offset, bytes, len);
	else
		memset(writer->bytes[block] + offset, 0, len);
	if (writer->written)
		writer->written(writer->user);
	return TRUE;
}

gboolean
vmifs_picture_add_regs(VmifsPictureWriter *writer, guint vcpu, const VmifsRegs *regs,
		       GError **error)
{
	g_assert(vcpu == writer->regs->len);
	g_ptr_array_add(writer->regs, vmifs_regs_ref((VmifsRegs *) regs));
	if (writer->added_regs)
		writer->added_regs(writer->user);
	return TRUE;
}

void
vmifs_picture_set_taken(VmifsPictureWriter *writer, const VmifsPictureTaken *taken)
{
	g_assert(!writer->how);
	writer->how = g_strdup(taken->how);
	writer->taken = *taken;
}
