/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watch-events: what is told of stops, by each kind of line. */
#include "watch-scene.h"

START_TEST(a_write_tells_old_and_new)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	live_put(scene.live, TASKS_AT + 0x28, 0x1111);
	assert_written(&scene, "mem w tasks+0x28");
	scene_read(&scene);
	live_put(scene.live, TASKS_AT + 0x28, 0x2222);
	live_stop(scene.live, VMIFS_STOP_WRITE, WATCHED, 1, scene.regs);
	const char *line = read_lines(&scene, "mem");
	assert_has(line, "\"vcpu\":1,\"pc\":\"0xffff800000006400\"");
	assert_has(line, "\"watch\":\"w1\",\"at\":\"run+0x0\",\"access\":\"w\","
			 "\"address\":\"0xffff800000006028\",\"len\":8,"
			 "\"old\":\"0x1111\",\"new\":\"0x2222\"}");
	live_put(scene.live, TASKS_AT + 0x28, 0x3333);
	live_stop(scene.live, VMIFS_STOP_WRITE, WATCHED + 4, 0, scene.regs);
	line = read_lines(&scene, "mem");
	assert_has(line, "\"address\":\"0xffff80000000602c\",\"len\":8,"
			 "\"old\":\"0x2222\",\"new\":\"0x3333\"}");
}
END_TEST

START_TEST(a_read_tells_the_value)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	live_put(scene.live, TASKS_AT + 0x28, 0x1234);
	scene_read(&scene);
	assert_written(&scene, "mem r tasks+0x28/2");
	live_stop(scene.live, VMIFS_STOP_READ, WATCHED, 0, scene.regs);
	const char *line = read_lines(&scene, "mem");
	assert_has(line, "\"access\":\"r\"");
	assert_has(line, "\"len\":2,\"value\":\"0x1234\"}");
}
END_TEST

START_TEST(values_of_another_address_space_are_not_compared)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	assert_written(&scene, "mem w 0x1000/4");
	vmifs_regs_set(scene.regs, "cr3", TASK_ROOT);
	live_stop(scene.live, VMIFS_STOP_WRITE, 0x1000, 0, scene.regs);
	const char *line = read_lines(&scene, "mem");
	assert_has(line, "\"pid\":7,\"comm\":\"toy\"");
	ck_assert_ptr_null(strstr(line, "\"old\""));
	assert_has(line, "\"new\":\"0x20737469\"");
	memcpy(scene.live->ram + 0x20000, "xyz ", 4);
	live_stop(scene.live, VMIFS_STOP_WRITE, 0x1000, 0, scene.regs);
	assert_has(read_lines(&scene, "mem"), "\"old\":\"0x20737469\",\"new\":\"0x207a7978\"");
	vmifs_regs_set(scene.regs, "cr3", KERNEL_ROOT);
	live_stop(scene.live, VMIFS_STOP_WRITE, 0x1000, 0, scene.regs);
	line = read_lines(&scene, "mem");
	ck_assert_ptr_null(strstr(line, "\"old\""));
	ck_assert_ptr_null(strstr(line, "\"new\""));
}
END_TEST

START_TEST(a_call_tells_arguments_and_where_it_returns_to)
{
	static const char *const names[] = { "rdi", "rsi", "rdx", "rcx", "r8", "r9" };
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	assert_written(&scene, "exec run calls");
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		vmifs_regs_set(scene.regs, names[i], 16 + i);
	live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs);
	const char *line = read_lines(&scene, "exec");
	assert_has(line, "\"vcpu\":0,\"pc\":\"0xffff800000006400\"");
	assert_has(line, "\"watch\":\"calls\"");
	assert_has(line, "\"args\":[\"0x10\",\"0x11\",\"0x12\",\"0x13\",\"0x14\",\"0x15\"],"
			 "\"return\":\"0xffff800000006405\"}");
	ck_assert_ptr_null(strstr(line, "\"pid\""));
}
END_TEST

START_TEST(a_condition_filters_and_counts)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	assert_written(&scene, "exec run if rdi==0x4");
	for (guint i = 0; i < 10; i++) {
		vmifs_regs_set(scene.regs, "rdi", i);
		live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs);
	}
	ck_assert_uint_eq(count_lines(&scene, "exec"), 1);
	assert_text(&scene, "exec run if rdi==0x4 w1 # armed hits=1 filtered=9\n");
}
END_TEST

START_TEST(a_register_that_is_not_there_is_refused)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene.live->knows_rdi = TRUE;
	scene_read(&scene);
	assert_refused(&scene, "exec run if edi==3", VMIFS_ERROR_UNSUPPORTED,
		       "this guest has no register edi");
	assert_written(&scene, "exec run if rdi==3");
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs), 1);
	ck_assert(has_text(&scene, "w2 # armed hits=1\n"));
}
END_TEST

/* Its source does not say before. */
START_TEST(the_first_stop_without_the_register_is_the_last)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	assert_written(&scene, "exec run if edi==3\nexec tasks if edi==3\nexec tasks b");
	/* That its kernel was found may be told late, upon which they are tried again. */
	await((live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs),
	       has_text(&scene, "w1 # refused: where it stops there is no register edi\n")));
	await((live_stop(scene.live, VMIFS_STOP_EXEC, TASKS + TASKS_AT, 0, scene.regs),
	       has_text(&scene, "w2 # refused: where it stops there is no register edi\n")));
	ck_assert(!has_text(&scene, "filtered"));
	ck_assert(has_text(&scene, "exec tasks b # armed hits="));
	await_line(&scene, "watch", "no register edi");
}
END_TEST

START_TEST(a_process_is_told_by_its_page_tables)
{
	static const guint64 roots[] = { KERNEL_ROOT, TASK_ROOT | 0xfff, SHADOW_ROOT,
					 TASK_ROOT | 1ULL << 63, TASK_ROOT + 0x1000 };
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	assert_written(&scene, "mem w 7:0x1000");
	for (guint i = 0; i < G_N_ELEMENTS(roots); i++) {
		vmifs_regs_set(scene.regs, "cr3", roots[i]);
		live_stop(scene.live, VMIFS_STOP_WRITE, 0x1000, 0, scene.regs);
	}
	ck_assert_uint_eq(count_lines(&scene, "mem"), 3);
	assert_text(&scene, "mem w 7:0x1000 w1 # armed hits=3 filtered=2\n");
}
END_TEST

START_TEST(a_process_is_followed_through_exec)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	assert_written(&scene, "mem w 7:0x1000");
	vmifs_regs_set(scene.regs, "cr3", 0x15000);
	live_stop(scene.live, VMIFS_STOP_WRITE, 0x1000, 0, scene.regs);
	assert_text(&scene, "mem w 7:0x1000 w1 # armed hits=0 filtered=1\n");
	/* It gets other page tables, as then a kernel thread that works for it has. */
	live_put(scene.live, TASKS_AT + 8, 0x15000);
	live_stop(scene.live, VMIFS_STOP_WRITE, 0x1000, 0, scene.regs);
	vmifs_regs_set(scene.regs, "cr3", 0x15fff);
	live_stop(scene.live, VMIFS_STOP_WRITE, 0x1000, 0, scene.regs);
	assert_text(&scene, "mem w 7:0x1000 w1 # armed hits=2 filtered=1\n");
}
END_TEST

START_TEST(another_process_in_its_page_tables_is_not_it)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	assert_written(&scene, "mem w 7:0x1000");
	vmifs_regs_set(scene.regs, "cr3", TASK_ROOT);
	live_stop(scene.live, VMIFS_STOP_WRITE, 0x1000, 0, scene.regs);
	live_put(scene.live, TASKS_AT, 9);
	live_stop(scene.live, VMIFS_STOP_WRITE, 0x1000, 0, scene.regs);
	assert_text(&scene, "mem w 7:0x1000 w1 # armed hits=1 filtered=1\n");
	/* Its number is another's by now. */
	live_put(scene.live, TASKS_AT, 7);
	live_put(scene.live, TASKS_AT + 40, 1234);
	live_stop(scene.live, VMIFS_STOP_WRITE, 0x1000, 0, scene.regs);
	assert_text(&scene, "mem w 7:0x1000 w1 # armed hits=1 filtered=2\n");
}
END_TEST

START_TEST(steps_end_with_their_count)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	assert_written(&scene, "step vcpu1 count 3");
	assert_refused(&scene, "step vcpu2", VMIFS_ERROR_UNSUPPORTED, "2 vCPUs");
	for (guint i = 0; i < 10; i++) {
		live_stop(scene.live, VMIFS_STOP_STEP, RUN + i, 0, scene.regs);
		live_stop(scene.live, VMIFS_STOP_STEP, RUN + i, 1, scene.regs);
	}
	ck_assert_uint_eq(count_lines(&scene, "step"), 3);
	await(has_text(&scene, "step vcpu1 count 3 w1 # done hits=3\n"));
	ck_assert_uint_eq(live_n_armed(scene.live), 0);
}
END_TEST

START_TEST(the_system_says_what_its_functions_mean)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	assert_written(&scene, "task t");
	assert_refused(&scene, "module", VMIFS_ERROR_UNSUPPORTED, "it loads nothing");
	for (guint i = 5; i < 10; i++) {
		vmifs_regs_set(scene.regs, "rdi", i);
		live_stop(scene.live, VMIFS_STOP_EXEC, RUN + 0x300, 1, scene.regs);
	}
	ck_assert(has_text(&scene, "task t # armed hits=1 filtered=4\n"));
	const char *line = read_lines(&scene, "task");
	assert_has(line, "\"vcpu\":1,\"pid\":7,\"comm\":\"toy\",\"watch\":\"t\",\"what\":\"exec\","
			 "\"ppid\":1,\"path\":\"/bin/toy\",\"argv\":[\"toy\",\"-x\",\"\\u00ff\"]");
}
END_TEST

START_TEST(lines_of_one_function_ask_the_system_once)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	assert_written(&scene, "task a\ntask b\nexec run+0x300 c\ntask d");
	vmifs_regs_set(scene.regs, "rdi", 7);
	vmifs_regs_set(scene.regs, "rdx", 1);
	live_stop(scene.live, VMIFS_STOP_EXEC, RUN + 0x300, 1, scene.regs);
	ck_assert_uint_eq(count_lines(&scene, "task"), 3);
	live_stop(scene.live, VMIFS_STOP_EXEC, RUN + 0x300, 1, scene.regs);
	assert_has(read_lines(&scene, "task"), "\"/asked/2\"");
	assert_has(scene.lines->str,
		   "\"watch\":\"d\",\"what\":\"exec\",\"ppid\":1,\"path\":\"/asked/2\"");
}
END_TEST

/* What was read for the stop before is as old as the epoch; the kernel's page goes elsewhere. */
START_TEST(what_a_stop_tells_is_of_that_moment)
{
	VmifsOptions options = { .size = sizeof options, .cache_ms = 3600 * 1000 };
	g_auto(Scene) scene = scene_new(&all_caps, &options);

	scene_read(&scene);
	assert_written(&scene, "exec run");
	vmifs_regs_set(scene.regs, "cr3", TASK_ROOT);
	live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs);
	assert_has(read_lines(&scene, "exec"), "\"pid\":7,");
	memcpy(scene.live->ram + 0x7000, scene.live->ram + TASKS_AT, 0x1000);
	live_put(scene.live, 0x7000, 8);
	live_put(scene.live, 0x4000 + 8 * (TASKS_AT / 0x1000), 0x7000 | 3);
	live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs);
	assert_has(read_lines(&scene, "exec"), "\"pid\":8,");
}
END_TEST

START_TEST(too_many_arguments_take_nothing_else_away)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	assert_written(&scene, "task t");
	vmifs_regs_set(scene.regs, "rdi", 7);
	vmifs_regs_set(scene.regs, "rsi", 100000);
	live_stop(scene.live, VMIFS_STOP_EXEC, RUN + 0x300, 1, scene.regs);
	const char *line = read_lines(&scene, "task");
	assert_has(line, "\"watch\":\"t\",\"what\":\"exec\",\"ppid\":1,\"path\":\"/bin/toy\","
			 "\"argv\":[\"toy\",\"-x\",\"\\u00ff\",\"x\",\"x\"");
	assert_has(line, "\"x\"],\"raw\":true,\"cut\":true}\n");
}
END_TEST

/* ---- interrupts ---- */

START_TEST(an_interrupt_tells_its_error_and_where_it_came_from)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	assert_refused(&scene, "int 14 early", VMIFS_ERROR_UNSUPPORTED,
		       "where handlers of vCPU 0 are");
	/* Gates of vectors 14 and 32. */
	scene.live->gates = TASKS + TASKS_AT + 0x900;
	scene.live->gates_limit = 33 * 16 - 1;
	live_put(scene.live, TASKS_AT + 0x900 + 14 * 16, 0x00008e0000106400);
	live_put(scene.live, TASKS_AT + 0x900 + 14 * 16 + 8, 0xffff8000);
	live_put(scene.live, TASKS_AT + 0x900 + 32 * 16, 0x00008e0000106440);
	live_put(scene.live, TASKS_AT + 0x900 + 32 * 16 + 8, 0xffff8000);
	live_put(scene.live, TASKS_AT + 0x800, 6);
	live_put(scene.live, TASKS_AT + 0x808, 0x401000);
	vmifs_regs_set(scene.regs, "cr2", 0xbad0);
	scene_read(&scene);
	assert_written(&scene, "-early\nint 14\nint 32 ticks");
	assert_refused(&scene, "int 3", VMIFS_ERROR_UNSUPPORTED, "vector 3 has no handler");
	assert_refused(&scene, "int 33", VMIFS_ERROR_UNSUPPORTED, "handlers of 33 vectors");
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs), 1);
	assert_has(read_lines(&scene, "int"),
		   "\"vector\":14,\"error\":\"0x6\",\"from\":\"0x401000\",\"address\":\"0xbad0\"}");
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, RUN + 0x40, 0, scene.regs), 1);
	assert_has(read_lines(&scene, "int"), "\"vector\":32,\"from\":\"0x6\"}");
}
END_TEST

START_TEST(every_processor_has_handlers_of_its_own)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene.live->gates = TASKS + TASKS_AT + 0x900;
	scene.live->gates_apart = 0x20;
	scene.live->gates_limit = 31;
	for (guint i = 0; i < 2; i++) {
		live_put(scene.live, TASKS_AT + 0x910 + i * 0x20, 0x00008e0000106400 + i * 0x40);
		live_put(scene.live, TASKS_AT + 0x918 + i * 0x20, 0xffff8000);
	}
	scene_read(&scene);
	assert_written(&scene, "int 1");
	ck_assert_uint_eq(live_n_armed(scene.live), 2);
	live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs);
	live_stop(scene.live, VMIFS_STOP_EXEC, RUN + 0x40, 1, scene.regs);
	ck_assert_uint_eq(count_lines(&scene, "int"), 2);
	assert_refused(&scene, "int 2", VMIFS_ERROR_UNSUPPORTED, "vCPU 0 has handlers of 2");
	scene.live->cr4 = 1ULL << 32;
	assert_refused(&scene, "int 1", VMIFS_ERROR_UNSUPPORTED, "without such handlers");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("watch-events");
	TCase *t = tcase_create("watch-events");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_write_tells_old_and_new);
	tcase_add_test(t, a_read_tells_the_value);
	tcase_add_test(t, values_of_another_address_space_are_not_compared);
	tcase_add_test(t, a_call_tells_arguments_and_where_it_returns_to);
	tcase_add_test(t, a_condition_filters_and_counts);
	tcase_add_test(t, a_register_that_is_not_there_is_refused);
	tcase_add_test(t, the_first_stop_without_the_register_is_the_last);
	tcase_add_test(t, a_process_is_told_by_its_page_tables);
	tcase_add_test(t, a_process_is_followed_through_exec);
	tcase_add_test(t, another_process_in_its_page_tables_is_not_it);
	tcase_add_test(t, steps_end_with_their_count);
	tcase_add_test(t, the_system_says_what_its_functions_mean);
	tcase_add_test(t, lines_of_one_function_ask_the_system_once);
	tcase_add_test(t, what_a_stop_tells_is_of_that_moment);
	tcase_add_test(t, too_many_arguments_take_nothing_else_away);
	tcase_add_test(t, an_interrupt_tells_its_error_and_where_it_came_from);
	tcase_add_test(t, every_processor_has_handlers_of_its_own);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
