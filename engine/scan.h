/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scan (private): one pass over all RAM for all patterns. Threads take windows in order of address;
 * what they find is delivered sorted when the pass has ended, so that its result does not depend on
 * them. Holes are passed over by what the source says, never by reading them.
 */
#pragma once

#include <spi/os.h>

/* Hits kept for each pattern in each piece of memory: those at the lowest addresses. Whoever fills
 * his own memory with hits so hides none in another's. */
#define VMIFS_SCAN_PIECE ((guint64) 2 << 20)
#define VMIFS_SCAN_MAX_HITS 8

typedef struct {
	guint64 scanned; /* bytes looked at; holes do not count */
	guint64 lost;    /* bytes that could not be read */
	guint64 dropped; /* hits beyond the bound */
} VmifsScanReport;

/* pattern: its index. */
typedef gboolean (*VmifsScanKeep)(gsize pattern, guint64 pa, gpointer user);
typedef void (*VmifsScanHit)(gsize pattern, guint64 pa, gpointer user);

/* Of [from, from + len) alone, RAM or not; nothing is looked for over its ends. */
typedef struct {
	guint64 from, len;
} VmifsScanPart;

/* part: (nullable) NULL = all memory. heads: look at the start of each page only; all patterns are
 * then of align 4096. keep: (nullable) asked for each hit, from any thread: FALSE = it does not
 * count. Calls hit() from this thread, in order of address, after the pass. progress: (nullable)
 * percent of it, stored atomically. report: (nullable) filled also when the pass was cut short.
 * FALSE with CANCELLED or TIMEOUT; nothing is delivered then. */
gboolean
vmifs_scan(VmifsPhysmem *mem, const VmifsScanPart *part, const VmifsPattern *const *patterns,
	   gsize n, gboolean heads, VmifsScanKeep keep, VmifsScanHit hit, gpointer user,
	   gint *progress, VmifsScanReport *report, const VmifsCall *call, GError **error);
