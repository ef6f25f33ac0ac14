/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attached (private): what a discovery has found, immutable but for the lists that are made from
 * it. A later one replaces it while readers still use this one: everything in it has references of
 * its own.
 */
#pragma once

#include "lazy.h"
#include "memo.h"

#include <spi/os.h>

/* An OS attached to a guest: immutable but for what its driver does inside `self`. */
typedef struct {
	const VmifsOs *os;
	VmifsKernel kernel;
	VmifsPhysmem *mem;   /* keeps kernel.mem */
	VmifsAspace *aspace; /* keeps kernel.aspace */
	gpointer data;       /* keeps kernel.data; see vmifs_instance_data() */
	gpointer self;       /* the driver's */
} VmifsInstance;

/* What a candidate was added with, to be shared by instances of it. (taken) (full) */
gpointer
vmifs_instance_data(gpointer data, GDestroyNotify free_data);
/* Attaches os to that kernel. shared: (borrowed) from vmifs_instance_data(). */
VmifsInstance *
vmifs_instance_new(const VmifsOs *os, VmifsGuest *guest, VmifsPhysmem *mem, VmifsAspace *aspace,
		   gpointer shared, const VmifsCall *call, GError **error);
void
vmifs_instance_data_unref(gpointer shared);
void
vmifs_instance_free(VmifsInstance *instance);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsInstance, vmifs_instance_free)

typedef struct {
	gatomicrefcount refs;
	guint generation;
	VmifsInstance *instance; /* (nullable) */
	VmifsAspace *aspace;     /* (nullable) the kernel's, or of a root given by the user */
	char *report;
	gint64 discovery_us;
	guint n_vcpus; /* that the OS tells */

	VmifsLazy symbols; /* locked by itself */
	VmifsLazy tasks;
	VmifsMemo *memo; /* (full) texts that tasks share */
} VmifsAttached;

/* instance, aspace: (taken) (nullable). report: (taken) */
VmifsAttached *
vmifs_attached_new(guint generation, VmifsInstance *instance, VmifsAspace *aspace, char *report);
VmifsAttached *
vmifs_attached_ref(VmifsAttached *attached);
void
vmifs_attached_unref(VmifsAttached *attached);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsAttached, vmifs_attached_unref)

/* The lowest address that is the kernel's in every address space; of one with an aspace. */
guint64
vmifs_attached_kernel_start(const VmifsAttached *attached);

/* process.c: whose list that is; before it is shared. */
void
vmifs_task_list_mark(VmifsTaskList *list, guint generation);
