/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * extents: the holes of a sparse file as bitmaps, a bit for a page, made chunk by chunk when first
 * asked: finding the end of a gigabyte of data costs 20 ms, a look at a bitmap nothing, and a
 * bitmap is small however the holes are scattered (32 kB for a gigabyte). A chunk is published by
 * an atomic pointer; of two threads that make the same one, the second throws its own away.
 */
#include "snapshot.h"

#include <errno.h>
#include <unistd.h>

#define PAGE ((guint64) VMIFS_SNAPSHOT_PAGE)
#define CHUNK ((guint64) 64 << 20)
#define WORDS (CHUNK / PAGE / 64)
/* How far the end of a run is looked for; whoever wants more asks again. */
#define RUN_WORDS 32
#define RUN_CHUNKS 1024

typedef struct {
	guint64 word[WORDS]; /* bit set = data */
} Chunk;

struct VmifsExtents {
	int fd;
	guint64 len;
	gsize n_chunks;
	const Chunk **chunks; /* NULL = not known yet; atomic */
};

/* Shared by all chunks that are one hole, or all data. */
static const Chunk no_data;
static const Chunk all_data = { .word = { [0 ... WORDS - 1] = G_MAXUINT64 } };

static gboolean
is_shared(const Chunk *chunk)
{
	return chunk == &no_data || chunk == &all_data;
}

static void
chunk_free(const Chunk *chunk)
{
	if (!is_shared(chunk))
		g_free((gpointer) chunk);
}

VmifsExtents *
vmifs_extents_new(int fd, guint64 len)
{
	VmifsExtents *extents = g_new0(VmifsExtents, 1);

	extents->fd = fd;
	extents->len = len;
	extents->n_chunks = len / CHUNK + (len % CHUNK != 0);
	extents->chunks = g_new0(const Chunk *, extents->n_chunks);
	return extents;
}

void
vmifs_extents_free(VmifsExtents *extents)
{
	if (!extents)
		return;
	for (gsize i = 0; i < extents->n_chunks; i++)
		chunk_free(extents->chunks[i]);
	g_free(extents->chunks);
	g_free(extents);
}

/* chunk: (taken) */
static void
publish(VmifsExtents *extents, gsize index, const Chunk *chunk)
{
	if (!g_atomic_pointer_compare_and_exchange(&extents->chunks[index], NULL, chunk))
		chunk_free(chunk);
}

/* Marks the pages of [start, end), offsets within the chunk. */
static void
mark(Chunk *chunk, guint64 start, guint64 end)
{
	for (guint64 page = start / PAGE; page * PAGE < end; page++)
		chunk->word[page / 64] |= (guint64) 1 << page % 64;
}

/* All chunks behind index that end at or before `end`. */
static void
publish_run(VmifsExtents *extents, gsize index, guint64 end, const Chunk *shared)
{
	while (++index < extents->n_chunks && MIN((index + 1) * CHUNK, extents->len) <= end)
		publish(extents, index, shared);
}

static void
make_chunk(VmifsExtents *extents, gsize index)
{
	Chunk *chunk = g_new0(Chunk, 1);
	guint64 start = index * CHUNK, end = MIN(extents->len, start + CHUNK), at = start;
	off_t size = lseek(extents->fd, 0, SEEK_END);

	/* What the file has lost is no hole: reading it is to fail. */
	if (size >= 0 && (guint64) size < end) {
		guint64 lost = MAX((guint64) size, start);
		mark(chunk, lost - start, end - start);
		end = lost;
	}
	while (at < end) {
		off_t data = lseek(extents->fd, (off_t) at, SEEK_DATA);
		/* A hole up to the end of the file is no error. */
		if (data < 0 && errno == ENXIO)
			data = size;
		if (data >= 0 && (guint64) data >= end) {
			publish_run(extents, index, (guint64) data, &no_data);
			break;
		}
		off_t hole = data < 0 ? -1 : lseek(extents->fd, data, SEEK_HOLE);
		/* What the file system cannot tell is data. */
		if (data < 0)
			data = (off_t) at;
		at = hole <= data ? extents->len : (guint64) hole;
		mark(chunk, (guint64) data - start, MIN(at, end) - start);
		publish_run(extents, index, at, &all_data);
	}
	publish(extents, index, chunk);
}

guint64
vmifs_extents_at(VmifsExtents *extents, guint64 offset, gboolean *ret_data)
{
	gsize index = offset / CHUNK;
	const Chunk *chunk = g_atomic_pointer_get(&extents->chunks[index]);

	if (!chunk) {
		make_chunk(extents, index);
		chunk = g_atomic_pointer_get(&extents->chunks[index]);
	}
	guint64 page = offset % CHUNK / PAGE, word = page / 64;
	gboolean data = chunk->word[word] >> page % 64 & 1;
	/* Bits that differ from this page's, from it on. */
	guint64 other = (data ? ~chunk->word[word] : chunk->word[word]) >> page % 64 << page % 64;
	guint64 last = MIN(word + RUN_WORDS, WORDS);
	while (!other && ++word < last)
		other = data ? ~chunk->word[word] : chunk->word[word];
	guint64 end = index * CHUNK +
		      (other ? word * 64 + (guint64) __builtin_ctzll(other) : word * 64) * PAGE;
	if (!other && is_shared(chunk)) {
		guint64 n = MIN(extents->n_chunks, index + RUN_CHUNKS);
		while (++index < n && g_atomic_pointer_get(&extents->chunks[index]) == chunk)
			;
		end = index * CHUNK;
	}
	*ret_data = data;
	return MIN(end, extents->len) - offset;
}
