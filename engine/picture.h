/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * picture (private): memory and registers of one moment, stored in layers. For each page there is a
 * byte that says which layer holds it, at the same place in all of them:
 *
 *   pages of a block   0 1 1 0 2 1 ...      0 = zeros, stored nowhere; n = in layers[n - 1]
 *   layer 0            . A B . . C          of the first picture, shared
 *   layer 1            . . . . D .          what has changed since
 *
 * A picture never changes once its writer has ended.
 */
#pragma once

#include "layer.h"
#include "physmem.h"

G_BEGIN_DECLS

/* So many files one picture is spread over; then it is stored anew. */
#define VMIFS_PICTURE_LAYERS 8

typedef struct {
	char *name;
	guint64 len;
	guint64 at;    /* of its first page in each layer */
	guint8 *pages; /* see above */
} VmifsPictureBlock;

typedef struct {
	gatomicrefcount refs;
	GArray *regions; /* of VmifsRegion */
	VmifsPictureBlock *blocks;
	gsize n_blocks;
	guint64 len; /* bytes of a layer */
	gboolean is_encrypted;
	VmifsLayer *layers[VMIFS_PICTURE_LAYERS];
	GPtrArray *regs; /* of VmifsRegs, by vCPU; NULL where it was not told */
	char *how;       /* (nullable) */
	gint64 moment;
	gint64 still_us;
	guint64 stored; /* bytes in its own layer */
	guint64 shared; /* bytes in those of earlier pictures */
} VmifsPicture;

void
vmifs_picture_unref(VmifsPicture *picture);

/* What is told of that memory will be kept in that folder (NULL: $TMPDIR or /var/tmp). base:
 * (nullable) (borrowed) an earlier picture of the same guest: pages that are as they were in it are
 * not stored again. NO_SPACE when there is not room for all that is in memory; with a base, of
 * which nobody can know what has changed, that shows only later. */
VmifsPictureWriter *
vmifs_picture_writer_new(VmifsPhysmem *mem, VmifsPicture *base, const char *folder, GError **error);
/* What was told, as a picture. (full) NULL with error when some of it could not be stored. */
VmifsPicture *
vmifs_picture_writer_end(VmifsPictureWriter *writer, GError **error);
void
vmifs_picture_writer_free(VmifsPictureWriter *writer);

/* The page at offset of a block: 0 = zeros, else the number of its layer + 1; and for how many
 * bytes, at most len (> 0, in bounds), that goes on. Looks no further than a few hundred pages. */
guint8
vmifs_picture_run(const VmifsPicture *picture, guint32 block, guint64 offset, guint64 len,
		  guint64 *ret_len);
/* The layer that holds everything that is not zeros; NULL when there are several, or none. */
VmifsLayer *
vmifs_picture_only_layer(const VmifsPicture *picture);

/* Opens a VmifsPicture given as a source's target, as a guest that is frozen. */
extern const VmifsBackend vmifs_picture_backend;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsPicture, vmifs_picture_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsPictureWriter, vmifs_picture_writer_free)

G_END_DECLS
