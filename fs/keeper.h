/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keeper: the one thread of its own that a mount has, for what no request may do: it tells the
 * kernel that a guest has gone, answers for requests that overstay their deadline, and forgets
 * guests. It sleeps unless one of these is to be done.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct VmifsFs VmifsFs;
typedef struct VmifsKeeper VmifsKeeper;

/* fs: (borrowed). (full) NULL with IO: there is no thread to be had. */
VmifsKeeper *
vmifs_keeper_new(VmifsFs *fs, GError **error);
/* Ends the thread; until then the session must live. */
void
vmifs_keeper_free(VmifsKeeper *keeper);
/* A guest has gone. From any thread. */
void
vmifs_keeper_wake(VmifsKeeper *keeper);
/* A request was queued: somebody has to see that it ends. From any thread; cheap. */
void
vmifs_keeper_watch(VmifsKeeper *keeper);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsKeeper, vmifs_keeper_free)

G_END_DECLS
