/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * page-cache (private): what was read a moment ago of memory that is not mapped, for walks and
 * decoders, which chase pointers over a few pages again and again. Never for the bytes of pmem,
 * kmem or vmem: those are read when they are asked for. Bounded; an entry is worth nothing once the
 * epoch has moved. Any thread.
 */
#pragma once

#include <glib.h>

/* What is read at a time, aligned: a system call costs as much as copying it. */
#define VMIFS_PAGE_CACHE_GROUP ((gsize) 16384)
#define VMIFS_PAGE_CACHE_PAGE ((gsize) 4096)
/* Default size: as many groups as tasks of a busy guest have pages that are read. */
#define VMIFS_PAGE_CACHE_BYTES ((gsize) 16 << 20)

typedef struct VmifsPageCache VmifsPageCache;

/* bytes: of data, at most; rounded up to whole sets. Takes them as they are needed. */
VmifsPageCache *
vmifs_page_cache_new(gsize bytes);
void
vmifs_page_cache_free(VmifsPageCache *cache);
/* Copies [offset, offset + len) of a block, which lies in one group. FALSE: it is not there. */
gboolean
vmifs_page_cache_get(VmifsPageCache *cache, guint32 block, guint64 offset, guint epoch,
		     gpointer buf, gsize len);
/* data: a group's bytes. pages: bit n = its page n is right; those of the same epoch that are there
 * already stay. epoch: as it was before they were read. */
void
vmifs_page_cache_put(VmifsPageCache *cache, guint32 block, guint64 group, guint epoch,
		     gconstpointer data, guint pages);
/* Forgets everything and gives the memory back. */
void
vmifs_page_cache_clear(VmifsPageCache *cache);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsPageCache, vmifs_page_cache_free)
