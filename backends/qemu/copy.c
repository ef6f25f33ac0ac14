/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy: while the guest waits, so in windows of two megabytes: one look at which pages are there,
 * one call to the process for all of them; what is mapped is given as it lies there. What ram.c
 * has seen of pages an instant ago does not count here: the guest still ran then.
 */
#include "copy.h"

#include "process.h"

#include <string.h>

#define MAX_RUNS (QEMU_PRESENCE_PAGES / 2)

typedef struct {
	const QemuBlock *block;
	guint32 number;
	QemuProcess *process;
	VmifsPictureWriter *out;
	guint64 first; /* page of the window */
	QemuWindow window;
	guint8 *buffer; /* (nullable) a window's bytes */
} Copy;

static gboolean
fail(const Copy *copy, int status, GError **error)
{
	g_autofree char *name = g_strescape(qemu_block_name(copy->block), NULL);

	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "block %s: %s", name, g_strerror(status));
	return FALSE;
}

/* Of the run of set bits from *page on: its bytes in the block. FALSE: there is none. */
static gboolean
next_run(const Copy *copy, const guint64 *bits, gsize *page, guint64 *ret_offset, gsize *ret_len)
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

static gboolean
copy_from_process(Copy *copy, GError **error)
{
	QemuTransfer runs[MAX_RUNS];
	guint64 offsets[MAX_RUNS];
	gsize n = 0, at = 0, page = 0;

	while (n < MAX_RUNS &&
	       next_run(copy, copy->window.in_process, &page, &offsets[n], &runs[n].len)) {
		runs[n].address = qemu_block_address(copy->block) + offsets[n];
		runs[n].buf = copy->buffer + at;
		at += runs[n++].len;
	}
	if (!n)
		return TRUE;
	qemu_process_read(copy->process, runs, n);
	for (gsize i = 0; i < n; i++) {
		if (runs[i].status)
			return fail(copy, runs[i].status, error);
		if (!vmifs_picture_write(copy->out, copy->number, offsets[i], runs[i].buf,
					 runs[i].len, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
copy_mapped(const Copy *copy, VmifsMapping *mapping, guint64 offset, gsize len, GError **error)
{
	guint stamp = vmifs_mapping_stamp(mapping);

	vmifs_mapping_prefetch(mapping, offset, len);
	if (!vmifs_picture_write(copy->out, copy->number, offset,
				 vmifs_mapping_data(mapping) + offset, len, error))
		return FALSE;
	/* It may have been unplugged meanwhile, or its file been cut. */
	return vmifs_mapping_intact(mapping, stamp, offset, len) || fail(copy, ENODATA, error);
}

static gboolean
copy_from_file(Copy *copy, GError **error)
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
		int status = qemu_block_read_file(copy->block, offset, copy->buffer, len);
		if (status)
			return fail(copy, status, error);
		if (!vmifs_picture_write(copy->out, copy->number, offset, copy->buffer, len, error))
			return FALSE;
	}
	return TRUE;
}

/* A page that is in both is the process's: it is newer. */
static void
look(Copy *copy)
{
	qemu_block_look(copy->block, copy->first, &copy->window);
	for (gsize i = 0; i < G_N_ELEMENTS(copy->window.in_file); i++)
		copy->window.in_file[i] &= ~copy->window.in_process[i];
}

static gboolean
copy_block(Copy *copy, const VmifsCall *call, GError **error)
{
	guint64 page = qemu_block_page(copy->block), len = qemu_block_len(copy->block);
	VmifsMapping *mapping = qemu_block_mapping(copy->block);

	for (copy->first = 0; copy->first < len / page + (len % page != 0);
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
qemu_copy_ram(const QemuRam *ram, QemuProcess *process, VmifsPictureWriter *out,
	      const VmifsCall *call, GError **error)
{
	g_autofree guint8 *buffer = NULL;
	Copy copy = { .process = process, .out = out };

	for (guint i = 0; i < qemu_ram_n_blocks(ram); i++) {
		copy.block = qemu_ram_block(ram, i);
		copy.number = i;
		if (qemu_block_is_retired(copy.block))
			continue;
		if (!buffer)
			buffer = g_malloc(QEMU_PRESENCE_PAGES * qemu_block_page(copy.block));
		copy.buffer = buffer;
		if (!copy_block(&copy, call, error))
			return FALSE;
	}
	return TRUE;
}
