/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linux: the driver: what discovery found becomes an instance with the kernel's types and symbols,
 * and a table says which decoder makes which file of the tree. Attaching reads the types and what
 * the kernel prints; everything else is read when it is asked for.
 */
#include "linux.h"

#include "contents.h"
#include "followed.h"
#include "found.h"
#include "given.h"
#include "kept.h"
#include "machine.h"
#include "module-types.h"
#include "modules.h"
#include "net.h"
#include "times.h"
#include "types.h"

/* ---- attaching ---- */

static void
detach(gpointer self)
{
	Linux *os = self;

	g_clear_pointer(&os->layout, linux_layout_free);
	linux_module_layouts_free(os->module_layouts);
	g_clear_pointer(&os->symbols, vmifs_symbols_unref);
	g_clear_pointer(&os->followed, vmifs_symbols_unref);
	g_clear_pointer(&os->note, linux_vmcoreinfo_unref);
	g_free(os->symbols_origin);
	g_free(os->types_origin);
	g_free(os->types_refused);
	g_free(os);
}

static void
find_symbols(Linux *os, const VmifsCall *call)
{
	guint64 task;

	os->symbols = os->found->symbols ? vmifs_symbols_ref(os->found->symbols) : NULL;
	os->is_text_only = os->symbols && !vmifs_symbols_lookup(os->symbols, "init_task", &task);
	if (os->symbols && !os->is_text_only)
		return;
	g_autoptr(GString) refused = g_string_new(NULL);
	VmifsSymbols *given = linux_given_symbols(os, &os->symbols_origin, refused, call);
	if (!given && refused->len)
		os->symbols_origin = g_strdup_printf(
			"%s; refused: %s", os->found->symbols_how ? os->found->symbols_how : "none",
			refused->str);
	if (!given)
		return;
	g_clear_pointer(&os->symbols, vmifs_symbols_unref);
	os->symbols = given;
	os->is_text_only = FALSE;
}

/* A raw image does not say how long it should be; its kernel does. Of a running guest memory may
 * have been unplugged, of which the kernel keeps the number. (full) (nullable) */
static char *
missing_memory(const Linux *os)
{
	guint64 end, pages;

	if (!vmifs_guest_is_frozen(os->guest) ||
	    !linux_word_variable(os, "max_pfn", &pages, NULL) ||
	    __builtin_mul_overflow(pages, linux_page_size(os), &end) ||
	    end <= vmifs_physmem_end(os->mem))
		return NULL;
	return g_strdup_printf("this kernel's memory ends at %#" G_GINT64_MODIFIER
			       "x, the image at %#" G_GINT64_MODIFIER
			       "x: it was cut short, or is not of the whole memory",
			       end, vmifs_physmem_end(os->mem));
}

/* (full) NULL: what the user said of the slide is so. */
static char *
kaslr_fault(const Linux *os)
{
	guint64 given = os->options->kaslr;

	if (!os->options->has_kaslr)
		return NULL;
	if (!os->found->has_slides)
		return g_strdup_printf("0x%" G_GINT64_MODIFIER
				       "x was given; how far this kernel was moved is not known",
				       given);
	if (given == os->found->virtual_slide)
		return NULL;
	return g_strdup_printf("0x%" G_GINT64_MODIFIER
			       "x was given, the slide is 0x%" G_GINT64_MODIFIER "x",
			       given, os->found->virtual_slide);
}

static gpointer
attach(const VmifsKernel *kernel, const VmifsCall *call, GError **error)
{
	LinuxFound *found = kernel->data;
	Linux *os = g_new0(Linux, 1);

	os->guest = kernel->guest;
	os->mem = kernel->mem;
	os->aspace = kernel->aspace;
	os->found = found;
	os->n_told = &found->n_told;
	os->options = kernel->options;
	find_symbols(os, call);
	os->note = linux_note_of(os);

	if (os->is_text_only)
		os->followed = linux_contents_find(os, call);
	/* Without types there are still symbols, and the kernel's memory to read with them. */
	g_autoptr(VmifsTypes) types =
		linux_types_find(os, &os->types_origin, &os->types_refused, &os->is_partial, call);
	os->n_types = types ? vmifs_types_count(types) : 0;
	os->layout = linux_layout_new(types);
	if (os->is_text_only && !os->followed)
		os->followed = linux_followed_find(os);
	os->module_layouts = linux_module_layouts_new();
	/* Here, where there is time: the shortest files ask for them. */
	if (!vmifs_call_check(call, error) || !linux_texts_find(os, &os->texts, call, error)) {
		g_clear_pointer((gpointer *) &os, detach);
		return NULL;
	}
	g_autofree char *kaslr = kaslr_fault(os);
	if (kaslr)
		vmifs_guest_log(os->guest, "kaslr= refused: %s", kaslr);
	g_autofree char *missing = missing_memory(os);
	if (missing)
		vmifs_guest_log(os->guest, "missing: %s", missing);
	linux_alive_begin(os);
	/* Of what is attached alone: memory may hold any number of tables. */
	if (found->source)
		linux_kept_save(os->options, found->source, found->symbols);
	g_clear_pointer(&found->source, g_bytes_unref);
	return os;
}

static void
append_text(GString *out, const char *key, const char *value)
{
	if (!value)
		return;
	g_string_append_printf(out, "%s: ", key);
	vmifs_text_append_octal(out, value, -1, NULL);
	g_string_append_c(out, '\n');
}

/* What the kernel's own variables tell of the machine. Left out where they cannot be read. */
static void
append_machine(const Linux *os, GString *out)
{
	g_autoptr(GArray) cpus = linux_cpus(os, "__cpu_online_mask", NULL);
	LinuxClock clock;

	if (cpus)
		g_string_append_printf(out, "vcpus: %u online\n", cpus->len);
	if (linux_clock(os, &clock, NULL)) {
		guint64 now = (clock.boot + clock.since_boot) / G_GUINT64_CONSTANT(1000000000);
		g_autoptr(GDateTime) time =
			g_date_time_new_from_unix_utc((gint64) MIN(now, (guint64) G_MAXINT64));
		g_autofree char *text =
			time ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ") : NULL;
		append_text(out, "guest time", text);
	}
	if (os->found->ignore_mask)
		g_string_append_printf(out,
				       "memory encryption: on, bits %#" G_GINT64_MODIFIER "x\n",
				       os->found->ignore_mask);
	else if (os->found->vmcoreinfo &&
		 linux_vmcoreinfo_text(os->found->vmcoreinfo, "NUMBER(sme_mask)"))
		g_string_append(out, "memory encryption: none, says VMCOREINFO\n");
}

static void
info(gpointer self, GString *out)
{
	const Linux *os = self;
	const LinuxFound *found = os->found;

	g_string_append(out, "os: Linux\n");
	append_text(out, "release", found->release);
	append_text(out, "banner", found->banner);
	append_text(out, "build id", found->build_id);
	append_machine(os, out);
	g_autofree char *missing = missing_memory(os);
	append_text(out, "missing", missing);
	append_text(out, "root found by", found->root_how);
	if (found->has_slides)
		g_string_append_printf(out,
				       "virtual slide: %#" G_GINT64_MODIFIER
				       "x\nphysical slide: %#" G_GINT64_MODIFIER "x\n",
				       found->virtual_slide, found->physical_slide);
	append_text(out, "slides found by", found->slides_how);
	g_autofree char *kaslr = kaslr_fault(os);
	append_text(out, "kaslr refused", kaslr);
	g_string_append_printf(out, "symbols: %" G_GSIZE_FORMAT "\n",
			       os->symbols ? vmifs_symbols_count(os->symbols) : 0);
	append_text(out, "symbols found by",
		    os->symbols_origin ? os->symbols_origin : found->symbols_how);
	if (os->types_origin) {
		g_autofree char *types = g_strdup_printf("%u, %s", os->n_types, os->types_origin);
		append_text(out, "types", types);
	} else {
		g_string_append(out, "types: none: processes and files cannot be told; see log\n");
	}
	append_text(out, "types refused", os->types_refused);
}

/* One more than the highest number of a processor that runs. */
static guint
n_vcpus(gpointer self, const VmifsCall *call)
{
	g_autoptr(GArray) cpus = linux_cpus(self, "__cpu_online_mask", NULL);

	return cpus && cpus->len ? g_array_index(cpus, guint32, cpus->len - 1) + 1 : 0;
}

/* ---- the tree ---- */

/* Files that some kernels are built without. */
#define HAS_FIELD(name, field)                                                                     \
	static gboolean name(gpointer self)                                                        \
	{                                                                                          \
		return linux_has(self, field);                                                     \
	}
HAS_FIELD(has_io, LINUX_FIELD_TASK_IO)
HAS_FIELD(has_schedstat, LINUX_FIELD_TASK_RUN_DELAY)
HAS_FIELD(has_audit, LINUX_FIELD_TASK_LOGINUID)
HAS_FIELD(has_patch_state, LINUX_FIELD_TASK_PATCH_STATE)
HAS_FIELD(has_autogroup, LINUX_FIELD_SIGNAL_AUTOGROUP)

static gboolean
has_cpuset(gpointer self)
{
	guint64 function;

	return linux_symbol(self, "proc_cpuset_show", &function, NULL);
}

static gboolean
has_sched(gpointer self)
{
	guint64 address;
	return linux_symbol(self, "proc_sched_show_task", &address, NULL);
}

static gboolean
has_timers(gpointer self)
{
	guint64 address;
	return linux_symbol(self, "proc_timers_open", &address, NULL);
}

static gboolean
has_id_maps(gpointer self)
{
	guint64 address;
	return linux_symbol(self, "proc_uid_map_open", &address, NULL);
}

/* As the kernel refuses this folder; of whatever else is wrong its files tell. */
static LINUX_LIST(list_net)
{
	g_autoptr(GError) failure = NULL;
	guint64 net;

	if (linux_net(os, task, &net, &failure) ||
	    !g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND))
		return TRUE;
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_INVALID, failure->message);
	return FALSE;
}

#define GUEST (VMIFS_SCOPE_GUEST | VMIFS_SCOPE_PROCS)
#define TASK (VMIFS_SCOPE_PROCESS | VMIFS_SCOPE_THREAD)
#define NET (VMIFS_SCOPE_PROCS | TASK)

static const VmifsView views[] = {
	{ "modules", GUEST, VMIFS_VIEW_TEXT, .render = linux_render_modules },
	{ "dmesg", VMIFS_SCOPE_GUEST, VMIFS_VIEW_TEXT, .render = linux_render_dmesg },
	{ "version", GUEST, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_version },
	{ "cmdline", GUEST, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_kernel_cmdline },
	{ "uptime", GUEST, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_uptime },
	{ "iomem", GUEST, VMIFS_VIEW_TEXT, .render = linux_render_iomem },
	{ "loadavg", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT, .quick = TRUE,
	  .render = linux_render_loadavg },
	{ "stat", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT, .render = linux_render_kernel_stat },
	{ "meminfo", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT, .render = linux_render_meminfo },
	{ "sys/kernel/ostype", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT, .render = linux_render_ostype },
	{ "sys/kernel/osrelease", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT,
	  .render = linux_render_osrelease },
	{ "sys/kernel/version", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT,
	  .render = linux_render_uts_version },
	{ "sys/kernel/hostname", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT,
	  .render = linux_render_hostname },
	{ "sys/kernel/pid_max", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT,
	  .render = linux_render_pid_max },
	{ "ioports", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT, .render = linux_render_ioports },
	{ "cpuinfo", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT, .render = linux_render_cpuinfo },
	{ "vmstat", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT, .render = linux_render_vmstat },
	{ "swaps", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT, .render = linux_render_swaps },
	{ "filesystems", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT, .render = linux_render_filesystems },
	{ "devices", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT, .render = linux_render_devices },
	{ "misc", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT, .render = linux_render_misc },
	{ "tty/drivers", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT, .render = linux_render_tty_drivers },
	{ "sys/kernel/threads-max", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT,
	  .render = linux_render_threads_max },
	{ "sys/kernel/cap_last_cap", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT,
	  .render = linux_render_cap_last_cap },
	{ "sys/kernel/ngroups_max", VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT,
	  .render = linux_render_ngroups_max },
	{ "sys/kernel/random", VMIFS_SCOPE_PROCS, VMIFS_VIEW_LIST, VMIFS_VIEW_TEXT,
	  linux_render_sys_kernel_random, linux_list_sys_kernel_random },
	{ "sys/vm", VMIFS_SCOPE_PROCS, VMIFS_VIEW_LIST, VMIFS_VIEW_TEXT, linux_render_sys_vm,
	  linux_list_sys_vm },
	{ "sys/fs", VMIFS_SCOPE_PROCS, VMIFS_VIEW_LIST, VMIFS_VIEW_TEXT, linux_render_sys_fs,
	  linux_list_sys_fs },

	{ "current", VMIFS_SCOPE_VCPU, VMIFS_VIEW_TEXT, .quick = TRUE,
	  .render = linux_render_vcpu_current },
	{ "stack", VMIFS_SCOPE_VCPU, VMIFS_VIEW_TEXT, .quick = TRUE,
	  .render = linux_render_vcpu_stack, .present = linux_has_vcpu_stack },

	{ "maps", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_maps,
	  .about = linux_about_memory },
	{ "modules", VMIFS_SCOPE_PROCESS, VMIFS_VIEW_TEXT, .render = linux_render_task_modules,
	  .about = linux_about_memory },
	{ "comm", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_comm },
	{ "cmdline", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_cmdline },
	{ "environ", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_environ },
	{ "status", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_status },
	{ "stat", VMIFS_SCOPE_PROCESS, VMIFS_VIEW_TEXT, .quick = TRUE,
	  .render = linux_render_process_stat },
	{ "stat", VMIFS_SCOPE_THREAD, VMIFS_VIEW_TEXT, .quick = TRUE,
	  .render = linux_render_thread_stat },
	{ "statm", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_statm },
	{ "exe", TASK, VMIFS_VIEW_LINK, .quick = TRUE, .render = linux_render_exe },
	{ "cwd", TASK, VMIFS_VIEW_LINK, .quick = TRUE, .render = linux_render_cwd },
	{ "root", TASK, VMIFS_VIEW_LINK, .quick = TRUE, .render = linux_render_root },
	{ "mountinfo", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_mountinfo,
	  .about = linux_about_mounts },
	{ "mounts", TASK | VMIFS_SCOPE_PROCS, VMIFS_VIEW_TEXT, .quick = TRUE,
	  .render = linux_render_mounts, .about = linux_about_mounts },
	{ "mountstats", VMIFS_SCOPE_PROCESS, VMIFS_VIEW_TEXT, .render = linux_render_mountstats,
	  .about = linux_about_mounts },
	{ "cgroup", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_cgroup,
	  .about = linux_about_cgroup },
	{ "cpuset", TASK, VMIFS_VIEW_TEXT, .render = linux_render_cpuset, .present = has_cpuset,
	  .about = linux_about_cgroup },
	{ "ns", TASK, VMIFS_VIEW_LIST, VMIFS_VIEW_LINK, linux_render_ns, linux_list_ns, TRUE,
	  .leads_nowhere = TRUE },
	{ "fd", TASK, VMIFS_VIEW_LIST, VMIFS_VIEW_LINK, linux_render_fd, linux_list_fd, TRUE },
	{ "stack", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_stack },
	{ "wchan", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_wchan },
	{ "syscall", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_syscall },
	{ "smaps", TASK, VMIFS_VIEW_TEXT, .render = linux_render_smaps,
	  .about = linux_about_memory },
	{ "smaps_rollup", TASK, VMIFS_VIEW_TEXT, .render = linux_render_smaps_rollup,
	  .about = linux_about_memory },
	{ "fdinfo", TASK, VMIFS_VIEW_LIST, VMIFS_VIEW_TEXT, linux_render_fdinfo, linux_list_fd,
	  TRUE, .about = linux_about_open_file },
	{ "limits", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_limits },
	{ "io", VMIFS_SCOPE_PROCESS, VMIFS_VIEW_TEXT, .quick = TRUE,
	  .render = linux_render_process_io, .present = has_io },
	{ "io", VMIFS_SCOPE_THREAD, VMIFS_VIEW_TEXT, .quick = TRUE,
	  .render = linux_render_thread_io, .present = has_io },
	{ "schedstat", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_schedstat,
	  .present = has_schedstat },
	{ "sched", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_sched,
	  .present = has_sched },
	{ "oom_score", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_oom_score },
	{ "oom_score_adj", TASK, VMIFS_VIEW_TEXT, .quick = TRUE,
	  .render = linux_render_oom_score_adj },
	{ "oom_adj", TASK, VMIFS_VIEW_TEXT, .render = linux_render_oom_adj },
	{ "loginuid", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_loginuid,
	  .present = has_audit },
	{ "sessionid", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_sessionid,
	  .present = has_audit },
	{ "personality", TASK, VMIFS_VIEW_TEXT, .render = linux_render_personality },
	{ "auxv", TASK, VMIFS_VIEW_TEXT, .quick = TRUE, .render = linux_render_auxv },
	{ "uid_map", TASK, VMIFS_VIEW_TEXT, .render = linux_render_uid_map,
	  .present = has_id_maps },
	{ "gid_map", TASK, VMIFS_VIEW_TEXT, .render = linux_render_gid_map,
	  .present = has_id_maps },
	{ "projid_map", TASK, VMIFS_VIEW_TEXT, .render = linux_render_projid_map,
	  .present = has_id_maps },
	{ "setgroups", TASK, VMIFS_VIEW_TEXT, .render = linux_render_setgroups,
	  .present = has_id_maps },
	{ "patch_state", TASK, VMIFS_VIEW_TEXT, .render = linux_render_patch_state,
	  .present = has_patch_state },
	{ "autogroup", VMIFS_SCOPE_PROCESS, VMIFS_VIEW_TEXT, .render = linux_render_autogroup,
	  .present = has_autogroup },
	{ "timers", VMIFS_SCOPE_PROCESS, VMIFS_VIEW_TEXT, .render = linux_render_timers,
	  .present = has_timers },
	{ "timerslack_ns", VMIFS_SCOPE_PROCESS, VMIFS_VIEW_TEXT,
	  .render = linux_render_timerslack_ns },
	{ "coredump_filter", VMIFS_SCOPE_PROCESS, VMIFS_VIEW_TEXT,
	  .render = linux_render_coredump_filter },
	{ "children", VMIFS_SCOPE_THREAD, VMIFS_VIEW_TEXT, .render = linux_render_children },

	{ "net/", NET, VMIFS_VIEW_LIST, .quick = TRUE, .list = list_net },
	{ "net/tcp", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_tcp,
	  .about = linux_about_net },
	{ "net/tcp6", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_tcp6,
	  .about = linux_about_net },
	{ "net/udp", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_udp,
	  .about = linux_about_net },
	{ "net/udp6", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_udp6,
	  .about = linux_about_net },
	{ "net/udplite", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_udplite,
	  .present = linux_has_udplite, .about = linux_about_net },
	{ "net/udplite6", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_udplite6,
	  .present = linux_has_udplite, .about = linux_about_net },
	{ "net/raw", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_raw,
	  .about = linux_about_net },
	{ "net/raw6", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_raw6,
	  .about = linux_about_net },
	{ "net/icmp", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_icmp,
	  .about = linux_about_net },
	{ "net/icmp6", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_icmp6,
	  .about = linux_about_net },
	{ "net/unix", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_unix,
	  .about = linux_about_net },
	{ "net/packet", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_packet,
	  .about = linux_about_net },
	{ "net/netlink", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_netlink,
	  .about = linux_about_net },
	{ "net/dev", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_dev,
	  .about = linux_about_net },
	{ "net/dev_mcast", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_dev_mcast,
	  .about = linux_about_net },
	{ "net/arp", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_arp,
	  .about = linux_about_net },
	{ "net/protocols", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_protocols,
	  .about = linux_about_net },
	{ "net/sockstat", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_sockstat,
	  .about = linux_about_net },
	{ "net/sockstat6", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_sockstat6,
	  .about = linux_about_net },
	{ "net/if_inet6", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_if_inet6,
	  .about = linux_about_net },
	{ "net/ipv6_route", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_ipv6_route,
	  .about = linux_about_net },
	{ "net/route", NET, VMIFS_VIEW_TEXT, .render = linux_render_net_route,
	  .about = linux_about_net },
};

guint64
linux_kernel_start(const Linux *os, guint64 va)
{
	gsize n;
	const VmifsRegion *regions = vmifs_physmem_regions(os->mem, &n);

	if (linux_word(os) == 8)
		return va & G_GUINT64_CONSTANT(1) << 63;
	return linux_wrap(os, os->found->image_delta + (n ? regions[0].pa : 0) -
				      linux_machine(os)->room_below);
}

/* Without types of its own it is understood by what there is in it, and by what it notes of itself
 * soon after it has started. */
static guint
known(gpointer self)
{
	const Linux *os = self;

	return os->n_types && !os->is_partial ? G_MAXUINT : os->n_types + (os->note != NULL);
}

static guint64
kernel_start(gpointer self)
{
	const Linux *os = self;

	return linux_word(os) == 8 ? vmifs_aspace_user_end(os->aspace) : linux_kernel_start(os, 0);
}

const VmifsOs vmifs_os_linux = {
	.name = "linux",
	.patterns = linux_patterns,
	.n_patterns = LINUX_N_PATTERNS,
	.begin = linux_begin,
	.hit = linux_hit,
	.conclude = linux_conclude,
	.attach = attach,
	.detach = detach,
	.info = info,
	.symbols = linux_symbols,
	.tasks = linux_tasks,
	.modules = linux_list_modules,
	.task_aspace = linux_task_aspace,
	.kernel_start = kernel_start,
	.current = linux_current,
	.task_roots = linux_task_roots,
	.event_points = linux_event_points,
	.event_at = linux_event_at,
	.vmas = linux_vmas,
	.alive = linux_alive,
	.known = known,
	.n_vcpus = n_vcpus,
	.views = views,
	.n_views = G_N_ELEMENTS(views),
};
