/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stops: what a vCPU that stands at one of the kernel's functions is about to do. */
#include <unit.h>

#include <linux-guest.h>
#include <string.h>

#define TYPES                                                                                      \
	"struct task_struct 96 flags@0:4 pid@4:4 tgid@8:4 comm@12:1x16 real_parent@32:8 mm@40:8 "  \
	"start_boottime@48:8\n"                                                                    \
	"struct module 64 name@8:1x56\n"

typedef struct {
	LinuxGuest g;
	Linux *os;
	guint64 task, thread, module;
	VmifsRegs *regs;
} Fixture;

static guint64
make_task(Fixture *f, guint32 pid, guint32 tgid, const char *comm)
{
	guint64 task = linux_guest_new(&f->g, LINUX_STRUCT_TASK);

	linux_guest_put(&f->g, task, LINUX_FIELD_TASK_PID, pid);
	linux_guest_put(&f->g, task, LINUX_FIELD_TASK_TGID, tgid);
	linux_guest_put(&f->g, task, LINUX_FIELD_TASK_REAL_PARENT, f->task ? f->task : task);
	linux_guest_put_text(&f->g, task, LINUX_FIELD_TASK_COMM, comm);
	return task;
}

/* The first task runs on the only processor. */
static void
setup(Fixture *f)
{
	*f = (Fixture){ .regs = vmifs_regs_new() };
	LinuxGuest *g = &f->g;
	linux_guest_init(g, TYPES);
	guint64 area = linux_guest_alloc(g, 0x1000);
	guint64 offsets = linux_guest_alloc(g, 8), n = linux_guest_alloc(g, 8);
	linux_guest_u64(g, n, 1);
	linux_guest_u64(g, offsets, area);
	linux_guest_symbol(g, "nr_cpu_ids", n);
	linux_guest_symbol(g, "__per_cpu_offset", offsets);
	linux_guest_symbol(g, "current_task", 0x100);
	f->task = make_task(f, 11, 11, "sh");
	f->thread = make_task(f, 12, 11, "sh");
	linux_guest_u64(g, area + 0x100, f->task);
	f->module = linux_guest_new(g, LINUX_STRUCT_MODULE);
	linux_guest_put_text(g, f->module, LINUX_FIELD_MODULE_NAME, "loop");
	linux_guest_symbol(g, "wake_up_new_task", 0xffffffff81001000);
	linux_guest_symbol(g, "start_thread", 0xffffffff81002000);
	linux_guest_symbol(g, "disassociate_ctty", 0xffffffff81003000);
	linux_guest_symbol(g, "do_init_module", 0xffffffff81004000);
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	vmifs_regs_unref(f->regs);
}

typedef enum { NONE, ONE, BAD, TASK, THREAD } Argument;

static const struct {
	guint64 at;
	const char *what; /* NULL = nothing */
	Argument argument;
	guint32 pid;
} stops[] = {
	{ 0x1000, "start", TASK, 11 }, { 0x1000, NULL, THREAD, 0 }, { 0x1000, NULL, BAD, 0 },
	{ 0x2000, "exec", BAD, 11 },   { 0x3000, "exit", ONE, 11 }, { 0x3000, NULL, NONE, 0 },
	{ 0x5000, NULL, TASK, 0 },
};

START_TEST(functions_of_tasks_say_what_happens)
{
	Fixture f;
	VmifsOsEvent event = { 0 };
	setup(&f);
	f.os = linux_guest_start(&f.g);
	guint64 arguments[] = {
		[NONE] = 0, [ONE] = 1, [BAD] = 0xdead, [TASK] = f.task, [THREAD] = f.thread
	};
	vmifs_regs_set(f.regs, "rdi", arguments[stops[_i].argument]);
	ck_assert_int_eq(linux_event_at(f.os, VMIFS_OS_TASKS, 0xffffffff81000000 + stops[_i].at, 0,
					f.regs, &event, NULL),
			 stops[_i].what != NULL);
	if (stops[_i].what) {
		ck_assert_str_eq(event.what, stops[_i].what);
		ck_assert_uint_eq(event.task.pid, stops[_i].pid);
		ck_assert_str_eq(event.task.comm, "sh");
	}
	g_free(event.path);
	if (event.arguments)
		g_string_free(event.arguments, TRUE);
	teardown(&f);
}
END_TEST

START_TEST(points_are_those_of_the_symbols_there_are)
{
	Fixture f;
	g_autoptr(GArray) points = g_array_new(FALSE, FALSE, sizeof(guint64));
	g_autoptr(GError) error = NULL;
	setup(&f);
	f.os = linux_guest_start(&f.g);
	ck_assert(linux_event_points(f.os, VMIFS_OS_TASKS, points, NULL));
	ck_assert_uint_eq(points->len, 3);
	ck_assert_uint_eq(g_array_index(points, guint64, 1), 0xffffffff81002000);
	ck_assert(!linux_event_points(f.os, VMIFS_OS_MODULES, points, &error));
	ck_assert_ptr_nonnull(strstr(error->message, "free_module"));
	teardown(&f);
}
END_TEST

START_TEST(a_module_has_its_name)
{
	Fixture f;
	VmifsOsEvent event = { 0 };
	setup(&f);
	f.os = linux_guest_start(&f.g);
	vmifs_regs_set(f.regs, "rdi", f.module);
	ck_assert(linux_event_at(f.os, VMIFS_OS_MODULES, 0xffffffff81004000, 0, f.regs, &event,
				 NULL));
	ck_assert_str_eq(event.what, "load");
	ck_assert_str_eq(event.name, "loop");
	vmifs_regs_set(f.regs, "rdi", 0x10);
	ck_assert(!linux_event_at(f.os, VMIFS_OS_MODULES, 0xffffffff81004000, 0, f.regs, &event,
				  NULL));
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("stops");
	TCase *t = tcase_create("stops");

	tcase_add_loop_test(t, functions_of_tasks_say_what_happens, 0, G_N_ELEMENTS(stops));
	tcase_add_test(t, points_are_those_of_the_symbols_there_are);
	tcase_add_test(t, a_module_has_its_name);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
