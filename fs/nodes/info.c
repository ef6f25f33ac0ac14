/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * info: what the engine knows of a guest, and what only the mount knows: how the bytes of each
 * memory file reach the reader, and what was done to the guest's links. Never waits for long.
 */
#include "nodes.h"

/* fd: the file that holds those bytes, or -1 and why there is none. */
static void
append_access(GString *out, VmifsFs *fs, const char *folder, const char *name, int fd,
	      const char *why)
{
	g_autofree char *refusal =
		fd < 0 ? g_strdup(why) : vmifs_passthrough_why_not(fs->passthrough, fd);
	if (refusal)
		g_string_append_printf(out, "%s%s: served by vmifs (no passthrough: %s)\n", folder,
				       name, refusal);
	else
		g_string_append_printf(out, "%s%s: passthrough\n", folder, name);
}

static gboolean
render(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	VmifsGuest *guest = vmifs_node_guest(self);
	if (!self->guest->frozen && !vmifs_node_needs_work(call))
		return FALSE; /* its hypervisor is asked for the state, if it answers at once */
	vmifs_guest_info(guest, out);

	const char *why = NULL;
	int fd = vmifs_pmem_backing(guest, &why);
	append_access(out, call->fs, "", "pmem", fd, why);
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	gsize n;
	const VmifsBlock *blocks = vmifs_physmem_blocks(mem, &n);
	for (gsize i = 0; i < n; i++) {
		if (!blocks[i].len)
			continue;
		fd = vmifs_block_backing(&blocks[i], &why);
		append_access(out, call->fs, "ram/", blocks[i].name, fd, why);
	}
	g_string_append(out, call->fs->links_prefixed
				     ? "links: prefixed with guest: (the mount cannot forbid to "
				       "follow them)\n"
				     : "links: as in the guest (the mount is nosymfollow)\n");
	return TRUE;
}

const VmifsNodeOps vmifs_node_info = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_VARIES,
	.render = render,
};
