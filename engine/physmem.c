/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * physmem: regions over blocks. All readers go through the same steps: the region that holds an
 * address, then the run of its block that is of one sort:
 *
 *   mapped    loaded from, or handed on as a pointer; asked afterwards whether it was intact
 *   hole      zeros, without touching the mapping: a load would allocate the page in a tmpfs
 *   neither   collected, and read by the backend with one vectored call
 *
 * A view of mapped memory that is not sparse is the hot path of every page-table walk: it is one
 * binary search and a few atomic loads.
 */
#include "physmem.h"

#include "backend-call.h"
#include "regions.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <spi/bytes.h>

#define X64 "%#" G_GINT64_MODIFIER "x"
#define COPY_TRIES 3

typedef struct {
	VmifsMapping *mapping; /* NULL = not mapped */
	guint64 offset;        /* of the block in it */
	gboolean to_kernel;
	gboolean sparse;
} Store;

struct VmifsPhysmem {
	gatomicrefcount refs;
	VmifsConnection *connection;
	VmifsLayout layout;
	const VmifsRegion *regions; /* layout's */
	gsize n_regions;
	const VmifsBlock *blocks; /* layout's */
	Store *stores;            /* one for each block */
	const guint8 **direct;    /* one for each region: its bytes when all can be loaded */
	guint64 end, ram;
	gboolean has_fds;  /* those of the blocks are our own */
	gboolean is_known; /* to the connection */
};

/* ---- life ---- */

static gboolean
map_blocks(VmifsPhysmem *mem, GError **error)
{
	for (guint i = 0; i < mem->layout.blocks->len; i++) {
		VmifsDirect direct;
		GError *failure = NULL;
		if (vmifs_backend_map(mem->connection, i, mem->blocks[i].len, &direct, &failure))
			mem->stores[i] = (Store){ .mapping = direct.mapping,
						  .offset = direct.offset,
						  .to_kernel = direct.to_kernel };
		else if (failure) {
			g_propagate_error(error, failure);
			return FALSE;
		}
		mem->stores[i].sparse = mem->blocks[i].sparse;
	}
	return TRUE;
}

static void
index_regions(VmifsPhysmem *mem)
{
	for (gsize i = 0; i < mem->n_regions; i++) {
		const VmifsRegion *region = &mem->regions[i];
		const Store *store = &mem->stores[region->block];
		if (store->mapping && !store->sparse)
			mem->direct[i] =
				vmifs_mapping_data(store->mapping) + store->offset + region->offset;
		if (region->kind == VMIFS_REGION_RAM)
			mem->ram += region->len;
		mem->end = region->pa + region->len;
	}
}

/* The backend closes its own when the guest has gone, whoever still holds the number. */
static void
keep_fds(VmifsPhysmem *mem)
{
	VmifsBlock *blocks = (VmifsBlock *) (gpointer) mem->layout.blocks->data;

	for (guint i = 0; i < mem->layout.blocks->len; i++)
		if (blocks[i].fd >= 0)
			blocks[i].fd = fcntl(blocks[i].fd, F_DUPFD_CLOEXEC, 0);
	mem->has_fds = TRUE;
}

/* Under the connection's lock, which keeps mem from being freed meanwhile. The numbers stay ours:
 * somebody may be about to use them. */
void
vmifs_physmem_drop(VmifsPhysmem *mem)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	for (guint i = 0; i < mem->layout.blocks->len; i++) {
		if (mem->stores[i].mapping)
			vmifs_mapping_drop(mem->stores[i].mapping);
		if (mem->blocks[i].fd >= 0 && null >= 0)
			dup3(null, mem->blocks[i].fd, O_CLOEXEC);
	}
	if (null >= 0)
		close(null);
}

gboolean
vmifs_physmem_is_like(const VmifsPhysmem *mem, const VmifsPhysmem *other)
{
	if (mem->n_regions != other->n_regions || mem->layout.n_vcpus != other->layout.n_vcpus ||
	    mem->layout.blocks->len != other->layout.blocks->len)
		return FALSE;
	for (gsize i = 0; i < mem->n_regions; i++) {
		const VmifsRegion *a = &mem->regions[i], *b = &other->regions[i];
		if (a->pa != b->pa || a->len != b->len || a->block != b->block ||
		    a->offset != b->offset || a->kind != b->kind)
			return FALSE;
	}
	for (guint i = 0; i < mem->layout.blocks->len; i++) {
		const VmifsBlock *a = &mem->blocks[i], *b = &other->blocks[i];
		if (a->len != b->len || a->sparse != b->sparse || !g_str_equal(a->name, b->name))
			return FALSE;
	}
	return TRUE;
}

VmifsPhysmem *
vmifs_physmem_of(VmifsConnection *connection, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsPhysmem) mem = g_new0(VmifsPhysmem, 1);

	g_atomic_ref_count_init(&mem->refs);
	mem->connection = vmifs_connection_ref(connection);
	if (!vmifs_backend_layout(connection, &mem->layout, call, error))
		return NULL;
	mem->n_regions = mem->layout.regions->len;
	mem->regions = (const VmifsRegion *) (gpointer) mem->layout.regions->data;
	mem->blocks = (const VmifsBlock *) (gpointer) mem->layout.blocks->data;
	mem->stores = g_new0(Store, mem->layout.blocks->len);
	mem->direct = g_new0(const guint8 *, mem->n_regions);
	if (!map_blocks(mem, error))
		return NULL;
	index_regions(mem);
	if (!connection->backend->frozen) {
		keep_fds(mem);
		vmifs_connection_add_mem(connection, mem);
		mem->is_known = TRUE;
	}
	return g_steal_pointer(&mem);
}

VmifsPhysmem *
vmifs_physmem_new(const VmifsBackend *backend, gpointer instance, const VmifsCall *call,
		  GError **error)
{
	g_autoptr(VmifsConnection) connection = vmifs_connection_new(backend, instance);

	return vmifs_physmem_of(connection, call, error);
}

VmifsConnection *
vmifs_physmem_connection(const VmifsPhysmem *mem)
{
	return mem->connection;
}

void
vmifs_physmem_touch(VmifsPhysmem *mem)
{
	vmifs_epoch_touch(&mem->connection->epoch);
}

VmifsPhysmem *
vmifs_physmem_ref(VmifsPhysmem *mem)
{
	g_atomic_ref_count_inc(&mem->refs);
	return mem;
}

void
vmifs_physmem_unref(VmifsPhysmem *mem)
{
	if (!mem || !g_atomic_ref_count_dec(&mem->refs))
		return;
	if (mem->is_known)
		vmifs_connection_remove_mem(mem->connection, mem);
	for (guint i = 0; mem->stores && i < mem->layout.blocks->len; i++) {
		vmifs_mapping_unref(mem->stores[i].mapping);
		if (mem->has_fds && mem->blocks[i].fd >= 0)
			close(mem->blocks[i].fd);
	}
	vmifs_layout_clear(&mem->layout);
	vmifs_connection_unref(mem->connection);
	g_free(mem->stores);
	g_free(mem->direct);
	g_free(mem);
}

/* ---- what it is ---- */

const VmifsRegion *
vmifs_physmem_regions(const VmifsPhysmem *mem, gsize *ret_n)
{
	*ret_n = mem->n_regions;
	return mem->regions;
}

const VmifsBlock *
vmifs_physmem_blocks(const VmifsPhysmem *mem, gsize *ret_n)
{
	*ret_n = mem->layout.blocks->len;
	return mem->blocks;
}

guint64
vmifs_physmem_end(const VmifsPhysmem *mem)
{
	return mem->end;
}

guint64
vmifs_physmem_ram(const VmifsPhysmem *mem)
{
	return mem->ram;
}

gboolean
vmifs_physmem_covers(const VmifsPhysmem *mem, guint64 pa, guint64 len)
{
	gsize i = vmifs_regions_find(mem->regions, mem->n_regions, pa);

	return i < mem->n_regions && vmifs_region_holds(&mem->regions[i], pa) &&
	       mem->regions[i].len - (pa - mem->regions[i].pa) >= len;
}

void
vmifs_physmem_info(VmifsPhysmem *mem, GString *out)
{
	vmifs_backend_info(mem->connection, out);
}

guint
vmifs_physmem_n_vcpus(const VmifsPhysmem *mem)
{
	return mem->layout.n_vcpus;
}

static gboolean
has_vcpu(const VmifsPhysmem *mem, guint vcpu, GError **error)
{
	if (!mem->layout.n_vcpus)
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "the source tells no registers");
	else if (vcpu >= mem->layout.n_vcpus)
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND, "there is no vCPU %u", vcpu);
	return vcpu < mem->layout.n_vcpus;
}

VmifsRegs *
vmifs_physmem_regs(VmifsPhysmem *mem, guint vcpu, const VmifsCall *call, GError **error)
{
	return has_vcpu(mem, vcpu, error) ? vmifs_backend_regs(mem->connection, vcpu, call, error)
					  : NULL;
}

gboolean
vmifs_physmem_set_reg(VmifsPhysmem *mem, guint vcpu, const char *name, guint64 value,
		      const VmifsCall *call, GError **error)
{
	return has_vcpu(mem, vcpu, error) &&
	       vmifs_backend_set_reg(mem->connection, vcpu, name, value, call, error);
}

GBytes *
vmifs_physmem_note(VmifsPhysmem *mem, const char *owner)
{
	return vmifs_backend_note(mem->connection, owner);
}

int
vmifs_physmem_passthrough_fd(const VmifsPhysmem *mem, const char **ret_why)
{
	const VmifsRegion *first = mem->regions;
	const char *why = NULL;

	if (mem->n_regions > 1)
		why = "memory is in several pieces";
	else if (first->pa)
		why = "memory does not begin at address 0";
	else if (first->offset || first->len != mem->blocks[first->block].len)
		why = "memory is only a part of its file";
	else if (mem->blocks[first->block].fd < 0)
		why = "there is no file that holds just this memory";
	if (!why)
		return mem->blocks[first->block].fd;
	*ret_why = why;
	return -1;
}

/* ---- runs ---- */

void
vmifs_physmem_run(VmifsPhysmem *mem, guint32 block, guint64 offset, guint64 len, VmifsRun *ret)
{
	const Store *store = &mem->stores[block];
	gboolean data = TRUE;

	if (store->sparse)
		len = vmifs_backend_extent(mem->connection, block, offset, len, &data);
	*ret = (VmifsRun){ .len = len, .hole = !data };
	if (data && store->mapping) {
		ret->data = vmifs_mapping_data(store->mapping) + store->offset + offset;
		ret->to_kernel = store->to_kernel;
	}
}

void
vmifs_physmem_prefetch(VmifsPhysmem *mem, guint32 block, guint64 offset, gsize len)
{
	const Store *store = &mem->stores[block];

	if (store->mapping)
		vmifs_mapping_prefetch(store->mapping, store->offset + offset, len);
}

void
vmifs_physmem_release(VmifsPhysmem *mem, guint32 block, guint64 offset, gsize len)
{
	const Store *store = &mem->stores[block];

	if (store->mapping)
		vmifs_mapping_release(store->mapping, store->offset + offset, len);
}

guint
vmifs_physmem_block_stamp(VmifsPhysmem *mem, guint32 block)
{
	const Store *store = &mem->stores[block];

	return store->mapping ? vmifs_mapping_stamp(store->mapping) : 0;
}

gboolean
vmifs_physmem_block_intact(VmifsPhysmem *mem, guint stamp, guint32 block, guint64 offset, gsize len)
{
	const Store *store = &mem->stores[block];

	return !store->mapping ||
	       vmifs_mapping_intact(store->mapping, stamp, store->offset + offset, len);
}

static gboolean
is_unmarked(VmifsPhysmem *mem, guint32 block, guint64 offset, gsize len)
{
	guint stamp = vmifs_physmem_block_stamp(mem, block);

	return vmifs_physmem_block_intact(mem, stamp, block, offset, len);
}

gboolean
vmifs_physmem_block_usable(VmifsPhysmem *mem, guint32 block, guint64 offset, gsize len)
{
	return is_unmarked(mem, block, offset, len) || is_unmarked(mem, block, offset, len);
}

gboolean
vmifs_physmem_copy_run(VmifsPhysmem *mem, guint32 block, guint64 offset, const VmifsRun *run,
		       gpointer buf, gsize len)
{
	/* Asking may have mapped the page anew, for us or for another reader: once more. */
	for (guint i = 0; i < COPY_TRIES; i++) {
		guint stamp = vmifs_physmem_block_stamp(mem, block);
		memcpy(buf, run->data, len);
		if (G_LIKELY(vmifs_physmem_block_intact(mem, stamp, block, offset, len)))
			return TRUE;
	}
	return FALSE;
}

void
vmifs_physmem_set_lost(const VmifsPhysmem *mem, guint32 block, guint64 offset, int status,
		       GError **error)
{
	if (vmifs_connection_is_gone(mem->connection)) {
		vmifs_connection_set_gone(error);
		return;
	}
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "block %s at " X64 ": %s",
		    mem->blocks[block].name, offset,
		    status ? g_strerror(status)
			   : "its file has become shorter or cannot be read there");
}

void
vmifs_physmem_set_hole(guint64 pa, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE, "address " X64 " is not RAM", pa);
}

/* ---- reading into the caller's buffer ---- */

/* What the backend has to read; most reads need none of it. */
static void
add_io(GArray **io, guint32 block, guint64 offset, gpointer buf, gsize len)
{
	if (!*io)
		*io = g_array_new(FALSE, FALSE, sizeof(VmifsIo));
	g_array_append_vals(
		*io, &(VmifsIo){ .block = block, .offset = offset, .buf = buf, .len = len }, 1);
}

gboolean
vmifs_physmem_read_io(VmifsPhysmem *mem, GArray *io, const VmifsCall *call, GError **error)
{
	VmifsIo *elements = (VmifsIo *) (gpointer) io->data;

	if (!vmifs_call_check(call, error))
		return FALSE;
	if (vmifs_backend_read(mem->connection, elements, io->len, call))
		return TRUE;
	if (!vmifs_call_check(call, error))
		return FALSE;
	while (!elements->status)
		elements++;
	vmifs_physmem_set_lost(mem, elements->block, elements->offset, elements->status, error);
	return FALSE;
}

static gboolean
read_block(VmifsPhysmem *mem, guint32 block, guint64 offset, guint8 *buf, gsize len, GArray **io,
	   GError **error)
{
	while (len) {
		VmifsRun run;
		vmifs_physmem_run(mem, block, offset, len, &run);
		if (run.hole) {
			memset(buf, 0, run.len);
		} else if (!run.data) {
			add_io(io, block, offset, buf, run.len);
		} else if (!vmifs_physmem_copy_run(mem, block, offset, &run, buf, run.len)) {
			vmifs_physmem_set_lost(mem, block, offset, 0, error);
			return FALSE;
		}
		buf += run.len;
		offset += run.len;
		len -= run.len;
	}
	return TRUE;
}

gboolean
vmifs_physmem_read(VmifsPhysmem *mem, guint64 pa, gpointer buf, gsize len, const VmifsCall *call,
		   GError **error)
{
	g_autoptr(GArray) io = NULL;
	guint8 *to = buf;

	for (gsize i = vmifs_regions_find(mem->regions, mem->n_regions, pa); len; i++) {
		const VmifsRegion *region = &mem->regions[i];
		if (i == mem->n_regions || !vmifs_region_holds(region, pa)) {
			vmifs_physmem_set_hole(pa, error);
			return FALSE;
		}
		gsize n = MIN(len, region->len - (pa - region->pa));
		if (!read_block(mem, region->block, region->offset + (pa - region->pa), to, n, &io,
				error))
			return FALSE;
		to += n;
		pa += n;
		len -= n;
	}
	return !io || vmifs_physmem_read_io(mem, io, call, error);
}

/* ---- views ---- */

static gconstpointer
view_slowly(VmifsPhysmem *mem, const VmifsRegion *region, guint64 pa, gsize len, gpointer scratch,
	    guint *ret_stamp)
{
	guint64 offset = region->offset + (pa - region->pa);
	VmifsRun run;

	if (!len)
		return scratch;
	vmifs_physmem_run(mem, region->block, offset, len, &run);
	if (run.data && run.len == len) {
		if (!vmifs_physmem_block_usable(mem, region->block, offset, len))
			return NULL;
		*ret_stamp = vmifs_physmem_block_stamp(mem, region->block);
		return run.data;
	}
	return vmifs_physmem_read(mem, pa, scratch, len, NULL, NULL) ? scratch : NULL;
}

gconstpointer
vmifs_physmem_view(VmifsPhysmem *mem, guint64 pa, gsize len, gpointer scratch, guint *ret_stamp)
{
	gsize i = vmifs_regions_find(mem->regions, mem->n_regions, pa);
	const VmifsRegion *region = &mem->regions[i];

	if (i == mem->n_regions || !vmifs_region_holds(region, pa) ||
	    !vmifs_in_bounds(pa - region->pa, len, region->len))
		return NULL;
	*ret_stamp = vmifs_physmem_block_stamp(mem, region->block);
	if (G_LIKELY(mem->direct[i] &&
		     vmifs_physmem_block_intact(mem, *ret_stamp, region->block,
						region->offset + (pa - region->pa), len)))
		return mem->direct[i] + (pa - region->pa);
	return view_slowly(mem, region, pa, len, scratch, ret_stamp);
}

gboolean
vmifs_physmem_intact(VmifsPhysmem *mem, guint stamp, guint64 pa, gsize len)
{
	const VmifsRegion *region =
		&mem->regions[vmifs_regions_find(mem->regions, mem->n_regions, pa)];

	return vmifs_physmem_block_intact(mem, stamp, region->block,
					  region->offset + (pa - region->pa), len);
}
