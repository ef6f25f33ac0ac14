/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vcpus: which processor a vCPU is, the task that it runs, and where its registers lead. */
#include <unit.h>

#include <linux-guest.h>

#define TYPES                                                                                      \
	"struct pcpu_hot 16 current_task@8:8\n"                                                    \
	"struct task_struct 96 flags@0:4 pid@4:4 tgid@8:4 comm@12:1x16 real_parent@32:8 mm@40:8 "  \
	"start_boottime@48:8\n"

#define AREA_LEN 0x1000

typedef struct {
	LinuxGuest g;
	GString *out;
	GError *error;
	guint64 areas, tasks[2];
} Fixture;

static guint64
make_task(Fixture *f, guint32 pid, const char *comm)
{
	guint64 task = linux_guest_new(&f->g, LINUX_STRUCT_TASK);

	linux_guest_put(&f->g, task, LINUX_FIELD_TASK_PID, pid);
	linux_guest_put(&f->g, task, LINUX_FIELD_TASK_TGID, pid - 1);
	linux_guest_put(&f->g, task, LINUX_FIELD_TASK_REAL_PARENT, task);
	linux_guest_put_text(&f->g, task, LINUX_FIELD_TASK_COMM, comm);
	return task;
}

/* Two processors with a task each. */
static void
setup(Fixture *f, gboolean hot)
{
	*f = (Fixture){ .out = g_string_new(NULL) };
	LinuxGuest *g = &f->g;
	linux_guest_init(g, TYPES);
	f->areas = linux_guest_alloc(g, 2 * AREA_LEN);
	guint64 offsets = linux_guest_alloc(g, 16), n = linux_guest_alloc(g, 8);
	linux_guest_u64(g, n, 2);
	linux_guest_symbol(g, "nr_cpu_ids", n);
	linux_guest_symbol(g, "__per_cpu_offset", offsets);
	linux_guest_symbol(g, hot ? "pcpu_hot" : "current_task", 0x100);
	f->tasks[0] = make_task(f, 11, "first");
	f->tasks[1] = make_task(f, 22, "sec\nond");
	for (guint i = 0; i < 2; i++) {
		linux_guest_u64(g, offsets + i * 8ULL, f->areas + i * AREA_LEN);
		linux_guest_u64(g, f->areas + i * AREA_LEN + 0x100 + (hot ? 8 : 0), f->tasks[i]);
	}
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_string_free(f->out, TRUE);
	g_clear_error(&f->error);
}

START_TEST(current_is_the_task_that_it_runs)
{
	Fixture f;
	setup(&f, _i);
	Linux *os = linux_guest_start(&f.g);
	ck_assert(linux_render_vcpu_current(os, NULL, "0", f.out, NULL, &f.error));
	ck_assert(linux_render_vcpu_current(os, NULL, "1", f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, "10 11 first\n21 22 sec\\012ond\n");
	teardown(&f);
}
END_TEST

START_TEST(harts_are_processors_by_the_kernel_s_table)
{
	Fixture f;
	setup(&f, FALSE);
	guint64 harts = linux_guest_alloc(&f.g, 16);
	linux_guest_symbol(&f.g, "__cpuid_to_hartid_map", harts);
	linux_guest_u64(&f.g, harts, 1);
	linux_guest_u64(&f.g, harts + 8, 0);
	Linux *os = linux_guest_start(&f.g);
	ck_assert(linux_render_vcpu_current(os, NULL, "0", f.out, NULL, &f.error));
	ck_assert(linux_render_vcpu_current(os, NULL, "1", f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, "21 22 sec\\012ond\n10 11 first\n");
	teardown(&f);
}
END_TEST

START_TEST(vcpu_that_the_kernel_does_not_know_runs_nothing)
{
	Fixture f;
	setup(&f, FALSE);
	ck_assert(!linux_render_vcpu_current(linux_guest_start(&f.g), NULL, "2", f.out, NULL,
					     &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	teardown(&f);
}
END_TEST

/* ---- with registers ---- */

START_TEST(a_stop_is_of_the_task_that_runs_where_registers_say)
{
	Fixture f;
	setup(&f, FALSE);
	Linux *os = linux_guest_start(&f.g);
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	VmifsTask task;
	vmifs_regs_set(regs, "gs_base", f.areas + (_i ? 0 : AREA_LEN));
	ck_assert(linux_current(os, (guint) _i, regs, &task, NULL));
	ck_assert_uint_eq(task.pid, _i ? 11 : 22);
	ck_assert_uint_eq(task.tgid, _i ? 10 : 21);
	ck_assert_str_eq(task.comm, _i ? "first" : "sec\nond");
	vmifs_regs_set(regs, "gs_base", 0x7000);
	ck_assert(!linux_current(os, 2, regs, &task, NULL));
	teardown(&f);
}
END_TEST

START_TEST(registers_tell_which_processor_it_is)
{
	Fixture f;
	setup(&f, FALSE);
	linux_guest_reg(&f.g, _i ? "gs_base" : "k_gs_base", f.areas + AREA_LEN);
	linux_guest_reg(&f.g, _i ? "k_gs_base" : "gs_base", 0x7000);
	ck_assert(linux_render_vcpu_current(linux_guest_start(&f.g), NULL, "0", f.out, NULL,
					    &f.error));
	ck_assert_str_eq(f.out->str, "21 22 sec\\012ond\n");
	teardown(&f);
}
END_TEST

START_TEST(stack_of_who_is_in_a_program_is_where_that_is)
{
	Fixture f;
	setup(&f, FALSE);
	linux_guest_reg(&f.g, "rip", _i ? 0xffffffffff600000 : 0x401000);
	if (_i)
		linux_guest_reg(&f.g, "cs", 0x33);
	Linux *os = linux_guest_start(&f.g);
	ck_assert(linux_has_vcpu_stack(os));
	ck_assert(linux_render_vcpu_stack(os, NULL, "0", f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, _i ? "[user] 0xffffffffff600000\n" : "[user] 0x401000\n");
	teardown(&f);
}
END_TEST

START_TEST(stack_of_who_is_in_unknown_code_is_a_number)
{
	Fixture f;
	setup(&f, FALSE);
	linux_guest_reg(&f.g, "rip", 0xffffffffc0001234);
	linux_guest_reg(&f.g, "rsp", 0xffff888000000000);
	ck_assert(
		linux_render_vcpu_stack(linux_guest_start(&f.g), NULL, "0", f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, "[<0>] 0xffffffffc0001234\n");
	teardown(&f);
}
END_TEST

START_TEST(without_registers_there_is_no_stack)
{
	Fixture f;
	setup(&f, FALSE);
	Linux *os = linux_guest_start(&f.g);
	ck_assert(!linux_has_vcpu_stack(os));
	ck_assert(!linux_render_vcpu_stack(os, NULL, "0", f.out, NULL, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("vcpus");
	TCase *t = tcase_create("vcpus");

	tcase_add_loop_test(t, current_is_the_task_that_it_runs, 0, 2);
	tcase_add_test(t, harts_are_processors_by_the_kernel_s_table);
	tcase_add_test(t, vcpu_that_the_kernel_does_not_know_runs_nothing);
	tcase_add_loop_test(t, a_stop_is_of_the_task_that_runs_where_registers_say, 0, 2);
	tcase_add_loop_test(t, registers_tell_which_processor_it_is, 0, 2);
	tcase_add_loop_test(t, stack_of_who_is_in_a_program_is_where_that_is, 0, 2);
	tcase_add_test(t, stack_of_who_is_in_unknown_code_is_a_number);
	tcase_add_test(t, without_registers_there_is_no_stack);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
