/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unwind: see the header; of x86-64 kernels, and where any task's stack lies. They come with tables
 * of where each frame lies (orc.c), or keep frame pointers; which, their symbols tell. A sleeping
 * task's registers were put on its stack when it was switched away from:
 *
 *   thread.sp -> [ callee-saved registers, rbp, return address ] [ frames ... ] [ struct pt_regs ]
 */
#include "machine.h"
#include "orc.h"

#include <spi/bytes.h>

/* What entry by FRED keeps free behind the registers. */
#define FRED_PADDING 16
#define KERNEL_HALF G_GUINT64_CONSTANT(0x8000000000000000)
#define MAX_STACK (1024 * 1024)

/* ---- where it lies ---- */

/* Of kernels whose stacks are plain pages, and of the first task: all are of one size. */
static guint64
stack_size(const Linux *os)
{
	static const char *const ends[][2] = { { "__start_init_stack", "__end_init_stack" },
					       { "__start_init_task", "__end_init_task" } };
	guint64 start, end;

	for (gsize i = 0; i < G_N_ELEMENTS(ends); i++) {
		if (linux_symbol(os, ends[i][0], &start, NULL) &&
		    linux_symbol(os, ends[i][1], &end, NULL))
			return end - start;
	}
	return 0;
}

gboolean
linux_task_stack(LinuxCursor *c, guint64 task, LinuxRange *ret)
{
	LinuxRange stack = { .start = linux_take(c, task, LINUX_FIELD_TASK_STACK) };
	guint64 area = 0;

	if (linux_has(c->os, LINUX_FIELD_TASK_STACK_AREA))
		area = linux_take(c, task, LINUX_FIELD_TASK_STACK_AREA);
	stack.len =
		area ? linux_take(c, area, LINUX_FIELD_VM_STRUCT_NR_PAGES) * linux_page_size(c->os)
		     : stack_size(c->os);
	if (c->error || !stack.start || !stack.len || stack.len > MAX_STACK)
		return FALSE;
	*ret = stack;
	return TRUE;
}

guint64
linux_task_regs(LinuxCursor *c, guint64 task)
{
	LinuxRange stack;
	guint64 size, address;

	if (!linux_task_stack(c, task, &stack) ||
	    !linux_sizeof(c->os, LINUX_STRUCT_PT_REGS, &size, &c->error))
		return 0;
	if (linux_symbol(c->os, "cpu_init_fred_rsps", &address, NULL))
		size += FRED_PADDING;
	return stack.start + stack.len - size;
}

/* ---- by tables ---- */

typedef struct {
	LinuxCode *code;
	LinuxOrcTable core;
	LinuxOrc orc;
} Tables;

static gboolean
read_memory(gpointer user, guint64 va, gpointer buf, gsize len)
{
	const Tables *t = user;
	return vmifs_aspace_read(t->code->os->aspace, va, buf, len, NULL);
}

static gboolean
find_table(gpointer user, guint64 ip, LinuxOrcTable *ret)
{
	Tables *t = user;
	const Linux *os = t->code->os;
	guint64 module;

	if (linux_code_is_core(t->code, ip)) {
		*ret = t->core;
		return TRUE;
	}
	return linux_code_module(t->code, ip, &module) &&
	       linux_get(os, module, LINUX_FIELD_MODULE_ORC_IPS, &ret->ips, NULL) &&
	       linux_get(os, module, LINUX_FIELD_MODULE_ORC_ENTRIES, &ret->entries, NULL) &&
	       linux_get(os, module, LINUX_FIELD_MODULE_ORC_N, &ret->n, NULL) && ret->ips &&
	       ret->entries;
}

static gboolean
find_bits(const Linux *os, LinuxField field, LinuxOrcBits *ret, GError **error)
{
	VmifsMember m;

	if (!linux_member(os, field, &m, error))
		return FALSE;
	if (m.size > 8 || m.bit_len > 32 ||
	    !vmifs_in_bounds(m.offset, m.size, LINUX_ORC_MAX_ENTRY)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "struct orc_entry makes no sense");
		return FALSE;
	}
	*ret = (LinuxOrcBits){ .offset = (guint8) m.offset,
			       .size = (guint8) m.size,
			       .shift = m.bit_shift,
			       .len = m.bit_len ? m.bit_len : (guint8) (MIN(m.size, 4) * 8) };
	return TRUE;
}

static gboolean
find_format(const Linux *os, LinuxOrcFormat *ret, GError **error)
{
	const struct {
		LinuxField field;
		LinuxOrcBits *bits;
	} bits[] = {
		{ LINUX_FIELD_ORC_ENTRY_SP_OFFSET, &ret->sp_offset },
		{ LINUX_FIELD_ORC_ENTRY_BP_OFFSET, &ret->bp_offset },
		{ LINUX_FIELD_ORC_ENTRY_SP_REG, &ret->sp_reg },
		{ LINUX_FIELD_ORC_ENTRY_BP_REG, &ret->bp_reg },
		{ LINUX_FIELD_ORC_ENTRY_TYPE, &ret->type },
		{ LINUX_FIELD_ORC_ENTRY_SIGNAL, &ret->signal },
		{ LINUX_FIELD_ORC_ENTRY_END, &ret->end },
	};
	guint64 size;

	if (!linux_sizeof(os, LINUX_STRUCT_ORC_ENTRY, &size, error))
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(bits); i++) {
		gboolean optional = bits[i].bits == &ret->signal || bits[i].bits == &ret->end;
		if ((!optional || linux_has(os, bits[i].field)) &&
		    !find_bits(os, bits[i].field, bits[i].bits, error))
			return FALSE;
	}
	if (size > LINUX_ORC_MAX_ENTRY) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "struct orc_entry is too large");
		return FALSE;
	}
	ret->size = (guint8) size;
	return TRUE;
}

static gboolean
find_pt_regs(const Linux *os, LinuxOrcPtRegs *ret, GError **error)
{
	const struct {
		LinuxField field;
		guint16 *at;
	} fields[] = {
		{ LINUX_FIELD_PT_REGS_BP, &ret->regs[LINUX_ORC_BP] },
		{ LINUX_FIELD_PT_REGS_DI, &ret->regs[LINUX_ORC_DI] },
		{ LINUX_FIELD_PT_REGS_DX, &ret->regs[LINUX_ORC_DX] },
		{ LINUX_FIELD_PT_REGS_R10, &ret->regs[LINUX_ORC_R10] },
		{ LINUX_FIELD_PT_REGS_R13, &ret->regs[LINUX_ORC_R13] },
		{ LINUX_FIELD_PT_REGS_IP, &ret->ip },
		{ LINUX_FIELD_PT_REGS_CS, &ret->cs },
		{ LINUX_FIELD_PT_REGS_SP, &ret->sp },
	};
	guint64 size, at;

	if (!linux_sizeof(os, LINUX_STRUCT_PT_REGS, &size, error))
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
		if (!linux_offset(os, fields[i].field, &at, error))
			return FALSE;
		if (size > LINUX_ORC_MAX_REGS || !vmifs_in_bounds(at, 8, size)) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
					    "struct pt_regs makes no sense");
			return FALSE;
		}
		*fields[i].at = (guint16) at;
	}
	ret->size = (guint16) size;
	return TRUE;
}

static gboolean
has_tables(const Linux *os)
{
	guint64 address;
	return linux_symbol(os, "__start_orc_unwind", &address, NULL);
}

static gboolean
find_tables(Tables *t, LinuxCode *code, LinuxRange stack, GError **error)
{
	const Linux *os = code->os;
	guint64 end, start;

	*t = (Tables){ .code = code };
	t->orc = (LinuxOrc){
		.read = read_memory,
		.find = find_table,
		.user = t,
		.stack = stack.start,
		.stack_len = stack.len,
	};
	if (!linux_symbol(os, "__start_orc_unwind", &t->core.entries, error) ||
	    !linux_symbol(os, "__start_orc_unwind_ip", &t->core.ips, error) ||
	    !linux_symbol(os, "__stop_orc_unwind_ip", &end, error))
		return FALSE;
	t->core.n = end > t->core.ips ? (end - t->core.ips) / 4 : 0;
	if (!linux_symbol(os, "schedule", &start, error) ||
	    !find_format(os, &t->orc.format, error) || !find_pt_regs(os, &t->orc.pt_regs, error))
		return FALSE;
	if (!linux_orc_learn(&t->orc, start)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "the kernel's ORC tables are of an unknown kind");
		return FALSE;
	}
	return TRUE;
}

static void
append_frame(GArray *frames, guint64 ip, gboolean after_call, gboolean is_user)
{
	LinuxFrame frame = { ip, after_call, is_user };
	g_array_append_val(frames, frame);
}

static gboolean
follow_tables(Tables *t, LinuxOrcState *s, GArray *frames, GError **error)
{
	for (guint i = 0; i < LINUX_MAX_FRAMES; i++) {
		if (s->is_user)
			append_frame(frames, s->ip, FALSE, TRUE);
		if (s->is_user || !linux_code_is_text(t->code, s->ip))
			return vmifs_call_check(t->code->call, error);
		append_frame(frames, s->ip, !s->exact, FALSE);
		if (linux_orc_next(&t->orc, s))
			continue;
		if (!s->unread)
			return TRUE;
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE,
			    "stack: 0x%" G_GINT64_MODIFIER "x cannot be read", s->unread);
		return FALSE;
	}
	return TRUE;
}

/* ---- by frame pointers ---- */

/* frame -> [ caller's frame, return address ]; an odd one is of saved registers, plus 1. */
static gboolean
follow_frames(LinuxCode *code, LinuxRange stack, guint64 frame, GArray *frames, GError **error)
{
	const Linux *os = code->os;
	LinuxCursor c = { .os = os };
	guint64 next, ip;

	for (guint i = 0; i < LINUX_MAX_FRAMES && !c.error; i++) {
		gboolean saved = frame & 1;
		guint64 at = frame & ~G_GUINT64_CONSTANT(1);

		if (!vmifs_in_bounds(at - stack.start, 16, stack.len))
			break;
		if (saved) {
			ip = linux_take(&c, at, LINUX_FIELD_PT_REGS_IP);
			next = linux_take(&c, at, LINUX_FIELD_PT_REGS_BP);
			if (linux_take(&c, at, LINUX_FIELD_PT_REGS_CS) & 3) {
				append_frame(frames, ip, FALSE, TRUE);
				break;
			}
		} else if (!linux_load(os, at, 8, &next, &c.error) ||
			   !linux_load(os, at + 8, 8, &ip, &c.error)) {
			break;
		}
		if (c.error || !linux_code_is_text(code, ip))
			break;
		append_frame(frames, ip, !saved, FALSE);
		if ((next & ~G_GUINT64_CONSTANT(1)) <= at)
			break;
		frame = next;
	}
	return linux_cursor_end(&c, error);
}

/* ---- tasks and processors ---- */

gboolean
linux_unwind_task_x86(LinuxCode *code, guint64 task, GArray *ret, GError **error)
{
	const Linux *os = code->os;
	LinuxCursor c = { .os = os };
	LinuxRange stack;
	Tables t;

	if (linux_has(os, LINUX_FIELD_TASK_ON_CPU) && linux_take(&c, task, LINUX_FIELD_TASK_ON_CPU))
		return TRUE;
	if (!linux_task_stack(&c, task, &stack))
		return linux_cursor_end(&c, error);
	guint64 saved = linux_take(&c, task, LINUX_FIELD_TASK_THREAD_SP);
	guint64 size, bp_at;
	if (!linux_cursor_end(&c, error) ||
	    !linux_sizeof(os, LINUX_STRUCT_INACTIVE_FRAME, &size, error) ||
	    !linux_offset(os, LINUX_FIELD_INACTIVE_FRAME_BP, &bp_at, error))
		return FALSE;
	if (!vmifs_in_bounds(saved - stack.start, size, stack.len))
		return TRUE;
	if (!has_tables(os))
		return follow_frames(code, stack, saved + bp_at, ret, error);
	LinuxOrcState s = {
		.ip = linux_take(&c, saved, LINUX_FIELD_INACTIVE_FRAME_IP),
		.sp = saved + size,
		.regs[LINUX_ORC_BP] = linux_take(&c, saved, LINUX_FIELD_INACTIVE_FRAME_BP),
	};
	/* A new task has never called anything. */
	s.exact = linux_is_symbol(os, s.ip, "ret_from_fork") ||
		  linux_is_symbol(os, s.ip, "ret_from_fork_asm");
	return linux_cursor_end(&c, error) && find_tables(&t, code, stack, error) &&
	       follow_tables(&t, &s, ret, error);
}

gboolean
linux_unwind_regs_x86(LinuxCode *code, const VmifsRegs *regs, GArray *ret, GError **error)
{
	static const char *const names[LINUX_ORC_N_REGS] = {
		[LINUX_ORC_BP] = "rbp",  [LINUX_ORC_DI] = "rdi",  [LINUX_ORC_DX] = "rdx",
		[LINUX_ORC_R10] = "r10", [LINUX_ORC_R13] = "r13",
	};
	const LinuxRange anywhere = { KERNEL_HALF, G_MAXUINT64 - KERNEL_HALF };
	LinuxOrcState s = { .has_regs = TRUE, .exact = TRUE };
	Tables t;

	if (!vmifs_regs_get(regs, "rip", &s.ip) || !vmifs_regs_get(regs, "rsp", &s.sp)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND,
				    "the source does not tell rip and rsp");
		return FALSE;
	}
	for (guint i = 0; i < LINUX_ORC_N_REGS; i++)
		s.has_regs &= vmifs_regs_get(regs, names[i], &s.regs[i]);
	if (has_tables(code->os) && linux_code_is_text(code, s.ip)) {
		if (!find_tables(&t, code, anywhere, error))
			return FALSE;
		t.orc.may_switch = TRUE;
		return follow_tables(&t, &s, ret, error);
	}
	/* Wherever it is, there it is; from code made at run time a frame pointer may lead on. */
	append_frame(ret, s.ip, FALSE, FALSE);
	return follow_frames(code, anywhere, s.regs[LINUX_ORC_BP], ret, error);
}
