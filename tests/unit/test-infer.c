/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* infer: tasks that agree with one another tell their layout; those that do not, nothing. */
#include <infer-guest.h>
#include <spi/insn.h>

/* A list of threads, and numbers, of each process. */
static void
put_threads(Fixture *f)
{
	guint64 ns = linux_guest_alloc(&f->g, OBJECT_LEN);

	linux_guest_u64(&f->g, ns + REAPER, f->tasks[1]);
	linux_guest_u64(&f->g, ns + REAPER + 8, ns);
	put_u32(f, ns + REAPER + 20, 32768); /* pid_max, since 6.14 */
	linux_guest_symbol(&f->g, "init_pid_ns", ns);
	for (guint i = 0; i < N; i++) {
		guint64 signal = linux_guest_alloc(&f->g, OBJECT_LEN);
		guint64 pid = linux_guest_alloc(&f->g, OBJECT_LEN);
		guint64 nodes[] = { signal + THREAD_HEAD, f->tasks[i] + THREAD_NODE };

		linux_guest_u64(&f->g, f->tasks[i] + SIGNAL, signal);
		linux_guest_ring(&f->g, nodes, G_N_ELEMENTS(nodes));
		put_u32(f, signal + 8, 1);
		linux_guest_u64(&f->g, f->tasks[i] + THREAD_PID, pid);
		put_u32(f, pid + NUMBERS, i);
		linux_guest_u64(&f->g, pid + NUMBERS + 8, ns);
		for (guint k = 1; k < 4; k++)
			linux_guest_u64(&f->g, signal + PIDS + k * 8, pid);
	}
}

START_TEST(tasks_tell_where_their_members_are)
{
	Fixture f;

	setup(&f);
	infer(&f);
	ck_assert_msg(f.types, "%s", f.error ? f.error->message : "");
	expect_place(&f, "task_struct.tasks", TASKS);
	expect_place(&f, "task_struct.mm", MM);
	expect_place(&f, "task_struct.pid", PID);
	expect_place(&f, "task_struct.tgid", PID + 4);
	expect_place(&f, "task_struct.real_parent", REAL_PARENT);
	expect_place(&f, "task_struct.children", CHILDREN);
	expect_place(&f, "task_struct.sibling", SIBLING);
	expect_place(&f, "task_struct.comm", COMM);
	ck_assert_ptr_nonnull(strstr(f.origin, "checked against 5 processes"));
	teardown(&f);
}
END_TEST

/* Of a guest that runs that is tried again and again, and its log has an end. */
START_TEST(what_was_inferred_is_told_again_where_it_is_more)
{
	guint n_told = 0;
	Fixture f;

	setup(&f);
	Linux *os = linux_guest_start(&f.g);
	os->n_told = &n_told;
	for (guint i = 0; i < 3; i++) {
		g_autofree char *before = linux_guest_log(&f.g);

		if (i == 2)
			n_told--; /* as if it had been one fewer */
		f.types = linux_infer(os, &f.origin, NULL, &f.error);
		ck_assert_ptr_nonnull(f.types);
		g_autofree char *after = linux_guest_log(&f.g);
		ck_assert_int_eq(g_str_equal(before, after), i == 1);
		g_clear_pointer(&f.types, vmifs_types_unref);
		g_clear_pointer(&f.origin, g_free);
	}
	teardown(&f);
}
END_TEST

START_TEST(threads_tell_where_their_lists_and_numbers_are)
{
	Fixture f;

	setup(&f);
	put_threads(&f);
	infer(&f);
	ck_assert_msg(f.types, "%s", f.error ? f.error->message : "");
	expect_place(&f, "task_struct.signal", SIGNAL);
	expect_place(&f, "task_struct.thread_node", THREAD_NODE);
	expect_place(&f, "signal_struct.thread_head", THREAD_HEAD);
	expect_place(&f, "signal_struct.nr_threads", 8);
	expect_place(&f, "task_struct.thread_pid", THREAD_PID);
	expect_place(&f, "pid.numbers", NUMBERS);
	expect_place(&f, "signal_struct.pids", PIDS);
	expect_place(&f, "pid_namespace.child_reaper", REAPER);
	expect_place(&f, "pid_namespace.level", REAPER + 16);
	ck_assert_ptr_nonnull(strstr(f.origin, "5 processes of 4 threads"));
	teardown(&f);
}
END_TEST

static void
refused(Fixture *f, const char *what)
{
	infer(f);
	g_autofree char *log = linux_guest_log(&f->g);
	ck_assert_ptr_null(f->types);
	ck_assert_int_eq(f->error->code, VMIFS_ERROR_UNSUPPORTED);
	ck_assert_msg(strstr(log, what), "%s", log);
}

START_TEST(two_places_that_look_alike_are_none)
{
	Fixture f;

	setup(&f);
	for (guint i = 0; i < N; i++) {
		put_u32(&f, f.tasks[i] + 64, i);
		put_u32(&f, f.tasks[i] + 68, i);
	}
	refused(&f, "task_struct.pid: several places");
	teardown(&f);
}
END_TEST

START_TEST(numbers_that_two_tasks_share_are_no_pids)
{
	Fixture f;

	setup(&f);
	put_u32(&f, f.tasks[4] + PID, 3);
	put_u32(&f, f.tasks[4] + PID + 4, 3);
	refused(&f, "task_struct.pid: no place");
	teardown(&f);
}
END_TEST

START_TEST(a_ring_that_does_not_close_is_none)
{
	Fixture f;

	setup(&f);
	linux_guest_u64(&f.g, f.tasks[3] + TASKS, f.tasks[1] + TASKS);
	refused(&f, "the ring of processes");
	teardown(&f);
}
END_TEST

START_TEST(children_that_are_in_no_list_are_told)
{
	Fixture f;
	VmifsMember member;

	setup(&f);
	put_ring(&f, CHILDREN, 2, SIBLING, 0, NULL);
	infer(&f);
	ck_assert_ptr_nonnull(f.types);
	ck_assert(!vmifs_types_member(f.types, "task_struct.children", &member));
	expect_place(&f, "task_struct.real_parent", REAL_PARENT);
	teardown(&f);
}
END_TEST

/* ---- numbers ---- */

#define PRIO 100
#define POLICY 160

static void
put_prio(Fixture *f, guint task, guint32 prio, guint32 fixed, guint32 rt, guint32 policy)
{
	const guint32 row[] = { prio, fixed, prio, rt };

	for (guint i = 0; i < G_N_ELEMENTS(row); i++)
		put_u32(f, f->tasks[task] + PRIO + 4 * i, row[i]);
	put_u32(f, f->tasks[task] + POLICY, policy);
}

static void
put_prios(Fixture *f)
{
	for (guint i = 0; i < N; i++)
		put_prio(f, i, 120, 120, 0, i == 4 ? 3 : 0);
	put_prio(f, 2, 100, 100, 0, 0);
	put_prio(f, 3, 49, 120, 50, 1);
}

START_TEST(urgency_is_four_numbers_that_agree)
{
	Fixture f;

	setup(&f);
	put_prios(&f);
	infer(&f);
	ck_assert_ptr_nonnull(f.types);
	expect_place(&f, "task_struct.prio", PRIO);
	expect_place(&f, "task_struct.static_prio", PRIO + 4);
	expect_place(&f, "task_struct.rt_priority", PRIO + 12);
	expect_place(&f, "task_struct.policy", POLICY);
	teardown(&f);
}
END_TEST

START_TEST(urgency_of_which_one_does_not_agree_is_none)
{
	Fixture f;
	VmifsMember member;

	setup(&f);
	put_prios(&f);
	put_prio(&f, 3, 50, 120, 50, 1);
	infer(&f);
	ck_assert_ptr_nonnull(f.types);
	ck_assert(!vmifs_types_member(f.types, "task_struct.prio", &member));
	ck_assert(!vmifs_types_member(f.types, "task_struct.policy", &member));
	teardown(&f);
}
END_TEST

/* ---- by functions ---- */

#define CPU 20
static const guint8 task_curr[] = { 0x8b, 0x57, CPU, 0xc3 }; /* mov CPU(%rdi),%edx; ret */

static void
put_task_curr(Fixture *f)
{
	guint64 text = linux_guest_alloc(&f->g, sizeof task_curr);

	linux_guest_write(&f->g, text, task_curr, sizeof task_curr);
	linux_guest_symbol(&f->g, "task_curr", text);
	linux_guest_symbol(&f->g, "what_follows", text + sizeof task_curr);
}

START_TEST(function_tells_where_the_processor_is)
{
	Fixture f;

	setup(&f);
	put_task_curr(&f);
	infer(&f);
	ck_assert_ptr_nonnull(f.types);
	expect_place(&f, "task_struct.thread_info.cpu", CPU);
	teardown(&f);
}
END_TEST

START_TEST(function_is_not_believed_against_the_objects)
{
	Fixture f;
	VmifsMember member;

	setup(&f);
	put_task_curr(&f);
	put_u32(&f, f.tasks[3] + CPU, 7); /* there is one processor */
	infer(&f);
	ck_assert_ptr_nonnull(f.types);
	ck_assert(!vmifs_types_member(f.types, "task_struct.thread_info.cpu", &member));
	teardown(&f);
}
END_TEST

static gboolean
are_instructions_known(void)
{
	g_autoptr(GArray) insns = vmifs_insns("x86_64", task_curr, sizeof task_curr, 0, 2);

	return insns != NULL;
}

/* { start end name flags desc parent sibling child }: the root with two children. */
START_TEST(resources_tell_where_their_members_are)
{
	Fixture f;
	guint64 all[3];

	setup(&f);
	for (guint i = 0; i < 3; i++) {
		all[i] = linux_guest_alloc(&f.g, 64);
		linux_guest_u64(&f.g, all[i], i == 2 ? 0x2000 : 0);
		linux_guest_u64(&f.g, all[i] + 8, i == 1 ? 0xfff : 0xffff);
		linux_guest_u64(&f.g, all[i] + 16,
				linux_guest_string(&f.g, i ? "System RAM" : "PCI mem"));
		linux_guest_u64(&f.g, all[i] + 40, i ? all[0] : 0);
	}
	linux_guest_u64(&f.g, all[0] + 56, all[1]);
	linux_guest_u64(&f.g, all[1] + 48, all[2]);
	linux_guest_symbol(&f.g, "iomem_resource", all[0]);
	infer(&f);
	ck_assert_ptr_nonnull(f.types);
	expect_place(&f, "resource.end", 8);
	expect_place(&f, "resource.name", 16);
	expect_place(&f, "resource.sibling", 48);
	expect_place(&f, "resource.child", 56);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("infer");
	TCase *t = tcase_create("infer");

	tcase_add_test(t, tasks_tell_where_their_members_are);
	tcase_add_test(t, what_was_inferred_is_told_again_where_it_is_more);
	tcase_add_test(t, threads_tell_where_their_lists_and_numbers_are);
	tcase_add_test(t, two_places_that_look_alike_are_none);
	tcase_add_test(t, numbers_that_two_tasks_share_are_no_pids);
	tcase_add_test(t, a_ring_that_does_not_close_is_none);
	tcase_add_test(t, children_that_are_in_no_list_are_told);
	tcase_add_test(t, resources_tell_where_their_members_are);
	tcase_add_test(t, urgency_is_four_numbers_that_agree);
	tcase_add_test(t, urgency_of_which_one_does_not_agree_is_none);
	if (are_instructions_known())
		tcase_add_test(t, function_tells_where_the_processor_is);
	tcase_add_test(t, function_is_not_believed_against_the_objects);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
