/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine-riscv64: stacks, system calls and page-table entries of a made-up riscv64 kernel. */
#include <asleep.h>
#include <string.h>

#define TYPES                                                                                      \
	"struct pt_regs 288 epc@0:8 ra@8:8 sp@16:8 s0@64:8 a1@88:8 a2@96:8 a3@104:8 a4@112:8 "     \
	"a5@120:8 a7@136:8 orig_a0@280:8\n"                                                        \
	"struct thread_struct 112 ra@0:8 sp@8:8 s@16:8x12\n" TASK_TYPES                            \
	"struct riscv_cpuinfo 24 mvendorid@0:8 marchid@8:8 mimpid@16:8\n"                          \
	"struct riscv_isainfo 64 isa@0:8x8\n"                                                      \
	"struct riscv_isa_ext_data 16 id@0:4 name@8:8\n"

#define N_CPUS 8192
#define N_EXTENSIONS 512
#define REGS_LEN 288

static void
setup(Fixture *f)
{
	setup_asleep(f, TYPES, linux_guest_use_riscv64, "handle_exception", REGS_LEN);
	linux_guest_symbol(&f->g, "ret_from_exception_end", f->code + 0x300);
}

/* It stands below the address that a frame pointer has. */
static void
frame_below(Fixture *f, guint64 fp, guint64 next, guint64 link)
{
	frame(f, fp - 16, next, link);
}

static void
sleeps_at(Fixture *f, guint64 sp, guint64 fp, guint64 pc)
{
	linux_guest_put(&f->g, f->task.object, LINUX_FIELD_TASK_THREAD_SP, sp);
	linux_guest_put(&f->g, f->task.object, LINUX_FIELD_TASK_THREAD_S, fp);
	linux_guest_put(&f->g, f->task.object, LINUX_FIELD_TASK_THREAD_RA, pc);
}

START_TEST(frames_lead_to_the_entry_from_the_program)
{
	Fixture f;
	setup(&f);
	guint64 sp = f.stack + 0x1000;
	sleeps_at(&f, sp, sp + 0x20, f.code + 0x10);
	frame_below(&f, sp + 0x20, sp + 0x60, f.code + 0x120);
	frame_below(&f, sp + 0x60, f.regs, f.code + 0x130);
	frame_below(&f, f.regs, 0x7ff0, f.code + 0x230);
	linux_guest_put(&f.g, f.regs, LINUX_FIELD_PT_REGS_IP, 0x10400);

	ck_assert_str_eq(render(&f, linux_render_stack), "[<0>] wait_here+0x20/0x100\n"
							 "[<0>] wait_here+0x30/0x100\n"
							 "[<0>] handle_exception+0x30/0x100\n");
	teardown(&f);
}
END_TEST

START_TEST(interrupted_kernel_is_followed_from_its_registers)
{
	Fixture f;
	setup(&f);
	guint64 sp = f.stack + 0x1000, regs = sp + 0x40;
	sleeps_at(&f, sp, regs, f.code + 0x10);
	frame_below(&f, regs, 0, f.code + 0x230);
	linux_guest_put(&f.g, regs, LINUX_FIELD_PT_REGS_IP, f.code + 0x144);
	linux_guest_put(&f.g, regs, LINUX_FIELD_PT_REGS_S0, f.stack + 0x1800);
	frame_below(&f, f.stack + 0x1800, 0, f.code + 0x150);

	ck_assert_str_eq(render(&f, linux_render_stack), "[<0>] handle_exception+0x30/0x100\n"
							 "[<0>] wait_here+0x44/0x100\n"
							 "[<0>] wait_here+0x50/0x100\n");
	teardown(&f);
}
END_TEST

START_TEST(frames_in_a_circle_come_to_an_end)
{
	Fixture f;
	setup(&f);
	guint64 sp = f.stack + 0x1000;
	sleeps_at(&f, sp, sp + 0x20, f.code + 0x110);
	frame_below(&f, sp + 0x20, sp + 0x20, f.code + 0x120);

	ck_assert_str_eq(render(&f, linux_render_stack), "[<0>] wait_here+0x10/0x100\n"
							 "[<0>] wait_here+0x20/0x100\n");
	teardown(&f);
}
END_TEST

START_TEST(frame_outside_of_the_stack_ends_it)
{
	Fixture f;
	setup(&f);
	sleeps_at(&f, f.stack - 0x100, f.stack + 8, f.code + 0x110);
	frame_below(&f, f.stack + 8, f.stack + 0x40, f.code + 0x120);

	ck_assert_str_eq(render(&f, linux_render_stack), "[<0>] wait_here+0x10/0x100\n");
	teardown(&f);
}
END_TEST

START_TEST(system_call_is_told_with_its_first_argument)
{
	Fixture f;
	setup(&f);
	linux_guest_put(&f.g, f.regs, LINUX_FIELD_PT_REGS_A7, 63);
	linux_guest_put(&f.g, f.regs, LINUX_FIELD_PT_REGS_ORIG_A0, 3);
	for (guint i = 0; i < 5; i++)
		linux_guest_put(&f.g, f.regs, LINUX_FIELD_PT_REGS_A1 + i, 0x11 + i);
	linux_guest_put(&f.g, f.regs, LINUX_FIELD_PT_REGS_SP, 0xffff0000);
	linux_guest_put(&f.g, f.regs, LINUX_FIELD_PT_REGS_IP, 0x400000);

	ck_assert_str_eq(render(&f, linux_render_syscall),
			 "63 0x3 0x11 0x12 0x13 0x14 0x15 0xffff0000 0x400000\n");
	teardown(&f);
}
END_TEST

static void
variable(Fixture *f, const char *name, gsize len, guint8 fill)
{
	g_autofree guint8 *bytes = g_malloc(len);
	guint64 va = linux_guest_alloc(&f->g, len);

	memset(bytes, fill, len);
	linux_guest_write(&f->g, va, bytes, len);
	linux_guest_symbol(&f->g, name, va);
}

/* Processors that are all online, and have all extensions, each of that name. */
static void
make_processors(Fixture *f, guint n, guint n_extensions, const char *text)
{
	guint64 table = linux_guest_alloc(&f->g, N_EXTENSIONS * 16);
	guint64 number = linux_guest_alloc(&f->g, 16);
	guint64 name = linux_guest_string(&f->g, text);

	linux_guest_u64(&f->g, number, n);
	linux_guest_u64(&f->g, number + 8, n_extensions);
	linux_guest_symbol(&f->g, "nr_cpu_ids", number);
	linux_guest_symbol(&f->g, "riscv_isa_ext_count", number + 8);
	linux_guest_symbol(&f->g, "riscv_isa_ext", table);
	for (guint i = 0; i < n_extensions; i++) {
		linux_guest_u64(&f->g, table + i * 16, i);
		linux_guest_u64(&f->g, table + i * 16 + 8, name);
	}
	variable(f, "__cpu_online_mask", N_CPUS / 8, 0xff);
	variable(f, "__cpuid_to_hartid_map", N_CPUS * 8, 0);
	variable(f, "riscv_cpuinfo", 24, 0);
	variable(f, "riscv_isa", 64, 0xff);
	variable(f, "hart_isa", N_CPUS * 64, 0xff);
}

START_TEST(processors_are_told_with_their_extensions)
{
	Fixture f;
	setup(&f);
	make_processors(&f, 1, 1, "zaa");

	const char *text = render(&f, linux_render_cpuinfo);
	ck_assert(g_str_has_prefix(text, "processor\t: 0\nhart\t\t: 0\nisa\t\t: rv64_zaa\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nmmu\t\t: sv48\nmvendorid\t: 0x0\n"));
	teardown(&f);
}
END_TEST

START_TEST(processors_without_end_are_refused)
{
	Fixture f;
	setup(&f);
	/* Each byte is told by four. */
	g_autofree char *name = g_strnfill(60, '\1');
	make_processors(&f, N_CPUS, N_EXTENSIONS, name);

	ck_assert(
		!linux_render_cpuinfo(linux_guest_start(&f.g), NULL, NULL, f.out, NULL, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	teardown(&f);
}
END_TEST

static const AbsentEntry entries[] = {
	/* PROT_NONE: the bit of global pages. */
	{ 0x40e2, 1, TRUE },
	/* swapped out */
	{ 0x4082, 1, FALSE },
	/* a page, and it is there */
	{ 0x40e3, 1, FALSE },
	/* beyond RAM */
	{ 0x00300000000040e2, 1, FALSE },
	/* a huge one */
	{ 0x00e2, 2, TRUE },
	/* one that is not aligned */
	{ 0x40e2, 2, FALSE },
};

START_TEST(entry_that_is_not_present_may_still_be_a_page)
{
	Fixture f;
	setup(&f);
	assert_resolved(&f, &linux_machine_riscv64, &entries[_i]);
	teardown(&f);
}
END_TEST

START_TEST(entry_of_a_page_in_swap_says_where)
{
	guint64 type, offset;

	ck_assert(
		linux_machine_riscv64.swapped(0x12345ull << 12 | 3 << 7 | 1 << 6, &type, &offset));
	ck_assert_uint_eq(type, 3);
	ck_assert_uint_eq(offset, 0x12345);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("machine-riscv64");
	TCase *t = tcase_create("machine-riscv64");

	tcase_add_test(t, frames_lead_to_the_entry_from_the_program);
	tcase_add_test(t, interrupted_kernel_is_followed_from_its_registers);
	tcase_add_test(t, frames_in_a_circle_come_to_an_end);
	tcase_add_test(t, frame_outside_of_the_stack_ends_it);
	tcase_add_test(t, system_call_is_told_with_its_first_argument);
	tcase_add_test(t, processors_are_told_with_their_extensions);
	tcase_add_test(t, processors_without_end_are_refused);
	tcase_add_loop_test(t, entry_that_is_not_present_may_still_be_a_page, 0,
			    G_N_ELEMENTS(entries));
	tcase_add_test(t, entry_of_a_page_in_swap_says_where);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
