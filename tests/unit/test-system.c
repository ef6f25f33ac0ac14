/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* system: the short texts, the clock, the processors' sums, and dmesg's way to its ring. */
#include <view-test.h>

#include <os/linux/times.h>

#define TYPES                                                                                      \
	"struct new_utsname 390 sysname@0:1x65 nodename@65:1x65 release@130:1x65 "                 \
	"version@195:1x65\n"                                                                       \
	"struct uts_namespace 400 name@0=new_utsname\n"                                            \
	"struct seqcount_raw_spinlock 4 x@0:4\n"                                                   \
	"struct tk_read_base 24 xtime_nsec@0:8 shift@8:4\n"                                        \
	"struct timespec64 16 tv_sec@0:8 tv_nsec@8:8\n"                                            \
	"struct timekeeper 80 tkr_mono@0=tk_read_base xtime_sec@24:8 "                             \
	"wall_to_monotonic@32=timespec64 offs_boot@48:8 offs_real@56:8\n"                          \
	"struct kernel_cpustat 80 cpustat@0:8x10\n"                                                \
	"struct tick_sched 16 idle_sleeptime@0:8 iowait_sleeptime@8:8\n"                           \
	"struct rq 32 nr_running@0:4 nr_switches@8:8 nr_iowait@16:4\n"                             \
	"struct kernel_stat 48 softirqs@8:4x10\n"                                                  \
	"struct percpu_counter 16 count@0:8 counters@8:8\n"                                        \
	"struct hstate 40 order@0:4 nr_huge_pages@8:8 free_huge_pages@16:8 resv_huge_pages@24:8 "  \
	"surplus_huge_pages@32:8\n"                                                                \
	"struct idr 24 idr_next@16:4\n"                                                            \
	"struct pid_namespace 32 idr@0=idr\n"                                                      \
	"struct prb_desc_ring 40 count_bits@0:4 descs@8:8 infos@16:8 head_id@24:8 tail_id@32:8\n"  \
	"struct prb_data_ring 16 size_bits@0:4 data@8:8\n"                                         \
	"struct printk_ringbuffer 64 desc_ring@0=prb_desc_ring text_data_ring@40=prb_data_ring\n"  \
	"struct lpos 16 begin@0:8 next@8:8\n"                                                      \
	"struct prb_desc 24 state_var@0:8 text_blk_lpos@8=lpos\n"                                  \
	"struct printk_info 24 seq@0:8 ts_nsec@8:8 text_len@16:2\n"                                \
	"enum CPUTIME_USER=0 CPUTIME_NICE=1 CPUTIME_SYSTEM=2 CPUTIME_SOFTIRQ=3 CPUTIME_IRQ=4 "     \
	"CPUTIME_IDLE=5 CPUTIME_IOWAIT=6 CPUTIME_STEAL=7 CPUTIME_GUEST=8 CPUTIME_GUEST_NICE=9\n"

/* Where the second processor's variables lie behind the first's. */
#define STRIDE 0x1000

/* Two processors, both possible, the first online. */
static void
make_cpus(Fixture *f)
{
	guint64 offsets = variable(f, "__per_cpu_offset", 0);
	linux_guest_u64(&f->g, offsets + 8, STRIDE);
	variable(f, "nr_cpu_ids", 2);
	variable(f, "__cpu_possible_mask", 3);
	variable(f, "__cpu_online_mask", 1);
}

/* A per-CPU variable; the first processor's own stands where the symbol says. */
static guint64
percpu(Fixture *f, const char *name)
{
	guint64 va = linux_guest_alloc(&f->g, 2 * STRIDE);
	linux_guest_symbol(&f->g, name, va);
	return va;
}

static void
make_clock(Fixture *f)
{
	guint64 tk = variable(f, "tk_core", 0) + 8;
	linux_guest_put(&f->g, tk, LINUX_FIELD_TIMEKEEPER_XTIME_SEC, 1700000000);
	linux_guest_put(&f->g, tk, LINUX_FIELD_TIMEKEEPER_WALL_TO_MONO_SEC, (guint64) -1699999000);
	linux_guest_put(&f->g, tk, LINUX_FIELD_TIMEKEEPER_MONO_SHIFT, 8);
	linux_guest_put(&f->g, tk, LINUX_FIELD_TIMEKEEPER_MONO_XTIME_NSEC, 340000000ULL << 8);
	linux_guest_put(&f->g, tk, LINUX_FIELD_TIMEKEEPER_OFFS_BOOT, 5 * 1000000000ULL);
	linux_guest_put(&f->g, tk, LINUX_FIELD_TIMEKEEPER_OFFS_REAL, 1699999005ULL * 1000000000ULL);
}

START_TEST(version_is_the_kernels_format)
{
	Fixture f;
	setup(&f, TYPES);
	guint64 ns = variable(&f, "init_uts_ns", 0);
	guint64 format = linux_guest_string(&f.g, "%s version %s (gcc 12, 100%) %s %s\n");
	linux_guest_symbol(&f.g, "linux_proc_banner", format);
	linux_guest_put_text(&f.g, ns, LINUX_FIELD_UTS_NAMESPACE_SYSNAME, "Linux");
	linux_guest_put_text(&f.g, ns, LINUX_FIELD_UTS_NAMESPACE_RELEASE, "6.1.0");
	linux_guest_put_text(&f.g, ns, LINUX_FIELD_UTS_NAMESPACE_VERSION, "#1 SMP");
	linux_guest_put_text(&f.g, ns, LINUX_FIELD_UTS_NAMESPACE_NODENAME, "host");
	Linux *os = linux_guest_start(&f.g);
	ck_assert(linux_render_version(os, NULL, NULL, f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, "Linux version 6.1.0 (gcc 12, 100%) #1 SMP %s\n");
	g_string_truncate(f.out, 0);
	ck_assert(linux_render_hostname(os, NULL, NULL, f.out, NULL, &f.error));
	ck_assert(linux_render_ostype(os, NULL, NULL, f.out, NULL, &f.error));
	ck_assert(linux_render_osrelease(os, NULL, NULL, f.out, NULL, &f.error));
	ck_assert(linux_render_uts_version(os, NULL, NULL, f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, "host\nLinux\n6.1.0\n#1 SMP\n");
	teardown(&f);
}
END_TEST

START_TEST(names_do_not_steer_a_terminal)
{
	Fixture f;
	setup(&f, TYPES);
	guint64 ns = variable(&f, "init_uts_ns", 0);
	linux_guest_put_text(&f.g, ns, LINUX_FIELD_UTS_NAMESPACE_NODENAME, "\033[2Ja\\b\nc");
	variable(&f, "saved_command_line", linux_guest_string(&f.g, "a\rb"));
	Linux *os = linux_guest_start(&f.g);
	ck_assert(linux_render_hostname(os, NULL, NULL, f.out, NULL, &f.error));
	ck_assert(linux_render_kernel_cmdline(os, NULL, NULL, f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, "\\033[2Ja\\b\\012c\na\\015b\n");
	teardown(&f);
}
END_TEST

START_TEST(command_line_ends_in_a_newline)
{
	Fixture f;
	setup(&f, TYPES);
	variable(&f, "saved_command_line", linux_guest_string(&f.g, "quiet x=\"a b\""));
	ck_assert(linux_render_kernel_cmdline(linux_guest_start(&f.g), NULL, NULL, f.out, NULL,
					      &f.error));
	ck_assert_str_eq(f.out->str, "quiet x=\"a b\"\n");
	teardown(&f);
}
END_TEST

START_TEST(what_the_kernel_lacks_is_named)
{
	Fixture f;
	setup(&f, TYPES);
	ck_assert(
		!linux_render_version(linux_guest_start(&f.g), NULL, NULL, f.out, NULL, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	ck_assert_ptr_nonnull(strstr(f.error->message, "linux_proc_banner"));
	teardown(&f);
}
END_TEST

START_TEST(pid_max_is_a_variable_of_older_kernels)
{
	Fixture f;
	setup(&f, TYPES);
	variable(&f, "pid_max", 4194304);
	ck_assert(linux_render_pid_max(linux_guest_start(&f.g), NULL, NULL, f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, "4194304\n");
	teardown(&f);
}
END_TEST

START_TEST(uptime_counts_suspension_and_idleness_of_all)
{
	Fixture f;
	setup(&f, TYPES);
	make_cpus(&f);
	make_clock(&f);
	if (_i) {
		variable(&f, "tick_nohz_active", 1);
		guint64 tick = percpu(&f, "tick_cpu_sched");
		linux_guest_put(&f.g, tick, LINUX_FIELD_TICK_SCHED_IDLE, 1000000000);
		linux_guest_put(&f.g, tick + STRIDE, LINUX_FIELD_TICK_SCHED_IDLE, 520000000);
	} else {
		guint64 stat = percpu(&f, "kernel_cpustat");
		linux_guest_put_element(&f.g, stat, LINUX_FIELD_CPUSTAT_TIMES, 5, 1000000000);
		linux_guest_put_element(&f.g, stat + STRIDE, LINUX_FIELD_CPUSTAT_TIMES, 5,
					520000000);
	}
	ck_assert_msg(
		linux_render_uptime(linux_guest_start(&f.g), NULL, NULL, f.out, NULL, &f.error),
		"%s", f.error ? f.error->message : "");
	ck_assert_str_eq(f.out->str, "1005.34 1.52\n");
	const gint yes = 1;
	const VmifsCall given_up = { .cancelled = &yes };
	ck_assert(!linux_render_uptime(&f.g.os, NULL, NULL, f.out, &given_up, &f.error));
	teardown(&f);
}
END_TEST

START_TEST(load_has_its_sums)
{
	Fixture f;
	setup(&f, TYPES);
	make_cpus(&f);
	guint64 averages = variable(&f, "avenrun", 2048 + 1024);
	linux_guest_u64(&f.g, averages + 8, 2047);
	variable(&f, "nr_threads", 82);
	guint64 ns = variable(&f, "init_pid_ns", 0);
	linux_guest_put(&f.g, ns, LINUX_FIELD_PID_NAMESPACE_IDR_NEXT, 155);
	guint64 rq = percpu(&f, "runqueues");
	linux_guest_put(&f.g, rq, LINUX_FIELD_RQ_NR_RUNNING, 2);
	/* Not online. */
	linux_guest_put(&f.g, rq + STRIDE, LINUX_FIELD_RQ_NR_RUNNING, 7);
	ck_assert_msg(
		linux_render_loadavg(linux_guest_start(&f.g), NULL, NULL, f.out, NULL, &f.error),
		"%s", f.error ? f.error->message : "");
	ck_assert_str_eq(f.out->str, "1.50 1.00 0.00 2/82 154\n");
	teardown(&f);
}
END_TEST

START_TEST(stat_has_its_lines)
{
	Fixture f;
	setup(&f, TYPES);
	make_cpus(&f);
	make_clock(&f);
	guint64 stat = percpu(&f, "kernel_cpustat"), rq = percpu(&f, "runqueues");
	guint64 kstat = percpu(&f, "kstat");
	for (guint i = 0; i < 10; i++) {
		linux_guest_put_element(&f.g, stat, LINUX_FIELD_CPUSTAT_TIMES, i, i * 10000000);
		linux_guest_put_element(&f.g, stat + STRIDE, LINUX_FIELD_CPUSTAT_TIMES, i,
					10000000);
		linux_guest_put_element(&f.g, kstat, LINUX_FIELD_KERNEL_STAT_SOFTIRQS, i, i);
	}
	linux_guest_put(&f.g, rq, LINUX_FIELD_RQ_NR_SWITCHES, 5000000000);
	linux_guest_put(&f.g, rq + STRIDE, LINUX_FIELD_RQ_NR_SWITCHES, 1);
	linux_guest_put(&f.g, rq + STRIDE, LINUX_FIELD_RQ_NR_IOWAIT, 3);
	linux_guest_put(&f.g, rq, LINUX_FIELD_RQ_NR_RUNNING, 2);
	variable(&f, "total_forks", 208);
	ck_assert_msg(linux_render_kernel_stat(linux_guest_start(&f.g), NULL, NULL, f.out, NULL,
					       &f.error),
		      "%s", f.error ? f.error->message : "");
	ck_assert_str_eq(f.out->str, "cpu  1 2 3 6 7 5 4 8 9 10\n"
				     "cpu0 0 1 2 5 6 4 3 7 8 9\n"
				     "ctxt 5000000001\nbtime 1699999000\nprocesses 208\n"
				     "procs_running 2\nprocs_blocked 3\n"
				     "softirq 45 0 1 2 3 4 5 6 7 8 9\n");
	teardown(&f);
}
END_TEST

/* ---- processors ---- */

START_TEST(counter_has_the_shares_of_all_processors)
{
	Fixture f;
	gint64 sum;
	setup(&f, TYPES);
	make_cpus(&f);
	guint64 counter = linux_guest_alloc(&f.g, 16), shares = percpu(&f, "shares");
	guint32 minus = GUINT32_TO_LE((guint32) -30);
	linux_guest_put(&f.g, counter, LINUX_FIELD_PERCPU_COUNTER_COUNT, 100);
	linux_guest_put(&f.g, counter, LINUX_FIELD_PERCPU_COUNTER_COUNTERS, shares);
	linux_guest_u64(&f.g, shares, 7);
	linux_guest_write(&f.g, shares + STRIDE, &minus, 4);
	Linux *os = linux_guest_start(&f.g);
	ck_assert(linux_percpu_counter(os, counter, &sum, NULL, &f.error));
	ck_assert_int_eq(sum, 77);
	/* A guest may say that it has thousands of processors. */
	const VmifsCall given_up = { .cancelled = &(gint){ 1 } };
	ck_assert(!linux_percpu_counter(os, counter, &sum, &given_up, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
	teardown(&f);
}
END_TEST

START_TEST(kernel_for_one_processor_has_one)
{
	Fixture f;
	guint64 own;
	setup(&f, TYPES);
	Linux *os = linux_guest_start(&f.g);
	g_autoptr(GArray) cpus = linux_cpus(os, "__cpu_possible_mask", &f.error);
	ck_assert_uint_eq(cpus->len, 1);
	ck_assert_uint_eq(g_array_index(cpus, guint32, 0), 0);
	ck_assert(linux_percpu(os, 0x1234, 0, &own, &f.error));
	ck_assert_uint_eq(own, 0x1234);
	teardown(&f);
}
END_TEST

START_TEST(number_of_processors_is_bounded)
{
	static const guint64 numbers[] = { 0, 4000000000 };
	Fixture f;
	setup(&f, TYPES);
	variable(&f, "nr_cpu_ids", numbers[_i]);
	variable(&f, "__cpu_possible_mask", 5);
	Linux *os = linux_guest_start(&f.g);
	ck_assert_uint_eq(linux_n_cpus(os), _i ? 8192 : 1);
	g_autoptr(GArray) cpus = linux_cpus(os, "__cpu_possible_mask", &f.error);
	ck_assert_uint_eq(cpus->len, _i ? 2 : 1);
	teardown(&f);
}
END_TEST

/* ---- meminfo ---- */

/* Of two sizes the second cannot be read: what is left of the first is not taken for the whole. */
START_TEST(huge_pages_are_told_as_a_whole)
{
	Fixture f;
	setup(&f, TYPES);
	linux_guest_symbol(&f.g, "hstates", LINUX_GUEST_BASE + LINUX_GUEST_LEN - 40 - 40 * !_i);
	variable(&f, "hugetlb_max_hstate", 2);
	variable(&f, "default_hstate_idx", 0);
	ck_assert(linux_render_meminfo(linux_guest_start(&f.g), NULL, NULL, f.out, NULL, &f.error));
	ck_assert_msg((strstr(f.out->str, "HugePages_Total:       0\n") != NULL) == !_i, "%s",
		      f.out->str);
	ck_assert_msg((strstr(f.out->str, "Hugetlb:") != NULL) == !_i, "%s", f.out->str);
	teardown(&f);
}
END_TEST

/* ---- dmesg ---- */

START_TEST(dmesg_finds_its_ring)
{
	Fixture f;
	setup(&f, TYPES);
	LinuxGuest *g = &f.g;
	guint64 ring = linux_guest_new(g, LINUX_STRUCT_PRINTK_RING);
	guint64 descs = linux_guest_alloc(g, 2 * 24), infos = linux_guest_alloc(g, 2 * 24);
	guint64 text = linux_guest_alloc(g, 64);
	variable(&f, "prb", ring);
	linux_guest_put(g, ring, LINUX_FIELD_PRINTK_RING_COUNT_BITS, 1);
	linux_guest_put(g, ring, LINUX_FIELD_PRINTK_RING_TEXT_SIZE_BITS, 6);
	linux_guest_put(g, ring, LINUX_FIELD_PRINTK_RING_DESCS, descs);
	linux_guest_put(g, ring, LINUX_FIELD_PRINTK_RING_INFOS, infos);
	linux_guest_put(g, ring, LINUX_FIELD_PRINTK_RING_TEXT, text);
	linux_guest_put(g, ring, LINUX_FIELD_PRINTK_RING_TAIL_ID, 4);
	linux_guest_put(g, ring, LINUX_FIELD_PRINTK_RING_HEAD_ID, 5);
	linux_guest_put(g, descs, LINUX_FIELD_PRINTK_DESC_STATE, 4 | 2ULL << 62);
	linux_guest_put(g, descs, LINUX_FIELD_PRINTK_DESC_NEXT, 16);
	linux_guest_put(g, descs + 24, LINUX_FIELD_PRINTK_DESC_STATE, 3 | 2ULL << 62);
	linux_guest_put(g, infos, LINUX_FIELD_PRINTK_INFO_TIME, 1000);
	linux_guest_put(g, infos, LINUX_FIELD_PRINTK_INFO_TEXT_LEN, 5);
	linux_guest_write(g, text + 8, "hello", 5);
	ck_assert_msg(linux_render_dmesg(linux_guest_start(g), NULL, NULL, f.out, NULL, &f.error),
		      "%s", f.error ? f.error->message : "");
	ck_assert_str_eq(f.out->str, "[    0.000001] hello\n");
	g_autofree char *log = linux_guest_log(g);
	ck_assert_ptr_nonnull(strstr(log, "dmesg: 1 records"));
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("system");
	TCase *t = tcase_create("texts");

	tcase_add_test(t, version_is_the_kernels_format);
	tcase_add_test(t, names_do_not_steer_a_terminal);
	tcase_add_test(t, command_line_ends_in_a_newline);
	tcase_add_test(t, what_the_kernel_lacks_is_named);
	tcase_add_test(t, pid_max_is_a_variable_of_older_kernels);
	suite_add_tcase(s, t);
	t = tcase_create("sums");
	tcase_add_loop_test(t, uptime_counts_suspension_and_idleness_of_all, 0, 2);
	tcase_add_test(t, load_has_its_sums);
	tcase_add_test(t, stat_has_its_lines);
	tcase_add_test(t, counter_has_the_shares_of_all_processors);
	tcase_add_test(t, kernel_for_one_processor_has_one);
	tcase_add_loop_test(t, number_of_processors_is_bounded, 0, 2);
	suite_add_tcase(s, t);
	t = tcase_create("meminfo");
	tcase_add_loop_test(t, huge_pages_are_told_as_a_whole, 0, 2);
	suite_add_tcase(s, t);
	t = tcase_create("dmesg");
	tcase_add_test(t, dmesg_finds_its_ring);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
