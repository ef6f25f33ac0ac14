/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * page-cache: sets of a few groups each, found by hash; in a set the least recently used one goes,
 * those of an earlier epoch first. A lock guards every N_SHARDS-th set: holders copy 16 KiB at
 * most.
 */
#include "page-cache.h"

#include <string.h>

#define GROUP VMIFS_PAGE_CACHE_GROUP
#define PAGE VMIFS_PAGE_CACHE_PAGE
#define N_WAYS 4
#define N_SHARDS 16

typedef struct {
	guint8 *data; /* NULL = empty */
	guint64 group;
	guint32 block;
	guint epoch;
	guint pages;
	guint64 used;
} Entry;

typedef struct {
	GMutex lock; /* of its sets */
	guint64 clock;
} Shard;

struct VmifsPageCache {
	Shard shards[N_SHARDS];
	gsize n_sets; /* a power of two, at least N_SHARDS */
	Entry (*sets)[N_WAYS];
};

VmifsPageCache *
vmifs_page_cache_new(gsize bytes)
{
	VmifsPageCache *cache = g_new0(VmifsPageCache, 1);

	cache->n_sets = N_SHARDS;
	while (cache->n_sets * N_WAYS * GROUP < bytes)
		cache->n_sets *= 2;
	cache->sets = g_malloc0_n(cache->n_sets, sizeof *cache->sets);
	for (guint i = 0; i < N_SHARDS; i++)
		g_mutex_init(&cache->shards[i].lock);
	return cache;
}

void
vmifs_page_cache_clear(VmifsPageCache *cache)
{
	for (gsize i = 0; i < cache->n_sets; i++) {
		g_autoptr(GMutexLocker) locker =
			g_mutex_locker_new(&cache->shards[i % N_SHARDS].lock);
		for (guint way = 0; way < N_WAYS; way++)
			g_clear_pointer(&cache->sets[i][way].data, g_free);
	}
}

void
vmifs_page_cache_free(VmifsPageCache *cache)
{
	if (!cache)
		return;
	vmifs_page_cache_clear(cache);
	for (guint i = 0; i < N_SHARDS; i++)
		g_mutex_clear(&cache->shards[i].lock);
	g_free(cache->sets);
	g_free(cache);
}

static gsize
set_of(const VmifsPageCache *cache, guint32 block, guint64 group)
{
	guint64 hash = (group ^ (guint64) block << 40) * 0x9e3779b97f4a7c15ull;

	return (gsize) (hash >> 32) & (cache->n_sets - 1);
}

static gboolean
is_of(const Entry *entry, guint32 block, guint64 group)
{
	return entry->data && entry->group == group && entry->block == block;
}

gboolean
vmifs_page_cache_get(VmifsPageCache *cache, guint32 block, guint64 offset, guint epoch,
		     gpointer buf, gsize len)
{
	guint64 group = offset / GROUP;
	gsize set = set_of(cache, block, group), at = offset % GROUP;
	guint first = at / PAGE, last = (at + len - 1) / PAGE;
	guint wanted = (2u << last) - (1u << first);
	Shard *shard = &cache->shards[set % N_SHARDS];
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&shard->lock);

	for (guint way = 0; way < N_WAYS; way++) {
		Entry *entry = &cache->sets[set][way];
		if (!is_of(entry, block, group))
			continue;
		if (entry->epoch != epoch || (entry->pages & wanted) != wanted)
			return FALSE;
		entry->used = ++shard->clock;
		memcpy(buf, entry->data + at, len);
		return TRUE;
	}
	return FALSE;
}

/* The one of that group, an empty one, one of another epoch, or the least recently used. */
static Entry *
choose(Entry *set, guint32 block, guint64 group, guint epoch)
{
	Entry *best = &set[0];
	guint64 least = G_MAXUINT64;

	for (guint way = 0; way < N_WAYS; way++) {
		Entry *entry = &set[way];
		guint64 worth = !entry->data ? 0 : entry->epoch != epoch ? 1 : entry->used + 2;
		if (is_of(entry, block, group))
			return entry;
		if (worth < least) {
			least = worth;
			best = entry;
		}
	}
	return best;
}

void
vmifs_page_cache_put(VmifsPageCache *cache, guint32 block, guint64 group, guint epoch,
		     gconstpointer data, guint pages)
{
	gsize set = set_of(cache, block, group);
	Shard *shard = &cache->shards[set % N_SHARDS];
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&shard->lock);
	Entry *entry = choose(cache->sets[set], block, group, epoch);
	gboolean has_others = is_of(entry, block, group) && entry->epoch == epoch;

	if (!entry->data)
		entry->data = g_malloc(GROUP);
	for (guint page = 0; page < GROUP / PAGE; page++)
		if (pages & 1u << page)
			memcpy(entry->data + page * PAGE, (const guint8 *) data + page * PAGE,
			       PAGE);
	entry->block = block;
	entry->group = group;
	entry->epoch = epoch;
	entry->pages = has_others ? entry->pages | pages : pages;
	entry->used = ++shard->clock;
}
