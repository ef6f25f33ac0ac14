/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * namespaces: in which ones a task is: ns/. A link names kind and number; which kinds there are,
 * and where a task keeps each of them, is a table.
 */
#include "linux.h"

#include <string.h>

#define MAX_PID_LEVEL 32

/* ---- where a task keeps each of its namespaces; 0 = it has none any more ---- */

static guint64
take_pid_ns(LinuxCursor *c, guint64 task)
{
	guint64 pid = linux_take(c, task, LINUX_FIELD_TASK_THREAD_PID);
	guint64 level = pid ? linux_take(c, pid, LINUX_FIELD_PID_LEVEL) : 0;

	if (!pid || c->error)
		return 0;
	return linux_take(c,
			  linux_layout_element(c->os->layout, LINUX_FIELD_PID_NUMBERS, pid,
					       MIN(level, MAX_PID_LEVEL)),
			  LINUX_FIELD_UPID_NS);
}

static guint64
take_user_ns(LinuxCursor *c, guint64 task)
{
	return linux_take(c, linux_take(c, task, LINUX_FIELD_TASK_REAL_CRED),
			  LINUX_FIELD_CRED_USER_NS);
}

typedef struct {
	const char *name, *real_name;
	const char *symbol; /* there where the kernel has this kind */
	LinuxField at;      /* within nsproxy, if take is NULL */
	guint64 (*take)(LinuxCursor *c, guint64 task);
	LinuxField common;
} Kind;

/* In procfs's order. */
static const Kind kinds[] = {
	{ "net", "net", "netns_get", LINUX_FIELD_NSPROXY_NET, NULL, LINUX_FIELD_NET_NS },
	{ "uts", "uts", "utsns_get", LINUX_FIELD_NSPROXY_UTS, NULL, LINUX_FIELD_UTS_NAMESPACE_NS },
	{ "ipc", "ipc", "ipcns_get", LINUX_FIELD_NSPROXY_IPC, NULL, LINUX_FIELD_IPC_NAMESPACE_NS },
	{ "pid", "pid", "pidns_get", 0, take_pid_ns, LINUX_FIELD_PID_NAMESPACE_NS },
	{ "pid_for_children", "pid", "pidns_for_children_get", LINUX_FIELD_NSPROXY_PID, NULL,
	  LINUX_FIELD_PID_NAMESPACE_NS },
	{ "user", "user", "userns_get", 0, take_user_ns, LINUX_FIELD_USER_NS_NS },
	{ "mnt", "mnt", "mntns_get", LINUX_FIELD_NSPROXY_MNT, NULL, LINUX_FIELD_MNT_NAMESPACE_NS },
	{ "cgroup", "cgroup", "cgroupns_get", LINUX_FIELD_NSPROXY_CGROUP, NULL,
	  LINUX_FIELD_CGROUP_NAMESPACE_NS },
	{ "time", "time", "timens_get", LINUX_FIELD_NSPROXY_TIME, NULL,
	  LINUX_FIELD_TIME_NAMESPACE_NS },
	{ "time_for_children", "time", "timens_for_children_get",
	  LINUX_FIELD_NSPROXY_TIME_FOR_CHILDREN, NULL, LINUX_FIELD_TIME_NAMESPACE_NS },
};

static gboolean
has_kind(const Linux *os, const Kind *kind)
{
	guint64 address;

	return linux_symbol(os, kind->symbol, &address, NULL);
}

LINUX_LIST(linux_list_ns)
{
	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (has_kind(os, &kinds[i]))
			g_ptr_array_add(names, g_strdup(kinds[i].name));
	}
	return TRUE;
}

static gboolean
no_such(const char *what, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND, "no such %s", what);
	return FALSE;
}

/* A pid namespace whose pid 1 was not born yet is not told. */
static gboolean
is_unborn(LinuxCursor *c, const Kind *kind, guint64 ns)
{
	return kind->at == LINUX_FIELD_NSPROXY_PID && !kind->take &&
	       !linux_take(c, ns, LINUX_FIELD_PID_NAMESPACE_CHILD_REAPER);
}

LINUX_VIEW(linux_render_ns)
{
	const Linux *self = os;
	LinuxCursor c = { .os = self };
	const Kind *kind = NULL;
	guint64 ns, at;

	for (gsize i = 0; entry && i < G_N_ELEMENTS(kinds); i++) {
		if (!strcmp(entry, kinds[i].name) && has_kind(self, &kinds[i]))
			kind = &kinds[i];
	}
	if (!kind)
		return no_such("file", error);
	if (kind->take) {
		ns = kind->take(&c, task->object);
	} else {
		guint64 nsproxy = linux_take(&c, task->object, LINUX_FIELD_TASK_NSPROXY);
		ns = nsproxy ? linux_take(&c, nsproxy, kind->at) : 0;
	}
	gboolean absent = !ns || is_unborn(&c, kind, ns);
	if (!linux_cursor_end(&c, error))
		return FALSE;
	if (absent)
		return no_such("namespace", error);
	if (!linux_offset(self, kind->common, &at, error))
		return FALSE;
	guint64 inum = linux_take(&c, ns + at, LINUX_FIELD_NS_COMMON_INUM);
	if (!linux_cursor_end(&c, error))
		return FALSE;
	g_string_append_printf(out, "%s:[%u]", kind->real_name, (guint32) inum);
	return TRUE;
}
