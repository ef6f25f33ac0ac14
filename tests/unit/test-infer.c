/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* infer: tasks that agree with one another tell their layout; those that do not, nothing. */
#include <unit.h>

#include <linux-guest.h>
#include <os/linux/infer.h>
#include <spi/insn.h>

#include <string.h>

#define N 5
#define TASKS 256
#define MM 272
#define PID 304
#define REAL_PARENT 312
#define CHILDREN 328
#define SIBLING 344
#define THREAD_PID 368
#define THREAD_NODE 376
#define COMM 400
#define SIGNAL 600
#define TASK_LEN 2048
/* Of what tasks point to. */
#define OBJECT_LEN 1024
#define THREAD_HEAD 16
#define PIDS 64
#define NUMBERS 96

typedef struct {
	LinuxGuest g;
	guint64 tasks[N];
	VmifsTypes *types;
	char *origin;
	GError *error;
} Fixture;

static void
put_u32(Fixture *f, guint64 va, guint32 value)
{
	value = GUINT32_TO_LE(value);
	linux_guest_write(&f->g, va, &value, sizeof value);
}

static void
put_ring(Fixture *f, gsize head_at, guint head, gsize node_at, guint n, const guint *of)
{
	guint64 nodes[N] = { f->tasks[head] + head_at };

	for (guint i = 0; i < n; i++)
		nodes[i + 1] = f->tasks[of[i]] + node_at;
	linux_guest_ring(&f->g, nodes, n + 1);
}

/* 0 -> { 1 -> 4, 2 -> 3 } */
static void
setup(Fixture *f)
{
	static const char *const names[N] = { "swapper/0", "init", "kthreadd", "kworker/0:0",
					      "sh" };
	static const guint parents[N] = { 0, 0, 0, 2, 1 };

	*f = (Fixture){ 0 };
	linux_guest_init(&f->g, "");
	for (guint i = 0; i < N; i++)
		f->tasks[i] = linux_guest_alloc(&f->g, TASK_LEN);
	for (guint i = 0; i < N; i++) {
		guint64 task = f->tasks[i], mm = i == 1 || i == 4 ? f->tasks[0] + 65536 * i : 0;

		linux_guest_u64(&f->g, task + MM, mm);
		linux_guest_u64(&f->g, task + MM + 8, mm);
		put_u32(f, task + PID, i);
		put_u32(f, task + PID + 4, i);
		linux_guest_u64(&f->g, task + REAL_PARENT, f->tasks[parents[i]]);
		linux_guest_u64(&f->g, task + REAL_PARENT + 8, f->tasks[parents[i]]);
		linux_guest_write(&f->g, task + COMM, names[i], strlen(names[i]));
	}
	put_ring(f, TASKS, 0, TASKS, 4, (guint[]){ 1, 2, 3, 4 });
	put_ring(f, CHILDREN, 0, SIBLING, 2, (guint[]){ 1, 2 });
	put_ring(f, CHILDREN, 1, SIBLING, 1, (guint[]){ 4 });
	put_ring(f, CHILDREN, 2, SIBLING, 1, (guint[]){ 3 });
	put_ring(f, CHILDREN, 3, SIBLING, 0, NULL);
	put_ring(f, CHILDREN, 4, SIBLING, 0, NULL);
	linux_guest_symbol(&f->g, "init_task", f->tasks[0]);
}

/* A list of threads, and numbers, of each process. */
static void
put_threads(Fixture *f)
{
	guint64 ns = linux_guest_alloc(&f->g, OBJECT_LEN);

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

static void
teardown(Fixture *f)
{
	g_clear_pointer(&f->types, vmifs_types_unref);
	g_free(f->origin);
	g_clear_error(&f->error);
	linux_guest_clear(&f->g);
}

static void
infer(Fixture *f)
{
	f->types = linux_infer(linux_guest_start(&f->g), &f->origin, NULL, &f->error);
}

static void
expect_place(const Fixture *f, const char *path, guint64 offset)
{
	VmifsMember member;

	ck_assert_msg(vmifs_types_member(f->types, path, &member), "no %s", path);
	ck_assert_uint_eq(member.offset, offset);
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

#define KALLSYMS 400
#define LAYOUT 300
#define MODULE_LEN 1280

/* Two modules with a table of symbols each, that export nothing. */
static void
put_modules(Fixture *f, guint64 *modules)
{
	static const char *const names[] = { "ext4", "tun" };
	guint64 head = linux_guest_alloc(&f->g, 16), base = linux_guest_alloc(&f->g, 16384);
	guint64 table = linux_guest_alloc(&f->g, 256);
	guint64 letters = linux_guest_string(&f->g, "Utt");

	base = (base + 4095) / 4096 * 4096;
	for (guint i = 0; i < 2; i++) {
		guint64 module = base + i * 2048;

		modules[i] = module;
		linux_guest_write(&f->g, module + 24, names[i], strlen(names[i]));
		linux_guest_u64(&f->g, module + LAYOUT + 4, base);
		put_u32(f, module + LAYOUT + 12, 8192);
		put_u32(f, module + LAYOUT + 16, 4096);
		put_u32(f, module + LAYOUT + 20, 4096);
		put_u32(f, module + LAYOUT + 24, 8192);
		linux_guest_u64(&f->g, module + KALLSYMS, module + KALLSYMS + 8);
		linux_guest_u64(&f->g, module + KALLSYMS + 8, table);
		put_u32(f, module + KALLSYMS + 16, 3);
		linux_guest_u64(&f->g, module + KALLSYMS + 24, table + 128);
		linux_guest_u64(&f->g, module + KALLSYMS + 32, letters);
	}
	linux_guest_ring(&f->g, (guint64[]){ head, modules[0] + 8, modules[1] + 8 }, 3);
	linux_guest_symbol(&f->g, "modules", head);
}

START_TEST(modules_tell_where_their_symbols_are)
{
	Fixture f;
	guint64 modules[2];
	VmifsMember member;

	setup(&f);
	put_modules(&f, modules);
	infer(&f);
	ck_assert_ptr_nonnull(f.types);
	expect_place(&f, "module.name", 24);
	expect_place(&f, "module.kallsyms", KALLSYMS);
	expect_place(&f, "mod_kallsyms.typetab", 24);
	expect_place(&f, "module.core_layout.base", LAYOUT + 4);
	expect_place(&f, "module.core_layout.text_size", LAYOUT + 16);
	ck_assert(!vmifs_types_member(f.types, "module.gpl_syms", &member));
	ck_assert_ptr_nonnull(strstr(f.origin, ", 2 modules"));
	teardown(&f);
}
END_TEST

START_TEST(a_module_whose_table_is_elsewhere_proves_none)
{
	Fixture f;
	guint64 modules[2];
	VmifsMember member;

	setup(&f);
	put_modules(&f, modules);
	linux_guest_u64(&f.g, modules[1] + KALLSYMS, modules[0] + KALLSYMS + 8);
	infer(&f);
	ck_assert_ptr_nonnull(f.types);
	ck_assert(!vmifs_types_member(f.types, "module.kallsyms", &member));
	expect_place(&f, "module.name", 24);
	teardown(&f);
}
END_TEST

#define INIT 280
#define TAINTS 488
#define BUGS 504
#define USES 600

/* The second uses the first. */
static void
put_uses(Fixture *f, const guint64 *modules)
{
	guint64 bugs = linux_guest_alloc(&f->g, 16), use = linux_guest_alloc(&f->g, 48);

	linux_guest_ring(&f->g, (guint64[]){ bugs, modules[0] + BUGS, modules[1] + BUGS }, 3);
	linux_guest_ring(&f->g, (guint64[]){ modules[0] + USES, use }, 2);
	linux_guest_ring(&f->g, (guint64[]){ modules[0] + USES + 16 }, 1);
	linux_guest_ring(&f->g, (guint64[]){ modules[1] + USES }, 1);
	linux_guest_ring(&f->g, (guint64[]){ modules[1] + USES + 16, use + 16 }, 2);
	linux_guest_u64(&f->g, use + 32, modules[1]);
	linux_guest_u64(&f->g, use + 40, modules[0]);
	put_u32(f, modules[0] + USES + 40, 2);
	put_u32(f, modules[1] + USES + 40, 1);
	linux_guest_u64(&f->g, modules[0] + INIT, bugs + 65536);
}

START_TEST(modules_tell_who_uses_them)
{
	Fixture f;
	guint64 modules[2];

	setup(&f);
	put_modules(&f, modules);
	put_uses(&f, modules);
	infer(&f);
	ck_assert_ptr_nonnull(f.types);
	expect_place(&f, "module.source_list", USES);
	expect_place(&f, "module.exit", USES + 32);
	expect_place(&f, "module.refcnt", USES + 40);
	expect_place(&f, "module.taints", TAINTS);
	expect_place(&f, "module.init", INIT);
	expect_place(&f, "module_use.source", 32);
	teardown(&f);
}
END_TEST

/* Counts that do not agree; a use that is of others; a ring with a second stranger; something
 * between. */
START_TEST(uses_that_do_not_agree_are_none)
{
	static const char *const lost[] = { "module.refcnt", "module.source_list", "module.taints",
					    "module.init" };
	Fixture f;
	guint64 modules[2];
	VmifsMember member;

	setup(&f);
	put_modules(&f, modules);
	put_uses(&f, modules);
	guint64 other = linux_guest_alloc(&f.g, 16), nodes[] = { other, other + 65536, 0, 0 };
	nodes[2] = modules[0] + BUGS;
	nodes[3] = modules[1] + BUGS;
	if (_i == 0)
		put_u32(&f, modules[0] + USES + 40, 1);
	else if (_i == 1)
		linux_guest_ring(&f.g, (guint64[]){ modules[1] + USES + 16 }, 1);
	else if (_i == 2)
		linux_guest_ring(&f.g, nodes, 4);
	else
		put_u32(&f, modules[1] + INIT + 8, 3);
	infer(&f);
	ck_assert_ptr_nonnull(f.types);
	ck_assert(!vmifs_types_member(f.types, lost[_i], &member));
	expect_place(&f, "module.name", 24);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("infer");
	TCase *t = tcase_create("infer");

	tcase_add_test(t, tasks_tell_where_their_members_are);
	tcase_add_test(t, threads_tell_where_their_lists_and_numbers_are);
	tcase_add_test(t, two_places_that_look_alike_are_none);
	tcase_add_test(t, numbers_that_two_tasks_share_are_no_pids);
	tcase_add_test(t, a_ring_that_does_not_close_is_none);
	tcase_add_test(t, children_that_are_in_no_list_are_told);
	tcase_add_test(t, resources_tell_where_their_members_are);
	tcase_add_test(t, modules_tell_where_their_symbols_are);
	tcase_add_test(t, a_module_whose_table_is_elsewhere_proves_none);
	tcase_add_test(t, modules_tell_who_uses_them);
	tcase_add_loop_test(t, uses_that_do_not_agree_are_none, 0, 4);
	tcase_add_test(t, urgency_is_four_numbers_that_agree);
	tcase_add_test(t, urgency_of_which_one_does_not_agree_is_none);
	if (are_instructions_known())
		tcase_add_test(t, function_tells_where_the_processor_is);
	tcase_add_test(t, function_is_not_believed_against_the_objects);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
