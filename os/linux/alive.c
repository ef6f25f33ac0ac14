/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * alive: does the kernel that was attached still run? Its memory alone does not tell: after a reset
 * all of it lies there until something else is put in its place, which may be never. Its clock
 * does, as long as it goes; where it stands still (an idle guest, a paused one, one that has ended)
 * the page tables that the vCPUs walk are asked, which takes a monitor.
 *
 *   banner, ring of tasks   not as they were: it has ended
 *   clock                   goes: it runs;  has gone back: it is another boot at the same place;
 *                           cannot be read: as one that stands still
 *   page tables of vCPUs    none has the kernel's text where it is: it has ended
 */
#include "linux.h"

#include "roots.h"
#include "times.h"

#include <string.h>

/* Looks at which the clock may stand still before vCPUs are asked. */
#define MAX_STILL 2
#define MAX_VCPUS 64
/* The parts of a clock are not read in one moment. */
#define TORN_NS G_GUINT64_CONSTANT(2000000000)
#define MAX_BANNER 512
/* The ring changes while it is looked at. */
#define TRIES 3

/* That nothing is there is an answer; that a source fails just now is none. */
static gboolean
is_answer(const GError *error)
{
	return g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_HOLE) ||
	       g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT);
}

static gboolean
has_banner(const Linux *os)
{
	g_autoptr(GError) error = NULL;
	guint8 there[MAX_BANNER];
	gsize len = os->found->banner ? MIN(strlen(os->found->banner), sizeof there) : 0;
	guint64 va;

	if (!len || !linux_symbol(os, "linux_banner", &va, NULL))
		return TRUE;
	if (!vmifs_aspace_read(os->aspace, va, there, len, &error))
		return !is_answer(error);
	return !memcmp(there, os->found->banner, len);
}

/* Does what follows init_task in the ring of tasks point back to it? */
static gboolean
has_ring(const Linux *os)
{
	guint64 init, at, next, back;

	if (!linux_symbol(os, "init_task", &init, NULL) ||
	    !linux_offset(os, LINUX_FIELD_TASK_TASKS, &at, NULL))
		return TRUE;
	for (guint i = 0; i < TRIES; i++) {
		g_autoptr(GError) error = NULL;
		guint32 ptr = vmifs_aspace_ptr_size(os->aspace);
		if (vmifs_aspace_read_ptr(os->aspace, init + at, &next, &error) &&
		    vmifs_aspace_read_ptr(os->aspace, next + ptr, &back, &error) &&
		    back == init + at)
			return TRUE;
		if (error && !is_answer(error))
			return TRUE;
	}
	return FALSE;
}

static gboolean
maps_text(const Linux *os, guint64 root, guint64 text, guint64 pa)
{
	g_autoptr(VmifsAspace) aspace = vmifs_aspace_new_like(os->aspace, root, NULL, NULL);
	VmifsRange range;

	return vmifs_aspace_translate(aspace, text, &range, NULL) && range.pa == pa;
}

/* On 32-bit x86 every kernel has all of memory at the same place, whatever is in it; what lies at
 * the table of its interrupts is one kernel's. */
static gboolean
has_its_interrupts(const Linux *os, guint64 root, const VmifsRegs *regs)
{
	guint64 table;
	VmifsRange seen, own;

	if (!g_str_equal(vmifs_aspace_arch(os->aspace), LINUX_ARCH_I386) ||
	    !vmifs_regs_get(regs, "idt_base", &table))
		return TRUE;
	g_autoptr(VmifsAspace) aspace = vmifs_aspace_new_like(os->aspace, root, NULL, NULL);
	return vmifs_aspace_translate(aspace, table, &seen, NULL) &&
	       vmifs_aspace_translate(os->aspace, table, &own, NULL) && seen.pa == own.pa;
}

/* Where registers do not tell the tables. That it does not find it says nothing: it may be in a
 * program. */
static gboolean
finds_text(const Linux *os, guint vcpu, guint64 text, guint64 pa, const VmifsCall *call)
{
	guint64 found;

	return vmifs_guest_vcpu_translate(os->guest, vcpu, text, &found, call, NULL) && found == pa;
}

/* FALSE: registers are known, and no vCPU walks tables that have the kernel's text. ret_known:
 * FALSE = nobody tells which tables they walk. */
static gboolean
some_vcpu_runs_it(const Linux *os, gboolean *ret_known, const VmifsCall *call)
{
	guint n = MIN(vmifs_guest_n_reg_vcpus(os->guest), MAX_VCPUS);
	const char *arch = vmifs_aspace_arch(os->aspace);
	guint64 text, roots[LINUX_VCPU_ROOTS];

	*ret_known = FALSE;
	if (!linux_symbol(os, "_stext", &text, NULL))
		return TRUE;
	guint64 pa = text - os->found->image_delta;
	for (guint i = 0; i < n; i++) {
		g_autoptr(VmifsRegs) regs = vmifs_guest_regs(os->guest, i, call, NULL);
		guint n_roots = regs ? linux_vcpu_roots(arch, regs, roots) : 0;
		if (regs && !n_roots && i < LINUX_MAX_TRANSLATING &&
		    finds_text(os, i, text, pa, call)) {
			*ret_known = TRUE;
			return TRUE;
		}
		*ret_known |= n_roots > 0;
		for (guint j = 0; j < n_roots; j++) {
			guint64 root = roots[j] & ~os->found->ignore_mask;
			if (maps_text(os, root, text, pa) && has_its_interrupts(os, root, regs))
				return TRUE;
		}
	}
	return !*ret_known;
}

void
linux_alive_begin(Linux *os)
{
	LinuxClock clock;

	if (linux_clock(os, &clock, NULL))
		os->seen_clock = clock.since_boot;
}

gboolean
linux_alive(gpointer self, gboolean *ret_sure, const VmifsCall *call)
{
	Linux *os = self;
	LinuxClock clock;

	if (!has_banner(os) || !has_ring(os))
		return FALSE;
	guint64 before = os->seen_clock;
	if (!linux_clock(os, &clock, NULL))
		clock.since_boot = before;
	if (clock.since_boot < before && before - clock.since_boot > TORN_NS)
		return FALSE;
	os->seen_clock = clock.since_boot;
	os->n_still = clock.since_boot == before ? os->n_still + 1 : 0;
	if (os->n_still <= MAX_STILL)
		return TRUE;
	gboolean runs = some_vcpu_runs_it(os, ret_sure, call);
	if (*ret_sure)
		os->n_still = 0;
	return runs;
}
