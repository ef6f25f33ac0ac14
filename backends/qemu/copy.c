/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy: in windows of two megabytes: one look at which pages are there, one call to the process for
 * all of them. What ram.c has seen of pages an instant ago does not count here: the guest still ran
 * then. The room is touched before the guest is stopped, as making its pages takes as long as
 * filling them.
 */
#include "copy.h"

#include "process.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define MAX_RUNS (QEMU_PRESENCE_PAGES / 2)
/* Of the memory that is available. */
#define SHARE 4
/* Of what the guest has: it may come to have more before it stands. */
#define SLACK 16
#define MORE ((guint64) 4 << 20)
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Bytes that are kept. */
typedef struct {
	guint32 number;
	guint64 offset;
	gsize at, len; /* in the room */
} Kept;

struct QemuCopy {
	const QemuRam *ram;
	QemuProcess *process;
	VmifsPictureWriter *out;
	guint8 *room; /* (nullable) */
	gsize room_len, used;
	GArray *kept;   /* of Kept */
	guint8 *buffer; /* a window's bytes, of what is not kept */
	/* Where it is. */
	const QemuBlock *block;
	guint32 number;
	guint64 first; /* page of the window */
	QemuWindow window;
};

/* ---- room ---- */

static guint64
n_pages(const QemuBlock *block)
{
	guint64 page = qemu_block_page(block), len = qemu_block_len(block);

	return len / page + (len % page != 0);
}

static guint64
present(const QemuRam *ram)
{
	guint64 bytes = 0;

	for (guint i = 0; i < qemu_ram_n_blocks(ram); i++) {
		const QemuBlock *block = qemu_ram_block(ram, i);
		if (qemu_block_is_retired(block))
			continue;
		for (guint64 first = 0; first < n_pages(block); first += QEMU_PRESENCE_PAGES) {
			QemuWindow window;
			guint64 n = 0;
			qemu_block_look(block, first, &window);
			for (gsize w = 0; w < G_N_ELEMENTS(window.in_file); w++)
				n += (guint) __builtin_popcountll(window.in_process[w] |
								  window.in_file[w]);
			bytes += n * qemu_block_page(block);
		}
	}
	return bytes;
}

static guint64
available(void)
{
	g_autofree char *text = NULL;
	const char *line;

	if (!g_file_get_contents("/proc/meminfo", &text, NULL, NULL))
		return 0;
	line = strstr(text, "MemAvailable:");
	return line ? g_ascii_strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024 : 0;
}

static void
make_room(QemuCopy *copy)
{
	guint64 wanted = present(copy->ram);
	guint64 len = MIN(wanted + wanted / SLACK + MORE, available() / SHARE);
	gpointer room;

	if (!len || len > G_MAXSSIZE)
		return;
	room = mmap(NULL, (gsize) len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return;
	/* With a guardian's copy of it, each page that is filled would be copied once more. */
	madvise(room, (gsize) len, MADV_DONTFORK);
	madvise(room, (gsize) len, MADV_HUGEPAGE);
	madvise(room, (gsize) len, MADV_POPULATE_WRITE);
	copy->room = room;
	copy->room_len = (gsize) len;
}

QemuCopy *
qemu_copy_new(const QemuRam *ram, QemuProcess *process, VmifsPictureWriter *out, gboolean hurry)
{
	QemuCopy *copy = g_new0(QemuCopy, 1);

	copy->ram = ram;
	copy->process = process;
	copy->out = out;
	copy->kept = g_array_new(FALSE, FALSE, sizeof(Kept));
	if (hurry)
		make_room(copy);
	return copy;
}

void
qemu_copy_free(QemuCopy *copy)
{
	if (!copy)
		return;
	if (copy->room)
		munmap(copy->room, copy->room_len);
	g_array_unref(copy->kept);
	g_free(copy->buffer);
	g_free(copy);
}

/* ---- runs ---- */

static gboolean
fail(const QemuCopy *copy, int status, GError **error)
{
	g_autofree char *name = g_strescape(qemu_block_name(copy->block), NULL);

	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "block %s: %s", name, g_strerror(status));
	return FALSE;
}

/* Of the run of set bits from *page on: its bytes in the block. FALSE: there is none. */
static gboolean
next_run(const QemuCopy *copy, const guint64 *bits, gsize *page, guint64 *ret_offset,
	 gsize *ret_len)
{
	guint64 size = qemu_block_page(copy->block), len = qemu_block_len(copy->block);
	gsize from = *page;

	while (from < QEMU_PRESENCE_PAGES && !(bits[from / 64] >> from % 64 & 1))
		from++;
	gsize to = from;
	while (to < QEMU_PRESENCE_PAGES && bits[to / 64] >> to % 64 & 1)
		to++;
	*page = to;
	*ret_offset = (copy->first + from) * size;
	*ret_len = (gsize) MIN((to - from) * size, len - MIN(*ret_offset, len));
	return *ret_len > 0;
}

/* Where a window's bytes are to be put. */
static guint8 *
place(QemuCopy *copy)
{
	gsize len = QEMU_PRESENCE_PAGES * (gsize) qemu_block_page(copy->block);

	if (len <= copy->room_len - copy->used)
		return copy->room + copy->used;
	if (!copy->buffer)
		copy->buffer = g_malloc(len);
	return copy->buffer;
}

/* Bytes that are there now: kept where they are in the room, else written. */
static gboolean
take(QemuCopy *copy, guint64 offset, const guint8 *bytes, gsize len, GError **error)
{
	Kept kept = { .number = copy->number, .offset = offset, .at = copy->used, .len = len };

	if (!copy->room || bytes != copy->room + copy->used)
		return vmifs_picture_write(copy->out, copy->number, offset, bytes, len, error);
	g_array_append_val(copy->kept, kept);
	copy->used += len;
	return TRUE;
}

static gboolean
copy_from_process(QemuCopy *copy, GError **error)
{
	QemuTransfer runs[MAX_RUNS];
	guint64 offsets[MAX_RUNS];
	gsize n = 0, at = 0, page = 0;
	guint8 *to = place(copy);

	while (n < MAX_RUNS &&
	       next_run(copy, copy->window.in_process, &page, &offsets[n], &runs[n].len)) {
		runs[n].address = qemu_block_address(copy->block) + offsets[n];
		runs[n].buf = to + at;
		at += runs[n++].len;
	}
	if (!n)
		return TRUE;
	qemu_process_read(copy->process, runs, n);
	for (gsize i = 0; i < n; i++) {
		if (runs[i].status)
			return fail(copy, runs[i].status, error);
		if (!take(copy, offsets[i], runs[i].buf, runs[i].len, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
copy_mapped(QemuCopy *copy, VmifsMapping *mapping, guint64 offset, gsize len, GError **error)
{
	guint stamp = vmifs_mapping_stamp(mapping);
	const guint8 *bytes = vmifs_mapping_data(mapping) + offset;

	vmifs_mapping_prefetch(mapping, offset, len);
	if (len <= copy->room_len - copy->used)
		bytes = memcpy(copy->room + copy->used, bytes, len);
	if (!take(copy, offset, bytes, len, error))
		return FALSE;
	/* It may have been unplugged meanwhile, or its file been cut. */
	return vmifs_mapping_intact(mapping, stamp, offset, len) || fail(copy, ENODATA, error);
}

static gboolean
copy_from_file(QemuCopy *copy, GError **error)
{
	VmifsMapping *mapping = qemu_block_mapping(copy->block);
	gsize page = 0, len;
	guint64 offset;

	while (next_run(copy, copy->window.in_file, &page, &offset, &len)) {
		if (mapping) {
			if (!copy_mapped(copy, mapping, offset, len, error))
				return FALSE;
			continue;
		}
		guint8 *to = place(copy);
		int status = qemu_block_read_file(copy->block, offset, to, len);
		if (status)
			return fail(copy, status, error);
		if (!take(copy, offset, to, len, error))
			return FALSE;
	}
	return TRUE;
}

/* ---- all of it ---- */

/* A page that is in both is the process's: it is newer. */
static void
look(QemuCopy *copy)
{
	qemu_block_look(copy->block, copy->first, &copy->window);
	for (gsize i = 0; i < G_N_ELEMENTS(copy->window.in_file); i++)
		copy->window.in_file[i] &= ~copy->window.in_process[i];
}

static gboolean
copy_block(QemuCopy *copy, const VmifsCall *call, GError **error)
{
	guint64 page = qemu_block_page(copy->block), len = qemu_block_len(copy->block);
	VmifsMapping *mapping = qemu_block_mapping(copy->block);

	for (copy->first = 0; copy->first < n_pages(copy->block);
	     copy->first += QEMU_PRESENCE_PAGES) {
		if (!vmifs_call_check(call, error))
			return FALSE;
		look(copy);
		if (!copy_from_process(copy, error) || !copy_from_file(copy, error))
			return FALSE;
		if (mapping) {
			guint64 start = copy->first * page;
			vmifs_mapping_release(mapping, start,
					      (gsize) MIN(len - start, QEMU_PRESENCE_PAGES * page));
		}
	}
	return TRUE;
}

gboolean
qemu_copy_ram(QemuCopy *copy, const VmifsCall *call, GError **error)
{
	for (guint i = 0; i < qemu_ram_n_blocks(copy->ram); i++) {
		copy->block = qemu_ram_block(copy->ram, i);
		copy->number = i;
		if (!qemu_block_is_retired(copy->block) && !copy_block(copy, call, error))
			return FALSE;
	}
	return TRUE;
}

gboolean
qemu_copy_tell(QemuCopy *copy, const VmifsCall *call, GError **error)
{
	for (guint i = 0; i < copy->kept->len; i++) {
		const Kept *kept = &g_array_index(copy->kept, Kept, i);
		if (!vmifs_call_check(call, error) ||
		    !vmifs_picture_write(copy->out, kept->number, kept->offset,
					 copy->room + kept->at, kept->len, error))
			return FALSE;
	}
	return TRUE;
}
