/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * followed: a rule holds where exactly one address answers it in all functions of that name: two
 * that differ are as good as none. Rules are of what the kernel's source says, not of how it was
 * compiled: "what m_start() hands to seq_list_start()".
 */
#include "followed.h"

#include "machine.h"

#include <string.h>

#define MAX_TEXT 32
#define MAX_FUNCTIONS 16
#define NO_FIELD LINUX_N_FIELDS

typedef enum {
	HANDED,  /* its address is an argument of callee */
	CONTENT, /* what it holds is */
	LOADED,  /* it is loaded; width */
	INDEXED, /* an element of it, or a processor's own, is; width */
	STORED,  /* it is written; width */
} How;

typedef struct {
	const char *name, *function;
	How how;
	const char *callee;
	guint argument; /* from 0 on */
	guint width;
	LinuxField field; /* the address is that of this member of it */
	const char *text; /* what its first element points to; LIST: it is the head of one */
} Rule;

#define LIST ""

static const Rule rules[] = {
	{ "modules", "m_start", HANDED, "seq_list_start", 0, 0, NO_FIELD, NULL },
	{ "misc_list", "misc_seq_start", HANDED, "seq_list_start", 0, 0, NO_FIELD, NULL },
	{ "tty_drivers", "t_start", HANDED, "seq_list_start", 0, 0, NO_FIELD, NULL },
	{ "proto_list", "proto_seq_start", HANDED, "seq_list_start_head", 0, 0, NO_FIELD, NULL },
	{ "linux_proc_banner", "version_proc_show", HANDED, "seq_printf", 1, 0, NO_FIELD, NULL },
	{ "saved_command_line", "cmdline_proc_show", CONTENT, "seq_puts", 1, 0, NO_FIELD, NULL },
	{ "prb", "devkmsg_read", CONTENT, "prb_read_valid", 0, 0, NO_FIELD, NULL },
	{ "ptr_key", "ptr_to_hashval", HANDED, "siphash_1u64", 1, 0, NO_FIELD, NULL },
	{ "ptr_key", "__ptr_to_hashval", HANDED, "siphash_1u64", 1, 0, NO_FIELD, NULL },
	{ "kptr_restrict", "restricted_pointer", LOADED, NULL, 0, 4, NO_FIELD, NULL },
	{ "cpu_data", "cpuinfo_store_cpu", HANDED, "__cpuinfo_store_cpu", 0, 0, NO_FIELD, NULL },
	{ "tk_core.timekeeper", "ktime_get_real_seconds", LOADED, NULL, 0, 8,
	  LINUX_FIELD_TIMEKEEPER_XTIME_SEC, NULL },
	{ "runqueues", "nr_iowait_cpu", INDEXED, NULL, 0, 4, LINUX_FIELD_RQ_NR_IOWAIT, NULL },
	{ "tick_nohz_active", "get_cpu_idle_time_us", LOADED, NULL, 0, 8, NO_FIELD, NULL },
	{ "tick_cpu_sched", "tick_nohz_get_idle_calls_cpu", INDEXED, NULL, 0, 8,
	  LINUX_FIELD_TICK_SCHED_CALLS, NULL },
	{ "elf_hwcap", "cpu_get_elf_hwcap", LOADED, NULL, 0, 8, NO_FIELD, NULL },
	{ "elf_hwcap", "cpu_have_feature", LOADED, NULL, 0, 8, NO_FIELD, NULL },
	{ "hwcap_str", "c_show", INDEXED, NULL, 0, 8, NO_FIELD, "fp" },
	{ "vmstat_text", "vmstat_show", INDEXED, NULL, 0, 8, NO_FIELD, "nr_free_pages" },
	{ "spectre_v4_state", "arm64_get_spectre_v4_state", LOADED, NULL, 0, 4, NO_FIELD, NULL },
	{ "__spectre_v4_policy", "spectre_v4_enable_task_mitigation", LOADED, NULL, 0, 4, NO_FIELD,
	  NULL },
	{ "transparent_hugepage_flags", "use_zero_page_show", LOADED, NULL, 0, 8, NO_FIELD, NULL },
	{ "nr_swapfiles", "si_swapinfo", LOADED, NULL, 0, 4, NO_FIELD, NULL },
	{ "total_swap_pages", "si_swapinfo", LOADED, NULL, 0, 8, NO_FIELD, NULL },
	{ "sysctl_overcommit_ratio", "vm_commit_limit", LOADED, NULL, 0, 4, NO_FIELD, NULL },
	{ "sysctl_overcommit_kbytes", "vm_commit_limit", LOADED, NULL, 0, 8, NO_FIELD, NULL },
	{ "vm_committed_as", "vm_memory_committed", HANDED, "__percpu_counter_sum", 0, 0, NO_FIELD,
	  NULL },
	{ "nr_vmalloc_pages", "vmalloc_nr_pages", LOADED, NULL, 0, 8, NO_FIELD, NULL },
	{ "nr_threads", "loadavg_proc_show", LOADED, NULL, 0, 4, NO_FIELD, NULL },
	{ "total_forks", "show_stat", LOADED, NULL, 0, 8, NO_FIELD, NULL },
	{ "file_systems", "filesystems_proc_show", LOADED, NULL, 0, 8, NO_FIELD, NULL },
	{ "chrdevs", "chrdev_show", INDEXED, NULL, 0, 8, NO_FIELD, NULL },
	{ "major_names", "blkdev_show", INDEXED, NULL, 0, 8, NO_FIELD, NULL },
	{ "swap_info", "swap_start", INDEXED, NULL, 0, 8, NO_FIELD, NULL },
	{ "cgrp_dfl_visible", "cgroup_get_tree", STORED, NULL, 0, 1, NO_FIELD, NULL },
	{ "cgroup_roots", "proc_cgroup_show", LOADED, NULL, 0, 8, NO_FIELD, LIST },
	{ "devtmpfs.mnt", "public_dev_mount", LOADED, NULL, 0, 8, NO_FIELD, NULL },
	{ "inet6_addr_lst", "if6_seq_start", INDEXED, NULL, 0, 8, NO_FIELD, NULL },
	{ "cgroup_subsys", "proc_cgroup_show", INDEXED, NULL, 0, 8, NO_FIELD, NULL },
};

typedef struct {
	const Linux *os;
	GHashTable *found; /* addresses that have a name by now */
	const Rule *rule;
	guint64 callee, field_at;
	guint64 answer;
	guint n; /* addresses that answer */
} Search;

static gboolean
is_list(const Linux *os, guint64 head)
{
	guint64 next, back;

	return vmifs_aspace_read_u64(os->aspace, head, &next, NULL) &&
	       vmifs_aspace_read_u64(os->aspace, next + 8, &back, NULL) && back == head;
}

/* Does the first element of an array point to that text? */
static gboolean
has_text(const Linux *os, guint64 array, const char *text)
{
	char there[MAX_TEXT];
	gsize len = strlen(text) + 1;
	guint64 at;

	return vmifs_aspace_read_ptr(os->aspace, array, &at, NULL) &&
	       vmifs_aspace_read(os->aspace, at, there, len, NULL) && !memcmp(there, text, len);
}

static void
take(Search *s, guint64 address)
{
	const VmifsSymbols *exports = s->os->found->exports;
	const char *text = s->rule->text;
	VmifsSymbol symbol;
	guint64 offset;

	/* Whatever has a name is another. */
	if ((exports && vmifs_symbols_nearest(exports, address, &symbol, &offset) && !offset) ||
	    g_hash_table_contains(s->found, &address))
		return;
	address -= s->field_at;
	if (s->n && s->answer == address)
		return;
	if (text && !(*text ? has_text(s->os, address, text) : is_list(s->os, address)))
		return;
	s->answer = address;
	s->n++;
}

static void
visit(const LinuxMention *mention, gpointer user)
{
	static const LinuxMentionKind kinds[] = {
		[HANDED] = LINUX_MENTION_CALL,  [CONTENT] = LINUX_MENTION_CALL,
		[LOADED] = LINUX_MENTION_LOAD,  [INDEXED] = LINUX_MENTION_INDEX,
		[STORED] = LINUX_MENTION_STORE,
	};
	Search *s = user;
	const Rule *rule = s->rule;
	const LinuxOperand *argument = &mention->arguments[rule->argument];

	if (rule->how == HANDED || rule->how == CONTENT) {
		if (mention->kind != LINUX_MENTION_CALL || mention->address != s->callee)
			return;
		if (rule->how == HANDED ? argument->kind == LINUX_OPERAND_KNOWN ||
						  argument->kind == LINUX_OPERAND_SUM
					: argument->kind == LINUX_OPERAND_CONTENT)
			take(s, argument->value);
		return;
	}
	if (mention->kind == kinds[rule->how] && mention->width == rule->width)
		take(s, mention->address);
}

static void
search(Search *s, guint64 function)
{
	guint8 code[LINUX_MENTIONS_MAX];
	guint64 next;

	if (!vmifs_symbols_next(s->os->symbols, function, &next) || function % 4)
		return;
	gsize len = MIN(next - function, sizeof code);
	if (vmifs_aspace_read(s->os->aspace, function, code, len, NULL))
		linux_machine(s->os)->mentions(code, len, function, visit, s);
}

static gboolean
follow(const Linux *os, const Rule *rule, GHashTable *found, guint64 *ret)
{
	Search s = { .os = os, .rule = rule, .found = found };
	guint64 cursor = 0;
	VmifsSymbol symbol;
	gsize index;

	if ((rule->callee && !vmifs_symbols_lookup(os->symbols, rule->callee, &s.callee)) ||
	    (rule->field != NO_FIELD && !linux_offset(os, rule->field, &s.field_at, NULL)))
		return FALSE;
	for (guint i = 0;
	     i < MAX_FUNCTIONS && vmifs_symbols_each(os->symbols, rule->function, &cursor, &index);
	     i++) {
		vmifs_symbols_get(os->symbols, index, &symbol);
		search(&s, symbol.address);
	}
	*ret = s.answer;
	return s.n == 1;
}

VmifsSymbols *
linux_followed_find(const Linux *os)
{
	g_autoptr(GHashTable) found =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	VmifsSymbolsBuilder *builder;
	guint64 address;

	if (!linux_machine(os)->has_followed)
		return NULL;
	builder = vmifs_symbols_builder_new();
	for (gsize i = 0; i < G_N_ELEMENTS(rules); i++) {
		if (!follow(os, &rules[i], found, &address))
			continue;
		g_hash_table_add(found, g_memdup2(&address, sizeof address));
		vmifs_symbols_builder_add(builder, address, '?', rules[i].name,
					  strlen(rules[i].name));
	}
	return vmifs_symbols_builder_end(builder);
}
