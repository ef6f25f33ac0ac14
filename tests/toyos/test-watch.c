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

/* KVM: four slots of 1, 2, 4 or 8 aligned bytes. */
static const VmifsStopCaps narrow_caps = {
	.exec = TRUE, .data = TRUE, .slots = 4, .max_len = 8, .aligned = TRUE
};

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
	assert_has(log->str, refused[_i].why);
	assert_written(&scene, "-w1");
	assert_text(&scene, "");
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

/* ---- boots ---- */

START_TEST(another_boot_has_its_symbols_elsewhere)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene_read(&scene);
	assert_written(&scene, "exec run");
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs), 1);
	halt(scene.live);
	live_changed(scene.live, VMIFS_CHANGE_CONTENT);
	await(has_text(&scene, "w1 # waiting: no kernel"));
	await(live_n_armed(scene.live) == 0);
	boot(scene.live, 0x7000, 8);
	await(has_text(&scene, "w1 # armed hits=1"));
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs), 0);
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, RUN + 0x1000, 0, scene.regs), 1);
	assert_text(&scene, "exec run w1 # armed hits=2\n");
}
END_TEST

/* _i: nobody reads meanwhile, and so nobody tells of it; symbols that somebody has asked for before
 * are not too old for others. */
START_TEST(what_a_module_brings_is_followed)
{
	const guint64 old = TASKS + TASKS_AT + 0xa00, new = TASKS + TASKS_AT + 0xb00;
	VmifsOptions options = { .size = sizeof options, .cache_ms = _i ? 3600 * 1000 : 0 };
	g_auto(Scene) scene = scene_new(&all_caps, &options);

	assert_refused(&scene, "exec plugged", VMIFS_ERROR_UNSUPPORTED, "no symbol plugged");
	live_put(scene.live, TASKS_AT + 0xff8, old);
	scene_read(&scene);
	await(has_text(&scene, "exec plugged w1 # armed"));
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, old, 0, scene.regs), 1);
	if (_i)
		scene_leave(&scene);
	vmifs_symbols_unref(vmifs_guest_symbols(scene.guest, NULL, NULL));
	live_put(scene.live, TASKS_AT + 0xff8, 0);
	if (!_i) {
		await(has_text(&scene, "w1 # waiting: the kernel has no symbol plugged"));
		ck_assert_uint_eq(live_n_armed(scene.live), 0);
	}
	live_put(scene.live, TASKS_AT + 0xff8, new);
	if (_i)
		scene_read(&scene);
	await(has_text(&scene, "w1 # armed hits=1"));
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, old, 0, scene.regs), 0);
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, new, 0, scene.regs), 1);
	ck_assert(has_text(&scene, "w1 # armed hits=2"));
}
END_TEST

/* Before anybody whom a reader sets to look at modules has looked at them once. */
START_TEST(what_a_module_takes_away_at_once_is_followed)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	live_put(scene.live, TASKS_AT + 0xff8, TASKS + TASKS_AT + 0xa00);
	assert_written(&scene, "exec plugged");
	scene_read(&scene);
	live_put(scene.live, TASKS_AT + 0xff8, 0);
	await(has_text(&scene, "w1 # waiting: the kernel has no symbol plugged"));
}
END_TEST

static void
make_busy(Scene *scene, gboolean is)
{
	live_put(scene->live, 0x5020, is);
}

/* The same, but the first look is in vain: processes cannot be listed then. */
START_TEST(modules_that_were_not_seen_at_once_are_looked_at_later)
{
	const gsize entry = 0x4000 + 8 * (TASKS_AT / 0x1000);
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	live_put(scene.live, TASKS_AT + 0xff8, TASKS + TASKS_AT + 0xa00);
	assert_written(&scene, "exec plugged");
	make_busy(&scene, TRUE); /* this look takes 50 ms */
	scene_read(&scene);
	live_put(scene.live, entry, 0);
	g_usleep(200000);
	live_put(scene.live, TASKS_AT + 0xff8, 0);
	live_put(scene.live, entry, TASKS_AT | 3);
	make_busy(&scene, FALSE);
	await(has_text(&scene, "w1 # waiting: the kernel has no symbol plugged"));
}
END_TEST

START_TEST(a_look_at_modules_does_not_try_refused_lines_again)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene.live->fault = "no more room";
	assert_written(&scene, "exec run");
	make_busy(&scene, TRUE); /* this look takes 50 ms */
	scene_read(&scene);
	guint n_orders = scene.live->n_orders;
	g_usleep(200000);
	ck_assert_uint_eq(scene.live->n_orders, n_orders);
}
END_TEST

static char *
caps_of(Scene *scene)
{
	g_autoptr(GString) text = g_string_new(NULL);

	ck_assert(vmifs_guest_watch_caps(scene->guest, text, NULL, NULL));
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* Of a kernel that says where its tasks begin, and nothing of modules; and of none. */
START_TEST(what_can_be_had_depends_on_the_kernel)
{
	g_auto(Scene) scene = scene_new(&narrow_caps, NULL);

	g_autofree char *known = caps_of(&scene);
	assert_has(known, "\ntask: exact, at most 4");
	assert_has(known, "\nmodule: no: it loads nothing\n");
	halt(scene.live);
	live_changed(scene.live, VMIFS_CHANGE_CONTENT);
	assert_written(&scene, "exec run");
	await(has_text(&scene, "waiting: no kernel"));
	g_autofree char *unknown = caps_of(&scene);
	assert_has(unknown, "\ntask: no: no kernel is known in this guest yet\n");
	assert_has(unknown, "\nmodule: no: no kernel is known in this guest yet\n");
}
END_TEST

static void
take_long(gpointer user)
{
	g_usleep(300000);
}

static void
lose_kernel(gpointer user)
{
	Scene *scene = user;
	VmifsAspace *kernel;

	halt(scene->live);
	live_changed(scene->live, VMIFS_CHANGE_CONTENT);
	while ((kernel = vmifs_guest_kernel_aspace(scene->guest, NULL, NULL))) {
		vmifs_aspace_unref(kernel);
		g_usleep(1000);
	}
	/* The next look, which sees that. */
	scene->live->asking = take_long;
}

/* After the look at the line has begun, and before it comes to symbols. */
START_TEST(a_kernel_that_goes_meanwhile_is_waited_for)
{
	g_auto(Scene) scene = scene_new(&all_caps, NULL);

	scene.live->asking_user = &scene;
	scene.live->asking = lose_kernel;
	assert_written(&scene, "exec run");
	await(has_text(&scene, "w1 # waiting: no kernel"));
}
END_TEST

START_TEST(before_a_kernel_is_known_symbols_wait)
{
	g_auto(Scene) scene = { 0 };
	LiveGuest *live = live_guest_new("early", 1);
	live->caps = all_caps;
	live_start(live);
	VmifsHost *host = make_host(NULL);
	await(is_listed(host, "early"));
	scene = (Scene){ .live = live,
			 .host = host,
			 .guest = vmifs_host_find(host, "early"),
			 .regs = vmifs_regs_new(),
			 .lines = g_string_new(NULL) };
	await(vmifs_guest_is_discovered(scene.guest));
	scene_read(&scene);
	assert_written(&scene, "exec run\nexec 0x1000");
	ck_assert(has_text(&scene, "exec run w1 # waiting: no kernel is known"));
	ck_assert(has_text(&scene, "exec 0x1000 w2 # armed hits=0"));
	boot(live, TASKS_AT, 7);
	await(has_text(&scene, "exec run w1 # armed hits=0"));
	ck_assert_uint_eq(live_n_armed(live), 2);
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
	tcase_add_test(t, a_guest_that_cannot_stop_says_so);
	tcase_add_test(t, without_hardware_only_patch_sees_execution);
	tcase_add_test(t, places_are_given_out_in_order);
	tcase_add_test(t, lines_that_are_not_alike_share_no_byte);
	tcase_add_test(t, without_such_a_limit_lines_share_bytes);
	tcase_add_test(t, what_may_not_be_changed_is_denied);
	tcase_add_test(t, patch_needs_guest_rw);
	tcase_add_test(t, what_the_source_refuses_is_tried_again);
	tcase_add_test(t, what_was_not_there_is_looked_for_again);
	tcase_add_test(t, another_debugger_takes_the_points_away);
	tcase_add_test(t, all_that_is_wanted_is_armed_in_one_go);
	tcase_add_test(t, another_boot_has_its_symbols_elsewhere);
	tcase_add_loop_test(t, what_a_module_brings_is_followed, 0, 2);
	tcase_add_test(t, what_a_module_takes_away_at_once_is_followed);
	tcase_add_test(t, modules_that_were_not_seen_at_once_are_looked_at_later);
	tcase_add_test(t, a_look_at_modules_does_not_try_refused_lines_again);
	tcase_add_test(t, what_can_be_had_depends_on_the_kernel);
	tcase_add_test(t, a_kernel_that_goes_meanwhile_is_waited_for);
	tcase_add_test(t, before_a_kernel_is_known_symbols_wait);
	tcase_add_test(t, lines_come_and_go_while_the_guest_stops);
	tcase_add_test(t, the_end_of_a_mount_disarms);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
