/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * follow: the thread of a guest. It looks for the operating system; of a running guest it then
 * stays, sees about once a second whether that boot still runs, and looks again when it does not:
 *
 *   search -> attached -> (alive? alive? ...) -> ended: generation + 1 -> search -> ...
 *          -> nothing -> what the source tells, each second; a pass over memory, ever more rarely
 *
 * What the source tells in between (layout, state, another moment) is acted on here too, one thing
 * after the other.
 */
#include "aspace.h"
#include "discover.h"
#include "guest.h"
#include "physmem.h"

#define TICK_US G_USEC_PER_SEC
/* Passes over all memory, while nothing is found: the pause doubles up to this, and is never
 * shorter than so many times what the last pass took. */
#define FIRST_PAUSE_US G_USEC_PER_SEC
#define LAST_PAUSE_US (600 * G_USEC_PER_SEC)
#define PAUSE_PER_COST 20
#define LATER_PAUSE_PER_COST 400
/* Of a guest in which nothing was found for so long, the source is asked less often, too. */
#define PATIENCE_US (60 * G_USEC_PER_SEC)
#define LATER_TICKS 5
/* What is not understood yet is tried so often, each time after twice the pause. */
#define MOST_TRIES 8
/* Each is a look at everything, if the first one took no longer. */
#define QUICK_US (G_USEC_PER_SEC)
/* For so long nothing may move in a kernel before another one is looked for. */
#define DOUBT_US (5 * G_USEC_PER_SEC)

typedef struct {
	gint64 since; /* when this search began */
	gint64 next_pass;
	gint64 pause;
	gint64 rest; /* until then another pass would be more than its share of our time */
	guint ticks;
	gboolean layout_due; /* it has changed, and could not be learned yet */
	gboolean in_doubt;   /* whether what is attached still runs */

	/* To understand more of what is attached. */
	guint understood; /* which generation's */
	guint tries;
	gint64 next_try, try_pause;
} Search;

static void
tell(VmifsGuest *guest)
{
	if (guest->told)
		guest->told(guest, FALSE, guest->told_user);
}

static void
publish(VmifsGuest *guest, VmifsAttached *attached, gboolean searching)
{
	g_mutex_lock(&guest->lock);
	g_autoptr(VmifsAttached) old = guest->attached;
	guest->attached = attached;
	guest->searching = searching;
	GArray *waiters = guest->waiters;
	guest->waiters = g_array_new(FALSE, FALSE, sizeof(VmifsGuestWaiter));
	g_cond_broadcast(&guest->changed);
	/* Before who waited goes on: lines that he writes are not tried again for it. */
	if (guest->watches)
		vmifs_watches_kick(guest->watches);
	g_mutex_unlock(&guest->lock);

	for (guint i = 0; i < waiters->len; i++) {
		const VmifsGuestWaiter *waiter = &g_array_index(waiters, VmifsGuestWaiter, i);
		waiter->done(guest, waiter->user);
	}
	g_array_unref(waiters);
}

/* ---- looking for the OS ---- */

static void
set_mem(VmifsGuest *guest, VmifsPhysmem *mem)
{
	g_mutex_lock(&guest->lock);
	g_autoptr(VmifsPhysmem) old = guest->mem;
	guest->mem = vmifs_physmem_ref(mem);
	g_mutex_unlock(&guest->lock);
	vmifs_epoch_move(&guest->connection->epoch);
}

/* (full) NULL when a short look has found nothing: that leaves the long one's report. */
static VmifsAttached *
discover(VmifsGuest *guest, VmifsDiscoverDepth depth)
{
	VmifsCall call = { .cancelled = &guest->cancelled };
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	gint64 start = g_get_monotonic_time();
	VmifsDiscovery found = { 0 };

	vmifs_epoch_touch(&guest->connection->epoch);
	vmifs_discover(guest, mem, depth, &guest->progress, &call, &found);
	if (found.mem) {
		set_mem(guest, found.mem);
		vmifs_physmem_unref(found.mem);
	}
	if (!found.instance && depth == VMIFS_DISCOVER_TOLD) {
		g_free(found.report);
		return NULL;
	}
	const VmifsOs *os = found.instance ? found.instance->os : NULL;
	guint n = os && os->n_vcpus ? os->n_vcpus(found.instance->self, &call) : 0;
	VmifsAttached *attached = vmifs_attached_new(vmifs_guest_generation(guest), found.instance,
						     found.aspace, found.report);
	attached->n_vcpus = MIN(n, VMIFS_MAX_VCPUS);
	attached->discovery_us = g_get_monotonic_time() - start;
	return attached;
}

/* Looks at everything, and says when that may be done again. (full) */
static VmifsAttached *
discover_all(VmifsGuest *guest, Search *search)
{
	gint64 start = g_get_monotonic_time(), now;
	VmifsAttached *attached = discover(guest, VMIFS_DISCOVER_ALL);

	now = g_get_monotonic_time();
	gint64 per_cost = now - search->since < PATIENCE_US ? PAUSE_PER_COST : LATER_PAUSE_PER_COST;
	search->next_pass = now + MAX(search->pause, per_cost * (now - start));
	search->rest = now + PAUSE_PER_COST * (now - start);
	search->pause = MIN(2 * search->pause, LAST_PAUSE_US);
	return attached;
}

static void
search_begin(VmifsGuest *guest, Search *search)
{
	*search = (Search){ .since = g_get_monotonic_time(),
			    .pause = FIRST_PAUSE_US,
			    .layout_due = search->layout_due };
	publish(guest, discover_all(guest, search), FALSE);
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	if (vmifs_physmem_is_encrypted(mem))
		vmifs_guest_log(guest, "its memory is encrypted: nothing is looked for in it");
}

/* Nothing is attached: is there something now? */
static void
search_on(VmifsGuest *guest, Search *search)
{
	gint64 now = g_get_monotonic_time();
	gboolean is_late = now - search->since >= PATIENCE_US;

	if (is_late && ++search->ticks % LATER_TICKS)
		return;
	VmifsAttached *attached = now >= search->next_pass ? discover_all(guest, search)
							   : discover(guest, VMIFS_DISCOVER_TOLD);
	if (attached)
		publish(guest, attached, FALSE);
}

/* ---- what becomes of it ---- */

/* (full) */
static VmifsAttached *
nothing_attached(guint generation, const char *why)
{
	return vmifs_attached_new(generation, NULL, NULL,
				  g_strdup_printf("discovery: again: %s\n", why));
}

static void
end_boot(VmifsGuest *guest, const char *why, Search *search)
{
	guint generation = (guint) g_atomic_int_add((gint *) &guest->generation, 1) + 1;

	vmifs_guest_log(guest, "the kernel that was attached has ended: %s", why);
	vmifs_observer_wake(guest->observer);
	vmifs_epoch_move(&guest->connection->epoch);
	publish(guest, nothing_attached(generation, why), TRUE);
	tell(guest);
	if (g_get_monotonic_time() >= search->rest) {
		search_begin(guest, search);
	} else {
		/* A guest that ends a boot each second could keep us busy: search_on() goes on. */
		VmifsAttached *attached = discover(guest, VMIFS_DISCOVER_TOLD);
		publish(guest, attached ? attached : nothing_attached(generation, why), FALSE);
	}
	tell(guest);
}

/* Its memory lies elsewhere, or there is more or less of it. The kernel is the same: it is attached
 * once more over the new layout, since an instance's address spaces keep the memory they were made
 * with, and whoever still holds the old ones reads what they described. */
static VmifsAttached *
attach_again(VmifsGuest *guest, const VmifsAttached *old, VmifsPhysmem *mem, GError **error)
{
	VmifsCall call = { .cancelled = &guest->cancelled };
	const VmifsInstance *instance = old->instance;
	g_autoptr(VmifsAspace) aspace = old->aspace
						? vmifs_aspace_new(mem, &old->aspace->tables.paging,
								   &guest->connection->epoch.now)
						: NULL;
	VmifsInstance *again = NULL;

	if (instance) {
		again = vmifs_instance_new(instance->os, guest, mem, aspace, instance->data, &call,
					   error);
		if (!again)
			return NULL;
		g_clear_pointer(&aspace, vmifs_aspace_unref);
	}
	VmifsAttached *attached = vmifs_attached_new(
		old->generation, again, g_steal_pointer(&aspace), g_strdup(old->report));
	attached->discovery_us = old->discovery_us;
	attached->n_vcpus = old->n_vcpus;
	return attached;
}

static void
change_layout(VmifsGuest *guest, Search *search)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + 2 * G_USEC_PER_SEC,
			   .cancelled = &guest->cancelled };
	g_autoptr(VmifsAttached) old = vmifs_guest_attached(guest);
	g_autoptr(VmifsPhysmem) before = vmifs_guest_physmem(guest);
	g_autoptr(GError) error = NULL;
	g_autoptr(VmifsPhysmem) mem = vmifs_physmem_of(guest->connection, &call, &error);

	if (!mem) {
		vmifs_guest_log(guest, "its memory has changed, but how cannot be learned: %s",
				error->message);
		search->layout_due = TRUE;
		return;
	}
	search->layout_due = FALSE;
	if (vmifs_physmem_is_like(mem, before))
		return;
	set_mem(guest, mem);
	VmifsAttached *attached = old ? attach_again(guest, old, mem, &error) : NULL;
	if (attached)
		publish(guest, attached, FALSE);
	else if (old)
		end_boot(guest, error->message, search);
	tell(guest);
}

static gboolean
is_same_kernel(const VmifsAttached *found, const VmifsAttached *old)
{
	return found->instance->os == old->instance->os &&
	       vmifs_aspace_root(found->aspace) == vmifs_aspace_root(old->aspace);
}

/* Nothing in it moves, and registers are not to be had: it may be what a reset has left, while
 * another one runs. Of two that are whole the OS prefers the one that ran last. */
static void
look_for_another(VmifsGuest *guest, const VmifsAttached *old, Search *search)
{
	gint64 now = g_get_monotonic_time();

	if (!search->in_doubt) {
		*search = (Search){ .since = now,
				    .pause = DOUBT_US,
				    .next_pass = now + DOUBT_US,
				    .rest = search->rest,
				    .layout_due = search->layout_due,
				    .in_doubt = TRUE };
		return;
	}
	if (now < search->next_pass)
		return;
	g_autoptr(VmifsAttached) found = discover_all(guest, search);
	if (!found->instance || is_same_kernel(found, old))
		return;
	vmifs_guest_log(guest, "another kernel runs than the one that was attached");
	search->in_doubt = FALSE;
	found->generation = (guint) g_atomic_int_add((gint *) &guest->generation, 1) + 1;
	vmifs_epoch_move(&guest->connection->epoch);
	publish(guest, g_steal_pointer(&found), FALSE);
	vmifs_observer_wake(guest->observer);
	tell(guest);
}

/* (full) (nullable) The kernel that is attached, looked at once more. */
static VmifsAttached *
look_again(VmifsGuest *guest, const VmifsAttached *old)
{
	if (old->discovery_us > QUICK_US) {
		g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
		return attach_again(guest, old, mem, NULL);
	}
	/* By what it has written since, what leads to it may be found, too. */
	g_autoptr(VmifsAttached) found = discover(guest, VMIFS_DISCOVER_ALL);
	return found->instance && is_same_kernel(found, old) ? g_steal_pointer(&found) : NULL;
}

/* Just after it has started there is less in it to understand it by than later. */
static void
understand_more(VmifsGuest *guest, const VmifsAttached *old, Search *search)
{
	const VmifsInstance *instance = old->instance;
	guint known = instance->os->known ? instance->os->known(instance->self) : G_MAXUINT;
	gint64 start = g_get_monotonic_time();

	if (known == G_MAXUINT)
		return;
	if (search->understood != old->generation) {
		search->understood = old->generation;
		search->tries = 0;
		search->try_pause = FIRST_PAUSE_US;
		search->next_try = start + FIRST_PAUSE_US;
	}
	if (search->tries >= MOST_TRIES || start < search->next_try)
		return;
	g_autoptr(VmifsAttached) again = look_again(guest, old);
	search->tries++;
	if (again && instance->os->known(again->instance->self) > known) {
		search->tries = 0;
		publish(guest, g_steal_pointer(&again), FALSE);
	}
	gint64 cost = g_get_monotonic_time() - start;
	search->try_pause = MAX(2 * search->try_pause, PAUSE_PER_COST * cost);
	search->next_try = g_get_monotonic_time() + search->try_pause;
}

static gboolean
is_alive(VmifsGuest *guest, const VmifsInstance *instance, gboolean *ret_sure)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + 2 * G_USEC_PER_SEC,
			   .cancelled = &guest->cancelled };

	*ret_sure = TRUE;
	vmifs_epoch_touch(&guest->connection->epoch);
	return !instance->os->alive || instance->os->alive(instance->self, ret_sure, &call);
}

static void
look(VmifsGuest *guest, Search *search)
{
	g_autoptr(VmifsAttached) attached = vmifs_guest_attached(guest);
	gboolean is_sure;

	if (!attached->instance) {
		search_on(guest, search);
		g_autoptr(VmifsAttached) now = vmifs_guest_attached(guest);
		if (now->instance)
			tell(guest);
	} else if (is_alive(guest, attached->instance, &is_sure)) {
		if (is_sure) {
			search->in_doubt = FALSE;
			understand_more(guest, attached, search);
		} else {
			look_for_another(guest, attached, search);
		}
	} else if (!g_atomic_int_get(&guest->cancelled) &&
		   !vmifs_connection_is_gone(guest->connection)) {
		/* And not because it is going, or because we are. */
		end_boot(guest, "it is not there any more", search);
	}
}

/* ---- the thread ---- */

/* What the source has told, after a second at most. */
static guint
wait_changes(VmifsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	gint64 end = g_get_monotonic_time() + TICK_US;

	while (!guest->pending && !g_atomic_int_get(&guest->cancelled) &&
	       g_cond_wait_until(&guest->changed, &guest->lock, end))
		continue;
	guint what = guest->pending;
	guest->pending = 0;
	return what;
}

static void
follow_changes(VmifsGuest *guest, guint what, Search *search)
{
	if (what & VMIFS_CHANGE_STATE) {
		g_mutex_lock(&guest->lock);
		guest->state_asked = 0;
		g_mutex_unlock(&guest->lock);
		vmifs_observer_wake(guest->observer);
		vmifs_epoch_move(&guest->connection->epoch);
	}
	if (what & VMIFS_CHANGE_LAYOUT || search->layout_due)
		change_layout(guest, search);
	if (what & VMIFS_CHANGE_CONTENT)
		end_boot(guest, "its memory is of another moment", search);
}

gpointer
vmifs_guest_follow(gpointer data)
{
	VmifsGuest *guest = data;
	Search search = { 0 };

	search_begin(guest, &search);
	tell(guest);
	while (!guest->backend->frozen && !g_atomic_int_get(&guest->cancelled)) {
		guint what = wait_changes(guest);
		if (what & VMIFS_CHANGE_GONE || g_atomic_int_get(&guest->cancelled))
			break;
		follow_changes(guest, what, &search);
		look(guest, &search);
	}
	return NULL;
}

void
vmifs_guest_follow_not(VmifsGuest *guest)
{
	vmifs_guest_log(guest, "what runs in it is not looked for: there is no thread to be had");
	publish(guest,
		vmifs_attached_new(vmifs_guest_generation(guest), NULL, NULL,
				   g_strdup("discovery: none: there was no thread to be had\n")),
		FALSE);
}
