/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * waiting: who wants to read a stream (VmifsNodeOps.ready) that has nothing to tell yet. Reads are
 * kept here and hold no thread; of polls, whom to notify. When one of the guest's streams has
 * something to tell, a thread of a pool answers them.
 */
#pragma once

#include "handle.h"

#include <fuse_lowlevel.h>

G_BEGIN_DECLS

typedef struct VmifsRequest VmifsRequest;
typedef struct VmifsWaiting VmifsWaiting;

VmifsWaiting *
vmifs_waiting_new(void);
/* After the end. */
void
vmifs_waiting_free(VmifsWaiting *waiting);

/* request: (taken) queued, the read of a stream. */
void
vmifs_waiting_add(VmifsWaiting *waiting, VmifsRequest *request);
/* The events that poll(2) wants to hear of. poll: (taken) (nullable) who is to be told later. */
unsigned
vmifs_waiting_poll(VmifsWaiting *waiting, VmifsHandle *handle, struct fuse_pollhandle *poll);
/* The handle was closed: nobody polls it. */
void
vmifs_waiting_forget(VmifsWaiting *waiting, VmifsHandle *handle);
/* A stream has something to tell. waiting: a VmifsWaiting. From any thread, and under its locks. */
void
vmifs_waiting_wake(gpointer waiting);
/* Answers all with what there is, or with that errno; from now on nobody is kept waiting. */
void
vmifs_waiting_end(VmifsWaiting *waiting, int number);
/* Nobody is being answered. */
gboolean
vmifs_waiting_is_idle(VmifsWaiting *waiting);
/* Returns when nobody is being answered any more. After the end. */
void
vmifs_waiting_stop(VmifsWaiting *waiting);

G_END_DECLS
