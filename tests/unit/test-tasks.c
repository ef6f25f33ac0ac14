/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tasks: processes, threads and their names, on rings that are whole or not. */
#include <unit.h>

#include <linux-guest.h>

#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct kthread 16 full_name@0:8 data@8:8\n"                                               \
	"struct worker 64 pool@0:8 id@8:4 desc@12:1x32 current_work@48:8 rescue_wq@56:8\n"         \
	"struct worker_pool 16 cpu@0:4 id@4:4 attrs@8:8\n"                                         \
	"struct workqueue_attrs 8 nice@0:4\n"                                                      \
	"struct workqueue_struct 32 name@8:1x24\n"                                                 \
	"struct signal_struct 32 thread_head@0=list_head\n"                                        \
	"struct task_struct 1024 pid@0:4 tgid@4:4 comm@8:1x16 flags@24:4 tasks@32=list_head "      \
	"thread_node@48=list_head signal@64:8 real_parent@72:8 mm@80:8 start_boottime@88:8 "       \
	"worker_private@96:8\n"                                                                    \
	"struct mm_struct 16 pgd@8:8\n"

#define PF_WQ_WORKER 0x20
#define PF_KTHREAD 0x200000
#define PAGE_SIZE 4096

typedef struct {
	LinuxGuest g;
	GArray *leaders; /* of guint64: list_heads, init_task's first */
	guint64 init;
} Fixture;

static guint64
add_task(Fixture *f, guint32 pid, guint32 tgid, const char *comm, guint64 parent)
{
	guint64 task = linux_guest_new(&f->g, LINUX_STRUCT_TASK);

	linux_guest_put(&f->g, task, LINUX_FIELD_TASK_PID, pid);
	linux_guest_put(&f->g, task, LINUX_FIELD_TASK_TGID, tgid);
	linux_guest_put(&f->g, task, LINUX_FIELD_TASK_REAL_PARENT, parent);
	linux_guest_put(&f->g, task, LINUX_FIELD_TASK_START_BOOTTIME, pid * 1000);
	linux_guest_put(&f->g, task, LINUX_FIELD_TASK_MM, LINUX_GUEST_BASE);
	linux_guest_put_text(&f->g, task, LINUX_FIELD_TASK_COMM, comm);
	return task;
}

static void
set_threads(Fixture *f, const guint64 *tasks, guint n)
{
	guint64 signal = linux_guest_new(&f->g, LINUX_STRUCT_SIGNAL);
	g_autofree guint64 *nodes = g_new(guint64, n + 1);

	nodes[0] = linux_guest_at(&f->g, signal, LINUX_FIELD_SIGNAL_THREAD_HEAD);
	for (guint i = 0; i < n; i++) {
		linux_guest_put(&f->g, tasks[i], LINUX_FIELD_TASK_SIGNAL, signal);
		nodes[i + 1] = linux_guest_at(&f->g, tasks[i], LINUX_FIELD_TASK_THREAD_NODE);
	}
	linux_guest_ring(&f->g, nodes, n + 1);
}

static guint64
add_leader(Fixture *f, guint32 pid, const char *comm, guint64 parent)
{
	guint64 task = add_task(f, pid, pid, comm, parent);
	guint64 node = linux_guest_at(&f->g, task, LINUX_FIELD_TASK_TASKS);

	set_threads(f, &task, 1);
	g_array_append_val(f->leaders, node);
	return task;
}

static void
setup(Fixture *f)
{
	*f = (Fixture){ .leaders = g_array_new(FALSE, FALSE, sizeof(guint64)) };
	linux_guest_init(&f->g, TYPES);
	f->init = add_leader(f, 0, "swapper/0", 0);
	linux_guest_put(&f->g, f->init, LINUX_FIELD_TASK_REAL_PARENT, f->init);
	linux_guest_symbol(&f->g, "init_task", f->init);
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_array_unref(f->leaders);
}

static void
close_ring(Fixture *f)
{
	linux_guest_ring(&f->g, (const guint64 *) (gpointer) f->leaders->data, f->leaders->len);
}

static VmifsTaskList *
list(Fixture *f)
{
	g_autoptr(GError) error = NULL;
	VmifsTaskList *tasks = linux_tasks(linux_guest_start(&f->g), NULL, &error);

	ck_assert_msg(tasks != NULL, "%s", error ? error->message : "");
	return tasks;
}

START_TEST(processes_and_threads_are_listed)
{
	Fixture f;
	setup(&f);
	guint64 first = add_leader(&f, 1, "init", f.init);
	guint64 leader = add_leader(&f, 7, "seven", first);
	guint64 thread = add_task(&f, 9, 7, "nine", first);
	set_threads(&f, (guint64[]){ leader, thread }, 2);
	close_ring(&f);
	g_autoptr(VmifsTaskList) tasks = list(&f);

	ck_assert_uint_eq(vmifs_task_list_count(tasks), 3);
	ck_assert(vmifs_task_list_is_complete(tasks));
	const VmifsTask *t = vmifs_task_list_get(tasks, 2);
	ck_assert_uint_eq(t->pid, 9);
	ck_assert_uint_eq(t->tgid, 7);
	ck_assert_uint_eq(t->ppid, 1);
	ck_assert_uint_eq(t->object, thread);
	ck_assert_uint_eq(t->mm, LINUX_GUEST_BASE);
	ck_assert_uint_eq(t->start_time, 9000);
	ck_assert_str_eq(t->comm, "nine");
	ck_assert_ptr_null(vmifs_task_list_find(tasks, 0));
	teardown(&f);
}
END_TEST

START_TEST(borrowed_memory_is_not_a_kernel_threads_own)
{
	Fixture f;
	setup(&f);
	guint64 task = add_leader(&f, 2, "kthreadd", f.init);
	linux_guest_put(&f.g, task, LINUX_FIELD_TASK_FLAGS, PF_KTHREAD);
	close_ring(&f);
	g_autoptr(VmifsTaskList) tasks = list(&f);

	ck_assert_uint_eq(vmifs_task_list_get(tasks, 0)->mm, 0);
	teardown(&f);
}
END_TEST

START_TEST(who_has_not_called_exec_since_the_fork_is_known)
{
	Fixture f;
	setup(&f);
	guint64 shell = add_leader(&f, 2, "sh", f.init);
	guint64 forked = add_leader(&f, 3, "sh", shell);
	linux_guest_put(&f.g, forked, LINUX_FIELD_TASK_FLAGS, 0x40);
	close_ring(&f);
	g_autoptr(VmifsTaskList) tasks = list(&f);

	ck_assert(vmifs_task_list_find(tasks, 2)->execed);
	ck_assert(!vmifs_task_list_find(tasks, 3)->execed);
	teardown(&f);
}
END_TEST

START_TEST(torn_ring_gives_what_is_on_either_side)
{
	Fixture f;
	setup(&f);
	for (guint i = 1; i <= 4; i++)
		add_leader(&f, i, "x", f.init);
	close_ring(&f);
	linux_guest_u64(&f.g, g_array_index(f.leaders, guint64, 2), 0xdead0000);
	g_autoptr(VmifsTaskList) tasks = list(&f);

	ck_assert_uint_eq(vmifs_task_list_count(tasks), 4);
	ck_assert(!vmifs_task_list_is_complete(tasks));
	g_autofree char *log = linux_guest_log(&f.g);
	ck_assert_ptr_nonnull(strstr(log, "processes"));
	teardown(&f);
}
END_TEST

START_TEST(ring_of_threads_that_never_closes_ends)
{
	Fixture f;
	setup(&f);
	guint64 a = add_leader(&f, 1, "a", f.init);
	guint64 b = add_leader(&f, 2, "b", f.init);
	close_ring(&f);
	/* The threads of a are those of b, whose ring does not contain the head of a's. */
	guint64 signal = linux_guest_new(&f.g, LINUX_STRUCT_SIGNAL);
	linux_guest_put(&f.g, a, LINUX_FIELD_TASK_SIGNAL, signal);
	linux_guest_u64(&f.g, signal, linux_guest_at(&f.g, b, LINUX_FIELD_TASK_THREAD_NODE));
	linux_guest_u64(&f.g, signal + 8, linux_guest_at(&f.g, b, LINUX_FIELD_TASK_THREAD_NODE));
	g_autoptr(VmifsTaskList) tasks = list(&f);

	ck_assert_uint_eq(vmifs_task_list_count(tasks), 2);
	ck_assert(!vmifs_task_list_is_complete(tasks));
	teardown(&f);
}
END_TEST

START_TEST(no_more_tasks_are_listed_than_memory_has_room_for)
{
	Fixture f;
	setup(&f);
	/* Nothing but links, one behind the other. */
	const guint n = 8 * LINUX_GUEST_LEN / 4096;
	guint64 nodes = linux_guest_alloc(&f.g, n * 16);
	for (guint i = 0; i < n; i++) {
		guint64 node = nodes + i * 16;
		g_array_append_val(f.leaders, node);
	}
	close_ring(&f);
	g_autoptr(VmifsTaskList) tasks = list(&f);

	ck_assert_uint_le(vmifs_task_list_count(tasks), 2 * LINUX_GUEST_LEN / 4096);
	ck_assert(!vmifs_task_list_is_complete(tasks));
	teardown(&f);
}
END_TEST

START_TEST(unreadable_task_does_not_hide_the_others)
{
	Fixture f;
	setup(&f);
	guint64 bad = add_leader(&f, 1, "bad", f.init);
	add_leader(&f, 2, "good", f.init);
	close_ring(&f);
	linux_guest_put(&f.g, bad, LINUX_FIELD_TASK_REAL_PARENT, 0x1000);
	g_autoptr(VmifsTaskList) tasks = list(&f);

	ck_assert_uint_eq(vmifs_task_list_count(tasks), 1);
	ck_assert_str_eq(vmifs_task_list_get(tasks, 0)->comm, "good");
	ck_assert(!vmifs_task_list_is_complete(tasks));
	teardown(&f);
}
END_TEST

START_TEST(list_that_was_given_up_is_none)
{
	Fixture f;
	VmifsCall late = { .deadline = 1 };
	g_autoptr(GError) error = NULL;
	setup(&f);
	add_leader(&f, 1, "x", f.init);
	close_ring(&f);
	ck_assert_ptr_null(linux_tasks(linux_guest_start(&f.g), &late, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT));
	teardown(&f);
}
END_TEST

START_TEST(kernel_without_its_symbol_or_types_says_so)
{
	g_auto(LinuxGuest) g;
	g_autoptr(GError) error = NULL;
	linux_guest_init(&g, _i ? "" : TYPES);
	if (_i)
		linux_guest_symbol(&g, "init_task", LINUX_GUEST_BASE);
	ck_assert_ptr_null(linux_tasks(linux_guest_start(&g), NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	ck_assert_ptr_nonnull(strstr(error->message, _i ? "task_struct" : "init_task"));
}
END_TEST

/* ---- names ---- */

static char *
name_of(Fixture *f, guint64 object)
{
	GString *out = g_string_new(NULL);
	VmifsTask task = { .object = object };
	g_autoptr(GError) error = NULL;

	ck_assert_msg(linux_render_comm(linux_guest_start(&f->g), &task, NULL, out, NULL, &error),
		      "%s", error ? error->message : "");
	return g_string_free(out, FALSE);
}

START_TEST(process_has_its_comm)
{
	Fixture f;
	setup(&f);
	guint64 task = add_task(&f, 1, 1, "a\nb", f.init);
	g_autofree char *name = name_of(&f, task);
	ck_assert_str_eq(name, "a\nb\n");
	teardown(&f);
}
END_TEST

START_TEST(kernel_thread_has_its_full_name)
{
	Fixture f;
	setup(&f);
	guint64 task = add_task(&f, 3, 3, "rcu_tasks_trace", f.init);
	guint64 kthread = linux_guest_new(&f.g, LINUX_STRUCT_KTHREAD);
	linux_guest_put(&f.g, task, LINUX_FIELD_TASK_FLAGS, PF_KTHREAD);
	linux_guest_put(&f.g, task, LINUX_FIELD_TASK_KTHREAD, kthread);
	if (_i)
		linux_guest_put(&f.g, kthread, LINUX_FIELD_KTHREAD_FULL_NAME,
				linux_guest_string(&f.g, "rcu_tasks_trace_kthread"));
	g_autofree char *name = name_of(&f, task);
	ck_assert_str_eq(name, _i ? "rcu_tasks_trace_kthread\n" : "rcu_tasks_trace\n");
	teardown(&f);
}
END_TEST

typedef struct {
	gboolean composed; /* the kernel puts the name together each time */
	gint cpu, nice;
	gboolean rescuer, pool;
	const char *desc;
	gboolean busy;
	const char *name;
} Worker;

static const Worker workers[] = {
	{ FALSE, 0, 0, FALSE, TRUE, "", FALSE, "kworker/9:9\n" },
	{ FALSE, 0, 0, FALSE, TRUE, "events", FALSE, "kworker/9:9-events\n" },
	{ FALSE, 0, 0, FALSE, TRUE, "events", TRUE, "kworker/9:9+events\n" },
	{ TRUE, 1, 0, FALSE, TRUE, "", FALSE, "kworker/1:5\n" },
	{ TRUE, 1, -20, FALSE, TRUE, "kblockd", TRUE, "kworker/1:5H+kblockd\n" },
	{ TRUE, -1, 0, FALSE, TRUE, "", FALSE, "kworker/u8:5\n" },
	{ TRUE, 0, 0, TRUE, FALSE, "events", FALSE, "kworker/R-rescued\n" },
	{ TRUE, 0, 0, FALSE, FALSE, "events", FALSE, "kworker/dying\n" },
};

START_TEST(worker_is_named_after_its_work)
{
	const Worker *w = &workers[_i];
	Fixture f;
	setup(&f);
	guint64 task = add_task(&f, 5, 5, "kworker/9:9", f.init);
	guint64 kthread = linux_guest_new(&f.g, LINUX_STRUCT_KTHREAD);
	guint64 worker = linux_guest_new(&f.g, LINUX_STRUCT_WORKER);
	guint64 pool = linux_guest_new(&f.g, LINUX_STRUCT_WORKER_POOL);
	guint64 attrs = linux_guest_new(&f.g, LINUX_STRUCT_WORKQUEUE_ATTRS);
	guint64 queue = linux_guest_new(&f.g, LINUX_STRUCT_WORKQUEUE);

	linux_guest_put(&f.g, task, LINUX_FIELD_TASK_FLAGS, PF_KTHREAD | PF_WQ_WORKER);
	linux_guest_put(&f.g, task, LINUX_FIELD_TASK_KTHREAD, kthread);
	linux_guest_put(&f.g, kthread, LINUX_FIELD_KTHREAD_DATA, worker);
	linux_guest_put(&f.g, worker, LINUX_FIELD_WORKER_POOL, w->pool ? pool : 0);
	linux_guest_put(&f.g, worker, LINUX_FIELD_WORKER_ID, 5);
	linux_guest_put_text(&f.g, worker, LINUX_FIELD_WORKER_DESC, w->desc);
	linux_guest_put(&f.g, worker, LINUX_FIELD_WORKER_CURRENT_WORK, w->busy);
	linux_guest_put(&f.g, worker, LINUX_FIELD_WORKER_RESCUE_WQ, w->rescuer ? queue : 0);
	linux_guest_put(&f.g, pool, LINUX_FIELD_WORKER_POOL_CPU, (guint32) w->cpu);
	linux_guest_put(&f.g, pool, LINUX_FIELD_WORKER_POOL_ID, 8);
	linux_guest_put(&f.g, pool, LINUX_FIELD_WORKER_POOL_ATTRS, attrs);
	linux_guest_put(&f.g, attrs, LINUX_FIELD_WORKQUEUE_ATTRS_NICE, (guint32) w->nice);
	linux_guest_put_text(&f.g, queue, LINUX_FIELD_WORKQUEUE_NAME, "rescued");
	if (w->composed)
		linux_guest_symbol(&f.g, "format_worker_id", 1);
	g_autofree char *name = name_of(&f, task);
	ck_assert_str_eq(name, w->name);
	teardown(&f);
}
END_TEST

/* ---- page tables ---- */

/* Two pages, the first one's number even: tables of a process, and what stands behind them. */
static guint64
make_root(LinuxGuest *g, VmifsTask *task)
{
	guint64 room = linux_guest_alloc(g, 4 * PAGE_SIZE);
	guint64 pa = (room - LINUX_GUEST_BASE + 2 * PAGE_SIZE - 1) & ~(guint64) (2 * PAGE_SIZE - 1);

	*task = (VmifsTask){ .pid = 5, .mm = linux_guest_new(g, LINUX_STRUCT_MM) };
	linux_guest_put(g, task->mm, LINUX_FIELD_MM_PGD, LINUX_GUEST_BASE + pa);
	linux_guest_u64(g, LINUX_GUEST_BASE + pa + 8, 0x8000000000123067);
	linux_guest_u64(g, LINUX_GUEST_BASE + pa + 2048, 0x456067);
	return LINUX_GUEST_BASE + pa;
}

START_TEST(a_program_may_have_page_tables_of_its_own)
{
	/* The second root's entry of the same user memory: another one, none, the same. */
	static const guint64 entries[] = { 0x124067, 0, 0x123047 };
	LinuxGuest g;
	VmifsTask task;
	guint64 roots[VMIFS_TASK_ROOTS];

	linux_guest_init(&g, TYPES);
	guint64 root = make_root(&g, &task);
	linux_guest_u64(&g, root + PAGE_SIZE + 8, entries[_i]);
	Linux *os = linux_guest_start(&g);
	ck_assert_uint_eq(linux_task_roots(os, &task, roots, NULL), _i == 2 ? 2 : 1);
	ck_assert_uint_eq(roots[0], root - LINUX_GUEST_BASE);
	if (_i == 2)
		ck_assert_uint_eq(roots[1], roots[0] + PAGE_SIZE);
	task.mm = 0;
	ck_assert_uint_eq(linux_task_roots(os, &task, roots, NULL), 0);
	linux_guest_clear(&g);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("tasks");
	TCase *t = tcase_create("tasks");

	tcase_add_test(t, processes_and_threads_are_listed);
	tcase_add_test(t, who_has_not_called_exec_since_the_fork_is_known);
	tcase_add_test(t, borrowed_memory_is_not_a_kernel_threads_own);
	tcase_add_test(t, torn_ring_gives_what_is_on_either_side);
	tcase_add_test(t, ring_of_threads_that_never_closes_ends);
	tcase_add_test(t, no_more_tasks_are_listed_than_memory_has_room_for);
	tcase_add_test(t, unreadable_task_does_not_hide_the_others);
	tcase_add_test(t, list_that_was_given_up_is_none);
	tcase_add_loop_test(t, kernel_without_its_symbol_or_types_says_so, 0, 2);
	tcase_add_loop_test(t, a_program_may_have_page_tables_of_its_own, 0, 3);
	suite_add_tcase(s, t);
	t = tcase_create("names");
	tcase_add_test(t, process_has_its_comm);
	tcase_add_loop_test(t, kernel_thread_has_its_full_name, 0, 2);
	tcase_add_loop_test(t, worker_is_named_after_its_work, 0, G_N_ELEMENTS(workers));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
