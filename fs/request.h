/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request: one request of the kernel, answered exactly once. It is tried on the thread that took
 * it; if that would have to wait, it goes to the guest's queue as a heap copy. There, whoever
 * claims it answers it: the thread that ran it, or the interrupt (Ctrl-C) that came first.
 */
#pragma once

#include "fs.h"

#include <fuse_lowlevel.h>

G_BEGIN_DECLS

/* Does the request and answers it. FALSE when it was not answered: with error, or with
 * call->defer set and no error. */
typedef gboolean (*VmifsRequestRun)(VmifsRequest *request, VmifsNodeCall *call, GError **error);

struct VmifsRequest {
	fuse_req_t req;
	VmifsFs *fs;
	VmifsRequestRun run;
	VmifsNode *node;     /* (full) */
	VmifsHandle *handle; /* (full) (nullable) */
	const char *name;    /* of a lookup; (full) once queued */
	guint64 off;
	gsize size;
	gconstpointer data; /* of a write; (full) once queued */
	int open_flags;
	gboolean flag; /* of run */
	pid_t caller;
	GList link; /* in the guest's queues */

	gboolean queued;
	gint64 deadline; /* once it is in the pool */
	gint cancelled;  /* atomic */
	gint registered; /* atomic; the interrupt may answer */
	gint claimed;    /* atomic; somebody answers or has answered */
};

/* Tries, queues or fails the request. node and handle: (taken); the rest is borrowed until return.
 */
void
vmifs_request_start(VmifsRequest request);
/* TRUE for exactly one caller: who has to answer. To be called with all results at hand. */
gboolean
vmifs_request_claim(VmifsRequest *request);
/* Somebody has answered it, or is about to. */
gboolean
vmifs_request_is_answered(VmifsRequest *request);
/* On a thread of the guest's queue. FALSE: it has to wait once more (VMIFS_DEFER_READY). */
gboolean
vmifs_request_work(VmifsRequest *request);
/* Its op shall end soon: the mount goes away. */
void
vmifs_request_cancel(VmifsRequest *request);
/* It should have ended by now: answers it with ETIMEDOUT, unless that was done. Of a queued one. */
void
vmifs_request_expire(VmifsRequest *request);
/* Answers a request that will never run. */
void
vmifs_request_abandon(VmifsRequest *request, int number);
/* Of a queued request that was answered. */
void
vmifs_request_free(VmifsRequest *request);

G_END_DECLS
