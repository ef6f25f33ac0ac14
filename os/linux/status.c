/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status: /proc/<pid>/status. It grew by lines over the years and loses some by configuration, so
 * each group of lines is a part of its own: printed where this kernel prints it, which its types or
 * the very texts in its read-only data tell, and left out where its values cannot be known.
 */
#include "bits.h"
#include "counters.h"
#include "machine.h"
#include "numbers.h"
#include "state.h"

#define MAX_GROUPS 65536
#define MAX_PID_LEVEL 32
#define RLIMIT_SIGPENDING_INDEX 11
#define MMF_DISABLE_THP 24
#define NODES_WITHOUT_NUMA 1

typedef struct {
	const Linux *os;
	const VmifsTask *task;
	GString *out;
	const VmifsCall *call;
	LinuxCursor c;
} Status;

/* A member of the task, of its signals, of its credentials. */
static guint64
own(Status *s, LinuxField field)
{
	return linux_take(&s->c, s->task->object, field);
}

static guint64
mm(Status *s, LinuxField field)
{
	return linux_take(&s->c, s->task->mm, field);
}

static void
begin(Status *s, const char *name)
{
	g_string_append(s->out, name);
	g_string_append_len(s->out, ":\t", 2);
}

static void
line(Status *s, const char *name, guint64 value)
{
	if (linux_cursor_is_unknown(&s->c))
		return;
	begin(s, name);
	linux_append_number(s->out, value);
	g_string_append_c(s->out, '\n');
}

/* text: (nullable) */
static void
line_text(Status *s, const char *name, const char *text)
{
	if (linux_cursor_is_unknown(&s->c))
		return;
	begin(s, name);
	g_string_append(s->out, text ? text : "");
	g_string_append_c(s->out, '\n');
}

/* ---- who it is ---- */

static void
append_name(Status *s)
{
	g_autoptr(GString) name = g_string_new(NULL);

	if (!s->c.error)
		linux_task_name(s->os, s->task, name, &s->c.error);
	g_string_append(s->out, "Name:\t");
	for (const char *p = name->str; *p; p++) {
		if (*p == '\n')
			g_string_append(s->out, "\\n");
		else if (*p == '\\')
			g_string_append(s->out, "\\\\");
		else
			g_string_append_c(s->out, *p);
	}
	g_string_append_c(s->out, '\n');
}

static void
append_ids(Status *s)
{
	static const LinuxField ids[2][4] = {
		{ LINUX_FIELD_CRED_UID, LINUX_FIELD_CRED_EUID, LINUX_FIELD_CRED_SUID,
		  LINUX_FIELD_CRED_FSUID },
		{ LINUX_FIELD_CRED_GID, LINUX_FIELD_CRED_EGID, LINUX_FIELD_CRED_SGID,
		  LINUX_FIELD_CRED_FSGID },
	};
	guint64 cred = own(s, LINUX_FIELD_TASK_REAL_CRED);

	for (gsize i = 0; i < G_N_ELEMENTS(ids); i++) {
		g_string_append(s->out, i ? "Gid:" : "Uid:");
		for (gsize j = 0; j < G_N_ELEMENTS(ids[i]); j++) {
			g_string_append_c(s->out, '\t');
			linux_append_number(s->out, linux_take(&s->c, cred, ids[i][j]));
		}
		g_string_append_c(s->out, '\n');
	}
}

static void
append_groups(Status *s)
{
	const Linux *os = s->os;
	guint64 cred = own(s, LINUX_FIELD_TASK_REAL_CRED);
	guint64 info = linux_take(&s->c, cred, LINUX_FIELD_CRED_GROUP_INFO);
	guint64 n = linux_take(&s->c, info, LINUX_FIELD_GROUP_INFO_NGROUPS);
	guint64 gid = 0;

	g_string_append(s->out, "Groups:\t");
	for (guint64 i = 0; i < MIN(n, MAX_GROUPS) && !s->c.error; i++) {
		if (i % 256 == 0 && !vmifs_call_check(s->call, &s->c.error))
			return;
		linux_load(os,
			   linux_layout_element(os->layout, LINUX_FIELD_GROUP_INFO_GID, info, i), 4,
			   &gid, &s->c.error);
		g_string_append_printf(s->out, i ? " %u" : "%u", (guint32) gid);
	}
	g_string_append(s->out, " \n");
}

/* The ids of the task in each namespace from the initial one down to its own. */
static void
append_ns_ids(Status *s)
{
	static const struct {
		const char *name;
		LinuxValue type;
	} lines[] = {
		{ "NStgid:", LINUX_VALUE_PIDTYPE_TGID },
		{ "NSpid:", LINUX_VALUE_PIDTYPE_PID },
		{ "NSpgid:", LINUX_VALUE_PIDTYPE_PGID },
		{ "NSsid:", LINUX_VALUE_PIDTYPE_SID },
	};
	const Linux *os = s->os;
	guint64 address, thread = own(s, LINUX_FIELD_TASK_THREAD_PID);
	guint64 level = thread ? linux_take(&s->c, thread, LINUX_FIELD_PID_LEVEL) : 0;

	/* Kernels without pid namespaces have no such lines. */
	if (!thread || level > MAX_PID_LEVEL || !linux_symbol(os, "copy_pid_ns", &address, NULL))
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
		guint64 pid = thread;
		if (lines[i].type != LINUX_VALUE_PIDTYPE_PID)
			pid = linux_signal_pid(&s->c, own(s, LINUX_FIELD_TASK_SIGNAL),
					       lines[i].type);
		g_string_append(s->out, lines[i].name);
		for (guint64 l = 0; l <= level; l++) {
			guint64 upid = linux_layout_element(os->layout, LINUX_FIELD_PID_NUMBERS,
							    thread, l);
			guint64 ns = linux_take(&s->c, upid, LINUX_FIELD_UPID_NS);
			g_string_append_c(s->out, '\t');
			linux_append_number(s->out, linux_pid_number(&s->c, pid, ns));
		}
		g_string_append_c(s->out, '\n');
	}
}

static void
append_umask(Status *s)
{
	guint64 fs = own(s, LINUX_FIELD_TASK_FS);

	if (fs)
		g_string_append_printf(s->out, "Umask:\t%#04o\n",
				       (guint) linux_take(&s->c, fs, LINUX_FIELD_FS_UMASK));
}

static void
append_state(Status *s)
{
	line_text(s, "State", linux_task_state(&s->c, s->task->object));
	line(s, "Tgid", s->task->tgid);
}

static void
append_ngid(Status *s)
{
	guint64 group = 0;

	if (linux_has(s->os, LINUX_FIELD_TASK_NUMA_GROUP))
		group = own(s, LINUX_FIELD_TASK_NUMA_GROUP);
	else if (s->os->is_partial)
		return;
	line(s, "Ngid", group ? linux_take(&s->c, group, LINUX_FIELD_NUMA_GROUP_GID) : 0);
}

static void
append_pids(Status *s)
{
	line(s, "Pid", s->task->pid);
	line(s, "PPid", s->task->ppid);
}

static void
append_tracer(Status *s)
{
	guint64 tracer = 0;

	if (own(s, LINUX_FIELD_TASK_PTRACE))
		tracer = linux_take(&s->c, own(s, LINUX_FIELD_TASK_PARENT), LINUX_FIELD_TASK_PID);
	line(s, "TracerPid", tracer);
}

static void
append_fd_size(Status *s)
{
	guint64 files = own(s, LINUX_FIELD_TASK_FILES), max_fds = 0;

	if (files)
		max_fds = linux_take(&s->c, linux_take(&s->c, files, LINUX_FIELD_FILES_FDT),
				     LINUX_FIELD_FDTABLE_MAX_FDS);
	line(s, "FDSize", max_fds);
}

static void
append_kind(Status *s)
{
	if (linux_has_text(s->os, LINUX_TEXT_KTHREAD))
		line(s, "Kthread", (own(s, LINUX_FIELD_TASK_FLAGS) & LINUX_PF_KTHREAD) != 0);
}

/* Each of these may be unknown by itself. */
static void
append_identity(Status *s)
{
	static void (*const lines[])(Status * s) = {
		append_name,   append_umask,  append_state, append_ngid,
		append_pids,   append_tracer, append_ids,   append_fd_size,
		append_groups, append_ns_ids, append_kind,
	};

	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
		gsize start = s->out->len;

		lines[i](s);
		if (linux_cursor_is_unknown(&s->c))
			g_string_truncate(s->out, start);
	}
}

/* ---- memory ---- */

static void
line_kb(Status *s, const char *name, guint64 kb)
{
	if (linux_cursor_is_unknown(&s->c))
		return;
	begin(s, name);
	linux_append_padded(s->out, kb, 8);
	g_string_append_len(s->out, " kB\n", 4);
}

static void
line_pages(Status *s, const char *name, guint64 n)
{
	line_kb(s, name, linux_pages_kb(s->os, n));
}

static guint64
page_align(const Status *s, guint64 address)
{
	return (address + linux_page_size(s->os) - 1) & ~(linux_page_size(s->os) - 1);
}

static void
append_rss(Status *s, const LinuxRss *rss)
{
	guint64 resident = rss->anon + rss->file + rss->shmem;

	line_pages(s, "VmHWM", MAX(resident, mm(s, LINUX_FIELD_MM_HIWATER_RSS)));
	line_pages(s, "VmRSS", resident);
	line_pages(s, "RssAnon", rss->anon);
	line_pages(s, "RssFile", rss->file);
	line_pages(s, "RssShmem", rss->shmem);
}

static void
append_sizes(Status *s)
{
	LinuxRss rss = { 0 };
	guint64 total = mm(s, LINUX_FIELD_MM_TOTAL_VM);
	guint64 exec = mm(s, LINUX_FIELD_MM_EXEC_VM) << linux_page_shift(s->os);
	guint64 text = page_align(s, mm(s, LINUX_FIELD_MM_END_CODE)) -
		       (mm(s, LINUX_FIELD_MM_START_CODE) & ~(linux_page_size(s->os) - 1));

	if (linux_cursor_is_unknown(&s->c))
		return;
	if (!s->c.error)
		linux_rss(s->os, s->task->mm, TRUE, &rss, s->call, &s->c.error);
	gboolean no_rss = linux_cursor_is_unknown(&s->c);
	text = MIN(text, exec);
	line_pages(s, "VmPeak", MAX(total, mm(s, LINUX_FIELD_MM_HIWATER_VM)));
	line_pages(s, "VmSize", total);
	line_pages(s, "VmLck", mm(s, LINUX_FIELD_MM_LOCKED_VM));
	line_pages(s, "VmPin", mm(s, LINUX_FIELD_MM_PINNED_VM));
	if (!no_rss)
		append_rss(s, &rss);
	line_pages(s, "VmData", mm(s, LINUX_FIELD_MM_DATA_VM));
	line_pages(s, "VmStk", mm(s, LINUX_FIELD_MM_STACK_VM));
	line_kb(s, "VmExe", text >> 10);
	line_kb(s, "VmLib", (exec - text) >> 10);
	line_kb(s, "VmPTE", mm(s, LINUX_FIELD_MM_PGTABLES_BYTES) >> 10);
	if (!no_rss)
		line_pages(s, "VmSwap", rss.swap);
	if (linux_has(s->os, LINUX_FIELD_MM_HUGETLB_USAGE))
		line_pages(s, "HugetlbPages", mm(s, LINUX_FIELD_MM_HUGETLB_USAGE));
}

static void
append_memory(Status *s)
{
	const Linux *os = s->os;
	guint64 address;

	append_sizes(s);
	if (linux_has_text(os, LINUX_TEXT_CORE_DUMPING)) {
		guint64 core = linux_has(os, LINUX_FIELD_SIGNAL_CORE_STATE)
				       ? linux_take(&s->c, own(s, LINUX_FIELD_TASK_SIGNAL),
						    LINUX_FIELD_SIGNAL_CORE_STATE)
				       : mm(s, LINUX_FIELD_MM_CORE_STATE);
		line(s, "CoreDumping", core != 0);
	}
	if (linux_has_text(os, LINUX_TEXT_THP_ENABLED)) {
		/* The symbol is there where the kernel has huge pages at all. */
		gboolean thp = linux_symbol(os, "transparent_hugepage_flags", &address, NULL);
		gboolean disabled = mm(s, LINUX_FIELD_MM_FLAGS) >> MMF_DISABLE_THP & 1;
		line(s, "THP_enabled", thp && !disabled);
	}
	/* Whether it is the process's own, types would say. */
	if (linux_has_text(os, LINUX_TEXT_UNTAG_MASK) && !os->is_partial) {
		guint64 mask = linux_has(os, LINUX_FIELD_MM_UNTAG_MASK)
				       ? mm(s, LINUX_FIELD_MM_UNTAG_MASK)
				       : linux_machine(os)->untag_mask;
		g_string_append_printf(s->out, "untag_mask:\t%#" G_GINT64_MODIFIER "x\n", mask);
	}
}

/* ---- signals and rights ---- */

static void
line_hex(Status *s, const char *name, guint64 value)
{
	if (linux_cursor_is_unknown(&s->c))
		return;
	begin(s, name);
	linux_append_hex(s->out, value);
	g_string_append_c(s->out, '\n');
}

/* Signals waiting for the user, counted at the user until 5.14, since at its ucounts. */
static guint64
count_pending(Status *s)
{
	const Linux *os = s->os;
	guint64 cred = own(s, LINUX_FIELD_TASK_REAL_CRED), index, n = 0;

	if (!linux_has(os, LINUX_FIELD_CRED_UCOUNTS))
		return linux_take(&s->c, linux_take(&s->c, cred, LINUX_FIELD_CRED_USER),
				  LINUX_FIELD_USER_SIGPENDING);
	guint64 ucounts = linux_take(&s->c, cred, LINUX_FIELD_CRED_UCOUNTS);
	if (!s->c.error &&
	    linux_value(os, LINUX_VALUE_UCOUNT_RLIMIT_SIGPENDING, &index, &s->c.error))
		linux_load(os,
			   linux_layout_element(os->layout, LINUX_FIELD_UCOUNTS_RLIMIT, ucounts,
						index),
			   8, &n, &s->c.error);
	return (guint32) n;
}

static void
append_queue(Status *s, guint64 signal)
{
	guint64 pending = 0, limit = 0;

	if (signal) {
		pending = count_pending(s);
		limit = linux_rlimit(&s->c, signal, RLIMIT_SIGPENDING_INDEX);
	}
	if (linux_cursor_is_unknown(&s->c))
		return;
	begin(s, "SigQ");
	linux_append_number(s->out, pending);
	g_string_append_c(s->out, '/');
	linux_append_number(s->out, limit);
	g_string_append_c(s->out, '\n');
}

/* A task that has been waited for has none of these any more. */
static void
append_signals(Status *s)
{
	guint64 sighand = own(s, LINUX_FIELD_TASK_SIGHAND), ignored = 0, caught = 0;
	guint64 signal = sighand ? own(s, LINUX_FIELD_TASK_SIGNAL) : 0;

	/* It is not known whether it has. */
	if (linux_cursor_is_unknown(&s->c))
		return;
	line(s, "Threads", signal ? linux_take(&s->c, signal, LINUX_FIELD_SIGNAL_NR_THREADS) : 0);
	append_queue(s, signal);
	line_hex(s, "SigPnd", signal ? own(s, LINUX_FIELD_TASK_PENDING) : 0);
	line_hex(s, "ShdPnd",
		 signal ? linux_take(&s->c, signal, LINUX_FIELD_SIGNAL_SHARED_PENDING) : 0);
	line_hex(s, "SigBlk", signal ? own(s, LINUX_FIELD_TASK_BLOCKED) : 0);
	if (sighand && !s->c.error)
		linux_signal_actions(s->os, sighand, &ignored, &caught, &s->c.error);
	if (linux_cursor_is_unknown(&s->c))
		return;
	line_hex(s, "SigIgn", ignored);
	line_hex(s, "SigCgt", caught);
}

static void
append_rights(Status *s)
{
	static const struct {
		const char *name;
		LinuxField field;
	} caps[] = {
		{ "CapInh", LINUX_FIELD_CRED_CAP_INHERITABLE },
		{ "CapPrm", LINUX_FIELD_CRED_CAP_PERMITTED },
		{ "CapEff", LINUX_FIELD_CRED_CAP_EFFECTIVE },
		{ "CapBnd", LINUX_FIELD_CRED_CAP_BSET },
		{ "CapAmb", LINUX_FIELD_CRED_CAP_AMBIENT },
	};
	guint64 cred = own(s, LINUX_FIELD_TASK_REAL_CRED);

	for (gsize i = 0; i < G_N_ELEMENTS(caps); i++)
		line_hex(s, caps[i].name, linux_take(&s->c, cred, caps[i].field));
	line(s, "NoNewPrivs", own(s, LINUX_FIELD_TASK_ATOMIC_FLAGS) & 1);
	if (linux_has(s->os, LINUX_FIELD_TASK_SECCOMP_MODE))
		line(s, "Seccomp", own(s, LINUX_FIELD_TASK_SECCOMP_MODE));
	if (linux_has(s->os, LINUX_FIELD_TASK_SECCOMP_FILTERS))
		line(s, "Seccomp_filters", own(s, LINUX_FIELD_TASK_SECCOMP_FILTERS));
}

static void
append_speculation(Status *s)
{
	guint64 flags = own(s, LINUX_FIELD_TASK_ATOMIC_FLAGS);
	const LinuxMachine *machine = linux_machine(s->os);
	const char *text;

	if (!s->c.error && linux_has_text(s->os, LINUX_TEXT_STORE_BYPASS) &&
	    machine->store_bypass) {
		text = machine->store_bypass(s->os, flags, &s->c.error);
		line_text(s, "Speculation_Store_Bypass", text);
	}
	if (!s->c.error && linux_has_text(s->os, LINUX_TEXT_INDIRECT_BRANCH) &&
	    machine->indirect_branch) {
		text = machine->indirect_branch(s->os, flags, &s->c.error);
		line_text(s, "SpeculationIndirectBranch", text);
	}
}

/* ---- where it may run ---- */

static void
append_mask(Status *s, const char *name, LinuxField field, guint32 n_bits)
{
	VmifsMember member;

	if (s->c.error || !linux_member(s->os, field, &member, &s->c.error))
		return;
	gsize len = (n_bits + 7) / 8;
	if (len > member.size) {
		g_set_error(&s->c.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "%u bits in a mask of %" G_GUINT64_FORMAT " bytes", n_bits,
			    member.size);
		return;
	}
	g_autofree guint8 *bits = g_malloc0(len);
	linux_get_bytes(s->os, s->task->object, field, bits, len, &s->c.error);
	begin(s, name);
	linux_bits_append_hex(s->out, bits, n_bits);
	g_string_append_c(s->out, '\n');
	g_string_append(s->out, name);
	g_string_append(s->out, "_list:\t");
	linux_bits_append_list(s->out, bits, n_bits);
	g_string_append_c(s->out, '\n');
}

static void
append_places(Status *s)
{
	VmifsMember mems;
	guint64 address;

	append_mask(s, "Cpus_allowed", LINUX_FIELD_TASK_CPUS_MASK, linux_n_cpus(s->os));
	if (!linux_member(s->os, LINUX_FIELD_TASK_MEMS_ALLOWED, &mems, NULL))
		return;
	/* As many bits as the kernel may have nodes, not as many as there are. */
	gboolean numa = linux_symbol(s->os, "nr_node_ids", &address, NULL);
	guint bits = linux_machine(s->os)->node_bits;
	append_mask(s, "Mems_allowed", LINUX_FIELD_TASK_MEMS_ALLOWED,
		    !numa                    ? NODES_WITHOUT_NUMA
		    : bits && mems.size <= 8 ? bits
					     : (guint32) MIN(mems.size * 8, 8192));
}

static void
append_switches(Status *s)
{
	line(s, "voluntary_ctxt_switches", own(s, LINUX_FIELD_TASK_NVCSW));
	line(s, "nonvoluntary_ctxt_switches", own(s, LINUX_FIELD_TASK_NIVCSW));
}

static void
append_features(Status *s)
{
	static const struct {
		const char *name;
		LinuxField field;
	} lines[] = {
		{ "x86_Thread_features", LINUX_FIELD_TASK_THREAD_FEATURES },
		{ "x86_Thread_features_locked", LINUX_FIELD_TASK_THREAD_FEATURES_LOCKED },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
		if (!linux_has(s->os, lines[i].field))
			continue;
		guint64 features = own(s, lines[i].field);
		g_string_append_printf(s->out, "%s:\t%s%s\n", lines[i].name,
				       features & 1 ? "shstk " : "", features & 2 ? "wrss " : "");
	}
}

/* ---- the file ---- */

static const struct {
	const char *what;
	void (*append)(Status *s);
	gboolean of_mm; /* only tasks with memory of their own have it */
} parts[] = {
	{ "identity", append_identity, FALSE },       { "memory", append_memory, TRUE },
	{ "signals", append_signals, FALSE },         { "rights", append_rights, FALSE },
	{ "speculation", append_speculation, FALSE }, { "places", append_places, FALSE },
	{ "switches", append_switches, FALSE },       { "features", append_features, FALSE },
};

LINUX_VIEW(linux_render_status)
{
	Status s = { .os = os, .task = task, .out = out, .call = call, .c = { .os = os } };

	for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
		gsize start = out->len;

		if (parts[i].of_mm && !task->mm)
			continue;
		parts[i].append(&s);
		if (!s.c.error)
			continue;
		g_string_truncate(out, start);
		if (i == 0)
			return linux_cursor_end(&s.c, error);
		/* Not what is missing, but the time for it. */
		if (!vmifs_call_check(call, error)) {
			g_clear_error(&s.c.error);
			return FALSE;
		}
		/* What this kernel lacks it lacks for every task: no news. */
		if (!g_error_matches(s.c.error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED))
			vmifs_guest_log(s.os->guest, "status of task %u: %s: %s", task->pid,
					parts[i].what, s.c.error->message);
		g_clear_error(&s.c.error);
	}
	return TRUE;
}
