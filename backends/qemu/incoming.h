/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * incoming (private): the memory that a background snapshot's stream tells, into a picture.
 */
#pragma once

#include "migration.h"
#include "ram.h"

G_BEGIN_DECLS

typedef struct {
	gboolean is_begun; /* something is in the picture */
	gboolean is_ended; /* the stream is */
	GBytes *devices;   /* (full) (nullable) as of qemu_stream_read() */
} QemuIncoming;

/* Reads fd up to its end. ret comes empty, and is told in any case. FALSE with UNSUPPORTED also
 * where the stream's blocks cannot be told to be those of ram. */
gboolean
qemu_incoming_read(int fd, QemuMigration *migration, const QemuRam *ram, VmifsPictureWriter *out,
		   QemuIncoming *ret, const VmifsCall *call, GError **error);

G_END_DECLS
