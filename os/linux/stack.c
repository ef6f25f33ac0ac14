/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stack: where in the kernel a task is: the functions on its stack (stack), the one that it waits
 * in (wchan), and the system call with which it came there (syscall).
 */
#include "machine.h"
#include "state.h"

/* As many as procfs shows. */
#define MAX_SHOWN 64

LINUX_VIEW(linux_render_stack)
{
	g_auto(LinuxCode) code = { 0 };
	g_autoptr(GArray) frames = g_array_new(FALSE, FALSE, sizeof(LinuxFrame));
	guint shown = 0;

	linux_code_init(&code, os, call);
	if (!linux_unwind_task(&code, task->object, frames, error))
		return FALSE;
	for (guint i = 0; i < frames->len && shown < MAX_SHOWN; i++) {
		const LinuxFrame *frame = &g_array_index(frames, LinuxFrame, i);
		if (frame->is_user || linux_code_is_scheduler(&code, frame->ip))
			continue;
		g_string_append(out, "[<0>] ");
		/* It looks them all up as if they were behind a call. */
		linux_code_append(&code, frame->ip, TRUE, out);
		g_string_append_c(out, '\n');
		shown++;
	}
	return TRUE;
}

LINUX_VIEW(linux_render_wchan)
{
	LinuxCursor c = { .os = os };
	g_auto(LinuxCode) code = { 0 };
	g_autoptr(GString) name = g_string_new(NULL);
	char module[LINUX_MODULE_NAME];
	LinuxRange function;

	linux_code_init(&code, os, call);
	guint64 where = linux_wchan(&c, &code, task->object);
	if (!linux_cursor_end(&c, error))
		return FALSE;
	if (where && linux_code_function(&code, where, name, module, &function))
		vmifs_text_append_octal(out, name->str, (gssize) name->len, " ");
	else
		g_string_append_c(out, '0');
	return TRUE;
}

LINUX_VIEW(linux_render_syscall)
{
	LinuxCursor c = { .os = os };
	g_autoptr(GString) text = g_string_new(NULL);

	if (linux_take(&c, task->object, LINUX_FIELD_TASK_STATE) == 0 && !c.error) {
		g_string_append(out, "running\n");
		return TRUE;
	}
	guint64 regs = linux_task_regs(&c, task->object);
	const LinuxMachine *machine = linux_machine(os);
	if (machine->append_call)
		machine->append_call(&c, task->object, regs, text);
	else if (!c.error)
		linux_machine_lacks(os, "system calls", &c.error);
	g_string_append_printf(text, " 0x%" G_GINT64_MODIFIER "x 0x%" G_GINT64_MODIFIER "x\n",
			       regs ? linux_take(&c, regs, LINUX_FIELD_PT_REGS_SP) : 0,
			       regs ? linux_take(&c, regs, LINUX_FIELD_PT_REGS_IP) : 0);
	if (!linux_cursor_end(&c, error))
		return FALSE;
	g_string_append_len(out, text->str, (gssize) text->len);
	return TRUE;
}
