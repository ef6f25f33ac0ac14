/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lazy: see lazy.h. */
#include "lazy.h"

/* How long a waiter may overlook that its caller gave up. */
#define POLL_US (20 * G_TIME_SPAN_MILLISECOND)
/* Epochs by which one may be later than that wanted: the numbers wrap, and one that is far ahead is
 * a very old one. */
#define MOST_AHEAD 1024

void
vmifs_lazy_init(VmifsLazy *lazy, gpointer (*ref)(gpointer), GDestroyNotify unref)
{
	*lazy = (VmifsLazy){ .ref = ref, .unref = unref };
	g_mutex_init(&lazy->lock);
	g_cond_init(&lazy->built);
}

void
vmifs_lazy_clear(VmifsLazy *lazy)
{
	if (lazy->value)
		lazy->unref(lazy->value);
	g_mutex_clear(&lazy->lock);
	g_cond_clear(&lazy->built);
}

gpointer
vmifs_lazy_get(VmifsLazy *lazy, guint epoch, VmifsLazyBuild build, gpointer user,
	       const VmifsCall *call, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lazy->lock);

	for (;;) {
		if (lazy->value && lazy->epoch - epoch < MOST_AHEAD)
			return lazy->ref(lazy->value);
		if (!lazy->building)
			break;
		gint64 end = g_get_monotonic_time() + POLL_US;
		if (call && call->deadline)
			end = MIN(end, call->deadline);
		g_cond_wait_until(&lazy->built, &lazy->lock, end);
		if (!vmifs_call_check(call, error))
			return NULL;
	}

	lazy->building = TRUE;
	g_mutex_unlock(&lazy->lock);
	gpointer value = build(user, &epoch, call, error);
	g_mutex_lock(&lazy->lock);
	lazy->building = FALSE;
	g_cond_broadcast(&lazy->built);
	if (!value)
		return NULL;

	gpointer old = lazy->value;
	lazy->value = value;
	lazy->epoch = epoch;
	gpointer ret = lazy->ref(value);
	if (old)
		lazy->unref(old);
	return ret;
}
