/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * machine-aarch64: what of Linux is so on AArch64 alone. Its kernels keep frame pointers, all of
 * them: a stack is a list of frames up to the registers with which the program entered the kernel,
 * within which the last one lies.
 *
 *   cpu_context.fp -> [ caller's frame, return address ] -> ... -> pt_regs.stackframe
 */
#include "machine.h"

#include <spi/bytes.h>

/* ---- page tables ---- */

#define ENTRY_VALID (1ULL << 0)
#define ENTRY_TABLE (1ULL << 1) /* at the last level: page */
#define ENTRY_RDONLY (1ULL << 7)
#define ENTRY_ACCESSED (1ULL << 10)
#define ENTRY_NOT_GLOBAL (1ULL << 11)
#define ENTRY_DIRTY_STATE (1ULL << 51) /* writable: whether it was written to, RDONLY tells */
#define ENTRY_UXN (1ULL << 54)
#define ENTRY_DIRTY (1ULL << 55)
#define ENTRY_SPECIAL (1ULL << 56) /* no page of memory that anybody counts */
#define ENTRY_ADDRESS 0x0000fffffffff000ULL
#define ENTRY_TYPE (ENTRY_VALID | ENTRY_TABLE)

static gboolean
is_dirty(guint64 entry)
{
	return entry & ENTRY_DIRTY || (entry & ENTRY_DIRTY_STATE && !(entry & ENTRY_RDONLY));
}

/* mprotect(PROT_NONE), and what waits for the next access for NUMA balancing, clears VALID alone.
 * Entries of what was swapped out, or moves, have neither of the two bits of the type; of huge
 * pages, which have only one, the rest has to look like a page's. */
static gboolean
resolve(gpointer user, const VmifsRange *in, VmifsRange *ret)
{
	const guint64 like_a_page = ENTRY_ACCESSED | ENTRY_NOT_GLOBAL | ENTRY_UXN;
	VmifsPhysmem *mem = user;
	guint64 size = 1ULL << in->page_shift;
	guint64 pa = in->entry & ENTRY_ADDRESS & ~(size - 1);

	if (in->kind != VMIFS_RANGE_NOT_PRESENT || in->entry & ENTRY_VALID ||
	    !(in->level == 1 ? in->entry & ENTRY_TABLE
			     : (in->entry & like_a_page) == like_a_page) ||
	    !vmifs_physmem_covers(mem, pa, size))
		return FALSE;
	*ret = *in;
	ret->kind = VMIFS_RANGE_PAGE;
	ret->pa = pa + (in->va & (size - 1));
	ret->perms = in->entry & ENTRY_RDONLY ? in->perms & ~VMIFS_PERM_WRITE : in->perms;
	return TRUE;
}

#define MAX_SECTION_ROOTS 8192
#define SECTION_PRESENT 1
#define SECTION_FLAGS 0x3f

/* Each part of memory says where the array would begin for the page at 0. */
static gboolean
array_of_section(const Linux *os, guint64 sections, guint64 *ret)
{
	guint64 size, map;

	if (!linux_sizeof(os, LINUX_STRUCT_MEM_SECTION, &size, NULL))
		return FALSE;
	for (guint64 at = 0; at + size <= linux_page_size(os); at += size) {
		if (!linux_get(os, sections + at, LINUX_FIELD_MEM_SECTION_MAP, &map, NULL))
			return FALSE;
		if (map & SECTION_PRESENT) {
			*ret = map & ~(guint64) SECTION_FLAGS;
			return TRUE;
		}
	}
	return FALSE;
}

gboolean
linux_page_array(const Linux *os, guint64 *ret, GError **error)
{
	LinuxClaim claim = { .note = os->found->vmcoreinfo };
	guint64 table, sections;

	if (linux_claim_symbol(&claim, "vmemmap", ret))
		return TRUE;
	if (!linux_claim_symbol(&claim, "mem_section", &table) &&
	    !linux_variable(os, "mem_section", 8, &table, error))
		return FALSE;
	for (guint64 i = 0; i < MAX_SECTION_ROOTS; i++) {
		if (!linux_load(os, table + i * 8, 8, &sections, error))
			return FALSE;
		if (sections && array_of_section(os, sections, ret))
			return TRUE;
	}
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "nothing tells where the kernel keeps what it notes of pages");
	return FALSE;
}

/* ---- stacks ---- */

#define KERNEL_HALF (1ULL << 55)
#define MODE_EL0 0
#define MODE_MASK 0xf
#define N_ARGUMENTS 6

static gboolean
is_of_program(guint64 pstate)
{
	return (pstate & MODE_MASK) == MODE_EL0;
}

/* A return address may be signed, in the bits above those that are translated. */
static guint64
without_signature(const Linux *os, guint64 address)
{
	guint64 above = ~(vmifs_aspace_user_end(os->aspace) - 1);

	return address & KERNEL_HALF ? address | above : address & ~above;
}

static void
append_frame(GArray *frames, guint64 ip, gboolean after_call, gboolean is_user)
{
	LinuxFrame frame = { ip, after_call, is_user };
	g_array_append_val(frames, frame);
}

/* The frame in registers that were saved, which ends a list, or says that another begins. */
static gboolean
leave_regs(LinuxCode *code, guint64 frame, GArray *frames, guint64 *ret_frame, guint64 *ret_ip)
{
	const Linux *os = code->os;
	LinuxCursor c = { .os = os };
	guint64 at, regs;

	if (!linux_offset(os, LINUX_FIELD_PT_REGS_STACKFRAME, &at, NULL))
		return FALSE;
	regs = frame - at;
	guint64 ip = linux_take(&c, regs, LINUX_FIELD_PT_REGS_IP);
	guint64 pstate = linux_take(&c, regs, LINUX_FIELD_PT_REGS_PSTATE);
	guint64 numbers = linux_layout_element(os->layout, LINUX_FIELD_PT_REGS_REGS, regs, 29);
	if (!linux_cursor_end(&c, NULL) || !numbers)
		return FALSE;
	if (is_of_program(pstate)) {
		/* Of the kernel's own threads they are all zero. */
		if (ip || pstate)
			append_frame(frames, ip, FALSE, TRUE);
		return FALSE;
	}
	*ret_ip = ip;
	return linux_load(os, numbers, 8, ret_frame, NULL);
}

/* last: the frame that ends it, if that is known. */
static gboolean
follow(LinuxCode *code, LinuxRange stack, guint64 last, guint64 frame, guint64 ip, gboolean is_call,
       GArray *frames, GError **error)
{
	const Linux *os = code->os;
	guint64 next, link;

	for (guint i = 0; i < LINUX_MAX_FRAMES; i++) {
		if (!vmifs_call_check(code->call, error))
			return FALSE;
		/* Wherever it is, there it is. */
		if (i && !linux_code_is_text(code, ip))
			return TRUE;
		append_frame(frames, ip, is_call, FALSE);
		if (frame == last || frame % 8 ||
		    !vmifs_in_bounds(frame - stack.start, 16, stack.len))
			return TRUE;
		if (!linux_load(os, frame, 8, &next, error) ||
		    !linux_load(os, frame + 8, 8, &link, error))
			return FALSE;
		is_call = link != 0;
		if (!link && !leave_regs(code, frame, frames, &next, &link))
			return TRUE;
		ip = without_signature(os, link);
		frame = next;
	}
	return TRUE;
}

static gboolean
unwind_task(LinuxCode *code, guint64 task, GArray *ret, GError **error)
{
	const Linux *os = code->os;
	LinuxCursor c = { .os = os };
	LinuxRange stack;
	guint64 last_at;

	if (linux_has(os, LINUX_FIELD_TASK_ON_CPU) && linux_take(&c, task, LINUX_FIELD_TASK_ON_CPU))
		return TRUE;
	if (!linux_task_stack(&c, task, &stack))
		return linux_cursor_end(&c, error);
	guint64 last = linux_task_regs(&c, task);
	guint64 frame = linux_take(&c, task, LINUX_FIELD_TASK_THREAD_FP);
	guint64 ip = linux_take(&c, task, LINUX_FIELD_TASK_THREAD_PC);
	if (!linux_cursor_end(&c, error) ||
	    !linux_offset(os, LINUX_FIELD_PT_REGS_STACKFRAME, &last_at, error))
		return FALSE;
	return follow(code, stack, last + last_at, frame, without_signature(os, ip), TRUE, ret,
		      error);
}

static gboolean
unwind_regs(LinuxCode *code, const VmifsRegs *regs, GArray *ret, GError **error)
{
	const LinuxRange anywhere = { KERNEL_HALF, G_MAXUINT64 - KERNEL_HALF };
	guint64 ip, frame;

	if (!vmifs_regs_get(regs, "pc", &ip) || !vmifs_regs_get(regs, "x29", &frame)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND,
				    "the source does not tell pc and x29");
		return FALSE;
	}
	return follow(code, anywhere, 0, frame, ip, FALSE, ret, error);
}

static void
append_call(LinuxCursor *c, guint64 task, guint64 regs, GString *out)
{
	gint32 nr = regs ? (gint32) linux_take(c, regs, LINUX_FIELD_PT_REGS_SYSCALLNO) : -1;
	guint64 value = 0;

	g_string_append_printf(out, "%d", nr);
	if (nr < 0)
		return;
	for (guint i = 0; i < N_ARGUMENTS; i++) {
		guint64 at = linux_layout_element(c->os->layout, LINUX_FIELD_PT_REGS_REGS, regs, i);
		/* The first was replaced by the result. */
		if (i == 0)
			value = linux_take(c, regs, LINUX_FIELD_PT_REGS_ORIG_X0);
		else if (!c->error && !linux_load(c->os, at, 8, &value, &c->error))
			return;
		g_string_append_printf(out, " 0x%" G_GINT64_MODIFIER "x", value);
	}
}

static gboolean
in_program(const VmifsRegs *regs, guint64 *ret_ip)
{
	guint64 pstate;

	if (!vmifs_regs_get(regs, "pc", ret_ip))
		return FALSE;
	return vmifs_regs_get(regs, "cpsr", &pstate) ? is_of_program(pstate)
						     : !(*ret_ip & KERNEL_HALF);
}

/* The register that says it is the program's, where that runs. */
gboolean
linux_current_of_queue(const Linux *os, guint32 cpu, guint64 *ret, GError **error)
{
	guint64 queues, own;

	return linux_symbol(os, "runqueues", &queues, error) &&
	       linux_percpu(os, queues, cpu, &own, error) &&
	       linux_get(os, own, LINUX_FIELD_RQ_CURR, ret, error);
}

/* ---- texts ---- */

static gboolean
vmalloc_total(const Linux *os, guint64 *ret)
{
	const LinuxVmcoreinfo *note = os->found->vmcoreinfo;
	guint64 start, end;

	if (!note || !linux_vmcoreinfo_number(note, "NUMBER(VMALLOC_START)", &start) ||
	    !linux_vmcoreinfo_number(note, "NUMBER(VMALLOC_END)", &end) || end < start)
		return FALSE;
	*ret = (end - start) >> 10;
	return TRUE;
}

/* Bits of task_struct.atomic_flags. */
#define SSB_DISABLE (1U << 3)
#define SSB_FORCE_DISABLE (1U << 4)
#define SSB_NOEXEC (1U << 7)

static const char *
store_bypass(const Linux *os, guint64 flags, GError **error)
{
	enum { UNAFFECTED, MITIGATED };
	enum { DYNAMIC, ENABLED };
	guint64 state, policy;

	if (!linux_variable(os, "spectre_v4_state", 4, &state, NULL) ||
	    !linux_variable(os, "__spectre_v4_policy", 4, &policy, NULL)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "what the kernel does about spectre-v4 cannot be told");
		return NULL;
	}
	if (state == UNAFFECTED || (state == MITIGATED && policy == ENABLED))
		return "not vulnerable";
	if (state != MITIGATED || policy != DYNAMIC)
		return "vulnerable";
	if (flags & SSB_FORCE_DISABLE)
		return "thread force mitigated";
	if (flags & SSB_NOEXEC)
		return "vulnerable"; /* the kernel has no word for it */
	return flags & SSB_DISABLE ? "thread mitigated" : "thread vulnerable";
}

/* There is no such setting, and that is what the kernel says then. */
static const char *
indirect_branch(const Linux *os, guint64 flags, GError **error)
{
	return "unknown";
}

#define MAX_FEATURES 192
#define MAX_FEATURE_NAME 32

static void
append_features(const Linux *os, GString *out)
{
	guint64 names, bits, name, next, word = 0;
	guint n = MAX_FEATURES;

	if (!linux_symbol(os, "hwcap_str", &names, NULL) ||
	    !linux_symbol(os, "elf_hwcap", &bits, NULL))
		return;
	g_string_append(out, "Features\t:");
	/* As many as there are names: without holes between them in kernels that do not tell where
	 * they end. */
	if (!os->is_text_only && vmifs_symbols_next(os->symbols, names, &next))
		n = (guint) MIN(n, (next - names) / 8);
	for (guint i = 0; i < n && linux_load(os, names + i * 8ULL, 8, &name, NULL) &&
			  (!os->is_text_only || name & KERNEL_HALF);
	     i++) {
		if (i % 64 == 0 && !linux_load(os, bits + i / 8, 8, &word, NULL))
			break;
		g_autofree char *text =
			word >> i % 64 & 1 && name & KERNEL_HALF
				? vmifs_aspace_read_string(os->aspace, name, MAX_FEATURE_NAME, NULL)
				: NULL;
		if (!text)
			continue;
		g_string_append_c(out, ' ');
		vmifs_text_append_mangled(out, text, -1, LINUX_CONTROL_BYTES);
	}
	g_string_append_c(out, '\n');
}

/* MIDR_EL1 */
static void
append_model(guint64 midr, GString *out)
{
	g_string_append_printf(out,
			       "CPU implementer\t: 0x%02x\nCPU architecture: 8\n"
			       "CPU variant\t: 0x%x\nCPU part\t: 0x%03x\nCPU revision\t: %u\n\n",
			       (guint) (midr >> 24 & 0xff), (guint) (midr >> 20 & 0xf),
			       (guint) (midr >> 4 & 0xfff), (guint) (midr & 0xf));
}

static LINUX_VIEW(render_cpuinfo)
{
	const Linux *self = os;
	g_autoptr(GArray) cpus = linux_cpus(self, "__cpu_online_mask", error);
	guint64 data, own, midr, loops, hz;

	if (!cpus || !linux_hz(self, &hz, error) || !linux_symbol(self, "cpu_data", &data, error) ||
	    !linux_variable(self, "loops_per_jiffy", 8, &loops, error))
		return FALSE;
	for (guint i = 0; i < cpus->len; i++) {
		guint32 cpu = g_array_index(cpus, guint32, i);
		if (!vmifs_call_check(call, error) || !linux_percpu(self, data, cpu, &own, error) ||
		    !linux_get(self, own, LINUX_FIELD_CPUINFO_ARM64_MIDR, &midr, error))
			return FALSE;
		g_string_append_printf(out,
				       "processor\t: %u\nBogoMIPS\t: %" G_GUINT64_FORMAT
				       ".%02" G_GUINT64_FORMAT "\n",
				       cpu, loops / (500000 / hz), loops / (5000 / hz) % 100);
		append_features(self, out);
		append_model(midr, out);
	}
	return TRUE;
}

const LinuxMachine linux_machine_aarch64 = {
	.arch = LINUX_ARCH_AARCH64,
	.resolve = resolve,
	.entry_accessed = ENTRY_ACCESSED,
	.entry_special = ENTRY_SPECIAL,
	.is_dirty = is_dirty,
	.page_array = linux_page_array,
	.unwind_task = unwind_task,
	.unwind_regs = unwind_regs,
	.append_call = append_call,
	.in_program = in_program,
	.current = linux_current_of_queue,
	.argument = "x0",
	.mentions = linux_mentions_aarch64,
	.has_followed = TRUE,
	.untag_mask = G_MAXUINT64 >> 8,
	.node_bits = 16,
	.port_width = 8,
	.store_bypass = store_bypass,
	.indirect_branch = indirect_branch,
	.vmalloc_total = vmalloc_total,
	.cpuinfo = render_cpuinfo,
};
