/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch-arm: the thread that makes what is armed agree with what is wanted. It alone calls the
 * backend, under no lock, and it always looks at everything: however often, and in whatever order,
 * lines are written, readers come and the guest boots, one look at the end is enough.
 *
 * Points are armed once, however many lines want them. A line of which one point is refused gets
 * none. Between the two tables (lines, armed) nothing refers to each other but by value, so that a
 * stop that comes in between finds what there is.
 */
#include "backend-call.h"
#include "guest.h"
#include "watch-look.h"

/* How long the source may take to arm points. */
#define ARM_US (2 * G_USEC_PER_SEC)

/* What stops are to be looked at with. */
static void
publish(VmifsWatchLook *look)
{
	VmifsWatches *watches = look->watches;
	const VmifsOptions *options = vmifs_guest_options(watches->guest);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);

	gboolean is_other = watches->attached && watches->attached->generation != look->boot;
	vmifs_attached_unref(watches->attached);
	watches->attached = look->attached ? vmifs_attached_ref(look->attached) : NULL;
	if (look->symbols || is_other)
		g_clear_pointer(&watches->symbols, vmifs_symbols_unref);
	if (look->symbols)
		watches->symbols = vmifs_symbols_ref(look->symbols);
	watches->max_rate = options->has_max_stops ? options->max_stops : look->caps.max_rate;
}

/* ---- plans ---- */

static gboolean
is_live(const VmifsWatch *watch)
{
	VmifsWatchState state = watch->plan.state;

	return state == VMIFS_WATCH_IDLE || state == VMIFS_WATCH_ARMED ||
	       state == VMIFS_WATCH_PAUSED;
}

/* NULL: nothing, or nothing new. (full) */
static char *
take_untold(VmifsWatches *watches, VmifsWatch *watch)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);
	const char *why = watch->plan.why;

	if (watch->is_awaited || !g_strcmp0(why, watch->told))
		return NULL;
	g_free(watch->told);
	watch->told = g_strdup(why);
	return g_strdup(why);
}

/* Once for each reason, however often it is tried again. */
static void
tell(VmifsWatches *watches, VmifsWatch *watch)
{
	g_autofree char *why = take_untold(watches, watch);
	const char *state = vmifs_watch_state_word(watch->plan.state);
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("watch");

	if (!why)
		return;
	vmifs_guest_log(watches->guest, "watch %s: %s: %s", watch->line.name, state, why);
	vmifs_event_add_text(&event, "watch", watch->line.name, -1);
	vmifs_event_add_text(&event, "state", state, -1);
	vmifs_event_add_text(&event, "why", why, -1);
	vmifs_events_push(watches->events, &event);
}

/* It is not tried again for what was asked before. */
static void
refuse_locked(const VmifsWatchLook *look, VmifsWatch *watch, const char *why)
{
	watch->planned_try = look->try;
	g_free(watch->plan.why);
	watch->plan.why = g_strdup(why);
	watch->plan.state = VMIFS_WATCH_REFUSED;
}

static void
refuse(VmifsWatchLook *look, VmifsWatch *watch, const char *why)
{
	g_mutex_lock(&look->watches->lock);
	refuse_locked(look, watch, why);
	g_mutex_unlock(&look->watches->lock);
}

static void
plan_line(VmifsWatchLook *look, VmifsWatch *watch)
{
	VmifsWatches *watches = look->watches;
	g_auto(VmifsWatchPlan) plan = { 0 };
	VmifsCall call = vmifs_watch_look_call(look, VMIFS_WATCH_SYMBOLS_US);

	vmifs_watch_make_plan(watches->guest, &watch->line, look->attached, look->symbols,
			      look->no_caps ? NULL : &look->caps, look->no_caps, &call, &plan);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);
	vmifs_watch_plan_clear(&watch->plan);
	watch->plan = plan;
	plan = (VmifsWatchPlan){ 0 };
	watch->planned_for = look->no_caps ? 0 : look->boot;
	watch->planned_text = look->text;
	watch->planned_try = look->try;
	watch->has_value = FALSE;
	/* Of a module that has gone: it may come again. */
	if (watch->plan.lacks_symbol && watch->had_points)
		watch->plan.state = VMIFS_WATCH_WAITING;
	watch->had_points |= watch->plan.points->len > 0;
}

/* What stops have left to be done; TRUE: there is no more to plan. */
static gboolean
take_news(VmifsWatchLook *look, VmifsWatch *watch)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&look->watches->lock);

	if (watch->is_done)
		watch->plan.state = VMIFS_WATCH_DONE;
	else if (watch->lost)
		refuse_locked(look, watch, watch->lost);
	gboolean is_news = watch->is_done || watch->lost;
	g_clear_pointer(&watch->lost, g_free);
	return is_news;
}

static void
plan_all(VmifsWatchLook *look)
{
	for (guint i = 0; i < look->lines->len; i++) {
		VmifsWatch *watch = g_ptr_array_index(look->lines, i);
		if (!take_news(look, watch) && vmifs_watch_look_needs_plan(look, watch))
			plan_line(look, watch);
	}
}

static void
add_points(GArray *points, const VmifsWatch *watch)
{
	for (guint i = 0; i < watch->plan.points->len; i++) {
		const VmifsStopPoint *point = &g_array_index(watch->plan.points, VmifsStopPoint, i);
		if (!vmifs_stop_points_have(points, point))
			g_array_append_val(points, *point);
	}
}

static gboolean
is_memory(const VmifsStopPoint *point)
{
	return point->kind != VMIFS_STOP_EXEC && point->kind != VMIFS_STOP_STEP;
}

/* Points of memory that a source could not tell apart. */
static gboolean
overlap(const VmifsStopPoint *a, const VmifsStopPoint *b)
{
	return is_memory(a) && is_memory(b) && !vmifs_stop_point_equal(a, b) &&
	       (a->address - b->address < b->len || b->address - a->address < a->len);
}

/* Of the lines before it; NULL: none has bytes of what that one watches. */
static const VmifsWatch *
find_overlap(const VmifsWatchLook *look, guint before)
{
	const VmifsWatch *watch = g_ptr_array_index(look->lines, before);

	if (watch->line.kind != VMIFS_WATCH_MEM || !look->caps.apart)
		return NULL;
	const VmifsStopPoint *point = &g_array_index(watch->plan.points, VmifsStopPoint, 0);
	for (guint i = 0; i < before; i++) {
		const VmifsWatch *other = g_ptr_array_index(look->lines, i);
		if (is_live(other) && other->line.kind == VMIFS_WATCH_MEM &&
		    overlap(point, &g_array_index(other->plan.points, VmifsStopPoint, 0)))
			return other;
	}
	return NULL;
}

/* n: of its points that no line before it has. */
static char *
why_no_room(const VmifsWatchLook *look, const VmifsWatch *watch, guint n, guint n_slots,
	    guint n_taken)
{
	gboolean has_slots = watch->line.kind != VMIFS_WATCH_STEP && !watch->line.patch;
	guint most = VMIFS_WATCH_MAX_POINTS;

	if (look->caps.slots && has_slots && n > look->caps.slots - n_slots) {
		most = look->caps.slots;
		n_taken = n_slots;
	} else if (n <= most - n_taken) {
		return NULL;
	}
	return g_strdup_printf("it needs %u of the %u places there are, and %u %s taken", n, most,
			       n_taken, n_taken == 1 ? "is" : "are");
}

/* Slots, and bytes, are given out in the order the lines were written, whether they are armed now
 * or not: a line that was accepted does not lose its place to a later one. */
static void
give_out(VmifsWatchLook *look)
{
	g_autoptr(GArray) taken = g_array_new(FALSE, FALSE, sizeof(VmifsStopPoint));
	guint n_slots = 0;

	for (guint i = 0; i < look->lines->len; i++) {
		VmifsWatch *watch = g_ptr_array_index(look->lines, i);
		guint before = taken->len;
		if (!is_live(watch))
			continue;
		const VmifsWatch *other = find_overlap(look, i);
		add_points(taken, watch);
		guint n = taken->len - before;
		g_autofree char *why =
			other ? g_strdup_printf("line %s has some of these bytes, and is not for "
						"the same access to the same ones",
						other->line.name)
			      : why_no_room(look, watch, n, n_slots, before);
		if (why) {
			g_array_set_size(taken, before);
			refuse(look, watch, why);
		} else if (watch->line.kind != VMIFS_WATCH_STEP && !watch->line.patch) {
			n_slots += n;
		}
	}
}

static void
collect_points(VmifsWatchLook *look)
{
	g_array_set_size(look->points, 0);
	for (guint i = 0; i < look->lines->len; i++) {
		const VmifsWatch *watch = g_ptr_array_index(look->lines, i);
		if (is_live(watch) && (look->wanted || watch->line.keep))
			add_points(look->points, watch);
	}
}

/* ---- arming ---- */

static void
disarm_others(VmifsWatchLook *look)
{
	VmifsWatches *watches = look->watches;
	g_autoptr(GArray) leaving = g_array_new(FALSE, FALSE, sizeof(guint64));

	g_mutex_lock(&watches->lock);
	for (guint i = watches->armed->len; i-- > 0;) {
		const VmifsWatchArmed *armed = &g_array_index(watches->armed, VmifsWatchArmed, i);
		if (vmifs_stop_points_have(look->points, &armed->point))
			continue;
		g_array_append_val(leaving, armed->id);
		g_array_remove_index(watches->armed, i);
	}
	if (leaving->len)
		vmifs_rate_add(&watches->rate, 1, g_get_monotonic_time());
	g_mutex_unlock(&watches->lock);
	if (leaving->len)
		vmifs_backend_disarm(look->connection, (const guint64 *) (void *) leaving->data,
				     leaving->len);
}

static gboolean
wants(const VmifsWatch *watch, const VmifsStopPoint *point)
{
	return is_live(watch) && vmifs_stop_points_have(watch->plan.points, point);
}

/* The lines that want the point cannot have it, nor the rest of theirs. */
static void
refuse_point(VmifsWatchLook *look, const VmifsStopPoint *point, const char *why)
{
	for (guint i = 0; i < look->lines->len; i++) {
		VmifsWatch *watch = g_ptr_array_index(look->lines, i);
		if (wants(watch, point))
			refuse(look, watch, why);
	}
}

static gboolean
is_armed_locked(VmifsWatches *watches, const VmifsStopPoint *point)
{
	for (guint i = 0; i < watches->armed->len; i++)
		if (vmifs_stop_point_equal(&g_array_index(watches->armed, VmifsWatchArmed, i).point,
					   point))
			return TRUE;
	return FALSE;
}

static void
remember(VmifsWatchLook *look, const VmifsStopPoint *point)
{
	for (guint i = 0; i < look->lines->len; i++) {
		VmifsWatch *watch = g_ptr_array_index(look->lines, i);
		if (wants(watch, point))
			vmifs_watch_remember(look->watches, watch, look->attached);
	}
}

/* Those that are not armed yet. */
static GArray *
find_missing(VmifsWatchLook *look)
{
	VmifsWatches *watches = look->watches;
	GArray *missing = g_array_new(FALSE, FALSE, sizeof(VmifsStopPoint));

	g_mutex_lock(&watches->lock);
	for (guint i = 0; i < look->points->len; i++) {
		const VmifsStopPoint *point = &g_array_index(look->points, VmifsStopPoint, i);
		if (!is_armed_locked(watches, point))
			g_array_append_val(missing, *point);
	}
	g_mutex_unlock(&watches->lock);
	for (guint i = 0; i < missing->len; i++)
		remember(look, &g_array_index(missing, VmifsStopPoint, i));
	return missing;
}

/* They may stop before arm() has returned. Returns the id of the first; 0: it has come to pause. */
static guint64
note_armed(VmifsWatchLook *look, const GArray *points)
{
	VmifsWatches *watches = look->watches;
	gint64 now = g_get_monotonic_time();
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);
	guint64 first = watches->last_id + 1;

	if (vmifs_rate_is_paused(&watches->rate, now)) {
		look->until = watches->rate.until;
		return 0;
	}
	vmifs_rate_add(&watches->rate, 1, now);
	for (guint i = 0; i < points->len; i++) {
		VmifsWatchArmed armed = { .id = ++watches->last_id,
					  .point = g_array_index(points, VmifsStopPoint, i) };
		g_array_append_val(watches->armed, armed);
	}
	return first;
}

static void
forget_armed(VmifsWatches *watches, guint64 first, guint n)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);

	for (guint i = watches->armed->len; i-- > 0;)
		if (g_array_index(watches->armed, VmifsWatchArmed, i).id - first < n)
			g_array_remove_index(watches->armed, i);
}

static gboolean
is_id_armed_locked(const VmifsWatches *watches, guint64 id)
{
	for (guint i = 0; i < watches->armed->len; i++)
		if (g_array_index(watches->armed, VmifsWatchArmed, i).id == id)
			return TRUE;
	return FALSE;
}

/* A stop of another point may have begun a pause before these were there to be taken away. */
static void
disarm_forgotten(VmifsWatchLook *look, guint64 first, guint n)
{
	g_autoptr(GArray) forgotten = g_array_new(FALSE, FALSE, sizeof(guint64));

	g_mutex_lock(&look->watches->lock);
	for (guint64 id = first; id - first < n; id++)
		if (!is_id_armed_locked(look->watches, id))
			g_array_append_val(forgotten, id);
	g_mutex_unlock(&look->watches->lock);
	if (forgotten->len)
		vmifs_backend_disarm(look->connection, (const guint64 *) (void *) forgotten->data,
				     forgotten->len);
}

/* In one go, for which the guest stands once. FALSE: a line was refused, and leaves points behind
 * that nobody wants. */
static gboolean
arm_all(VmifsWatchLook *look)
{
	VmifsCall call = vmifs_watch_look_call(look, ARM_US);
	g_autoptr(GArray) points = find_missing(look);
	g_autoptr(GError) error = NULL;
	guint failed;

	guint64 first = points->len ? note_armed(look, points) : 0;
	if (!first)
		return TRUE;
	if (vmifs_backend_arm(look->connection, first,
			      (const VmifsStopPoint *) (void *) points->data, points->len, &failed,
			      &call, &error)) {
		disarm_forgotten(look, first, points->len);
		return TRUE;
	}
	forget_armed(look->watches, first, points->len);
	/* A source that does not answer in time is not waited for once more for each line. */
	gboolean is_silent = g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT);
	for (guint i = is_silent ? 0 : failed; i < (is_silent ? points->len : failed + 1); i++)
		refuse_point(look, &g_array_index(points, VmifsStopPoint, i), error->message);
	return FALSE;
}

static void
arm_wanted(VmifsWatchLook *look)
{
	plan_all(look);
	give_out(look);
	/* Each turn that is not the last one refuses a line at least. */
	do {
		collect_points(look);
		disarm_others(look);
	} while (!look->until && !arm_all(look));
}

/* ---- the thread ---- */

static void
set_states_locked(const VmifsWatchLook *look)
{
	for (guint i = 0; i < look->lines->len; i++) {
		VmifsWatch *watch = g_ptr_array_index(look->lines, i);
		if (!is_live(watch))
			continue;
		watch->plan.state = !look->wanted && !watch->line.keep ? VMIFS_WATCH_IDLE
				    : look->until                      ? VMIFS_WATCH_PAUSED
								       : VMIFS_WATCH_ARMED;
	}
}

/* Returns when it is to be done again in any case: a pause is over; 0 = never. What a stop makes of
 * the pause meanwhile does not matter: nothing was armed. */
static gint64
look_at_all(VmifsWatches *watches, guint64 asked)
{
	VmifsWatchLook look;

	vmifs_watch_look_init(&look, watches);
	publish(&look);
	if (!g_atomic_int_get(&watches->stopping))
		arm_wanted(&look);
	g_mutex_lock(&watches->lock);
	set_states_locked(&look);
	watches->done = asked;
	g_cond_broadcast(&watches->settled);
	g_mutex_unlock(&watches->lock);
	for (guint i = 0; i < look.lines->len; i++)
		tell(watches, g_ptr_array_index(look.lines, i));
	vmifs_watch_look_clear(&look);
	return look.until;
}

/* Until something has changed, or then; 0 = never. */
static guint64
wait_asked(VmifsWatches *watches, guint64 done, gint64 until)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->wake_lock);
	while (watches->asked == done) {
		if (!until)
			g_cond_wait(&watches->wake, &watches->wake_lock);
		else if (!g_cond_wait_until(&watches->wake, &watches->wake_lock, until))
			break;
	}
	return watches->asked;
}

gpointer
vmifs_watches_run(gpointer data)
{
	VmifsWatches *watches = data;
	guint64 asked = 0;
	gint64 until = 0;

	while (!g_atomic_int_get(&watches->stopping)) {
		asked = wait_asked(watches, asked, until);
		until = look_at_all(watches, asked);
	}
	VmifsWatchLook none = { .watches = watches,
				.connection = watches->guest->connection,
				.points = g_array_new(FALSE, FALSE, sizeof(VmifsStopPoint)) };
	disarm_others(&none);
	g_array_unref(none.points);
	g_mutex_lock(&watches->lock);
	watches->done = G_MAXUINT64;
	g_cond_broadcast(&watches->settled);
	g_mutex_unlock(&watches->lock);
	return NULL;
}
