/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * room: one piece of memory, filled from its beginning on, and for each page of a block the number
 * of its place there. It is touched at once, as making its pages takes as long as filling them.
 */
#include "room.h"

#include "growth.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of the memory that is available. */
#define SHARE 4
#define MAX_RUN ((gsize) 4096)
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

typedef struct {
	guint64 n_pages;
	guint32 *places; /* of each page: 1 + the number of its place; 0 = it is not kept */
} Block;

struct QemuRoom {
	guint8 *bytes;
	gsize page, n_places;
	gint n_used; /* atomic; beyond n_places: there are no more */
	Block *blocks;
	guint n_blocks;
};

static gpointer
map(guint64 len)
{
	gpointer memory = len && len <= G_MAXSSIZE
				  ? mmap(NULL, (gsize) len, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
				  : MAP_FAILED;

	return memory == MAP_FAILED ? NULL : memory;
}

/* Of one that no memory could be had for nothing is kept. */
static void
add_block(Block *block, guint64 n_pages)
{
	guint64 len;

	if (!__builtin_mul_overflow(n_pages, sizeof *block->places, &len))
		block->places = map(len);
	block->n_pages = block->places ? n_pages : 0;
}

QemuRoom *
qemu_room_new(guint64 n_pages, const guint64 *blocks, guint n_blocks)
{
	g_autoptr(QemuRoom) room = g_new0(QemuRoom, 1);

	room->page = (gsize) sysconf(_SC_PAGESIZE);
	guint64 most = qemu_growth_available() / SHARE / room->page;
	/* There is a number for each, and for those that several threads ask for in vain. */
	n_pages = MIN(MIN(n_pages, most), G_MAXINT / 2);
	room->bytes = map(n_pages * room->page);
	if (!room->bytes)
		return NULL;
	room->n_places = (gsize) n_pages;
	gsize len = room->n_places * room->page;
	/* With a guardian's copy of it, each page that is filled would be copied once more. */
	madvise(room->bytes, len, MADV_DONTFORK);
	madvise(room->bytes, len, MADV_HUGEPAGE);
	madvise(room->bytes, len, MADV_POPULATE_WRITE);
	room->blocks = g_new0(Block, n_blocks);
	room->n_blocks = n_blocks;
	for (guint i = 0; i < n_blocks; i++)
		add_block(&room->blocks[i], blocks[i]);
	return g_steal_pointer(&room);
}

void
qemu_room_free(QemuRoom *room)
{
	if (!room)
		return;
	for (guint i = 0; i < room->n_blocks; i++)
		if (room->blocks[i].places)
			munmap(room->blocks[i].places,
			       room->blocks[i].n_pages * sizeof *room->blocks[i].places);
	if (room->bytes)
		munmap(room->bytes, room->n_places * room->page);
	g_free(room->blocks);
	g_free(room);
}

static guint8 *
bytes_at(const QemuRoom *room, guint32 place)
{
	return room->bytes + (gsize) (place - 1) * room->page;
}

/* 0: there is none left. */
static guint32
take_place(QemuRoom *room)
{
	if ((gsize) g_atomic_int_get(&room->n_used) >= room->n_places)
		return 0;
	gsize number = (gsize) g_atomic_int_add(&room->n_used, 1);
	return number < room->n_places ? (guint32) number + 1 : 0;
}

gboolean
qemu_room_keep(QemuRoom *room, guint32 block, guint64 page, const guint8 *bytes, gsize len)
{
	if (block >= room->n_blocks || page >= room->blocks[block].n_pages)
		return FALSE;
	guint32 *place = &room->blocks[block].places[page];
	if (*place) {
		guint8 *kept = bytes_at(room, *place);
		if (memcmp(kept, bytes, len))
			memcpy(kept, bytes, len);
		return TRUE;
	}
	*place = take_place(room);
	if (*place)
		memcpy(bytes_at(room, *place), bytes, len);
	return *place != 0;
}

void
qemu_room_forget(QemuRoom *room, guint32 block, guint64 page)
{
	/* Not written where there is nothing: that would make pages of the table. */
	if (block < room->n_blocks && page < room->blocks[block].n_pages &&
	    room->blocks[block].places[page])
		room->blocks[block].places[page] = 0;
}

const guint8 *
qemu_room_next(const QemuRoom *room, guint32 block, guint64 *page, gsize *ret_n)
{
	const Block *of = block < room->n_blocks ? &room->blocks[block] : NULL;
	guint64 at = *page;
	gsize n = 0;

	while (of && at < of->n_pages && !of->places[at])
		at++;
	if (!of || at >= of->n_pages)
		return NULL;
	while (n < MAX_RUN && at + n < of->n_pages &&
	       of->places[at + n] == of->places[at] + (guint32) n)
		n++;
	*page = at;
	*ret_n = n;
	return bytes_at(room, of->places[at]);
}
