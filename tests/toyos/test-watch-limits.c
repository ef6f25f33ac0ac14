/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watch-limits: of a guest that stops too often nothing is armed for the rest of that second. */
#include "watch-scene.h"

static Scene
scene_with_most(guint max_stops)
{
	VmifsOptions options = { .size = sizeof options,
				 .has_max_stops = TRUE,
				 .max_stops = max_stops };

	return scene_new(&all_caps, &options);
}

/* Unless, on a slow machine, the second ended meanwhile. */
static void
assert_three_told(Scene *scene, gint64 start)
{
	if (g_get_monotonic_time() - start < G_USEC_PER_SEC / 2)
		ck_assert_uint_eq(count_lines(scene, "exec"), 3);
}

START_TEST(too_many_stops_in_a_second_pause)
{
	g_auto(Scene) scene = scene_with_most(5);
	guint n = 0;

	scene_read(&scene);
	assert_written(&scene, "exec run");
	for (guint i = 0; i < 100; i++)
		n += live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs);
	/* One was to arm it, and one may be to get past the last. On a slow machine the second may
	 * end meanwhile. */
	ck_assert_uint_ge(n, 3);
	ck_assert_uint_lt(n, 100);
	const char *lines = read_lines(&scene, NULL);
	assert_has(lines, "\"type\":\"lost\",\"watch\":\"w1\",\"why\":\"max_stops\"");
	await(live_n_armed(scene.live) == 1);
	await(has_text(&scene, "w1 # armed"));
	ck_assert_uint_eq(live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs), 1);
}
END_TEST

/* Each point would stop once more before it is taken away. */
START_TEST(of_several_lines_there_are_no_more_stops)
{
	g_auto(Scene) scene = scene_with_most(5);
	gint64 start = g_get_monotonic_time();

	scene_read(&scene);
	assert_written(&scene, "exec run\nexec tasks\nexec 0x1000\nexec 0x2000");
	for (guint i = 0; i < 10; i++) {
		live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs);
		live_stop(scene.live, VMIFS_STOP_EXEC, TASKS + TASKS_AT, 0, scene.regs);
		live_stop(scene.live, VMIFS_STOP_EXEC, 0x1000, 0, scene.regs);
		live_stop(scene.live, VMIFS_STOP_EXEC, 0x2000, 0, scene.regs);
	}
	assert_three_told(&scene, start);
}
END_TEST

/* What it takes beside: to get past the instruction, and to arm. */
START_TEST(stops_that_nothing_is_told_of_count_as_well)
{
	g_auto(Scene) scene = scene_with_most(8);
	gint64 start = g_get_monotonic_time();

	scene_read(&scene);
	assert_written(&scene, "exec run\nexec tasks");
	scene.live->n_stops = 2;
	for (guint i = 0; i < 10; i++)
		live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs);
	assert_three_told(&scene, start);
}
END_TEST

START_TEST(a_pause_leaves_nothing_armed_and_each_line_says_so)
{
	g_auto(Scene) scene = scene_with_most(5);

	scene_read(&scene);
	assert_written(&scene, "exec run\nexec tasks");
	/* The pause begins before this returns. */
	while (live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs))
		;
	const char *lines = read_lines(&scene, "lost");
	assert_has(lines, "\"watch\":\"w1\",\"why\":\"max_stops\"");
	assert_has(lines, "\"watch\":\"w2\",\"why\":\"max_stops\"");
	await(live_n_armed(scene.live) == 2);
}
END_TEST

static void
stop_too_often(gpointer user)
{
	Scene *scene = user;

	while (live_n_armed(scene->live))
		live_stop(scene->live, VMIFS_STOP_EXEC, RUN, 0, scene->regs);
}

START_TEST(what_is_armed_as_a_pause_begins_is_not_left_there)
{
	g_auto(Scene) scene = scene_with_most(20);

	scene_read(&scene);
	assert_written(&scene, "exec run");
	gint64 start = g_get_monotonic_time();
	scene.live->arming_user = &scene;
	scene.live->arming = stop_too_often;
	assert_written(&scene, "exec 0x2000");
	/* On a slow machine the pause may end meanwhile. */
	if (g_get_monotonic_time() - start < G_USEC_PER_SEC / 2)
		ck_assert_uint_eq(live_n_armed(scene.live), 0);
	await(live_n_armed(scene.live) == 2);
}
END_TEST

START_TEST(the_source_says_how_many_stops_are_too_many)
{
	VmifsStopCaps caps = all_caps;
	caps.max_rate = 3;
	g_auto(Scene) scene = scene_new(&caps, NULL);
	guint n = 0;

	scene_read(&scene);
	assert_written(&scene, "exec run");
	for (guint i = 0; i < 100; i++)
		n += live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs);
	ck_assert_uint_lt(n, 100);
}
END_TEST

START_TEST(without_a_limit_every_stop_is_told)
{
	VmifsStopCaps caps = all_caps;
	VmifsOptions options = { .size = sizeof options, .has_max_stops = TRUE };
	caps.max_rate = 3;
	g_auto(Scene) scene = scene_new(&caps, &options);

	scene_read(&scene);
	assert_written(&scene, "exec run");
	for (guint i = 0; i < 100; i++)
		live_stop(scene.live, VMIFS_STOP_EXEC, RUN, 0, scene.regs);
	ck_assert_uint_eq(count_lines(&scene, "exec"), 100);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("watch-limits");
	TCase *t = tcase_create("watch-limits");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, too_many_stops_in_a_second_pause);
	tcase_add_test(t, of_several_lines_there_are_no_more_stops);
	tcase_add_test(t, stops_that_nothing_is_told_of_count_as_well);
	tcase_add_test(t, a_pause_leaves_nothing_armed_and_each_line_says_so);
	tcase_add_test(t, what_is_armed_as_a_pause_begins_is_not_left_there);
	tcase_add_test(t, the_source_says_how_many_stops_are_too_many);
	tcase_add_test(t, without_a_limit_every_stop_is_told);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
