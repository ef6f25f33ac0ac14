/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * areas (private): large buffers for bytes on their way to a reader. One from malloc() may be given
 * back to the kernel each time, and its pages made and zeroed anew for the next read, which costs
 * as much as a copy; and in huge pages the kernel looks up one where there were 512.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define VMIFS_AREA_LEN ((gsize) 2 << 20)

/* VMIFS_AREA_LEN bytes that hold anything. NULL: there is no memory for it. Thread-safe. */
gpointer
vmifs_area_take(void);
/* area: (taken) */
void
vmifs_area_give_back(gpointer area);

G_END_DECLS
