/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine-aarch64: stacks, system calls and page-table entries of a made-up AArch64 kernel. */
#include <asleep.h>

#define TYPES                                                                                      \
	"struct pt_regs 320 regs@0:8x31 sp@248:8 pc@256:8 pstate@264:8 orig_x0@272:8 "             \
	"syscallno@280:4 stackframe@304:8x2\n"                                                     \
	"struct cpu_context 104 fp@80:8 sp@88:8 pc@96:8\n"                                         \
	"struct thread_struct 104 cpu_context@0=cpu_context\n" TASK_TYPES

#define REGS_LEN 320

static void
setup(Fixture *f)
{
	setup_asleep(f, TYPES, linux_guest_use_aarch64, "el0_svc", REGS_LEN);
}

static void
sleeps_at(Fixture *f, guint64 fp, guint64 pc)
{
	linux_guest_put(&f->g, f->task.object, LINUX_FIELD_TASK_THREAD_FP, fp);
	linux_guest_put(&f->g, f->task.object, LINUX_FIELD_TASK_THREAD_PC, pc);
}

START_TEST(frames_lead_to_the_registers_of_the_program)
{
	Fixture f;
	setup(&f);
	guint64 sp = f.stack + 0x1000;
	sleeps_at(&f, sp, f.code + 0x10);
	frame(&f, sp, sp + 0x40, f.code + 0x120);
	frame(&f, sp + 0x40, f.regs + 304, f.code + 0x230);

	ck_assert_str_eq(render(&f, linux_render_stack), "[<0>] wait_here+0x20/0x100\n"
							 "[<0>] el0_svc+0x30/0x100\n");
	teardown(&f);
}
END_TEST

START_TEST(signed_return_address_is_shown_without_its_signature)
{
	Fixture f;
	setup(&f);
	guint64 sp = f.stack + 0x1000;
	sleeps_at(&f, sp, f.code + 0x10);
	frame(&f, sp, f.regs + 304, (f.code + 0x120) & ~(0x5aull << 56));

	ck_assert_str_eq(render(&f, linux_render_stack), "[<0>] wait_here+0x20/0x100\n");
	teardown(&f);
}
END_TEST

START_TEST(frames_in_a_circle_come_to_an_end)
{
	Fixture f;
	setup(&f);
	guint64 sp = f.stack + 0x1000;
	sleeps_at(&f, sp, f.code + 0x110);
	frame(&f, sp, sp, f.code + 0x120);

	render(&f, linux_render_stack);
	ck_assert_uint_lt(f.out->len, 64 * 40);
	teardown(&f);
}
END_TEST

START_TEST(frame_outside_of_the_stack_ends_it)
{
	Fixture f;
	setup(&f);
	sleeps_at(&f, f.stack - 16, f.code + 0x110);
	frame(&f, f.stack - 16, f.stack, f.code + 0x120);

	ck_assert_str_eq(render(&f, linux_render_stack), "[<0>] wait_here+0x10/0x100\n");
	teardown(&f);
}
END_TEST

START_TEST(system_call_is_told_with_its_first_argument)
{
	Fixture f;
	setup(&f);
	linux_guest_put(&f.g, f.regs, LINUX_FIELD_PT_REGS_SYSCALLNO, 63);
	linux_guest_put(&f.g, f.regs, LINUX_FIELD_PT_REGS_ORIG_X0, 3);
	for (guint i = 0; i < 6; i++)
		linux_guest_put_element(&f.g, f.regs, LINUX_FIELD_PT_REGS_REGS, i, 0x10 + i);
	linux_guest_put(&f.g, f.regs, LINUX_FIELD_PT_REGS_SP, 0xffff0000);
	linux_guest_put(&f.g, f.regs, LINUX_FIELD_PT_REGS_IP, 0x400000);

	ck_assert_str_eq(render(&f, linux_render_syscall),
			 "63 0x3 0x11 0x12 0x13 0x14 0x15 0xffff0000 0x400000\n");
	teardown(&f);
}
END_TEST

START_TEST(task_outside_of_a_system_call_has_no_arguments)
{
	Fixture f;
	setup(&f);
	linux_guest_put(&f.g, f.regs, LINUX_FIELD_PT_REGS_SYSCALLNO, G_MAXUINT32);

	ck_assert_str_eq(render(&f, linux_render_syscall), "-1 0x0 0x0\n");
	teardown(&f);
}
END_TEST

static const AbsentEntry entries[] = {
	/* PROT_NONE: VALID is clear, the other bit of a page's type is not. */
	{ 0x00600000000104c2 | 1ull << 58 | 0xc00, 1, TRUE },
	/* swapped out */
	{ 0x0000000000010c08, 1, FALSE },
	/* a page, and it is there */
	{ 0x0060000000010fc3, 1, FALSE },
	/* beyond RAM */
	{ 0x0060007000010cc2, 1, FALSE },
	/* a huge one */
	{ 0x0060000000000cc0, 2, TRUE },
	{ 0x0000000000000cc0, 2, FALSE },
};

START_TEST(entry_without_its_valid_bit_may_still_be_a_page)
{
	Fixture f;
	setup(&f);
	assert_resolved(&f, &linux_machine_aarch64, &entries[_i]);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("machine-aarch64");
	TCase *t = tcase_create("machine-aarch64");

	tcase_add_test(t, frames_lead_to_the_registers_of_the_program);
	tcase_add_test(t, signed_return_address_is_shown_without_its_signature);
	tcase_add_test(t, frames_in_a_circle_come_to_an_end);
	tcase_add_test(t, frame_outside_of_the_stack_ends_it);
	tcase_add_test(t, system_call_is_told_with_its_first_argument);
	tcase_add_test(t, task_outside_of_a_system_call_has_no_arguments);
	tcase_add_loop_test(t, entry_without_its_valid_bit_may_still_be_a_page, 0,
			    G_N_ELEMENTS(entries));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
