/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot (private): a file that holds memory. What the formats have in common is one file,
 * mapped, with or without holes; each format, in a file of its own, only says which pieces of it
 * lie where.
 */
#pragma once

#include <spi/backend.h>

#define VMIFS_SNAPSHOT_PAGE 4096

typedef struct VmifsExtents VmifsExtents;
typedef struct VmifsSnapshotFormat VmifsSnapshotFormat;

typedef struct {
	const VmifsSnapshotFormat *format;
	int fd;
	gboolean is_regular; /* a file; else a block device */
	guint64 len;
	gint64 acquired;       /* µs since the epoch */
	VmifsExtents *extents; /* NULL = no holes */
	GArray *regions;       /* of VmifsRegion, all of block 0, which is the file */
} VmifsSnapshot;

/* How to add one: a file with a const VmifsSnapshotFormat, a line in the table of snapshot.c before
 * raw, which takes what nobody else does; its row in magic.c goes. */
struct VmifsSnapshotFormat {
	const char *name; /* the word of format= */
	gboolean (*matches)(const VmifsSource *src);
	/* Appends to self->regions, or fails with SOURCE or INVALID. */
	gboolean (*find_regions)(VmifsSnapshot *self, const VmifsSource *src, const VmifsCall *call,
				 GError **error);
};

extern const VmifsSnapshotFormat vmifs_snapshot_raw;

/* What is known by its first bytes and cannot be read by this version. FALSE when src is none of
 * it; else TRUE with SOURCE and its name in error. */
gboolean
vmifs_snapshot_is_foreign(const VmifsSource *src, GError **error);

/* Which pages of a file have something allocated, found out when first asked. fd: (borrowed) must
 * stay open. Thread-safe. */
VmifsExtents *
vmifs_extents_new(int fd, guint64 len);
void
vmifs_extents_free(VmifsExtents *extents);
/* Is there data in the page at offset (< len)? Returns for how many bytes (>= 1) that goes on. */
guint64
vmifs_extents_at(VmifsExtents *extents, guint64 offset, gboolean *ret_data);
