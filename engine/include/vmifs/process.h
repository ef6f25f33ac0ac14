/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process: what an OS says is running, as immutable lists. A task is bound to its identity (object
 * address + start time), never to its pid alone: pids are reused.
 */
#pragma once

#include <vmifs/aspace.h>

G_BEGIN_DECLS

/* A thread; a process is the task whose pid equals its tgid. */
typedef struct {
	guint32 pid;        /* thread id as the guest's initial pid namespace counts */
	guint32 tgid;       /* id of its process */
	guint32 ppid;       /* tgid of the real parent; 0 = none */
	guint64 object;     /* address of the OS's own object (struct task_struct) */
	guint64 mm;         /* address of its memory map object; 0 = kernel thread */
	gboolean execed;    /* it has called exec since it was made, as far as the OS tells */
	guint64 start_time; /* part of the identity; unit is the OS's */
	/* The guest's generation that its list was made in; 0 of what the guest did not list. */
	guint32 generation;
	char comm[64]; /* raw bytes, NUL-terminated */
} VmifsTask;

typedef struct VmifsTaskList VmifsTaskList;

/* tasks: (taken) of VmifsTask, any order; sorted here by (tgid, pid, object), duplicates of one
 * object dropped. complete: FALSE when a list was cut short (the guest's log says why). */
VmifsTaskList *
vmifs_task_list_new(GArray *tasks, gboolean complete);
VmifsTaskList *
vmifs_task_list_ref(VmifsTaskList *list);
void
vmifs_task_list_unref(VmifsTaskList *list);

gsize
vmifs_task_list_count(const VmifsTaskList *list);
/* index < count. Processes are followed by their other threads. (borrowed) */
const VmifsTask *
vmifs_task_list_get(const VmifsTaskList *list, gsize index);
/* The thread with that id, or NULL. (borrowed) */
const VmifsTask *
vmifs_task_list_find(const VmifsTaskList *list, guint32 pid);
/* Index of the process's leader (pid == tgid), FALSE when there is none. Its threads are the
 * entries from there on that have the same tgid. */
gboolean
vmifs_task_list_leader(const VmifsTaskList *list, guint32 tgid, gsize *ret_index);
gboolean
vmifs_task_list_is_complete(const VmifsTaskList *list);

/* One mapping of a process's address space. */
typedef struct {
	guint64 start; /* first address */
	guint64 end;   /* one past the last */
	guint32 perms; /* VMIFS_PERM_READ|WRITE|EXEC */
	gboolean shared;
	guint64 offset; /* bytes into the file; 0 for anonymous memory */
	guint32 dev_major, dev_minor;
	guint64 inode; /* 0 = no file */
	char *path; /* (full) what /proc/<pid>/maps shows, unescaped: a path, "[heap]"; or NULL */
	guint64 object; /* the OS's own object */
} VmifsVma;

void
vmifs_vma_clear(VmifsVma *vma);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsTaskList, vmifs_task_list_unref)

G_END_DECLS
