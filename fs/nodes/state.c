/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state: one word: running, paused, snapshot ... */
#include "nodes.h"

static gboolean
render(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	VmifsState state = vmifs_guest_state(vmifs_node_guest(self), &call->call);
	g_string_append_printf(out, "%s\n", vmifs_state_to_string(state));
	return TRUE;
}

const VmifsNodeOps vmifs_node_state = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_VARIES,
	.render = render,
};
