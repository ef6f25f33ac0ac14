/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch-look: see the header. Of the guest only what a line depends on is asked, and only when it
 * may have changed: most looks are for a stop.
 */
#include "watch-look.h"

#include "backend-call.h"
#include "guest.h"

/* How long the source may take to say what it can do. */
#define CAPS_US (2 * G_USEC_PER_SEC)

static void
ask_caps(VmifsWatchLook *look)
{
	g_autoptr(GError) error = NULL;
	VmifsCall call = vmifs_watch_look_call(look, CAPS_US);

	if (!vmifs_backend_stop_caps(look->connection, &look->caps, &call, &error))
		look->no_caps = g_strdup(error->message);
	else if (look->caps.why_not)
		look->no_caps = g_strdup(look->caps.why_not);
}

/* Where its points are depends on what code the kernel has. */
static gboolean
is_of_code(const VmifsWatch *watch)
{
	return watch->line.kind == VMIFS_WATCH_REG || watch->line.symbol[0];
}

gboolean
vmifs_watch_look_needs_plan(const VmifsWatchLook *look, const VmifsWatch *watch)
{
	VmifsWatchState state = watch->plan.state;

	return watch->planned_for != look->boot ||
	       (is_of_code(watch) && watch->planned_text != look->text) || look->no_caps ||
	       state == VMIFS_WATCH_NEW ||
	       ((state == VMIFS_WATCH_WAITING || state == VMIFS_WATCH_REFUSED) &&
		watch->planned_try != look->try);
}

static void
ask_guest(VmifsWatchLook *look)
{
	VmifsGuest *guest = look->watches->guest;
	VmifsCall call = vmifs_watch_look_call(look, VMIFS_WATCH_SYMBOLS_US);
	gboolean is_needed = FALSE;

	for (guint i = 0; i < look->lines->len; i++) {
		const VmifsWatch *watch = g_ptr_array_index(look->lines, i);
		is_needed |= vmifs_watch_look_needs_plan(look, watch);
	}
	if (is_needed && look->attached && look->attached->instance)
		look->symbols = vmifs_guest_symbols(guest, &call, NULL);
}

/* That modules have come or gone while nobody read events nobody tells. */
static void
ask_modules(VmifsWatchLook *look)
{
	VmifsWatches *watches = look->watches;
	VmifsCall call = vmifs_watch_look_call(look, VMIFS_WATCH_SYMBOLS_US);
	gboolean is_of_interest = FALSE, is_other;
	guint64 modules = 1;

	for (guint i = 0; i < look->lines->len; i++)
		is_of_interest |= is_of_code(g_ptr_array_index(look->lines, i));
	if (!is_of_interest || watches->modules_look == look->look)
		return;
	watches->modules_look = look->look;
	g_autoptr(GArray) now = vmifs_guest_modules(watches->guest, &call, NULL);
	if (!now)
		return;
	for (guint i = 0; i < now->len; i++) {
		const VmifsModule *module = &g_array_index(now, VmifsModule, i);
		modules += (g_str_hash(module->name) ^ module->base) * 0x9e3779b97f4a7c15;
	}
	is_other = watches->modules && watches->modules != modules;
	watches->modules = modules;
	/* Symbols that somebody asked for a moment ago may still be those of the modules before. */
	if (is_other)
		vmifs_epoch_move(&watches->guest->connection->epoch);
	g_mutex_lock(&watches->lock);
	watches->n_texts += is_other;
	look->text = watches->n_texts;
	g_mutex_unlock(&watches->lock);
}

void
vmifs_watch_look_init(VmifsWatchLook *look, VmifsWatches *watches)
{
	*look = (VmifsWatchLook){ .watches = watches,
				  .connection = watches->guest->connection,
				  .lines = g_ptr_array_new_with_free_func(vmifs_watch_unref),
				  .points = g_array_new(FALSE, FALSE, sizeof(VmifsStopPoint)) };
	/* Before what has changed for them: what changes later has them tried once more. */
	g_mutex_lock(&watches->wake_lock);
	look->try = watches->tries;
	look->look = watches->looks;
	g_mutex_unlock(&watches->wake_lock);
	look->wanted = g_atomic_int_get(&watches->wanted);
	look->attached = vmifs_guest_attached(watches->guest);
	look->boot = look->attached ? look->attached->generation : 0;
	g_mutex_lock(&watches->lock);
	for (guint i = 0; i < watches->lines->len; i++) {
		VmifsWatch *watch = g_ptr_array_index(watches->lines, i);
		g_atomic_ref_count_inc(&watch->refs);
		g_ptr_array_add(look->lines, watch);
	}
	look->text = watches->n_texts;
	if (vmifs_rate_is_paused(&watches->rate, g_get_monotonic_time()))
		look->until = watches->rate.until;
	g_mutex_unlock(&watches->lock);
	if (!look->lines->len || g_atomic_int_get(&watches->stopping))
		return;
	ask_caps(look);
	if (look->attached && look->attached->instance)
		ask_modules(look);
	ask_guest(look);
}

void
vmifs_watch_look_clear(VmifsWatchLook *look)
{
	g_ptr_array_unref(look->lines);
	g_array_unref(look->points);
	g_free(look->no_caps);
	g_clear_pointer(&look->symbols, vmifs_symbols_unref);
	g_clear_pointer(&look->attached, vmifs_attached_unref);
}
