/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handle: what one open of a file or directory holds: a text, a list, or what memory is read
 * through. Known to the kernel by a number, like inodes.
 */
#pragma once

#include "content.h"
#include "node.h"

G_BEGIN_DECLS

typedef struct {
	gatomicrefcount refs;
	guint64 id;
	VmifsNode *node;     /* (full) */
	gpointer file;       /* of memory: what ops->open gave */
	VmifsNodeList *list; /* of a directory */
	gboolean backed;     /* counted as an open by passthrough */
	gboolean direct;     /* read past the kernel's page cache */
	gboolean writable;
	struct fuse_pollhandle *poll; /* (waiting.c) who is to be told, of a stream */
	GMutex lock;                  /* held while a stream is read, and guards what follows */
	VmifsContent
		*content; /* of a text; may be NULL until the first read when its size is known */
} VmifsHandle;

typedef struct VmifsHandles VmifsHandles;

VmifsHandles *
vmifs_handles_new(void);
/* Drops handles that the kernel never released. */
void
vmifs_handles_free(VmifsHandles *handles);

/* node: (borrowed) */
VmifsHandle *
vmifs_handle_new(VmifsNode *node);
VmifsHandle *
vmifs_handle_ref(VmifsHandle *handle);
void
vmifs_handle_unref(VmifsHandle *handle);

/* handle: (taken). Gives it its number. */
void
vmifs_handles_enter(VmifsHandles *handles, VmifsHandle *handle);
/* (full) NULL for a number that is not open. */
VmifsHandle *
vmifs_handles_get(VmifsHandles *handles, guint64 id);
/* The same, and the number is not open any more. (full) */
VmifsHandle *
vmifs_handles_remove(VmifsHandles *handles, guint64 id);
gsize
vmifs_handles_count(VmifsHandles *handles);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsHandle, vmifs_handle_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsHandles, vmifs_handles_free)

G_END_DECLS
