/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ram: a file per RAM block, byte for byte as its backend has it; `memmap` says where it lies. */
#include "nodes.h"

#include <sys/stat.h>

typedef struct {
	VmifsNode node;
	guint32 block; /* index in the layout */
} RamNode;

/* What an open reads through. */
typedef struct {
	VmifsPhysmem *mem; /* (full) */
	guint32 block;
} RamFile;

static guint64
block_len(VmifsPhysmem *mem, guint32 block)
{
	gsize n;
	return vmifs_physmem_blocks(mem, &n)[block].len;
}

/* Bytes that the file behind it has allocated; all of it where that is not known. */
static guint64
block_allocated(const VmifsBlock *block)
{
	struct stat st;
	if (!block->sparse || block->fd < 0 || fstat(block->fd, &st) < 0)
		return block->len;
	return MIN((guint64) st.st_blocks * 512, block->len);
}

static gboolean
size(VmifsNode *self, VmifsNodeSize *ret, VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(vmifs_node_guest(self));
	gsize n;
	const VmifsBlock *block = &vmifs_physmem_blocks(mem, &n)[((RamNode *) self)->block];
	ret->size = block->len;
	ret->allocated = block_allocated(block);
	return TRUE;
}

static gpointer
open_block(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	RamFile *file = g_new(RamFile, 1);
	file->mem = vmifs_guest_physmem(vmifs_node_guest(self));
	file->block = ((RamNode *) self)->block;
	return file;
}

static void
close_block(gpointer data)
{
	RamFile *file = data;
	vmifs_physmem_unref(file->mem);
	g_free(file);
}

static gboolean
seek_block(gpointer data, guint64 off, gboolean want_data, guint64 *ret_off)
{
	RamFile *file = data;
	return off < block_len(file->mem, file->block) &&
	       vmifs_physmem_seek_block(file->mem, file->block, off, want_data, ret_off);
}

static gsize
read_block(VmifsNode *self, gpointer data, guint64 off, gsize len, VmifsSegments *segments,
	   VmifsNodeCall *call, GError **error)
{
	RamFile *file = data;
	guint64 end = block_len(file->mem, file->block);
	if (off >= end)
		return 0;
	gsize want = (gsize) MIN(len, end - off);
	if (!vmifs_sized_clip(seek_block, file, off, &want, call, error))
		return 0;
	gsize got = vmifs_physmem_gather_block(file->mem, file->block, off, want, segments,
					       &call->call, error);
	return vmifs_sized_answer(got, want, call, error);
}

static gboolean
seek(VmifsNode *self, gpointer data, guint64 off, gboolean want_data, guint64 *ret_off,
     gboolean *ret_found, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_needs_work(call))
		return FALSE;
	*ret_found = seek_block(data, off, want_data, ret_off);
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
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(vmifs_node_guest(self));
	gsize n;
	return vmifs_block_backing(&vmifs_physmem_blocks(mem, &n)[((RamNode *) self)->block],
				   ret_why);
}

static const VmifsNodeOps block_ops = {
	.type = S_IFREG,
	.instance_size = sizeof(RamNode),
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
	for (gsize i = 0; i < n; i++)
		vmifs_node_list_add(list, blocks[i].name, S_IFREG, 0);
	return TRUE;
}

static VmifsNode *
lookup(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(vmifs_node_guest(self));
	gsize n;
	const VmifsBlock *blocks = vmifs_physmem_blocks(mem, &n);
	for (gsize i = 0; i < n; i++) {
		if (!g_str_equal(blocks[i].name, name))
			continue;
		RamNode *node = vmifs_node_new(&block_ops, self, name, 0);
		node->block = (guint32) i;
		return &node->node;
	}
	vmifs_node_set_not_found(error, name);
	return NULL;
}

const VmifsNodeOps vmifs_node_ram = {
	.type = S_IFDIR,
	.list = list,
	.lookup = lookup,
};
