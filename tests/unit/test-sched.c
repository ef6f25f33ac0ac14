/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sched: the lines of older and newer kernels, of each policy, and of nodes. */
#include <view-test.h>

#define COMMON                                                                                     \
	"struct load_weight 8 weight@0:8\n"                                                        \
	"struct signal_struct 8 nr_threads@0:4\n"                                                  \
	"struct sched_dl_entity 16 runtime@0:8 deadline@8:8\n"
#define TASK                                                                                       \
	"struct task_struct 256 signal@0:8 se@8=sched_entity nvcsw@96:8 nivcsw@104:8 "             \
	"policy@112:4 prio@116:4 dl@120=sched_dl_entity "

static const char old_types[] =
	COMMON "struct util_est 8 enqueued@0:4 ewma@4:4\n"
	       "struct sched_avg 24 load_sum@0:8 util_avg@8:8 util_est@16=util_est\n"
	       "struct sched_entity 80 load@0=load_weight exec_start@8:8 sum_exec_runtime@16:8 "
	       "vruntime@24:8 nr_migrations@32:8 avg@40=sched_avg slice@64:8\n" TASK "\n";

static const char new_types[] = COMMON
	"struct sched_avg 24 load_sum@0:8 util_avg@8:8 util_est@16:4\n"
	"struct sched_entity 80 load@0=load_weight exec_start@8:8 sum_exec_runtime@16:8 "
	"vruntime@24:8 nr_migrations@32:8 avg@40=sched_avg slice@64:8 custom_slice@72:1\n"
	"struct uclamp_se 4 value@0:2\n"
	"struct numa_group 24 gid@0:4 faults@8:8x0\n"
	"struct nodemask_t 8 bits@0:8\n"
	"enum N_POSSIBLE=0 N_ONLINE=1\n"
	"struct mm_struct 8 numa_scan_seq@0:4\n"
	"struct thread_info 8 cpu@4:4\n" TASK "sched_class@136:8 scx@144:8 "
	"uclamp_req@152=uclamp_sex2 numa_pages_migrated@160:8 numa_preferred_nid@168:4 "
	"total_numa_faults@176:8 numa_faults@184:8 numa_group@192:8 thread_info@200=thread_info "
	"mems_allowed@208=nodemask_t\n";

static void
own(Fixture *f, LinuxField field, guint64 value)
{
	linux_guest_put(&f->g, f->task.object, field, value);
}

static void
setup_task(Fixture *f, const char *types)
{
	setup(f, types);
	f->task = (VmifsTask){ .pid = 7, .comm = "some\nthing" };
	f->task.object = linux_guest_new(&f->g, LINUX_STRUCT_TASK);
	guint64 signal = linux_guest_new(&f->g, LINUX_STRUCT_SIGNAL);
	linux_guest_put(&f->g, signal, LINUX_FIELD_SIGNAL_NR_THREADS, 3);
	own(f, LINUX_FIELD_TASK_SIGNAL, signal);
	own(f, LINUX_FIELD_TASK_EXEC_START, 1234567890);
	own(f, LINUX_FIELD_TASK_VRUNTIME, (guint64) -1000001);
	own(f, LINUX_FIELD_TASK_NR_MIGRATIONS, 4);
	own(f, LINUX_FIELD_TASK_NVCSW, 10);
	own(f, LINUX_FIELD_TASK_NIVCSW, 5);
	own(f, LINUX_FIELD_TASK_LOAD_WEIGHT, 1048576);
	own(f, LINUX_FIELD_TASK_UTIL_AVG, 9);
	own(f, LINUX_FIELD_TASK_PRIO, (guint32) -1);
	own(f, LINUX_FIELD_TASK_SLICE, 1400000);
}

static const char *
render(Fixture *f)
{
	ck_assert(linux_render_sched(linux_guest_start(&f->g), &f->task, NULL, f->out, NULL,
				     &f->error));
	return f->out->str;
}

#define BEGIN                                                                                      \
	"some\nthing (7, #threads: 3)\n"                                                           \
	"-------------------------------------------------------------------\n"                    \
	"se.exec_start                                :          1234.567890\n"                    \
	"se.vruntime                                  :            -1.000001\n"                    \
	"se.sum_exec_runtime                          :             0.000000\n"                    \
	"se.nr_migrations                             :                    4\n"                    \
	"nr_switches                                  :                   15\n"                    \
	"nr_voluntary_switches                        :                   10\n"                    \
	"nr_involuntary_switches                      :                    5\n"                    \
	"se.load.weight                               :              1048576\n"                    \
	"se.avg.load_sum                              :                    0\n"                    \
	"se.avg.util_avg                              :                    9\n"

START_TEST(kernel_shows_what_it_keeps)
{
	Fixture f;
	setup_task(&f, old_types);
	own(&f, LINUX_FIELD_TASK_UTIL_EST_EWMA, 105);
	own(&f, LINUX_FIELD_TASK_UTIL_EST_ENQUEUED, 0x80000018);
	ck_assert_str_eq(render(&f), BEGIN
			 "se.avg.util_est.ewma                         :                  105\n"
			 "se.avg.util_est.enqueued                     :                   24\n"
			 "policy                                       :                    0\n"
			 "prio                                         :                   -1\n");
	teardown(&f);
}
END_TEST

static void
make_nodes(Fixture *f)
{
	LinuxGuest *g = &f->g;
	guint64 states = linux_guest_alloc(g, 16), node = linux_guest_alloc(g, 8);
	guint64 faults = linux_guest_alloc(g, 64), group = linux_guest_alloc(g, 64);

	linux_guest_u64(g, states + 8, 1);
	linux_guest_symbol(g, "node_states", states);
	linux_guest_symbol(g, "numa_node", node);
	linux_guest_u64(g, faults, 11);
	linux_guest_u64(g, faults + 8, 12);
	linux_guest_put(g, group, LINUX_FIELD_NUMA_GROUP_GID, 6);
	linux_guest_u64(g, group + 8, 13);
	linux_guest_u64(g, group + 16, 14);
	own(f, LINUX_FIELD_TASK_NUMA_FAULTS, faults);
	own(f, LINUX_FIELD_TASK_NUMA_GROUP, group);
	own(f, LINUX_FIELD_TASK_NUMA_PREFERRED_NID, (guint32) -1);
}

START_TEST(newer_kernel_keeps_more)
{
	Fixture f;
	setup_task(&f, new_types);
	make_nodes(&f);
	own(&f, LINUX_FIELD_TASK_UTIL_EST, 231);
	linux_guest_put_element(&f.g, f.task.object, LINUX_FIELD_TASK_UCLAMP_REQ, 1, 1024);
	linux_guest_symbol(&f.g, "ext_sched_class", 0x5000);
	own(&f, LINUX_FIELD_TASK_SCHED_CLASS, 0x5000);
	f.task.mm = linux_guest_new(&f.g, LINUX_STRUCT_MM);
	linux_guest_put(&f.g, f.task.mm, LINUX_FIELD_MM_NUMA_SCAN_SEQ, 2);
	ck_assert_str_eq(render(&f), BEGIN
			 "se.avg.util_est                              :                  231\n"
			 "uclamp.min                                   :                    0\n"
			 "uclamp.max                                   :                 1024\n"
			 "policy                                       :                    0\n"
			 "prio                                         :                   -1\n"
			 "se.slice                                     :              1400000\n"
			 "ext.enabled                                  :                    1\n"
			 "mm->numa_scan_seq                            :                    2\n"
			 "numa_pages_migrated                          :                    0\n"
			 "numa_preferred_nid                           :                   -1\n"
			 "total_numa_faults                            :                    0\n"
			 "current_node=0, numa_group_id=6\n"
			 "numa_faults node=0 task_private=12 task_shared=11 "
			 "group_private=14 group_shared=13\n");
	teardown(&f);
}
END_TEST

START_TEST(policy_has_numbers_of_its_own)
{
	static const struct {
		guint64 policy;
		gboolean slice, deadline;
	} rows[] = { { 3, TRUE, FALSE }, { 1, FALSE, FALSE }, { 6, FALSE, TRUE } };
	Fixture f;
	setup_task(&f, new_types);
	make_nodes(&f);
	own(&f, LINUX_FIELD_TASK_POLICY, rows[_i].policy);
	const char *text = render(&f);
	ck_assert((strstr(text, "se.slice ") != NULL) == rows[_i].slice);
	ck_assert((strstr(text, "dl.deadline ") != NULL) == rows[_i].deadline);
	teardown(&f);
}
END_TEST

START_TEST(statistics_are_not_told)
{
	Fixture f;
	setup_task(&f, old_types);
	guint64 key = linux_guest_alloc(&f.g, 16);
	linux_guest_u64(&f.g, key, 1);
	linux_guest_symbol(&f.g, "sched_schedstats", key);
	ck_assert(
		!linux_render_sched(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	ck_assert_str_eq(f.out->str, "");
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("sched");
	TCase *t = tcase_create("sched");

	tcase_add_test(t, kernel_shows_what_it_keeps);
	tcase_add_test(t, newer_kernel_keeps_more);
	tcase_add_loop_test(t, policy_has_numbers_of_its_own, 0, 3);
	tcase_add_test(t, statistics_are_not_told);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
