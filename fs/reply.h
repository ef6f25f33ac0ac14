/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reply: results become answers to the kernel; the only place where a GError becomes an errno. */
#pragma once

#include "fs.h"

#include <fuse_lowlevel.h>

G_BEGIN_DECLS

/* node: (nullable) what it concerns: what a user must know also goes to its guest's log. */
void
vmifs_reply_error(VmifsFs *fs, fuse_req_t req, const VmifsNode *node, const GError *error);
/* Straight from the segments, without a copy where the kernel takes as many pieces. Returns as
 * fuse_reply_iov(). */
int
vmifs_reply_segments(VmifsFs *fs, fuse_req_t req, const VmifsSegments *segments);

/* Of an open of what has no positions: reads of one open file do not wait for each other, as they
 * otherwise would inside the kernel, where no signal reaches them. Returns as fuse_reply_open(),
 * which knows of no such files. */
int
vmifs_reply_open_stream(fuse_req_t req, guint64 handle);

/* What stat(2) shows, and for how long the kernel may believe it. A size that only rendering tells
 * is waited for when the call may block, and otherwise left 0 with a timeout of 0, unless must is
 * set: then the call is deferred. FALSE with error, or deferred. */
gboolean
vmifs_attr_fill(VmifsFs *fs, VmifsNode *node, gboolean must, struct stat *ret, double *ret_timeout,
		VmifsNodeCall *call, GError **error);
/* How long a name may be believed, in seconds. */
double
vmifs_attr_entry_timeout(VmifsFs *fs, const VmifsNode *node);

G_END_DECLS
