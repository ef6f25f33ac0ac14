/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stat: the one line of a process, of its thread, of a kernel thread; statm; times and pages. */
#include <unit.h>

#include <linux-guest.h>
#include <os/linux/counters.h>
#include <os/linux/state.h>

#define COMMON_TYPES                                                                                \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                   \
	"struct upid 16 nr@0:4 ns@8:8\n"                                                            \
	"struct pid 64 level@0:4 numbers@16=upidx0\n"                                               \
	"struct pid_namespace 16 level@0:4\n"                                                       \
	"struct sigpending 24 signal@16:8\n"                                                        \
	"struct sigaction 32 sa_handler@0:8\n"                                                      \
	"struct k_sigaction 32 sa@0=sigaction\n"                                                    \
	"struct sighand_struct 2048 action@0=k_sigactionx64\n"                                      \
	"struct rlimit 16 rlim_cur@0:8\n"                                                           \
	"struct prev_cputime 16 utime@0:8 stime@8:8\n"                                              \
	"struct tty_driver 16 major@0:4 minor_start@4:4\n"                                          \
	"struct tty_struct 32 driver@0:8 index@8:4 pgrp@16:8\n"                                     \
	"struct task_delay_info 16 blkio_delay@8:8\n"                                               \
	"struct sched_entity 16 sum_exec_runtime@8:8\n"                                             \
	"struct thread_info 8 cpu@4:4\n"                                                            \
	"struct vm_struct 16 nr_pages@8:4\n"                                                        \
	"struct inactive_task_frame 56 bp@40:8\n"                                                   \
	"struct thread_struct 16 sp@8:8\n"                                                          \
	"struct pt_regs 168 ip@128:8 sp@152:8\n"                                                    \
	"struct percpu_counter 16 count@0:8 counters@8:8\n"                                         \
	"struct signal_struct 600 nr_threads@0:4 flags@4:4 thread_head@8=list_head tty@24:8 "       \
	"pids@32:8x4 rlim@64=rlimitx16 utime@320:8 stime@328:8 cutime@336:8 cstime@344:8 "          \
	"gtime@352:8 cgtime@360:8 prev_cputime@368=prev_cputime min_flt@384:8 maj_flt@392:8 "       \
	"cmin_flt@400:8 cmaj_flt@408:8 sum_sched_runtime@416:8 group_exit_code@424:4\n"             \
	"struct task_struct 1024 pid@0:4 comm@8:1x16 flags@24:4 signal@32:8 sighand@40:8 "          \
	"__state@48:4 exit_state@52:4 pending@56=sigpending blocked@80:8 thread_node@88=list_head " \
	"utime@104:8 stime@112:8 gtime@120:8 prev_cputime@128=prev_cputime min_flt@144:8 "          \
	"maj_flt@152:8 se@160=sched_entity prio@176:4 static_prio@180:4 rt_priority@184:4 "         \
	"policy@188:4 start_boottime@192:8 exit_signal@200:4 exit_code@204:4 "                      \
	"thread_info@208=thread_info delays@216:8 stack@224:8 stack_vm_area@232:8 "                 \
	"thread@240=thread_struct\n"                                                                \
	"enum MM_FILEPAGES=0 MM_ANONPAGES=1 MM_SWAPENTS=2 MM_SHMEMPAGES=3\n"                        \
	"enum PIDTYPE_PID=0 PIDTYPE_TGID=1 PIDTYPE_PGID=2 PIDTYPE_SID=3\n"

#define MM                                                                                         \
	"struct mm_struct 256 total_vm@0:8 data_vm@8:8 stack_vm@16:8 start_code@24:8 "             \
	"end_code@32:8 start_data@40:8 end_data@48:8 start_brk@56:8 start_stack@64:8 "             \
	"arg_start@72:8 arg_end@80:8 env_start@88:8 env_end@96:8 "

/* Pages are counted per processor since 6.2. */
#define OLD_TYPES COMMON_TYPES "struct mm_rss_stat 32 count@0:8x4\n" MM "rss_stat@104=mm_rss_stat\n"
#define NEW_TYPES COMMON_TYPES MM "rss_stat@104=percpu_counterx4\n"

#define S 1000000000ULL

typedef struct {
	LinuxGuest g;
	VmifsTask task, second; /* two threads of one process */
	guint64 signal, ns;
	GString *out;
	GError *error;
} Fixture;

static void
add_thread(Fixture *f, VmifsTask *task, guint32 pid, const char *comm)
{
	*task = (VmifsTask){ .pid = pid,
			     .tgid = 7,
			     .ppid = 1,
			     .object = linux_guest_new(&f->g, LINUX_STRUCT_TASK) };
	linux_guest_put(&f->g, task->object, LINUX_FIELD_TASK_SIGNAL, f->signal);
	linux_guest_put_text(&f->g, task->object, LINUX_FIELD_TASK_COMM, comm);
	linux_guest_put(&f->g, task->object, LINUX_FIELD_TASK_PRIO, 120);
	linux_guest_put(&f->g, task->object, LINUX_FIELD_TASK_STATIC_PRIO, 120);
	linux_guest_put(&f->g, task->object, LINUX_FIELD_TASK_START_BOOTTIME, 2 * S + 34000000);
	linux_guest_put(&f->g, task->object, LINUX_FIELD_TASK_EXIT_SIGNAL, 17);
	linux_guest_put(&f->g, task->object, LINUX_FIELD_TASK_CPU, 3);
	linux_guest_put(&f->g, task->object, LINUX_FIELD_TASK_MIN_FLT, pid * 10);
}

static void
setup(Fixture *f, const char *types)
{
	*f = (Fixture){ .out = g_string_new(NULL) };
	linux_guest_init(&f->g, types);
	f->signal = linux_guest_new(&f->g, LINUX_STRUCT_SIGNAL);
	f->ns = linux_guest_new(&f->g, LINUX_STRUCT_PID_NAMESPACE);
	linux_guest_symbol(&f->g, "init_pid_ns", f->ns);
	add_thread(f, &f->task, 7, "a (b) c");
	add_thread(f, &f->second, 9, "worker");
	guint64 nodes[] = {
		linux_guest_at(&f->g, f->signal, LINUX_FIELD_SIGNAL_THREAD_HEAD),
		linux_guest_at(&f->g, f->task.object, LINUX_FIELD_TASK_THREAD_NODE),
		linux_guest_at(&f->g, f->second.object, LINUX_FIELD_TASK_THREAD_NODE),
	};
	linux_guest_ring(&f->g, nodes, 3);
	linux_guest_put(&f->g, f->signal, LINUX_FIELD_SIGNAL_NR_THREADS, 2);
	linux_guest_put(&f->g, f->signal, LINUX_FIELD_SIGNAL_MIN_FLT, 1000);
	linux_guest_put(&f->g, f->signal, LINUX_FIELD_SIGNAL_CUTIME, 5 * S);
}

static void
own(Fixture *f, LinuxField field, guint64 value)
{
	linux_guest_put(&f->g, f->task.object, field, value);
}

/* What a living process has beside. */
static void
make_alive(Fixture *f)
{
	LinuxGuest *g = &f->g;
	guint64 sighand = linux_guest_new(g, LINUX_STRUCT_SIGHAND);
	guint64 pid = linux_guest_alloc(g, 128);
	guint64 upid = linux_guest_at(g, pid, LINUX_FIELD_PID_NUMBERS);

	own(f, LINUX_FIELD_TASK_SIGHAND, sighand);
	linux_guest_put(g, sighand, LINUX_FIELD_K_SIGACTION_HANDLER, 1);
	linux_guest_put(g, upid, LINUX_FIELD_UPID_NR, 6);
	linux_guest_put(g, upid, LINUX_FIELD_UPID_NS, f->ns);
	linux_guest_put_element(g, f->signal, LINUX_FIELD_SIGNAL_PIDS, 2, pid);
	linux_guest_put(g, linux_guest_at(g, f->signal, LINUX_FIELD_SIGNAL_RLIM) + 5 * 16,
			LINUX_FIELD_RLIMIT_CUR, G_MAXUINT64);
	guint64 tty = linux_guest_new(g, LINUX_STRUCT_TTY);
	guint64 driver = linux_guest_new(g, LINUX_STRUCT_TTY_DRIVER);
	linux_guest_put(g, f->signal, LINUX_FIELD_SIGNAL_TTY, tty);
	linux_guest_put(g, tty, LINUX_FIELD_TTY_DRIVER, driver);
	linux_guest_put(g, tty, LINUX_FIELD_TTY_INDEX, 300);
	linux_guest_put(g, tty, LINUX_FIELD_TTY_PGRP, pid);
	linux_guest_put(g, driver, LINUX_FIELD_TTY_DRIVER_MAJOR, 136);
}

static void
make_memory(Fixture *f)
{
	static const LinuxField fields[] = {
		LINUX_FIELD_MM_START_CODE, LINUX_FIELD_MM_END_CODE, LINUX_FIELD_MM_START_STACK,
		LINUX_FIELD_MM_START_DATA, LINUX_FIELD_MM_END_DATA, LINUX_FIELD_MM_START_BRK,
		LINUX_FIELD_MM_ARG_START,  LINUX_FIELD_MM_ARG_END,  LINUX_FIELD_MM_ENV_START,
		LINUX_FIELD_MM_ENV_END,
	};

	f->task.mm = linux_guest_new(&f->g, LINUX_STRUCT_MM);
	for (guint i = 0; i < G_N_ELEMENTS(fields); i++)
		linux_guest_put(&f->g, f->task.mm, fields[i], 0x1000 * (i + 1) + 1);
	linux_guest_put(&f->g, f->task.mm, LINUX_FIELD_MM_TOTAL_VM, 100);
	linux_guest_put(&f->g, f->task.mm, LINUX_FIELD_MM_DATA_VM, 20);
	linux_guest_put(&f->g, f->task.mm, LINUX_FIELD_MM_STACK_VM, 3);
}

static void
expect(Fixture *f, gboolean whole, const char *text)
{
	Linux *os = linux_guest_start(&f->g);
	gboolean ok = whole ? linux_render_process_stat(os, &f->task, NULL, f->out, NULL, &f->error)
			    : linux_render_thread_stat(os, &f->task, NULL, f->out, NULL, &f->error);

	ck_assert_msg(ok, "%s", f->error ? f->error->message : "");
	ck_assert_str_eq(f->out->str, text);
	g_string_free(f->out, TRUE);
	linux_guest_clear(&f->g);
}

START_TEST(process_adds_up_its_threads)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	make_alive(&f);
	make_memory(&f);
	expect(&f, TRUE,
	       "7 (a (b) c) R 1 6 0 1083436 6 0 1160 0 0 0 0 0 500 0 20 0 2 0 203 409600 0 "
	       "18446744073709551615 4097 8193 12289 0 0 0 0 1 0 0 0 0 17 3 0 0 0 0 0 16385 20481 "
	       "24577 28673 32769 36865 40961 0\n");
}
END_TEST

START_TEST(thread_does_not)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	make_alive(&f);
	own(&f, LINUX_FIELD_TASK_STATE, 1);
	expect(&f, FALSE,
	       "7 (a (b) c) S 1 6 0 1083436 6 0 70 0 0 0 0 0 500 0 20 0 2 0 203 0 0 "
	       "18446744073709551615 0 0 0 0 0 0 0 1 0 1 0 0 17 3 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
}
END_TEST

START_TEST(zombie_has_lost_its_parents)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	own(&f, LINUX_FIELD_TASK_EXIT_STATE, 0x20);
	own(&f, LINUX_FIELD_TASK_EXIT_CODE, 256);
	expect(&f, TRUE,
	       "7 (a (b) c) Z 0 -1 -1 0 -1 0 1160 0 0 0 0 0 500 0 20 0 0 0 203 0 0 0 0 0 0 0 0 0 0 "
	       "0 0 0 0 0 17 3 0 0 0 0 0 0 0 0 0 0 0 0 256\n");
}
END_TEST

/* The last row is what no kernel has; where it wraps it does so here. */
static const struct {
	guint32 prio, static_prio;
	gint priority, nice;
} priorities[] = { { 49, 100, -51, -20 }, { 1U << 31, 1U << 31, 2147483548, 2147483528 } };

START_TEST(numbers_may_be_negative)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	make_alive(&f);
	linux_guest_put(&f.g, f.signal, LINUX_FIELD_SIGNAL_TTY, 0);
	linux_guest_put(&f.g, f.signal, LINUX_FIELD_SIGNAL_FLAGS, 4);
	linux_guest_put(&f.g, f.signal, LINUX_FIELD_SIGNAL_GROUP_EXIT_CODE, 9);
	own(&f, LINUX_FIELD_TASK_PRIO, priorities[_i].prio);
	own(&f, LINUX_FIELD_TASK_STATIC_PRIO, priorities[_i].static_prio);
	own(&f, LINUX_FIELD_TASK_EXIT_SIGNAL, (guint32) -1);
	own(&f, LINUX_FIELD_TASK_RT_PRIORITY, 50);
	own(&f, LINUX_FIELD_TASK_POLICY, 1);
	g_autofree char *text =
		g_strdup_printf("7 (a (b) c) R 1 6 0 0 -1 0 1160 0 0 0 0 0 500 0 %d %d 2 0 203 0 0 "
				"18446744073709551615 0 0 0 0 0 0 0 1 0 0 0 0 -1 3 50 1 0 0 0 0 0 "
				"0 0 0 0 0 9\n",
				priorities[_i].priority, priorities[_i].nice);
	expect(&f, TRUE, text);
}
END_TEST

START_TEST(registers_are_told_of_who_will_never_run_again)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	make_memory(&f);
	guint64 stack = linux_guest_alloc(&f.g, 4096), area = linux_guest_alloc(&f.g, 16);
	own(&f, LINUX_FIELD_TASK_FLAGS, 0x200);
	own(&f, LINUX_FIELD_TASK_STACK, stack);
	own(&f, LINUX_FIELD_TASK_STACK_AREA, area);
	linux_guest_put(&f.g, area, LINUX_FIELD_VM_STRUCT_NR_PAGES, 1);
	linux_guest_put(&f.g, stack + 4096 - 168, LINUX_FIELD_PT_REGS_IP, 123456);
	linux_guest_put(&f.g, stack + 4096 - 168, LINUX_FIELD_PT_REGS_SP, 654321);
	ck_assert(linux_render_thread_stat(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL,
					   &f.error));
	ck_assert_ptr_nonnull(strstr(f.out->str, " 12289 654321 123456 "));
	g_string_free(f.out, TRUE);
	linux_guest_clear(&f.g);
}
END_TEST

/* ---- wchan of kernels before 5.16 ---- */

#define TEXT G_GUINT64_CONSTANT(0xffffffff81000000)

/* A sleeping task whose frames lead into the scheduler, and from there to ip. */
static void
make_stack(Fixture *f, guint64 ip)
{
	LinuxGuest *g = &f->g;
	guint64 stack = linux_guest_alloc(g, 4096), area = linux_guest_alloc(g, 16);

	own(f, LINUX_FIELD_TASK_STATE, 1);
	own(f, LINUX_FIELD_TASK_STACK, stack);
	own(f, LINUX_FIELD_TASK_STACK_AREA, area);
	own(f, LINUX_FIELD_TASK_THREAD_SP, stack + 0x100);
	linux_guest_put(g, area, LINUX_FIELD_VM_STRUCT_NR_PAGES, 1);
	linux_guest_put(g, stack + 0x100, LINUX_FIELD_INACTIVE_FRAME_BP, stack + 0x200);
	linux_guest_u64(g, stack + 0x200, stack + 0x300);
	linux_guest_u64(g, stack + 0x208, TEXT + 0x10);
	linux_guest_u64(g, stack + 0x300, stack + 0x300);
	linux_guest_u64(g, stack + 0x308, ip);
	linux_guest_symbol(g, "get_wchan", TEXT + 0x1000);
	linux_guest_symbol(g, "__sched_text_start", TEXT);
	linux_guest_symbol(g, "__sched_text_end", TEXT + 0x100);
}

static gboolean
waits(Fixture *f)
{
	LinuxCursor c = { .os = linux_guest_start(&f->g) };
	gboolean ret = linux_waits(&c, f->task.object);

	ck_assert_ptr_null(c.error);
	g_string_free(f->out, TRUE);
	linux_guest_clear(&f->g);
	return ret;
}

START_TEST(frame_outside_of_the_scheduler_is_where_a_task_waits)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	make_stack(&f, TEXT + 0x200);
	ck_assert(waits(&f));
}
END_TEST

START_TEST(frames_that_lead_nowhere_are_none)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	make_stack(&f, TEXT + 0x20); /* a loop within the scheduler */
	if (_i == 1)
		own(&f, LINUX_FIELD_TASK_THREAD_SP, 0x1000);
	if (_i == 2)
		own(&f, LINUX_FIELD_TASK_STACK_AREA, 0);
	ck_assert(!waits(&f));
}
END_TEST

START_TEST(newer_kernels_do_not_ask_the_stack)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	make_stack(&f, TEXT + 0x20);
	linux_guest_symbol(&f.g, "__get_wchan", TEXT + 0x2000);
	ck_assert(waits(&f));
}
END_TEST

START_TEST(what_cannot_be_read_is_an_error)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	f.task.mm = 0x1000;
	ck_assert(!linux_render_process_stat(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL,
					     &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	g_error_free(f.error);
	g_string_free(f.out, TRUE);
	linux_guest_clear(&f.g);
}
END_TEST

/* ---- statm and pages ---- */

static void
put_pages(Fixture *f, gint64 file, gint64 anon, gint64 shmem)
{
	const gint64 pages[] = { file, anon, 0, shmem };
	for (guint i = 0; i < 4; i++) {
		if (linux_layout_has(f->g.layout, LINUX_FIELD_MM_RSS_COUNT) &&
		    linux_layout_member(f->g.layout, LINUX_FIELD_MM_RSS_STAT)->count == 1)
			linux_guest_put_element(&f->g, f->task.mm, LINUX_FIELD_MM_RSS_COUNT, i,
						(guint64) pages[i]);
		else
			linux_guest_put(&f->g,
					linux_guest_at(&f->g, f->task.mm, LINUX_FIELD_MM_RSS_STAT) +
						i * 16,
					LINUX_FIELD_PERCPU_COUNTER_COUNT, (guint64) pages[i]);
	}
}

START_TEST(statm_counts_pages)
{
	Fixture f;
	guint64 share;
	setup(&f, _i ? NEW_TYPES : OLD_TYPES);
	make_memory(&f);
	put_pages(&f, 10, -2, 30);
	if (_i) {
		/* The only processor holds five more pages of files. */
		share = linux_guest_alloc(&f.g, 16);
		linux_guest_u64(&f.g, share, 5);
		for (guint i = 0; i < 4; i++)
			linux_guest_put(&f.g,
					linux_guest_at(&f.g, f.task.mm, LINUX_FIELD_MM_RSS_STAT) +
						i * 16,
					LINUX_FIELD_PERCPU_COUNTER_COUNTERS, share + (i ? 8 : 0));
	}
	ck_assert(
		linux_render_statm(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, _i ? "100 45 45 2 0 23 0\n" : "100 40 40 2 0 23 0\n");
	g_string_free(f.out, TRUE);
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(kernel_thread_has_no_pages)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	ck_assert(
		linux_render_statm(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, "0 0 0 0 0 0 0\n");
	g_string_free(f.out, TRUE);
	linux_guest_clear(&f.g);
}
END_TEST

/* ---- times ---- */

static const struct {
	guint64 utime, stime, runtime, prev_utime, prev_stime; /* seconds */
	guint64 want_utime, want_stime;
} times[] = {
	{ 1, 1, 10, 0, 0, 5, 5 },          { 3, 1, 8, 0, 0, 6, 2 },
	{ 0, 0, 4, 0, 0, 4, 0 },           { 0, 9, 4, 0, 0, 0, 4 },
	{ 9, 0, 4, 0, 0, 4, 0 },           { 1, 1, 10, 7, 5, 7, 5 },
	{ 1, 1, 10, 0, 7, 3, 7 },          { 1, 1, 10, 6, 0, 6, 4 },
	{ 18446744073, 1, 5, 0, 0, 0, 5 }, /* a sum that wraps */
};

START_TEST(time_is_split_by_its_ticks_and_never_goes_back)
{
	LinuxUsage usage;
	Fixture f;
	setup(&f, OLD_TYPES);
	own(&f, LINUX_FIELD_TASK_UTIME, times[_i].utime * S);
	own(&f, LINUX_FIELD_TASK_STIME, times[_i].stime * S);
	own(&f, LINUX_FIELD_TASK_SUM_EXEC_RUNTIME, times[_i].runtime * S);
	own(&f, LINUX_FIELD_TASK_PREV_UTIME, times[_i].prev_utime * S);
	own(&f, LINUX_FIELD_TASK_PREV_STIME, times[_i].prev_stime * S);
	ck_assert(linux_thread_usage(linux_guest_start(&f.g), f.task.object, &usage, &f.error));
	ck_assert_uint_eq(usage.utime / S, times[_i].want_utime);
	ck_assert_uint_eq(usage.stime / S, times[_i].want_stime);
	g_string_free(f.out, TRUE);
	linux_guest_clear(&f.g);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("stat");
	TCase *t = tcase_create("stat");

	tcase_add_test(t, process_adds_up_its_threads);
	tcase_add_test(t, thread_does_not);
	tcase_add_test(t, zombie_has_lost_its_parents);
	tcase_add_loop_test(t, numbers_may_be_negative, 0, G_N_ELEMENTS(priorities));
	tcase_add_test(t, registers_are_told_of_who_will_never_run_again);
	tcase_add_test(t, what_cannot_be_read_is_an_error);
	suite_add_tcase(s, t);
	t = tcase_create("wchan");
	tcase_add_test(t, frame_outside_of_the_scheduler_is_where_a_task_waits);
	tcase_add_loop_test(t, frames_that_lead_nowhere_are_none, 0, 3);
	tcase_add_test(t, newer_kernels_do_not_ask_the_stack);
	suite_add_tcase(s, t);
	t = tcase_create("counters");
	tcase_add_loop_test(t, statm_counts_pages, 0, 2);
	tcase_add_test(t, kernel_thread_has_no_pages);
	tcase_add_loop_test(t, time_is_split_by_its_ticks_and_never_goes_back, 0,
			    G_N_ELEMENTS(times));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
