/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map_files: a file per mapping of a process, named <start>-<end> in hex as in procfs, of its exact
 * size: what address spaces are for tools that read whole files. Bytes that are not in RAM are
 * holes.
 */
#include "nodes.h"

/* Tables visited to count what a mapping has in RAM: 128 MiB of small pages. Beyond that the size
 * stands for it. */
#define COUNT_BUDGET 64

typedef struct {
	guint64 start, end;
} Mapping;

/* Of a frozen guest the directory keeps its mappings: `ls -l` looks each of them up. */
typedef struct {
	VmifsNode node;
	GArray *kept; /* (full) atomic; of Mapping, sorted; NULL = not yet */
} MapFilesNode;

typedef struct {
	VmifsNode node;
	Mapping mapping;
} MappingNode;

/* ---- one mapping ---- */

typedef struct {
	guint64 data;
} Count;

static gboolean
count_range(const VmifsRange *range, gpointer user)
{
	Count *count = user;
	if (range->kind == VMIFS_RANGE_PAGE)
		count->data += range->len;
	return TRUE;
}

/* Only the count of allocated bytes needs work: the size is in the name. */
static gboolean
size(VmifsNode *self, VmifsNodeSize *ret, VmifsNodeCall *call, GError **error)
{
	Mapping mapping = ((MappingNode *) self)->mapping;
	ret->size = ret->allocated = mapping.end - mapping.start;
	g_autoptr(GError) failure = NULL;
	g_autoptr(VmifsAspace) aspace = vmifs_task_memory(self, NULL, call, &failure);
	if (call->defer != VMIFS_DEFER_NO)
		return FALSE;
	Count count = { 0 };
	if (aspace && vmifs_aspace_visit(aspace, mapping.start, mapping.end - 1, COUNT_BUDGET,
					 count_range, &count, &call->call, NULL))
		ret->allocated = MIN(count.data, ret->size);
	if (g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_ENDED)) {
		g_propagate_error(error, g_steal_pointer(&failure));
		return FALSE;
	}
	return TRUE;
}

static gpointer
open_mapping(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	return vmifs_task_memory(self, NULL, call, error);
}

static void
close_mapping(gpointer file)
{
	vmifs_aspace_unref(file);
}

static gsize
read_mapping(VmifsNode *self, gpointer file, guint64 off, gsize len, VmifsSegments *segments,
	     VmifsNodeCall *call, GError **error)
{
	Mapping mapping = ((MappingNode *) self)->mapping;
	guint64 end = mapping.end - mapping.start;
	if (off >= end)
		return 0;
	gsize want = (gsize) MIN(len, end - off);
	g_autoptr(VmifsAspace) aspace = vmifs_task_memory(self, file, call, error);
	if (!aspace)
		return 0;
	gsize got = vmifs_aspace_gather(aspace, mapping.start + off, want, vmifs_sized_flags(call),
					segments, &call->call, error);
	return vmifs_sized_answer(got, want, call, error);
}

static gboolean
seek(VmifsNode *self, gpointer file, guint64 off, gboolean want_data, guint64 *ret_off,
     gboolean *ret_found, VmifsNodeCall *call, GError **error)
{
	Mapping mapping = ((MappingNode *) self)->mapping;
	if (!vmifs_node_needs_work(call))
		return FALSE;
	if (off >= mapping.end - mapping.start) {
		*ret_found = FALSE;
		return TRUE;
	}
	guint64 va;
	g_autoptr(VmifsAspace) aspace = vmifs_task_memory(self, file, call, error);
	if (!aspace || !vmifs_address_seek(aspace, mapping.start + off, mapping.end - 1, want_data,
					   &va, ret_found, call, error))
		return FALSE;
	*ret_off = va - mapping.start;
	return TRUE;
}

static const VmifsNodeOps mapping_ops = {
	.type = S_IFREG,
	.instance_size = sizeof(MappingNode),
	.size = size,
	.open = open_mapping,
	.close = close_mapping,
	.read = read_mapping,
	.seek = seek,
};

/* ---- the directory ---- */

/* Those of the process that can be files: not empty, in order, below the end of user space. */
static GArray *
read_mappings(VmifsNode *dir, VmifsNodeCall *call, GError **error)
{
	VmifsGuest *guest = vmifs_node_guest(dir);
	VmifsTask task;
	if (!vmifs_task_now(dir, &task, call, error))
		return NULL;
	g_autoptr(GArray) vmas = vmifs_guest_task_vmas(guest, &task, &call->call, error);
	if (!vmas)
		return NULL;
	g_autoptr(VmifsAspace) kernel = vmifs_guest_kernel_aspace(guest, &call->call, error);
	if (!kernel)
		return NULL;
	guint64 user_end = vmifs_aspace_user_end(kernel);
	GArray *mappings = g_array_new(FALSE, FALSE, sizeof(Mapping));
	guint64 last_end = 0;
	for (guint i = 0; i < vmas->len; i++) {
		const VmifsVma *vma = &g_array_index(vmas, VmifsVma, i);
		if (vma->start < last_end || vma->end <= vma->start || vma->end > user_end)
			continue;
		Mapping mapping = { vma->start, vma->end };
		g_array_append_val(mappings, mapping);
		last_end = vma->end;
	}
	return mappings;
}

/* (full) */
static GArray *
get_mappings(VmifsNode *dir, VmifsNodeCall *call, GError **error)
{
	MapFilesNode *self = (MapFilesNode *) dir;
	GArray *kept = g_atomic_pointer_get(&self->kept);
	if (kept)
		return g_array_ref(kept);
	if (!vmifs_node_needs_work(call))
		return NULL;
	GArray *mappings = read_mappings(dir, call, error);
	if (mappings && dir->guest->frozen &&
	    g_atomic_pointer_compare_and_exchange(&self->kept, NULL, mappings))
		g_array_ref(mappings);
	return mappings;
}

static void
clear(VmifsNode *node)
{
	g_clear_pointer(&((MapFilesNode *) node)->kept, g_array_unref);
}

static void
format_name(char *name, gsize size_of_name, const Mapping *mapping)
{
	g_snprintf(name, size_of_name, "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x",
		   mapping->start, mapping->end);
}

static gboolean
list(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	g_autoptr(GArray) mappings = get_mappings(self, call, error);
	if (!mappings)
		return FALSE;
	for (guint i = 0; i < mappings->len; i++) {
		char name[40];
		format_name(name, sizeof name, &g_array_index(mappings, Mapping, i));
		vmifs_node_list_add(list, name, S_IFREG, 0);
	}
	return TRUE;
}

static gint
compare_start(gconstpointer a, gconstpointer b)
{
	const Mapping *x = a;
	const Mapping *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

/* The name is made anew from what was found: there is one way to write it. */
static VmifsNode *
lookup(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	g_autoptr(GArray) mappings = get_mappings(self, call, error);
	if (!mappings)
		return NULL;
	Mapping wanted = { .start = g_ascii_strtoull(name, NULL, 16) };
	guint index;
	if (g_array_binary_search(mappings, &wanted, compare_start, &index)) {
		const Mapping *found = &g_array_index(mappings, Mapping, index);
		char canonical[40];
		format_name(canonical, sizeof canonical, found);
		if (g_str_equal(canonical, name)) {
			MappingNode *node = vmifs_node_new(&mapping_ops, self, name, 0);
			node->mapping = *found;
			return &node->node;
		}
	}
	vmifs_node_set_not_found(error, name);
	return NULL;
}

const VmifsNodeOps vmifs_node_map_files = {
	.type = S_IFDIR,
	.instance_size = sizeof(MapFilesNode),
	.clear = clear,
	.list = list,
	.lookup = lookup,
};
