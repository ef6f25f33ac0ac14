/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* events, events.log: what happens in a guest. In an image nothing happens: end of file at once. */
#include "nodes.h"

static gboolean
render(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	return TRUE;
}

const VmifsNodeOps vmifs_node_events = {
	.type = S_IFREG,
	.render = render,
};

const VmifsNodeOps vmifs_node_events_log = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_VARIES,
	.render = render,
};
