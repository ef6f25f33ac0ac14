/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * regs: every register that the source tells, one a line: of all vCPUs under the guest, of one
 * under its own directory, in the same form.
 */
#include "nodes.h"

#include <stdlib.h>

VmifsPresent
vmifs_present_with_regs(VmifsNode *dir)
{
	return vmifs_guest_n_reg_vcpus(vmifs_node_guest(dir)) ? VMIFS_PRESENT_YES
							      : VMIFS_PRESENT_NO;
}

static gboolean
append(VmifsNode *self, guint vcpu, GString *out, VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsRegs) regs =
		vmifs_guest_regs(vmifs_node_guest(self), vcpu, &call->call, error);
	if (!regs)
		return FALSE;
	vmifs_regs_text(regs, vcpu, out);
	return TRUE;
}

static gboolean
render_all(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_needs_work(call))
		return FALSE;
	guint n = vmifs_guest_n_reg_vcpus(vmifs_node_guest(self));
	for (guint i = 0; i < n; i++)
		if (!append(self, i, out, call, error))
			return FALSE;
	return TRUE;
}

const VmifsNodeOps vmifs_node_regs = {
	.type = S_IFREG,
	.render = render_all,
};

/* The directory's name is the canonical number of a vCPU. */
static gboolean
render_one(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_needs_work(call))
		return FALSE;
	return append(self, (guint) strtoul(self->parent->name, NULL, 10), out, call, error);
}

const VmifsNodeOps vmifs_node_vcpu_regs = {
	.type = S_IFREG,
	.render = render_one,
};
