/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch: lines follow their kernel, as it boots anew, loads modules, or is not known yet.
 */
#include "watch-scene.h"

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

static Suite *
make_suite(void)
{
	Suite *s = suite_create("watch-boots");
	TCase *t = tcase_create("watch-boots");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, another_boot_has_its_symbols_elsewhere);
	tcase_add_loop_test(t, what_a_module_brings_is_followed, 0, 2);
	tcase_add_test(t, what_a_module_takes_away_at_once_is_followed);
	tcase_add_test(t, modules_that_were_not_seen_at_once_are_looked_at_later);
	tcase_add_test(t, a_look_at_modules_does_not_try_refused_lines_again);
	tcase_add_test(t, what_can_be_had_depends_on_the_kernel);
	tcase_add_test(t, a_kernel_that_goes_meanwhile_is_waited_for);
	tcase_add_test(t, before_a_kernel_is_known_symbols_wait);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
