/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch-hit: see the header. Which lines a stop is for is looked up under the lock, what they tell
 * is read without it, by what was known when they were armed.
 */
#include "watch-hit.h"

#include "guest.h"
#include "physmem.h"

#include <string.h>

/* Of an instruction. */
#define MAX_CODE 16

/* ---- what is known of a stop ---- */

/* The task's, where no register tells which one is in use. */
static gboolean
find_root(const VmifsWatchHit *hit, const VmifsInstance *instance, guint64 *ret)
{
	guint64 roots[VMIFS_TASK_ROOTS];

	if (!hit->names)
		return FALSE;
	if (hit->names->root) {
		gboolean has_root = vmifs_regs_get(hit->stop->regs, hit->names->root, ret);
		*ret &= hit->names->root_mask;
		return has_root;
	}
	if (!hit->has_task || !hit->task.mm ||
	    !vmifs_watch_task_roots(instance, &hit->task, roots, NULL))
		return FALSE;
	*ret = roots[0];
	return TRUE;
}

static void
find_context(VmifsWatchHit *hit)
{
	const VmifsStop *stop = hit->stop;
	const VmifsInstance *instance = hit->attached ? hit->attached->instance : NULL;
	VmifsAspace *kernel = hit->attached ? hit->attached->aspace : NULL;

	hit->names = vmifs_watch_names_in(stop->regs, kernel);
	hit->has_task =
		instance && instance->os->current &&
		instance->os->current(instance->self, stop->vcpu, stop->regs, &hit->task, NULL);
	hit->has_root = find_root(hit, instance, &hit->root);
	if (kernel && hit->has_root)
		hit->aspace = vmifs_aspace_new_like(kernel, hit->root, NULL, NULL);
	else if (kernel && hit->names && !hit->names->root)
		hit->aspace = vmifs_aspace_ref(kernel);
}

/* What stands there now: a kernel patches itself. */
static void
find_write(VmifsWatchHit *hit)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + VMIFS_WATCH_READ_US };
	g_auto(VmifsSegments) segments = { 0 };
	guint8 code[MAX_CODE] = { 0 };

	if (!hit->names || !hit->names->writes || !hit->attached || !hit->attached->aspace)
		return;
	vmifs_segments_init(&segments);
	gsize got = vmifs_aspace_gather(hit->attached->aspace, hit->point.address, sizeof code, 0,
					&segments, &call, NULL);
	if (!got)
		return;
	vmifs_segments_copy(&segments, code);
	hit->has_write = hit->names->writes->decode(code, got, hit->stop->regs, &hit->write);
}

static void
clear_os_event(VmifsWatchHit *hit)
{
	g_free(hit->os_event.path);
	if (hit->os_event.arguments)
		g_string_free(hit->os_event.arguments, TRUE);
	hit->os_event = (VmifsOsEvent){ 0 };
}

static void
find_os_event(VmifsWatchHit *hit, const VmifsWatch *watch)
{
	const VmifsInstance *instance = hit->attached ? hit->attached->instance : NULL;
	VmifsOsEvents which =
		watch->line.kind == VMIFS_WATCH_TASK ? VMIFS_OS_TASKS : VMIFS_OS_MODULES;
	VmifsCall call = { .deadline = g_get_monotonic_time() + VMIFS_WATCH_READ_US };

	if (hit->has_os_event && hit->os_events == which)
		return;
	clear_os_event(hit);
	hit->has_os_event = TRUE;
	hit->os_events = which;
	if (instance && instance->os->event_at &&
	    !instance->os->event_at(instance->self, which, hit->point.address, hit->stop->vcpu,
				    hit->stop->regs, &hit->os_event, &call))
		clear_os_event(hit);
}

static void
hit_clear(VmifsWatchHit *hit)
{
	clear_os_event(hit);
	g_clear_pointer(&hit->lines, g_ptr_array_unref);
	g_clear_pointer(&hit->attached, vmifs_attached_unref);
	g_clear_pointer(&hit->symbols, vmifs_symbols_unref);
	g_clear_pointer(&hit->aspace, vmifs_aspace_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VmifsWatchHit, hit_clear)

/* ---- filters ---- */

static gboolean
writes_it(const VmifsWatchHit *hit, const VmifsWatchLine *line)
{
	return hit->has_write && g_str_equal(hit->write.reg, line->reg) &&
	       hit->write.number == line->number;
}

static gboolean
has_root(const VmifsWatchHit *hit, const VmifsWatchPlan *plan)
{
	for (guint i = 0; i < plan->n_roots; i++)
		if (hit->has_root && hit->root == plan->roots[i])
			return TRUE;
	return FALSE;
}

/* Page tables alone would not do: exec gives a process others, and those of one that has ended are
 * another's soon. Who is no process has those of one: a kernel thread, or nobody knows who. */
static gboolean
is_in_process(const VmifsWatchHit *hit, const VmifsWatchPlan *plan)
{
	const VmifsTask *task = &hit->task, *wanted = &plan->task;

	if (!plan->n_roots)
		return TRUE;
	if (!hit->has_task || !task->mm)
		return has_root(hit, plan);
	if (task->tgid == wanted->tgid)
		return task->pid != task->tgid || task->start_time == wanted->start_time;
	/* Its child before that calls exec. */
	return task->ppid == wanted->tgid && task->mm == wanted->mm && has_root(hit, plan);
}

/* What it has after exec. */
static void
follow_process(const VmifsWatchHit *hit, VmifsWatches *watches, VmifsWatch *watch)
{
	const VmifsInstance *instance = hit->attached ? hit->attached->instance : NULL;
	guint64 roots[VMIFS_TASK_ROOTS] = { 0 };

	g_mutex_lock(&watches->lock);
	gboolean is_other = instance && watch->plan.n_roots && hit->has_task && hit->task.mm &&
			    hit->task.tgid == watch->plan.task.tgid &&
			    (hit->task.mm != watch->plan.task.mm || !has_root(hit, &watch->plan));
	g_mutex_unlock(&watches->lock);
	if (!is_other)
		return;
	guint n = vmifs_watch_task_roots(instance, &hit->task, roots, NULL);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);
	if (!n || !watch->plan.n_roots || !is_in_process(hit, &watch->plan))
		return;
	watch->plan.task.mm = hit->task.mm;
	watch->plan.n_roots = n;
	memcpy(watch->plan.roots, roots, sizeof roots);
}

static gboolean
passes_locked(const VmifsWatchHit *hit, const VmifsWatch *watch)
{
	gboolean is_there = is_in_process(hit, &watch->plan);
	guint64 value;

	if (vmifs_watch_is_of_os(watch))
		return hit->os_event.what != NULL;
	if (watch->line.kind == VMIFS_WATCH_REG)
		return writes_it(hit, &watch->line);
	if (!is_there || watch->line.kind != VMIFS_WATCH_EXEC || !watch->line.reg[0])
		return is_there;
	return vmifs_regs_get(hit->stop->regs, watch->line.reg, &value) &&
	       value == watch->line.value;
}

/* ---- stops ---- */

static gboolean
find_armed_locked(VmifsWatches *watches, guint64 id, guint *ret_index)
{
	for (guint i = 0; i < watches->armed->len; i++) {
		if (g_array_index(watches->armed, VmifsWatchArmed, i).id == id) {
			*ret_index = i;
			return TRUE;
		}
	}
	return FALSE;
}

static gboolean
wants_locked(const VmifsWatch *watch, const VmifsStopPoint *point)
{
	VmifsWatchState state = watch->plan.state;

	if (watch->removed || watch->is_done || !watch->plan.points ||
	    (state != VMIFS_WATCH_IDLE && state != VMIFS_WATCH_ARMED &&
	     state != VMIFS_WATCH_PAUSED))
		return FALSE;
	return vmifs_stop_points_have(watch->plan.points, point);
}

/* The lines that the stop is for; those that it passes are counted, and stay in hit->lines. */
static void
begin_hit_locked(VmifsWatchHit *hit, VmifsWatches *watches)
{
	hit->lines = g_ptr_array_new_with_free_func(vmifs_watch_unref);
	hit->attached = watches->attached ? vmifs_attached_ref(watches->attached) : NULL;
	hit->symbols = watches->symbols ? vmifs_symbols_ref(watches->symbols) : NULL;
	for (guint i = 0; i < watches->lines->len; i++) {
		VmifsWatch *watch = g_ptr_array_index(watches->lines, i);
		if (!wants_locked(watch, &hit->point))
			continue;
		g_atomic_ref_count_inc(&watch->refs);
		g_ptr_array_add(hit->lines, watch);
	}
}

/* That of its condition: it would hold all of its stops back. */
static gboolean
lacks_register(const VmifsWatchHit *hit, const VmifsWatch *watch)
{
	guint64 value;

	return watch->line.kind == VMIFS_WATCH_EXEC && watch->line.reg[0] &&
	       !vmifs_regs_get(hit->stop->regs, watch->line.reg, &value);
}

/* TRUE: events of that line go on. */
static gboolean
count_hit(VmifsWatchHit *hit, VmifsWatches *watches, VmifsWatch *watch, gboolean *ret_passes)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);

	*ret_passes = FALSE;
	if (lacks_register(hit, watch)) {
		g_free(watch->lost);
		watch->lost =
			g_strdup_printf("where it stops there is no register %s", watch->line.reg);
		vmifs_watches_wake(watches);
		return FALSE;
	}
	*ret_passes = !watch->removed && passes_locked(hit, watch);
	if (*ret_passes)
		watch->hits++;
	else
		watch->filtered++;
	watch->is_done = watch->line.count && watch->hits >= watch->line.count;
	return !watch->removed && !watch->is_done;
}

/* Nothing is left armed: each would stop the guest once more before it is taken away. */
static GPtrArray *
begin_pause_locked(VmifsWatches *watches)
{
	GPtrArray *lines = g_ptr_array_new_with_free_func(vmifs_watch_unref);

	for (guint i = 0; i < watches->lines->len; i++) {
		VmifsWatch *watch = g_ptr_array_index(watches->lines, i);
		gboolean is_armed = FALSE;
		for (guint j = 0; j < watches->armed->len && !is_armed; j++)
			is_armed = wants_locked(
				watch, &g_array_index(watches->armed, VmifsWatchArmed, j).point);
		if (!is_armed)
			continue;
		g_atomic_ref_count_inc(&watch->refs);
		g_ptr_array_add(lines, watch);
	}
	g_array_set_size(watches->armed, 0);
	return lines;
}

static VmifsStopVerdict
pause_all(VmifsWatches *watches)
{
	g_mutex_lock(&watches->lock);
	g_autoptr(GPtrArray) lines = begin_pause_locked(watches);
	g_mutex_unlock(&watches->lock);
	for (guint i = 0; i < lines->len; i++) {
		VmifsWatch *watch = g_ptr_array_index(lines, i);
		g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("lost");
		vmifs_event_add_text(&event, "watch", watch->line.name, -1);
		vmifs_event_add_text(&event, "why", "max_stops", -1);
		vmifs_events_push(watches->events, &event);
		/* What is written before it is armed again is not seen. */
		vmifs_watch_forget_written(watches, watch);
	}
	vmifs_watches_wake(watches);
	return VMIFS_STOP_DISARM_ALL;
}

/* The point is wanted no more. */
static VmifsStopVerdict
disarm(const VmifsWatchHit *hit, VmifsWatches *watches)
{
	guint index;

	for (guint i = 0; i < hit->lines->len; i++)
		vmifs_watch_forget_written(watches, g_ptr_array_index(hit->lines, i));
	g_mutex_lock(&watches->lock);
	if (find_armed_locked(watches, hit->stop->id, &index))
		g_array_remove_index(watches->armed, index);
	g_mutex_unlock(&watches->lock);
	vmifs_watches_wake(watches);
	return VMIFS_STOP_DISARM;
}

/* TRUE: a line goes on. */
static gboolean
tell_lines(VmifsWatchHit *hit, VmifsWatches *watches)
{
	gboolean is_wanted = FALSE;

	find_context(hit);
	for (guint i = 0; i < hit->lines->len; i++) {
		VmifsWatch *watch = g_ptr_array_index(hit->lines, i);
		gboolean passes;
		follow_process(hit, watches, watch);
		if (vmifs_watch_is_of_os(watch))
			find_os_event(hit, watch);
		else if (watch->line.kind == VMIFS_WATCH_REG && !hit->has_write)
			find_write(hit);
		is_wanted |= count_hit(hit, watches, watch, &passes);
		if (passes)
			vmifs_watch_tell(hit, watches, watch);
	}
	return is_wanted;
}

/* What was read a moment ago, for the stop before, is not of this one. */
static void
begin_stop(VmifsWatches *watches)
{
	vmifs_epoch_move_briefly(&watches->guest->connection->epoch);
	g_mutex_lock(&watches->lock);
	g_autoptr(VmifsAttached) attached =
		watches->attached ? vmifs_attached_ref(watches->attached) : NULL;
	g_mutex_unlock(&watches->lock);
	if (attached && attached->instance)
		vmifs_physmem_read_again(attached->instance->mem);
}

VmifsStopVerdict
vmifs_watches_stopped(gpointer engine, const VmifsStop *stop)
{
	VmifsWatches *watches = engine;
	g_auto(VmifsWatchHit) hit = { .stop = stop };
	VmifsStopVerdict verdict = VMIFS_STOP_KEEP;
	guint index;

	gboolean is_new = !watches->comes;
	watches->comes = stop->id == VMIFS_STOP_COMES;
	if (is_new || watches->comes)
		begin_stop(watches);
	if (watches->comes)
		return VMIFS_STOP_KEEP;
	g_mutex_lock(&watches->lock);
	VmifsRateVerdict count = vmifs_rate_count(&watches->rate, stop->n_stops, watches->max_rate,
						  g_get_monotonic_time());
	gboolean is_armed = find_armed_locked(watches, stop->id, &index);
	if (is_armed && count != VMIFS_RATE_TOO_MANY) {
		hit.point = g_array_index(watches->armed, VmifsWatchArmed, index).point;
		begin_hit_locked(&hit, watches);
	}
	g_mutex_unlock(&watches->lock);

	if (hit.lines && !tell_lines(&hit, watches))
		verdict = disarm(&hit, watches);
	else if (!is_armed && stop->id != VMIFS_STOP_NOWHERE)
		verdict = VMIFS_STOP_DISARM;
	return count == VMIFS_RATE_BORNE ? verdict : pause_all(watches);
}

void
vmifs_watches_unarmed(gpointer engine, guint64 id, const char *why)
{
	VmifsWatches *watches = engine;
	guint index;

	g_mutex_lock(&watches->lock);
	if (find_armed_locked(watches, id, &index)) {
		VmifsStopPoint point = g_array_index(watches->armed, VmifsWatchArmed, index).point;
		g_array_remove_index(watches->armed, index);
		for (guint i = 0; i < watches->lines->len; i++) {
			VmifsWatch *watch = g_ptr_array_index(watches->lines, i);
			if (!wants_locked(watch, &point))
				continue;
			g_free(watch->lost);
			watch->lost = g_strdup(why);
		}
	}
	g_mutex_unlock(&watches->lock);
	vmifs_watches_wake(watches);
}
