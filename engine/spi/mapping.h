/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapping: foreign files mapped into our memory, safely. A mapped file can shrink or fail under
 * us; then the kernel sends SIGBUS at the load. Mappings are registered: the handler puts zeros
 * over such a page and marks it broken, so that the load goes on and its caller can find out.
 *
 *   stamp -> load -> SIGBUS -> handler: zeros there, marked -> load returns 0 -> intact() FALSE
 *
 * At most 1024 pages are remembered one by one; beyond that, everything from the lowest marked
 * page on counts as broken. intact() maps anew what a file that has grown again holds once more,
 * but still answers FALSE that time: what its caller has just loaded were zeros. The rest of a
 * page in which a file now ends reads as zeros, unmarked. A SIGBUS outside every mapping is not
 * ours: the previous handler gets it.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct VmifsMapping VmifsMapping;

/* Maps len bytes of fd from offset (page-aligned) read-only and shared. fd: (borrowed), duplicated.
 * Nothing is populated. A child that is forked does not have it. */
VmifsMapping *
vmifs_mapping_new(int fd, guint64 offset, gsize len, GError **error);
/* The first len bytes of fd, for a library that writes to what it reads: it may, and the file stays
 * as it is. */
VmifsMapping *
vmifs_mapping_new_private(int fd, gsize len, GError **error);
VmifsMapping *
vmifs_mapping_ref(VmifsMapping *mapping);
void
vmifs_mapping_unref(VmifsMapping *mapping);

const guint8 *
vmifs_mapping_data(const VmifsMapping *mapping);
gsize
vmifs_mapping_len(const VmifsMapping *mapping);
/* To be taken before loading. */
guint
vmifs_mapping_stamp(VmifsMapping *mapping);
/* FALSE when a page of [offset, offset + len) may have been lost since that stamp: it is marked, or
 * some page of the mapping was marked and is not any more. Marked pages are mapped anew where the
 * file holds them again, so that a second call with a new stamp tells whether a new load is worth
 * while. Two atomic loads while nothing is broken. */
gboolean
vmifs_mapping_intact(VmifsMapping *mapping, guint stamp, guint64 offset, gsize len);
/* Zeros over all of it, for good, that count as broken; its file is closed. Loads that are under
 * way and pointers that are still held stay safe; whatever RAM the mapping kept is given back. */
void
vmifs_mapping_drop(VmifsMapping *mapping);
/* Faults the pages of that range in, all at once: for a pass over it. Not for holes of a sparse
 * file, which this would allocate. */
void
vmifs_mapping_prefetch(VmifsMapping *mapping, guint64 offset, gsize len);
/* Gives the pages back that were faulted in for a pass over that range (a scan). */
void
vmifs_mapping_release(VmifsMapping *mapping, guint64 offset, gsize len);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsMapping, vmifs_mapping_unref)

G_END_DECLS
