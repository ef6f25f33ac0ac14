/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* own: .vmifs, which tells about vmifs itself: its log, its numbers, its sources. */
#include "../hostproc.h"
#include "nodes.h"

#include <stdio.h>
#include <string.h>

static gboolean
render_log(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	vmifs_host_log_text(call->fs->host, out);
	return TRUE;
}

static gboolean
render_sources(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	vmifs_host_sources(call->fs->host, out);
	return TRUE;
}

/* The line of info that says how far discovery is. Of a running guest info asks its hypervisor. */
static void
append_discovery(GString *out, VmifsGuest *guest)
{
	if (!vmifs_guest_is_frozen(guest)) {
		g_string_append_printf(out, "guest %s: discovery: %s\n", vmifs_guest_name(guest),
				       vmifs_guest_is_discovered(guest) ? "ended" : "running");
		return;
	}
	g_autoptr(GString) info = g_string_new(NULL);
	vmifs_guest_info(guest, info);
	const char *line = strstr(info->str, "\ndiscovery: ");
	if (line)
		g_string_append_printf(out, "guest %s: %.*s\n", vmifs_guest_name(guest),
				       (int) strcspn(line + 1, "\n"), line + 1);
}

/* What the kernel says of our own memory. */
static void
append_memory(int proc, GString *out)
{
	static const char *const lines[] = { "VmHWM:", "VmRSS:", "RssAnon:", "RssFile:" };
	g_autofree char *status = vmifs_hostproc_status(proc, 0);
	for (gsize i = 0; status && i < G_N_ELEMENTS(lines); i++) {
		const char *line = strstr(status, lines[i]);
		if (!line)
			continue;
		line += strlen(lines[i]);
		line += strspn(line, " \t");
		g_string_append_printf(out, "%s %.*s\n", lines[i], (int) strcspn(line, "\n"), line);
	}
}

static gboolean
render_stats(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	VmifsFs *fs = call->fs;
	g_string_append_printf(
		out, "requests: %d\nqueued: %d\nfailed: %d\ninterrupted: %d\n",
		g_atomic_int_get(&fs->stats.requests), g_atomic_int_get(&fs->stats.queued),
		g_atomic_int_get(&fs->stats.failed), g_atomic_int_get(&fs->stats.interrupted));
	g_string_append_printf(out, "inodes: %zu\nopen: %zu\n", vmifs_inodes_count(fs->inodes),
			       vmifs_handles_count(fs->handles));
	append_memory(fs->proc, out);
	g_autoptr(GPtrArray) guests = vmifs_host_guests(fs->host);
	for (guint i = 0; i < guests->len; i++)
		append_discovery(out, g_ptr_array_index(guests, i));
	return TRUE;
}

static const VmifsNodeOps log_ops = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_VARIES,
	.render = render_log,
};

static const VmifsNodeOps stats_ops = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_VARIES,
	.render = render_stats,
};

static const VmifsNodeOps sources_ops = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_VARIES,
	.render = render_sources,
};

static const VmifsFixed table[] = {
	{ "log", &log_ops },
	{ "stats", &stats_ops },
	{ "sources", &sources_ops },
};

static gboolean
list(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	vmifs_fixed_list(self, table, G_N_ELEMENTS(table), list);
	return TRUE;
}

static VmifsNode *
lookup(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	VmifsNode *found = vmifs_fixed_lookup(self, table, G_N_ELEMENTS(table), name, call);
	if (!found)
		vmifs_node_set_not_found(error, name);
	return found;
}

const VmifsNodeOps vmifs_node_own = {
	.type = S_IFDIR,
	.list = list,
	.lookup = lookup,
};
