/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tsan-glib: tells the thread sanitizer about GLib's locks. They are futexes inside a library that
 * was built without it, so every lock of ours would look like none. Linked only into builds with
 * -Db_sanitize=thread, these definitions stand before the library's, call them, and say what they
 * order. (GLib's atomic operations are inline; what it builds on pthreads is seen as it is.)
 */
#include <dlfcn.h>
#include <glib.h>
#include <sanitizer/tsan_interface.h>

#define REAL(name) ((__typeof__(&name)) real(&real_##name, #name))

static gpointer real_g_mutex_lock, real_g_mutex_trylock, real_g_mutex_unlock;
static gpointer real_g_cond_wait, real_g_cond_wait_until;
static gpointer real_g_once_init_enter, real_g_once_init_leave;
static gpointer real_g_atomic_ref_count_dec;
static gpointer real_g_thread_pool_new, real_g_thread_pool_push, real_g_thread_pool_free;

/* When first called: constructors of libraries come before any of ours. */
static gpointer
real(gpointer *where, const char *name)
{
	gpointer found = __atomic_load_n(where, __ATOMIC_RELAXED);

	if (!found) {
		found = dlsym(RTLD_NEXT, name);
		__atomic_store_n(where, found, __ATOMIC_RELAXED);
	}
	return found;
}

#pragma GCC visibility push(default)

void
g_mutex_lock(GMutex *mutex)
{
	__tsan_mutex_pre_lock(mutex, 0);
	REAL(g_mutex_lock)(mutex);
	__tsan_mutex_post_lock(mutex, 0, 0);
}

gboolean
g_mutex_trylock(GMutex *mutex)
{
	__tsan_mutex_pre_lock(mutex, __tsan_mutex_try_lock);
	gboolean locked = REAL(g_mutex_trylock)(mutex);
	__tsan_mutex_post_lock(mutex,
			       locked ? __tsan_mutex_try_lock
				      : __tsan_mutex_try_lock | __tsan_mutex_try_lock_failed,
			       0);
	return locked;
}

void
g_mutex_unlock(GMutex *mutex)
{
	__tsan_mutex_pre_unlock(mutex, 0);
	REAL(g_mutex_unlock)(mutex);
	__tsan_mutex_post_unlock(mutex, 0);
}

void
g_cond_wait(GCond *cond, GMutex *mutex)
{
	__tsan_mutex_pre_unlock(mutex, 0);
	__tsan_mutex_post_unlock(mutex, 0);
	REAL(g_cond_wait)(cond, mutex);
	__tsan_mutex_pre_lock(mutex, 0);
	__tsan_mutex_post_lock(mutex, 0, 0);
}

gboolean
g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_time)
{
	__tsan_mutex_pre_unlock(mutex, 0);
	__tsan_mutex_post_unlock(mutex, 0);
	gboolean signalled = REAL(g_cond_wait_until)(cond, mutex, end_time);
	__tsan_mutex_pre_lock(mutex, 0);
	__tsan_mutex_post_lock(mutex, 0, 0);
	return signalled;
}

gboolean(g_once_init_enter)(volatile void *location)
{
	gboolean first = REAL(g_once_init_enter)(location);
	if (!first)
		__tsan_acquire((void *) location);
	return first;
}

void(g_once_init_leave)(volatile void *location, gsize result)
{
	__tsan_release((void *) location);
	REAL(g_once_init_leave)(location, result);
}

/* What holders did is ordered before what the last of them takes apart. */
gboolean(g_atomic_ref_count_dec)(gatomicrefcount *count)
{
	__tsan_release(count);
	gboolean last = REAL(g_atomic_ref_count_dec)(count);
	if (last)
		__tsan_acquire(count);
	return last;
}

/* What is pushed is ordered before the work on it, and all work before the end of the pool. */
typedef struct {
	GFunc func;
	gpointer user;
} Pool;

static void
work(gpointer data, gpointer user)
{
	Pool *pool = user;
	__tsan_acquire(data);
	pool->func(data, pool->user);
	__tsan_release(pool);
}

GThreadPool *
g_thread_pool_new(GFunc func, gpointer user, gint max_threads, gboolean exclusive, GError **error)
{
	Pool *pool =
		g_new(Pool, 1); /* lives as long as the process: work may still follow the end */
	pool->func = func;
	pool->user = user;
	return REAL(g_thread_pool_new)(work, pool, max_threads, exclusive, error);
}

gboolean
g_thread_pool_push(GThreadPool *pool, gpointer data, GError **error)
{
	__tsan_release(data);
	return REAL(g_thread_pool_push)(pool, data, error);
}

/* GLib frees the pool in its last thread, under locks that are not seen. */
__attribute__((no_sanitize("thread"))) void
g_thread_pool_free(GThreadPool *pool, gboolean immediate, gboolean wait)
{
	gpointer ours = pool->user_data;
	REAL(g_thread_pool_free)(pool, immediate, wait);
	__tsan_acquire(ours);
}
