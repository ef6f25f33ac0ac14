/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attached: the operating system in a guest, and what the guest's callers ask of it. Each call
 * takes the one that is attached at its beginning and works with that to its end. What the caller
 * has from an earlier one (a task, a view) is refused: addresses of another boot mean nothing.
 */
#include "attached.h"

#include "aspace.h"
#include "guest.h"
#include "physmem.h"

/* Lists of a running guest are made again, until they hang together, for so long. */
#define RETRY_US (50 * G_TIME_SPAN_MILLISECOND)
/* A text made faster than that is not worth the memory. */
#define WORTH_US (1 * G_TIME_SPAN_MILLISECOND)

/* ---- life ---- */

typedef struct {
	gpointer data;
	GDestroyNotify free_data;
} Shared;

static void
shared_clear(gpointer shared)
{
	Shared *s = shared;
	if (s->free_data)
		s->free_data(s->data);
}

gpointer
vmifs_instance_data(gpointer data, GDestroyNotify free_data)
{
	Shared *shared = g_atomic_rc_box_new0(Shared);
	*shared = (Shared){ data, free_data };
	return shared;
}

void
vmifs_instance_data_unref(gpointer shared)
{
	g_atomic_rc_box_release_full(shared, shared_clear);
}

VmifsInstance *
vmifs_instance_new(const VmifsOs *os, VmifsGuest *guest, VmifsPhysmem *mem, VmifsAspace *aspace,
		   gpointer shared, const VmifsCall *call, GError **error)
{
	VmifsInstance *instance = g_new0(VmifsInstance, 1);
	instance->os = os;
	instance->mem = vmifs_physmem_ref(mem);
	instance->aspace = vmifs_aspace_ref(aspace);
	instance->data = g_atomic_rc_box_acquire(shared);
	instance->kernel = (VmifsKernel){
		.guest = guest,
		.mem = mem,
		.aspace = aspace,
		.options = vmifs_guest_options(guest),
		.data = ((Shared *) shared)->data,
	};
	instance->self = os->attach(&instance->kernel, call, error);
	if (!instance->self)
		g_clear_pointer(&instance, vmifs_instance_free);
	return instance;
}

void
vmifs_instance_free(VmifsInstance *instance)
{
	if (!instance)
		return;
	if (instance->self)
		instance->os->detach(instance->self);
	vmifs_instance_data_unref(instance->data);
	vmifs_aspace_unref(instance->aspace);
	vmifs_physmem_unref(instance->mem);
	g_free(instance);
}

VmifsAttached *
vmifs_attached_new(guint generation, VmifsInstance *instance, VmifsAspace *aspace, char *report)
{
	VmifsAttached *attached = g_new0(VmifsAttached, 1);
	g_atomic_ref_count_init(&attached->refs);
	attached->generation = generation;
	attached->instance = instance;
	attached->aspace = instance ? vmifs_aspace_ref(instance->aspace) : aspace;
	attached->report = report;
	vmifs_lazy_init(&attached->symbols, (gpointer(*)(gpointer)) vmifs_symbols_ref,
			(GDestroyNotify) vmifs_symbols_unref);
	vmifs_lazy_init(&attached->tasks, (gpointer(*)(gpointer)) vmifs_task_list_ref,
			(GDestroyNotify) vmifs_task_list_unref);
	attached->memo = vmifs_memo_new();
	return attached;
}

VmifsAttached *
vmifs_attached_ref(VmifsAttached *attached)
{
	g_atomic_ref_count_inc(&attached->refs);
	return attached;
}

void
vmifs_attached_unref(VmifsAttached *attached)
{
	if (!attached || !g_atomic_ref_count_dec(&attached->refs))
		return;
	vmifs_lazy_clear(&attached->symbols);
	vmifs_lazy_clear(&attached->tasks);
	vmifs_memo_free(attached->memo);
	vmifs_instance_free(attached->instance);
	g_clear_pointer(&attached->aspace, vmifs_aspace_unref);
	g_free(attached->report);
	g_free(attached);
}

/* ---- the beginning of each call ---- */

static gboolean
is_encrypted(VmifsGuest *guest, GError **error)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	if (!vmifs_physmem_is_encrypted(mem))
		return FALSE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
		    "memory of %s is encrypted: what it runs cannot be seen from outside",
		    vmifs_guest_name(guest));
	return TRUE;
}

/* What is attached, which must be an OS. (full) */
static VmifsAttached *
wait_os(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsAttached) attached = vmifs_guest_wait_attached(guest, call, error);
	if (!attached || attached->instance)
		return g_steal_pointer(&attached);
	if (!is_encrypted(guest, error))
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "no known operating system was found in %s: its `info` says what was "
			    "tried",
			    vmifs_guest_name(guest));
	return NULL;
}

/* Of the kernel that `task`, if there is one, is of. (full) */
static VmifsAttached *
wait_os_of(VmifsGuest *guest, const VmifsTask *task, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsAttached) attached = wait_os(guest, call, error);
	if (!attached || !task || !task->generation || task->generation == attached->generation)
		return g_steal_pointer(&attached);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_STALE, "task %u was of an earlier boot of %s",
		    task->pid, vmifs_guest_name(guest));
	return NULL;
}

/* The same of a view's file. (full) */
static VmifsAttached *
wait_view(VmifsGuest *guest, const VmifsView *view, const VmifsTask *task, const VmifsCall *call,
	  GError **error)
{
	g_autoptr(VmifsAttached) attached = wait_os_of(guest, task, call, error);
	if (!attached)
		return NULL;
	const VmifsOs *os = attached->instance->os;
	if (view >= os->views && view < os->views + os->n_views)
		return g_steal_pointer(&attached);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_STALE,
		    "%s runs another operating system than the one with that file",
		    vmifs_guest_name(guest));
	return NULL;
}

static gboolean
require_op(const VmifsAttached *attached, gboolean present, const char *what, GError **error)
{
	if (present)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "%s: %s guests have none known",
		    what, attached->instance->os->name);
	return FALSE;
}

gboolean
vmifs_guest_wait(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsAttached) attached = wait_os(guest, call, error);
	return attached != NULL;
}

/* ---- what is in it ---- */

VmifsAspace *
vmifs_guest_kernel_aspace(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsAttached) attached = vmifs_guest_wait_attached(guest, call, error);
	if (!attached)
		return NULL;
	if (attached->aspace)
		return vmifs_aspace_ref(attached->aspace);
	if (!is_encrypted(guest, error))
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "the kernel's page table of %s is not known: give it with -o "
			    "root=ADDRESS",
			    vmifs_guest_name(guest));
	return NULL;
}

typedef struct {
	VmifsGuest *guest;
	const VmifsAttached *attached;
} Build;

static gpointer
build_symbols(gpointer user, guint *epoch, const VmifsCall *call, GError **error)
{
	const VmifsInstance *instance = ((const Build *) user)->attached->instance;
	return instance->os->symbols(instance->self, call, error);
}

gboolean
vmifs_guest_may_retry(VmifsGuest *guest, gint64 since, const GError *why, const VmifsCall *call)
{
	gboolean is_torn = !why || g_error_matches(why, VMIFS_ERROR, VMIFS_ERROR_CORRUPT) ||
			   g_error_matches(why, VMIFS_ERROR, VMIFS_ERROR_HOLE);
	if (!is_torn || vmifs_guest_is_frozen(guest) ||
	    g_get_monotonic_time() - since >= RETRY_US || !vmifs_call_check(call, NULL))
		return FALSE;
	vmifs_epoch_move(&guest->connection->epoch);
	return TRUE;
}

/* Each retry moves the epoch: what it finds, whole or not, is of that, or everybody who asks within
 * it would spend the same time again. */
static gpointer
build_tasks(gpointer user, guint *epoch, const VmifsCall *call, GError **error)
{
	const Build *build = user;
	const VmifsInstance *instance = build->attached->instance;
	gint64 start = g_get_monotonic_time();
	for (;;) {
		GError *failure = NULL;
		VmifsTaskList *list = instance->os->tasks(instance->self, call, &failure);
		gboolean whole = list && vmifs_task_list_is_complete(list);
		if (whole || !vmifs_guest_may_retry(build->guest, start, failure, call)) {
			if (list && !whole && !vmifs_guest_is_frozen(build->guest))
				vmifs_guest_log(build->guest,
						"the list of tasks is partial: it changed while it "
						"was read, again and again");
			if (list)
				vmifs_task_list_mark(list, build->attached->generation);
			else
				g_propagate_error(error, failure);
			return list;
		}
		vmifs_task_list_unref(list);
		g_clear_error(&failure);
		*epoch = vmifs_epoch_now(&build->guest->connection->epoch);
	}
}

VmifsSymbols *
vmifs_guest_symbols(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsAttached) attached = wait_os(guest, call, error);
	if (!attached ||
	    !require_op(attached, attached->instance->os->symbols != NULL, "symbols", error))
		return NULL;
	Build build = { guest, attached };
	return vmifs_lazy_get(&attached->symbols, vmifs_epoch_now(&guest->connection->epoch),
			      build_symbols, &build, call, error);
}

VmifsTaskList *
vmifs_guest_tasks(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsAttached) attached = wait_os(guest, call, error);
	if (!attached ||
	    !require_op(attached, attached->instance->os->tasks != NULL, "tasks", error))
		return NULL;
	Build build = { guest, attached };
	return vmifs_lazy_get(&attached->tasks, vmifs_epoch_now(&guest->connection->epoch),
			      build_tasks, &build, call, error);
}

GArray *
vmifs_guest_modules(VmifsGuest *guest, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsAttached) attached = wait_os(guest, call, error);
	if (!attached ||
	    !require_op(attached, attached->instance->os->modules != NULL, "modules", error))
		return NULL;
	g_autoptr(GArray) modules = g_array_new(FALSE, TRUE, sizeof(VmifsModule));
	if (!attached->instance->os->modules(attached->instance->self, modules, call, error))
		return NULL;
	return g_steal_pointer(&modules);
}

VmifsAspace *
vmifs_guest_task_aspace(VmifsGuest *guest, const VmifsTask *task, const VmifsCall *call,
			GError **error)
{
	g_autoptr(VmifsAttached) attached = wait_os_of(guest, task, call, error);
	if (!attached || !require_op(attached, attached->instance->os->task_aspace != NULL,
				     "address spaces", error))
		return NULL;
	return attached->instance->os->task_aspace(attached->instance->self, task, error);
}

GArray *
vmifs_guest_task_vmas(VmifsGuest *guest, const VmifsTask *task, const VmifsCall *call,
		      GError **error)
{
	g_autoptr(VmifsAttached) attached = wait_os_of(guest, task, call, error);
	if (!attached ||
	    !require_op(attached, attached->instance->os->vmas != NULL, "mappings", error))
		return NULL;
	g_autoptr(GArray) vmas = g_array_new(FALSE, TRUE, sizeof(VmifsVma));
	g_array_set_clear_func(vmas, (GDestroyNotify) vmifs_vma_clear);
	if (!attached->instance->os->vmas(attached->instance->self, task, vmas, call, error))
		return NULL;
	return g_steal_pointer(&vmas);
}

/* ---- what its OS shows ---- */

const VmifsView *
vmifs_guest_views(VmifsGuest *guest, gsize *ret_n)
{
	g_autoptr(VmifsAttached) attached = vmifs_guest_attached(guest);
	const VmifsOs *os = attached && attached->instance ? attached->instance->os : NULL;
	*ret_n = os ? os->n_views : 0;
	return os ? os->views : NULL;
}

gboolean
vmifs_guest_has_view(VmifsGuest *guest, const VmifsView *view)
{
	if (!view->present)
		return TRUE;
	g_autoptr(VmifsAttached) attached = vmifs_guest_attached(guest);
	const VmifsInstance *instance = attached ? attached->instance : NULL;
	return instance && view >= instance->os->views &&
	       view < instance->os->views + instance->os->n_views && view->present(instance->self);
}

/* A text that other tasks have, too: what took long stays for them. */
static gboolean
render_shared(VmifsGuest *guest, VmifsAttached *attached, const VmifsMemoKey *key,
	      const VmifsTask *task, const char *entry, GString *out, const VmifsCall *call,
	      GError **error)
{
	guint epoch = vmifs_epoch_now(&guest->connection->epoch);
	gsize before = out->len;
	gboolean made;

	if (vmifs_memo_find(attached->memo, key, epoch, out, &made, error))
		return made;
	gint64 start = g_get_monotonic_time();
	g_autoptr(GError) failure = NULL;
	made = key->view->render(attached->instance->self, task, entry, out, call, &failure);
	if (g_get_monotonic_time() - start >= WORTH_US)
		vmifs_memo_keep(attached->memo, key, epoch, out->str + before, out->len - before,
				failure);
	if (!made)
		g_propagate_error(error, g_steal_pointer(&failure));
	return made;
}

gboolean
vmifs_guest_render(VmifsGuest *guest, const VmifsView *view, const VmifsTask *task,
		   const char *entry, GString *out, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsAttached) attached = wait_view(guest, view, task, call, error);
	gpointer self = attached ? attached->instance->self : NULL;
	VmifsMemoKey key = { .view = view };
	gsize before = out->len;

	if (!attached)
		return FALSE;
	if (view->about && view->about(self, task, entry, key.about)
		    ? render_shared(guest, attached, &key, task, entry, out, call, error)
		    : view->render(self, task, entry, out, call, error))
		return TRUE;
	g_string_truncate(out, before);
	return FALSE;
}

gboolean
vmifs_guest_list(VmifsGuest *guest, const VmifsView *view, const VmifsTask *task, GPtrArray *names,
		 const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsAttached) attached = wait_view(guest, view, task, call, error);
	return attached && view->list(attached->instance->self, task, names, call, error);
}

guint64
vmifs_attached_kernel_start(const VmifsAttached *attached)
{
	const VmifsInstance *instance = attached->instance;

	return instance && instance->os->kernel_start ? instance->os->kernel_start(instance->self)
						      : vmifs_aspace_user_end(attached->aspace);
}
