/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request: the life of a request, and the one race in it. libfuse calls the interrupt function
 * while it holds the request's own lock, and unregistering it waits for that lock: so a thread that
 * has claimed a request unregisters, and then nobody else can be looking at it.
 */
#include "request.h"

#include "reply.h"

#include <errno.h>

static void
release(VmifsRequest *request)
{
	vmifs_node_unref(request->node);
	vmifs_handle_unref(request->handle);
}

static gboolean
claim(VmifsRequest *request)
{
	return g_atomic_int_compare_and_exchange(&request->claimed, 0, 1);
}

/* Runs under libfuse's lock of the request. Not one touch of it after a successful claim: the
 * thread that finds it claimed frees it. */
static void
interrupted(fuse_req_t req, void *data)
{
	VmifsRequest *request = data;
	VmifsFs *fs = request->fs;
	g_atomic_int_set(&request->cancelled, 1);
	if (g_atomic_int_get(&request->registered) && claim(request)) {
		g_atomic_int_inc(&fs->stats.interrupted);
		fuse_reply_err(req, EINTR);
	}
}

void
vmifs_request_cancel(VmifsRequest *request)
{
	g_atomic_int_set(&request->cancelled, 1);
}

gboolean
vmifs_request_claim(VmifsRequest *request)
{
	if (!request->queued)
		return TRUE;
	if (!claim(request))
		return FALSE;
	fuse_req_interrupt_func(request->req, NULL, NULL);
	return TRUE;
}

/* Whatever went wrong with what has come to its end meanwhile, that is why. */
static void
fail(VmifsRequest *request, const GError *error)
{
	g_autoptr(GError) stale = NULL;
	if (!vmifs_node_check(request->node, &stale))
		error = stale;
	if (vmifs_request_claim(request))
		vmifs_reply_error(request->fs, request->req, request->node, error);
}

/* What a stream has told before its guest went is read to the end. */
static gboolean
is_read_of_stream(const VmifsRequest *request)
{
	return request->handle && request->node->ops->ready;
}

static gboolean
run(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	return (is_read_of_stream(request) || vmifs_node_check(request->node, error)) &&
	       request->run(request, call, error);
}

/* A heap copy, with the interrupt function registered. An interrupt may have come before: libfuse
 * then calls the function at once, from where answering is not allowed. */
static void
enqueue(const VmifsRequest *request, VmifsDefer defer)
{
	VmifsRequest *copy = g_memdup2(request, sizeof *request);
	copy->name = g_strdup(request->name);
	copy->data = request->data ? g_memdup2(request->data, request->size) : NULL;
	copy->queued = TRUE;
	copy->link = (GList){ .data = copy };
	g_atomic_int_inc(&copy->fs->stats.queued);
	fuse_req_interrupt_func(copy->req, interrupted, copy);
	g_atomic_int_set(&copy->registered, 1);
	if (g_atomic_int_get(&copy->cancelled) && claim(copy)) {
		fuse_req_interrupt_func(copy->req, NULL, NULL);
		fuse_reply_err(copy->req, EINTR);
	}
	vmifs_fs_guest_queue(copy->node->guest, copy, defer);
}

void
vmifs_request_start(VmifsRequest request)
{
	VmifsNodeCall call = { .fs = request.fs, .caller = request.caller };
	g_autoptr(GError) error = NULL;
	g_atomic_int_inc(&request.fs->stats.requests);
	if (run(&request, &call, &error)) {
		release(&request);
	} else if (call.defer != VMIFS_DEFER_NO) {
		enqueue(&request, call.defer);
	} else {
		fail(&request, error);
		release(&request);
	}
}

gboolean
vmifs_request_is_answered(VmifsRequest *request)
{
	return g_atomic_int_get(&request->claimed) != 0;
}

gboolean
vmifs_request_work(VmifsRequest *request)
{
	if (vmifs_request_is_answered(request))
		return TRUE;
	VmifsNodeCall call = {
		.call = { .deadline = request->deadline, .cancelled = &request->cancelled },
		.fs = request->fs,
		.may_block = TRUE,
		.caller = request->caller,
	};
	g_autoptr(GError) error = NULL;
	gboolean done = run(request, &call, &error);
	if (!done && call.defer == VMIFS_DEFER_READY)
		return FALSE;
	if (!done)
		fail(request, error);
	return TRUE;
}

void
vmifs_request_expire(VmifsRequest *request)
{
	vmifs_request_cancel(request);
	if (!vmifs_request_claim(request))
		return;
	g_autoptr(GError) error =
		g_error_new_literal(VMIFS_ERROR, VMIFS_ERROR_TIMEOUT, "it does not answer in time");
	vmifs_reply_error(request->fs, request->req, request->node, error);
}

void
vmifs_request_abandon(VmifsRequest *request, int number)
{
	if (vmifs_request_claim(request))
		fuse_reply_err(request->req, number);
}

void
vmifs_request_free(VmifsRequest *request)
{
	release(request);
	g_free((char *) request->name);
	g_free((gpointer) request->data);
	g_free(request);
}
