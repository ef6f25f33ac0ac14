/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * observe: two threads, since a hypervisor that does not answer must not keep the second from what
 * is in memory:
 *
 *   state   asks once a second, or when the source has told that it may have changed
 *   lists   each cache_ms, but never for more than a small share of a processor; for a larger one
 *           while things happen
 *
 * The state of a guest that we ourselves make stand still for a moment is not looked at.
 */
#include "observe.h"

#include "compare.h"
#include "guest.h"
#include "watch.h"

#include <time.h>

#define STATE_US G_USEC_PER_SEC
#define STATE_WAIT_US (2 * G_USEC_PER_SEC)
/* Where it is not known yet, and we make the guest stand still. */
#define STATE_AGAIN_US (20 * G_TIME_SPAN_MILLISECOND)
/* What a look at lists may cost, as a part of the time until the next: as long as nothing happens,
 * and for a while after something has. */
#define IDLE_PART 200
#define BUSY_PART 10
#define BUSY_US (2 * G_USEC_PER_SEC)
#define LEAST_US (5 * G_TIME_SPAN_MILLISECOND)
#define MOST_US (5 * G_USEC_PER_SEC)
/* Where lists cannot be had. */
#define RETRY_US G_USEC_PER_SEC
/* Between two looks at whether who waits has been told to stop. */
#define POLL_US (20 * G_TIME_SPAN_MILLISECOND)

/* One of the threads. Returns when to look again, in µs from now; first: nothing is known yet. */
typedef gint64 (*Look)(VmifsObserver *observer, gboolean first);

typedef struct {
	VmifsObserver *observer;
	Look look;
	GThread *thread; /* (lock) NULL until it was wanted once */
	guint woken;     /* (lock) so often it was to look at once */
	guint looked;    /* (lock) the wanted for which there is something to compare with */
} Eye;

struct VmifsObserver {
	VmifsGuest *guest;
	Eye state, lists;

	/* of the thread of state */
	gboolean knows_state; /* since somebody reads */
	VmifsState last_state;
	guint last_boot;

	/* of the thread of lists */
	VmifsCompare *compare;
	gboolean knows_tasks;   /* since somebody reads; or they cannot be had */
	gboolean knows_modules; /* they were looked at since somebody reads */
	gint64 busy_until;

	GMutex lock; /* guards what follows */
	GCond changed;
	gboolean ending;
	guint wanted; /* odd while it is; counts each change */
};

/* ---- the state ---- */

static void
push_state(VmifsObserver *observer, VmifsState state, guint boot)
{
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("state");

	vmifs_event_add_text(&event, "state", vmifs_state_to_string(state), -1);
	if (boot)
		vmifs_event_add_number(&event, "boot", boot);
	vmifs_events_push(observer->guest->events, &event);
}

static gint64
look_at_state(VmifsObserver *observer, gboolean first)
{
	VmifsGuest *guest = observer->guest;
	VmifsCall call = { .deadline = g_get_monotonic_time() + STATE_WAIT_US,
			   .cancelled = &guest->cancelled };
	gint before, after;
	gboolean alone = vmifs_connection_is_left_alone(guest->connection, &before);
	VmifsState state;
	guint boot;

	if (first) {
		observer->knows_state = FALSE;
		observer->last_boot = vmifs_guest_generation(guest);
	}
	if (!alone && !observer->knows_state)
		return STATE_AGAIN_US;
	state = vmifs_guest_ask_state(guest, &call);
	boot = vmifs_guest_generation(guest);
	alone = alone && vmifs_connection_is_left_alone(guest->connection, &after);
	if (!alone || before != after) {
		if (!observer->knows_state)
			return STATE_AGAIN_US;
		state = observer->last_state;
	}
	if (!vmifs_connection_is_gone(guest->connection) &&
	    ((observer->knows_state && state != observer->last_state) ||
	     boot != observer->last_boot))
		push_state(observer, state, boot);
	/* What was refused of a source that did not answer may be had now. */
	gboolean answers_again = observer->knows_state &&
				 observer->last_state == VMIFS_STATE_UNRESPONSIVE &&
				 state == VMIFS_STATE_RUNNING;
	VmifsWatches *watches = answers_again ? vmifs_guest_watches(guest) : NULL;
	if (watches)
		vmifs_watches_kick(watches);
	observer->knows_state = TRUE;
	observer->last_state = state;
	observer->last_boot = boot;
	return STATE_US;
}

/* ---- what it lists ---- */

static gint64
cpu_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000;
}

/* Whether anything has changed; FALSE, too, where the OS tells none. */
static gboolean
compare_modules(VmifsObserver *observer, guint generation, const VmifsCall *call)
{
	VmifsWatches *watches;
	g_autoptr(GArray) modules = vmifs_guest_modules(observer->guest, call, NULL);

	/* Those of another boot are no change of these. */
	if (!modules || vmifs_guest_generation(observer->guest) != generation)
		return FALSE;
	gboolean changed =
		vmifs_compare_modules(observer->compare, g_steal_pointer(&modules), generation);
	if (changed)
		vmifs_watches_code_changed(observer->guest);
	/* What changed before this look was not seen here: whoever armed lines compares. */
	else if (!observer->knows_modules && (watches = vmifs_guest_watches(observer->guest)))
		vmifs_watches_look_at_modules(watches);
	observer->knows_modules = TRUE;
	return changed;
}

static gint64
look_at_lists(VmifsObserver *observer, gboolean first)
{
	VmifsGuest *guest = observer->guest;
	gint64 start = cpu_us(), now;
	VmifsCall call = { .deadline = g_get_monotonic_time() + RETRY_US,
			   .cancelled = &guest->cancelled };
	guint generation = vmifs_guest_generation(guest);

	if (first) {
		vmifs_compare_reset(observer->compare);
		observer->knows_tasks = observer->knows_modules = FALSE;
	}
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(guest, &call, NULL);
	observer->knows_tasks |= !tasks || vmifs_task_list_is_complete(tasks);
	if (!tasks || vmifs_guest_generation(guest) != generation)
		return RETRY_US;
	gboolean changed = vmifs_compare_tasks(observer->compare, tasks, generation);
	changed |= compare_modules(observer, generation, &call);
	now = g_get_monotonic_time();
	if (changed || first)
		observer->busy_until = now + BUSY_US;
	gint64 part = now < observer->busy_until ? BUSY_PART : IDLE_PART;
	gint64 grain = (gint64) guest->options.cache_ms * G_TIME_SPAN_MILLISECOND;
	return MAX(CLAMP((cpu_us() - start) * part, LEAST_US, MOST_US), grain);
}

/* ---- threads ---- */

static gboolean
can_compare(const Eye *eye)
{
	return eye->look == look_at_lists ? eye->observer->knows_tasks : eye->observer->knows_state;
}

/* Not from under our lock: who holds the guest's may take that. */
static void
tell_looked(VmifsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

	g_cond_broadcast(&guest->changed);
}

static void
note_looked(Eye *eye, guint wanted)
{
	VmifsObserver *observer = eye->observer;

	g_mutex_lock(&observer->lock);
	gboolean is_news = eye->looked != wanted && can_compare(eye);
	if (is_news)
		eye->looked = wanted;
	g_mutex_unlock(&observer->lock);
	if (is_news)
		tell_looked(observer->guest);
}

static gpointer
run(gpointer data)
{
	Eye *eye = data;
	VmifsObserver *observer = eye->observer;
	guint looked_for = 0; /* the wanted that it has begun with */
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&observer->lock);

	while (!observer->ending) {
		if (observer->wanted % 2 == 0) {
			g_cond_wait(&observer->changed, &observer->lock);
			continue;
		}
		guint wanted = observer->wanted, woken = eye->woken;
		g_mutex_unlock(&observer->lock);
		gint64 end = eye->look(observer, looked_for != wanted) + g_get_monotonic_time();
		looked_for = wanted;
		note_looked(eye, wanted);
		g_mutex_lock(&observer->lock);
		while (!observer->ending && observer->wanted == wanted && eye->woken == woken &&
		       g_cond_wait_until(&observer->changed, &observer->lock, end))
			continue;
	}
	return NULL;
}

/* From who opens or closes. Without a thread it is tried again with the next one. */
static void
wanted_changed(gpointer user, gboolean wanted)
{
	VmifsObserver *observer = user;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&observer->lock);

	observer->wanted++;
	for (guint i = 0; i < 2; i++) {
		Eye *eye = i ? &observer->lists : &observer->state;
		g_autoptr(GError) error = NULL;
		if (!eye->thread)
			eye->thread = g_thread_try_new("observe", run, eye, &error);
		if (error)
			vmifs_guest_log(observer->guest, "events: %s are not looked at: %s",
					i ? "processes and modules" : "changes of its state",
					error->message);
	}
	g_cond_broadcast(&observer->changed);
}

VmifsObserver *
vmifs_observer_new(VmifsGuest *guest)
{
	VmifsObserver *observer = g_new0(VmifsObserver, 1);

	observer->guest = guest;
	observer->state = (Eye){ .observer = observer, .look = look_at_state };
	observer->lists = (Eye){ .observer = observer, .look = look_at_lists };
	observer->compare = vmifs_compare_new(guest->events);
	g_mutex_init(&observer->lock);
	g_cond_init(&observer->changed);
	vmifs_events_listen(guest->events, wanted_changed, observer);
	return observer;
}

void
vmifs_observer_wake(VmifsObserver *observer)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&observer->lock);

	observer->state.woken++;
	g_cond_broadcast(&observer->changed);
}

void
vmifs_observer_end(VmifsObserver *observer)
{
	if (vmifs_events_wanted(observer->guest->events))
		push_state(observer, VMIFS_STATE_GONE, 0);
}

void
vmifs_observer_free(VmifsObserver *observer)
{
	if (!observer)
		return;
	vmifs_events_unlisten(observer->guest->events, wanted_changed, observer);
	g_mutex_lock(&observer->lock);
	observer->ending = TRUE;
	g_cond_broadcast(&observer->changed);
	g_mutex_unlock(&observer->lock);
	if (observer->state.thread)
		g_thread_join(observer->state.thread);
	if (observer->lists.thread)
		g_thread_join(observer->lists.thread);
	vmifs_compare_free(observer->compare);
	g_mutex_clear(&observer->lock);
	g_cond_clear(&observer->changed);
	g_free(observer);
}

/* ---- who waits for it ---- */

static gboolean
has_looked(VmifsObserver *observer)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&observer->lock);
	const Eye *state = &observer->state, *lists = &observer->lists;

	/* One that has no thread will not. */
	return observer->wanted % 2 && (!state->thread || state->looked == observer->wanted) &&
	       (!lists->thread || lists->looked == observer->wanted);
}

static gboolean
is_seen_locked(VmifsGuest *guest)
{
	return !guest->observer || has_looked(guest->observer);
}

gboolean
vmifs_guest_events_are_seen(VmifsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

	return is_seen_locked(guest);
}

gboolean
vmifs_guest_events_settle(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

	while (!is_seen_locked(guest) && !vmifs_connection_is_gone(guest->connection)) {
		if (!vmifs_call_check(call, error))
			return FALSE;
		g_cond_wait_until(&guest->changed, &guest->lock, g_get_monotonic_time() + POLL_US);
	}
	return TRUE;
}
