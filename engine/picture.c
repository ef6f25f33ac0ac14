/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * picture: see picture.h. While it is written each page's byte is changed by whoever tells that
 * page, nothing is counted and nothing is locked; what it came to is counted at the end.
 */
#include "picture.h"

#include <string.h>
#include <sys/mman.h>
#include <spi/bytes.h>

#define PAGE VMIFS_PICTURE_PAGE
/* So much is compared with the earlier picture at a time. */
#define CHUNK_PAGES ((gsize) 64)
/* How far a run is followed at most. */
#define RUN_PAGES 256
/* More than any machine has: 16 TiB. */
#define MAX_LEN ((guint64) 1 << 44)

struct VmifsPictureWriter {
	VmifsPicture *picture; /* (full) */
	VmifsPicture *base;    /* (full) (nullable) */
	guint own;             /* the layer that is written */
	gint failed;           /* atomic; VmifsError + 1 of what could not be stored */
};

static gsize
n_pages(guint64 len)
{
	return (gsize) (len / PAGE + (len % PAGE != 0));
}

/* ---- pictures ---- */

static void
regs_free(gpointer regs)
{
	vmifs_regs_unref(regs);
}

void
vmifs_picture_unref(VmifsPicture *picture)
{
	if (!picture || !g_atomic_ref_count_dec(&picture->refs))
		return;
	for (gsize i = 0; i < picture->n_blocks; i++) {
		g_free(picture->blocks[i].name);
		if (picture->blocks[i].pages)
			munmap(picture->blocks[i].pages, n_pages(picture->blocks[i].len) + 1);
	}
	for (guint i = 0; i < VMIFS_PICTURE_LAYERS; i++)
		vmifs_layer_unref(picture->layers[i]);
	g_free(picture->blocks);
	g_array_unref(picture->regions);
	g_ptr_array_unref(picture->regs);
	g_free(picture->how);
	g_free(picture);
}

guint8
vmifs_picture_run(const VmifsPicture *picture, guint32 block, guint64 offset, guint64 len,
		  guint64 *ret_len)
{
	const guint8 *pages = picture->blocks[block].pages;
	gsize first = (gsize) (offset / PAGE), page = first;
	gsize end = MIN(n_pages(offset + len), first + RUN_PAGES);

	do
		page++;
	while (page < end && pages[page] == pages[first]);
	*ret_len = MIN(len, (guint64) page * PAGE - offset);
	return pages[first];
}

VmifsLayer *
vmifs_picture_only_layer(const VmifsPicture *picture)
{
	VmifsLayer *only = NULL;

	for (guint i = 0; i < VMIFS_PICTURE_LAYERS; i++) {
		if (!picture->layers[i])
			continue;
		if (only)
			return NULL;
		only = picture->layers[i];
	}
	return only;
}

/* ---- a new one ---- */

/* A byte for each page, 0. What is never touched of them costs nothing, as most of what is not
 * there is not. NULL: there is no memory for them. */
static guint8 *
pages_new(guint64 len)
{
	gpointer pages = mmap(NULL, n_pages(len) + 1, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return pages == MAP_FAILED ? NULL : pages;
}

/* An empty one of the same regions and blocks. */
static VmifsPicture *
picture_new(VmifsPhysmem *mem, GError **error)
{
	g_autoptr(VmifsPicture) picture = g_new0(VmifsPicture, 1);
	gsize n_regions, n_blocks;
	const VmifsRegion *regions = vmifs_physmem_regions(mem, &n_regions);
	const VmifsBlock *blocks = vmifs_physmem_blocks(mem, &n_blocks);

	g_atomic_ref_count_init(&picture->refs);
	picture->regs = g_ptr_array_new_with_free_func(regs_free);
	g_ptr_array_set_size(picture->regs, (gint) vmifs_physmem_n_vcpus(mem));
	picture->is_encrypted = vmifs_physmem_is_encrypted(mem);
	picture->regions = g_array_new(FALSE, FALSE, sizeof(VmifsRegion));
	g_array_append_vals(picture->regions, regions, (guint) n_regions);
	picture->blocks = g_new0(VmifsPictureBlock, n_blocks);
	picture->n_blocks = n_blocks;
	for (gsize i = 0; i < n_blocks; i++) {
		VmifsPictureBlock *block = &picture->blocks[i];
		guint64 room = MAX_LEN - picture->len;
		block->name = g_strdup(blocks[i].name);
		block->len = blocks[i].len;
		block->at = picture->len;
		if (block->len <= room)
			block->pages = pages_new(block->len);
		if (!block->pages) {
			g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NO_SPACE,
				    "block %s has %" G_GUINT64_FORMAT
				    " MiB: there is no memory to say what of it is where",
				    block->name, block->len >> 20);
			return NULL;
		}
		picture->len += (guint64) n_pages(block->len) * PAGE;
	}
	return g_steal_pointer(&picture);
}

/* Can pages stay where the earlier picture has them? */
static gboolean
has_same_places(const VmifsPicture *picture, const VmifsPicture *base)
{
	if (picture->n_blocks != base->n_blocks)
		return FALSE;
	for (gsize i = 0; i < picture->n_blocks; i++) {
		const VmifsPictureBlock *a = &picture->blocks[i], *b = &base->blocks[i];
		if (a->len != b->len || !g_str_equal(a->name, b->name))
			return FALSE;
	}
	return TRUE;
}

/* Of layers most of which no picture needs any more the room is better given back. */
static gboolean
is_thrifty(const VmifsPicture *base)
{
	guint64 in_files = 0;

	for (guint i = 0; i < VMIFS_PICTURE_LAYERS; i++)
		in_files += base->layers[i] ? base->layers[i]->stored : 0;
	return in_files / 2 <= base->stored + base->shared;
}

static gboolean
has_free_layer(const VmifsPicture *base)
{
	for (guint i = 0; i < VMIFS_PICTURE_LAYERS; i++)
		if (!base->layers[i])
			return TRUE;
	return FALSE;
}

static const char *
default_folder(void)
{
	const char *folder = g_getenv("TMPDIR");

	return folder && g_path_is_absolute(folder) ? folder : "/var/tmp";
}

VmifsPictureWriter *
vmifs_picture_writer_new(VmifsPhysmem *mem, VmifsPicture *base, const char *folder, GError **error)
{
	g_autoptr(VmifsPictureWriter) writer = g_new0(VmifsPictureWriter, 1);

	writer->picture = picture_new(mem, error);
	if (!writer->picture)
		return NULL;
	if (base && has_same_places(writer->picture, base) && is_thrifty(base) &&
	    has_free_layer(base)) {
		g_atomic_ref_count_inc(&base->refs);
		writer->base = base;
		for (guint i = 0; i < VMIFS_PICTURE_LAYERS; i++)
			if (base->layers[i])
				writer->picture->layers[i] = vmifs_layer_ref(base->layers[i]);
	}
	while (writer->picture->layers[writer->own])
		writer->own++;
	guint64 needed = writer->base ? 0 : vmifs_physmem_allocated(mem);
	VmifsLayer *layer = vmifs_layer_new(folder ? folder : default_folder(),
					    writer->picture->len, needed, error);
	writer->picture->layers[writer->own] = layer;
	return layer ? g_steal_pointer(&writer) : NULL;
}

void
vmifs_picture_writer_free(VmifsPictureWriter *writer)
{
	if (!writer)
		return;
	vmifs_picture_unref(writer->picture);
	vmifs_picture_unref(writer->base);
	g_free(writer);
}

/* ---- what is told ---- */

static gboolean
is_zero(const guint8 *bytes, gsize len)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, len - 1);
}

/* Pages [first, first + n) of a block, and their bytes. */
typedef struct {
	const VmifsPictureWriter *writer;
	VmifsPictureBlock *block;
	guint32 number; /* of the block */
	gsize first, n;
	const guint8 *bytes;
	gsize len; /* of the bytes: the last page may be short */
} Chunk;

static gsize
page_len(const Chunk *chunk, gsize i)
{
	return MIN(PAGE, chunk->len - i * PAGE);
}

/* The bytes that the earlier picture has there; what cannot be read is as good as different. */
static void
read_base(const Chunk *chunk, guint8 *buf)
{
	const VmifsPicture *base = chunk->writer->base;
	guint64 offset = (guint64) chunk->first * PAGE, done = 0, len;

	for (; done < chunk->len; done += len) {
		guint8 layer = vmifs_picture_run(base, chunk->number, offset + done,
						 chunk->len - done, &len);
		if (!layer ||
		    vmifs_layer_read(base->layers[layer - 1], chunk->block->at + offset + done,
				     buf + done, (gsize) len))
			memset(buf + done, 0, (gsize) len);
	}
}

/* Decides for each page where it is. buf: room for its bytes in the earlier picture. */
static void
place_pages(const Chunk *chunk, guint8 *buf)
{
	const VmifsPicture *base = chunk->writer->base;
	const guint8 *old = base ? base->blocks[chunk->number].pages : NULL;

	if (base)
		read_base(chunk, buf);
	for (gsize i = 0; i < chunk->n; i++) {
		const guint8 *bytes = chunk->bytes + i * PAGE;
		gsize page = chunk->first + i, len = page_len(chunk, i);
		guint8 layer = (guint8) (chunk->writer->own + 1);
		if (is_zero(bytes, len))
			layer = 0;
		else if (old && old[page] && !memcmp(bytes, buf + i * PAGE, len))
			layer = old[page];
		chunk->block->pages[page] = layer;
	}
}

/* Writes those that are to be in its own layer, neighbours at once. */
static gboolean
store_pages(const Chunk *chunk, GError **error)
{
	guint8 own = (guint8) (chunk->writer->own + 1);
	const guint8 *pages = chunk->block->pages + chunk->first;

	for (gsize i = 0, end; i < chunk->n; i = end) {
		for (end = i + 1; end < chunk->n && (pages[end] == own) == (pages[i] == own);)
			end++;
		guint64 at = chunk->block->at + (guint64) (chunk->first + i) * PAGE;
		if (pages[i] == own &&
		    !vmifs_layer_write(chunk->writer->picture->layers[chunk->writer->own], at,
				       chunk->bytes + i * PAGE,
				       MIN(end * PAGE, chunk->len) - i * PAGE, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
store(VmifsPictureWriter *writer, guint32 number, guint64 offset, const guint8 *bytes, gsize len,
      GError **error)
{
	g_autofree guint8 *buf = writer->base ? g_malloc(CHUNK_PAGES * PAGE) : NULL;
	/* Without an earlier one all that is told can be written at once. */
	gsize most = writer->base ? CHUNK_PAGES * PAGE : len;

	for (gsize done = 0; done < len;) {
		gsize n = MIN(len - done, most);
		Chunk chunk = { .writer = writer,
				.block = &writer->picture->blocks[number],
				.number = number,
				.first = (gsize) ((offset + done) / PAGE),
				.n = n_pages(n),
				.bytes = bytes + done,
				.len = n };
		place_pages(&chunk, buf);
		if (!store_pages(&chunk, error))
			return FALSE;
		done += n;
	}
	return TRUE;
}

static gboolean
set_changed(GError **error)
{
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_STALE,
			    "the guest's memory or vCPUs have become others meanwhile");
	return FALSE;
}

gboolean
vmifs_picture_write(VmifsPictureWriter *writer, guint32 block, guint64 offset, gconstpointer bytes,
		    gsize len, GError **error)
{
	const VmifsPicture *picture = writer->picture;
	GError *failure = NULL;

	if (block >= picture->n_blocks ||
	    !vmifs_in_bounds(offset, len, picture->blocks[block].len) || offset % PAGE ||
	    (len % PAGE && offset + len != picture->blocks[block].len))
		return set_changed(error);
	if (!bytes)
		memset(picture->blocks[block].pages + offset / PAGE, 0, n_pages(len));
	else if (!store(writer, block, offset, bytes, len, &failure))
		g_atomic_int_set(&writer->failed, failure->code + 1);
	if (failure)
		g_propagate_error(error, failure);
	return !failure;
}

gboolean
vmifs_picture_add_regs(VmifsPictureWriter *writer, guint vcpu, const VmifsRegs *regs,
		       GError **error)
{
	GPtrArray *all = writer->picture->regs;
	gsize n;
	const VmifsReg *reg = vmifs_regs_all(regs, &n);

	if (vcpu >= all->len)
		return set_changed(error);
	VmifsRegs *copy = vmifs_regs_new();
	for (gsize i = 0; i < n; i++)
		vmifs_regs_set(copy, reg[i].name, reg[i].value);
	vmifs_regs_unref(all->pdata[vcpu]);
	all->pdata[vcpu] = copy;
	return TRUE;
}

void
vmifs_picture_set_taken(VmifsPictureWriter *writer, const VmifsPictureTaken *taken)
{
	VmifsPicture *picture = writer->picture;

	g_free(picture->how);
	picture->how = g_strdup(taken->how);
	picture->moment = taken->moment;
	picture->still_us = taken->still_us;
}

/* ---- the end ---- */

static void
count(VmifsPicture *picture, guint64 ret_bytes[VMIFS_PICTURE_LAYERS])
{
	for (gsize i = 0; i < picture->n_blocks; i++) {
		const VmifsPictureBlock *block = &picture->blocks[i];
		for (gsize page = 0; page < n_pages(block->len); page++) {
			guint8 layer = block->pages[page];
			if (layer)
				ret_bytes[layer - 1] +=
					MIN(PAGE, block->len - (guint64) page * PAGE);
		}
	}
}

static gboolean
has_regs(const VmifsPicture *picture)
{
	for (guint i = 0; i < picture->regs->len; i++)
		if (picture->regs->pdata[i])
			return TRUE;
	return FALSE;
}

VmifsPicture *
vmifs_picture_writer_end(VmifsPictureWriter *writer, GError **error)
{
	g_autoptr(VmifsPicture) picture = g_steal_pointer(&writer->picture);
	guint64 bytes[VMIFS_PICTURE_LAYERS] = { 0 };
	gint failed = g_atomic_int_get(&writer->failed);
	guint own = writer->own;

	vmifs_picture_writer_free(writer);
	if (failed) {
		g_set_error(error, VMIFS_ERROR, failed - 1, "some of it could not be stored");
		return NULL;
	}
	count(picture, bytes);
	picture->layers[own]->stored = bytes[own];
	if (!has_regs(picture))
		g_ptr_array_set_size(picture->regs, 0);
	for (guint i = 0; i < VMIFS_PICTURE_LAYERS; i++) {
		*(i == own ? &picture->stored : &picture->shared) += bytes[i];
		if (!bytes[i])
			g_clear_pointer(&picture->layers[i], vmifs_layer_unref);
	}
	return g_steal_pointer(&picture);
}
