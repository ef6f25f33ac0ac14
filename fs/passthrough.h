/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * passthrough: files that are 1:1 on one backing file are read by the kernel alone (Linux >= 6.9,
 * with CAP_SYS_ADMIN). libfuse can ask for it from 3.17 on; below that, the session's reads and
 * writes go through two small functions that add it to the one INIT exchange. The reply to OPEN is
 * made here for every version, and the backing ids are kept here: one per inode while it is open.
 */
#pragma once

#include "node.h"

#include <fuse_lowlevel.h>

G_BEGIN_DECLS

typedef struct VmifsPassthrough VmifsPassthrough;

/* refused: (nullable, static) why it shall not be used at all: `info` says so. */
VmifsPassthrough *
vmifs_passthrough_new(const char *refused);
void
vmifs_passthrough_free(VmifsPassthrough *passthrough);

/* Makes the session, whose userdata is a VmifsFs, use the device (of a mount made by us) and ask
 * for passthrough. device: (taken on success) */
gboolean
vmifs_passthrough_attach(VmifsPassthrough *passthrough, struct fuse_session *session, int device,
			 GError **error);
/* From the session's init op. */
void
vmifs_passthrough_init(VmifsPassthrough *passthrough, struct fuse_conn_info *conn);

/* NULL when the kernel would take fd as a backing file now, else why not. (full) */
char *
vmifs_passthrough_why_not(VmifsPassthrough *passthrough, int fd);
/* One open more of node, whose bytes are those of fd (-1: they are in no file). Returns: the
 * backing id, or 0 when the server has to read. All opens of a node that overlap get the same
 * answer, as the kernel demands. To be paired with close. */
gint32
vmifs_passthrough_open(VmifsPassthrough *passthrough, VmifsNode *node, int fd);
void
vmifs_passthrough_close(VmifsPassthrough *passthrough, VmifsNode *node);
/* The guest has gone: closes its backing ids. Returns: the paths of those files that somebody still
 * reads through the kernel. (full) */
GPtrArray *
vmifs_passthrough_drop(VmifsPassthrough *passthrough, const VmifsFsGuest *guest);
/* Answers an OPEN: handle number and backing id. served: only mmap(2) goes to the backing file.
 * Returns as fuse_reply_open() does. */
int
vmifs_passthrough_reply(fuse_req_t req, guint64 handle, gint32 backing_id, gboolean served);

G_END_DECLS
