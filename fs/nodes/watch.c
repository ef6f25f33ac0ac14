/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch, watch.caps: lines that say which events are wanted. Each write is lines of its own,
 * wherever in the file it seems to be; to open the file for writing anew removes all lines. That
 * they are written changes no guest: guest_rw is for the word `patch` alone.
 */
#include "nodes.h"

/* Symbols are looked up, and points armed, by another thread that asks the hypervisor. */
#define WRITE_US (1700 * G_TIME_SPAN_MILLISECOND)

static VmifsCall
soon(const VmifsNodeCall *call)
{
	VmifsCall sooner = call->call;
	gint64 end = g_get_monotonic_time() + WRITE_US;
	if (!sooner.deadline || sooner.deadline > end)
		sooner.deadline = end;
	return sooner;
}

static gboolean
render(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	vmifs_guest_watch_text(vmifs_node_guest(self), out);
	return TRUE;
}

static gsize
write_lines(VmifsNode *self, gpointer file, guint64 off, gconstpointer data, gsize len,
	    VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_needs_discovery(self, call))
		return 0;
	VmifsCall sooner = soon(call);
	return vmifs_guest_watch(vmifs_node_guest(self), data, len, &sooner, error) ? len : 0;
}

static gboolean
clear_lines(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_needs_monitor(call))
		return FALSE;
	return vmifs_guest_watch_clear(vmifs_node_guest(self), &call->call, error);
}

const VmifsNodeOps vmifs_node_watch = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_VARIES | VMIFS_NODE_OURS,
	.render = render,
	.write = write_lines,
	.truncate = clear_lines,
};

static gboolean
render_caps(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	return vmifs_node_needs_monitor(call) &&
	       vmifs_guest_watch_caps(vmifs_node_guest(self), out, &call->call, error);
}

const VmifsNodeOps vmifs_node_watch_caps = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_VARIES,
	.render = render_caps,
};
