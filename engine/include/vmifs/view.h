/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * view: a file or folder whose content an OS makes from memory: dmesg, status, fd/ ... The file
 * system lists them generically, so that a new one needs no file-system code.
 */
#pragma once

#include <vmifs/process.h>

G_BEGIN_DECLS

typedef enum {
	VMIFS_SCOPE_GUEST = 1 << 0,   /* under <guest>/ */
	VMIFS_SCOPE_PROCS = 1 << 1,   /* under <guest>/procs/, as /proc has it; may be nested:
					 "sys/kernel/ostype" */
	VMIFS_SCOPE_PROCESS = 1 << 2, /* under procs/<pid>/ */
	VMIFS_SCOPE_THREAD = 1 << 3,  /* under procs/<pid>/task/<tid>/ */
	VMIFS_SCOPE_VCPU = 1 << 4,    /* under <guest>/vcpus/<n>/; TEXT only */
} VmifsScope;

typedef enum {
	VMIFS_VIEW_TEXT, /* a file */
	VMIFS_VIEW_LINK, /* a symbolic link; render gives its target */
	VMIFS_VIEW_LIST, /* a folder of files or links */
} VmifsViewKind;

/* Words that tell what a text is about; see VmifsView.about. */
#define VMIFS_VIEW_WORDS 3

typedef struct VmifsView VmifsView;
struct VmifsView {
	const char *name; /* "net/": the folder itself, a LIST that adds no names, but may fail */
	guint32 scopes;   /* VmifsScope bits */
	VmifsViewKind kind;
	VmifsViewKind entries; /* of a LIST: what its entries are, TEXT or LINK */
	/* Appends the whole content, at once, to out (bytes, may hold NULs); what was appended by
	 * one that fails is dropped. os: the attached instance. task: NULL at guest and vCPU
	 * scopes. entry: the name within a LIST, else NULL; it comes from whoever looks it up:
	 * NOT_FOUND when there is no such entry. At the vCPU scope it is the vCPU's number in
	 * decimal, below VMIFS_MAX_VCPUS: one that is there. Errors: NOT_FOUND = this task has no
	 * such file, HOLE = bytes are not in RAM, CORRUPT, ENDED, ... */
	gboolean (*render)(gpointer os, const VmifsTask *task, const char *entry, GString *out,
			   const VmifsCall *call, GError **error);
	/* LIST: appends the names, (full) strings, in the order they are to be shown. Of many, as a
	 * guest may claim that it has, that takes long: it is not made to look up one of them. */
	gboolean (*list)(gpointer os, const VmifsTask *task, GPtrArray *names,
			 const VmifsCall *call, GError **error);
	/* Commonly made in a few dozen microseconds from mapped memory; its loops look at the call
	 * every hundred microseconds at least. Of a frozen guest it is then made when it is looked
	 * up. */
	gboolean quick;
	/* LIST of LINKs, and short: those of its names for which render says NOT_FOUND are links
	 * all the same, as in procfs. */
	gboolean leads_nowhere;
	/* Has this guest such a file at all? NULL = always. Asked whenever it is listed or looked
	 * up: reads nothing of the guest. */
	gboolean (*present)(gpointer os);
	/* Optional. Of what objects of the kernel is that text made, when it is of nothing else of
	 * the task: tasks and entries for which it gives the same words have the same text, or the
	 * same failure, and what takes long is made once for all of them. Cheap; ret comes zeroed.
	 * FALSE: it cannot be told. */
	gboolean (*about)(gpointer os, const VmifsTask *task, const char *entry,
			  guint64 ret[VMIFS_VIEW_WORDS]);
};

G_END_DECLS
