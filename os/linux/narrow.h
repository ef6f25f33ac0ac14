/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * narrow (private to discovery): kernels of 32 bits. Their image has no place of its own among
 * virtual addresses: it lies where all of memory is mapped, from PAGE_OFFSET on. Which that is, no
 * note says; the page table that a note names proves it, or, without one, init_mm's.
 *
 *   0          PAGE_OFFSET                        4 GiB
 *   | program  | memory ... image ... | vmalloc    |
 */
#pragma once

#include "find.h"

G_BEGIN_DECLS

/* Is it the architecture of such kernels? */
gboolean
linux_narrow_is(const char *arch);
/* FALSE: it is not of such a kernel, or nothing proves where that lies. */
gboolean
linux_narrow_of_note(VmifsProbe *probe, const LinuxVmcoreinfo *info, LinuxNarrow *ret);

/* Appends how far above physical addresses (guint64) an image of such an architecture may lie. */
void
linux_narrow_deltas(VmifsProbe *probe, const char *arch, GArray *ret);
/* What an ARM kernel's page table, at that virtual address, says of where memory begins. */
void
linux_narrow_suggest_base(LinuxFind *find, guint64 root, guint64 text);
void
linux_narrow_suggest_base_of_note(LinuxFind *find, const LinuxVmcoreinfo *info);
/* May it be of an ARM kernel, of which nothing can be said while memory's beginning is assumed? */
gboolean
linux_narrow_may_be_moved(VmifsProbe *probe, const LinuxVmcoreinfo *info);

/* ---- init-mm.c ---- */

/* Appends the virtual addresses (guint64) of what may be the page table of the kernel with these
 * symbols, a few at most. */
void
linux_init_mm_roots(const LinuxFind *find, const LinuxImage *image, GArray *ret);

G_END_DECLS
