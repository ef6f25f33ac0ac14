/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest: its queues. Requests that wait for discovery hold no thread: they are parked in a list
 * that the end of discovery empties into the guest's pool.
 *
 *   request -> parked --(discovery has ended)--> pool (VMIFS_QUEUE_THREADS) -> answered
 *                 `------ Ctrl-C: answered at once, dropped when its turn comes
 *           -> this thread, if it can be spared
 *           -> monitor (VMIFS_MONITOR_THREADS)
 *           -> patience (VMIFS_PATIENCE_THREADS)
 *           -> waiting: until a stream has something to tell; holds no thread, too
 */
#include "guest.h"

#include "keeper.h"
#include "request.h"
#include "waiting.h"

#include <errno.h>
#include <time.h>

/* What an op may come back later than its deadline: its own message is better than ours. */
#define GRACE_US (100 * G_TIME_SPAN_MILLISECOND)

/* ---- life ---- */

/* request: (taken). */
static void
work(gpointer data, gpointer user)
{
	VmifsRequest *request = data;
	VmifsFsGuest *guest = user;
	vmifs_request_work(request);
	g_mutex_lock(&guest->lock);
	g_queue_unlink(&guest->running, &request->link);
	g_mutex_unlock(&guest->lock);
	vmifs_request_free(request);
}

VmifsFsGuest *
vmifs_fs_guest_new(VmifsGuest *vmifs_guest, VmifsFsGuest *origin, VmifsKeeper *keeper,
		   guint64 serial)
{
	VmifsFsGuest *guest = g_new0(VmifsFsGuest, 1);
	g_atomic_ref_count_init(&guest->refs);
	guest->guest = vmifs_guest_ref(vmifs_guest);
	guest->origin = origin ? vmifs_fs_guest_ref(origin) : NULL;
	guest->keeper = keeper;
	guest->waiting = vmifs_waiting_new();
	guest->frozen = vmifs_guest_is_frozen(vmifs_guest);
	clock_gettime(CLOCK_REALTIME, &guest->seen);
	guest->serial = serial;
	g_mutex_init(&guest->lock);
	g_queue_init(&guest->parked);
	g_queue_init(&guest->running);
	guest->pool = g_thread_pool_new(work, guest, VMIFS_QUEUE_THREADS, FALSE, NULL);
	guest->monitor = g_thread_pool_new(work, guest, VMIFS_MONITOR_THREADS, FALSE, NULL);
	guest->patience = g_thread_pool_new(work, guest, VMIFS_PATIENCE_THREADS, FALSE, NULL);
	return guest;
}

VmifsFsGuest *
vmifs_fs_guest_ref(VmifsFsGuest *guest)
{
	g_atomic_ref_count_inc(&guest->refs);
	return guest;
}

void
vmifs_fs_guest_unref(VmifsFsGuest *guest)
{
	if (!guest || !g_atomic_ref_count_dec(&guest->refs))
		return;
	g_assert(!guest->pool);
	vmifs_guest_unref(guest->guest);
	vmifs_fs_guest_unref(guest->origin);
	vmifs_waiting_free(guest->waiting);
	g_mutex_clear(&guest->lock);
	g_free(guest);
}

/* ---- queues ---- */

static void
enter_locked(VmifsFsGuest *guest, VmifsRequest *request, gint64 deadline)
{
	request->deadline = g_get_monotonic_time() + deadline;
	g_queue_push_tail_link(&guest->running, &request->link);
}

static void
run_locked(VmifsFsGuest *guest, VmifsRequest *request, VmifsDefer defer)
{
	gint64 deadline = VMIFS_QUEUE_DEADLINE;
	GThreadPool *pool = guest->pool;
	if (defer == VMIFS_DEFER_MONITOR) {
		deadline = VMIFS_MONITOR_DEADLINE;
		pool = guest->monitor;
	} else if (defer == VMIFS_DEFER_PATIENCE) {
		deadline = VMIFS_PATIENCE_DEADLINE;
		pool = guest->patience;
	}
	enter_locked(guest, request, deadline);
	g_thread_pool_push(pool, request, NULL);
}

void
vmifs_fs_guest_look(VmifsFsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	/* Under the lock: of two who look, the later one's word stands. */
	gboolean discovered = vmifs_guest_is_discovered(guest->guest);
	g_atomic_int_set(&guest->discovered, discovered);
	GList *link;
	while (discovered && !guest->closing && (link = g_queue_pop_head_link(&guest->parked)))
		run_locked(guest, link->data, VMIFS_DEFER_DISCOVERY);
}

/* On this thread: to hand it to another and sleep costs more than most such requests do. */
static gboolean
run_here(VmifsFsGuest *guest, VmifsRequest *request)
{
	g_mutex_lock(&guest->lock);
	gboolean closing = guest->closing;
	if (!closing)
		enter_locked(guest, request, VMIFS_QUEUE_DEADLINE);
	g_mutex_unlock(&guest->lock);
	if (closing)
		return FALSE;
	vmifs_keeper_watch(guest->keeper);
	work(request, guest);
	return TRUE;
}

void
vmifs_fs_guest_queue(VmifsFsGuest *guest, VmifsRequest *request, VmifsDefer defer)
{
	VmifsFs *fs = request->fs;
	if (defer == VMIFS_DEFER_READY) {
		vmifs_waiting_add(guest->waiting, request);
		return;
	}
	if (defer == VMIFS_DEFER_WORK && vmifs_fs_lend_worker(fs)) {
		gboolean done = run_here(guest, request);
		vmifs_fs_have_worker_back(fs);
		if (done)
			return;
	}
	g_mutex_lock(&guest->lock);
	if (guest->closing ||
	    (defer == VMIFS_DEFER_DISCOVERY && !g_atomic_int_get(&guest->discovered)))
		g_queue_push_tail_link(&guest->parked, &request->link);
	else
		run_locked(guest, request, defer);
	g_mutex_unlock(&guest->lock);
	if (g_atomic_int_get(&guest->gone))
		vmifs_fs_guest_abandon(guest); /* it may have been the last to look */
	vmifs_keeper_watch(guest->keeper);
}

gboolean
vmifs_fs_guest_expire(VmifsFsGuest *guest, gint64 now)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	for (GList *link = guest->running.head; link; link = link->next) {
		VmifsRequest *request = link->data;
		if (now > request->deadline + GRACE_US)
			vmifs_request_expire(request);
	}
	return guest->running.head != NULL;
}

/* ---- the end ---- */

void
vmifs_fs_guest_cancel(VmifsFsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	guest->closing = TRUE;
	for (GList *link = guest->running.head; link; link = link->next)
		vmifs_request_cancel(link->data);
}

void
vmifs_fs_guest_abandon(VmifsFsGuest *guest)
{
	int number = g_atomic_int_get(&guest->gone) ? ESTALE : ENODEV;
	vmifs_waiting_end(guest->waiting, number);
	for (;;) {
		g_mutex_lock(&guest->lock);
		GList *link = g_queue_pop_head_link(&guest->parked);
		g_mutex_unlock(&guest->lock);
		if (!link)
			return;
		vmifs_request_abandon(link->data, number);
		vmifs_request_free(link->data);
	}
}

gboolean
vmifs_fs_guest_is_idle(VmifsFsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	return !guest->running.head && vmifs_waiting_is_idle(guest->waiting);
}

void
vmifs_fs_guest_stop(VmifsFsGuest *guest)
{
	if (!guest->pool)
		return;
	g_thread_pool_free(g_steal_pointer(&guest->pool), FALSE, TRUE);
	g_thread_pool_free(g_steal_pointer(&guest->monitor), FALSE, TRUE);
	g_thread_pool_free(g_steal_pointer(&guest->patience), FALSE, TRUE);
	vmifs_waiting_stop(guest->waiting);
	vmifs_fs_guest_abandon(guest);
}
