/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* compare: what two lists tell of what has happened between them. */
#include <unit.h>

#include <compare.h>
#include <string.h>

#define OFFSET 0x1000

typedef struct {
	VmifsEvents *events;
	VmifsCompare *compare;
	VmifsEventReader *reader;
} Fixture;

static void
fixture_init(Fixture *f)
{
	f->events = vmifs_events_new();
	f->compare = vmifs_compare_new(f->events);
	f->reader = vmifs_events_read(f->events, NULL, NULL);
}

static void
fixture_clear(Fixture *f)
{
	vmifs_event_reader_free(f->reader);
	vmifs_compare_free(f->compare);
	vmifs_events_unref(f->events);
}

/* Words of what was told since the last call: "start 7, exec 7". (full) */
static char *
told(Fixture *f)
{
	char text[65536];
	gsize n = vmifs_event_reader_read(f->reader, text, sizeof text - 1);
	GString *words = g_string_new(NULL);
	text[n] = '\0';
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i] && *lines[i]; i++) {
		const char *what = strstr(lines[i], "\"what\":\"") + strlen("\"what\":\"");
		const char *pid = strstr(lines[i], "\"pid\":");
		const char *name = strstr(lines[i], "\"name\":\"");
		g_string_append_printf(words, "%s%.*s ", i ? ", " : "", (int) strcspn(what, "\""),
				       what);
		if (pid)
			g_string_append_len(words, pid + 6, (gssize) strcspn(pid + 6, ","));
		if (name)
			g_string_append_len(words, name + 8, (gssize) strcspn(name + 8, "\""));
	}
	return g_string_free(words, FALSE);
}

static gboolean
compare_tasks(Fixture *f, guint generation, const VmifsTask *tasks, guint n, gboolean complete)
{
	GArray *array = g_array_new(FALSE, TRUE, sizeof(VmifsTask));
	g_array_append_vals(array, tasks, n);
	g_autoptr(VmifsTaskList) list = vmifs_task_list_new(array, complete);
	return vmifs_compare_tasks(f->compare, list, generation);
}

#define assert_told(f, words)                                                                      \
	do {                                                                                       \
		g_autofree char *told_ = told(f);                                                  \
		ck_assert_str_eq(told_, words);                                                    \
	} while (0)

/* The next list is these; then that was told. */
#define assert_tells(f, words, ...)                                                                \
	do {                                                                                       \
		const VmifsTask tasks_[] = { __VA_ARGS__ };                                        \
		gboolean changed_ = compare_tasks(f, 1, tasks_, G_N_ELEMENTS(tasks_), TRUE);       \
		ck_assert_int_eq(changed_, *(words) != '\0');                                      \
		assert_told(f, words);                                                             \
	} while (0)

#define TASK(pid_, start_, mm_, ...)                                                               \
	{                                                                                          \
		.pid = (pid_), .tgid = (pid_), .start_time = (start_), .mm = (mm_), __VA_ARGS__    \
	}
#define THREAD(pid_, tgid_, mm_)                                                                   \
	{                                                                                          \
		.pid = (pid_), .tgid = (tgid_), .mm = (mm_)                                        \
	}
#define INIT TASK(1, 1, OFFSET)

START_TEST(the_first_list_tells_nothing)
{
	Fixture f;
	fixture_init(&f);
	assert_tells(&f, "", INIT, TASK(7, 2, 7));
	assert_tells(&f, "", INIT, TASK(7, 2, 7));
	fixture_clear(&f);
}
END_TEST

START_TEST(processes_start_call_exec_and_end)
{
	Fixture f;
	fixture_init(&f);
	assert_tells(&f, "", INIT);
	assert_tells(&f, "start 7", INIT, TASK(7, 2, 7));
	assert_tells(&f, "exec 7", INIT, TASK(7, 2, 8));
	assert_tells(&f, "exit 7", INIT);
	fixture_clear(&f);
}
END_TEST

START_TEST(an_exec_before_the_first_look_is_told)
{
	Fixture f;
	fixture_init(&f);
	assert_tells(&f, "", INIT);
	assert_tells(&f, "start 7, exec 7", INIT, TASK(7, 2, 7, .execed = TRUE));
	assert_tells(&f, "exec 7", INIT, TASK(7, 2, 8, .execed = TRUE));
	fixture_clear(&f);
}
END_TEST

START_TEST(an_exec_that_got_the_same_memory_is_told)
{
	Fixture f;
	fixture_init(&f);
	assert_tells(&f, "", INIT, TASK(7, 2, 7));
	assert_tells(&f, "exec 7", INIT, TASK(7, 2, 7, .execed = TRUE));
	fixture_clear(&f);
}
END_TEST

START_TEST(another_one_of_that_number_is_another)
{
	Fixture f;
	fixture_init(&f);
	assert_tells(&f, "", INIT, TASK(7, 2, 7));
	assert_tells(&f, "exit 7, start 7", INIT, TASK(7, 3, 7));
	fixture_clear(&f);
}
END_TEST

START_TEST(who_waits_to_be_reaped_has_ended)
{
	Fixture f;
	fixture_init(&f);
	assert_tells(&f, "", INIT, TASK(7, 2, 7));
	assert_tells(&f, "exit 7", INIT, TASK(7, 2, 0));
	assert_tells(&f, "", INIT, TASK(7, 2, 0));
	assert_tells(&f, "", INIT);
	fixture_clear(&f);
}
END_TEST

START_TEST(a_process_lives_as_long_as_one_of_its_threads)
{
	Fixture f;
	fixture_init(&f);
	assert_tells(&f, "", INIT, TASK(7, 2, 7), THREAD(8, 7, 7));
	assert_tells(&f, "", INIT, TASK(7, 2, 0), THREAD(8, 7, 7));
	assert_tells(&f, "", INIT, TASK(7, 2, 0), THREAD(9, 7, 7));
	assert_tells(&f, "exit 7", INIT, TASK(7, 2, 0));
	fixture_clear(&f);
}
END_TEST

START_TEST(kernel_threads_start_and_end)
{
	Fixture f;
	fixture_init(&f);
	assert_tells(&f, "", INIT);
	assert_tells(&f, "start 7", INIT, TASK(7, 2, 0));
	assert_tells(&f, "exit 7", INIT);
	assert_tells(&f, "start 8", INIT, TASK(8, 2, 0));
	assert_tells(&f, "exec 8", INIT, TASK(8, 2, 8, .execed = TRUE));
	fixture_clear(&f);
}
END_TEST

START_TEST(many_change_at_once)
{
	Fixture f;
	fixture_init(&f);
	assert_tells(&f, "", INIT, TASK(5, 2, 5), TASK(6, 2, 6), TASK(9, 2, 9));
	assert_tells(&f, "start 2, exit 5, exec 6, start 8, exit 9, start 10", INIT, TASK(2, 9, 2),
		     TASK(6, 2, 60), TASK(8, 3, 8), TASK(10, 3, 10));
	fixture_clear(&f);
}
END_TEST

START_TEST(half_a_list_tells_nothing)
{
	const VmifsTask half[] = { INIT };
	Fixture f;
	fixture_init(&f);
	assert_tells(&f, "", INIT, TASK(7, 2, 7));
	ck_assert(!compare_tasks(&f, 1, half, G_N_ELEMENTS(half), FALSE));
	assert_told(&f, "");
	assert_tells(&f, "", INIT, TASK(7, 2, 7));
	fixture_clear(&f);
}
END_TEST

START_TEST(another_boot_begins_anew)
{
	const VmifsTask other[] = { INIT, TASK(9, 2, 9) };
	Fixture f;
	fixture_init(&f);
	assert_tells(&f, "", INIT, TASK(7, 2, 7));
	ck_assert(!compare_tasks(&f, 2, other, G_N_ELEMENTS(other), TRUE));
	vmifs_compare_reset(f.compare);
	assert_tells(&f, "", INIT, TASK(7, 2, 7));
	fixture_clear(&f);
}
END_TEST

/* ---- modules ---- */

static void
tells_modules(Fixture *f, const char *words, const char *names)
{
	GArray *modules = g_array_new(FALSE, TRUE, sizeof(VmifsModule));
	g_auto(GStrv) each = g_strsplit(names, " ", -1);
	for (guint i = 0; each[i] && *each[i]; i++) {
		VmifsModule module = { .base = OFFSET };
		g_strlcpy(module.name, each[i], sizeof module.name);
		g_array_append_val(modules, module);
	}
	ck_assert_int_eq(vmifs_compare_modules(f->compare, modules, 1), *words != '\0');
	assert_told(f, words);
}

START_TEST(modules_are_loaded_and_unloaded)
{
	Fixture f;
	fixture_init(&f);
	tells_modules(&f, "", "b a");
	tells_modules(&f, "", "a b");
	tells_modules(&f, "load c", "c b a");
	tells_modules(&f, "unload b, load d", "c a d");
	tells_modules(&f, "unload a, unload c, unload d", "");
	tells_modules(&f, "load a", "a");
	fixture_clear(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("compare");
	TCase *t = tcase_create("compare");
	tcase_add_test(t, the_first_list_tells_nothing);
	tcase_add_test(t, processes_start_call_exec_and_end);
	tcase_add_test(t, an_exec_before_the_first_look_is_told);
	tcase_add_test(t, an_exec_that_got_the_same_memory_is_told);
	tcase_add_test(t, another_one_of_that_number_is_another);
	tcase_add_test(t, who_waits_to_be_reaped_has_ended);
	tcase_add_test(t, a_process_lives_as_long_as_one_of_its_threads);
	tcase_add_test(t, kernel_threads_start_and_end);
	tcase_add_test(t, many_change_at_once);
	tcase_add_test(t, half_a_list_tells_nothing);
	tcase_add_test(t, another_boot_begins_anew);
	tcase_add_test(t, modules_are_loaded_and_unloaded);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
