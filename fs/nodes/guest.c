/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest: the directory of one guest. What only discovery tells is not known while that runs: the
 * listing, and looking up a name that may be there, wait for it; what is there in any case does
 * not. Names that begin with a dot are never ours: shells and editors ask for many, and shall not
 * wait. (Of several who look up one name only the first can be interrupted: the others wait for him
 * inside the kernel.)
 */
#include "nodes.h"

static VmifsPresent
with_image(VmifsNode *dir)
{
	return dir->guest->frozen ? VMIFS_PRESENT_YES : VMIFS_PRESENT_NO;
}

static VmifsPresent
with_life(VmifsNode *dir)
{
	return dir->guest->frozen ? VMIFS_PRESENT_NO : VMIFS_PRESENT_YES;
}

static VmifsPresent
of_snapshot(VmifsNode *dir)
{
	return dir->guest->origin ? VMIFS_PRESENT_YES : VMIFS_PRESENT_NO;
}

static VmifsPresent
of_others(VmifsNode *dir)
{
	return dir->guest->origin ? VMIFS_PRESENT_NO : VMIFS_PRESENT_YES;
}

static const VmifsFixed table[] = {
	{ "info", &vmifs_node_info },
	{ "log", &vmifs_node_log },
	{ "state", &vmifs_node_state, of_others },
	{ "state", &vmifs_node_snapshot_state, of_snapshot },
	{ "snapshots", &vmifs_node_snapshots, with_life },
	{ "memmap", &vmifs_node_memmap },
	{ "pmem", &vmifs_node_pmem },
	{ "ram", &vmifs_node_ram },
	{ "regs", &vmifs_node_regs, vmifs_present_with_regs },
	{ "vcpus", &vmifs_node_vcpus, vmifs_present_with_vcpus },
	{ "kmem", &vmifs_node_kmem, vmifs_present_with_kernel, TRUE },
	{ "ptmap", &vmifs_node_ptmap, vmifs_present_with_kernel, TRUE },
	{ "kallsyms", &vmifs_node_kallsyms, vmifs_present_with_os, TRUE },
	{ "symbols", &vmifs_node_symbols, vmifs_present_with_os, TRUE },
	{ "events", &vmifs_node_events, with_life },
	{ "events", &vmifs_node_no_events, with_image },
	{ "events.log", &vmifs_node_events_log, with_life },
	{ "events.log", &vmifs_node_no_events, with_image },
	{ "watch", &vmifs_node_watch, with_life },
	{ "watch.caps", &vmifs_node_watch_caps, with_life },
	{ "procs", &vmifs_node_procs, vmifs_present_with_os, TRUE },
};

/* A guest that is booting anew may not be known any more, though it was a moment ago. */
static VmifsPresent
present(VmifsNode *dir, gboolean is_there, const GError *error)
{
	if (is_there)
		return VMIFS_PRESENT_YES;
	return g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT) ? VMIFS_PRESENT_UNKNOWN
									: VMIFS_PRESENT_NO;
}

VmifsPresent
vmifs_present_with_os(VmifsNode *dir)
{
	g_autoptr(GError) error = NULL;
	VmifsCall now = { .deadline = 1 };
	if (!g_atomic_int_get(&dir->guest->discovered))
		return VMIFS_PRESENT_UNKNOWN;
	return present(dir, vmifs_guest_wait(vmifs_node_guest(dir), &now, &error), error);
}

VmifsPresent
vmifs_present_with_kernel(VmifsNode *dir)
{
	if (!g_atomic_int_get(&dir->guest->discovered))
		return VMIFS_PRESENT_UNKNOWN;
	g_autoptr(GError) error = NULL;
	VmifsCall now = { .deadline = 1 };
	g_autoptr(VmifsAspace) kernel =
		vmifs_guest_kernel_aspace(vmifs_node_guest(dir), &now, &error);
	return present(dir, kernel != NULL, error);
}

/* What an OS adds is not known before discovery has ended, and half a list would be taken for the
 * whole: cp, find and tar would silently leave the rest out. */
static gboolean
list(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_needs_discovery(self, call))
		return FALSE;
	vmifs_fixed_list(self, table, G_N_ELEMENTS(table), list);
	vmifs_views_list(self, VMIFS_SCOPE_GUEST, list);
	return TRUE;
}

static VmifsNode *
lookup(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	VmifsNode *found = vmifs_fixed_lookup(self, table, G_N_ELEMENTS(table), name, call);
	if (!found && call->defer == VMIFS_DEFER_NO && name[0] != '.')
		found = vmifs_views_lookup(self, VMIFS_SCOPE_GUEST, name, call);
	if (!found && call->defer == VMIFS_DEFER_NO)
		vmifs_node_set_not_found(error, name);
	return found;
}

static void
clear(VmifsNode *self)
{
	vmifs_fs_guest_unref(self->guest);
}

const VmifsNodeOps vmifs_node_guest_dir = {
	.type = S_IFDIR,
	.clear = clear,
	.list = list,
	.lookup = lookup,
};
