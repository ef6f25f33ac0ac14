/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest: physical memory plus, once discovery has ended, an attached OS. Discovery has a thread;
 * everything that needs its result waits on one condition. Symbols and tasks are shared values,
 * made once per epoch; the epoch of a frozen guest never moves.
 */
#include "guest.h"

#include "backend-call.h"
#include "discover.h"
#include "lazy.h"
#include "log.h"
#include "physmem.h"

#include <vmifs/text.h>

/* How long a waiter may overlook that its caller gave up. */
#define POLL_US (20 * G_TIME_SPAN_MILLISECOND)

typedef struct {
	GFunc done;
	gpointer user;
} Waiter;

struct VmifsGuest {
	gatomicrefcount refs;
	char *name;
	char *source;
	const VmifsBackend *backend;
	gint64 acquired;
	VmifsOptions options;
	VmifsPhysmem *mem;
	VmifsLog *log;
	guint epoch;      /* atomic */
	guint generation; /* atomic */
	gint cancelled;   /* atomic; ends discovery */
	gint progress;    /* atomic; percent */
	GThread *thread;
	VmifsGuestTold told; /* set before it starts */
	gpointer told_user;

	GMutex lock; /* guards what follows */
	GCond changed;
	gboolean discovered;
	gint64 discovery_us;
	VmifsInstance *instance; /* (nullable) */
	guint n_os_vcpus;        /* that the OS tells */
	VmifsAspace *aspace;     /* (nullable) of a root given by the user, without an OS */
	char *report;
	GArray *waiters; /* of Waiter */

	VmifsLazy symbols; /* locked by itself */
	VmifsLazy tasks;
};

VmifsInstance *
vmifs_instance_ref(VmifsInstance *instance)
{
	g_atomic_ref_count_inc(&instance->refs);
	return instance;
}

void
vmifs_instance_unref(VmifsInstance *instance)
{
	if (!instance || !g_atomic_ref_count_dec(&instance->refs))
		return;
	if (instance->self)
		instance->os->detach(instance->self);
	if (instance->free_data)
		instance->free_data(instance->data);
	vmifs_aspace_unref(instance->aspace);
	vmifs_physmem_unref(instance->mem);
	g_free(instance);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsInstance, vmifs_instance_unref)

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
	guest->acquired = acquired;
	guest->generation = 1;
	guest->options = *options;
	guest->log = vmifs_log_new();
	guest->waiters = g_array_new(FALSE, FALSE, sizeof(Waiter));
	g_mutex_init(&guest->lock);
	g_cond_init(&guest->changed);
	vmifs_lazy_init(&guest->symbols, (gpointer(*)(gpointer)) vmifs_symbols_ref,
			(GDestroyNotify) vmifs_symbols_unref);
	vmifs_lazy_init(&guest->tasks, (gpointer(*)(gpointer)) vmifs_task_list_ref,
			(GDestroyNotify) vmifs_task_list_unref);
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
	vmifs_lazy_clear(&guest->symbols);
	vmifs_lazy_clear(&guest->tasks);
	vmifs_instance_unref(guest->instance);
	g_clear_pointer(&guest->aspace, vmifs_aspace_unref);
	vmifs_physmem_unref(guest->mem);
	vmifs_log_free(guest->log);
	g_array_unref(guest->waiters);
	g_mutex_clear(&guest->lock);
	g_cond_clear(&guest->changed);
	g_free(guest->report);
	g_free(guest->source);
	g_free(guest->name);
	g_free(guest);
}

/* ---- discovery ---- */

static gpointer
discover_thread(gpointer data)
{
	VmifsGuest *guest = data;
	VmifsCall call = { .cancelled = &guest->cancelled };
	gint64 start = g_get_monotonic_time();
	VmifsDiscovery found = { 0 };
	vmifs_discover(guest, guest->mem, &guest->progress, &call, &found);
	const VmifsOs *os = found.instance ? found.instance->os : NULL;
	guint n_vcpus = os && os->n_vcpus ? os->n_vcpus(found.instance->self, &call) : 0;

	g_mutex_lock(&guest->lock);
	guest->n_os_vcpus = MIN(n_vcpus, VMIFS_MAX_VCPUS);
	guest->instance = found.instance;
	guest->aspace = found.aspace;
	guest->report = found.report;
	guest->discovery_us = g_get_monotonic_time() - start;
	guest->discovered = TRUE;
	GArray *waiters = guest->waiters;
	guest->waiters = g_array_new(FALSE, FALSE, sizeof(Waiter));
	g_cond_broadcast(&guest->changed);
	g_mutex_unlock(&guest->lock);

	for (guint i = 0; i < waiters->len; i++) {
		const Waiter *waiter = &g_array_index(waiters, Waiter, i);
		waiter->done(guest, waiter->user);
	}
	g_array_unref(waiters);
	return NULL;
}

void
vmifs_guest_listen(VmifsGuest *guest, VmifsGuestTold told, gpointer user)
{
	guest->told = told;
	guest->told_user = user;
}

static void
source_changed(gpointer user, guint what)
{
	VmifsGuest *guest = user;

	if (guest->told && what & VMIFS_CHANGE_GONE)
		guest->told(guest, TRUE, guest->told_user);
}

void
vmifs_guest_drop(VmifsGuest *guest)
{
	g_atomic_int_inc(&guest->generation);
	vmifs_connection_drop(vmifs_physmem_connection(guest->mem));
}

void
vmifs_guest_start(VmifsGuest *guest)
{
	vmifs_connection_listen(vmifs_physmem_connection(guest->mem), source_changed, guest);
	guest->thread = g_thread_new("discover", discover_thread, guest);
}

void
vmifs_guest_stop(VmifsGuest *guest)
{
	if (!guest->thread)
		return;
	vmifs_connection_listen(vmifs_physmem_connection(guest->mem), NULL, NULL);
	g_atomic_int_set(&guest->cancelled, 1);
	g_thread_join(guest->thread);
	guest->thread = NULL;
}

gboolean
vmifs_guest_is_discovered(VmifsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	return guest->discovered;
}

void
vmifs_guest_when_discovered(VmifsGuest *guest, GFunc done, gpointer user)
{
	g_mutex_lock(&guest->lock);
	gboolean now = guest->discovered;
	if (!now)
		g_array_append_val(guest->waiters, ((Waiter){ done, user }));
	g_mutex_unlock(&guest->lock);
	if (now)
		done(guest, user);
}

/* Waits until discovery has ended. */
static gboolean
wait_discovered(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	while (!guest->discovered) {
		g_cond_wait_until(&guest->changed, &guest->lock, g_get_monotonic_time() + POLL_US);
		if (!guest->discovered && !vmifs_call_check(call, error)) {
			g_prefix_error(error,
				       "waiting for the kernel of %s to be found: ", guest->name);
			return FALSE;
		}
	}
	return TRUE;
}

/* The attached OS, after waiting. (full) */
static VmifsInstance *
wait_instance(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	if (!wait_discovered(guest, call, error))
		return NULL;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	if (guest->instance)
		return vmifs_instance_ref(guest->instance);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
		    "no known operating system was found in %s: its `info` says what was tried",
		    guest->name);
	return NULL;
}

gboolean
vmifs_guest_wait(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsInstance) instance = wait_instance(guest, call, error);
	return instance != NULL;
}

/* ---- what it is ---- */

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
	return &guest->epoch;
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
	return vmifs_physmem_ref(guest->mem);
}

/* Asked anew when what is known is older than cache_ms. */
VmifsState
vmifs_guest_state(VmifsGuest *guest, const VmifsCall *call)
{
	VmifsConnection *connection = vmifs_physmem_connection(guest->mem);
	VmifsState state;

	if (vmifs_connection_is_gone(connection))
		return VMIFS_STATE_GONE;
	if (vmifs_backend_state(connection, &state, call, NULL))
		return state;
	return vmifs_connection_is_gone(connection) ? VMIFS_STATE_GONE : VMIFS_STATE_UNRESPONSIVE;
}

gboolean
vmifs_guest_set_state(VmifsGuest *guest, VmifsState wanted, const VmifsCall *call, GError **error)
{
	return vmifs_backend_set_state(vmifs_physmem_connection(guest->mem), wanted, call, error);
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
append_memory_info(VmifsGuest *guest, GString *out)
{
	guint64 ram = vmifs_physmem_ram(guest->mem);
	gsize n;
	vmifs_physmem_regions(guest->mem, &n);
	g_string_append_printf(out,
			       "ram: %" G_GUINT64_FORMAT " bytes (%" G_GUINT64_FORMAT
			       " MiB) in %zu region%s\n",
			       ram, ram >> 20, n, n == 1 ? "" : "s");
}

void
vmifs_guest_info(VmifsGuest *guest, GString *out)
{
	g_string_append_printf(out, "name: %s\nsource: ", guest->name);
	vmifs_text_append_octal(out, guest->source, -1, NULL);
	g_string_append_printf(out, "\nbackend: %s\n", guest->backend->name);
	vmifs_physmem_info(guest->mem, out);
	g_string_append_printf(out, "state: %s\n",
			       vmifs_state_to_string(vmifs_guest_state(guest, NULL)));
	g_autoptr(GDateTime) time =
		guest->acquired ? g_date_time_new_from_unix_utc(guest->acquired / G_USEC_PER_SEC)
				: NULL;
	g_autofree char *stamp = time ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ") : NULL;
	g_string_append_printf(out, "acquired: %s\n", stamp ? stamp : "unknown");
	append_memory_info(guest, out);

	g_autoptr(VmifsInstance) instance = NULL;
	g_autoptr(VmifsAspace) aspace = NULL;
	g_mutex_lock(&guest->lock);
	gboolean discovered = guest->discovered;
	if (guest->instance) {
		instance = vmifs_instance_ref(guest->instance);
		aspace = vmifs_aspace_ref(instance->aspace);
	} else if (guest->aspace) {
		aspace = vmifs_aspace_ref(guest->aspace);
	}
	g_mutex_unlock(&guest->lock);

	if (!discovered) {
		g_string_append_printf(out, "discovery: running, %d %%\n",
				       g_atomic_int_get(&guest->progress));
		return;
	}
	/* Set once, before `discovered`. */
	g_string_append_printf(out, "discovery: ended after %.1f ms\n",
			       (double) guest->discovery_us / 1000);
	if (aspace)
		g_string_append_printf(out,
				       "arch: %s\npaging: %s\nroot: 0x%" G_GINT64_MODIFIER "x\n",
				       vmifs_aspace_arch(aspace), vmifs_aspace_mode(aspace),
				       vmifs_aspace_root(aspace));
	if (instance && instance->os->info)
		instance->os->info(instance->self, out);
	if (!instance)
		g_string_append(out, "os: unknown\n");
	g_string_append(out, guest->report);
}

/* ---- what is in it ---- */

VmifsAspace *
vmifs_guest_kernel_aspace(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	if (!wait_discovered(guest, call, error))
		return NULL;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	VmifsAspace *aspace = guest->instance ? guest->instance->aspace : guest->aspace;
	if (aspace)
		return vmifs_aspace_ref(aspace);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
		    "the kernel's page table of %s is not known: give it with -o root=ADDRESS",
		    guest->name);
	return NULL;
}

static gpointer
build_symbols(gpointer user, const VmifsCall *call, GError **error)
{
	VmifsInstance *instance = user;
	return instance->os->symbols(instance->self, call, error);
}

static gpointer
build_tasks(gpointer user, const VmifsCall *call, GError **error)
{
	VmifsInstance *instance = user;
	return instance->os->tasks(instance->self, call, error);
}

static gboolean
require_op(const VmifsInstance *instance, gboolean present, const char *what, GError **error)
{
	if (present)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "%s: %s guests have none known",
		    what, instance->os->name);
	return FALSE;
}

VmifsSymbols *
vmifs_guest_symbols(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsInstance) instance = wait_instance(guest, call, error);
	if (!instance || !require_op(instance, instance->os->symbols != NULL, "symbols", error))
		return NULL;
	guint epoch = (guint) g_atomic_int_get((gint *) &guest->epoch);
	return vmifs_lazy_get(&guest->symbols, epoch, build_symbols, instance, call, error);
}

VmifsTaskList *
vmifs_guest_tasks(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsInstance) instance = wait_instance(guest, call, error);
	if (!instance || !require_op(instance, instance->os->tasks != NULL, "tasks", error))
		return NULL;
	guint epoch = (guint) g_atomic_int_get((gint *) &guest->epoch);
	return vmifs_lazy_get(&guest->tasks, epoch, build_tasks, instance, call, error);
}

VmifsAspace *
vmifs_guest_task_aspace(VmifsGuest *guest, const VmifsTask *task, const VmifsCall *call,
			GError **error)
{
	g_autoptr(VmifsInstance) instance = wait_instance(guest, call, error);
	if (!instance ||
	    !require_op(instance, instance->os->task_aspace != NULL, "address spaces", error))
		return NULL;
	return instance->os->task_aspace(instance->self, task, error);
}

GArray *
vmifs_guest_task_vmas(VmifsGuest *guest, const VmifsTask *task, const VmifsCall *call,
		      GError **error)
{
	g_autoptr(VmifsInstance) instance = wait_instance(guest, call, error);
	if (!instance || !require_op(instance, instance->os->vmas != NULL, "mappings", error))
		return NULL;
	g_autoptr(GArray) vmas = g_array_new(FALSE, TRUE, sizeof(VmifsVma));
	g_array_set_clear_func(vmas, (GDestroyNotify) vmifs_vma_clear);
	if (!instance->os->vmas(instance->self, task, vmas, call, error))
		return NULL;
	return g_steal_pointer(&vmas);
}

/* ---- vCPUs ---- */

guint
vmifs_guest_n_reg_vcpus(VmifsGuest *guest)
{
	return vmifs_physmem_n_vcpus(guest->mem);
}

VmifsRegs *
vmifs_guest_regs(VmifsGuest *guest, guint vcpu, const VmifsCall *call, GError **error)
{
	return vmifs_physmem_regs(guest->mem, vcpu, call, error);
}

gboolean
vmifs_guest_set_reg(VmifsGuest *guest, guint vcpu, const char *name, guint64 value,
		    const VmifsCall *call, GError **error)
{
	return vmifs_physmem_set_reg(guest->mem, vcpu, name, value, call, error);
}

guint
vmifs_guest_n_vcpus(VmifsGuest *guest, const VmifsCall *call)
{
	guint n = vmifs_physmem_n_vcpus(guest->mem);
	if (n || !wait_discovered(guest, call, NULL))
		return n;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	return guest->n_os_vcpus;
}

/* ---- what its OS shows ---- */

const VmifsView *
vmifs_guest_views(VmifsGuest *guest, gsize *ret_n)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	*ret_n = guest->instance ? guest->instance->os->n_views : 0;
	return guest->instance ? guest->instance->os->views : NULL;
}

gboolean
vmifs_guest_has_view(VmifsGuest *guest, const VmifsView *view)
{
	if (!view->present)
		return TRUE;
	g_mutex_lock(&guest->lock);
	g_autoptr(VmifsInstance) instance =
		guest->instance ? vmifs_instance_ref(guest->instance) : NULL;
	g_mutex_unlock(&guest->lock);
	return instance && view->present(instance->self);
}

gboolean
vmifs_guest_render(VmifsGuest *guest, const VmifsView *view, const VmifsTask *task,
		   const char *entry, GString *out, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsInstance) instance = wait_instance(guest, call, error);
	return instance && view->render(instance->self, task, entry, out, call, error);
}

gboolean
vmifs_guest_list(VmifsGuest *guest, const VmifsView *view, const VmifsTask *task, GPtrArray *names,
		 const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsInstance) instance = wait_instance(guest, call, error);
	return instance && view->list(instance->self, task, names, call, error);
}
