/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpus: what each processor was at: the task that it runs, and the kernel's functions that it was
 * in, from its registers. A source numbers processors as it likes: which of the kernel's one is,
 * its registers tell, whose GS base (FS, with 32 bits) is where that processor's variables lie, or
 * on RISC-V, where any hart may come to be the first, a table (arch/riscv/kernel/smp.c, 6.12).
 */
#include "machine.h"

/* RISC-V's harts, which the kernel has numbered in its own way. */
static gboolean
find_hart(const Linux *os, guint64 vcpu, guint32 n, guint32 *ret)
{
	guint64 harts, hart;

	if (!linux_symbol(os, "__cpuid_to_hartid_map", &harts, NULL))
		return FALSE;
	for (guint32 cpu = 0; cpu < n; cpu++) {
		if (linux_load_word(os, harts + cpu * (guint64) linux_word(os), &hart, NULL) &&
		    hart == vcpu) {
			*ret = cpu;
			return TRUE;
		}
	}
	return FALSE;
}

/* The kernel's number of a processor. Without registers, that of the source. */
static gboolean
find_cpu(const Linux *os, guint64 vcpu, const VmifsRegs *regs, guint32 *ret, GError **error)
{
	static const char *const wide[] = { "gs_base", "k_gs_base" };
	static const char *const narrow[] = { "fs_base", "fs_base" };
	const char *const *bases = linux_word(os) == 8 ? wide : narrow;
	guint32 n = linux_n_cpus(os);
	guint64 base, start;

	for (gsize i = 0; regs && i < G_N_ELEMENTS(wide); i++) {
		if (!vmifs_regs_get(regs, bases[i], &base) || !base)
			continue;
		for (guint32 cpu = 0; cpu < n; cpu++) {
			if (linux_percpu(os, 0, cpu, &start, NULL) && start == base) {
				*ret = cpu;
				return TRUE;
			}
		}
	}
	if (find_hart(os, vcpu, n, ret))
		return TRUE;
	if (vcpu >= n) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND,
			    "the kernel has no processor %" G_GUINT64_FORMAT, vcpu);
		return FALSE;
	}
	*ret = (guint32) vcpu;
	return TRUE;
}

/* Registers of the processor whose directory it is; NULL where the source tells none. (full) */
static VmifsRegs *
regs_of(const Linux *os, const char *entry, guint64 *ret_vcpu, const VmifsCall *call,
	GError **error)
{
	*ret_vcpu = g_ascii_strtoull(entry, NULL, 10);
	return vmifs_guest_regs(os->guest, (guint) *ret_vcpu, call, error);
}

static gboolean
find_task(const Linux *os, guint32 cpu, guint64 *ret, GError **error)
{
	const LinuxMachine *machine = linux_machine(os);

	return machine->current ? machine->current(os, cpu, ret, error)
				: linux_machine_lacks(os, "tasks of processors", error);
}

gboolean
linux_current(gpointer self, guint vcpu, const VmifsRegs *regs, VmifsTask *ret, GError **error)
{
	const Linux *os = self;
	guint64 object;
	guint32 cpu;

	return find_cpu(os, vcpu, regs, &cpu, error) && find_task(os, cpu, &object, error) &&
	       linux_task_read(os, object, ret, error);
}

gboolean
linux_current_is_known(const Linux *os, GError **error)
{
	g_autoptr(GError) problem = NULL;
	guint64 object;

	if (find_task(os, 0, &object, &problem) ||
	    !g_error_matches(problem, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED))
		return TRUE;
	g_propagate_prefixed_error(error, g_steal_pointer(&problem),
				   "which task a processor runs cannot be told: ");
	return FALSE;
}

LINUX_VIEW(linux_render_vcpu_current)
{
	guint64 vcpu, object;
	g_autoptr(VmifsRegs) regs = regs_of(os, entry, &vcpu, call, NULL);
	g_autoptr(GString) name = g_string_new(NULL);
	VmifsTask current;
	guint32 cpu;

	if (!find_cpu(os, vcpu, regs, &cpu, error) || !find_task(os, cpu, &object, error) ||
	    !linux_task_read(os, object, &current, error) ||
	    !linux_task_name(os, &current, name, error))
		return FALSE;
	g_string_append_printf(out, "%u %u ", current.tgid, current.pid);
	vmifs_text_append_octal(out, name->str, (gssize) name->len, NULL);
	g_string_append_c(out, '\n');
	return TRUE;
}

LINUX_VIEW(linux_render_vcpu_stack)
{
	guint64 vcpu, ip;
	g_autoptr(VmifsRegs) regs = regs_of(os, entry, &vcpu, call, error);
	g_autoptr(GArray) frames = g_array_new(FALSE, FALSE, sizeof(LinuxFrame));
	g_auto(LinuxCode) code = { 0 };

	if (!regs)
		return FALSE;
	const LinuxMachine *machine = linux_machine(os);
	if (machine->in_program && machine->in_program(regs, &ip)) {
		LinuxFrame only = { .ip = ip, .is_user = TRUE };
		g_array_append_val(frames, only);
	}
	linux_code_init(&code, os, call);
	if (!frames->len && !linux_unwind_regs(&code, regs, frames, error))
		return FALSE;
	for (guint i = 0; i < frames->len; i++) {
		const LinuxFrame *frame = &g_array_index(frames, LinuxFrame, i);

		g_string_append(out, frame->is_user ? "[user] " : "[<0>] ");
		if (frame->is_user)
			g_string_append_printf(out, "0x%" G_GINT64_MODIFIER "x", frame->ip);
		else
			linux_code_append(&code, frame->ip, frame->after_call, out);
		g_string_append_c(out, '\n');
	}
	return TRUE;
}

gboolean
linux_has_vcpu_stack(gpointer os)
{
	return vmifs_guest_n_reg_vcpus(((const Linux *) os)->guest) > 0;
}
