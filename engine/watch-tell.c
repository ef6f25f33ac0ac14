/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch-tell: what the event of a line says of a stop: where, who, and of memory and registers what
 * was there before and is there now. A value that was there before is one that was seen there last.
 */
#include "watch-hit.h"

#include "attached.h"
#include "guest.h"

#include <spi/bytes.h>

#include <string.h>

#define MAX_VALUE 8

/* ---- values ---- */

static gboolean
read_value(VmifsAspace *aspace, guint64 va, guint32 len, guint64 *ret)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + VMIFS_WATCH_READ_US };
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

void
vmifs_watch_forget_written(VmifsWatches *watches, VmifsWatch *watch)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watches->lock);

	g_array_set_size(watch->written, 0);
}

void
vmifs_watch_remember(VmifsWatches *watches, VmifsWatch *watch, VmifsAttached *attached)
{
	const VmifsStopPoint *point = &g_array_index(watch->plan.points, VmifsStopPoint, 0);
	const VmifsAspace *kernel = attached ? attached->aspace : NULL;
	gboolean is_kernel = kernel && point->address >= vmifs_attached_kernel_start(attached);
	guint64 value;

	if (watch->line.kind == VMIFS_WATCH_REG)
		vmifs_watch_forget_written(watches, watch);
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

/* ---- events ---- */

static void
add_place(const VmifsWatchHit *hit, VmifsEvent *event)
{
	VmifsSymbol symbol;
	guint64 offset;

	if (!hit->names || !vmifs_regs_get(hit->stop->regs, hit->names->pc, &event->pc))
		return;
	event->has_pc = TRUE;
	if (!hit->symbols || !hit->attached->aspace ||
	    event->pc < vmifs_attached_kernel_start(hit->attached) ||
	    !vmifs_symbols_nearest(hit->symbols, event->pc, &symbol, &offset))
		return;
	g_autofree char *text =
		g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", symbol.name, offset);
	vmifs_event_add_text(event, "at", text, -1);
}

/* Of those on the stack, so many words from its top. */
static gboolean
read_stack(const VmifsWatchHit *hit, guint word, guint64 *ret)
{
	guint64 sp;

	if (!hit->aspace || !vmifs_regs_get(hit->stop->regs, hit->names->sp, &sp))
		return FALSE;
	guint32 len = vmifs_aspace_ptr_size(hit->aspace);
	return read_value(hit->aspace, sp + (guint64) word * len, len, ret);
}

static void
add_call(const VmifsWatchHit *hit, VmifsEvent *event)
{
	const VmifsArchRegs *names = hit->names;
	guint on_stack = names ? names->stack_args : 0;
	guint64 value;

	if (!names)
		return;
	vmifs_event_begin_list(event, "args");
	for (gsize i = 0; i < G_N_ELEMENTS(names->args); i++)
		if (names->args[i] ? vmifs_regs_get(hit->stop->regs, names->args[i], &value)
				   : read_stack(hit, on_stack++, &value))
			vmifs_event_add_hex(event, NULL, value);
	vmifs_event_end_list(event);
	if (names->link ? vmifs_regs_get(hit->stop->regs, names->link, &value)
			: read_stack(hit, 0, &value))
		vmifs_event_add_hex(event, "return", value);
}

static void
add_interrupt(const VmifsWatchHit *hit, const VmifsWatchLine *line, VmifsEvent *event)
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
replace_written(const VmifsWatchHit *hit, VmifsWatches *watches, VmifsWatch *watch,
		guint64 *ret_old)
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
add_write(const VmifsWatchHit *hit, VmifsWatches *watches, VmifsWatch *watch, VmifsEvent *event)
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
add_access(const VmifsWatchHit *hit, VmifsWatches *watches, VmifsWatch *watch, VmifsEvent *event)
{
	static const char *const words[] = {
		[VMIFS_STOP_READ] = "r", [VMIFS_STOP_WRITE] = "w", [VMIFS_STOP_ACCESS] = "rw"
	};
	gboolean is_kernel =
		hit->aspace && hit->point.address >= vmifs_attached_kernel_start(hit->attached);
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
add_os_event(const VmifsWatchHit *hit, const VmifsWatchLine *line, VmifsEvent *event)
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

void
vmifs_watch_tell(const VmifsWatchHit *hit, VmifsWatches *watches, VmifsWatch *watch)
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
	if (vmifs_watch_is_of_os(watch)) {
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
