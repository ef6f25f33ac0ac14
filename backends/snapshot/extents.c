/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * extents: the holes of a sparse file as bitmaps, a bit for a page, made chunk by chunk when first
 * asked: finding the end of a gigabyte of data costs 20 ms, a look at a bitmap nothing, and a
 * bitmap is small however the holes are scattered (32 kB for a gigabyte). A chunk is published by
 * an atomic pointer; of two threads that make the same one, the second throws its own away.
 */
#include "snapshot.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE ((guint64) VMIFS_SNAPSHOT_PAGE)
#define CHUNK ((guint64) 64 << 20)
#define WORDS (CHUNK / PAGE / 64)
/* Words looked at for the end of a run; whoever wants more asks again. */
#define RUN_WORDS 32

typedef struct {
	guint64 word[WORDS]; /* bit set = data */
} Chunk;

struct VmifsExtents {
	int fd;
	guint64 len;
	gsize n_chunks;
	Chunk **chunks; /* NULL = not known yet; atomic */
};

VmifsExtents *
vmifs_extents_new(int fd, guint64 len)
{
	VmifsExtents *extents = g_new0(VmifsExtents, 1);

	extents->fd = fd;
	extents->len = len;
	extents->n_chunks = len / CHUNK + (len % CHUNK != 0);
	extents->chunks = g_new0(Chunk *, extents->n_chunks);
	return extents;
}

void
vmifs_extents_free(VmifsExtents *extents)
{
	if (!extents)
		return;
	for (gsize i = 0; i < extents->n_chunks; i++)
		g_free(extents->chunks[i]);
	g_free(extents->chunks);
	g_free(extents);
}

/* chunk: (taken) */
static void
publish(VmifsExtents *extents, gsize index, Chunk *chunk)
{
	if (!g_atomic_pointer_compare_and_exchange(&extents->chunks[index], NULL, chunk))
		g_free(chunk);
}

static Chunk *
full_chunk(void)
{
	Chunk *chunk = g_new(Chunk, 1);

	memset(chunk, 0xff, sizeof *chunk);
	return chunk;
}

/* Marks the pages of [start, end), offsets within the chunk. */
static void
mark(Chunk *chunk, guint64 start, guint64 end)
{
	for (guint64 page = start / PAGE; page * PAGE < end; page++)
		chunk->word[page / 64] |= (guint64) 1 << page % 64;
}

static void
make_chunk(VmifsExtents *extents, gsize index)
{
	Chunk *chunk = g_new0(Chunk, 1);
	guint64 start = index * CHUNK, end = MIN(extents->len, start + CHUNK), at = start;
	guint64 run_end = 0;
	struct stat st;

	/* What the file has lost is no hole: reading it is to fail. */
	if (!fstat(extents->fd, &st) && (guint64) st.st_size < end) {
		guint64 lost = MAX((guint64) st.st_size, start);
		mark(chunk, lost - start, end - start);
		end = lost;
	}
	while (at < end) {
		off_t data = lseek(extents->fd, (off_t) at, SEEK_DATA);
		if (data < 0 ? errno == ENXIO : (guint64) data >= end)
			break; /* no more data in this chunk */
		off_t hole = data < 0 ? -1 : lseek(extents->fd, data, SEEK_HOLE);
		/* What the file system cannot tell is data. */
		if (data < 0)
			data = (off_t) at;
		run_end = hole <= data ? extents->len : (guint64) hole;
		mark(chunk, (guint64) data - start, MIN(run_end, end) - start);
		at = run_end;
	}
	publish(extents, index, chunk);
	/* So that a long run of data is passed over once, not once for each of its chunks. */
	while (++index < extents->n_chunks && MIN((index + 1) * CHUNK, extents->len) <= run_end)
		publish(extents, index, full_chunk());
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
	*ret_data = data;
	return MIN(end, extents->len) - offset;
}
