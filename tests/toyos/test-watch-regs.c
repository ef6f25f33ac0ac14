/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch-regs: lines of registers: where the kernel's text writes them, and what is told of that.
 * Without a disassembler there are none.
 */
#include "watch-scene.h"

#include <engine/disasm.h>

#define CODE (TASKS + TASKS_AT + 0x900)

/* mov cr3,rax | wrmsr | mov eax,0x300f: below a symbol, behind what is two bytes each. */
static void
put_code(LiveGuest *live, gsize at)
{
	static const guint8 code[] = { 0x0f, 0x22, 0xd8, 0x0f, 0x30, 0xb8, 0x0f, 0x30, 0x00, 0x00 };

	memcpy(live->ram + at, code, sizeof code);
}

START_TEST(a_write_of_a_register_tells_old_and_new)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	put_code(scene.live, TASKS_AT + 0x900);
	scene_read(&scene);
	assert_written(&scene, "reg cr3 roots");
	ck_assert_uint_eq(live_n_armed(scene.live), 1);
	vmifs_regs_set(scene.regs, "rip", CODE);
	vmifs_regs_set(scene.regs, "cr3", TASK_ROOT);
	vmifs_regs_set(scene.regs, "rax", 1ULL << 63 | KERNEL_ROOT);
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, CODE, 1, scene.regs), 1);
	assert_has(read_lines(&scene, "reg"), "\"old\":\"0x10000\",\"new\":\"0x1000\"}");
	vmifs_regs_set(scene.regs, "cr3", KERNEL_ROOT);
	vmifs_regs_set(scene.regs, "rax", 1ULL << 63 | TASK_ROOT);
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, CODE, 1, scene.regs), 1);
	assert_has(read_lines(&scene, "reg"),
		   "\"vcpu\":1,\"pc\":\"0xffff800000006900\",\"watch\":\"roots\","
		   "\"at\":\"twin+0x300\",\"reg\":\"cr3\",\"old\":\"0x1000\",\"new\":\"0x10000\"}");
}
END_TEST

START_TEST(the_number_of_an_MSR_is_looked_at)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	put_code(scene.live, TASKS_AT + 0x900);
	scene_read(&scene);
	assert_written(&scene, "reg msr:0x48");
	ck_assert_uint_eq(live_n_armed(scene.live), 1);
	vmifs_regs_set(scene.regs, "rax", 0xffffffff00000001);
	vmifs_regs_set(scene.regs, "rdx", 0x2);
	for (guint i = 0x47; i < 0x50; i++) {
		vmifs_regs_set(scene.regs, "rcx", i);
		ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, CODE + 3, 0, scene.regs),
				  1);
	}
	assert_text(&scene, "reg msr:0x48 w1 # armed hits=1 filtered=8\n");
	assert_has(read_lines(&scene, "reg"),
		   "\"reg\":\"msr\",\"number\":\"0x48\",\"new\":\"0x200000001\"}");
}
END_TEST

/* That of a register that the source does not tell is what was seen written before, on that vCPU.
 */
START_TEST(what_an_MSR_was_is_what_was_written_before)
{
	static const struct {
		guint vcpu, msr;
		guint64 value;
		const char *told;
	} writes[] = {
		{ 0, 0x48, 1, "\"number\":\"0x48\",\"new\":\"0x1\"}" },
		{ 1, 0x48, 2, "\"number\":\"0x48\",\"new\":\"0x2\"}" },
		{ 0, 0x49, 9, "" },
		{ 0, 0x48, 3, "\"old\":\"0x1\",\"new\":\"0x3\"}" },
		{ 1, 0x48, 4, "\"old\":\"0x2\",\"new\":\"0x4\"}" },
		{ 0, 0x48, 5, "\"old\":\"0x3\",\"new\":\"0x5\"}" },
	};
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	put_code(scene.live, TASKS_AT + 0x900);
	scene_read(&scene);
	assert_written(&scene, "reg msr:0x48");
	for (guint i = 0; i < G_N_ELEMENTS(writes); i++) {
		vmifs_regs_set(scene.regs, "rcx", writes[i].msr);
		vmifs_regs_set(scene.regs, "rax", writes[i].value);
		vmifs_regs_set(scene.regs, "rdx", 0);
		live_stop(scene.live, VMIFS_STOP_EXEC, CODE + 3, writes[i].vcpu, scene.regs);
		assert_has(read_lines(&scene, "reg"), writes[i].told);
	}
	/* Nobody saw what was written while nobody read. */
	scene_leave(&scene);
	scene_read(&scene);
	live_stop(scene.live, VMIFS_STOP_EXEC, CODE + 3, 0, scene.regs);
	assert_has(read_lines(&scene, "reg"), "\"number\":\"0x48\",\"new\":\"0x5\"}");
}
END_TEST

START_TEST(a_register_that_the_source_tells_is_not_remembered)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	put_code(scene.live, TASKS_AT + 0x900);
	scene_read(&scene);
	assert_written(&scene, "reg msr:0xc0000080");
	vmifs_regs_set(scene.regs, "rcx", 0xc0000080);
	vmifs_regs_set(scene.regs, "rdx", 0);
	for (guint i = 0; i < 2; i++) {
		vmifs_regs_set(scene.regs, "efer", 0xd01);
		vmifs_regs_set(scene.regs, "rax", 0x500);
		live_stop(scene.live, VMIFS_STOP_EXEC, CODE + 3, 0, scene.regs);
		assert_has(read_lines(&scene, "reg"), "\"old\":\"0xd01\",\"new\":\"0x500\"}");
	}
}
END_TEST

/* It would look through the kernel's text at each. */
START_TEST(a_refused_line_is_not_tried_again_at_each_stop)
{
	VmifsOptions options = { .size = sizeof options, .has_max_stops = TRUE, .max_stops = 1 };
	g_auto(Scene) scene = scene_new(&all_caps, &options);

	scene_read(&scene);
	assert_refused(&scene, "reg cr3 later", VMIFS_ERROR_UNSUPPORTED, "nothing in the kernel");
	assert_written(&scene, "exec run");
	put_code(scene.live, TASKS_AT + 0x900);
	live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs);
	await(live_n_armed(scene.live) == 0);
	await(live_n_armed(scene.live) == 1);
	ck_assert(has_text(&scene, "later # refused"));
	assert_written(&scene, "exec run");
	ck_assert(has_text(&scene, "later # armed"));
}
END_TEST

START_TEST(text_behind_a_page_that_is_not_there_is_looked_at)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	put_code(scene.live, TASKS_AT + 0x900);
	live_put(scene.live, 0x4000 + 8 * (TASKS_AT / 0x1000 - 1), 0x10000000 | 3);
	assert_written(&scene, "reg cr3 keep");
	ck_assert_uint_eq(live_n_armed(scene.live), 1);
}
END_TEST

/* The kernel has patched its text since: what stands there writes no register any more. */
START_TEST(what_stands_there_now_counts)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	put_code(scene.live, TASKS_AT + 0x900);
	scene_read(&scene);
	assert_written(&scene, "reg msr:0x48");
	vmifs_regs_set(scene.regs, "rcx", 0x48);
	live_put(scene.live, TASKS_AT + 0x900, 0);
	live_stop(scene.live, VMIFS_STOP_EXEC, CODE + 3, 0, scene.regs);
	assert_text(&scene, "reg msr:0x48 w1 # armed hits=0 filtered=1\n");
}
END_TEST

START_TEST(another_boot_writes_registers_elsewhere)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	put_code(scene.live, TASKS_AT + 0x900);
	scene_read(&scene);
	assert_written(&scene, "reg cr3");
	halt(scene.live);
	live_changed(scene.live, VMIFS_CHANGE_CONTENT);
	await(has_text(&scene, "w1 # waiting: no kernel"));
	boot(scene.live, 0x7000, 8);
	put_code(scene.live, 0x7a00);
	await(has_text(&scene, "w1 # armed") || has_text(&scene, "w1 # refused: nothing"));
	/* It may have been looked at just before that was there. */
	assert_written(&scene, "reg msr:0x48");
	ck_assert(has_text(&scene, "w1 # armed"));
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, CODE, 0, scene.regs), 0);
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, TASKS + 0x7a00, 0, scene.regs), 1);
}
END_TEST

START_TEST(registers_that_cannot_be_watched_are_refused)
{
	VmifsStopCaps four = { .exec = TRUE, .slots = 4 };
	g_auto(Scene) scene = scene_new(&four, NULL);

	if (!vmifs_disasm_is_there()) {
		assert_refused(&scene, "reg cr3", VMIFS_ERROR_UNSUPPORTED, "without capstone");
		return;
	}
	assert_refused(&scene, "reg cr4", VMIFS_ERROR_UNSUPPORTED, "nothing in the kernel's text");
	assert_refused(&scene, "reg msr:0xc0000101", VMIFS_ERROR_UNSUPPORTED, "wrfsbase");
	for (guint i = 0; i < 600; i++) {
		memcpy(scene.live->ram + TASKS_AT + 0x900 + 2 * i, "\x0f\x30", 2);
		if (i == 4)
			assert_refused(&scene, "reg msr:0x48", VMIFS_ERROR_UNSUPPORTED,
				       "it needs 5 of the 4 places there are, and 0 are taken");
	}
	assert_refused(&scene, "reg msr:0x49", VMIFS_ERROR_UNSUPPORTED,
		       "600 places of the kernel's text write it, and 512 are the most");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("watch-regs");
	TCase *t = tcase_create("watch-regs");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, registers_that_cannot_be_watched_are_refused);
	suite_add_tcase(s, t);
	if (!vmifs_disasm_is_there())
		return s;
	tcase_add_test(t, a_write_of_a_register_tells_old_and_new);
	tcase_add_test(t, the_number_of_an_MSR_is_looked_at);
	tcase_add_test(t, what_an_MSR_was_is_what_was_written_before);
	tcase_add_test(t, a_register_that_the_source_tells_is_not_remembered);
	tcase_add_test(t, a_refused_line_is_not_tried_again_at_each_stop);
	tcase_add_test(t, text_behind_a_page_that_is_not_there_is_looked_at);
	tcase_add_test(t, what_stands_there_now_counts);
	tcase_add_test(t, another_boot_writes_registers_elsewhere);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
