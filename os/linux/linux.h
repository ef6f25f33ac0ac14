/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linux: the attached instance: what every decoder of a guest object works on. A decoder is a file
 * of functions that take it; the table of views in linux.c says which file of the tree each one is.
 */
#pragma once

#include "found.h"
#include "object.h"
#include "texts.h"

#include <spi/os.h>

G_BEGIN_DECLS

/* What a kernel's types do not tell: USER_HZ = 100, how dev_t and task flags are laid out. */
#define LINUX_NS_PER_TICK 10000000
#define LINUX_MINOR_BITS 20
#define LINUX_PF_KTHREAD 0x00200000
#define LINUX_PF_FORKNOEXEC 0x00000040

typedef struct LinuxModuleLayouts LinuxModuleLayouts;
/* What differs between architectures: machine.h. */
typedef struct LinuxMachine LinuxMachine;

typedef struct {
	VmifsGuest *guest;       /* (borrowed) for its log */
	VmifsPhysmem *mem;       /* (borrowed) */
	VmifsAspace *aspace;     /* (borrowed) the kernel's */
	const LinuxFound *found; /* (borrowed) */
	guint *n_told;           /* (borrowed) (nullable) as of LinuxFound */
	VmifsSymbols *symbols;   /* (nullable) of the core kernel */
	char *symbols_origin;    /* where files were asked for them: of which they are */
	gboolean is_text_only;   /* they are of functions, but for those that it exports */
	/* (nullable) variables that its functions speak of (followed.h), or known by what they hold
	 * (contents.h). */
	VmifsSymbols *followed;
	LinuxVmcoreinfo *note; /* (nullable) what it says of itself: found, or by its symbols */
	LinuxLayout *layout;
	guint32 n_types;     /* 0: nothing is known of its types */
	char *types_origin;  /* types.h; NULL: likewise */
	char *types_refused; /* (nullable) */
	/* They were inferred: what they lack the kernel may have all the same. */
	gboolean is_partial;
	const VmifsOptions *options; /* (borrowed) */
	LinuxTexts texts;
	LinuxModuleLayouts *module_layouts; /* module-types.h */
	guint64 seen_clock;                 /* of alive.c, for one thread: when it looked last */
	guint n_still;                      /* looks since then at which it stood still */
} Linux;

/* ---- alive.c ---- */

/* From now on it is seen when its clock has gone back: before the first look it may have been
 * reset, and its successor be at the same place. */
void
linux_alive_begin(Linux *os);
gboolean
linux_alive(gpointer self, gboolean *ret_sure, const VmifsCall *call);

/* The kernel's PAGE_SHIFT and PAGE_SIZE: what its page tables map at least. */
static inline guint
linux_page_shift(const Linux *os)
{
	return vmifs_aspace_page_shift(os->aspace);
}

static inline guint64
linux_page_size(const Linux *os)
{
	return 1ULL << linux_page_shift(os);
}

static inline guint64
linux_pages_kb(const Linux *os, guint64 n_pages)
{
	return n_pages << (linux_page_shift(os) - 10);
}

/* The kernel's HPAGE_PMD_ORDER: a huge page is what a table of the lowest level maps, the entries
 * of which are of a word. */
static inline guint
linux_huge_order(const Linux *os)
{
	return linux_page_shift(os) - 3;
}

/* How many objects of at least that many bytes the guest's memory has room for. */
static inline guint64
linux_room_for(const Linux *os, guint64 least_len)
{
	return vmifs_physmem_ram(os->mem) / least_len;
}

/* ---- what the kernel prints: texts.c ---- */

/* Looks for them all: some milliseconds, and none where the kernel's memory or symbols do not
 * tell. */
gboolean
linux_texts_find(const Linux *os, LinuxTexts *ret, const VmifsCall *call, GError **error);
gboolean
linux_has_text(const Linux *os, LinuxText text);

/* The names that smaps has for the bits of vm_flags: 64 of them, each of as many bytes as returned,
 * 2 or 3; 0 = not found. len: at least 64 * 3. */
guint
linux_flag_names(const Linux *os, char *ret, gsize len);

/* ---- members: get.c ---- */

/* What this kernel's types lack is UNSUPPORTED, naming it. */
static inline gboolean
linux_has(const Linux *os, LinuxField field)
{
	return linux_layout_has(os->layout, field);
}
gboolean
linux_member(const Linux *os, LinuxField field, VmifsMember *ret, GError **error);
gboolean
linux_offset(const Linux *os, LinuxField field, guint64 *ret, GError **error);
gboolean
linux_sizeof(const Linux *os, LinuxStruct structure, guint64 *ret, GError **error);
gboolean
linux_value(const Linux *os, LinuxValue value, guint64 *ret, GError **error);
/* A number of 1, 2, 4 or 8 bytes. */
gboolean
linux_load(const Linux *os, guint64 address, guint64 size, guint64 *ret, GError **error);
/* The number in a field of the structure at object, extended with zeros; of arrays the first. */
static inline gboolean
linux_get(const Linux *os, guint64 object, LinuxField field, guint64 *ret, GError **error)
{
	return linux_read_field(os->aspace, os->layout, field, object, ret, error);
}
/* The lowest address of the kernel's own, of which va is one: with 32 bits, where all of memory is
 * mapped, the image in it. */
guint64
linux_kernel_start(const Linux *os, guint64 va);
/* What the guest's C calls a pointer, a long, a size_t: as wide as its kernel's addresses, whatever
 * this host's are. */
static inline guint32
linux_word(const Linux *os)
{
	return vmifs_aspace_ptr_size(os->aspace);
}
static inline gboolean
linux_load_word(const Linux *os, guint64 address, guint64 *ret, GError **error)
{
	return vmifs_aspace_read_ptr(os->aspace, address, ret, error);
}
/* Addresses wrap where they end; the sign of a long is its highest bit. */
static inline guint64
linux_wrap(const Linux *os, guint64 address)
{
	return linux_word(os) == 8 ? address : (guint32) address;
}
static inline gint64
linux_signed(const Linux *os, guint64 word)
{
	return linux_word(os) == 8 ? (gint64) word : (gint32) word;
}
/* Digits of a pointer as the kernel prints it. */
static inline int
linux_digits(const Linux *os)
{
	return 2 * (int) linux_word(os);
}
/* The i-th one of an array that was copied. */
guint64
linux_word_at(const Linux *os, gconstpointer words, gsize i);
/* Its first bytes, as many as both it and buf hold. */
gboolean
linux_get_bytes(const Linux *os, guint64 object, LinuxField field, gpointer buf, gsize len,
		GError **error);

/* For texts of many numbers: the first failure sticks, everything after it is 0, and whoever made
 * the text looks once, at its end. */
typedef struct {
	const Linux *os;
	GError *error;
} LinuxCursor;

guint64
linux_take(LinuxCursor *c, guint64 object, LinuxField field);
/* error: (taken) (nullable) what failed elsewhere; it sticks if it is the first. A walk whose
 * visits take from the cursor needs an error of its own, for both may fail. */
static inline void
linux_cursor_fail(LinuxCursor *c, GError *error)
{
	if (error && c->error)
		g_error_free(error);
	else if (error)
		c->error = error;
}
/* Of a kernel whose layouts were inferred, what was asked for last may be where nobody knows: then
 * that failure is forgotten, and such a line left out, or marked. */
gboolean
linux_cursor_is_unknown(LinuxCursor *c);
/* FALSE with the first failure. */
gboolean
linux_cursor_end(LinuxCursor *c, GError **error);

/* ---- symbols: get.c ---- */

/* NOT_FOUND, naming the symbol. */
gboolean
linux_symbol(const Linux *os, const char *name, guint64 *ret, GError **error);
/* The pointer or number that a variable of that name holds. */
gboolean
linux_variable(const Linux *os, const char *name, guint32 size, guint64 *ret, GError **error);
gboolean
linux_word_variable(const Linux *os, const char *name, guint64 *ret, GError **error);
/* Is address the first byte of the function or variable `name`? */
gboolean
linux_is_symbol(const Linux *os, guint64 address, const char *name);

/* ---- what the kernel says of itself: dmesg.c ---- */

/* (full) NULL: none was found, and symbols lead to none (kernel/crash_core.c, from 6.9 on
 * kernel/vmcore_info.c: vmcoreinfo_note). */
LinuxVmcoreinfo *
linux_note_of(const Linux *os);

/* ---- processors: percpu.c ---- */

/* Address of processor cpu's copy of a per-CPU variable, given its symbol's value or a pointer as
 * alloc_percpu() returns it. */
gboolean
linux_percpu(const Linux *os, guint64 address, guint32 cpu, guint64 *ret, GError **error);
/* One more than the highest number of a processor. */
guint32
linux_n_cpus(const Linux *os);
/* Numbers (guint32) of the processors in a mask: "__cpu_possible_mask", "__cpu_online_mask". */
GArray *
linux_cpus(const Linux *os, const char *mask, GError **error);
/* Ticks a second, from 1 on. */
gboolean
linux_hz(const Linux *os, guint64 *ret, GError **error);
/* Words of struct cpuinfo_x86's x86_capability that tell features; those behind tell bugs:
 * cpuinfo.c */
gboolean
linux_feature_words(const Linux *os, guint64 *ret, GError **error);
/* count of the struct percpu_counter at address, with the processors' shares. */
gboolean
linux_percpu_counter(const Linux *os, guint64 address, gint64 *ret, const VmifsCall *call,
		     GError **error);

/* ---- tasks.c ---- */

/* The kernel's own limit of process ids; and what a struct task_struct takes at least, of any
 * kernel: those of 32 bits have some 1,500 bytes and more. */
#define LINUX_MAX_TASKS (4 * 1024 * 1024)
#define LINUX_LEAST_TASK 1024

VmifsSymbols *
linux_symbols(gpointer self, const VmifsCall *call, GError **error);
VmifsTaskList *
linux_tasks(gpointer self, const VmifsCall *call, GError **error);
VmifsAspace *
linux_task_aspace(gpointer self, const VmifsTask *task, GError **error);
guint
linux_task_roots(gpointer self, const VmifsTask *task, guint64 *ret, GError **error);
/* The thread whose task_struct is at object. */
gboolean
linux_task_read(const Linux *os, guint64 object, VmifsTask *ret, GError **error);
/* Threads of a process, of guint64: addresses of task_struct. */
gboolean
linux_task_threads(const Linux *os, const VmifsTask *task, GArray *ret, const VmifsCall *call,
		   GError **error);
/* The name that procfs shows: a kernel worker with what it worked on, a kernel thread in full. */
gboolean
linux_task_name(const Linux *os, const VmifsTask *task, GString *out, GError **error);

/* ---- vmas.c ---- */

/* VmifsPerm of vm_area_struct.vm_flags. */
guint32
linux_vma_perms(guint64 vm_flags);
gboolean
linux_vmas(gpointer self, const VmifsTask *task, GArray *ret, const VmifsCall *call,
	   GError **error);

/* ---- paths.c ---- */

/* A place in the mount tree: struct path. */
typedef struct {
	guint64 mnt;    /* struct vfsmount */
	guint64 dentry; /* struct dentry */
} LinuxPath;

gboolean
linux_path_read(const Linux *os, guint64 path, LinuxPath *ret, GError **error);
/* The guest's pid 1, a task_struct: whose view of things is shown. */
gboolean
linux_init_task(const Linux *os, guint64 *ret, GError **error);
/* Its root: what paths are shown from. */
gboolean
linux_path_root(const Linux *os, LinuxPath *ret, GError **error);
/* Appends what procfs shows for path, seen from root. */
gboolean
linux_path_append(const Linux *os, const LinuxPath *path, const LinuxPath *root, GString *out,
		  GError **error);
/* The same of a place that may lie outside of what root sees: FALSE in *ret_below then, and nothing
 * is appended. *steps grows by what it cost. */
gboolean
linux_path_below(const Linux *os, const LinuxPath *path, const LinuxPath *root, GString *out,
		 gboolean *ret_below, guint64 *steps, GError **error);
/* Appends the path of a dentry within its file system; "//deleted" after one that is. *steps grows
 * by what it cost. */
gboolean
linux_dentry_append(const Linux *os, guint64 dentry, GString *out, guint64 *steps, GError **error);
/* Of a dentry that stands for a namespace: "net:[4026531840]". */
gboolean
linux_namespace_append(const Linux *os, guint64 dentry, GString *out, GError **error);

/* ---- super.c: what a file system says of itself in lists of mounts ---- */

/* Appends its options, each after a comma, as its show_options does. root: dentry of the mount. */
gboolean
linux_super_options(const Linux *os, guint64 sb, guint64 root, GString *out, GError **error);
/* Appends which part of it is mounted, escaped. *steps grows by what it cost. */
gboolean
linux_super_path(const Linux *os, guint64 sb, guint64 root, GString *out, guint64 *steps,
		 GError **error);

/* ---- views ---- */

/* Bytes that no line of text may hold: they would move a terminal's cursor or worse. */
#define LINUX_CONTROL_BYTES                                                                        \
	"\001\002\003\004\005\006\007\010\011\012\013\014\015\016\017\020\021\022\023\024\025"     \
	"\026\027\030\031\032\033\034\035\036\037\177"

#define LINUX_VIEW(name)                                                                           \
	gboolean name(gpointer os, const VmifsTask *task, const char *entry, GString *out,         \
		      const VmifsCall *call, GError **error)
#define LINUX_ABOUT(name)                                                                          \
	gboolean name(gpointer os, const VmifsTask *task, const char *entry,                       \
		      guint64 ret[VMIFS_VIEW_WORDS])
#define LINUX_LIST(name)                                                                           \
	gboolean name(gpointer os, const VmifsTask *task, GPtrArray *names, const VmifsCall *call, \
		      GError **error)

/* about.c: what several tasks have in common. */
LINUX_ABOUT(linux_about_net);
LINUX_ABOUT(linux_about_memory);
LINUX_ABOUT(linux_about_mounts);
LINUX_ABOUT(linux_about_cgroup);
LINUX_ABOUT(linux_about_open_file);

LINUX_VIEW(linux_render_maps);
LINUX_VIEW(linux_render_task_modules);
LINUX_VIEW(linux_render_comm);
LINUX_VIEW(linux_render_cmdline);
/* The same, of `most` bytes at most. */
gboolean
linux_append_arguments(Linux *os, const VmifsTask *task, guint64 most, GString *out,
		       GError **error);
LINUX_VIEW(linux_render_environ);
LINUX_VIEW(linux_render_status);
LINUX_VIEW(linux_render_process_stat);
LINUX_VIEW(linux_render_thread_stat);
LINUX_VIEW(linux_render_statm);
LINUX_VIEW(linux_render_exe);
LINUX_VIEW(linux_render_cwd);
LINUX_VIEW(linux_render_root);
LINUX_VIEW(linux_render_fd);
LINUX_LIST(linux_list_fd);
LINUX_VIEW(linux_render_fdinfo);
LINUX_VIEW(linux_render_smaps);
LINUX_VIEW(linux_render_smaps_rollup);
LINUX_VIEW(linux_render_limits);
LINUX_VIEW(linux_render_thread_io);
LINUX_VIEW(linux_render_process_io);
LINUX_VIEW(linux_render_schedstat);
LINUX_VIEW(linux_render_oom_score_adj);
LINUX_VIEW(linux_render_oom_adj);
LINUX_VIEW(linux_render_oom_score);
LINUX_VIEW(linux_render_mountinfo);
LINUX_VIEW(linux_render_mounts);
LINUX_VIEW(linux_render_mountstats);
LINUX_VIEW(linux_render_cgroup);
LINUX_VIEW(linux_render_cpuset);
LINUX_VIEW(linux_render_ns);
LINUX_LIST(linux_list_ns);
LINUX_VIEW(linux_render_uid_map);
LINUX_VIEW(linux_render_gid_map);
LINUX_VIEW(linux_render_projid_map);
LINUX_VIEW(linux_render_setgroups);
LINUX_VIEW(linux_render_personality);
LINUX_VIEW(linux_render_timerslack_ns);
LINUX_VIEW(linux_render_patch_state);
LINUX_VIEW(linux_render_loginuid);
LINUX_VIEW(linux_render_sessionid);
LINUX_VIEW(linux_render_autogroup);
LINUX_VIEW(linux_render_coredump_filter);
LINUX_VIEW(linux_render_auxv);
LINUX_VIEW(linux_render_children);
LINUX_VIEW(linux_render_stack);
LINUX_VIEW(linux_render_wchan);
LINUX_VIEW(linux_render_syscall);
LINUX_VIEW(linux_render_sched);
LINUX_VIEW(linux_render_timers);

/* stops.c, vcpus.c: see VmifsOs. */
gboolean
linux_event_points(gpointer self, VmifsOsEvents which, GArray *ret, GError **error);
gboolean
linux_event_at(gpointer self, VmifsOsEvents which, guint64 address, guint vcpu,
	       const VmifsRegs *regs, VmifsOsEvent *ret, const VmifsCall *call);
gboolean
linux_current(gpointer self, guint vcpu, const VmifsRegs *regs, VmifsTask *ret, GError **error);
/* Can that be told of this kernel at all? FALSE with UNSUPPORTED. */
gboolean
linux_current_is_known(const Linux *os, GError **error);
LINUX_VIEW(linux_render_vcpu_current);
LINUX_VIEW(linux_render_vcpu_stack);
gboolean
linux_has_vcpu_stack(gpointer os);

LINUX_VIEW(linux_render_modules);
LINUX_VIEW(linux_render_dmesg);
LINUX_VIEW(linux_render_iomem);
LINUX_VIEW(linux_render_version);
LINUX_VIEW(linux_render_kernel_cmdline);
LINUX_VIEW(linux_render_uptime);
LINUX_VIEW(linux_render_loadavg);
LINUX_VIEW(linux_render_kernel_stat);
LINUX_VIEW(linux_render_meminfo);
LINUX_VIEW(linux_render_ostype);
LINUX_VIEW(linux_render_osrelease);
LINUX_VIEW(linux_render_uts_version);
LINUX_VIEW(linux_render_hostname);
LINUX_VIEW(linux_render_pid_max);
LINUX_VIEW(linux_render_cpuinfo);
LINUX_VIEW(linux_render_vmstat);
LINUX_VIEW(linux_render_filesystems);
LINUX_VIEW(linux_render_devices);
LINUX_VIEW(linux_render_misc);
LINUX_VIEW(linux_render_swaps);
LINUX_VIEW(linux_render_ioports);
LINUX_VIEW(linux_render_tty_drivers);
LINUX_VIEW(linux_render_threads_max);
LINUX_VIEW(linux_render_cap_last_cap);
LINUX_VIEW(linux_render_ngroups_max);
LINUX_VIEW(linux_render_sys_kernel_random);
LINUX_LIST(linux_list_sys_kernel_random);
LINUX_VIEW(linux_render_sys_vm);
LINUX_LIST(linux_list_sys_vm);
LINUX_VIEW(linux_render_sys_fs);
LINUX_LIST(linux_list_sys_fs);

LINUX_VIEW(linux_render_net_tcp);
LINUX_VIEW(linux_render_net_tcp6);
LINUX_VIEW(linux_render_net_udp);
LINUX_VIEW(linux_render_net_udp6);
LINUX_VIEW(linux_render_net_udplite);
LINUX_VIEW(linux_render_net_udplite6);
LINUX_VIEW(linux_render_net_raw);
LINUX_VIEW(linux_render_net_raw6);
LINUX_VIEW(linux_render_net_icmp);
LINUX_VIEW(linux_render_net_icmp6);
/* Kernels since 7.1 do not. */
gboolean
linux_has_udplite(gpointer os);
LINUX_VIEW(linux_render_net_unix);
LINUX_VIEW(linux_render_net_packet);
LINUX_VIEW(linux_render_net_netlink);
LINUX_VIEW(linux_render_net_dev);
LINUX_VIEW(linux_render_net_dev_mcast);
LINUX_VIEW(linux_render_net_arp);
LINUX_VIEW(linux_render_net_protocols);
LINUX_VIEW(linux_render_net_sockstat);
LINUX_VIEW(linux_render_net_sockstat6);
LINUX_VIEW(linux_render_net_if_inet6);
LINUX_VIEW(linux_render_net_ipv6_route);
LINUX_VIEW(linux_render_net_route);

G_END_DECLS
