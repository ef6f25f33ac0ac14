/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nodes: every entry of the tree by its ops, and what those files share. */
#pragma once

#include "../fs.h"

G_BEGIN_DECLS

extern const VmifsNodeOps vmifs_node_root; /* the mount point */
extern const VmifsNodeOps vmifs_node_own;  /* .vmifs */

extern const VmifsNodeOps vmifs_node_guest_dir; /* <guest> */
extern const VmifsNodeOps vmifs_node_info;
extern const VmifsNodeOps vmifs_node_log;
extern const VmifsNodeOps vmifs_node_state;
extern const VmifsNodeOps vmifs_node_snapshot_state; /* of a snapshot */
extern const VmifsNodeOps vmifs_node_snapshots;      /* snapshots */
extern const VmifsNodeOps vmifs_node_memmap;
extern const VmifsNodeOps vmifs_node_pmem;
extern const VmifsNodeOps vmifs_node_ram; /* ram */
extern const VmifsNodeOps vmifs_node_kmem;
extern const VmifsNodeOps vmifs_node_ptmap; /* of the kernel */
extern const VmifsNodeOps vmifs_node_regs;
extern const VmifsNodeOps vmifs_node_vcpus; /* vcpus */
extern const VmifsNodeOps vmifs_node_vcpu_regs;
extern const VmifsNodeOps vmifs_node_kallsyms;
extern const VmifsNodeOps vmifs_node_symbols; /* symbols */
extern const VmifsNodeOps vmifs_node_events;  /* of what runs */
extern const VmifsNodeOps vmifs_node_events_log;
extern const VmifsNodeOps vmifs_node_no_events; /* either, of an image */
extern const VmifsNodeOps vmifs_node_watch;
extern const VmifsNodeOps vmifs_node_watch_caps;

extern const VmifsNodeOps vmifs_node_procs;   /* procs */
extern const VmifsNodeOps vmifs_node_process; /* procs/<pid> */
extern const VmifsNodeOps vmifs_node_vmem;
/* vmem.c: of a process's, the same for each of a guest: no need to look at this one's tables. */
gboolean
vmifs_vmem_size(VmifsNode *self, VmifsNodeSize *ret, guint *ret_page_shift, VmifsNodeCall *call,
		GError **error);
extern const VmifsNodeOps vmifs_node_map_files; /* procs/<pid>/map_files */
extern const VmifsNodeOps vmifs_node_task_ptmap;
extern const VmifsNodeOps vmifs_node_pagemap;
extern const VmifsNodeOps vmifs_node_threads; /* procs/<pid>/task */

/* ---- when entries are there ---- */

/* Once an OS is attached. */
VmifsPresent
vmifs_present_with_os(VmifsNode *dir);
/* Once the kernel's address space is known. */
VmifsPresent
vmifs_present_with_kernel(VmifsNode *dir);

/* Where the source tells registers. */
VmifsPresent
vmifs_present_with_regs(VmifsNode *dir);
/* Where the source or the OS tells how many vCPUs there are. */
VmifsPresent
vmifs_present_with_vcpus(VmifsNode *dir);

/* ---- tasks ---- */

/* The directory of a task; identity of its node. task: copied. (full) */
VmifsNode *
vmifs_task_node_new(const VmifsNodeOps *ops, VmifsNode *parent, const char *name,
		    const VmifsTask *task);
/* The task that the node lies in, as it is now (an exec gives it another memory). ENDED when a live
 * guest has that pid no more, or for another task. May decode. */
gboolean
vmifs_task_now(VmifsNode *node, VmifsTask *ret, VmifsNodeCall *call, GError **error);
/* The memory of that task: file_aspace, the one of an open, while it still is that. (full) NULL
 * with error, or deferred. */
VmifsAspace *
vmifs_task_memory(VmifsNode *node, VmifsAspace *file_aspace, VmifsNodeCall *call, GError **error);
/* FALSE with ENDED as above, or deferred where that has to be looked up: of a live guest. */
gboolean
vmifs_task_check(VmifsNode *node, VmifsNodeCall *call, GError **error);
/* The guest's tasks, at once where they are known already. (full) NULL with error, or deferred. */
VmifsTaskList *
vmifs_try_tasks(VmifsNode *node, VmifsNodeCall *call, GError **error);
/* The same, kept by the list, whose entries are tagged with indexes in them. (borrowed) */
const VmifsTaskList *
vmifs_pin_tasks(VmifsNode *node, VmifsNodeList *list, VmifsNodeCall *call, GError **error);
/* An entry for a task: its number. */
void
vmifs_list_task(VmifsNodeList *list, const VmifsTask *task, gsize index);
/* A positive decimal number without sign, blanks or leading zeros. */
gboolean
vmifs_parse_pid(const char *text, guint32 *ret);

/* ---- views of the OS ---- */

/* Appends the views of that scope which the list does not have yet. */
void
vmifs_views_list(VmifsNode *dir, VmifsScope scope, VmifsNodeList *list);
/* NULL without error when there is no such view, or deferred. (full) */
VmifsNode *
vmifs_views_lookup(VmifsNode *dir, VmifsScope scope, const char *name, VmifsNodeCall *call);

/* ---- memory ---- */

/* What a read of sized memory may answer: in the page cache a short answer would end the file for
 * good, so there it is all or an error. Returns: got, or 0 with error. */
gsize
vmifs_sized_answer(gsize got, gsize want, const VmifsNodeCall *call, GError **error);
VmifsGatherFlags
vmifs_sized_flags(const VmifsNodeCall *call);

/* Under holes=error: shortens a read, whose first byte is at off, to end where its data does. FALSE
 * with HOLE where there is none, or deferred. */
typedef gboolean (*VmifsSizedSeek)(gpointer file, guint64 off, gboolean want_data,
				   guint64 *ret_off);
gboolean
vmifs_sized_clip(VmifsSizedSeek seek, gpointer file, guint64 off, gsize *len, VmifsNodeCall *call,
		 GError **error);

/* SEEK_DATA and SEEK_HOLE over [va, last]: the end is a hole. */
gboolean
vmifs_address_seek(VmifsAspace *aspace, guint64 va, guint64 last, gboolean want_data,
		   guint64 *ret_va, gboolean *ret_found, VmifsNodeCall *call, GError **error);

/* Writes through the page tables. Returns how many bytes; 0 with error. */
gsize
vmifs_address_write(VmifsAspace *aspace, guint64 va, gconstpointer bytes, gsize len,
		    VmifsNodeCall *call, GError **error);
/* Of a write that begins where no byte of the file can be. */
void
vmifs_set_beyond(guint64 off, GError **error);

/* ---- control files ---- */

/* What was written, without the newline at its end. A text: it ends at a NUL. (full) */
char *
vmifs_control_text(gconstpointer data, gsize len);
/* INVALID: that line was not understood. */
void
vmifs_set_not_understood(const char *line, const char *why, GError **error);

/* Why or why not pmem, and a block, are read by the kernel: fd, or -1 with *ret_why (static). */
int
vmifs_pmem_backing(VmifsGuest *guest, const char **ret_why);
int
vmifs_block_backing(const VmifsBlock *block, const char **ret_why);

G_END_DECLS
