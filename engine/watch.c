/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watch: the lines of a guest as they are written and read; see watch.h. */
#include "watch.h"

#include "guest.h"

#include <vmifs/watch.h>

#include <string.h>

/* How long a writer may overlook that its caller gave up. */
#define POLL_US (20 * G_TIME_SPAN_MILLISECOND)

/* ---- life ---- */

void
vmifs_watch_plan_clear(VmifsWatchPlan *plan)
{
	g_clear_pointer(&plan->points, g_array_unref);
	g_clear_pointer(&plan->why, g_free);
}

static VmifsWatch *
watch_new(const VmifsWatchLine *line)
{
	VmifsWatch *watch = g_new0(VmifsWatch, 1);

	g_atomic_ref_count_init(&watch->refs);
	watch->line = *line;
	watch->written = g_array_new(FALSE, TRUE, sizeof(VmifsWatchWritten));
	return watch;
}

void
vmifs_watch_unref(gpointer data)
{
	VmifsWatch *watch = data;

	if (!g_atomic_ref_count_dec(&watch->refs))
		return;
	vmifs_watch_plan_clear(&watch->plan);
	g_free(watch->told);
	g_free(watch->lost);
	g_array_unref(watch->written);
	g_free(watch);
}

guint64
vmifs_watches_kick(VmifsWatches *watches)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->wake_lock);

	g_cond_signal(&watches->wake);
	watches->tries++;
	watches->looks++;
	return ++watches->asked;
}

void
vmifs_watches_look_at_modules(VmifsWatches *watches)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->wake_lock);

	g_cond_signal(&watches->wake);
	watches->looks++;
	watches->asked++;
}

void
vmifs_watches_wake(VmifsWatches *watches)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->wake_lock);

	g_cond_signal(&watches->wake);
	watches->asked++;
}

static void
wanted_changed(gpointer user, gboolean wanted)
{
	VmifsWatches *watches = user;

	g_atomic_int_set(&watches->wanted, wanted);
	vmifs_watches_kick(watches);
}

/* NULL with error: there is no thread for it. */
static VmifsWatches *
watches_new(VmifsGuest *guest, GError **error)
{
	g_autoptr(VmifsWatches) watches = g_new0(VmifsWatches, 1);

	watches->guest = guest;
	watches->events = vmifs_events_ref(vmifs_guest_events(guest));
	watches->lines = g_ptr_array_new_with_free_func(vmifs_watch_unref);
	watches->armed = g_array_new(FALSE, FALSE, sizeof(VmifsWatchArmed));
	g_mutex_init(&watches->wake_lock);
	g_cond_init(&watches->wake);
	g_mutex_init(&watches->lock);
	g_cond_init(&watches->settled);
	/* What it looks at comes later: there is no line yet. */
	watches->thread = g_thread_try_new("watch", vmifs_watches_run, watches, error);
	if (!watches->thread)
		return NULL;
	vmifs_events_listen(watches->events, wanted_changed, watches);
	vmifs_connection_listen_stops(guest->connection, vmifs_watches_stopped,
				      vmifs_watches_unarmed, watches);
	return g_steal_pointer(&watches);
}

void
vmifs_watches_stop(VmifsWatches *watches)
{
	if (!watches)
		return;
	g_atomic_int_set(&watches->stopping, 1);
	vmifs_watches_kick(watches);
	g_thread_join(watches->thread);
	vmifs_connection_listen_stops(watches->guest->connection, NULL, NULL, NULL);
	vmifs_events_unlisten(watches->events, wanted_changed, watches);
}

void
vmifs_watches_free(VmifsWatches *watches)
{
	if (!watches)
		return;
	vmifs_events_unref(watches->events);
	g_ptr_array_unref(watches->lines);
	g_array_unref(watches->armed);
	vmifs_attached_unref(watches->attached);
	g_clear_pointer(&watches->symbols, vmifs_symbols_unref);
	g_mutex_clear(&watches->wake_lock);
	g_cond_clear(&watches->wake);
	g_mutex_clear(&watches->lock);
	g_cond_clear(&watches->settled);
	g_free(watches);
}

VmifsWatches *
vmifs_guest_watches(VmifsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

	return guest->watches;
}

/* The same, made when it is not there yet; NULL with error: the guest is on its way out, too. */
static VmifsWatches *
make_watches(VmifsGuest *guest, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);

	if (!guest->watches && g_atomic_int_get(&guest->cancelled))
		vmifs_connection_set_gone(error);
	else if (!guest->watches)
		guest->watches = watches_new(guest, error);
	return guest->watches;
}

void
vmifs_watches_code_changed(VmifsGuest *guest)
{
	VmifsWatches *watches = vmifs_guest_watches(guest);

	if (!watches)
		return;
	g_mutex_lock(&watches->lock);
	watches->n_texts++;
	g_mutex_unlock(&watches->lock);
	vmifs_watches_kick(watches);
}

/* ---- what becomes of a line ---- */

const char *
vmifs_watch_state_word(VmifsWatchState state)
{
	static const char *const words[] = {
		[VMIFS_WATCH_NEW] = "new",         [VMIFS_WATCH_IDLE] = "idle",
		[VMIFS_WATCH_ARMED] = "armed",     [VMIFS_WATCH_PAUSED] = "paused",
		[VMIFS_WATCH_WAITING] = "waiting", [VMIFS_WATCH_REFUSED] = "refused",
		[VMIFS_WATCH_DONE] = "done",
	};
	return words[state];
}

static gboolean
wait_done(VmifsWatches *watches, guint64 asked, const VmifsCall *call, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);

	while (watches->done < asked) {
		if (!vmifs_call_check(call, error))
			return FALSE;
		g_cond_wait_until(&watches->settled, &watches->lock,
				  g_get_monotonic_time() + POLL_US);
	}
	return TRUE;
}

/* ---- writing ---- */

static gboolean
find_locked(VmifsWatches *watches, const char *name, guint *ret_index)
{
	for (guint i = 0; i < watches->lines->len; i++) {
		const VmifsWatch *watch = g_ptr_array_index(watches->lines, i);
		if (g_str_equal(watch->line.name, name)) {
			*ret_index = i;
			return TRUE;
		}
	}
	return FALSE;
}

static void
remove_locked(VmifsWatches *watches, guint index)
{
	VmifsWatch *watch = g_ptr_array_index(watches->lines, index);

	watch->removed = TRUE;
	g_ptr_array_remove_index(watches->lines, index);
	if (!watches->lines->len)
		watches->n_named = 0;
}

static gboolean
add_locked(VmifsWatches *watches, VmifsWatchLine *line, GPtrArray *added, GError **error)
{
	guint index;

	if (watches->lines->len >= VMIFS_WATCH_MAX_LINES) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NO_SPACE,
			    "there are %u lines already: -NAME removes one", watches->lines->len);
		return FALSE;
	}
	while (!line->name[0]) {
		char name[VMIFS_WATCH_NAME_LEN];
		g_snprintf(name, sizeof name, "w%u", ++watches->n_named);
		if (!find_locked(watches, name, &index))
			memcpy(line->name, name, sizeof name);
	}
	if (find_locked(watches, line->name, &index)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_EXISTS,
			    "there is a line called %s already: -%s removes it", line->name,
			    line->name);
		return FALSE;
	}
	VmifsWatch *watch = watch_new(line);
	watch->is_awaited = TRUE;
	g_ptr_array_add(watches->lines, watch);
	g_atomic_ref_count_inc(&watch->refs);
	g_ptr_array_add(added, watch);
	return TRUE;
}

static gboolean
write_lines(VmifsWatches *watches, GArray *lines, GPtrArray *added, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);

	for (guint i = 0; i < lines->len; i++) {
		VmifsWatchLine *line = &g_array_index(lines, VmifsWatchLine, i);
		guint index;
		if (!line->is_removal) {
			if (!add_locked(watches, line, added, error))
				return FALSE;
		} else if (find_locked(watches, line->name, &index)) {
			remove_locked(watches, index);
		} else {
			g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND,
				    "there is no line called %s", line->name);
			return FALSE;
		}
	}
	return TRUE;
}

/* The first of those that were refused. */
static gboolean
check_added(VmifsWatches *watches, GPtrArray *added, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);

	for (guint i = 0; i < added->len; i++) {
		VmifsWatch *watch = g_ptr_array_index(added, i);
		if (watch->plan.state != VMIFS_WATCH_REFUSED)
			continue;
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "watch %s: refused: %s",
			    watch->line.name, watch->plan.why);
		g_free(watch->told);
		watch->told = g_strdup(watch->plan.why);
		return FALSE;
	}
	return TRUE;
}

/* What their writer was not told is told to readers. */
static void
await_no_more(VmifsWatches *watches, GPtrArray *added)
{
	gboolean is_untold = FALSE;

	g_mutex_lock(&watches->lock);
	for (guint i = 0; i < added->len; i++) {
		VmifsWatch *watch = g_ptr_array_index(added, i);
		watch->is_awaited = FALSE;
		is_untold |= g_strcmp0(watch->plan.why, watch->told) != 0;
	}
	g_mutex_unlock(&watches->lock);
	if (is_untold)
		vmifs_watches_wake(watches);
}

static gboolean
may_watch(VmifsGuest *guest, GArray *lines, GError **error)
{
	const VmifsOptions *options = vmifs_guest_options(guest);
	const char *why = options->passive ? "not on a passive mount" : NULL;

	if (vmifs_guest_is_frozen(guest)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "nothing happens in what does not run");
		return FALSE;
	}
	for (guint i = 0; i < lines->len && !options->guest_rw; i++)
		if (g_array_index(lines, VmifsWatchLine, i).patch)
			why = "`patch` changes the guest's memory: not without guest_rw among the "
			      "mount's options";
	if (why)
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_DENIED, why);
	return !why;
}

gboolean
vmifs_guest_watch(VmifsGuest *guest, const char *text, gsize len, const VmifsCall *call,
		  GError **error)
{
	g_autoptr(GArray) lines = vmifs_watch_lines_parse(text, len, error);
	g_autoptr(GPtrArray) added = g_ptr_array_new_with_free_func(vmifs_watch_unref);

	if (!lines || !may_watch(guest, lines, error))
		return FALSE;
	if (!lines->len)
		return TRUE;
	VmifsWatches *watches = make_watches(guest, error);
	if (!watches)
		return FALSE;
	gboolean written = write_lines(watches, lines, added, error);
	guint64 asked = vmifs_watches_kick(watches);
	gboolean good = written && wait_done(watches, asked, call, error) &&
			check_added(watches, added, error);
	await_no_more(watches, added);
	return good;
}

gboolean
vmifs_guest_watch_clear(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	VmifsWatches *watches = vmifs_guest_watches(guest);

	if (!watches)
		return TRUE;
	g_mutex_lock(&watches->lock);
	while (watches->lines->len)
		remove_locked(watches, watches->lines->len - 1);
	g_mutex_unlock(&watches->lock);
	return wait_done(watches, vmifs_watches_kick(watches), call, error);
}

gboolean
vmifs_guest_is_watched(VmifsGuest *guest)
{
	VmifsWatches *watches = vmifs_guest_watches(guest);

	if (!watches)
		return FALSE;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);
	return watches->lines->len > 0;
}

gboolean
vmifs_guest_watch_settle(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	VmifsWatches *watches = vmifs_guest_watches(guest);

	return !watches || wait_done(watches, vmifs_watches_kick(watches), call, error);
}

/* ---- reading ---- */

static void
append_locked(const VmifsWatch *watch, GString *out)
{
	const VmifsWatchPlan *plan = &watch->plan;

	vmifs_watch_line_text(&watch->line, out);
	g_string_append_printf(out, " # %s", vmifs_watch_state_word(plan->state));
	if (plan->state == VMIFS_WATCH_REFUSED || plan->state == VMIFS_WATCH_WAITING) {
		g_string_append(out, ": ");
		vmifs_text_append_octal(out, plan->why, -1, NULL);
	} else {
		g_string_append_printf(out, " hits=%" G_GUINT64_FORMAT, watch->hits);
	}
	if (watch->filtered)
		g_string_append_printf(out, " filtered=%" G_GUINT64_FORMAT, watch->filtered);
	g_string_append_c(out, '\n');
}

void
vmifs_guest_watch_text(VmifsGuest *guest, GString *out)
{
	VmifsWatches *watches = vmifs_guest_watches(guest);

	if (!watches)
		return;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);
	for (guint i = 0; i < watches->lines->len; i++)
		append_locked(g_ptr_array_index(watches->lines, i), out);
}
