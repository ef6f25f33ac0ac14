/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memmap: the guest's physical memory in the form of /proc/iomem: a line per region, and under it
 * which bytes of which file in ram/ it is.
 *
 *   00100000-3fffffff : System RAM
 *     00100000-3fffffff : ram/guest offset 0x100000
 */
#include "nodes.h"

static gboolean
render(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	if (vmifs_guest_is_base_assumed(vmifs_node_guest(self)) &&
	    !vmifs_node_needs_discovery(self, call))
		return FALSE;
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(vmifs_node_guest(self));
	gsize n_regions, n_blocks;
	const VmifsRegion *regions = vmifs_physmem_regions(mem, &n_regions);
	const VmifsBlock *blocks = vmifs_physmem_blocks(mem, &n_blocks);
	for (gsize i = 0; i < n_regions; i++) {
		const VmifsRegion *region = &regions[i];
		g_autofree char *range =
			g_strdup_printf("%08" G_GINT64_MODIFIER "x-%08" G_GINT64_MODIFIER "x",
					region->pa, region->pa + (region->len - 1));
		g_string_append_printf(
			out, "%s : %s\n  %s : ram/%s offset 0x%" G_GINT64_MODIFIER "x\n", range,
			region->kind == VMIFS_REGION_ROM ? "System ROM" : "System RAM", range,
			blocks[region->block].name, region->offset);
	}
	return TRUE;
}

const VmifsNodeOps vmifs_node_memmap = {
	.type = S_IFREG,
	.render = render,
};
