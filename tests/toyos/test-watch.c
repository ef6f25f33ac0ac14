/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch: lines from being written to being armed, refused, paused and armed anew, with a guest that
 * stops at what it is told.
 */
#include "watch-scene.h"

/* ---- lines ---- */

START_TEST(a_line_is_armed_while_events_are_read)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	assert_written(&scene, "exec run\n");
	assert_text(&scene, "exec run w1 # idle hits=0\n");
	ck_assert_uint_eq(live_n_armed(scene.live), 0);
	scene_read(&scene);
	ck_assert_uint_eq(live_n_armed(scene.live), 1);
	assert_text(&scene, "exec run w1 # armed hits=0\n");
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs), 1);
	assert_text(&scene, "exec run w1 # armed hits=1\n");
	scene_leave(&scene);
	ck_assert_uint_eq(live_n_armed(scene.live), 0);
	assert_text(&scene, "exec run w1 # idle hits=1\n");
}
END_TEST

START_TEST(a_line_with_keep_is_armed_always)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	assert_written(&scene, "exec run keep\nexec tasks\n");
	ck_assert_uint_eq(live_n_armed(scene.live), 1);
	assert_text(&scene, "exec run w1 keep # armed hits=0\nexec tasks w2 # idle hits=0\n");
}
END_TEST

START_TEST(lines_have_names)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	assert_written(&scene, "exec run w2");
	assert_written(&scene, "exec run\nexec run\nexec run mine");
	assert_text(&scene, "exec run w2 # idle hits=0\nexec run w1 # idle hits=0\n"
			    "exec run w3 # idle hits=0\nexec run mine # idle hits=0\n");
	assert_refused(&scene, "exec run mine", VMIFS_ERROR_EXISTS, "called mine already");
	assert_refused(&scene, "-yours", VMIFS_ERROR_NOT_FOUND, "no line called yours");
	assert_written(&scene, "-w1\n-w2\n-w3\nexec run");
	assert_text(&scene, "exec run mine # idle hits=0\nexec run w4 # idle hits=0\n");
	ck_assert(vmifs_guest_watch_clear(scene.guest, NULL, NULL));
	assert_text(&scene, "");
	assert_written(&scene, "exec run");
	assert_text(&scene, "exec run w1 # idle hits=0\n");
}
END_TEST

START_TEST(what_is_not_understood_does_nothing)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	assert_refused(&scene, "exec run\nexec\n", VMIFS_ERROR_INVALID, "'exec'");
	assert_text(&scene, "");
	assert_written(&scene, "# nothing\n\n");
}
END_TEST

START_TEST(there_is_room_for_so_many_lines)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	for (guint i = 0; i < 64; i++)
		assert_written(&scene, "exec run");
	assert_refused(&scene, "exec run", VMIFS_ERROR_NO_SPACE, "64 lines");
}
END_TEST

START_TEST(lines_of_one_point_share_it)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	assert_written(&scene, "exec run a\nexec run if rdi==4 b\nmem x 0xffff800000006400 c");
	ck_assert_uint_eq(live_n_armed(scene.live), 1);
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs), 1);
	ck_assert_uint_eq(count_lines(&scene, "exec"), 1);
	assert_written(&scene, "-a");
	ck_assert_uint_eq(live_n_armed(scene.live), 1);
	ck_assert_uint_eq(scene.live->n_armed, 1);
	assert_written(&scene, "-b\n-c");
	ck_assert_uint_eq(live_n_armed(scene.live), 0);
}
END_TEST

/* ---- refusals ---- */

static const struct {
	const char *line, *why;
} refused[] = {
	{ "mem r tasks", "reads are not told apart" },
	{ "mem w tasks/16", "at most 8 bytes" },
	{ "mem w tasks/3", "1, 2, 4, 8" },
	{ "mem w tasks+0x4/8", "1, 2, 4, 8" },
	{ "mem w 0xffffffffffffffff/2", "past the last address" },
	{ "mem w tasks+0xffffffffffffffff", "past the last one" },
	{ "mem w 99:0x1000", "process 99: there is none" },
	{ "exec nowhere", "no symbol nowhere" },
	{ "exec twin", "2 of the name twin" },
	{ "step vcpu0", "cannot be stepped" },
};

START_TEST(what_does_not_fit_is_refused_with_the_reason)
{
	g_auto(Scene) scene = scene_new(&narrow_caps, NULL);
	g_autoptr(GString) log = g_string_new(NULL);

	assert_refused(&scene, refused[_i].line, VMIFS_ERROR_UNSUPPORTED, refused[_i].why);
	ck_assert(has_text(&scene, "# refused: "));
	ck_assert(has_text(&scene, refused[_i].why));
	vmifs_guest_watch_settle(scene.guest, NULL, NULL);
	vmifs_guest_log_text(scene.guest, log);
	ck_assert_ptr_null(strstr(log->str, refused[_i].why));
	assert_written(&scene, "-w1");
	assert_text(&scene, "");
}
END_TEST

/* By its error a write tells of the first alone. */
START_TEST(what_its_writer_was_not_told_readers_are)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);
	g_autoptr(GString) log = g_string_new(NULL);

	scene_read(&scene);
	assert_refused(&scene, "exec nowhere\nexec run\nexec twin", VMIFS_ERROR_UNSUPPORTED,
		       "watch w1: refused: the kernel has no symbol nowhere");
	await_line(&scene, "watch", "\"watch\":\"w3\",\"state\":\"refused\"");
	vmifs_guest_log_text(scene.guest, log);
	assert_has(log->str, "watch w3: refused: ");
	ck_assert_ptr_null(strstr(log->str, "w1"));
	/* What has another reason later, nobody awaits. */
	live_unarm(scene.live, "another debugger came");
	await_line(&scene, "watch", "\"watch\":\"w2\",\"state\":\"refused\"");
	ck_assert(has_text(&scene, "exec nowhere w1 # refused: "));
}
END_TEST

START_TEST(a_guest_that_cannot_stop_says_so)
{
	VmifsStopCaps none = { .why_not = "it has a debugger" };
	g_auto(Scene) scene = scene_new(&none, NULL);

	assert_refused(&scene, "exec run", VMIFS_ERROR_UNSUPPORTED, "it has a debugger");
}
END_TEST

START_TEST(without_hardware_only_patch_sees_execution)
{
	VmifsStopCaps caps = { .patch = TRUE };
	VmifsOptions options = { .size = sizeof options, .guest_rw = TRUE };
	g_auto(Scene) scene = scene_new(&caps, &options);

	assert_refused(&scene, "exec run", VMIFS_ERROR_UNSUPPORTED, "with `patch`");
	assert_refused(&scene, "mem w tasks", VMIFS_ERROR_UNSUPPORTED, "cannot be seen");
	assert_written(&scene, "exec run mine keep patch");
	ck_assert_uint_eq(live_n_armed(scene.live), 1);
}
END_TEST

START_TEST(places_are_given_out_in_order)
{
	g_auto(Scene) scene = scene_new(&narrow_caps, NULL);

	assert_written(&scene, "exec run\nmem w tasks\nmem w tasks+8\nmem rw tasks+0x10");
	assert_refused(&scene, "exec tasks", VMIFS_ERROR_UNSUPPORTED,
		       "needs 1 of the 4 places there are, and 4 are taken");
	assert_written(&scene, "exec run again");
	scene_read(&scene);
	ck_assert_uint_eq(live_n_armed(scene.live), 4);
	assert_written(&scene, "-w2");
	ck_assert(has_text(&scene, "exec tasks w5 # armed"));
	ck_assert_uint_eq(live_n_armed(scene.live), 4);
}
END_TEST

/* Whether somebody reads or not: the write says it. */
START_TEST(lines_that_are_not_alike_share_no_byte)
{
	VmifsStopCaps caps = all_caps;
	caps.apart = TRUE;
	g_auto(Scene) scene = scene_new(&caps, NULL);

	assert_written(&scene, "mem w tasks+8/8 a\nmem w tasks+8/8 b\nmem w tasks+0x10/8");
	assert_refused(&scene, "mem r tasks+8/8", VMIFS_ERROR_UNSUPPORTED,
		       "line a has some of these bytes");
	assert_refused(&scene, "mem w tasks+0xf/1", VMIFS_ERROR_UNSUPPORTED, "line a has");
	assert_refused(&scene, "mem w tasks+0x4/8", VMIFS_ERROR_UNSUPPORTED, "line a has");
	assert_refused(&scene, "mem rw tasks+0x0/64", VMIFS_ERROR_UNSUPPORTED, "line a has");
	assert_written(&scene, "mem w tasks+0x0/8\nmem w tasks+0x18/8\nmem x tasks+8");
	scene_read(&scene);
	ck_assert_uint_eq(live_n_armed(scene.live), 5);
	assert_written(&scene, "-a");
	ck_assert(has_text(&scene, "refused: line b has"));
}
END_TEST

START_TEST(without_such_a_limit_lines_share_bytes)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	assert_written(&scene, "mem w tasks+8/8\nmem rw tasks+0xc/2");
	ck_assert_uint_eq(live_n_armed(scene.live), 2);
}
END_TEST

START_TEST(what_may_not_be_changed_is_denied)
{
	VmifsOptions options = { .size = sizeof options, .passive = TRUE };
	g_auto(Scene) scene = scene_new(&all_caps, &options);

	assert_refused(&scene, "exec run", VMIFS_ERROR_DENIED, "passive");
	assert_text(&scene, "");
}
END_TEST

START_TEST(patch_needs_guest_rw)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	assert_refused(&scene, "exec run patch", VMIFS_ERROR_DENIED, "guest_rw");
	assert_text(&scene, "");
}
END_TEST

START_TEST(what_the_source_refuses_is_tried_again)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	assert_written(&scene, "exec run");
	scene.live->fault = "no more room";
	scene_read(&scene);
	assert_text(&scene, "exec run w1 # refused: no more room\n");
	await_line(&scene, "watch", "\"why\":\"no more room\"");
	scene_leave(&scene);
	scene.live->fault = NULL;
	scene_read(&scene);
	assert_text(&scene, "exec run w1 # armed hits=0\n");
}
END_TEST

/* Each attempt takes as long as it may. */
START_TEST(a_source_that_does_not_answer_is_not_asked_for_each_line)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	assert_written(&scene, "exec run\nexec tasks\nexec 0x1000\nexec 0x2000\nmem w tasks");
	scene.live->fault = "it hangs";
	scene.live->is_late = TRUE;
	scene_read(&scene);
	ck_assert(has_text(&scene, "exec run w1 # refused: it hangs"));
	ck_assert(has_text(&scene, "mem w tasks w5 # refused: it hangs"));
	/* On a slow machine that may have been tried again. */
	ck_assert_uint_le(scene.live->n_orders, 3);
	scene_leave(&scene);
	scene.live->fault = NULL;
	scene_read(&scene);
	ck_assert_uint_eq(live_n_armed(scene.live), 5);
}
END_TEST

START_TEST(what_was_refused_while_it_hung_is_armed_when_it_answers_again)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	g_usleep(200000); /* that it runs was seen */
	g_atomic_int_set(&scene.live->state, VMIFS_STATE_UNRESPONSIVE);
	scene.live->fault = "it hangs";
	await_line(&scene, "state", "unresponsive");
	assert_refused(&scene, "exec run", VMIFS_ERROR_UNSUPPORTED, "it hangs");
	scene.live->fault = NULL;
	g_atomic_int_set(&scene.live->state, VMIFS_STATE_RUNNING);
	await(has_text(&scene, "w1 # armed"));
}
END_TEST

START_TEST(what_was_not_there_is_looked_for_again)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	assert_refused(&scene, "mem w 9:0x1000", VMIFS_ERROR_UNSUPPORTED,
		       "process 9: there is none");
	live_put(scene.live, TASKS_AT, 9);
	scene_read(&scene);
	assert_text(&scene, "mem w 9:0x1000 w1 # armed hits=0\n");
}
END_TEST

static void
arm_slowly(gpointer user)
{
	gint *step = user;

	g_atomic_int_set(step, 1);
	while (g_atomic_int_get(step) == 1)
		g_usleep(1000);
}

/* While somebody reads; the rest is made up for. */
START_TEST(clearing_ends_when_its_time_is_over)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);
	g_autoptr(GError) error = NULL;
	VmifsCall call = { 0 };
	gint step = 0;

	assert_written(&scene, "exec run\nexec tasks");
	scene.live->arming_user = &step;
	scene.live->arming = arm_slowly;
	scene.reader = vmifs_guest_read_events(scene.guest, NULL, NULL);
	await(g_atomic_int_get(&step) == 1);
	call.deadline = g_get_monotonic_time() + 50000;
	ck_assert(!vmifs_guest_watch_clear(scene.guest, &call, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_TIMEOUT);
	assert_text(&scene, "");
	g_atomic_int_set(&step, 2);
	ck_assert(vmifs_guest_watch_clear(scene.guest, NULL, NULL));
	ck_assert_uint_eq(live_n_armed(scene.live), 0);
}
END_TEST

START_TEST(another_debugger_takes_the_points_away)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	assert_written(&scene, "exec run");
	live_unarm(scene.live, "another debugger came");
	await(has_text(&scene, "w1 # refused: another debugger came"));
	await_line(&scene, "watch", "another debugger came");
	assert_written(&scene, "exec tasks");
	await(has_text(&scene, "w1 # armed"));
	ck_assert_uint_eq(live_n_armed(scene.live), 2);
}
END_TEST

START_TEST(all_that_is_wanted_is_armed_in_one_go)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	assert_written(&scene, "exec run\nexec tasks\nexec 0x1000\nexec 0x2000\nmem w tasks");
	ck_assert_uint_eq(scene.live->n_orders, 0);
	scene_read(&scene);
	ck_assert_uint_eq(live_n_armed(scene.live), 5);
	ck_assert_uint_eq(scene.live->n_orders, 1);
	scene_leave(&scene);
	ck_assert_uint_eq(live_n_armed(scene.live), 0);
	ck_assert_uint_eq(scene.live->n_orders, 2);
	/* Who cannot have his point does not keep others from theirs. */
	scene.live->fault = "no more room";
	scene.live->fault_at = 0x1000;
	scene_read(&scene);
	ck_assert_uint_eq(live_n_armed(scene.live), 4);
	ck_assert(has_text(&scene, "exec 0x1000 w3 # refused: no more room"));
	/* On a slow machine that line may have been tried again. */
	ck_assert_uint_ge(scene.live->n_orders, 4);
	ck_assert_uint_le(scene.live->n_orders, 6);
}
END_TEST

/* ---- all at once ---- */

typedef struct {
	Scene *scene;
	gint ends; /* atomic */
	gint told; /* atomic */
} Stopper;

static gpointer
stop_on(gpointer data)
{
	Stopper *stopper = data;
	while (!g_atomic_int_get(&stopper->ends))
		g_atomic_int_add(&stopper->told,
				 (gint) live_stop(stopper->scene->live, VMIFS_STOP_EXEC, RUN, 0,
						  stopper->scene->regs));
	return NULL;
}

START_TEST(lines_come_and_go_while_the_guest_stops)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);
	Stopper stopper = { .scene = &scene };
	GThread *thread = g_thread_new("stops", stop_on, &stopper);
	gint64 end = g_get_monotonic_time() + G_USEC_PER_SEC / 2;

	/* On a slow machine it may stop rarely. */
	for (guint i = 0; g_get_monotonic_time() < end || i < 5 || !g_atomic_int_get(&stopper.told);
	     i++) {
		assert_written(&scene, "exec run a\nexec run if rdi==4 b");
		scene_read(&scene);
		assert_written(&scene, "-a");
		scene_leave(&scene);
		ck_assert_uint_eq(live_n_armed(scene.live), 0);
		ck_assert(vmifs_guest_watch_clear(scene.guest, NULL, NULL));
	}
	g_atomic_int_set(&stopper.ends, 1);
	g_thread_join(thread);
}
END_TEST

START_TEST(the_end_of_a_mount_disarms)
{
	LiveGuest *live;
	{
		g_auto(Scene) scene = scene_new(&all_caps, NULL);
		live = scene.live;
		assert_written(&scene, "exec run keep\nmem w tasks keep");
		ck_assert_uint_eq(live_n_armed(live), 2);
	}
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("watch");
	TCase *t = tcase_create("watch");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_line_is_armed_while_events_are_read);
	tcase_add_test(t, a_line_with_keep_is_armed_always);
	tcase_add_test(t, lines_have_names);
	tcase_add_test(t, what_is_not_understood_does_nothing);
	tcase_add_test(t, there_is_room_for_so_many_lines);
	tcase_add_test(t, lines_of_one_point_share_it);
	tcase_add_loop_test(t, what_does_not_fit_is_refused_with_the_reason, 0,
			    G_N_ELEMENTS(refused));
	tcase_add_test(t, what_its_writer_was_not_told_readers_are);
	tcase_add_test(t, a_guest_that_cannot_stop_says_so);
	tcase_add_test(t, without_hardware_only_patch_sees_execution);
	tcase_add_test(t, places_are_given_out_in_order);
	tcase_add_test(t, lines_that_are_not_alike_share_no_byte);
	tcase_add_test(t, without_such_a_limit_lines_share_bytes);
	tcase_add_test(t, what_may_not_be_changed_is_denied);
	tcase_add_test(t, patch_needs_guest_rw);
	tcase_add_test(t, what_the_source_refuses_is_tried_again);
	tcase_add_test(t, a_source_that_does_not_answer_is_not_asked_for_each_line);
	tcase_add_test(t, what_was_refused_while_it_hung_is_armed_when_it_answers_again);
	tcase_add_test(t, what_was_not_there_is_looked_for_again);
	tcase_add_test(t, clearing_ends_when_its_time_is_over);
	tcase_add_test(t, another_debugger_takes_the_points_away);
	tcase_add_test(t, all_that_is_wanted_is_armed_in_one_go);
	tcase_add_test(t, lines_come_and_go_while_the_guest_stops);
	tcase_add_test(t, the_end_of_a_mount_disarms);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
