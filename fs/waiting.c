/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * waiting: a list, gone through by one thread at a time. A stream that says it is not ready tells
 * when it is; who is put on the list looks once more, because it may have told in between.
 *
 *   look: nothing -> [told here] -> put on the list -> look again
 */
#include "waiting.h"

#include "request.h"

#include <poll.h>

/* Between two answers of the thread: waking a reader costs as much processor time as what most
 * events tell of, which would come the slower for it. Who has waited for longer is told at once. */
#define APART_US G_TIME_SPAN_MILLISECOND

struct VmifsWaiting {
	GMutex lock; /* guards what follows */
	GThreadPool *pool;
	gint64 answered; /* when; the pool's thread alone has it */
	gboolean woken;  /* the pool has been told since it last began to look */
	gboolean active; /* a thread of it is answering */
	int ended;       /* errno; 0 = not yet */
	GQueue reads;    /* of VmifsRequest */
	GPtrArray
		*polled; /* of VmifsHandle (full); each has a `poll` of those that shall be told */
};

static gboolean
is_ready(const VmifsHandle *handle)
{
	return handle->node->ops->ready(handle->node, handle->file);
}

/* ---- answering ---- */

/* FALSE: it has to wait on. */
static gboolean
try_read(VmifsRequest *request)
{
	if (!vmifs_request_is_answered(request) &&
	    (!is_ready(request->handle) || !vmifs_request_work(request)))
		return FALSE;
	vmifs_request_free(request);
	return TRUE;
}

/* Takes from the queue those that it could answer. */
static void
try_reads(GQueue *reads)
{
	for (GList *link = reads->head, *next; link; link = next) {
		next = link->next;
		g_queue_unlink(reads, link);
		if (!try_read(link->data))
			g_queue_insert_before_link(reads, next, link);
	}
}

static struct fuse_pollhandle *
take_poll(VmifsWaiting *waiting, VmifsHandle *handle)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&waiting->lock);
	return g_steal_pointer(&handle->poll);
}

static void
try_polls(VmifsWaiting *waiting, GPtrArray *polled)
{
	for (guint i = polled->len; i-- > 0;) {
		VmifsHandle *handle = g_ptr_array_index(polled, i);
		if (!is_ready(handle))
			continue;
		struct fuse_pollhandle *poll = take_poll(waiting, handle);
		if (poll) {
			fuse_lowlevel_notify_poll(poll);
			fuse_pollhandle_destroy(poll);
		}
		g_ptr_array_remove_index_fast(polled, i);
	}
}

static void
refuse_all(GQueue *reads, int number)
{
	GList *link;
	while ((link = g_queue_pop_head_link(reads))) {
		vmifs_request_abandon(link->data, number);
		vmifs_request_free(link->data);
	}
}

/* What could not be answered comes back before those that came meanwhile. */
static int
put_back(VmifsWaiting *waiting, GQueue *reads, GPtrArray *polled)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&waiting->lock);
	GList *link;
	while (!waiting->ended && (link = g_queue_pop_tail_link(reads)))
		g_queue_push_head_link(&waiting->reads, link);
	for (guint i = 0; i < polled->len; i++) {
		VmifsHandle *handle = g_ptr_array_index(polled, i);
		/* It may have been polled again meanwhile. */
		if (handle->poll && !waiting->ended &&
		    !g_ptr_array_find(waiting->polled, handle, NULL))
			g_ptr_array_add(waiting->polled, vmifs_handle_ref(handle));
	}
	return waiting->ended;
}

/* On a thread of the pool, which has but one. */
static void
answer(gpointer data, gpointer user)
{
	VmifsWaiting *waiting = user;
	gint64 left = waiting->answered + APART_US - g_get_monotonic_time();

	if (left > 0)
		g_usleep((gulong) left);
	g_mutex_lock(&waiting->lock);
	waiting->woken = FALSE;
	GQueue reads = waiting->reads;
	g_queue_init(&waiting->reads);
	g_autoptr(GPtrArray) polled = waiting->polled;
	waiting->polled = g_ptr_array_new_with_free_func((GDestroyNotify) vmifs_handle_unref);
	waiting->active = TRUE;
	g_mutex_unlock(&waiting->lock);

	try_reads(&reads);
	try_polls(waiting, polled);
	int ended = put_back(waiting, &reads, polled);
	if (ended) /* the last that there is to tell may have come in between */
		try_reads(&reads);
	refuse_all(&reads, ended);
	waiting->answered = g_get_monotonic_time();
	g_mutex_lock(&waiting->lock);
	waiting->active = FALSE;
	g_mutex_unlock(&waiting->lock);
}

void
vmifs_waiting_wake(gpointer data)
{
	VmifsWaiting *waiting = data;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&waiting->lock);
	if (waiting->woken || waiting->ended ||
	    (!waiting->reads.head && !waiting->polled->len && !waiting->active))
		return;
	waiting->woken = g_thread_pool_push(waiting->pool, waiting, NULL);
}

/* ---- who waits ---- */

/* Those that were interrupted are answered, and nobody else would forget them before something
 * happens. To be freed without the lock: with its last request a handle goes, and its stream. */
static GQueue
take_answered_locked(VmifsWaiting *waiting)
{
	GQueue answered = G_QUEUE_INIT;
	for (GList *link = waiting->reads.head, *next; link; link = next) {
		next = link->next;
		if (!vmifs_request_is_answered(link->data))
			continue;
		g_queue_unlink(&waiting->reads, link);
		g_queue_push_tail_link(&answered, link);
	}
	return answered;
}

void
vmifs_waiting_add(VmifsWaiting *waiting, VmifsRequest *request)
{
	g_autoptr(VmifsHandle) handle = vmifs_handle_ref(request->handle);
	g_mutex_lock(&waiting->lock);
	int ended = waiting->ended;
	GQueue answered = take_answered_locked(waiting);
	if (!ended)
		g_queue_push_tail_link(&waiting->reads, &request->link);
	g_mutex_unlock(&waiting->lock);
	refuse_all(&answered, 0);
	if (!ended && is_ready(handle)) {
		vmifs_waiting_wake(waiting);
	} else if (ended && !try_read(request)) {
		vmifs_request_abandon(request, ended);
		vmifs_request_free(request);
	}
}

unsigned
vmifs_waiting_poll(VmifsWaiting *waiting, VmifsHandle *handle, struct fuse_pollhandle *poll)
{
	if (poll) {
		g_mutex_lock(&waiting->lock);
		struct fuse_pollhandle *before = handle->poll;
		handle->poll = poll;
		if (!g_ptr_array_find(waiting->polled, handle, NULL))
			g_ptr_array_add(waiting->polled, vmifs_handle_ref(handle));
		g_mutex_unlock(&waiting->lock);
		if (before)
			fuse_pollhandle_destroy(before);
	}
	return is_ready(handle) ? POLLIN | POLLRDNORM : 0;
}

void
vmifs_waiting_forget(VmifsWaiting *waiting, VmifsHandle *handle)
{
	g_mutex_lock(&waiting->lock);
	struct fuse_pollhandle *poll = g_steal_pointer(&handle->poll);
	g_ptr_array_remove_fast(waiting->polled, handle); /* the caller has it, too */
	GQueue answered = take_answered_locked(waiting);
	g_mutex_unlock(&waiting->lock);
	refuse_all(&answered, 0);
	if (poll)
		fuse_pollhandle_destroy(poll);
}

/* ---- life ---- */

VmifsWaiting *
vmifs_waiting_new(void)
{
	VmifsWaiting *waiting = g_new0(VmifsWaiting, 1);
	g_mutex_init(&waiting->lock);
	g_queue_init(&waiting->reads);
	waiting->polled = g_ptr_array_new_with_free_func((GDestroyNotify) vmifs_handle_unref);
	waiting->pool = g_thread_pool_new(answer, waiting, 1, FALSE, NULL);
	return waiting;
}

void
vmifs_waiting_end(VmifsWaiting *waiting, int number)
{
	g_mutex_lock(&waiting->lock);
	waiting->ended = number;
	GQueue reads = waiting->reads;
	g_queue_init(&waiting->reads);
	g_autoptr(GPtrArray) polled = waiting->polled;
	waiting->polled = g_ptr_array_new_with_free_func((GDestroyNotify) vmifs_handle_unref);
	g_mutex_unlock(&waiting->lock);
	try_reads(&reads);
	refuse_all(&reads, number);
	try_polls(waiting, polled);
	for (guint i = 0; i < polled->len; i++)
		vmifs_waiting_forget(waiting, g_ptr_array_index(polled, i));
}

gboolean
vmifs_waiting_is_idle(VmifsWaiting *waiting)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&waiting->lock);
	return !waiting->active && !waiting->woken;
}

void
vmifs_waiting_stop(VmifsWaiting *waiting)
{
	g_mutex_lock(&waiting->lock);
	GThreadPool *pool = g_steal_pointer(&waiting->pool);
	g_mutex_unlock(&waiting->lock);
	if (pool)
		g_thread_pool_free(pool, FALSE, TRUE);
}

void
vmifs_waiting_free(VmifsWaiting *waiting)
{
	vmifs_waiting_stop(waiting);
	g_ptr_array_unref(waiting->polled);
	g_mutex_clear(&waiting->lock);
	g_free(waiting);
}
