/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * narrow (private to discovery): kernels of 32 bits. Their image has no place of its own among
 * virtual addresses: it lies where all of memory is mapped, from PAGE_OFFSET on. Which that is, no
 * note says; the page table that a note names proves it.
 *
 *   0          PAGE_OFFSET                        4 GiB
 *   | program  | memory ... image ... | vmalloc    |
 */
#pragma once

#include "find.h"

G_BEGIN_DECLS

/* FALSE: it is not of such a kernel, or nothing proves where that lies. */
gboolean
linux_narrow_of_note(VmifsProbe *probe, const LinuxVmcoreinfo *info, LinuxNarrow *ret);

/* May an image lie that far above physical addresses? Anything may, but of a 32-bit kernel. */
gboolean
linux_narrow_allows(VmifsProbe *probe, const char *arch, guint64 delta);
/* May it be of an ARM kernel, of which nothing can be said while memory's beginning is assumed? */
gboolean
linux_narrow_may_be_moved(VmifsProbe *probe, const LinuxVmcoreinfo *info);

G_END_DECLS
