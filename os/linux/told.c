/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * told: what the source itself says of the kernel, beside its memory: a VMCOREINFO note, so that no
 * pass over memory is needed; where a vCPU's interrupts go, which is in the image of the kernel
 * that runs, so that a pass over that is enough; and the page table that each vCPU walks, which
 * tells the kernel that runs from all others that lie in memory just as whole. None is believed
 * alone: a note may be an earlier kernel's, and a vCPU may be anywhere.
 */
#include "find.h"
#include "roots.h"

#include <spi/bytes.h>

/* A kernel that no vCPU runs is not certain, however whole it is. */
#define SCORE_RUNS 30
#define SCORE_RUNS_NOT (-60)
/* vCPUs that are asked; of a large machine some are enough. */
#define MAX_VCPUS 64
/* Of these, one whose interrupts go to a kernel is enough. */
#define MAX_ASKED 4
#define TEXT_SPAN (G_GUINT64_CONSTANT(32) << 20)
/* AMD64 Architecture Programmer's Manual, volume 2, "Long-Mode Interrupt-Gate Descriptor". */
#define GATE_LEN 16
#define GATE_PRESENT 0x80 /* in its byte 5 */
#define PAGE_FAULT 14

static void
read_told_note(VmifsProbe *probe)
{
	g_autoptr(GBytes) bytes = vmifs_probe_told(probe, "VMCOREINFO");
	g_autoptr(GError) error = NULL;
	LinuxNote note = { .told = TRUE };

	if (!bytes)
		return;
	note.info = linux_vmcoreinfo_new(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
					 &error);
	if (note.info) {
		LinuxFind *find = linux_find_get(probe);
		linux_find_add_note(find, &note);
		linux_conclude_told(find);
	} else
		vmifs_probe_note(probe, "VMCOREINFO beside the memory: %s", error->message);
}

/* Where a vCPU with those tables goes at a page fault; FALSE unless it is a kernel's image. */
static gboolean
handler_of(VmifsAspace *aspace, guint64 idt, guint64 *ret_pa)
{
	guint8 gate[GATE_LEN];
	VmifsRange range;

	if (!vmifs_aspace_read(aspace, idt + PAGE_FAULT * GATE_LEN, gate, sizeof gate, NULL) ||
	    !(gate[5] & GATE_PRESENT))
		return FALSE;
	guint64 handler = vmifs_load_u16(gate) | (guint64) vmifs_load_u16(gate + 6) << 16 |
			  (guint64) vmifs_load_u32(gate + 8) << 32;
	if (handler < LINUX_X86_64_IMAGE || !vmifs_aspace_translate(aspace, handler, &range, NULL))
		return FALSE;
	*ret_pa = range.pa;
	return TRUE;
}

/* Under whichever half of the page tables it runs: handlers are in both. A kernel of 32 bits is
 * looked for by its note instead: it has neither types nor symbols that tell where its log is. */
static gboolean
handler_of_vcpu(VmifsProbe *probe, guint vcpu, guint64 *ret_pa)
{
	g_autoptr(VmifsRegs) regs = vmifs_probe_regs(probe, vcpu);
	guint64 cr3, idt;
	gsize mode, end;

	if (!regs || !vmifs_regs_get(regs, "cr3", &cr3) ||
	    !vmifs_regs_get(regs, "idt_base", &idt) || idt <= G_MAXUINT32)
		return FALSE;
	cr3 = linux_root_of_cr3(LINUX_ARCH_X86_64, cr3);
	vmifs_probe_modes_of(probe, LINUX_ARCH_X86_64, &mode, &end);
	for (; mode < end; mode++) {
		g_autoptr(VmifsAspace) aspace = vmifs_probe_try_root(probe, mode, cr3, 0);
		if (aspace && handler_of(aspace, idt, ret_pa))
			return TRUE;
	}
	return FALSE;
}

void
linux_begin(VmifsProbe *probe)
{
	guint n = MIN(vmifs_probe_n_vcpus(probe), MAX_ASKED);
	guint64 pa;

	read_told_note(probe);
	for (guint i = 0; i < n; i++) {
		if (!handler_of_vcpu(probe, i, &pa))
			continue;
		/* Its text comes first in the image. */
		guint64 from = MAX(pa, TEXT_SPAN) - TEXT_SPAN;
		vmifs_probe_look_at(probe, from, pa - from + LINUX_IMAGE_SPAN);
		return;
	}
}

/* Where registers do not tell the tables. In a program, a vCPU does not find the kernel's text. */
static gboolean
finds_text(const LinuxFind *find, guint vcpu, guint64 text, guint64 delta)
{
	guint64 pa;

	return vcpu < LINUX_MAX_TRANSLATING &&
	       vmifs_probe_vcpu_translate(find->probe, vcpu, text, &pa) && pa == text - delta;
}

/* Does a vCPU walk page tables under which that text is where it should be? The first one that
 * does; -1: none; -2: of none is that known. */
static int
vcpu_that_runs(const LinuxFind *find, const char *arch, guint64 ignore_mask, guint64 text,
	       guint64 delta)
{
	guint n = MIN(vmifs_probe_n_vcpus(find->probe), MAX_VCPUS);
	int none = -2;

	for (guint i = 0; i < n; i++) {
		g_autoptr(VmifsRegs) regs = vmifs_probe_regs(find->probe, i);
		guint64 roots[LINUX_VCPU_ROOTS];
		guint n_roots = regs ? linux_vcpu_roots(arch, regs, roots) : 0;
		if (n_roots)
			none = -1;
		else if (regs && finds_text(find, i, text, delta))
			return (int) i;
		for (guint j = 0; j < n_roots; j++)
			if (linux_find_root_fits(find->probe, arch, roots[j] & ~ignore_mask,
						 ignore_mask, text, delta))
				return (int) i;
	}
	return none;
}

int
linux_told_score(const LinuxFind *find, const LinuxClaim *claim, const char *arch,
		 guint64 ignore_mask, GString *evidence)
{
	guint64 text;

	if (!linux_claim_symbol(claim, "_stext", &text))
		return 0;
	int vcpu = vcpu_that_runs(find, arch, ignore_mask, text, claim->delta);
	if (vcpu >= 0)
		g_string_append_printf(evidence, "; %s of vCPU %d agrees",
				       linux_vcpu_root_word(arch), vcpu);
	else if (vcpu == -1)
		g_string_append_printf(evidence, "; no vCPU's %s agrees",
				       linux_vcpu_root_word(arch));
	return vcpu >= 0 ? SCORE_RUNS : vcpu == -1 ? SCORE_RUNS_NOT : 0;
}
