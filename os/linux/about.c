/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * about: which objects of the kernel the texts are made of that tasks share: see VmifsView.about.
 * A guest can tie a ring of half a million elements into one of them, and let every task see it.
 */
#include "fdinfo.h"
#include "net.h"

#define PF_EXITING 0x4

LINUX_ABOUT(linux_about_net)
{
	return linux_net(os, task, &ret[0], NULL);
}

LINUX_ABOUT(linux_about_memory)
{
	ret[0] = task->mm;
	return task->mm != 0;
}

LINUX_ABOUT(linux_about_mounts)
{
	const Linux *self = os;
	guint64 object, nsproxy, fs, at;
	LinuxPath root;

	if (task)
		object = task->object;
	else if (!linux_init_task(self, &object, NULL))
		return FALSE;
	if (!linux_get(self, object, LINUX_FIELD_TASK_NSPROXY, &nsproxy, NULL) || !nsproxy ||
	    !linux_get(self, nsproxy, LINUX_FIELD_NSPROXY_MNT, &ret[0], NULL) ||
	    !linux_get(self, object, LINUX_FIELD_TASK_FS, &fs, NULL) || !fs ||
	    !linux_offset(self, LINUX_FIELD_FS_ROOT, &at, NULL) ||
	    !linux_path_read(self, fs + at, &root, NULL))
		return FALSE;
	ret[1] = root.mnt;
	ret[2] = root.dentry;
	return TRUE;
}

LINUX_ABOUT(linux_about_cgroup)
{
	const Linux *self = os;
	guint64 flags;

	if (!linux_get(self, task->object, LINUX_FIELD_TASK_CGROUPS, &ret[0], NULL) ||
	    !linux_get(self, task->object, LINUX_FIELD_TASK_FLAGS, &flags, NULL))
		return FALSE;
	ret[1] = flags & PF_EXITING;
	return TRUE;
}

LINUX_ABOUT(linux_about_open_file)
{
	LinuxOpenFile open;

	if (!linux_open_file(os, task, entry, &open, NULL))
		return FALSE;
	ret[0] = open.file;
	ret[1] = open.files;
	ret[2] = open.close_on_exec;
	return TRUE;
}
