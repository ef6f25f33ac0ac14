/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpus: a directory per vCPU: its registers where the source tells them, and what the OS makes of
 * it from memory (the task it runs, its kernel stack). How many there are the source says, or else
 * the OS.
 */
#include "nodes.h"

static const VmifsFixed table[] = {
	{ "regs", &vmifs_node_vcpu_regs, vmifs_present_with_regs },
};

static gboolean
list_one(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_needs_discovery(self, call))
		return FALSE;
	vmifs_fixed_list(self, table, G_N_ELEMENTS(table), list);
	vmifs_views_list(self, VMIFS_SCOPE_VCPU, list);
	return TRUE;
}

static VmifsNode *
lookup_one(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	VmifsNode *found = vmifs_fixed_lookup(self, table, G_N_ELEMENTS(table), name, call);
	if (!found && call->defer == VMIFS_DEFER_NO)
		found = vmifs_views_lookup(self, VMIFS_SCOPE_VCPU, name, call);
	if (!found && call->defer == VMIFS_DEFER_NO)
		vmifs_node_set_not_found(error, name);
	return found;
}

static const VmifsNodeOps vcpu_ops = {
	.type = S_IFDIR,
	.list = list_one,
	.lookup = lookup_one,
};

/* TRUE when the number of vCPUs can be told now. */
static gboolean
is_known(VmifsNode *dir, VmifsNodeCall *call)
{
	return vmifs_guest_n_reg_vcpus(vmifs_node_guest(dir)) ||
	       vmifs_node_needs_discovery(dir, call);
}

VmifsPresent
vmifs_present_with_vcpus(VmifsNode *dir)
{
	VmifsGuest *guest = vmifs_node_guest(dir);
	if (vmifs_guest_n_reg_vcpus(guest))
		return VMIFS_PRESENT_YES;
	if (!g_atomic_int_get(&dir->guest->discovered))
		return VMIFS_PRESENT_UNKNOWN;
	VmifsCall now = { .deadline = 1 };
	return vmifs_guest_n_vcpus(guest, &now) ? VMIFS_PRESENT_YES : VMIFS_PRESENT_NO;
}

static gboolean
list(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	if (!is_known(self, call))
		return FALSE;
	guint n = vmifs_guest_n_vcpus(vmifs_node_guest(self), &call->call);
	for (guint i = 0; i < n; i++) {
		char name[16];
		g_snprintf(name, sizeof name, "%u", i);
		vmifs_node_list_add(list, name, S_IFDIR, 0);
	}
	return TRUE;
}

static VmifsNode *
lookup(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	if (!is_known(self, call))
		return NULL;
	guint32 number = 0;
	gboolean is_number = g_str_equal(name, "0") || vmifs_parse_pid(name, &number);
	if (is_number && number < vmifs_guest_n_vcpus(vmifs_node_guest(self), &call->call))
		return vmifs_node_new(&vcpu_ops, self, name, 0);
	vmifs_node_set_not_found(error, name);
	return NULL;
}

const VmifsNodeOps vmifs_node_vcpus = {
	.type = S_IFDIR,
	.list = list,
	.lookup = lookup,
};
