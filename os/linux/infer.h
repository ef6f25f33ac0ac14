/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer: layouts of a kernel that tells no types, read off the objects themselves. init_task is
 * known by its symbol; from it every task is reached, from those their memory, from that the files
 * that are mapped, and so on. A place in a structure is taken for a member when all objects of that
 * structure (up to a bound) have there what the member must hold, and no other place does. What is
 * ambiguous, or what too few objects speak for, is absent, with a reason.
 *
 *   tasks -> threads, pids, credentials -> memory -> mappings -> files -> dentries, inodes ->
 * mounts
 *
 * Each step is a file; it uses what the steps before it have put into the table.
 */
#pragma once

#include "layout.h"
#include "linux.h"

G_BEGIN_DECLS

/* ---- objects of one structure: infer-sample.c ---- */

/* As many objects as this are looked at; more would prove nothing new. */
#define LINUX_SAMPLE_MOST 2048

/* The first len bytes of each of several objects. */
typedef struct {
	guint ptr; /* bytes of a pointer */
	gsize len;
	GArray *at;        /* of guint64: their addresses, each once */
	GHashTable *index; /* address -> position + 1 */
	GByteArray *bytes;
} LinuxSample;

void
linux_sample_init(LinuxSample *s, guint ptr, gsize len);
void
linux_sample_clear(LinuxSample *s);
/* FALSE when it cannot be read, or there is no room. One that is there already is not added. */
gboolean
linux_sample_add(LinuxSample *s, VmifsAspace *aspace, guint64 va);
/* The same where that many bytes can be read; zeros for those that cannot. */
gboolean
linux_sample_add_part(LinuxSample *s, VmifsAspace *aspace, guint64 va, gsize least);
static inline guint
linux_sample_n(const LinuxSample *s)
{
	return s->at ? s->at->len : 0;
}
static inline guint64
linux_sample_at(const LinuxSample *s, guint i)
{
	return g_array_index(s->at, guint64, i);
}
/* Is it the address of one of them? */
gboolean
linux_sample_has(const LinuxSample *s, guint64 va, guint *ret_i);
/* Numbers at an offset of object i; 0 beyond its end. */
const guint8 *
linux_sample_bytes(const LinuxSample *s, guint i, gsize off);
guint32
linux_sample_u32(const LinuxSample *s, guint i, gsize off);
guint64
linux_sample_u64(const LinuxSample *s, guint i, gsize off);
guint64
linux_sample_ptr(const LinuxSample *s, guint i, gsize off);

/* ---- what was found: infer-table.c ---- */

typedef struct LinuxInferred LinuxInferred;

LinuxInferred *
linux_inferred_new(guint ptr);
void
linux_inferred_free(LinuxInferred *table);
/* structure, path: (static) as layout.def spells their first alternatives. */
void
linux_inferred_put(LinuxInferred *table, const char *structure, const char *path, guint64 offset,
		   guint64 size);
/* count 0: open-ended. */
void
linux_inferred_put_array(LinuxInferred *table, const char *structure, const char *path,
			 guint64 offset, guint64 elem_size, guint64 count);
void
linux_inferred_put_value(LinuxInferred *table, const char *name, gint64 value);
/* Its size is known, too. */
void
linux_inferred_put_size(LinuxInferred *table, const char *structure, guint64 size);
gboolean
linux_inferred_get(const LinuxInferred *table, const char *structure, const char *path,
		   guint64 *ret);
gboolean
linux_inferred_get_array(const LinuxInferred *table, const char *structure, const char *path,
			 guint64 *ret, guint64 *ret_elem_size, guint64 *ret_count);
guint
linux_inferred_count(const LinuxInferred *table);
/* A line for each structure: "task_struct: tasks 1024, pid 1232, ...". */
void
linux_inferred_tell(const LinuxInferred *table, const Linux *os);
/* (full) */
VmifsTypes *
linux_inferred_types(const LinuxInferred *table, GError **error);

/* ---- the work: infer.c ---- */

typedef struct {
	const Linux *os; /* without a layout */
	const VmifsCall *call;
	guint ptr;
	guint64 init;   /* init_task */
	guint64 kernel; /* its addresses begin there */
	LinuxInferred *table;
	GString *checked; /* for info: what there was to check against */
	GPtrArray *lacks; /* of char *: what is absent and why */
	guint64 *work;    /* what may still be done, so that no guest can make it endless */

	LinuxSample tasks; /* init_task, then the first of each process in the order of the ring */
	GArray *threads;   /* of guint64: task_struct of all threads but init_task */
	gsize comm, mm, pid; /* offsets in task_struct */
	guint8 *is_kernel;   /* of each of tasks: is it the kernel's own? */
	LinuxSample mms;     /* memory of processes */
	GArray *mm_tasks;    /* of guint: position in tasks of a process with that memory */
	LinuxSample vmas;
	GArray *vma_mms; /* of guint: position in mms */
	GArray *whole;   /* of gboolean, as mms: all its mappings are in vmas */
	LinuxSample files, dentries, inodes, supers, mounts;
	gsize pgd, borders; /* offsets in mm_struct */
	gsize vma_file;
	guint n_mapped; /* of the files: those come first */
	gsize file_dentry, dentry_inode, dentry_sb, dentry_parent;
} LinuxInfer;

/* Is that the address of something of the kernel's, aligned as an object is? */
gboolean
linux_infer_is_kernel(const LinuxInfer *f, guint64 va);
/* FALSE when that much work is too much: nothing is found from then on. */
gboolean
linux_infer_goes_on(const LinuxInfer *f, guint64 work);
/* A pointer at va; 0 when it cannot be read. */
guint64
linux_infer_ptr(const LinuxInfer *f, guint64 va);
guint32
linux_infer_u32(const LinuxInfer *f, guint64 va);
/* Notes what is absent and why. FALSE always. */
gboolean
linux_infer_lacks(const LinuxInfer *f, const char *what, const char *why);

/* The place that is the only one. What was tried is added to one by one. */
typedef struct {
	guint n;
	guint64 at; /* an offset, or an address of the guest's, whose width is not ours */
} LinuxOnly;

static inline void
linux_only_add(LinuxOnly *only, guint64 at)
{
	if (only->n++ == 0)
		only->at = at;
}
/* FALSE, logged, when there is none or more than one. */
gboolean
linux_infer_only(const LinuxInfer *f, const LinuxOnly *only, const char *what);
/* The same, and puts it into the table. structure, member: (static) */
gboolean
linux_infer_put_only(const LinuxInfer *f, const LinuxOnly *only, const char *structure,
		     const char *member, guint64 size);

/* Steps. FALSE: without it there is nothing to go on with. */
void
linux_infer_named(LinuxInfer *f);
void
linux_infer_modules(LinuxInfer *f);
/* Part of that. */
void
linux_infer_uses(LinuxInfer *f, const LinuxSample *modules);
gboolean
linux_infer_tasks(LinuxInfer *f);
void
linux_infer_task_members(LinuxInfer *f);
void
linux_infer_kthreads(LinuxInfer *f);
void
linux_infer_threads(LinuxInfer *f);
void
linux_infer_signals(LinuxInfer *f);
void
linux_infer_sched(LinuxInfer *f);
void
linux_infer_creds(LinuxInfer *f);
gboolean
linux_infer_mms(LinuxInfer *f);
/* What the program of an mm_struct sees; NULL = its page table cannot be read. (full) */
VmifsAspace *
linux_infer_user(const LinuxInfer *f, guint mm);
gboolean
linux_infer_vmas(LinuxInfer *f);
gboolean
linux_infer_files(LinuxInfer *f);
/* Parts of that. */
void
linux_infer_open(LinuxInfer *f);
gboolean
linux_infer_dentries(LinuxInfer *f);
void
linux_infer_mounts(LinuxInfer *f);
void
linux_infer_clock(LinuxInfer *f);
/* By functions that read or write them. */
void
linux_infer_ttys(LinuxInfer *f);
void
linux_infer_cpus(LinuxInfer *f);
void
linux_infer_usage(LinuxInfer *f);

/* A LinuxTypesSource. */
VmifsTypes *
linux_infer(const Linux *os, char **ret_origin, const VmifsCall *call, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinuxInferred, linux_inferred_free)

G_END_DECLS
