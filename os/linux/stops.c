/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stops: where the kernel starts, replaces and ends processes, and loads and unloads modules: one
 * function for each that all kernels have out of line, at whose beginning everything that is told
 * is known already, and that is called for nothing else.
 *
 *   start    wake_up_new_task(task)   the new task is whole, and about to run
 *   exec     finalize_exec(bprm)      the last thing before the program's first instruction is set;
 *            start_thread()           which is the same before 4.17
 *   exit     disassociate_ctty(1)     from do_exit() of the last thread of a process
 *   load     do_init_module(module)   its init function is about to be called
 *   unload   free_module(module)      also of one whose init function has failed
 */
#include "machine.h"
#include "modules.h"

/* Bytes of arguments: as many as a line of events may have. The guest stands still for them, and
 * whoever may start programs in it chooses how many there are. */
#define MOST_ARGUMENTS (64 * 1024)

typedef struct {
	VmifsOsEvents which;
	const char *what;
	const char *symbols[2]; /* the first that there is */
} Point;

static const Point points[] = {
	{ VMIFS_OS_TASKS, "start", { "wake_up_new_task" } },
	{ VMIFS_OS_TASKS, "exec", { "finalize_exec", "start_thread" } },
	{ VMIFS_OS_TASKS, "exit", { "disassociate_ctty" } },
	{ VMIFS_OS_MODULES, "load", { "do_init_module" } },
	{ VMIFS_OS_MODULES, "unload", { "free_module" } },
};

static gboolean
find_point(const Linux *os, const Point *point, guint64 *ret, GError **error)
{
	if (linux_symbol(os, point->symbols[0], ret, point->symbols[1] ? NULL : error))
		return TRUE;
	return point->symbols[1] && linux_symbol(os, point->symbols[1], ret, error);
}

gboolean
linux_event_points(gpointer self, VmifsOsEvents which, GArray *ret, GError **error)
{
	guint64 address;

	if (!linux_machine(self)->argument) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "which register has a function's argument is not known");
		return FALSE;
	}
	/* Whose exec or exit it is, nothing else says. */
	if (which == VMIFS_OS_TASKS && !linux_current_is_known(self, error))
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(points); i++) {
		if (points[i].which != which)
			continue;
		if (!find_point(self, &points[i], &address, error))
			return FALSE;
		g_array_append_val(ret, address);
	}
	return TRUE;
}

/* ---- what happens there ---- */

/* What the program is and was called with; what is not in RAM is left out. */
static void
add_program(Linux *os, VmifsOsEvent *ret, const VmifsCall *call)
{
	g_autoptr(GString) path = g_string_new(NULL);
	g_autoptr(GString) arguments = g_string_new(NULL);

	if (linux_render_exe(os, &ret->task, NULL, path, call, NULL))
		ret->path = g_strdup(path->str);
	if (linux_append_arguments(os, &ret->task, MOST_ARGUMENTS, arguments, NULL))
		ret->arguments = g_steal_pointer(&arguments);
}

static gboolean
task_at(Linux *os, const char *what, guint vcpu, const VmifsRegs *regs, guint64 argument,
	VmifsOsEvent *ret, const VmifsCall *call)
{
	if (g_str_equal(what, "start"))
		return linux_task_read(os, argument, &ret->task, NULL) &&
		       ret->task.pid == ret->task.tgid;
	/* A terminal that is given up while the process lives comes with 0. */
	if (g_str_equal(what, "exit") && (guint32) argument != 1)
		return FALSE;
	if (!linux_current(os, vcpu, regs, &ret->task, NULL))
		return FALSE;
	if (g_str_equal(what, "exec"))
		add_program(os, ret, call);
	return TRUE;
}

gboolean
linux_event_at(gpointer self, VmifsOsEvents which, guint64 address, guint vcpu,
	       const VmifsRegs *regs, VmifsOsEvent *ret, const VmifsCall *call)
{
	Linux *os = self;
	const char *name = linux_machine(os)->argument;
	guint64 at, argument;

	if (!name || !vmifs_regs_get(regs, name, &argument))
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(points); i++) {
		if (points[i].which != which || !find_point(os, &points[i], &at, NULL) ||
		    at != address)
			continue;
		ret->what = points[i].what;
		if (which == VMIFS_OS_MODULES)
			return linux_module_name(os, argument, ret->name, NULL);
		return task_at(os, points[i].what, vcpu, regs, argument, ret, call);
	}
	return FALSE;
}
