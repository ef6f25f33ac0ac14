/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * iomem: the trees of addresses of memory, and of ports, that drivers have claimed, in the form of
 * /proc/iomem and /proc/ioports.
 */
#include "machine.h"
#include "seen.h"

#define MAX_RESOURCES (64 * 1024)
/* Far deeper than buses nest; the text indents five levels and no more. */
#define MAX_DEPTH 64
#define MAX_SHOWN_DEPTH 5
#define MAX_NAME 256

typedef struct {
	guint64 start, end, name, sibling, child;
} Resource;

static gboolean
read_resource(const Linux *os, guint64 address, Resource *ret, GError **error)
{
	Resource r;

	if (!linux_get(os, address, LINUX_FIELD_RESOURCE_START, &r.start, error) ||
	    !linux_get(os, address, LINUX_FIELD_RESOURCE_END, &r.end, error) ||
	    !linux_get(os, address, LINUX_FIELD_RESOURCE_NAME, &r.name, error) ||
	    !linux_get(os, address, LINUX_FIELD_RESOURCE_SIBLING, &r.sibling, error) ||
	    !linux_get(os, address, LINUX_FIELD_RESOURCE_CHILD, &r.child, error))
		return FALSE;
	*ret = r;
	return TRUE;
}

static void
append_resource(const Linux *os, const Resource *r, guint depth, int width, GString *out)
{
	g_autofree char *name =
		r->name ? vmifs_aspace_read_string(os->aspace, r->name, MAX_NAME, NULL) : NULL;

	g_string_append_printf(out, "%*s%0*" G_GINT64_MODIFIER "x-%0*" G_GINT64_MODIFIER "x : ",
			       (int) MIN(depth, MAX_SHOWN_DEPTH) * 2, "", width, r->start, width,
			       r->end);
	vmifs_text_append_mangled(out, name ? name : "<BAD>", -1, LINUX_CONTROL_BYTES);
	g_string_append_c(out, '\n');
}

/* width: digits of an address. */
static gboolean
render_tree(const Linux *self, const char *symbol, int width, GString *out, const VmifsCall *call,
	    GError **error)
{
	g_autoptr(GHashTable) seen = linux_seen_new();
	guint64 siblings[MAX_DEPTH]; /* where to go on at each level, 0 = nowhere */
	guint depth = 0;
	guint64 root, at;
	Resource r;

	if (!linux_symbol(self, symbol, &root, error) || !read_resource(self, root, &r, error))
		return FALSE;
	at = r.child;
	while (at) {
		guint n = g_hash_table_size(seen);
		if (n % 256 == 0 && !vmifs_call_check(call, error))
			return FALSE;
		if (n >= MAX_RESOURCES || !linux_seen_add(seen, at) ||
		    !read_resource(self, at, &r, NULL)) {
			vmifs_guest_log(self->guest,
					"%s: %#" G_GINT64_MODIFIER
					"x: not readable, or seen before",
					symbol, at);
			r.child = r.sibling = 0;
		} else {
			append_resource(self, &r, depth, width, out);
		}
		if (r.child && depth + 1 < MAX_DEPTH) {
			siblings[depth++] = r.sibling;
			at = r.child;
			continue;
		}
		at = r.sibling;
		while (!at && depth)
			at = siblings[--depth];
	}
	return TRUE;
}

LINUX_VIEW(linux_render_iomem)
{
	return render_tree(os, "iomem_resource", 8, out, call, error);
}

LINUX_VIEW(linux_render_ioports)
{
	return render_tree(os, "ioport_resource", linux_machine(os)->port_width, out, call, error);
}
