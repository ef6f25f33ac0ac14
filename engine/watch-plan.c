/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch-plan: what a line needs to be armed: where the guest is to stop, in this boot of it and
 * with what its source can do. What does not fit is refused with the reason; it is never made to
 * fit by watching less, or more, than was asked for.
 */
#include "guest.h"
#include "watch.h"
#include "writes.h"

/* Of memory where the line does not say: as much as its address is a multiple of. */
#define MOST_BY_DEFAULT 8
#define MAX_GATE 16
/* Places where a register may be written; and bytes of text that may be disassembled to know. */
#define MOST_WRITES 512
#define MOST_CODE ((guint64) 32 << 20)

typedef struct {
	VmifsGuest *guest;
	const VmifsWatchLine *line;
	VmifsAttached *attached; /* (nullable) */
	VmifsSymbols *symbols;   /* (nullable) */
	const VmifsStopCaps *caps;
	const VmifsCall *call;
	VmifsWatchPlan *plan;
} Planning;

gboolean
vmifs_stop_point_equal(const VmifsStopPoint *a, const VmifsStopPoint *b)
{
	return a->kind == b->kind && a->address == b->address && a->len == b->len &&
	       a->vcpu == b->vcpu && a->patch == b->patch;
}

gboolean
vmifs_stop_points_have(const GArray *points, const VmifsStopPoint *point)
{
	for (guint i = 0; i < points->len; i++)
		if (vmifs_stop_point_equal(&g_array_index(points, VmifsStopPoint, i), point))
			return TRUE;
	return FALSE;
}

static void
settle(Planning *p, VmifsWatchState state, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void
settle(Planning *p, VmifsWatchState state, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	p->plan->state = state;
	g_free(p->plan->why);
	p->plan->why = g_strdup_vprintf(format, args);
	va_end(args);
}

static const VmifsInstance *
instance_of(const Planning *p)
{
	return p->attached ? p->attached->instance : NULL;
}

/* ---- what the source can do ---- */

static gboolean
fits_data(Planning *p, const VmifsStopPoint *point)
{
	const VmifsStopCaps *caps = p->caps;

	if (!caps->data) {
		settle(p, VMIFS_WATCH_REFUSED, "accesses to memory cannot be seen in this guest");
	} else if (point->kind == VMIFS_STOP_READ && !caps->reads) {
		settle(p, VMIFS_WATCH_REFUSED,
		       "reads are not told apart from writes in this guest: rw sees both");
	} else if (caps->max_len && point->len > caps->max_len) {
		settle(p, VMIFS_WATCH_REFUSED, "at most %u bytes are watched by one line",
		       caps->max_len);
	} else if (caps->aligned &&
		   (point->len & (point->len - 1) || point->address % point->len)) {
		settle(p, VMIFS_WATCH_REFUSED,
		       "1, 2, 4, 8 ... bytes are watched, at an address that they divide: not %u "
		       "at 0x%" G_GINT64_MODIFIER "x",
		       point->len, point->address);
	} else {
		return TRUE;
	}
	return FALSE;
}

static gboolean
fits(Planning *p, const VmifsStopPoint *point)
{
	const VmifsStopCaps *caps = p->caps;

	if (point->kind == VMIFS_STOP_STEP && !caps->step)
		settle(p, VMIFS_WATCH_REFUSED, "this guest cannot be stepped");
	else if (point->kind == VMIFS_STOP_EXEC && point->patch && !caps->patch)
		settle(p, VMIFS_WATCH_REFUSED, "no breakpoints are written into this guest");
	else if (point->kind == VMIFS_STOP_EXEC && !point->patch && !caps->exec)
		settle(p, VMIFS_WATCH_REFUSED, "execution cannot be seen in this guest%s",
		       caps->patch ? " but by writing to it: with `patch` at the line's end" : "");
	else if (point->kind == VMIFS_STOP_EXEC || point->kind == VMIFS_STOP_STEP)
		return TRUE;
	else
		return fits_data(p, point);
	return FALSE;
}

static void
add(Planning *p, const VmifsStopPoint *point)
{
	if (p->plan->state == VMIFS_WATCH_IDLE && fits(p, point))
		g_array_append_val(p->plan->points, *point);
}

/* ---- addresses ---- */

/* Or has its kernel gone since the look began? Another look follows that. */
static gboolean
is_still_there(const Planning *p)
{
	g_autoptr(VmifsAttached) now = vmifs_guest_attached(p->guest);

	return now == p->attached;
}

static gboolean
find_symbol(Planning *p, guint64 *ret)
{
	const char *name = p->line->symbol;
	guint64 cursor = 0, n = 0;
	VmifsSymbol symbol;
	gsize index;

	if (!instance_of(p) || (!p->symbols && !is_still_there(p))) {
		settle(p, VMIFS_WATCH_WAITING, "no kernel is known in this guest yet");
		return FALSE;
	}
	if (!p->symbols) {
		settle(p, VMIFS_WATCH_REFUSED, "the kernel's symbols are not to be had");
		return FALSE;
	}
	while (vmifs_symbols_each(p->symbols, name, &cursor, &index)) {
		vmifs_symbols_get(p->symbols, index, &symbol);
		if (n && symbol.address == *ret)
			continue;
		*ret = symbol.address;
		n++;
	}
	p->plan->lacks_symbol = n == 0;
	if (n == 0)
		settle(p, VMIFS_WATCH_REFUSED, "the kernel has no symbol %s", name);
	else if (n > 1)
		settle(p, VMIFS_WATCH_REFUSED,
		       "the kernel has %" G_GUINT64_FORMAT
		       " of the name %s: give the address, see symbols/%s",
		       n, name, name);
	return n == 1;
}

static gboolean
find_address(Planning *p, guint64 *ret)
{
	guint64 start = 0;

	if (p->line->symbol[0] && !find_symbol(p, &start))
		return FALSE;
	if (!g_uint64_checked_add(ret, start, p->line->address)) {
		settle(p, VMIFS_WATCH_REFUSED, "that address is past the last one");
		return FALSE;
	}
	return TRUE;
}

guint
vmifs_watch_task_roots(const VmifsInstance *instance, const VmifsTask *task, guint64 *ret,
		       GError **error)
{
	if (instance->os->task_roots)
		return instance->os->task_roots(instance->self, task, ret, error);
	g_autoptr(VmifsAspace) aspace =
		instance->os->task_aspace ? instance->os->task_aspace(instance->self, task, error)
					  : NULL;
	if (aspace)
		ret[0] = vmifs_aspace_root(aspace);
	return aspace ? 1 : 0;
}

/* Page tables alone would not do to tell whose an event is; and without it no event would be. */
static gboolean
knows_tasks_of_vcpus(Planning *p, const VmifsInstance *instance, GError **error)
{
	g_autoptr(VmifsRegs) regs = vmifs_guest_regs(p->guest, 0, p->call, NULL);
	g_autoptr(GError) problem = NULL;
	VmifsTask task;

	if (!regs || !instance->os->current ||
	    instance->os->current(instance->self, 0, regs, &task, &problem) ||
	    !g_error_matches(problem, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED))
		return TRUE;
	g_propagate_prefixed_error(error, g_steal_pointer(&problem),
				   "whether it runs cannot be told: ");
	return FALSE;
}

static gboolean
find_roots(Planning *p)
{
	VmifsWatchPlan *plan = p->plan;
	const VmifsInstance *instance = instance_of(p);
	g_autoptr(GError) error = NULL;

	if (!p->line->pid)
		return TRUE;
	if (!instance || !instance->os->tasks) {
		settle(p, VMIFS_WATCH_WAITING, "no kernel is known in this guest yet");
		return FALSE;
	}
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(p->guest, p->call, &error);
	const VmifsTask *task = tasks ? vmifs_task_list_find(tasks, p->line->pid) : NULL;
	if (task && knows_tasks_of_vcpus(p, instance, &error)) {
		plan->task = *task;
		plan->n_roots = vmifs_watch_task_roots(instance, task, plan->roots, &error);
	}
	if (!plan->n_roots)
		settle(p, VMIFS_WATCH_REFUSED, "process %u: %s", p->line->pid,
		       error ? error->message : "there is none");
	return plan->n_roots > 0;
}

/* Of a condition: whether the vCPUs have it. One that is in a program of another mode, or that
 * cannot be asked, does not tell; then the first stop does. */
static gboolean
has_register(Planning *p)
{
	const char *reg = p->line->reg;
	const VmifsArchRegs *names = p->attached && p->attached->aspace
					     ? vmifs_watch_names_of(p->attached->aspace)
					     : NULL;
	guint64 value;

	if (p->line->kind != VMIFS_WATCH_EXEC || !reg[0] || !names)
		return TRUE;
	g_autoptr(VmifsRegs) regs = vmifs_guest_regs(p->guest, 0, p->call, NULL);
	if (!regs || !vmifs_regs_get(regs, names->pc, &value) || vmifs_regs_get(regs, reg, &value))
		return TRUE;
	settle(p, VMIFS_WATCH_REFUSED, "this guest has no register %s: see regs", reg);
	return FALSE;
}

/* ---- kinds ---- */

static void
plan_memory(Planning *p)
{
	const VmifsWatchLine *line = p->line;
	VmifsStopPoint point = { .kind = line->kind == VMIFS_WATCH_EXEC ? VMIFS_STOP_EXEC
									: line->access,
				 .patch = line->patch };

	if (!find_address(p, &point.address) || !find_roots(p) || !has_register(p))
		return;
	if (point.kind != VMIFS_STOP_EXEC) {
		point.len = line->len;
		for (guint32 len = MOST_BY_DEFAULT; !point.len; len /= 2)
			if (point.address % len == 0)
				point.len = len;
		if (point.len - 1 > G_MAXUINT64 - point.address) {
			settle(p, VMIFS_WATCH_REFUSED, "that is past the last address");
			return;
		}
	}
	add(p, &point);
}

const VmifsArchRegs *
vmifs_watch_names(const VmifsRegs *regs)
{
	guint64 value;

	/* Some call that the same. */
	for (gsize i = 0; i < vmifs_n_archs; i++) {
		const VmifsArchRegs *names = vmifs_archs[i]->regs;
		if (names && vmifs_regs_get(regs, names->pc, &value) &&
		    (!names->link || vmifs_regs_get(regs, names->link, &value)))
			return names;
	}
	return NULL;
}

const VmifsArchRegs *
vmifs_watch_names_of(const VmifsAspace *aspace)
{
	for (gsize i = 0; i < vmifs_n_archs; i++)
		if (g_str_equal(vmifs_archs[i]->name, vmifs_aspace_arch(aspace)))
			return vmifs_archs[i]->regs;
	return NULL;
}

const VmifsArchRegs *
vmifs_watch_names_in(const VmifsRegs *regs, const VmifsAspace *kernel)
{
	const VmifsArchRegs *names = kernel ? vmifs_watch_names_of(kernel) : NULL;
	guint64 pc;

	return names && vmifs_regs_get(regs, names->pc, &pc) ? names : vmifs_watch_names(regs);
}

static gboolean
find_gates(Planning *p, const VmifsRegs *regs, const VmifsArchRegs *names, guint vcpu, guint64 *ret,
	   guint64 *ret_limit)
{
	if (names && names->gate && names->gate_len <= MAX_GATE &&
	    vmifs_regs_get(regs, names->gates, ret) &&
	    vmifs_regs_get(regs, names->gates_limit, ret_limit))
		return TRUE;
	if (names && !names->gate)
		settle(p, VMIFS_WATCH_REFUSED,
		       "interrupts of this architecture have no handlers by number");
	else
		settle(p, VMIFS_WATCH_REFUSED,
		       "the source does not tell where handlers of vCPU %u are", vcpu);
	return FALSE;
}

/* In the table of one vCPU. */
static void
add_handler(Planning *p, const VmifsRegs *regs, guint vcpu)
{
	const VmifsArchRegs *names = vmifs_watch_names_in(regs, p->attached->aspace);
	VmifsStopPoint point = { .kind = VMIFS_STOP_EXEC };
	g_autoptr(GError) error = NULL;
	guint8 gate[MAX_GATE];
	guint64 at, limit, flags;

	if (!find_gates(p, regs, names, vcpu, &at, &limit) || !at)
		return;
	if (names->no_gates && vmifs_regs_get(regs, names->no_gates, &flags) &&
	    flags & names->no_gates_flag) {
		settle(p, VMIFS_WATCH_REFUSED, "vCPU %u delivers interrupts without such handlers",
		       vcpu);
		return;
	}
	guint64 off = p->line->number * (guint64) names->gate_len;
	if (off + names->gate_len - 1 > limit)
		settle(p, VMIFS_WATCH_REFUSED,
		       "vCPU %u has handlers of %" G_GUINT64_FORMAT " vectors", vcpu,
		       (limit + 1) / names->gate_len);
	else if (!g_uint64_checked_add(&at, at, off) ||
		 !vmifs_aspace_read(p->attached->aspace, at, gate, names->gate_len, &error) ||
		 !names->gate(gate, &point.address))
		settle(p, VMIFS_WATCH_REFUSED, "vector %u has no handler on vCPU %u%s%s",
		       p->line->number, vcpu, error ? ": " : "", error ? error->message : "");
	else if (!vmifs_stop_points_have(p->plan->points, &point))
		add(p, &point);
}

/* Each vCPU has a table; most kernels give all of them the same. */
static void
plan_int(Planning *p)
{
	guint n = vmifs_guest_n_reg_vcpus(p->guest);

	if (!p->attached || !p->attached->aspace) {
		settle(p, VMIFS_WATCH_WAITING, "no kernel is known in this guest yet");
		return;
	}
	for (guint vcpu = 0; vcpu < n && p->plan->state == VMIFS_WATCH_IDLE; vcpu++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(VmifsRegs) regs = vmifs_guest_regs(p->guest, vcpu, p->call, &error);
		if (regs)
			add_handler(p, regs, vcpu);
		else
			settle(p, VMIFS_WATCH_REFUSED, "registers of vCPU %u: %s", vcpu,
			       error->message);
	}
	if (p->plan->state == VMIFS_WATCH_IDLE && !p->plan->points->len)
		settle(p, VMIFS_WATCH_REFUSED, "no vCPU has handlers yet");
}

/* ---- registers ---- */

static gboolean
can_find_writes(Planning *p, const VmifsArchWrites *arch)
{
	const char *unseen = arch ? arch->unseen(p->line->reg, p->line->number) : NULL;

	if (!arch)
		settle(p, VMIFS_WATCH_REFUSED, "what writes registers is not known of %s",
		       vmifs_aspace_arch(p->attached->aspace));
	else if (unseen)
		settle(p, VMIFS_WATCH_REFUSED, "not all that writes it is seen: %s", unseen);
	return arch && !unseen;
}

static void
plan_reg(Planning *p)
{
	g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(guint64));
	g_autoptr(GError) error = NULL;

	if (!p->attached || !p->attached->aspace) {
		settle(p, VMIFS_WATCH_WAITING, "no kernel is known in this guest yet");
		return;
	}
	const VmifsArchRegs *names = vmifs_watch_names_of(p->attached->aspace);
	const VmifsArchWrites *arch = names ? names->writes : NULL;
	if (!can_find_writes(p, arch))
		return;
	g_autoptr(VmifsDisasm) disasm =
		vmifs_disasm_new(vmifs_aspace_arch(p->attached->aspace), &error);
	VmifsWrites writes = { .arch = arch,
			       .reg = p->line->reg,
			       .disasm = disasm,
			       .symbols = p->symbols,
			       .kernel_start = vmifs_attached_kernel_start(p->attached),
			       .found = found,
			       .most = MOST_WRITES,
			       .budget = MOST_CODE };
	if (!disasm || !vmifs_writes_find(&writes, p->attached->aspace, p->call, &error))
		settle(p, VMIFS_WATCH_REFUSED, "%s", error->message);
	else if (!writes.n)
		settle(p, VMIFS_WATCH_REFUSED, "nothing in the kernel's text writes it");
	else if (writes.n > MOST_WRITES)
		settle(p, VMIFS_WATCH_REFUSED,
		       "%" G_GUINT64_FORMAT " places of the kernel's text write it, and %u are the "
		       "most for one line",
		       writes.n, MOST_WRITES);
	for (guint i = 0; i < found->len; i++) {
		VmifsStopPoint point = { .kind = VMIFS_STOP_EXEC,
					 .address = g_array_index(found, guint64, i) };
		add(p, &point);
	}
}

static void
plan_os(Planning *p)
{
	const VmifsInstance *instance = instance_of(p);
	VmifsOsEvents which = p->line->kind == VMIFS_WATCH_TASK ? VMIFS_OS_TASKS : VMIFS_OS_MODULES;
	g_autoptr(GArray) addresses = g_array_new(FALSE, FALSE, sizeof(guint64));
	g_autoptr(GError) error = NULL;

	if (!instance) {
		settle(p, VMIFS_WATCH_WAITING, "no kernel is known in this guest yet");
	} else if (!instance->os->event_points) {
		settle(p, VMIFS_WATCH_REFUSED, "where its kernel does that is not known");
	} else if (!instance->os->event_points(instance->self, which, addresses, &error)) {
		settle(p, VMIFS_WATCH_REFUSED, "%s", error->message);
	}
	for (guint i = 0; i < addresses->len; i++) {
		VmifsStopPoint point = { .kind = VMIFS_STOP_EXEC,
					 .address = g_array_index(addresses, guint64, i) };
		add(p, &point);
	}
}

static void
plan_step(Planning *p)
{
	VmifsStopPoint point = { .kind = VMIFS_STOP_STEP, .vcpu = p->line->number };
	guint n = vmifs_guest_n_reg_vcpus(p->guest);

	if (point.vcpu >= n)
		settle(p, VMIFS_WATCH_REFUSED, "this guest has %u vCPU%s", n, n == 1 ? "" : "s");
	else
		add(p, &point);
}

void
vmifs_watch_make_plan(VmifsGuest *guest, const VmifsWatchLine *line, VmifsAttached *attached,
		      VmifsSymbols *symbols, const VmifsStopCaps *caps, const char *why_caps,
		      const VmifsCall *call, VmifsWatchPlan *ret)
{
	g_auto(VmifsWatchPlan) plan = {
		.state = VMIFS_WATCH_IDLE,
		.points = g_array_new(FALSE, FALSE, sizeof(VmifsStopPoint)),
	};
	Planning p = { .guest = guest,
		       .line = line,
		       .attached = attached,
		       .symbols = symbols,
		       .caps = caps,
		       .call = call,
		       .plan = &plan };

	if (!caps)
		settle(&p, VMIFS_WATCH_REFUSED, "%s", why_caps);
	else if (line->kind == VMIFS_WATCH_MEM || line->kind == VMIFS_WATCH_EXEC)
		plan_memory(&p);
	else if (line->kind == VMIFS_WATCH_STEP)
		plan_step(&p);
	else if (line->kind == VMIFS_WATCH_INT)
		plan_int(&p);
	else if (line->kind == VMIFS_WATCH_REG)
		plan_reg(&p);
	else
		plan_os(&p);
	*ret = plan;
	plan = (VmifsWatchPlan){ 0 };
}
