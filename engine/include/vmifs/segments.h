/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * segments: bytes on their way to a reader, without copies where that is possible. A segment is
 * memory that somebody else keeps alive (a mapping, held by a pin), zeros, or a buffer owned by
 * the list. Neighbours that continue each other are merged, so that 256 adjacent pages are one.
 */
#pragma once

#include <glib.h>
#include <sys/uio.h>

G_BEGIN_DECLS

typedef struct VmifsSegments {
	GArray *iov;      /* struct iovec; iov_base NULL = zeros */
	GPtrArray *owned; /* buffers freed by clear */
	GArray *pins;     /* what keeps borrowed memory alive */
	gsize len;        /* bytes in all */
} VmifsSegments;

void
vmifs_segments_init(VmifsSegments *segments);
void
vmifs_segments_clear(VmifsSegments *segments);

/* data: (borrowed) must stay valid until clear: see vmifs_segments_pin(). */
void
vmifs_segments_add_memory(VmifsSegments *segments, gconstpointer data, gsize len);
void
vmifs_segments_add_zeros(VmifsSegments *segments, gsize len);
/* Returns: (borrowed) a buffer of len bytes that hold anything: the caller fills all of them, or
 * truncates the list to what it filled, before the reply. */
gpointer
vmifs_segments_add_owned(VmifsSegments *segments, gsize len);
/* Keeps only the first len bytes: what follows turned out not to be readable. */
void
vmifs_segments_truncate(VmifsSegments *segments, gsize len);

/* object: (taken) released by clear with release(object). */
void
vmifs_segments_pin(VmifsSegments *segments, gpointer object, GDestroyNotify release);

/* Copies all bytes out; for tests and for callers that need them in one piece. buf holds len. */
void
vmifs_segments_copy(const VmifsSegments *segments, gpointer buf);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VmifsSegments, vmifs_segments_clear)

G_END_DECLS
