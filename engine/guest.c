/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest: physical memory plus, once discovery has ended, an attached OS. Whatever needs its result
 * waits on one condition.
 */
#include "guest.h"

#include "backend-call.h"
#include "physmem.h"

#include <vmifs/text.h>

/* How long a waiter may overlook that its caller gave up. */
#define POLL_US (20 * G_TIME_SPAN_MILLISECOND)
/* A source that does not answer is asked no longer than this, and not at once again. */
#define STATE_WAIT_US (2 * G_USEC_PER_SEC)
#define STATE_HUNG_US G_USEC_PER_SEC
/* What `info` waits for it, which must never take long. */
#define STATE_INFO_US (100 * G_TIME_SPAN_MILLISECOND)

VmifsGuest *
vmifs_guest_new(const char *name, const char *source, const VmifsBackend *backend,
		VmifsPhysmem *mem, gint64 acquired, const VmifsOptions *options)
{
	VmifsGuest *guest = g_new0(VmifsGuest, 1);
	g_atomic_ref_count_init(&guest->refs);
	guest->name = g_strdup(name);
	guest->source = g_strdup(source);
	guest->backend = backend;
	guest->mem = mem;
	guest->connection = vmifs_connection_ref(vmifs_physmem_connection(mem));
	guest->acquired = acquired;
	guest->generation = 1;
	guest->options = *options;
	guest->log = vmifs_log_new();
	guest->events = vmifs_events_new();
	if (backend->frozen)
		vmifs_events_end(guest->events);
	guest->waiters = g_array_new(FALSE, FALSE, sizeof(VmifsGuestWaiter));
	guest->snapshots = g_ptr_array_new();
	g_mutex_init(&guest->lock);
	g_cond_init(&guest->changed);
	return guest;
}

VmifsGuest *
vmifs_guest_ref(VmifsGuest *guest)
{
	g_atomic_ref_count_inc(&guest->refs);
	return guest;
}

void
vmifs_guest_unref(VmifsGuest *guest)
{
	if (!guest || !g_atomic_ref_count_dec(&guest->refs))
		return;
	g_assert(!guest->thread);
	vmifs_guest_end_snapshots(guest);
	vmifs_attached_unref(guest->attached);
	vmifs_physmem_unref(guest->mem);
	vmifs_connection_unref(guest->connection);
	vmifs_log_free(guest->log);
	vmifs_watches_free(guest->watches);
	vmifs_events_unref(guest->events);
	g_array_unref(guest->waiters);
	g_mutex_clear(&guest->lock);
	g_cond_clear(&guest->changed);
	g_free(guest->source);
	g_free(guest->name);
	g_free(guest);
}

/* ---- its thread ---- */

void
vmifs_guest_listen(VmifsGuest *guest, VmifsGuestTold told, gpointer user)
{
	guest->told = told;
	guest->told_user = user;
}

/* From the source. Its end is passed on at once: the guest's thread may be busy with a long pass.
 */
static void
source_changed(gpointer user, guint what)
{
	VmifsGuest *guest = user;
	g_mutex_lock(&guest->lock);
	guest->pending |= what;
	g_cond_broadcast(&guest->changed);
	g_mutex_unlock(&guest->lock);
	if (what & VMIFS_CHANGE_GONE && guest->told)
		guest->told(guest, TRUE, guest->told_user);
}

void
vmifs_guest_start(VmifsGuest *guest)
{
	if (!guest->backend->frozen)
		guest->observer = vmifs_observer_new(guest);
	vmifs_connection_listen(guest->connection, source_changed, guest);
	guest->thread = g_thread_try_new("guest", vmifs_guest_follow, guest, NULL);
	if (!guest->thread)
		vmifs_guest_follow_not(guest);
}

void
vmifs_guest_stop(VmifsGuest *guest)
{
	vmifs_connection_listen(guest->connection, NULL, NULL);
	g_atomic_int_set(&guest->cancelled, 1);
	g_mutex_lock(&guest->lock);
	g_cond_broadcast(&guest->changed);
	g_mutex_unlock(&guest->lock);
	g_clear_pointer(&guest->thread, g_thread_join);
	vmifs_watches_stop(vmifs_guest_watches(guest));
	g_mutex_lock(&guest->lock);
	VmifsObserver *observer = g_steal_pointer(&guest->observer);
	g_mutex_unlock(&guest->lock);
	vmifs_observer_free(observer);
	vmifs_guest_end_snapshots(guest);
}

void
vmifs_guest_drop(VmifsGuest *guest)
{
	g_atomic_int_inc(&guest->generation);
	/* A pass over its memory may be under way. */
	g_atomic_int_set(&guest->cancelled, 1);
	vmifs_connection_drop(guest->connection);
	if (guest->observer)
		vmifs_observer_end(guest->observer);
	vmifs_events_end(guest->events);
	g_mutex_lock(&guest->lock);
	g_cond_broadcast(&guest->changed);
	g_mutex_unlock(&guest->lock);
}

/* ---- waiting for discovery ---- */

gboolean
vmifs_guest_is_discovered(VmifsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	return guest->attached != NULL;
}

void
vmifs_guest_when_discovered(VmifsGuest *guest, GFunc done, gpointer user)
{
	g_mutex_lock(&guest->lock);
	gboolean now = guest->attached != NULL;
	if (!now)
		g_array_append_val(guest->waiters, ((VmifsGuestWaiter){ done, user }));
	g_mutex_unlock(&guest->lock);
	if (now)
		done(guest, user);
}

static gboolean
must_wait(const VmifsGuest *guest)
{
	return (!guest->attached || guest->searching) &&
	       !vmifs_connection_is_gone(guest->connection);
}

VmifsAttached *
vmifs_guest_wait_attached(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	while (must_wait(guest)) {
		g_cond_wait_until(&guest->changed, &guest->lock, g_get_monotonic_time() + POLL_US);
		if (must_wait(guest) && !vmifs_call_check(call, error)) {
			g_prefix_error(error,
				       "waiting for the kernel of %s to be found: ", guest->name);
			return NULL;
		}
	}
	if (vmifs_connection_is_gone(guest->connection)) {
		vmifs_connection_set_gone(error);
		return NULL;
	}
	vmifs_epoch_touch(&guest->connection->epoch);
	return vmifs_attached_ref(guest->attached);
}

VmifsAttached *
vmifs_guest_attached(VmifsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	return guest->attached ? vmifs_attached_ref(guest->attached) : NULL;
}

/* ---- what it is ---- */

gboolean
vmifs_guest_is_base_assumed(VmifsGuest *guest)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	return vmifs_physmem_is_base_assumed(mem);
}

const char *
vmifs_guest_name(const VmifsGuest *guest)
{
	return guest->name;
}

const VmifsOptions *
vmifs_guest_options(const VmifsGuest *guest)
{
	return &guest->options;
}

const guint *
vmifs_guest_epoch(const VmifsGuest *guest)
{
	return &guest->connection->epoch.now;
}

gboolean
vmifs_guest_is_frozen(const VmifsGuest *guest)
{
	return guest->backend->frozen;
}

gint64
vmifs_guest_acquired(const VmifsGuest *guest)
{
	return guest->acquired;
}

VmifsPhysmem *
vmifs_guest_physmem(VmifsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	return vmifs_physmem_ref(guest->mem);
}

VmifsState
vmifs_guest_ask_state(VmifsGuest *guest, const VmifsCall *call)
{
	VmifsState state;

	if (!vmifs_backend_state(guest->connection, &state, call, NULL))
		state = VMIFS_STATE_UNRESPONSIVE;
	g_mutex_lock(&guest->lock);
	gboolean resumed = guest->state != state && state == VMIFS_STATE_RUNNING;
	guest->state = state;
	guest->state_asked = g_get_monotonic_time();
	g_mutex_unlock(&guest->lock);
	if (resumed)
		vmifs_epoch_move(&guest->connection->epoch);
	return state;
}

/* What was told a moment ago. */
static gboolean
known_state(VmifsGuest *guest, VmifsState *ret)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	gint64 age = g_get_monotonic_time() - guest->state_asked;
	gint64 max_age = guest->connection->epoch.max_age_us;

	if (guest->state == VMIFS_STATE_UNRESPONSIVE)
		max_age = MAX(max_age, STATE_HUNG_US);
	if (!guest->state_asked || age >= max_age)
		return FALSE;
	*ret = guest->state;
	return TRUE;
}

static VmifsState
state_within(VmifsGuest *guest, gint64 wait_us, const VmifsCall *call)
{
	VmifsCall limited = { .deadline = g_get_monotonic_time() + wait_us,
			      .cancelled = call ? call->cancelled : NULL };
	VmifsState state = VMIFS_STATE_GONE;

	if (guest->backend->frozen)
		return VMIFS_STATE_SNAPSHOT;
	if (call && call->deadline)
		limited.deadline = MIN(limited.deadline, call->deadline);
	if (!vmifs_connection_is_gone(guest->connection) && !known_state(guest, &state))
		state = vmifs_guest_ask_state(guest, &limited);
	return vmifs_connection_is_gone(guest->connection) ? VMIFS_STATE_GONE : state;
}

VmifsState
vmifs_guest_state(VmifsGuest *guest, const VmifsCall *call)
{
	return state_within(guest, STATE_WAIT_US, call);
}

gboolean
vmifs_guest_set_state(VmifsGuest *guest, VmifsState wanted, const VmifsCall *call, GError **error)
{
	gboolean set = vmifs_backend_set_state(guest->connection, wanted, call, error);

	g_mutex_lock(&guest->lock);
	guest->state_asked = 0;
	/* The guest may be on its way out. */
	if (guest->observer)
		vmifs_observer_wake(guest->observer);
	g_mutex_unlock(&guest->lock);
	vmifs_epoch_move(&guest->connection->epoch);
	return set;
}

guint
vmifs_guest_generation(VmifsGuest *guest)
{
	return (guint) g_atomic_int_get((gint *) &guest->generation);
}

const char *
vmifs_state_to_string(VmifsState state)
{
	static const char *const names[] = {
		[VMIFS_STATE_RUNNING] = "running",
		[VMIFS_STATE_PAUSED] = "paused",
		[VMIFS_STATE_UNRESPONSIVE] = "unresponsive",
		[VMIFS_STATE_SNAPSHOT] = "snapshot",
		[VMIFS_STATE_GONE] = "gone",
	};
	return names[state];
}

void
vmifs_guest_log(VmifsGuest *guest, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vmifs_log_add(guest->log, format, args);
	va_end(args);
}

void
vmifs_guest_log_text(VmifsGuest *guest, GString *out)
{
	vmifs_log_text(guest->log, out);
}

static void
append_memory_info(VmifsPhysmem *mem, GString *out)
{
	guint64 ram = vmifs_physmem_ram(mem);
	gsize n;
	vmifs_physmem_regions(mem, &n);
	g_string_append_printf(out,
			       "ram: %" G_GUINT64_FORMAT " bytes (%" G_GUINT64_FORMAT
			       " MiB) in %zu region%s\n",
			       ram, ram >> 20, n, n == 1 ? "" : "s");
}

void
vmifs_guest_info(VmifsGuest *guest, GString *out)
{
	g_string_append(out, "name: ");
	vmifs_text_append_octal(out, guest->name, -1, NULL);
	g_string_append(out, "\nsource: ");
	vmifs_text_append_octal(out, guest->source, -1, NULL);
	g_string_append_printf(out, "\nbackend: %s\n", guest->backend->name);
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	vmifs_physmem_info(mem, out);
	g_string_append_printf(out, "state: %s\n",
			       vmifs_state_to_string(state_within(guest, STATE_INFO_US, NULL)));
	g_autoptr(GDateTime) time =
		guest->acquired ? g_date_time_new_from_unix_utc(guest->acquired / G_USEC_PER_SEC)
				: NULL;
	g_autofree char *stamp = time ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ") : NULL;
	g_string_append_printf(out, "acquired: %s\n", stamp ? stamp : "unknown");
	append_memory_info(mem, out);

	g_autoptr(VmifsAttached) attached = vmifs_guest_attached(guest);
	if (!attached) {
		g_string_append_printf(out, "discovery: running, %d %%\n",
				       g_atomic_int_get(&guest->progress));
		return;
	}
	const VmifsAspace *aspace = attached->aspace;
	const VmifsInstance *instance = attached->instance;
	g_string_append_printf(out, "discovery: ended after %.1f ms\n",
			       (double) attached->discovery_us / 1000);
	if (aspace)
		g_string_append_printf(out,
				       "arch: %s\npaging: %s\nroot: 0x%" G_GINT64_MODIFIER "x\n",
				       vmifs_aspace_arch(aspace), vmifs_aspace_mode(aspace),
				       vmifs_aspace_root(aspace));
	if (instance && instance->os->info)
		instance->os->info(instance->self, out);
	if (!instance)
		g_string_append(out, "os: unknown\n");
	g_string_append(out, attached->report);
}

/* ---- vCPUs ---- */

guint
vmifs_guest_n_reg_vcpus(VmifsGuest *guest)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	return vmifs_physmem_n_vcpus(mem);
}

VmifsRegs *
vmifs_guest_regs(VmifsGuest *guest, guint vcpu, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	return vmifs_physmem_regs(mem, vcpu, call, error);
}

VmifsRegs *
vmifs_guest_all_regs(VmifsGuest *guest, guint vcpu, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	g_autoptr(VmifsRegs) regs = vmifs_physmem_regs(mem, vcpu, call, error);
	g_autoptr(GError) problem = NULL;

	if (regs && !vmifs_physmem_system_regs(mem, vcpu, regs, call, &problem) &&
	    !g_error_matches(problem, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED))
		vmifs_guest_log(guest, "registers of the system are not told: %s",
				problem->message);
	return g_steal_pointer(&regs);
}

gboolean
vmifs_guest_vcpu_translate(VmifsGuest *guest, guint vcpu, guint64 va, guint64 *ret_pa,
			   const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	return vmifs_physmem_vcpu_translate(mem, vcpu, va, ret_pa, call, error);
}

gboolean
vmifs_guest_set_reg(VmifsGuest *guest, guint vcpu, const char *name, guint64 value,
		    const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	return vmifs_physmem_set_reg(mem, vcpu, name, value, call, error);
}

guint
vmifs_guest_n_vcpus(VmifsGuest *guest, const VmifsCall *call)
{
	guint n = vmifs_guest_n_reg_vcpus(guest);
	if (n)
		return n;
	g_autoptr(VmifsAttached) attached = vmifs_guest_wait_attached(guest, call, NULL);
	return attached ? attached->n_vcpus : 0;
}
