/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discover: finding the operating system in a guest. What the source tells beside memory comes
 * first; where that is not enough, one pass over page heads for the drivers' fast patterns; when no
 * candidate is certain after it, one pass over all memory for all patterns.
 * Drivers prove hits and add candidates; the best that attaches wins, the others are listed.
 */
#pragma once

#include "guest.h"

typedef struct {
	VmifsInstance *instance; /* (full) NULL when no known OS was found */
	VmifsAspace *aspace;     /* (full) of a root that the user named, when no OS was found */
	VmifsPhysmem *mem; /* (full) (nullable) memory where the OS has it, if that is elsewhere */
	char *report;      /* (full) `key: value` lines for info: how, losers, notes */
} VmifsDiscovery;

typedef enum {
	VMIFS_DISCOVER_TOLD, /* what the source tells beside memory, and where that points */
	VMIFS_DISCOVER_ALL,
} VmifsDiscoverDepth;

/* progress: (borrowed) shown by `info` while it runs; percent of the current pass. */
void
vmifs_discover(VmifsGuest *guest, VmifsPhysmem *mem, VmifsDiscoverDepth depth, gint *progress,
	       const VmifsCall *call, VmifsDiscovery *ret);
