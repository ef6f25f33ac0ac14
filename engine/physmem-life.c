/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * physmem-life: how a backend's layout becomes memory, what is told of it, and how all of it is let
 * go of while readers still hold it.
 */
#include "physmem-store.h"

#include "backend-call.h"
#include "regions.h"

#include <fcntl.h>
#include <unistd.h>

/* ---- life ---- */

static gboolean
map_blocks(VmifsPhysmem *mem, GError **error)
{
	for (guint i = 0; i < mem->layout.blocks->len; i++) {
		VmifsDirect direct;
		GError *failure = NULL;
		if (vmifs_backend_map(mem->connection, i, mem->blocks[i].len, &direct, &failure))
			mem->stores[i] = (VmifsStore){ .mapping = direct.mapping,
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
		const VmifsStore *store = &mem->stores[region->block];
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
	VmifsPageCache *cache = g_atomic_pointer_get(&mem->cache);
	if (cache)
		vmifs_page_cache_clear(cache);
}

gboolean
vmifs_physmem_is_like(const VmifsPhysmem *mem, const VmifsPhysmem *other)
{
	if (mem->n_regions != other->n_regions || mem->layout.n_vcpus != other->layout.n_vcpus ||
	    mem->layout.is_silent != other->layout.is_silent ||
	    mem->layout.is_encrypted != other->layout.is_encrypted ||
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
		if (a->len != b->len || (a->fd < 0) != (b->fd < 0) || a->sparse != b->sparse ||
		    !g_str_equal(a->name, b->name))
			return FALSE;
	}
	return TRUE;
}

/* base: (nullable) where its one region begins, which its backend does not know. */
static VmifsPhysmem *
physmem_of(VmifsConnection *connection, const guint64 *base, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsPhysmem) mem = g_new0(VmifsPhysmem, 1);

	g_atomic_ref_count_init(&mem->refs);
	g_mutex_init(&mem->again.lock);
	mem->connection = vmifs_connection_ref(connection);
	if (!vmifs_backend_layout(connection, &mem->layout, call, error))
		return NULL;
	if (base && mem->layout.is_base_assumed) {
		VmifsRegion *region = &g_array_index(mem->layout.regions, VmifsRegion, 0);
		if (*base > G_MAXUINT64 - region->len) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_INVALID,
					    "memory that begins there would wrap");
			return NULL;
		}
		region->pa = *base;
		mem->layout.is_base_assumed = FALSE;
	}
	mem->n_regions = mem->layout.regions->len;
	mem->regions = (const VmifsRegion *) (gpointer) mem->layout.regions->data;
	mem->blocks = (const VmifsBlock *) (gpointer) mem->layout.blocks->data;
	mem->stores = g_new0(VmifsStore, mem->layout.blocks->len);
	mem->direct = g_new0(const guint8 *, mem->n_regions);
	if (!map_blocks(mem, error))
		return NULL;
	index_regions(mem);
	for (guint i = 0; i < mem->layout.blocks->len; i++)
		mem->has_unmapped |= !mem->stores[i].mapping;
	if (!connection->backend->frozen) {
		keep_fds(mem);
		vmifs_connection_add_mem(connection, mem);
		mem->is_known = TRUE;
	}
	return g_steal_pointer(&mem);
}

VmifsPhysmem *
vmifs_physmem_of(VmifsConnection *connection, const VmifsCall *call, GError **error)
{
	return physmem_of(connection, NULL, call, error);
}

VmifsPhysmem *
vmifs_physmem_at(const VmifsPhysmem *mem, guint64 base, const VmifsCall *call, GError **error)
{
	return physmem_of(mem->connection, &base, call, error);
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
	vmifs_page_cache_free(mem->cache);
	g_mutex_clear(&mem->again.lock);
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

gboolean
vmifs_physmem_is_silent(const VmifsPhysmem *mem)
{
	return mem->layout.is_silent;
}

gboolean
vmifs_physmem_is_encrypted(const VmifsPhysmem *mem)
{
	return mem->layout.is_encrypted;
}

gboolean
vmifs_physmem_is_base_assumed(const VmifsPhysmem *mem)
{
	return mem->layout.is_base_assumed;
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
vmifs_physmem_system_regs(VmifsPhysmem *mem, guint vcpu, VmifsRegs *regs, const VmifsCall *call,
			  GError **error)
{
	return has_vcpu(mem, vcpu, error) &&
	       vmifs_backend_system_regs(mem->connection, vcpu, regs, call, error);
}

gboolean
vmifs_physmem_vcpu_translate(VmifsPhysmem *mem, guint vcpu, guint64 va, guint64 *ret_pa,
			     const VmifsCall *call, GError **error)
{
	return has_vcpu(mem, vcpu, error) &&
	       vmifs_backend_translate(mem->connection, vcpu, va, ret_pa, call, error);
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
