/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tlb (private): where the pages of an address space were found a moment ago. Bounded, direct
 * mapped; an entry is worth nothing once the epoch has moved. Any thread, no lock.
 */
#pragma once

#include <vmifs/aspace.h>

typedef struct VmifsTlb VmifsTlb;

/* n_entries: a power of two. An entry takes 32 bytes. */
VmifsTlb *
vmifs_tlb_new(guint n_entries);
void
vmifs_tlb_free(VmifsTlb *tlb);

/* The whole page that holds va. */
gboolean
vmifs_tlb_lookup(const VmifsTlb *tlb, guint64 va, guint epoch, VmifsRange *ret);
/* page: PAGE, one entry of a table, whole; found for va, which is in it. epoch: as it was before
 * the tables were read. */
void
vmifs_tlb_insert(VmifsTlb *tlb, guint64 va, guint epoch, const VmifsRange *page);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsTlb, vmifs_tlb_free)
