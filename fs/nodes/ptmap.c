/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ptmap, pagemap: page tables as they are, of the kernel's space and of a process's. Neither is
 * ever whole: what is asked for is made. The size of a ptmap is 0, as those of procfs; that of a
 * pagemap is known, unlike there, so that who copies it finds its holes.
 */
#include "nodes.h"

#include <string.h>

/* The most of a pagemap that one read makes: entries of 64 MiB. */
#define MOST_ENTRIES 16384

typedef struct {
	VmifsAspace *aspace; /* (full) (nullable) NULL: a kernel thread */
	VmifsPtmap *ptmap;   /* (full) (nullable) of ptmap */
} TablesFile;

static gboolean
text_size(VmifsNode *self, VmifsNodeSize *ret, VmifsNodeCall *call, GError **error)
{
	*ret = (VmifsNodeSize){ 0 };
	return TRUE;
}

static void
close_file(gpointer data)
{
	TablesFile *file = data;

	vmifs_aspace_unref(file->aspace);
	vmifs_ptmap_free(file->ptmap);
	g_free(file);
}

/* All of a text is data: nobody finds the end by walking there. */
static gboolean
seek_text(VmifsNode *self, gpointer file, guint64 off, gboolean want_data, guint64 *ret_off,
	  gboolean *ret_found, VmifsNodeCall *call, GError **error)
{
	*ret_off = off;
	*ret_found = want_data;
	return TRUE;
}

static gsize
read_text(TablesFile *file, VmifsAspace *aspace, guint64 off, gsize len, VmifsSegments *segments,
	  VmifsNodeCall *call, GError **error)
{
	gsize before = segments->len;
	gpointer buf = vmifs_segments_add_owned(segments, len);
	gsize n = vmifs_ptmap_read(file->ptmap, aspace, off, buf, len, &call->call, error);

	vmifs_segments_truncate(segments, before + n);
	return n;
}

/* ---- of the kernel ---- */

static gpointer
open_kernel(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsAspace) aspace =
		vmifs_guest_kernel_aspace(vmifs_node_guest(self), &call->call, error);
	if (!aspace)
		return NULL;
	TablesFile *file = g_new0(TablesFile, 1);
	file->aspace = g_steal_pointer(&aspace);
	file->ptmap = vmifs_ptmap_new(file->aspace, G_MAXUINT64);
	return file;
}

static gsize
read_kernel(VmifsNode *self, gpointer data, guint64 off, gsize len, VmifsSegments *segments,
	    VmifsNodeCall *call, GError **error)
{
	TablesFile *file = data;

	if (!vmifs_node_needs_work(call))
		return 0;
	g_autoptr(VmifsAspace) aspace =
		self->guest->frozen
			? vmifs_aspace_ref(file->aspace)
			: vmifs_guest_kernel_aspace(vmifs_node_guest(self), &call->call, error);
	return aspace ? read_text(file, aspace, off, len, segments, call, error) : 0;
}

const VmifsNodeOps vmifs_node_ptmap = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_ADDRESSES,
	.size = text_size,
	.open = open_kernel,
	.close = close_file,
	.read = read_kernel,
	.seek = seek_text,
};

/* ---- of a process ---- */

static TablesFile *
open_of_task(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	VmifsTask task;
	if (!vmifs_node_needs_work(call) || !vmifs_task_now(self, &task, call, error))
		return NULL;
	g_autoptr(VmifsAspace) aspace = NULL;
	if (task.mm) {
		aspace = vmifs_guest_task_aspace(vmifs_node_guest(self), &task, &call->call, error);
		if (!aspace)
			return NULL;
	}
	TablesFile *file = g_new0(TablesFile, 1);
	file->aspace = g_steal_pointer(&aspace);
	return file;
}

static gpointer
open_task(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	TablesFile *file = open_of_task(self, call, error);
	if (file && file->aspace)
		file->ptmap =
			vmifs_ptmap_new(file->aspace, vmifs_aspace_user_end(file->aspace) - 1);
	return file;
}

static gsize
read_task(VmifsNode *self, gpointer data, guint64 off, gsize len, VmifsSegments *segments,
	  VmifsNodeCall *call, GError **error)
{
	TablesFile *file = data;
	if (!file->aspace || !vmifs_node_needs_work(call))
		return 0;
	g_autoptr(VmifsAspace) aspace = vmifs_task_memory(self, file->aspace, call, error);
	return aspace ? read_text(file, aspace, off, len, segments, call, error) : 0;
}

const VmifsNodeOps vmifs_node_task_ptmap = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_ADDRESSES,
	.size = text_size,
	.open = open_task,
	.close = close_file,
	.read = read_task,
	.seek = seek_text,
};

/* ---- pagemap ---- */

static guint64
pagemap_end(const VmifsAspace *aspace)
{
	return vmifs_aspace_user_end(aspace) >> vmifs_aspace_page_shift(aspace);
}

/* An entry for each page of vmem. With a size of 0, cp(1) writes down the zeros of all addresses
 * that there are. */
static gboolean
pagemap_size(VmifsNode *self, VmifsNodeSize *ret, VmifsNodeCall *call, GError **error)
{
	guint page_shift;

	if (!vmifs_vmem_size(self, ret, &page_shift, call, error))
		return FALSE;
	ret->size = (ret->size >> page_shift) * sizeof(guint64);
	ret->allocated = (ret->allocated >> page_shift) * sizeof(guint64);
	return TRUE;
}

static gpointer
open_pagemap(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	return open_of_task(self, call, error);
}

/* As procfs does, whole entries only. */
static gsize
read_pagemap(VmifsNode *self, gpointer data, guint64 off, gsize len, VmifsSegments *segments,
	     VmifsNodeCall *call, GError **error)
{
	TablesFile *file = data;
	if (off % sizeof(guint64) || len % sizeof(guint64)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID,
			    "pagemap: offset and length have to be multiples of 8");
		return 0;
	}
	if (!file->aspace || !vmifs_node_needs_work(call))
		return 0;
	g_autoptr(VmifsAspace) aspace = vmifs_task_memory(self, file->aspace, call, error);
	if (!aspace)
		return 0;
	guint64 page = off / sizeof(guint64);
	guint64 end = pagemap_end(aspace);
	if (page >= end)
		return 0;
	gsize n = MIN(MIN(len / sizeof(guint64), MOST_ENTRIES), end - page);
	gsize before = segments->len;
	guint64 *entries = vmifs_segments_add_owned(segments, n * sizeof *entries);
	if (vmifs_aspace_pagemap(aspace, page, n, entries, &call->call, error))
		return n * sizeof *entries;
	vmifs_segments_truncate(segments, before);
	return 0;
}

/* Who reads all of it, as grep(1) does, is spared what is not mapped: nearly all. */
static gboolean
seek_pagemap(VmifsNode *self, gpointer data, guint64 off, gboolean want_data, guint64 *ret_off,
	     gboolean *ret_found, VmifsNodeCall *call, GError **error)
{
	TablesFile *file = data;
	if (!vmifs_node_needs_work(call))
		return FALSE;
	*ret_found = FALSE;
	if (!file->aspace)
		return TRUE;
	g_autoptr(VmifsAspace) aspace = vmifs_task_memory(self, file->aspace, call, error);
	if (!aspace)
		return FALSE;
	guint64 page = off / sizeof(guint64), found;
	guint64 end = pagemap_end(aspace);
	if (page >= end)
		return TRUE;
	if (!vmifs_aspace_pagemap_seek(aspace, page, end, want_data, &found, &call->call, error))
		return FALSE;
	*ret_found = !want_data || found < end;
	*ret_off = MAX(off, found * sizeof(guint64));
	return TRUE;
}

const VmifsNodeOps vmifs_node_pagemap = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_ADDRESSES,
	.size = pagemap_size,
	.open = open_pagemap,
	.close = close_file,
	.read = read_pagemap,
	.seek = seek_pagemap,
};
