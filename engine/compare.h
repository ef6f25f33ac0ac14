/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * compare (private): events from what a guest lists: who has started, called exec or ended since
 * the list before, and which modules were loaded or unloaded. Between two lists somebody may have
 * come and gone: he is not seen.
 */
#pragma once

#include "events.h"

#include <spi/os.h>

typedef struct VmifsCompare VmifsCompare;

/* events: (borrowed) */
VmifsCompare *
vmifs_compare_new(VmifsEvents *events);
void
vmifs_compare_free(VmifsCompare *compare);

/* The next lists will be the first. */
void
vmifs_compare_reset(VmifsCompare *compare);
/* Pushes what has changed since the list before. Returns: whether anything has. A list of another
 * boot is a first one; one that is not complete tells nothing. */
gboolean
vmifs_compare_tasks(VmifsCompare *compare, const VmifsTaskList *list, guint generation);
/* modules: (taken) of VmifsModule, all that there are. */
gboolean
vmifs_compare_modules(VmifsCompare *compare, GArray *modules, guint generation);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsCompare, vmifs_compare_free)
