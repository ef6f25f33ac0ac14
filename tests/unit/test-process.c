/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process: order, lookup and duplicates of task lists. */
#include <unit.h>

#include <vmifs/process.h>

static VmifsTaskList *
make_list(const VmifsTask *tasks, guint n)
{
	GArray *array = g_array_new(FALSE, TRUE, sizeof(VmifsTask));
	g_array_append_vals(array, tasks, n);
	return vmifs_task_list_new(array, TRUE);
}

START_TEST(empty_list_finds_nothing)
{
	g_autoptr(VmifsTaskList) list = make_list(NULL, 0);
	gsize index;
	ck_assert_uint_eq(vmifs_task_list_count(list), 0);
	ck_assert_ptr_null(vmifs_task_list_find(list, 1));
	ck_assert(!vmifs_task_list_leader(list, 1, &index));
}
END_TEST

/* Thread 30 of process 40 has the lower id: ids had wrapped. */
START_TEST(threads_follow_their_leader)
{
	const VmifsTask tasks[] = {
		{ .pid = 30, .tgid = 40, .object = 3 }, { .pid = 1, .tgid = 1, .object = 1 },
		{ .pid = 41, .tgid = 40, .object = 5 }, { .pid = 40, .tgid = 40, .object = 4 },
		{ .pid = 50, .tgid = 50, .object = 6 },
	};
	g_autoptr(VmifsTaskList) list = make_list(tasks, G_N_ELEMENTS(tasks));
	gsize index;
	ck_assert(vmifs_task_list_leader(list, 40, &index));
	ck_assert_uint_eq(vmifs_task_list_get(list, index)->pid, 40);
	ck_assert_uint_eq(vmifs_task_list_get(list, index + 1)->pid, 30);
	ck_assert_uint_eq(vmifs_task_list_get(list, index + 2)->pid, 41);
	ck_assert_uint_eq(vmifs_task_list_get(list, index + 3)->pid, 50);
	ck_assert_uint_eq(vmifs_task_list_find(list, 30)->object, 3);
	ck_assert(!vmifs_task_list_leader(list, 30, &index));
}
END_TEST

START_TEST(one_object_is_one_task)
{
	const VmifsTask tasks[] = {
		{ .pid = 7, .tgid = 7, .object = 9 },
		{ .pid = 7, .tgid = 7, .object = 9 },
		{ .pid = 7, .tgid = 7, .object = 8 },
	};
	g_autoptr(VmifsTaskList) list = make_list(tasks, G_N_ELEMENTS(tasks));
	ck_assert_uint_eq(vmifs_task_list_count(list), 2);
	ck_assert_uint_eq(vmifs_task_list_find(list, 7)->object, 8);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("process");
	TCase *t = tcase_create("process");
	tcase_add_test(t, empty_list_finds_nothing);
	tcase_add_test(t, threads_follow_their_leader);
	tcase_add_test(t, one_object_is_one_task);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
