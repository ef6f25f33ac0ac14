/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * search: what to do when nothing says where the page table lies, or where it maps the image:
 * every page near the image is tried as a root; every page that a root maps, as the image's.
 */
#pragma once

#include <spi/os.h>

G_BEGIN_DECLS

/* Tries the pages around an address of the image in every mode: a root must map the text symbols of
 * the table all by one distance. Roots vote on that distance; of those that agree with the most and
 * map about as much as any, the kernel's own is the first one behind that address: its data lie
 * behind its read-only data, whatever processes have is elsewhere. FALSE = none, or given up. */
gboolean
linux_search_root(VmifsProbe *probe, const char *arch, const VmifsSymbols *symbols, guint64 around,
		  guint64 ignore_mask, guint64 *ret_root, guint64 *ret_delta);
/* Appends the distances (guint64) of all kernel mappings of the page at pa, but at most 16: where
 * it runs before where it is mapped as all memory is, and of each the highest addresses first. */
void
linux_search_deltas(VmifsAspace *aspace, guint64 pa, const VmifsCall *call, GArray *ret);

G_END_DECLS
