/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stack: stack, wchan and syscall of made-up tasks, by tables and by frame pointers. */
#include <unit.h>

#include <linux-guest.h>
#include <os/linux/unwind.h>
#include <vmifs/regs.h>

#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct orc_entry 8 sp_offset@0:2 bp_offset@2:2 sp_reg@4:1 bp_reg@5:1 type@6:1\n"          \
	"struct pt_regs 168 r13@16:8 bp@32:8 bx@40:8 r10@56:8 r9@64:8 r8@72:8 cx@88:8 dx@96:8 "    \
	"si@104:8 di@112:8 orig_ax@120:8 ip@128:8 cs@136:8 sp@152:8\n"                             \
	"struct inactive_task_frame 56 bp@40:8 ret_addr@48:8\n"                                    \
	"struct vm_struct 16 nr_pages@8:4\n"                                                       \
	"struct thread_struct 8 sp@0:8\n"                                                          \
	"struct thread_info 8 status@0:4\n"                                                        \
	"struct task_struct 64 thread_info@0=thread_info __state@8:4 on_cpu@12:4 on_rq@16:4 "      \
	"stack@24:8 stack_vm_area@32:8 thread@40=thread_struct\n"                                  \
	"struct mod_arch_specific 24 num_orcs@0:4 orc_unwind_ip@8:8 orc_unwind@16:8\n"             \
	"struct module_layout 16 base@0:8 size@8:4 text_size@12:4\n"                               \
	"struct mod_kallsyms 32 symtab@0:8 num_symtab@8:4 strtab@16:8\n"                           \
	"struct module 256 state@0:4 list@8=list_head name@24:1x56 core_layout@80=module_layout "  \
	"arch@96=mod_arch_specific kallsyms@120:8\n"

typedef struct {
	LinuxGuest g;
	GString *out;
	GError *error;
	VmifsTask task;
	guint64 code, stack, sp; /* sp: where the next frame goes */
	guint64 ips, entries, n;
} Fixture;

typedef gboolean (*Render)(gpointer os, const VmifsTask *task, const char *entry, GString *out,
			   const VmifsCall *call, GError **error);

static void
own(Fixture *f, LinuxField field, guint64 value)
{
	linux_guest_put(&f->g, f->task.object, field, value);
}

/* From code + from on, a call whose frame is len bytes. */
static void
add_entry(Fixture *f, guint64 from, guint16 len)
{
	const guint8 entry[8] = { (guint8) len, (guint8) (len >> 8), 0, 0, 5, 0, 2 };
	gint32 distance = (gint32) (f->code + from - (f->ips + f->n * 4));

	linux_guest_write(&f->g, f->ips + f->n * 4, &distance, 4);
	linux_guest_write(&f->g, f->entries + f->n * 8, entry, 8);
	f->n++;
}

/* A sleeping task of a kernel of four functions, one of them of the scheduler. */
static void
setup(Fixture *f)
{
	*f = (Fixture){ .out = g_string_new(NULL) };
	LinuxGuest *g = &f->g;
	linux_guest_init(g, TYPES);
	f->code = linux_guest_alloc(g, 0x1000);
	f->stack = linux_guest_alloc(g, 0x2000);
	f->ips = linux_guest_alloc(g, 256);
	f->entries = linux_guest_alloc(g, 256);
	f->task.object = linux_guest_new(g, LINUX_STRUCT_TASK);
	guint64 area = linux_guest_new(g, LINUX_STRUCT_VM_STRUCT);
	linux_guest_put(g, area, LINUX_FIELD_VM_STRUCT_NR_PAGES, 2);
	own(f, LINUX_FIELD_TASK_STATE, 1);
	own(f, LINUX_FIELD_TASK_STACK, f->stack);
	own(f, LINUX_FIELD_TASK_STACK_AREA, area);
	own(f, LINUX_FIELD_TASK_THREAD_SP, f->stack + 0x1000);
	f->sp = f->stack + 0x1000 + 56;
	linux_guest_symbol(g, "schedule", f->code);
	linux_guest_symbol(g, "wait_here", f->code + 0x100);
	linux_guest_symbol(g, "its_other_name", f->code + 0x100);
	linux_guest_symbol(g, "do_call", f->code + 0x200);
	linux_guest_symbol(g, "last", f->code + 0x300);
	linux_guest_symbol(g, "_stext", f->code);
	linux_guest_symbol(g, "_etext", f->code + 0x400);
	linux_guest_symbol(g, "_end", f->code + 0x400);
	linux_guest_symbol(g, "__sched_text_start", f->code);
	linux_guest_symbol(g, "__sched_text_end", f->code + 0x100);
}

/* With tables: every frame is of 24 bytes, behind a function's beginning. */
static void
setup_tables(Fixture *f)
{
	setup(f);
	add_entry(f, 0, 8);
	add_entry(f, 8, 24);
	linux_guest_symbol(&f->g, "__start_orc_unwind", f->entries);
	linux_guest_symbol(&f->g, "__start_orc_unwind_ip", f->ips);
	linux_guest_symbol(&f->g, "__stop_orc_unwind_ip", f->ips + f->n * 4);
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_string_free(f->out, TRUE);
	g_clear_error(&f->error);
}

/* The first is where the task was switched away, each other one a call that returns to ip. */
static void
push(Fixture *f, guint64 ip)
{
	if (f->sp == f->stack + 0x1000 + 56 && !f->task.start_time++) {
		linux_guest_put(&f->g, f->stack + 0x1000, LINUX_FIELD_INACTIVE_FRAME_IP, ip);
		return;
	}
	linux_guest_u64(&f->g, f->sp + 16, ip);
	f->sp += 24;
}

static const char *
render(Fixture *f, Render function)
{
	ck_assert(function(linux_guest_start(&f->g), &f->task, NULL, f->out, NULL, &f->error));
	return f->out->str;
}

/* ---- stack ---- */

START_TEST(functions_are_shown_but_those_of_the_scheduler)
{
	Fixture f;
	setup_tables(&f);
	push(&f, f.code + 0x50);
	push(&f, f.code + 0x60);
	push(&f, f.code + 0x123);
	push(&f, f.code + 0x300); /* behind a call that was the last of its function */
	push(&f, f.code + 0x400);
	push(&f, 0x1234); /* no code */
	ck_assert_str_eq(render(&f, linux_render_stack), "[<0>] wait_here+0x23/0x100\n"
							 "[<0>] do_call+0x100/0x100\n");
	teardown(&f);
}
END_TEST

START_TEST(who_runs_or_has_no_stack_shows_none)
{
	static const struct {
		LinuxField field;
		guint64 value;
	} rows[] = {
		{ LINUX_FIELD_TASK_ON_CPU, 1 },
		{ LINUX_FIELD_TASK_STACK, 0 },
		{ LINUX_FIELD_TASK_STACK_AREA, 0 },
		{ LINUX_FIELD_TASK_THREAD_SP, 0x1000 },
	};
	Fixture f;
	setup_tables(&f);
	push(&f, f.code + 0x123);
	own(&f, rows[_i].field, rows[_i].value);
	ck_assert_str_eq(render(&f, linux_render_stack), "");
	teardown(&f);
}
END_TEST

START_TEST(no_more_than_64_functions_are_shown)
{
	Fixture f;
	setup_tables(&f);
	for (guint i = 0; i < 100; i++)
		push(&f, f.code + 0x123);
	g_auto(GStrv) lines = g_strsplit(render(&f, linux_render_stack), "\n", -1);
	ck_assert_uint_eq(g_strv_length(lines) - 1, 64);
	teardown(&f);
}
END_TEST

START_TEST(new_task_has_only_where_it_will_start)
{
	Fixture f;
	setup_tables(&f);
	linux_guest_symbol(&f.g, "ret_from_fork", f.code + 0x300);
	push(&f, f.code + 0x300);
	/* An exact address is looked up by itself, not by the byte before, which ends the way. */
	ck_assert_str_eq(render(&f, linux_render_stack), "[<0>] do_call+0x100/0x100\n");
	teardown(&f);
}
END_TEST

START_TEST(stack_that_is_not_in_memory_is_a_hole)
{
	Fixture f;
	setup_tables(&f);
	guint64 end = LINUX_GUEST_BASE + LINUX_GUEST_LEN;
	own(&f, LINUX_FIELD_TASK_STACK, end - 0x1000); /* its second page is not there */
	own(&f, LINUX_FIELD_TASK_THREAD_SP, end - 64);
	linux_guest_put(&f.g, end - 64, LINUX_FIELD_INACTIVE_FRAME_IP, f.code + 0x123);
	ck_assert(
		!linux_render_stack(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	teardown(&f);
}
END_TEST

START_TEST(kernel_without_tables_keeps_frame_pointers)
{
	Fixture f;
	setup(&f);
	LinuxGuest *g = &f.g;
	guint64 frame = f.stack + 0x1100, saved = f.stack + 0x1200;
	linux_guest_put(g, f.stack + 0x1000, LINUX_FIELD_INACTIVE_FRAME_IP, f.code + 0x50);
	linux_guest_put(g, f.stack + 0x1000, LINUX_FIELD_INACTIVE_FRAME_BP, frame);
	linux_guest_u64(g, frame, saved | 1);
	linux_guest_u64(g, frame + 8, f.code + 0x123);
	linux_guest_put(g, saved, LINUX_FIELD_PT_REGS_IP, f.code + 0x223);
	/* Interrupted, and below that the program. */
	linux_guest_put(g, saved, LINUX_FIELD_PT_REGS_BP, _i ? saved - 0x100 : saved + 0x101);
	linux_guest_put(g, saved + 0x100, LINUX_FIELD_PT_REGS_IP, 0x401000);
	linux_guest_put(g, saved + 0x100, LINUX_FIELD_PT_REGS_CS, 0x33);
	ck_assert_str_eq(render(&f, linux_render_stack), "[<0>] wait_here+0x23/0x100\n"
							 "[<0>] do_call+0x23/0x100\n");
	teardown(&f);
}
END_TEST

/* ---- modules ---- */

static void
put_symbol(LinuxGuest *g, guint64 at, guint32 name, guint16 section, guint64 value)
{
	linux_guest_write(g, at, &name, 4);
	linux_guest_write(g, at + 6, &section, 2);
	linux_guest_u64(g, at + 8, value);
}

/* Two functions and a section's symbol between them. */
static guint64
make_module(Fixture *f)
{
	LinuxGuest *g = &f->g;
	guint64 module = linux_guest_new(g, LINUX_STRUCT_MODULE);
	guint64 text = linux_guest_alloc(g, 0x1000), symbols = linux_guest_alloc(g, 256);
	guint64 kallsyms = linux_guest_new(g, LINUX_STRUCT_MOD_KALLSYMS);
	guint64 head = linux_guest_alloc(g, 16);
	const guint64 ring[] = { head, linux_guest_at(g, module, LINUX_FIELD_MODULE_LIST) };
	guint64 ips = linux_guest_alloc(g, 16), entries = linux_guest_alloc(g, 16);
	const gint32 distance = (gint32) (text - ips);
	const guint8 entry[8] = { 24, 0, 0, 0, 5, 0, 2 };

	linux_guest_ring(g, ring, 2);
	linux_guest_symbol(g, "modules", head);
	linux_guest_put_text(g, module, LINUX_FIELD_MODULE_NAME, "mod");
	linux_guest_put(g, module, LINUX_FIELD_MODULE_CORE_BASE, text);
	linux_guest_put(g, module, LINUX_FIELD_MODULE_CORE_TEXT_SIZE, 0x300);
	linux_guest_put(g, module, LINUX_FIELD_MODULE_KALLSYMS, kallsyms);
	linux_guest_put(g, kallsyms, LINUX_FIELD_MOD_KALLSYMS_SYMTAB, symbols);
	linux_guest_put(g, kallsyms, LINUX_FIELD_MOD_KALLSYMS_NUM_SYMTAB, 5);
	guint64 names = linux_guest_alloc(g, 16);
	linux_guest_write(g, names, "\0second\0first", 14);
	linux_guest_put(g, kallsyms, LINUX_FIELD_MOD_KALLSYMS_STRTAB, names);
	put_symbol(g, symbols + 24, 1, 1, text + 0x200);
	put_symbol(g, symbols + 48, 8, 1, text + 0x100);
	put_symbol(g, symbols + 72, 0, 1, text + 0x180);
	put_symbol(g, symbols + 96, 1, 0, text + 0x110); /* of another module */
	linux_guest_write(g, ips, &distance, 4);
	linux_guest_write(g, entries, entry, 8);
	linux_guest_put(g, module, LINUX_FIELD_MODULE_ORC_IPS, ips);
	linux_guest_put(g, module, LINUX_FIELD_MODULE_ORC_ENTRIES, entries);
	linux_guest_put(g, module, LINUX_FIELD_MODULE_ORC_N, 1);
	return text;
}

START_TEST(modules_have_tables_and_names_of_their_own)
{
	Fixture f;
	setup_tables(&f);
	guint64 text = make_module(&f);
	push(&f, text + 0x142);
	push(&f, text + 0x212);
	push(&f, f.code + 0x123);
	push(&f, text + 0x301); /* behind its text */
	ck_assert_str_eq(render(&f, linux_render_stack), "[<0>] first+0x42/0x100 [mod]\n"
							 "[<0>] second+0x12/0x100 [mod]\n"
							 "[<0>] wait_here+0x23/0x100\n");
	teardown(&f);
}
END_TEST

START_TEST(code_before_the_first_name_is_a_number)
{
	Fixture f;
	setup_tables(&f);
	guint64 text = make_module(&f);
	g_autofree char *want = g_strdup_printf("[<0>] 0x%" G_GINT64_MODIFIER "x\n", text + 0x42);
	push(&f, text + 0x42);
	ck_assert_str_eq(render(&f, linux_render_stack), want);
	teardown(&f);
}
END_TEST

/* ---- processors ---- */

START_TEST(processor_in_the_kernel_is_followed_from_its_registers)
{
	Fixture f;
	setup_tables(&f);
	g_autoptr(GArray) frames = g_array_new(FALSE, FALSE, sizeof(LinuxFrame));
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	g_auto(LinuxCode) code = { 0 };
	vmifs_regs_set(regs, "rip", f.code + 0x300);
	if (_i == 0)
		vmifs_regs_set(regs, "rsp", f.sp);
	linux_guest_u64(&f.g, f.sp + 16, f.code + 0x123);
	linux_guest_u64(&f.g, f.sp + 40, 0x1234);
	linux_code_init(&code, linux_guest_start(&f.g), NULL);
	gboolean done = linux_unwind_regs(&code, regs, frames, &f.error);
	if (_i) {
		ck_assert(!done);
		ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	} else {
		ck_assert(done);
		ck_assert_uint_eq(frames->len, 2);
		const LinuxFrame *frame = &g_array_index(frames, LinuxFrame, 0);
		ck_assert(frame[0].ip == f.code + 0x300 && !frame[0].after_call);
		ck_assert(frame[1].ip == f.code + 0x123 && frame[1].after_call);
	}
	teardown(&f);
}
END_TEST

/* ---- wchan ---- */

START_TEST(task_waits_in_the_first_function_outside_of_the_scheduler)
{
	static const struct {
		LinuxField field;
		guint64 value;
		const char *want;
	} rows[] = {
		{ LINUX_FIELD_TASK_STATE, 2, "wait_here" }, { LINUX_FIELD_TASK_STATE, 0, "0" },
		{ LINUX_FIELD_TASK_STATE, 0x200, "0" },     { LINUX_FIELD_TASK_ON_RQ, 1, "0" },
		{ LINUX_FIELD_TASK_STACK, 0, "0" },
	};
	Fixture f;
	setup_tables(&f);
	push(&f, f.code + 0x50);
	push(&f, f.code + 0x123);
	own(&f, rows[_i].field, rows[_i].value);
	ck_assert_str_eq(render(&f, linux_render_wchan), rows[_i].want);
	teardown(&f);
}
END_TEST

/* ---- syscall ---- */

static guint64
put_call(Fixture *f, guint64 nr)
{
	static const LinuxField fields[] = {
		LINUX_FIELD_PT_REGS_DI,  LINUX_FIELD_PT_REGS_SI, LINUX_FIELD_PT_REGS_DX,
		LINUX_FIELD_PT_REGS_R10, LINUX_FIELD_PT_REGS_R8, LINUX_FIELD_PT_REGS_R9,
		LINUX_FIELD_PT_REGS_SP,  LINUX_FIELD_PT_REGS_IP, LINUX_FIELD_PT_REGS_BX,
		LINUX_FIELD_PT_REGS_CX,  LINUX_FIELD_PT_REGS_BP,
	};
	guint64 regs = f->stack + 0x2000 - 168;

	for (guint i = 0; i < G_N_ELEMENTS(fields); i++)
		linux_guest_put(&f->g, regs, fields[i], i + 1);
	linux_guest_put(&f->g, regs, LINUX_FIELD_PT_REGS_ORIG_AX, nr);
	return regs;
}

START_TEST(system_call_is_told_with_its_arguments)
{
	static const struct {
		guint64 nr;
		LinuxField field;
		guint64 value;
		const char *want;
	} rows[] = {
		{ 61, LINUX_FIELD_TASK_STATE, 1, "61 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8\n" },
		{ 61, LINUX_FIELD_TASK_THREAD_STATUS, 2, "61 0x9 0xa 0x3 0x2 0x1 0xb 0x7 0x8\n" },
		{ G_MAXUINT64, LINUX_FIELD_TASK_STATE, 1, "-1 0x7 0x8\n" },
		{ 61, LINUX_FIELD_TASK_STATE, 0, "running\n" },
		{ 61, LINUX_FIELD_TASK_STACK, 0, "-1 0x0 0x0\n" },
	};
	Fixture f;
	setup_tables(&f);
	put_call(&f, rows[_i].nr);
	own(&f, rows[_i].field, rows[_i].value);
	ck_assert_str_eq(render(&f, linux_render_syscall), rows[_i].want);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("stack");
	TCase *t = tcase_create("stack");

	tcase_add_test(t, functions_are_shown_but_those_of_the_scheduler);
	tcase_add_loop_test(t, who_runs_or_has_no_stack_shows_none, 0, 4);
	tcase_add_test(t, no_more_than_64_functions_are_shown);
	tcase_add_test(t, new_task_has_only_where_it_will_start);
	tcase_add_test(t, stack_that_is_not_in_memory_is_a_hole);
	tcase_add_loop_test(t, kernel_without_tables_keeps_frame_pointers, 0, 2);
	suite_add_tcase(s, t);
	t = tcase_create("modules");
	tcase_add_test(t, modules_have_tables_and_names_of_their_own);
	tcase_add_test(t, code_before_the_first_name_is_a_number);
	suite_add_tcase(s, t);
	t = tcase_create("processors");
	tcase_add_loop_test(t, processor_in_the_kernel_is_followed_from_its_registers, 0, 2);
	suite_add_tcase(s, t);
	t = tcase_create("wchan and syscall");
	tcase_add_loop_test(t, task_waits_in_the_first_function_outside_of_the_scheduler, 0, 5);
	tcase_add_loop_test(t, system_call_is_told_with_its_arguments, 0, 5);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
