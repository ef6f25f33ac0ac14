/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy: in windows of two megabytes: one look at which pages are there, one call to the process for
 * all of them. What ram.c has seen of pages an instant ago does not count here: the guest still ran
 * then. What has changed since it was copied ahead is found by comparing: the kernel's notes of
 * written pages are of one process alone, and device models in others write to shared memory, too.
 * Several threads compare, as one alone does not use all that memory can give.
 */
#include "copy.h"

#include "process.h"
#include "room.h"

#include <errno.h>
#include <string.h>

#define MAX_RUNS (QEMU_PRESENCE_PAGES / 2)
#define MAX_THREADS 4
/* Of what the guest has: it may come to have more before it stands. */
#define SLACK 16
#define MORE 1024

struct QemuCopy {
	const QemuRam *ram;
	QemuProcess *process;
	VmifsPictureWriter *out;
	QemuRoom *room; /* (nullable) */
};

/* Once over all memory. */
typedef struct {
	QemuCopy *copy;
	const VmifsCall *call;
	gboolean is_ahead; /* the guest runs: nothing is written, and what cannot be read is left
			      out */
	GMutex lock;       /* of all that follows, and of the picture */
	guint32 number;    /* of the block where the next window is */
	guint64 first;     /* its first page */
	GError *error;     /* NULL = good so far */
} Pass;

/* Of one thread: a window. */
typedef struct {
	Pass *pass;
	const QemuBlock *block;
	guint32 number;
	guint64 first;
	QemuWindow window;
	guint8 *buffer;
	gboolean is_full; /* there was no room for a page of it */
} Worker;

/* ---- life ---- */

QemuCopy *
qemu_copy_new(const QemuRam *ram, QemuProcess *process, VmifsPictureWriter *out)
{
	QemuCopy *copy = g_new0(QemuCopy, 1);

	copy->ram = ram;
	copy->process = process;
	copy->out = out;
	return copy;
}

void
qemu_copy_free(QemuCopy *copy)
{
	if (!copy)
		return;
	/* What was left mapped. */
	for (guint i = 0; copy->room && i < qemu_ram_n_blocks(copy->ram); i++) {
		VmifsMapping *mapping = qemu_block_mapping(qemu_ram_block(copy->ram, i));
		if (mapping)
			vmifs_mapping_release(mapping, 0, vmifs_mapping_len(mapping));
	}
	qemu_room_free(copy->room);
	g_free(copy);
}

/* For what the guest has now. */
static void
make_room(QemuCopy *copy)
{
	guint n = qemu_ram_n_blocks(copy->ram);
	g_autofree guint64 *blocks = g_new0(guint64, n);
	guint64 present = 0;

	for (guint i = 0; i < n; i++) {
		const QemuBlock *block = qemu_ram_block(copy->ram, i);
		if (qemu_block_is_retired(block))
			continue;
		blocks[i] = qemu_block_n_pages(block);
		present += qemu_block_n_present(block);
	}
	copy->room = qemu_room_new(present + present / SLACK + MORE, blocks, n);
}

/* ---- windows ---- */

static void
set_failed(Pass *pass, GError *error)
{
	g_mutex_lock(&pass->lock);
	if (pass->error)
		g_error_free(error);
	else
		pass->error = error;
	g_mutex_unlock(&pass->lock);
}

static gboolean
next_window(Worker *self)
{
	Pass *pass = self->pass;
	const QemuRam *ram = pass->copy->ram;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&pass->lock);

	for (; pass->number < qemu_ram_n_blocks(ram); pass->number++, pass->first = 0) {
		if (pass->error || !vmifs_call_check(pass->call, &pass->error))
			return FALSE;
		self->block = qemu_ram_block(ram, pass->number);
		if (qemu_block_is_retired(self->block) ||
		    pass->first >= qemu_block_n_pages(self->block))
			continue;
		self->number = pass->number;
		self->first = pass->first;
		pass->first += QEMU_PRESENCE_PAGES;
		return TRUE;
	}
	return FALSE;
}

/* A page that is in both is the process's: it is newer. */
static void
look(Worker *self)
{
	QemuRoom *room = self->pass->copy->room;

	qemu_block_look(self->block, self->first, &self->window);
	for (gsize i = 0; i < G_N_ELEMENTS(self->window.in_file); i++)
		self->window.in_file[i] &= ~self->window.in_process[i];
	for (gsize i = 0; room && i < QEMU_PRESENCE_PAGES; i++)
		if (!qemu_window_is_set(self->window.in_file, i) &&
		    !qemu_window_is_set(self->window.in_process, i))
			qemu_room_forget(room, self->number, self->first + i);
}

/* Of the run of set bits from *page on: its bytes in the block. FALSE: there is none. */
static gboolean
next_run(const Worker *self, const guint64 *bits, gsize *page, guint64 *ret_offset, gsize *ret_len)
{
	guint64 size = qemu_block_page(self->block), len = qemu_block_len(self->block);
	gsize from = *page;

	while (from < QEMU_PRESENCE_PAGES && !qemu_window_is_set(bits, from))
		from++;
	gsize to = from;
	while (to < QEMU_PRESENCE_PAGES && qemu_window_is_set(bits, to))
		to++;
	*page = to;
	*ret_offset = (self->first + from) * size;
	*ret_len = (gsize) MIN((to - from) * size, len - MIN(*ret_offset, len));
	return *ret_len > 0;
}

static guint8 *
buffer(Worker *self)
{
	if (!self->buffer)
		self->buffer = g_malloc(QEMU_PRESENCE_PAGES * (gsize) qemu_block_page(self->block));
	return self->buffer;
}

/* ---- bytes ---- */

static gboolean
fail(const Worker *self, int status, GError **error)
{
	g_autofree char *name = g_strescape(qemu_block_name(self->block), NULL);

	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "block %s: %s", name, g_strerror(status));
	return FALSE;
}

static gboolean
keep(const Worker *self, guint64 offset, const guint8 *bytes, gsize len)
{
	QemuRoom *room = self->pass->copy->room;

	return room && qemu_room_keep(room, self->number, offset / qemu_block_page(self->block),
				      bytes, len);
}

/* Bytes that are there now: kept where there is room, else written. */
static gboolean
take(Worker *self, guint64 offset, const guint8 *bytes, gsize len, GError **error)
{
	gsize page = (gsize) qemu_block_page(self->block), done = 0, n;
	gboolean good = TRUE;

	while (good && done < len) {
		gsize to = done;
		while (to < len && !keep(self, offset + to, bytes + to, MIN(page, len - to)))
			to += MIN(page, len - to);
		n = to - done;
		self->is_full |= n > 0;
		if (n && !self->pass->is_ahead) {
			g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->pass->lock);
			good = vmifs_picture_write(self->pass->copy->out, self->number,
						   offset + done, bytes + done, n, error);
		}
		/* And the one that was kept. */
		done = to + MIN(page, len - to);
	}
	return good;
}

static gboolean
copy_from_process(Worker *self, GError **error)
{
	QemuTransfer runs[MAX_RUNS];
	guint64 offsets[MAX_RUNS];
	gsize n = 0, at = 0, page = 0;

	while (n < MAX_RUNS &&
	       next_run(self, self->window.in_process, &page, &offsets[n], &runs[n].len)) {
		runs[n].address = qemu_block_address(self->block) + offsets[n];
		runs[n].buf = buffer(self) + at;
		at += runs[n++].len;
	}
	if (!n)
		return TRUE;
	qemu_process_read(self->pass->copy->process, runs, n);
	for (gsize i = 0; i < n; i++) {
		if (runs[i].status)
			return fail(self, runs[i].status, error);
		if (!take(self, offsets[i], runs[i].buf, runs[i].len, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
copy_mapped(Worker *self, VmifsMapping *mapping, guint64 offset, gsize len, GError **error)
{
	guint stamp = vmifs_mapping_stamp(mapping);

	/* What was copied ahead is mapped still. */
	if (self->pass->is_ahead || !self->pass->copy->room)
		vmifs_mapping_prefetch(mapping, offset, len);
	if (!take(self, offset, vmifs_mapping_data(mapping) + offset, len, error))
		return FALSE;
	/* It may have been unplugged meanwhile, or its file been cut. */
	return vmifs_mapping_intact(mapping, stamp, offset, len) || fail(self, ENODATA, error);
}

static gboolean
copy_from_file(Worker *self, GError **error)
{
	VmifsMapping *mapping = qemu_block_mapping(self->block);
	gsize page = 0, len;
	guint64 offset;

	while (next_run(self, self->window.in_file, &page, &offset, &len)) {
		if (mapping) {
			if (!copy_mapped(self, mapping, offset, len, error))
				return FALSE;
			continue;
		}
		int status = qemu_block_read_file(self->block, offset, buffer(self), len);
		if (status)
			return fail(self, status, error);
		if (!take(self, offset, buffer(self), len, error))
			return FALSE;
	}
	return TRUE;
}

/* What is kept will be looked at again, in a hurry: it stays mapped until the end. */
static void
release(const Worker *self)
{
	VmifsMapping *mapping = qemu_block_mapping(self->block);
	guint64 page = qemu_block_page(self->block), start = self->first * page;

	if (mapping && (self->is_full || !self->pass->copy->room))
		vmifs_mapping_release(mapping, start,
				      (gsize) MIN(qemu_block_len(self->block) - start,
						  QEMU_PRESENCE_PAGES * page));
}

/* ---- passes ---- */

static gpointer
work(gpointer data)
{
	Pass *pass = data;
	Worker self = { .pass = pass };

	while (next_window(&self)) {
		GError *error = NULL;
		self.is_full = FALSE;
		look(&self);
		gboolean good = copy_from_process(&self, &error) && copy_from_file(&self, &error);
		release(&self);
		if (!good && pass->is_ahead)
			g_error_free(error);
		else if (!good)
			set_failed(pass, error);
		if (pass->is_ahead && self.is_full)
			break;
	}
	g_free(self.buffer);
	return NULL;
}

static gboolean
run(QemuCopy *copy, gboolean is_ahead, const VmifsCall *call, GError **error)
{
	Pass pass = { .copy = copy, .call = call, .is_ahead = is_ahead };
	guint n = is_ahead || !copy->room ? 1 : MIN(g_get_num_processors(), MAX_THREADS);
	GThread *others[MAX_THREADS] = { NULL };

	g_mutex_init(&pass.lock);
	for (guint i = 1; i < n; i++)
		others[i] = g_thread_try_new("copy", work, &pass, NULL);
	work(&pass);
	for (guint i = 1; i < n; i++)
		if (others[i])
			g_thread_join(others[i]);
	g_mutex_clear(&pass.lock);
	if (pass.error)
		g_propagate_error(error, pass.error);
	return !pass.error;
}

gboolean
qemu_copy_ahead(QemuCopy *copy, const VmifsCall *call, GError **error)
{
	make_room(copy);
	return !copy->room || run(copy, TRUE, call, error);
}

gboolean
qemu_copy_ram(QemuCopy *copy, const VmifsCall *call, GError **error)
{
	return run(copy, FALSE, call, error);
}

static gboolean
tell_block(QemuCopy *copy, guint32 number, const VmifsCall *call, GError **error)
{
	const QemuBlock *block = qemu_ram_block(copy->ram, number);
	guint64 page = 0, size = qemu_block_page(block), len = qemu_block_len(block);
	const guint8 *bytes;
	gsize n;

	for (; (bytes = qemu_room_next(copy->room, number, &page, &n)); page += n) {
		if (!vmifs_call_check(call, error) ||
		    !vmifs_picture_write(copy->out, number, page * size, bytes,
					 (gsize) MIN(n * size, len - page * size), error))
			return FALSE;
	}
	return TRUE;
}

gboolean
qemu_copy_tell(QemuCopy *copy, const VmifsCall *call, GError **error)
{
	for (guint i = 0; copy->room && i < qemu_ram_n_blocks(copy->ram); i++)
		if (!tell_block(copy, i, call, error))
			return FALSE;
	return TRUE;
}
