/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log: the last things that went wrong or were refused for a guest. */
#include "nodes.h"

static gboolean
render(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	vmifs_guest_log_text(vmifs_node_guest(self), out);
	return TRUE;
}

const VmifsNodeOps vmifs_node_log = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_VARIES,
	.render = render,
};
