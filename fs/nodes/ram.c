/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ram: a file per RAM block, byte for byte as its backend has it; `memmap` says where it lies. A
 * block is known by its name: in the layout of a live guest others may come before it, or it goes.
 */
#include "nodes.h"

#include <sys/stat.h>

/* A block in a layout; also what the reads of one call work on. */
typedef struct {
	VmifsPhysmem *mem; /* (full) */
	guint32 index;
} Block;

/* What an open reads through. */
typedef struct {
	Block frozen; /* mem NULL = of a live guest */
} RamFile;

static void
block_clear(Block *block)
{
	g_clear_pointer(&block->mem, vmifs_physmem_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Block, block_clear)

static const VmifsBlock *
block_at(const Block *block)
{
	gsize n;
	return &vmifs_physmem_blocks(block->mem, &n)[block->index];
}

/* ret: to be cleared. STALE when the guest has no such block any more. */
static gboolean
block_now(VmifsNode *self, const RamFile *file, Block *ret, GError **error)
{
	if (file && file->frozen.mem) {
		*ret = file->frozen;
		vmifs_physmem_ref(ret->mem);
		return TRUE;
	}
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(vmifs_node_guest(self));
	gsize n;
	const VmifsBlock *blocks = vmifs_physmem_blocks(mem, &n);
	for (gsize i = 0; i < n; i++) {
		if (!g_str_equal(blocks[i].name, self->name))
			continue;
		*ret = (Block){ g_steal_pointer(&mem), (guint32) i };
		return TRUE;
	}
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_STALE, "the guest has no %s any more",
		    self->name);
	return FALSE;
}

/* Bytes that are no holes, as far as looking at it moves nothing. */
static guint64
block_data(const Block *block)
{
	guint64 sum = 0, from, to = 0;
	while (vmifs_physmem_seek_block(block->mem, block->index, to, TRUE, &from)) {
		vmifs_physmem_seek_block(block->mem, block->index, from, FALSE, &to);
		sum += to - from;
	}
	return sum;
}

/* Bytes that the file behind it has allocated; all of it where that is not known. */
static guint64
block_allocated(const VmifsNode *self, const Block *block)
{
	const VmifsBlock *it = block_at(block);
	struct stat st;
	if (it->sparse && it->fd < 0 && self->guest->origin)
		return block_data(block);
	if (!it->sparse || it->fd < 0 || fstat(it->fd, &st) < 0)
		return it->len;
	return MIN((guint64) st.st_blocks * 512, it->len);
}

static gboolean
size(VmifsNode *self, VmifsNodeSize *ret, VmifsNodeCall *call, GError **error)
{
	g_auto(Block) block = { 0 };
	if (!block_now(self, NULL, &block, error))
		return FALSE;
	ret->size = block_at(&block)->len;
	ret->allocated = block_allocated(self, &block);
	return TRUE;
}

static gpointer
open_block(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	g_auto(Block) block = { 0 };
	if (!block_now(self, NULL, &block, error))
		return NULL;
	RamFile *file = g_new0(RamFile, 1);
	if (self->guest->frozen) {
		file->frozen = block;
		block.mem = NULL;
	}
	return file;
}

static void
close_block(gpointer data)
{
	RamFile *file = data;
	block_clear(&file->frozen);
	g_free(file);
}

static gboolean
seek_block(gpointer data, guint64 off, gboolean want_data, guint64 *ret_off)
{
	Block *block = data;
	return off < block_at(block)->len &&
	       vmifs_physmem_seek_block(block->mem, block->index, off, want_data, ret_off);
}

static gsize
read_block(VmifsNode *self, gpointer data, guint64 off, gsize len, VmifsSegments *segments,
	   VmifsNodeCall *call, GError **error)
{
	g_auto(Block) block = { 0 };
	if (!block_now(self, data, &block, error))
		return 0;
	guint64 end = block_at(&block)->len;
	if (off >= end)
		return 0;
	gsize want = (gsize) MIN(len, end - off);
	if (!vmifs_physmem_is_block_mapped(block.mem, block.index) && !vmifs_node_needs_work(call))
		return 0;
	if (!vmifs_sized_clip(seek_block, &block, off, &want, call, error))
		return 0;
	gsize got = vmifs_physmem_gather_block(block.mem, block.index, off, want, segments,
					       &call->call, error);
	return vmifs_sized_answer(got, want, call, error);
}

static gboolean
seek(VmifsNode *self, gpointer data, guint64 off, gboolean want_data, guint64 *ret_off,
     gboolean *ret_found, VmifsNodeCall *call, GError **error)
{
	g_auto(Block) block = { 0 };
	if (!vmifs_node_needs_work(call) || !block_now(self, data, &block, error))
		return FALSE;
	*ret_found = seek_block(&block, off, want_data, ret_off);
	return TRUE;
}

int
vmifs_block_backing(const VmifsBlock *block, const char **ret_why)
{
	*ret_why = "its bytes are in no file of their own";
	return block->fd;
}

static int
backing(VmifsNode *self, const char **ret_why)
{
	g_auto(Block) block = { 0 };
	*ret_why = "it has gone";
	return block_now(self, NULL, &block, NULL) ? vmifs_block_backing(block_at(&block), ret_why)
						   : -1;
}

static const VmifsNodeOps block_ops = {
	.type = S_IFREG,
	.size = size,
	.open = open_block,
	.close = close_block,
	.read = read_block,
	.seek = seek,
	.backing = backing,
};

static gboolean
list(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(vmifs_node_guest(self));
	gsize n;
	const VmifsBlock *blocks = vmifs_physmem_blocks(mem, &n);
	for (gsize i = 0; i < n; i++) {
		if (blocks[i].len)
			vmifs_node_list_add(list, blocks[i].name, S_IFREG, 0);
	}
	return TRUE;
}

static VmifsNode *
lookup(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(vmifs_node_guest(self));
	gsize n;
	const VmifsBlock *blocks = vmifs_physmem_blocks(mem, &n);
	for (gsize i = 0; i < n; i++) {
		if (blocks[i].len && g_str_equal(blocks[i].name, name))
			return vmifs_node_new(&block_ops, self, name, 0);
	}
	vmifs_node_set_not_found(error, name);
	return NULL;
}

const VmifsNodeOps vmifs_node_ram = {
	.type = S_IFDIR,
	.list = list,
	.lookup = lookup,
};
