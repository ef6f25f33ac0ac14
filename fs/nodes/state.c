/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state: one word: running, paused, snapshot ... Writing `pause` or `resume` does that. Only the
 * hypervisor knows, and it may hang. To that of a snapshot `refresh` is written: that is taken
 * anew.
 */
#include "../keeper.h"
#include "nodes.h"

#include <string.h>

static gboolean
render(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	if (!self->guest->frozen && !vmifs_node_needs_monitor(call))
		return FALSE;
	VmifsState state = vmifs_guest_state(vmifs_node_guest(self), &call->call);
	g_string_append_printf(out, "%s\n", vmifs_state_to_string(state));
	return TRUE;
}

static gsize
write_word(VmifsNode *self, gpointer file, guint64 off, gconstpointer data, gsize len,
	   VmifsNodeCall *call, GError **error)
{
	static const struct {
		const char *word;
		VmifsState state;
	} words[] = { { "pause", VMIFS_STATE_PAUSED }, { "resume", VMIFS_STATE_RUNNING } };
	if (!vmifs_node_needs_monitor(call))
		return 0;
	g_autofree char *text = vmifs_control_text(data, len);
	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		if (g_str_equal(text, words[i].word))
			return vmifs_guest_set_state(vmifs_node_guest(self), words[i].state,
						     &call->call, error)
				       ? len
				       : 0;
	vmifs_set_not_understood(text, "pause or resume is expected", error);
	return 0;
}

const VmifsNodeOps vmifs_node_state = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_VARIES,
	.render = render,
	.write = write_word,
};

static gsize
refresh(VmifsNode *self, gpointer file, guint64 off, gconstpointer data, gsize len,
	VmifsNodeCall *call, GError **error)
{
	VmifsNode *snapshot = self->parent, *folder = snapshot->parent;
	g_autofree char *text = vmifs_control_text(data, len);
	if (!g_str_equal(text, "refresh")) {
		vmifs_set_not_understood(text, "refresh is expected", error);
		return 0;
	}
	if (!vmifs_node_needs_patience(call) || !vmifs_node_check(folder, error) ||
	    !vmifs_guest_refresh_snapshot(vmifs_node_guest(folder), snapshot->name, &call->call,
					  error))
		return 0;
	vmifs_keeper_wake(call->fs->keeper);
	return len;
}

const VmifsNodeOps vmifs_node_snapshot_state = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_VARIES | VMIFS_NODE_OURS,
	.render = render,
	.write = refresh,
};
