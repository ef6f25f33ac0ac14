/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount: the mount point and the kernel's side of the mount. Root mounts by itself: only that gives
 * nosymfollow, without which a guest's link targets would be opened on the host, and passthrough.
 * Others go through fusermount3, and links are then served with a prefix.
 */
#pragma once

#include "fs.h"

#include <fuse_lowlevel.h>

G_BEGIN_DECLS

typedef struct {
	char *point;  /* absolute, without links */
	char *number; /* (nullable) of the file system, as mountinfo has it */
	int device;   /* of a mount made by us; -1 = made through fusermount3 */
	struct fuse_session *session;
} VmifsMount;

/* Whether something can be mounted there, and on this machine. IO: what was seen, what to do. */
gboolean
vmifs_mount_check(const char *point, char **ret_point, GError **error);
/* Mounts fs at point, which vmifs_mount_check() gave; requests wait until the session runs. */
gboolean
vmifs_mount_open(VmifsFs *fs, const char *point, VmifsMount *ret, GError **error);
/* Asks the mount for its root, from another process than the server: it answers when this returns.
 * Lets the kernel read further ahead in files that it caches. */
void
vmifs_mount_settle(const char *point);
/* Unmounts, if that has not been done from outside. */
void
vmifs_mount_detach(VmifsMount *mount);
/* Frees the session: when nobody answers requests any more. */
void
vmifs_mount_close(VmifsMount *mount);

G_END_DECLS
