/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * smaps: what a mapping is, beyond what maps shows: the part of a line in smaps that its pages do
 * not tell.
 */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

typedef struct {
	guint64 flags;     /* vm_flags */
	guint64 ops, file; /* 0 = none */
	guint64 pgoff;     /* pages */
	guint64 page_size; /* of its pages: larger in hugetlbfs */
	guint64 inode;     /* of the file; 0 = none */
	gboolean is_shmem;
	gboolean is_hugetlb;
} LinuxMapping;

gboolean
linux_mapping_read(const Linux *os, guint64 vma, LinuxMapping *ret, GError **error);
/* Pages of the mapping's file that are swapped out, as far as they are in the mapping. */
guint64
linux_mapping_shmem_swap(const Linux *os, const VmifsVma *vma, const LinuxMapping *m);
/* May huge pages come into it by themselves? */
gboolean
linux_mapping_is_thp_eligible(const Linux *os, guint64 mm, const VmifsVma *vma,
			      const LinuxMapping *m);
/* "VmFlags: rd ex ..." */
void
linux_mapping_append_flags(const Linux *os, guint64 vm_flags, GString *out);
/* Does the processor have keys for pages? */
gboolean
linux_has_protection_keys(const Linux *os);

/* ---- maps.c ---- */

/* The mappings, of VmifsVma. (full) */
GArray *
linux_maps_read(const Linux *os, const VmifsTask *task, const VmifsCall *call, GError **error);
/* The line of maps. */
void
linux_maps_append_line(const Linux *os, GString *out, const VmifsVma *vma);
/* The page of [vsyscall], where the process has it; path is not to be freed. */
gboolean
linux_gate_vma(const Linux *os, guint64 mm, VmifsVma *ret);

G_END_DECLS
