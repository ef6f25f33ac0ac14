/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cache: the folder where the engine keeps what took long to find (VmifsCache, vmifs/host.h). It is
 * the user's alone: one that somebody else owns or may write to is not used, nor are such files in
 * it. Files come whole, by rename, so that mounts at the same time do not disturb each other; one
 * that is replaced is absent for a moment. The checksum in them is for accidents, not for enemies.
 * Without a folder nothing is kept, and the host's log says why.
 */
#pragma once

#include <vmifs/host.h>

G_BEGIN_DECLS

/* Files beyond either bound are removed, those first that were not read for longest. */
#define VMIFS_CACHE_MOST_FILES 32
#define VMIFS_CACHE_MOST_BYTES (G_GUINT64_CONSTANT(256) << 20)
#define VMIFS_CACHE_MOST_BYTES_OF_ONE (64u << 20)

typedef struct {
	VmifsCache engine;
	VmifsHost *host; /* (borrowed) for its log */
	int dir;         /* descriptor; -1: nothing is kept */
	char *fault;     /* (nullable) why */
} VmifsFsCache;

/* word: of -o cache=, a folder or "none"; NULL = $VMIFS_CACHE_DIR, which is such a word, else
 * $XDG_CACHE_HOME/vmifs, else ~/.cache/vmifs. Returns: (nullable) for VmifsOptions.cache; lives as
 * long as the cache. */
const VmifsCache *
vmifs_fs_cache_open(VmifsFsCache *cache, const char *word);
/* Before the host gets sources. */
void
vmifs_fs_cache_tell(VmifsFsCache *cache, VmifsHost *host);
/* After the host was freed. One that is all zero is none. */
void
vmifs_fs_cache_clear(VmifsFsCache *cache);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VmifsFsCache, vmifs_fs_cache_clear)

G_END_DECLS
