/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * userns: the user namespace of a task: which ids inside are which ids outside (uid_map, gid_map,
 * projid_map), and whether it may drop groups (setgroups). Ids are shown as the guest's initial
 * namespace sees them, which is how the kernel keeps them.
 */
#include "linux.h"

/* As many fit into the map itself; more are in an array of their own, of at most a page. */
#define MOST_INLINE 5
#define MOST_EXTENTS 340
#define SETGROUPS_ALLOWED 1

static guint64
user_namespace(LinuxCursor *c, const VmifsTask *task)
{
	guint64 cred = linux_take(c, task->object, LINUX_FIELD_TASK_REAL_CRED);
	return linux_take(c, cred, LINUX_FIELD_CRED_USER_NS);
}

static gboolean
render_map(const Linux *os, const VmifsTask *task, LinuxField field, GString *out, GError **error)
{
	LinuxCursor c = { .os = os };
	g_autoptr(GString) text = g_string_new(NULL);
	guint64 ns = user_namespace(&c, task), at, len, extents;

	if (!linux_cursor_end(&c, error) || !linux_offset(os, field, &at, error) ||
	    !linux_sizeof(os, LINUX_STRUCT_UID_GID_EXTENT, &len, error) ||
	    !linux_offset(os, LINUX_FIELD_UID_GID_MAP_EXTENT, &extents, error))
		return FALSE;
	guint64 map = ns + at;
	guint64 n = linux_take(&c, map, LINUX_FIELD_UID_GID_MAP_NR_EXTENTS);
	extents = n > MOST_INLINE ? linux_take(&c, map, LINUX_FIELD_UID_GID_MAP_FORWARD)
				  : map + extents;
	for (guint64 i = 0; i < MIN(n, MOST_EXTENTS) && !c.error; i++) {
		guint64 extent = extents + i * len;
		g_string_append_printf(
			text, "%10u %10u %10u\n",
			(guint32) linux_take(&c, extent, LINUX_FIELD_UID_GID_EXTENT_FIRST),
			(guint32) linux_take(&c, extent, LINUX_FIELD_UID_GID_EXTENT_LOWER_FIRST),
			(guint32) linux_take(&c, extent, LINUX_FIELD_UID_GID_EXTENT_COUNT));
	}
	if (!linux_cursor_end(&c, error))
		return FALSE;
	g_string_append_len(out, text->str, (gssize) text->len);
	return TRUE;
}

LINUX_VIEW(linux_render_uid_map)
{
	return render_map(os, task, LINUX_FIELD_USER_NS_UID_MAP, out, error);
}

LINUX_VIEW(linux_render_gid_map)
{
	return render_map(os, task, LINUX_FIELD_USER_NS_GID_MAP, out, error);
}

LINUX_VIEW(linux_render_projid_map)
{
	return render_map(os, task, LINUX_FIELD_USER_NS_PROJID_MAP, out, error);
}

LINUX_VIEW(linux_render_setgroups)
{
	LinuxCursor c = { .os = os };
	guint64 flags = linux_take(&c, user_namespace(&c, task), LINUX_FIELD_USER_NS_FLAGS);

	if (!linux_cursor_end(&c, error))
		return FALSE;
	g_string_append(out, flags & SETGROUPS_ALLOWED ? "allow\n" : "deny\n");
	return TRUE;
}
