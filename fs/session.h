/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session: the FUSE operations: fetch the node, call it, reply exactly once. Nothing here knows
 * what a node stands for.
 */
#pragma once

#include "fs.h"

#include <fuse_lowlevel.h>

G_BEGIN_DECLS

/* A session over fs, not yet connected to a device. args: libfuse's own, or none. */
struct fuse_session *
vmifs_session_new(VmifsFs *fs, struct fuse_args *args);
/* Serves fs by its session until unmounted or told to exit. FALSE when libfuse gave up with an
 * error. */
gboolean
vmifs_session_run(VmifsFs *fs, GError **error);

G_END_DECLS
