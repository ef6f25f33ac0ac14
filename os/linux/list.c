/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list: bounded by count and by a set of what was seen; every step forward must be confirmed by the
 * back pointer of where it leads. A live guest may change a ring under the walk: the part behind
 * the tear is still reached from the head's other side.
 */
#include "list.h"

#include "seen.h"

#include <spi/bytes.h>

typedef struct {
	VmifsAspace *kernel;
	guint64 head;
	guint64 max;
	guint least;      /* bytes that an element takes */
	GHashTable *seen; /* in such steps: where elements start */
	LinuxListVisit visit;
	gpointer user;
	const VmifsCall *call;
} Walk;

static gboolean
read_links(const Walk *w, guint64 node, guint64 *ret_next, guint64 *ret_prev, GError **error)
{
	guint32 p = vmifs_aspace_ptr_size(w->kernel);
	guint8 raw[16];

	if (!vmifs_aspace_read(w->kernel, node, raw, 2 * p, error))
		return FALSE;
	*ret_next = p == 8 ? vmifs_load_u64(raw) : vmifs_load_u32(raw);
	*ret_prev = p == 8 ? vmifs_load_u64(raw + 8) : vmifs_load_u32(raw + 4);
	return TRUE;
}

/* From the head one way round. FALSE with error where it breaks. */
static gboolean
walk_one_way(Walk *w, gboolean forward, GError **error)
{
	guint64 from = w->head, next, prev;

	if (!read_links(w, from, &next, &prev, error))
		return FALSE;
	guint64 node = forward ? next : prev;
	while (node != w->head) {
		guint64 count = g_hash_table_size(w->seen);
		if (count % 256 == 0 && !vmifs_call_check(w->call, error))
			return FALSE;
		if (!read_links(w, node, &next, &prev, error))
			return FALSE;
		if ((forward ? prev : next) != from) {
			g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "list of %#" G_GINT64_MODIFIER "x: %#" G_GINT64_MODIFIER
				    "x does not point back to %#" G_GINT64_MODIFIER "x",
				    w->head, node, from);
			return FALSE;
		}
		if (count >= w->max || !linux_seen_add(w->seen, node / w->least)) {
			g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "list of %#" G_GINT64_MODIFIER "x: %s at %#" G_GINT64_MODIFIER
				    "x",
				    w->head,
				    count >= w->max ? "too long"
				    : w->least > 1  ? "a loop, or no room for an element,"
						    : "a loop",
				    node);
			return FALSE;
		}
		if (!w->visit(node, w->user))
			return TRUE;
		from = node;
		node = forward ? next : prev;
	}
	return TRUE;
}

gboolean
linux_list_each(VmifsAspace *kernel, guint64 head, guint64 max, LinuxListVisit visit, gpointer user,
		const VmifsCall *call, GError **error)
{
	return linux_list_each_sized(kernel, head, max, 1, visit, user, call, error);
}

gboolean
linux_list_each_sized(VmifsAspace *kernel, guint64 head, guint64 max, guint least,
		      LinuxListVisit visit, gpointer user, const VmifsCall *call, GError **error)
{
	g_autoptr(GHashTable) seen = linux_seen_new();
	Walk w = { kernel, head, max, least, seen, visit, user, call };

	g_autoptr(GError) broken = NULL;
	if (walk_one_way(&w, TRUE, &broken))
		return TRUE;
	if (vmifs_call_check(call, NULL))
		walk_one_way(&w, FALSE, NULL);
	g_propagate_error(error, g_steal_pointer(&broken));
	return FALSE;
}
