/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inode: what the kernel calls our nodes. Numbers are counted up and never used twice; a number
 * that comes back is looked up, never taken for a pointer. While the kernel knows a node, looking
 * up the same parent, name and identity gives that node again, so that its opens share one inode.
 */
#pragma once

#include "node.h"

G_BEGIN_DECLS

typedef struct VmifsInodes VmifsInodes;

/* root: (taken) number 1, which is never forgotten. */
VmifsInodes *
vmifs_inodes_new(VmifsNode *root);
void
vmifs_inodes_free(VmifsInodes *inodes);

/* (full) NULL for a number that the kernel cannot know. */
VmifsNode *
vmifs_inodes_get(VmifsInodes *inodes, guint64 id);
/* node: (taken). Counts one lookup. Returns: (full) the node of that inode: the one given, or the
 * equal one that the kernel knows already. */
VmifsNode *
vmifs_inodes_enter(VmifsInodes *inodes, VmifsNode *node);
/* The kernel dropped n lookups. */
void
vmifs_inodes_forget(VmifsInodes *inodes, guint64 id, guint64 n);
/* The numbers of those for which select() is TRUE; it must not wait. Of guint64. (full) */
GArray *
vmifs_inodes_select(VmifsInodes *inodes, gboolean (*select)(const VmifsNode *node, gpointer user),
		    gpointer user);
gsize
vmifs_inodes_count(VmifsInodes *inodes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsInodes, vmifs_inodes_free)

G_END_DECLS
