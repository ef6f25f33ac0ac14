/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch-hit: from a stop to events. The guest stands still meanwhile: what is read here is of the
 * moment, and must be little. Which lines a stop is for is looked up under the lock, what they
 * tell is read without it, by what was known when they were armed.
 */
#include "aspace.h"
#include "guest.h"
#include "watch.h"

#include <spi/bytes.h>

#include <string.h>

/* Of what is read from a source that is not mapped. */
#define READ_US (100 * G_TIME_SPAN_MILLISECOND)
#define MAX_VALUE 8
/* Of an instruction. */
#define MAX_CODE 16

/* A stop with what is known of it. */
typedef struct {
	const VmifsStop *stop;
	VmifsStopPoint point;
	GPtrArray *lines; /* of VmifsWatch: that want it */
	VmifsAttached *attached;
	VmifsSymbols *symbols;
	const VmifsArchRegs *names; /* (nullable) */
	gboolean has_root;
	guint64 root;
	VmifsAspace *aspace; /* (nullable) the one that was current */
	gboolean has_task;
	VmifsTask task;
	gboolean has_write; /* of a register, by the instruction that it stands at */
	VmifsArchWrite write;
	/* Of its lines that ask the OS: they all ask for the same, as it is at its point. */
	gboolean has_os_event;
	VmifsOsEvents os_events;
	VmifsOsEvent os_event;
} Hit;

/* ---- memory ---- */

static gboolean
read_value(VmifsAspace *aspace, guint64 va, guint32 len, guint64 *ret)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + READ_US };
	g_auto(VmifsSegments) segments = { 0 };
	guint8 bytes[MAX_VALUE] = { 0 };

	if (!len || len > MAX_VALUE)
		return FALSE;
	vmifs_segments_init(&segments);
	if (vmifs_aspace_gather(aspace, va, len, 0, &segments, &call, NULL) != len)
		return FALSE;
	vmifs_segments_copy(&segments, bytes);
	*ret = vmifs_load_u64(bytes);
	return TRUE;
}

static void
forget_written(VmifsWatches *watches, VmifsWatch *watch)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);

	g_array_set_size(watch->written, 0);
}

void
vmifs_watch_remember(VmifsWatches *watches, VmifsWatch *watch, VmifsAttached *attached)
{
	const VmifsStopPoint *point = &g_array_index(watch->plan.points, VmifsStopPoint, 0);
	const VmifsAspace *kernel = attached ? attached->aspace : NULL;
	gboolean is_kernel = kernel && point->address >= vmifs_aspace_user_end(kernel);
	guint64 value;

	if (watch->line.kind == VMIFS_WATCH_REG)
		forget_written(watches, watch);
	if (watch->line.kind != VMIFS_WATCH_MEM || !kernel)
		return;
	/* Stops follow a process to others. */
	g_mutex_lock(&watches->lock);
	gboolean is_known = is_kernel || watch->plan.n_roots;
	guint64 root = is_kernel ? vmifs_aspace_root(kernel) : watch->plan.roots[0];
	g_mutex_unlock(&watches->lock);
	if (!is_known)
		return;
	g_autoptr(VmifsAspace) aspace = vmifs_aspace_new_like(attached->aspace, root, NULL, NULL);
	vmifs_epoch_touch(&watches->guest->connection->epoch);
	if (!aspace || !read_value(aspace, point->address, point->len, &value))
		return;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);
	watch->has_value = TRUE;
	watch->value = value;
	watch->value_root = is_kernel ? 0 : root;
}

/* ---- what is known of a stop ---- */

static void
find_context(Hit *hit)
{
	const VmifsStop *stop = hit->stop;
	const VmifsInstance *instance = hit->attached ? hit->attached->instance : NULL;

	hit->names = vmifs_watch_names(stop->regs);
	hit->has_root = hit->names && vmifs_regs_get(stop->regs, hit->names->root, &hit->root);
	if (hit->has_root)
		hit->root &= hit->names->root_mask;
	if (hit->has_root && hit->attached && hit->attached->aspace)
		hit->aspace = vmifs_aspace_new_like(hit->attached->aspace, hit->root, NULL, NULL);
	hit->has_task = instance && instance->os->current &&
			instance->os->current(instance->self, stop->vcpu, stop->regs, &hit->task);
}

/* What stands there now: a kernel patches itself. */
static void
find_write(Hit *hit)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + READ_US };
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
clear_os_event(Hit *hit)
{
	g_free(hit->os_event.path);
	if (hit->os_event.arguments)
		g_string_free(hit->os_event.arguments, TRUE);
	hit->os_event = (VmifsOsEvent){ 0 };
}

static void
find_os_event(Hit *hit, const VmifsWatch *watch)
{
	const VmifsInstance *instance = hit->attached ? hit->attached->instance : NULL;
	VmifsOsEvents which =
		watch->line.kind == VMIFS_WATCH_TASK ? VMIFS_OS_TASKS : VMIFS_OS_MODULES;
	VmifsCall call = { .deadline = g_get_monotonic_time() + READ_US };

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
hit_clear(Hit *hit)
{
	clear_os_event(hit);
	g_clear_pointer(&hit->lines, g_ptr_array_unref);
	g_clear_pointer(&hit->attached, vmifs_attached_unref);
	g_clear_pointer(&hit->symbols, vmifs_symbols_unref);
	g_clear_pointer(&hit->aspace, vmifs_aspace_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Hit, hit_clear)

/* ---- filters ---- */

static gboolean
writes_it(const Hit *hit, const VmifsWatchLine *line)
{
	return hit->has_write && g_str_equal(hit->write.reg, line->reg) &&
	       hit->write.number == line->number;
}

static gboolean
is_os_kind(const VmifsWatch *watch)
{
	return watch->line.kind == VMIFS_WATCH_TASK || watch->line.kind == VMIFS_WATCH_MODULE;
}

static gboolean
has_root(const Hit *hit, const VmifsWatchPlan *plan)
{
	for (guint i = 0; i < plan->n_roots; i++)
		if (hit->has_root && hit->root == plan->roots[i])
			return TRUE;
	return FALSE;
}

/* Page tables alone would not do: exec gives a process others, and those of one that has ended are
 * another's soon. Who is no process has those of one: a kernel thread, or nobody knows who. */
static gboolean
is_in_process(const Hit *hit, const VmifsWatchPlan *plan)
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
follow_process(const Hit *hit, VmifsWatches *watches, VmifsWatch *watch)
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
passes_locked(const Hit *hit, const VmifsWatch *watch)
{
	gboolean is_there = is_in_process(hit, &watch->plan);
	guint64 value;

	if (is_os_kind(watch))
		return hit->os_event.what != NULL;
	if (watch->line.kind == VMIFS_WATCH_REG)
		return writes_it(hit, &watch->line);
	if (!is_there || watch->line.kind != VMIFS_WATCH_EXEC || !watch->line.reg[0])
		return is_there;
	return vmifs_regs_get(hit->stop->regs, watch->line.reg, &value) &&
	       value == watch->line.value;
}

/* ---- what a line tells ---- */

static void
add_place(const Hit *hit, VmifsEvent *event)
{
	VmifsSymbol symbol;
	guint64 offset;

	if (!hit->names || !vmifs_regs_get(hit->stop->regs, hit->names->pc, &event->pc))
		return;
	event->has_pc = TRUE;
	if (!hit->symbols || !hit->attached->aspace ||
	    event->pc < vmifs_aspace_user_end(hit->attached->aspace) ||
	    !vmifs_symbols_nearest(hit->symbols, event->pc, &symbol, &offset))
		return;
	g_autofree char *text =
		g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", symbol.name, offset);
	vmifs_event_add_text(event, "at", text, -1);
}

static void
add_call(const Hit *hit, VmifsEvent *event)
{
	const VmifsRegs *regs = hit->stop->regs;
	guint64 value, sp;

	if (!hit->names)
		return;
	vmifs_event_begin_list(event, "args");
	for (gsize i = 0; i < G_N_ELEMENTS(hit->names->args); i++)
		if (vmifs_regs_get(regs, hit->names->args[i], &value))
			vmifs_event_add_hex(event, NULL, value);
	vmifs_event_end_list(event);
	if (hit->aspace && vmifs_regs_get(regs, hit->names->sp, &sp) &&
	    read_value(hit->aspace, sp, vmifs_aspace_ptr_size(hit->aspace), &value))
		vmifs_event_add_hex(event, "return", value);
}

static void
add_interrupt(const Hit *hit, const VmifsWatchLine *line, VmifsEvent *event)
{
	const VmifsRegs *regs = hit->stop->regs;
	guint64 value, sp;

	vmifs_event_add_number(event, "vector", line->number);
	if (!hit->names || !hit->aspace || !vmifs_regs_get(regs, hit->names->sp, &sp))
		return;
	guint32 len = vmifs_aspace_ptr_size(hit->aspace);
	if (line->number < 64 && hit->names->error_vectors >> line->number & 1) {
		if (read_value(hit->aspace, sp, len, &value))
			vmifs_event_add_hex(event, "error", value);
		sp += len;
	}
	if (read_value(hit->aspace, sp, len, &value))
		vmifs_event_add_hex(event, "from", value);
	if (line->number == hit->names->fault_vector &&
	    vmifs_regs_get(regs, hit->names->fault, &value))
		vmifs_event_add_hex(event, "address", value);
}

/* Also what it replaces, as far as that was seen. */
static gboolean
replace_written(const Hit *hit, VmifsWatches *watches, VmifsWatch *watch, guint64 *ret_old)
{
	guint vcpu = hit->stop->vcpu;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);

	if (vcpu >= VMIFS_MAX_VCPUS)
		return FALSE;
	if (vcpu >= watch->written->len)
		g_array_set_size(watch->written, vcpu + 1);
	VmifsWatchWritten *at = &g_array_index(watch->written, VmifsWatchWritten, vcpu);
	gboolean was_known = at->is_known;
	if (was_known)
		*ret_old = at->value;
	*at = (VmifsWatchWritten){ hit->write.has_value, hit->write.value };
	return was_known;
}

static void
add_write(const Hit *hit, VmifsWatches *watches, VmifsWatch *watch, VmifsEvent *event)
{
	const VmifsWatchLine *line = &watch->line;
	const VmifsArchWrite *write = &hit->write;
	guint64 old;
	gboolean has_old = replace_written(hit, watches, watch, &old);

	vmifs_event_add_text(event, "reg", line->reg, -1);
	if (g_str_equal(line->reg, "msr"))
		vmifs_event_add_hex(event, "number", line->number);
	if (write->name)
		has_old |= vmifs_regs_get(hit->stop->regs, write->name, &old);
	if (has_old)
		vmifs_event_add_hex(event, "old", old);
	if (write->has_value)
		vmifs_event_add_hex(event, "new", write->value);
}

/* Values are those of one address space: of the kernel's half that is any. */
static void
add_access(const Hit *hit, VmifsWatches *watches, VmifsWatch *watch, VmifsEvent *event)
{
	static const char *const words[] = {
		[VMIFS_STOP_READ] = "r", [VMIFS_STOP_WRITE] = "w", [VMIFS_STOP_ACCESS] = "rw"
	};
	gboolean is_kernel =
		hit->aspace && hit->point.address >= vmifs_aspace_user_end(hit->aspace);
	guint64 root = is_kernel ? 0 : hit->root, value;

	vmifs_event_add_text(event, "access", words[hit->point.kind], -1);
	vmifs_event_add_hex(event, "address", hit->stop->address);
	vmifs_event_add_number(event, "len", hit->point.len);
	gboolean has_value =
		hit->aspace && read_value(hit->aspace, hit->point.address, hit->point.len, &value);
	g_mutex_lock(&watches->lock);
	gboolean had = watch->has_value && watch->value_root == root;
	guint64 old = watch->value;
	watch->has_value = has_value;
	watch->value = has_value ? value : 0;
	watch->value_root = root;
	g_mutex_unlock(&watches->lock);
	if (had && hit->point.kind != VMIFS_STOP_READ)
		vmifs_event_add_hex(event, "old", old);
	if (has_value)
		vmifs_event_add_hex(event, hit->point.kind == VMIFS_STOP_READ ? "value" : "new",
				    value);
}

static void
add_arguments(const GString *arguments, VmifsEvent *event)
{
	const char *at = arguments->str, *end = at + arguments->len;

	vmifs_event_begin_list(event, "argv");
	while (at < end) {
		const char *nul = memchr(at, '\0', (gsize) (end - at));
		gsize n = nul ? (gsize) (nul - at) : (gsize) (end - at);
		if (!vmifs_event_add_text(event, NULL, at, (gssize) n))
			break;
		at += n + 1;
	}
	vmifs_event_end_list(event);
}

/* As the same event is told that comes from comparing lists, and more. */
static void
add_os_event(const Hit *hit, const VmifsWatchLine *line, VmifsEvent *event)
{
	const VmifsOsEvent *os_event = &hit->os_event;

	vmifs_event_add_text(event, "what", os_event->what, -1);
	if (line->kind == VMIFS_WATCH_MODULE) {
		vmifs_event_add_text(event, "name", os_event->name, -1);
		return;
	}
	event->pid = os_event->task.tgid;
	g_free(event->comm);
	event->comm = g_strdup(os_event->task.comm);
	vmifs_event_add_number(event, "ppid", os_event->task.ppid);
	if (os_event->path)
		vmifs_event_add_text(event, "path", os_event->path, -1);
	if (os_event->arguments)
		add_arguments(os_event->arguments, event);
}

static void
tell(const Hit *hit, VmifsWatches *watches, VmifsWatch *watch)
{
	const VmifsWatchLine *line = &watch->line;
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT(vmifs_watch_kind_word(line->kind));

	event.time_ns = hit->stop->time_ns;
	event.vcpu = (gint) hit->stop->vcpu;
	if (hit->has_task) {
		event.pid = hit->task.tgid;
		event.comm = g_strdup(hit->task.comm);
	}
	vmifs_event_add_text(&event, "watch", line->name, -1);
	if (is_os_kind(watch)) {
		add_os_event(hit, line, &event);
		vmifs_events_push(watches->events, &event);
		return;
	}
	add_place(hit, &event);
	if (hit->has_task && hit->task.pid != hit->task.tgid)
		vmifs_event_add_number(&event, "tid", hit->task.pid);
	if (line->kind == VMIFS_WATCH_EXEC ||
	    (line->kind == VMIFS_WATCH_MEM && line->access == VMIFS_STOP_EXEC))
		add_call(hit, &event);
	else if (line->kind == VMIFS_WATCH_INT)
		add_interrupt(hit, line, &event);
	else if (line->kind == VMIFS_WATCH_REG)
		add_write(hit, watches, watch, &event);
	else if (line->kind == VMIFS_WATCH_MEM)
		add_access(hit, watches, watch, &event);
	vmifs_events_push(watches->events, &event);
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

static VmifsRateVerdict
count_stop_locked(VmifsWatches *watches)
{
	VmifsRateVerdict verdict =
		vmifs_rate_count(&watches->rate, watches->max_rate, g_get_monotonic_time());

	watches->n_pauses += verdict == VMIFS_RATE_LAST;
	return verdict;
}

/* The lines that the stop is for; those that it passes are counted, and stay in hit->lines. */
static void
begin_hit_locked(Hit *hit, VmifsWatches *watches)
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

/* TRUE: events of that line go on. */
static gboolean
count_hit(Hit *hit, VmifsWatches *watches, VmifsWatch *watch, gboolean *ret_passes)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);

	*ret_passes = !watch->removed && passes_locked(hit, watch);
	if (*ret_passes)
		watch->hits++;
	else
		watch->filtered++;
	watch->is_done = watch->line.count && watch->hits >= watch->line.count;
	return !watch->removed && !watch->is_done;
}

/* Once in each pause, however many points a line has. */
static gboolean
is_lost(VmifsWatches *watches, VmifsWatch *watch)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);
	gboolean is_news = watch->told_pause != watches->n_pauses;

	watch->told_pause = watches->n_pauses;
	return is_news;
}

static void
tell_lost(const Hit *hit, VmifsWatches *watches)
{
	for (guint i = 0; i < hit->lines->len; i++) {
		VmifsWatch *watch = g_ptr_array_index(hit->lines, i);
		g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("lost");
		if (!is_lost(watches, watch))
			continue;
		vmifs_event_add_text(&event, "watch", watch->line.name, -1);
		vmifs_event_add_text(&event, "why", "max_stops", -1);
		vmifs_events_push(watches->events, &event);
	}
}

gboolean
vmifs_watches_stopped(gpointer engine, const VmifsStop *stop)
{
	VmifsWatches *watches = engine;
	g_auto(Hit) hit = { .stop = stop };
	gboolean is_wanted = FALSE;
	VmifsRateVerdict count;
	guint index;

	/* What was read a moment ago, for the stop before, is not of this one. */
	vmifs_epoch_move(&watches->guest->connection->epoch);
	g_mutex_lock(&watches->lock);
	if (!find_armed_locked(watches, stop->id, &index)) {
		g_mutex_unlock(&watches->lock);
		return FALSE;
	}
	hit.point = g_array_index(watches->armed, VmifsWatchArmed, index).point;
	count = count_stop_locked(watches);
	begin_hit_locked(&hit, watches);
	g_mutex_unlock(&watches->lock);

	/* Of another point, that was still there. */
	is_wanted = count == VMIFS_RATE_TOO_MANY;
	if (count != VMIFS_RATE_TOO_MANY)
		find_context(&hit);
	for (guint i = 0; i < hit.lines->len && count != VMIFS_RATE_TOO_MANY; i++) {
		VmifsWatch *watch = g_ptr_array_index(hit.lines, i);
		gboolean passes;
		follow_process(&hit, watches, watch);
		if (is_os_kind(watch))
			find_os_event(&hit, watch);
		else if (watch->line.kind == VMIFS_WATCH_REG && !hit.has_write)
			find_write(&hit);
		is_wanted |= count_hit(&hit, watches, watch, &passes);
		if (passes)
			tell(&hit, watches, watch);
	}
	if (is_wanted && count == VMIFS_RATE_BORNE)
		return TRUE;
	if (is_wanted)
		tell_lost(&hit, watches);
	/* What is written before it is armed again is not seen. */
	for (guint i = 0; i < hit.lines->len; i++)
		forget_written(watches, g_ptr_array_index(hit.lines, i));
	g_mutex_lock(&watches->lock);
	if (find_armed_locked(watches, stop->id, &index))
		g_array_remove_index(watches->armed, index);
	g_mutex_unlock(&watches->lock);
	vmifs_watches_wake(watches);
	return FALSE;
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
