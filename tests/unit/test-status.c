/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status: the lines of a process and of a kernel thread, those that only some kernels print, and
 * what becomes of a part that cannot be known.
 */
#include <unit.h>

#include <linux-guest.h>
#include <os/linux/mitigations.h>
#include <os/linux/state.h>

#define OLD_TYPES                                                                                  \
	"struct upid 16 nr@0:4 ns@8:8\n"                                                           \
	"struct pid 64 level@0:4 numbers@16=upidx0\n"                                              \
	"struct pid_namespace 16 level@0:4\n"                                                      \
	"struct group_info 16 ngroups@4:4 gid@8:4x0\n"                                             \
	"struct user_struct 8 sigpending@0:4\n"                                                    \
	"struct fs_struct 8 umask@4:4\n"                                                           \
	"struct fdtable 8 max_fds@0:4\n"                                                           \
	"struct files_struct 8 fdt@0:8\n"                                                          \
	"struct sigset 8 sig@0:8\n"                                                                \
	"struct sigpending 24 signal@16:8\n"                                                       \
	"struct sigaction 32 sa_handler@0:8\n"                                                     \
	"struct k_sigaction 32 sa@0=sigaction\n"                                                   \
	"struct sighand_struct 2048 action@0=k_sigactionx64\n"                                     \
	"struct rlimit 16 rlim_cur@0:8\n"                                                          \
	"struct signal_struct 400 nr_threads@0:4 shared_pending@8=sigpending rlim@32=rlimitx16 "   \
	"pids@288:8x4 core_state@320:8\n"                                                          \
	"struct mm_rss_stat 32 count@0:8x4\n"                                                      \
	"struct mm_struct 256 total_vm@0:8 exec_vm@8:8 end_code@16:8 start_code@24:8 "             \
	"hiwater_vm@32:8 hiwater_rss@40:8 locked_vm@48:8 pinned_vm@56:8 data_vm@64:8 "             \
	"stack_vm@72:8 pgtables_bytes@80:8 rss_stat@96=mm_rss_stat flags@128:8\n"                  \
	"struct cpuinfo_x86 64 x86_capability@0:4x4\nenum NR_CPUID_WORDS=3\n"                      \
	"enum MM_FILEPAGES=0 MM_ANONPAGES=1 MM_SWAPENTS=2 MM_SHMEMPAGES=3\n"                       \
	"enum PIDTYPE_PID=0 PIDTYPE_TGID=1 PIDTYPE_PGID=2 PIDTYPE_SID=3\n"

#define CRED                                                                                       \
	"uid@0:4 euid@4:4 suid@8:4 fsuid@12:4 gid@16:4 egid@20:4 sgid@24:4 fsgid@28:4 "            \
	"group_info@32:8 cap_inheritable@40:8 cap_permitted@48:8 cap_effective@56:8 "              \
	"cap_bset@64:8 cap_ambient@72:8 "

#define TASK                                                                                       \
	"struct cpumask 16 bits@0:8x2\nstruct nodemask 16 bits@0:8x2\n"                            \
	"struct task_struct 512 pid@0:4 comm@8:1x16 flags@24:4 signal@32:8 sighand@40:8 "          \
	"real_cred@48:8 fs@56:8 files@64:8 __state@72:4 exit_state@76:4 ptrace@80:4 parent@88:8 "  \
	"thread_pid@96:8 blocked@104:8 pending@112=sigpending atomic_flags@136:8 "                 \
	"cpus_mask@144=cpumask nvcsw@176:8 nivcsw@184:8 "

/* The least that a kernel has; and one with everything that came or can be set up. */
static const char least[] = OLD_TYPES "struct cred 96 " CRED "user@80:8\n" TASK "\n";
static const char most[] =
	OLD_TYPES "struct cred 96 " CRED "ucounts@80:8\n"
		  "struct ucounts 64 rlimit@8:8x4\n"
		  "enum UCOUNT_RLIMIT_SIGPENDING=2\n"
		  "struct seccomp 8 mode@0:4 filter_count@4:4\n"
		  "struct thread_struct 16 features@0:8 features_locked@8:8\n"
		  "struct numa_group 8 gid@4:4\n" TASK
		  "mems_allowed@192=nodemask seccomp@208=seccomp thread@216=thread_struct "
		  "numa_group@232:8\n";

typedef struct {
	LinuxGuest g;
	VmifsTask task;
	guint64 signal, sighand, cred, fs, files, fdt, ns, pid, mm;
	GString *out;
	GError *error;
} Fixture;

static guint64
variable(Fixture *f, const char *name, guint64 value)
{
	guint64 va = linux_guest_alloc(&f->g, 64);
	linux_guest_u64(&f->g, va, value);
	linux_guest_symbol(&f->g, name, va);
	return va;
}

static void
own(Fixture *f, LinuxField field, guint64 value)
{
	linux_guest_put(&f->g, f->task.object, field, value);
}

static void
make_process(Fixture *f)
{
	LinuxGuest *g = &f->g;

	f->signal = linux_guest_new(g, LINUX_STRUCT_SIGNAL);
	f->sighand = linux_guest_new(g, LINUX_STRUCT_SIGHAND);
	f->cred = linux_guest_new(g, LINUX_STRUCT_CRED);
	f->fs = linux_guest_new(g, LINUX_STRUCT_FS);
	f->files = linux_guest_new(g, LINUX_STRUCT_FILES);
	f->fdt = linux_guest_new(g, LINUX_STRUCT_FDTABLE);
	f->mm = linux_guest_new(g, LINUX_STRUCT_MM);
	f->ns = linux_guest_new(g, LINUX_STRUCT_PID_NAMESPACE);
	f->pid = linux_guest_alloc(g, 128);
	f->task = (VmifsTask){ .pid = 7,
			       .tgid = 7,
			       .ppid = 1,
			       .object = linux_guest_new(g, LINUX_STRUCT_TASK),
			       .mm = f->mm };
	own(f, LINUX_FIELD_TASK_SIGNAL, f->signal);
	own(f, LINUX_FIELD_TASK_SIGHAND, f->sighand);
	own(f, LINUX_FIELD_TASK_REAL_CRED, f->cred);
	own(f, LINUX_FIELD_TASK_FS, f->fs);
	own(f, LINUX_FIELD_TASK_FILES, f->files);
	own(f, LINUX_FIELD_TASK_THREAD_PID, f->pid);
	own(f, LINUX_FIELD_TASK_STATE, 1);
	linux_guest_put_text(g, f->task.object, LINUX_FIELD_TASK_COMM, "a\nb\\c");
	linux_guest_put(g, f->fs, LINUX_FIELD_FS_UMASK, 022);
	linux_guest_put(g, f->files, LINUX_FIELD_FILES_FDT, f->fdt);
	linux_guest_put(g, f->fdt, LINUX_FIELD_FDTABLE_MAX_FDS, 64);
	linux_guest_put(g, f->signal, LINUX_FIELD_SIGNAL_NR_THREADS, 2);
	linux_guest_symbol(g, "init_pid_ns", f->ns);
	variable(f, "nr_cpu_ids", 6);
}

static void
make_rights(Fixture *f)
{
	LinuxGuest *g = &f->g;
	guint64 groups = linux_guest_alloc(g, 64);
	guint64 user = linux_guest_alloc(g, 64);

	linux_guest_put(g, f->cred, LINUX_FIELD_CRED_GROUP_INFO, groups);
	linux_guest_put(g, groups, LINUX_FIELD_GROUP_INFO_NGROUPS, 2);
	linux_guest_put_element(g, groups, LINUX_FIELD_GROUP_INFO_GID, 0, 4);
	linux_guest_put_element(g, groups, LINUX_FIELD_GROUP_INFO_GID, 1, 27);
	linux_guest_put(g, f->cred, LINUX_FIELD_CRED_UID, 1000);
	linux_guest_put(g, f->cred, LINUX_FIELD_CRED_FSGID, 0xffffffff);
	linux_guest_put(g, f->cred, LINUX_FIELD_CRED_CAP_BSET, 0x1ffffffffff);
	if (linux_layout_has(g->layout, LINUX_FIELD_CRED_UCOUNTS)) {
		linux_guest_put(g, f->cred, LINUX_FIELD_CRED_UCOUNTS, user);
		linux_guest_put_element(g, user, LINUX_FIELD_UCOUNTS_RLIMIT, 2, 3);
	} else {
		linux_guest_put(g, f->cred, LINUX_FIELD_CRED_USER, user);
		linux_guest_put(g, user, LINUX_FIELD_USER_SIGPENDING, 3);
	}
	linux_guest_put(g, linux_guest_at(g, f->signal, LINUX_FIELD_SIGNAL_RLIM) + 11 * 16,
			LINUX_FIELD_RLIMIT_CUR, 1796);
	for (guint i = 0; i < 64; i++)
		linux_guest_put(g,
				linux_guest_at(g, f->sighand, LINUX_FIELD_SIGHAND_ACTION) + i * 32,
				LINUX_FIELD_K_SIGACTION_HANDLER,
				i == 1    ? 1
				: i == 63 ? 0x4000
					  : 0);
}

static void
make_memory(Fixture *f)
{
	static const struct {
		LinuxField field;
		guint64 value;
	} members[] = {
		{ LINUX_FIELD_MM_TOTAL_VM, 1000 },       { LINUX_FIELD_MM_EXEC_VM, 10 },
		{ LINUX_FIELD_MM_START_CODE, 0x400100 }, { LINUX_FIELD_MM_END_CODE, 0x405001 },
		{ LINUX_FIELD_MM_HIWATER_VM, 1200 },     { LINUX_FIELD_MM_HIWATER_RSS, 5 },
		{ LINUX_FIELD_MM_LOCKED_VM, 1 },         { LINUX_FIELD_MM_DATA_VM, 44 },
		{ LINUX_FIELD_MM_STACK_VM, 33 },         { LINUX_FIELD_MM_PGTABLES_BYTES, 36864 },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(members); i++)
		linux_guest_put(&f->g, f->mm, members[i].field, members[i].value);
	for (guint i = 0; i < 4; i++)
		linux_guest_put_element(&f->g, f->mm, LINUX_FIELD_MM_RSS_COUNT, i, i * 10 + 1);
}

/* Read-only data with the texts of the newest kernels. */
static void
make_rodata(Fixture *f)
{
	static const char texts[] = "Kthread:\t%c\n\0CoreDumping:\t\0THP_enabled:\t%d\n\0"
				    "untag_mask:\t%#lx\n\0\nSpeculation_Store_Bypass:\t\0"
				    "\nSpeculationIndirectBranch:\t";
	guint64 start = linux_guest_alloc(&f->g, 600000);

	/* Across the end of a piece that is read at once. */
	linux_guest_write(&f->g, start + 256 * 1024 - 20, texts, sizeof texts);
	linux_guest_symbol(&f->g, "__start_rodata", start);
	linux_guest_symbol(&f->g, "__end_rodata", start + 600000);
}

/* A processor with those bugs (bits of the first word), described by three capability words. */
static void
make_processor(Fixture *f, guint64 bugs)
{
	guint64 names = linux_guest_alloc(&f->g, 32 * 8), cpu = linux_guest_alloc(&f->g, 64);

	linux_guest_u64(&f->g, names + 16 * 8, linux_guest_string(&f->g, "spectre_v2"));
	linux_guest_u64(&f->g, names + 17 * 8, linux_guest_string(&f->g, "spec_store_bypass"));
	linux_guest_symbol(&f->g, "x86_bug_flags", names);
	linux_guest_put_element(&f->g, cpu, LINUX_FIELD_CPUINFO_CAPABILITY, 3, bugs);
	linux_guest_symbol(&f->g, "boot_cpu_data", cpu);
}

static void
setup(Fixture *f, const char *types)
{
	*f = (Fixture){ .out = g_string_new(NULL) };
	linux_guest_init(&f->g, types);
	make_process(f);
	make_rights(f);
	make_memory(f);
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_string_free(f->out, TRUE);
	g_clear_error(&f->error);
}

static void
render(Fixture *f)
{
	ck_assert_msg(linux_render_status(linux_guest_start(&f->g), &f->task, NULL, f->out, NULL,
					  &f->error),
		      "%s", f->error ? f->error->message : "");
}

#define IDENTITY                                                                                   \
	"Name:\ta\\nb\\\\c\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t7\nNgid:\t0\nPid:\t7\n"     \
	"PPid:\t1\nTracerPid:\t0\nUid:\t1000\t0\t0\t0\nGid:\t0\t0\t0\t4294967295\nFDSize:\t64\n"   \
	"Groups:\t4 27 \n"
#define MEMORY                                                                                     \
	"VmPeak:\t    4800 kB\nVmSize:\t    4000 kB\nVmLck:\t       4 kB\nVmPin:\t       0 kB\n"   \
	"VmHWM:\t     172 kB\nVmRSS:\t     172 kB\nRssAnon:\t      44 kB\nRssFile:\t       4 kB\n" \
	"RssShmem:\t     124 kB\nVmData:\t     176 kB\nVmStk:\t     132 kB\nVmExe:\t      24 kB\n" \
	"VmLib:\t      16 kB\nVmPTE:\t      36 kB\nVmSwap:\t      84 kB\n"
#define SIGNALS                                                                                    \
	"Threads:\t2\nSigQ:\t3/1796\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\n"       \
	"SigBlk:\t0000000000000000\nSigIgn:\t0000000000000002\nSigCgt:\t8000000000000000\n"
#define RIGHTS                                                                                     \
	"CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"        \
	"CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\n"
#define PLACES "Cpus_allowed:\t00\nCpus_allowed_list:\t\n"
#define SWITCHES "voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n"

START_TEST(least_kernel_prints_the_least)
{
	Fixture f;
	setup(&f, least);
	render(&f);
	ck_assert_str_eq(f.out->str, IDENTITY MEMORY SIGNALS RIGHTS PLACES SWITCHES);
	g_autofree char *log = linux_guest_log(&f.g);
	ck_assert_str_eq(log, "");
	teardown(&f);
}
END_TEST

START_TEST(newest_kernel_prints_everything)
{
	Fixture f;
	setup(&f, most);
	make_rodata(&f);
	make_processor(&f, 1 << 16);
	variable(&f, "ssb_mode", 0);
	variable(&f, "spectre_v2_user_ibpb", 0);
	variable(&f, "spectre_v2_user_stibp", 0);
	variable(&f, "transparent_hugepage_flags", 0);
	variable(&f, "nr_node_ids", 1);
	linux_guest_symbol(&f.g, "copy_pid_ns", 1);
	linux_guest_put(&f.g, f.pid, LINUX_FIELD_PID_LEVEL, 1);
	guint64 upids = linux_guest_at(&f.g, f.pid, LINUX_FIELD_PID_NUMBERS);
	guint64 inner = linux_guest_new(&f.g, LINUX_STRUCT_PID_NAMESPACE);
	linux_guest_put(&f.g, inner, LINUX_FIELD_PID_NAMESPACE_LEVEL, 1);
	linux_guest_put(&f.g, upids, LINUX_FIELD_UPID_NR, 7);
	linux_guest_put(&f.g, upids, LINUX_FIELD_UPID_NS, f.ns);
	linux_guest_put(&f.g, upids + 16, LINUX_FIELD_UPID_NR, 2);
	linux_guest_put(&f.g, upids + 16, LINUX_FIELD_UPID_NS, inner);
	linux_guest_put_element(&f.g, f.signal, LINUX_FIELD_SIGNAL_PIDS, 1, f.pid);
	own(&f, LINUX_FIELD_TASK_CPUS_MASK, 0xb);
	own(&f, LINUX_FIELD_TASK_MEMS_ALLOWED, 1);
	own(&f, LINUX_FIELD_TASK_SECCOMP_MODE, 2);
	own(&f, LINUX_FIELD_TASK_SECCOMP_FILTERS, 4);
	own(&f, LINUX_FIELD_TASK_THREAD_FEATURES, 3);
	own(&f, LINUX_FIELD_TASK_NVCSW, 240);
	render(&f);
	ck_assert_str_eq(
		f.out->str, IDENTITY
		"NStgid:\t7\t2\nNSpid:\t7\t2\nNSpgid:\t0\t0\nNSsid:\t0\t0\nKthread:\t0\n" MEMORY
		"CoreDumping:\t0\nTHP_enabled:\t1\nuntag_mask:\t0xffffffffffffffff\n" SIGNALS RIGHTS
		"Seccomp:\t2\nSeccomp_filters:\t4\n"
		"Speculation_Store_Bypass:\tnot vulnerable\n"
		"SpeculationIndirectBranch:\talways enabled\n"
		"Cpus_allowed:\t0b\nCpus_allowed_list:\t0-1,3\n"
		"Mems_allowed:\t00000000,00000000,00000000,00000001\n"
		"Mems_allowed_list:\t0\nvoluntary_ctxt_switches:\t240\n"
		"nonvoluntary_ctxt_switches:\t0\n"
		"x86_Thread_features:\tshstk wrss \n"
		"x86_Thread_features_locked:\t\n");
	teardown(&f);
}
END_TEST

START_TEST(kernel_thread_has_no_memory)
{
	Fixture f;
	setup(&f, least);
	f.task.mm = 0;
	render(&f);
	ck_assert_str_eq(f.out->str, IDENTITY SIGNALS RIGHTS PLACES SWITCHES);
	teardown(&f);
}
END_TEST

START_TEST(task_that_was_waited_for_has_no_signals)
{
	Fixture f;
	setup(&f, least);
	f.task.mm = 0;
	own(&f, LINUX_FIELD_TASK_SIGHAND, 0);
	own(&f, LINUX_FIELD_TASK_FS, 0);
	own(&f, LINUX_FIELD_TASK_FILES, 0);
	own(&f, LINUX_FIELD_TASK_EXIT_STATE, 0x10);
	render(&f);
	ck_assert_ptr_null(strstr(f.out->str, "Umask"));
	ck_assert_ptr_nonnull(strstr(f.out->str, "State:\tX (dead)\n"));
	ck_assert_ptr_nonnull(strstr(f.out->str, "FDSize:\t0\n"));
	ck_assert_ptr_nonnull(strstr(f.out->str, "Threads:\t0\nSigQ:\t0/0\n"));
	teardown(&f);
}
END_TEST

START_TEST(part_that_cannot_be_known_is_left_out_and_logged)
{
	Fixture f;
	setup(&f, least);
	linux_guest_put(&f.g, f.cred, LINUX_FIELD_CRED_USER, 0x1000);
	render(&f);
	ck_assert_str_eq(f.out->str, IDENTITY MEMORY RIGHTS PLACES SWITCHES);
	g_autofree char *log = linux_guest_log(&f.g);
	ck_assert_ptr_nonnull(strstr(log, "status of task 7: signals: "));
	teardown(&f);
}
END_TEST

/* What was not inferred is left out alone, and nothing that hangs on it is said to be 0. */
START_TEST(what_was_not_inferred_is_left_out_line_by_line)
{
	Fixture f = { .out = g_string_new(NULL), .task = { .pid = 7, .tgid = 7, .ppid = 1 } };
	linux_guest_init(&f.g,
			 "struct cred 32 uid@0:4 euid@4:4 suid@8:4 fsuid@12:4 gid@16:4 "
			 "egid@20:4 sgid@24:4 fsgid@28:4\n"
			 "struct signal_struct 8 nr_threads@0:4\n"
			 "struct task_struct 64 comm@0:1x16 flags@16:4 ptrace@20:4 parent@24:8 "
			 "signal@32:8 real_cred@40:8\n");
	f.task.object = linux_guest_new(&f.g, LINUX_STRUCT_TASK);
	linux_guest_put_text(&f.g, f.task.object, LINUX_FIELD_TASK_COMM, "sh");
	own(&f, LINUX_FIELD_TASK_REAL_CRED, linux_guest_new(&f.g, LINUX_STRUCT_CRED));
	linux_guest_start(&f.g)->is_partial = TRUE;
	ck_assert(linux_render_status(&f.g.os, &f.task, NULL, f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, "Name:\tsh\nTgid:\t7\nPid:\t7\nPPid:\t1\nTracerPid:\t0\n"
				     "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n");
	teardown(&f);
}
END_TEST

START_TEST(task_that_cannot_be_read_is_an_error)
{
	Fixture f;
	setup(&f, least);
	f.task.object = 0x1000;
	ck_assert(!linux_render_status(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL,
				       &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	ck_assert_uint_eq(f.out->len, 0);
	teardown(&f);
}
END_TEST

START_TEST(enormous_number_of_groups_ends)
{
	Fixture f;
	setup(&f, least);
	guint64 groups = linux_guest_alloc(&f.g, 64);
	linux_guest_put(&f.g, f.cred, LINUX_FIELD_CRED_GROUP_INFO, groups);
	linux_guest_put(&f.g, groups, LINUX_FIELD_GROUP_INFO_NGROUPS, 0x7fffffff);
	render(&f);
	ck_assert_uint_lt(f.out->len, 2 * 1024 * 1024);
	/* Its reader may give up before. */
	const gint yes = 1;
	const VmifsCall given_up = { .cancelled = &yes };
	g_clear_error(&f.error);
	ck_assert(!linux_render_status(&f.g.os, &f.task, NULL, f.out, &given_up, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
	teardown(&f);
}
END_TEST

/* ---- states ---- */

static const struct {
	guint32 state, exit;
	char letter;
} states[] = {
	{ 0, 0, 'R' },       { 1, 0, 'S' },      { 2, 0, 'D' },
	{ 0x104, 0, 'T' },   { 8, 0, 't' },      { 0x80, 0x10, 'X' },
	{ 0x80, 0x20, 'Z' }, { 0x40, 0, 'P' },   { 0x402, 0, 'I' },
	{ 0x2001, 0, 'S' },  { 0x8000, 0, 'D' }, { 0x1000, 0, 'D' },
	{ 0x8402, 0, 'D' },  { 0x80, 0, 'R' },   { 0xffffffff, 0xffffffff, 'D' },
};

START_TEST(state_has_its_letter)
{
	Fixture f;
	setup(&f, least);
	own(&f, LINUX_FIELD_TASK_STATE, states[_i].state);
	own(&f, LINUX_FIELD_TASK_EXIT_STATE, states[_i].exit);
	LinuxCursor c = { .os = linux_guest_start(&f.g) };
	ck_assert_int_eq(*linux_task_state(&c, f.task.object), states[_i].letter);
	ck_assert_ptr_null(c.error);
	teardown(&f);
}
END_TEST

/* ---- speculation ---- */

static const struct {
	gint mode;
	guint32 flags;
	gboolean weak;
	const char *text; /* NULL = refused */
} bypasses[] = {
	{ 0, 0, TRUE, "vulnerable" },
	{ 0, 0, FALSE, "not vulnerable" },
	{ 1, 0, TRUE, "globally mitigated" },
	{ 2, 0, TRUE, "thread vulnerable" },
	{ 3, 1 << 3, TRUE, "thread mitigated" },
	{ 2, 1 << 3 | 1 << 4, TRUE, "thread force mitigated" },
	{ 2, 1 << 3 | 1 << 7, TRUE, "vulnerable" },
	{ 9, 0, TRUE, NULL },
};

START_TEST(store_bypass_is_told)
{
	Fixture f;
	setup(&f, least);
	make_processor(&f, bypasses[_i].weak ? 1 << 17 : 0);
	variable(&f, "ssb_mode", (guint64) bypasses[_i].mode);
	const char *text =
		linux_store_bypass(linux_guest_start(&f.g), bypasses[_i].flags, &f.error);
	if (bypasses[_i].text)
		ck_assert_str_eq(text, bypasses[_i].text);
	else
		ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	teardown(&f);
}
END_TEST

static const struct {
	guint64 ibpb, stibp;
	guint32 flags;
	gboolean weak;
	const char *text;
} branches[] = {
	{ 0, 0, 0, FALSE, "not affected" },
	{ 0, 0, 0, TRUE, "always enabled" },
	{ 3, 0, 0, TRUE, "conditional enabled" },
	{ 0, 4, 1 << 5, TRUE, "conditional disabled" },
	{ 3, 3, 1 << 5 | 1 << 6, TRUE, "conditional force disabled" },
	{ 1, 0, 0, TRUE, "always disabled" },
	{ 0, 2, 0, TRUE, "always disabled" },
	{ 2, 0, 0, TRUE, "not affected" },
};

START_TEST(indirect_branch_is_told)
{
	Fixture f;
	setup(&f, least);
	make_processor(&f, branches[_i].weak ? 1 << 16 : 0);
	variable(&f, "spectre_v2_user_ibpb", branches[_i].ibpb);
	variable(&f, "spectre_v2_user_stibp", branches[_i].stibp);
	const char *text =
		linux_indirect_branch(linux_guest_start(&f.g), branches[_i].flags, &f.error);
	ck_assert_str_eq(text, branches[_i].text);
	teardown(&f);
}
END_TEST

START_TEST(processor_that_is_not_understood_tells_nothing)
{
	Fixture f;
	setup(&f, least);
	guint64 names = linux_guest_alloc(&f.g, 512);
	if (_i) /* without names */
		linux_guest_symbol(&f.g, "x86_bug_flags", names);
	variable(&f, "boot_cpu_data", 0);
	ck_assert_ptr_null(linux_indirect_branch(linux_guest_start(&f.g), 0, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR,
				  _i ? VMIFS_ERROR_HOLE : VMIFS_ERROR_UNSUPPORTED));
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("status");
	TCase *t = tcase_create("status");

	tcase_add_test(t, least_kernel_prints_the_least);
	tcase_add_test(t, newest_kernel_prints_everything);
	tcase_add_test(t, kernel_thread_has_no_memory);
	tcase_add_test(t, task_that_was_waited_for_has_no_signals);
	tcase_add_test(t, part_that_cannot_be_known_is_left_out_and_logged);
	tcase_add_test(t, what_was_not_inferred_is_left_out_line_by_line);
	tcase_add_test(t, task_that_cannot_be_read_is_an_error);
	tcase_add_test(t, enormous_number_of_groups_ends);
	suite_add_tcase(s, t);
	t = tcase_create("state");
	tcase_add_loop_test(t, state_has_its_letter, 0, G_N_ELEMENTS(states));
	suite_add_tcase(s, t);
	t = tcase_create("mitigations");
	tcase_add_loop_test(t, store_bypass_is_told, 0, G_N_ELEMENTS(bypasses));
	tcase_add_loop_test(t, indirect_branch_is_told, 0, G_N_ELEMENTS(branches));
	tcase_add_loop_test(t, processor_that_is_not_understood_tells_nothing, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
