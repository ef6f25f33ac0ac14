/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * machine-riscv64: what of Linux is so on 64-bit RISC-V alone. Its kernels keep frame pointers: a
 * stack is a list of frames, each below the address that its pointer has. Where it leads out of the
 * kernel's entry, the registers begin with which that was entered:
 *
 *   thread.s[0] = frame;  frame - 16: [ caller's frame, return address ] -> ... -> struct pt_regs
 */
#include "machine.h"

#include <spi/bytes.h>

/* ---- page tables ---- */

#define ENTRY_PRESENT (1ULL << 0)
#define ENTRY_READ (1ULL << 1)
#define ENTRY_WRITE (1ULL << 2)
#define ENTRY_EXEC (1ULL << 3)
#define ENTRY_PROT_NONE (1ULL << 5) /* while it is not present */
#define ENTRY_ACCESSED (1ULL << 6)
#define ENTRY_DIRTY (1ULL << 7)
#define ENTRY_SPECIAL (1ULL << 8) /* no page of memory that anybody counts */
#define ENTRY_FRAME_SHIFT 10
#define PAGE_SHIFT 12
#define ENTRY_FRAME 0x00000fffffffffffULL

/* Entries of what was swapped out, since 6.4. */
#define SWAP_TYPE_SHIFT 7
#define SWAP_TYPE_MASK 0x1f
#define SWAP_OFFSET_SHIFT 12

static gboolean
is_dirty(guint64 entry)
{
	return (entry & ENTRY_DIRTY) != 0;
}

static gboolean
swapped(guint64 entry, guint64 *ret_type, guint64 *ret_offset)
{
	*ret_type = entry >> SWAP_TYPE_SHIFT & SWAP_TYPE_MASK;
	*ret_offset = entry >> SWAP_OFFSET_SHIFT;
	return TRUE;
}

/* mprotect(PROT_NONE), and what waits for the next access for NUMA balancing. Entries of what was
 * swapped out, or moves, have that bit clear. */
static gboolean
resolve(gpointer user, const VmifsRange *in, VmifsRange *ret)
{
	VmifsPhysmem *mem = user;
	guint64 size = 1ULL << in->page_shift;
	guint64 pa = (in->entry >> ENTRY_FRAME_SHIFT & ENTRY_FRAME) << PAGE_SHIFT;

	if (in->kind != VMIFS_RANGE_NOT_PRESENT || in->entry & ENTRY_PRESENT ||
	    !(in->entry & ENTRY_PROT_NONE) || pa % size || !vmifs_physmem_covers(mem, pa, size))
		return FALSE;
	*ret = *in;
	ret->kind = VMIFS_RANGE_PAGE;
	ret->pa = pa + (in->va & (size - 1));
	ret->perms = VMIFS_PERM_USER | (in->entry & ENTRY_READ ? VMIFS_PERM_READ : 0) |
		     (in->entry & ENTRY_WRITE ? VMIFS_PERM_WRITE : 0) |
		     (in->entry & ENTRY_EXEC ? VMIFS_PERM_EXEC : 0);
	return TRUE;
}

/* ---- stacks ---- */

#define KERNEL_HALF (1ULL << 63)
#define FRAME_LEN 16
#define N_ARGUMENTS 6

static void
append_frame(GArray *frames, guint64 ip, gboolean after_call, gboolean is_user)
{
	LinuxFrame frame = { ip, after_call, is_user };
	g_array_append_val(frames, frame);
}

typedef struct {
	LinuxCode *code;
	LinuxRange stack;
	LinuxRange entry; /* the kernel's, where it comes from a program or an interrupt */
	guint64 sp, fp, ip;
	gboolean is_call;
	gboolean is_saved; /* ip comes from registers that the kernel was entered with */
} Unwind;

/* A frame that begins where the one before it ended, or above that. */
static gboolean
is_frame(const Unwind *u, guint64 fp)
{
	return fp % 8 == 0 && fp - FRAME_LEN >= u->sp && fp >= FRAME_LEN &&
	       vmifs_in_bounds(fp - FRAME_LEN - u->stack.start, FRAME_LEN, u->stack.len);
}

/* Behind the frame of its entry: the registers with which the kernel was entered, at sp. FALSE:
 * they are a program's, or cannot be read. */
static gboolean
leave_entry(Unwind *u)
{
	LinuxCursor c = { .os = u->code->os };
	guint64 ip = linux_take(&c, u->sp, LINUX_FIELD_PT_REGS_IP);
	guint64 fp = linux_take(&c, u->sp, LINUX_FIELD_PT_REGS_S0);

	if (!linux_cursor_end(&c, NULL))
		return FALSE;
	u->ip = ip;
	u->fp = fp;
	u->is_call = FALSE;
	u->is_saved = TRUE;
	return TRUE;
}

/* leaf: (nullable) where the innermost function returns to if it has put nothing but its caller's
 * frame onto the stack; not known of those that sleep, which have called. */
static gboolean
follow(Unwind *u, const guint64 *leaf, GArray *frames, GError **error)
{
	const Linux *os = u->code->os;
	guint64 next, link;

	for (guint i = 0; i < LINUX_MAX_FRAMES; i++) {
		if (!vmifs_call_check(u->code->call, error))
			return FALSE;
		if (!linux_code_is_text(u->code, u->ip)) {
			/* Wherever it is, there it is. */
			if (!i || (u->is_saved && !(u->ip & KERNEL_HALF)))
				append_frame(frames, u->ip, u->is_call, !(u->ip & KERNEL_HALF));
			return TRUE;
		}
		append_frame(frames, u->ip, u->is_call, FALSE);
		if (!is_frame(u, u->fp))
			return TRUE;
		if (!linux_load(os, u->fp - 16, 8, &next, error) ||
		    !linux_load(os, u->fp - 8, 8, &link, error))
			return FALSE;
		u->sp = u->fp;
		u->is_call = TRUE;
		u->is_saved = FALSE;
		if (leaf && i == 0 && is_frame(u, link)) {
			u->fp = link;
			u->ip = *leaf;
			continue;
		}
		u->fp = next;
		u->ip = link;
		if (link - u->entry.start < u->entry.len) {
			append_frame(frames, link, TRUE, FALSE);
			if (!leave_entry(u))
				return TRUE;
		}
	}
	return TRUE;
}

static void
find_entry(Unwind *u)
{
	const Linux *os = u->code->os;
	guint64 start, end;

	if (linux_symbol(os, "handle_exception", &start, NULL) &&
	    linux_symbol(os, "ret_from_exception_end", &end, NULL) && end > start)
		u->entry = (LinuxRange){ start, end - start };
}

static gboolean
unwind_task(LinuxCode *code, guint64 task, GArray *ret, GError **error)
{
	const Linux *os = code->os;
	LinuxCursor c = { .os = os };
	Unwind u = { .code = code, .is_call = TRUE };

	if (linux_has(os, LINUX_FIELD_TASK_ON_CPU) && linux_take(&c, task, LINUX_FIELD_TASK_ON_CPU))
		return TRUE;
	if (!linux_task_stack(&c, task, &u.stack))
		return linux_cursor_end(&c, error);
	u.sp = linux_take(&c, task, LINUX_FIELD_TASK_THREAD_SP);
	u.fp = linux_take(&c, task, LINUX_FIELD_TASK_THREAD_S);
	u.ip = linux_take(&c, task, LINUX_FIELD_TASK_THREAD_RA);
	if (!linux_cursor_end(&c, error))
		return FALSE;
	find_entry(&u);
	return follow(&u, NULL, ret, error);
}

static gboolean
unwind_regs(LinuxCode *code, const VmifsRegs *regs, GArray *ret, GError **error)
{
	Unwind u = { .code = code, .stack = { KERNEL_HALF, G_MAXUINT64 - KERNEL_HALF } };
	guint64 link;

	if (!vmifs_regs_get(regs, "pc", &u.ip) || !vmifs_regs_get(regs, "s0", &u.fp) ||
	    !vmifs_regs_get(regs, "sp", &u.sp) || !vmifs_regs_get(regs, "ra", &link)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND,
				    "the source does not tell pc, sp, s0 and ra");
		return FALSE;
	}
	find_entry(&u);
	return follow(&u, &link, ret, error);
}

/* Of a kernel thread, all of it is 0: it never entered. */
static void
append_call(LinuxCursor *c, guint64 task, guint64 regs, GString *out)
{
	static const LinuxField arguments[N_ARGUMENTS] = {
		/* The first was replaced by the result. */
		LINUX_FIELD_PT_REGS_ORIG_A0, LINUX_FIELD_PT_REGS_A1, LINUX_FIELD_PT_REGS_A2,
		LINUX_FIELD_PT_REGS_A3,      LINUX_FIELD_PT_REGS_A4, LINUX_FIELD_PT_REGS_A5,
	};
	gint32 nr = regs ? (gint32) linux_take(c, regs, LINUX_FIELD_PT_REGS_A7) : -1;

	g_string_append_printf(out, "%d", nr);
	for (guint i = 0; nr >= 0 && i < N_ARGUMENTS; i++)
		g_string_append_printf(out, " 0x%" G_GINT64_MODIFIER "x",
				       linux_take(c, regs, arguments[i]));
}

/* Below the kernel may be firmware, too, which maps nothing: its addresses seem a program's. */
static gboolean
in_program(const VmifsRegs *regs, guint64 *ret_ip)
{
	guint64 mode;

	if (!vmifs_regs_get(regs, "pc", ret_ip))
		return FALSE;
	return vmifs_regs_get(regs, "priv", &mode) ? mode == 0 : !(*ret_ip & KERNEL_HALF);
}

/* ---- texts ---- */

/* A quarter of the kernel's half. */
static gboolean
vmalloc_total(const Linux *os, guint64 *ret)
{
	*ret = vmifs_aspace_user_end(os->aspace) >> 2 >> 10;
	return TRUE;
}

static const char *
store_bypass(const Linux *os, guint64 flags, GError **error)
{
	return "unknown";
}

static const char *
indirect_branch(const Linux *os, guint64 flags, GError **error)
{
	return "unsupported";
}

#define MAX_EXTENSIONS 512
#define MAX_EXTENSION_NAME 64
/* Of all processors: a kernel tells some hundred bytes of each. */
#define MAX_TEXT (32 * 1024 * 1024)

typedef struct {
	guint64 id;
	char *name;
} Extension;

static void
clear_extension(gpointer extension)
{
	g_free(((Extension *) extension)->name);
}

/* All that the kernel has names for, in the order in which it lists them. (full) */
static GArray *
read_extensions(const Linux *os, GError **error)
{
	g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(Extension));
	guint64 table, n, size, name;

	g_array_set_clear_func(all, clear_extension);
	if (!linux_symbol(os, "riscv_isa_ext", &table, error) ||
	    !linux_variable(os, "riscv_isa_ext_count", 8, &n, error) ||
	    !linux_sizeof(os, LINUX_STRUCT_RISCV_ISA_EXT, &size, error))
		return NULL;
	for (guint64 i = 0; i < MIN(n, MAX_EXTENSIONS); i++) {
		Extension one = { 0 };

		if (!linux_get(os, table + i * size, LINUX_FIELD_RISCV_ISA_EXT_ID, &one.id,
			       error) ||
		    !linux_get(os, table + i * size, LINUX_FIELD_RISCV_ISA_EXT_NAME, &name, error))
			return NULL;
		one.name = vmifs_aspace_read_string(os->aspace, name, MAX_EXTENSION_NAME, error);
		if (!one.name)
			return NULL;
		g_array_append_val(all, one);
	}
	return g_steal_pointer(&all);
}

/* Letters stand by themselves, names behind a line below. */
static gboolean
append_isa(const Linux *os, const char *label, const GArray *extensions, guint64 bitmap,
	   GString *out, GError **error)
{
	guint64 word;

	g_string_append_printf(out, "%srv64", label);
	for (guint i = 0; i < extensions->len; i++) {
		const Extension *one = &g_array_index(extensions, Extension, i);

		if (one->id / 64 >= MAX_EXTENSIONS / 64)
			continue;
		if (!linux_load(os, bitmap + one->id / 64 * 8, 8, &word, error))
			return FALSE;
		if (!(word >> one->id % 64 & 1))
			continue;
		if (one->name[0] && one->name[1])
			g_string_append_c(out, '_');
		vmifs_text_append_mangled(out, one->name, -1, LINUX_CONTROL_BYTES);
	}
	g_string_append_c(out, '\n');
	return TRUE;
}

static gboolean
append_cpu(const Linux *os, guint32 cpu, const GArray *extensions, GString *out, GError **error)
{
	LinuxCursor c = { .os = os };
	guint64 harts, infos, own, isas, size, isa, hart;

	if (!linux_symbol(os, "__cpuid_to_hartid_map", &harts, error) ||
	    !linux_symbol(os, "riscv_cpuinfo", &infos, error) ||
	    !linux_symbol(os, "riscv_isa", &isa, error) ||
	    !linux_symbol(os, "hart_isa", &isas, error) ||
	    !linux_sizeof(os, LINUX_STRUCT_RISCV_ISAINFO, &size, error) ||
	    !linux_load(os, harts + cpu * 8ULL, 8, &hart, error) ||
	    !linux_percpu(os, infos, cpu, &own, error))
		return FALSE;
	g_string_append_printf(out, "processor\t: %u\nhart\t\t: %" G_GUINT64_FORMAT "\n", cpu,
			       hart);
	if (!append_isa(os, "isa\t\t: ", extensions, isa, out, error))
		return FALSE;
	g_string_append_printf(
		out,
		"mmu\t\t: sv%d\nmvendorid\t: 0x%" G_GINT64_MODIFIER
		"x\nmarchid\t\t: 0x%" G_GINT64_MODIFIER "x\nmimpid\t\t: 0x%" G_GINT64_MODIFIER
		"x\n",
		g_bit_nth_msf((gulong) (vmifs_aspace_user_end(os->aspace) >> 32), -1) + 33,
		linux_take(&c, own, LINUX_FIELD_RISCV_CPUINFO_MVENDORID),
		linux_take(&c, own, LINUX_FIELD_RISCV_CPUINFO_MARCHID),
		linux_take(&c, own, LINUX_FIELD_RISCV_CPUINFO_MIMPID));
	if (!linux_cursor_end(&c, error) ||
	    !append_isa(os, "hart isa\t: ", extensions, isas + cpu * size, out, error))
		return FALSE;
	g_string_append_c(out, '\n');
	return TRUE;
}

static LINUX_VIEW(render_cpuinfo)
{
	const Linux *self = os;
	g_autoptr(GArray) cpus = linux_cpus(self, "__cpu_online_mask", error);
	g_autoptr(GArray) extensions = cpus ? read_extensions(self, error) : NULL;
	gsize start = out->len;

	if (!extensions)
		return FALSE;
	for (guint i = 0; i < cpus->len; i++) {
		if (!vmifs_call_check(call, error) ||
		    !append_cpu(self, g_array_index(cpus, guint32, i), extensions, out, error))
			return FALSE;
		if (out->len - start > MAX_TEXT) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
					    "processors: more text than there can be");
			return FALSE;
		}
	}
	return TRUE;
}

const LinuxMachine linux_machine_riscv64 = {
	.arch = LINUX_ARCH_RISCV64,
	.resolve = resolve,
	.entry_accessed = ENTRY_ACCESSED,
	.entry_special = ENTRY_SPECIAL,
	.is_dirty = is_dirty,
	.swapped = swapped,
	.page_array = linux_page_array,
	.unwind_task = unwind_task,
	.unwind_regs = unwind_regs,
	.append_call = append_call,
	.in_program = in_program,
	.current = linux_current_of_queue,
	.argument = "a0",
	.untag_mask = G_MAXUINT64,
	.node_bits = 4,
	.port_width = 8,
	.store_bypass = store_bypass,
	.indirect_branch = indirect_branch,
	.vmalloc_total = vmalloc_total,
	.cpuinfo = render_cpuinfo,
};
