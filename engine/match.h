/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * match (private): many short patterns in one run of memory, at the speed of memory. It looks for
 * two rare bytes (or a rare word) of each pattern with vectors, page by page so that all patterns
 * but the first find the page in the first-level cache, and compares in full only where both are.
 */
#pragma once

#include <spi/os.h>

#define VMIFS_PATTERN_MAX 32 /* bytes */

typedef struct VmifsMatcher VmifsMatcher;

/* pattern: its index. */
typedef void (*VmifsMatchHit)(gsize pattern, guint64 pa, gpointer user);

/* patterns: (borrowed) until free. heads: look at the start of each page only. */
VmifsMatcher *
vmifs_matcher_new(const VmifsPattern *const *patterns, gsize n, gboolean heads);
void
vmifs_matcher_free(VmifsMatcher *matcher);
/* Bytes of the longest pattern. */
gsize
vmifs_matcher_longest(const VmifsMatcher *matcher);

/* Every place of every pattern that lies within the len bytes, of which the first is at pa; in
 * order of address for each pattern. */
void
vmifs_matcher_find(const VmifsMatcher *matcher, const guint8 *data, gsize len, guint64 pa,
		   VmifsMatchHit hit, gpointer user);
/* Only those that cover the byte before `seam` and the one at it (an offset). For short runs. */
void
vmifs_matcher_find_over(const VmifsMatcher *matcher, const guint8 *data, gsize len, guint64 pa,
			gsize seam, VmifsMatchHit hit, gpointer user);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsMatcher, vmifs_matcher_free)
