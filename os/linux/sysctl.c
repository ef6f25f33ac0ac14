/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysctl: files of /proc/sys that show a variable of the kernel and nothing else: a line of a table
 * each. One whose variable this kernel does not have is not there.
 */
#include "linux.h"

#define UUID_LEN 16

typedef enum {
	INT,  /* 4 bytes, signed */
	UINT, /* 4 bytes */
	LONG, /* a word, unsigned */
	UUID,
} Kind;

typedef struct {
	const char *name; /* of the file */
	const char *symbol;
	Kind kind;
} Variable;

static const Variable kernel_random[] = {
	{ "boot_id", "sysctl_bootid", UUID },
};

static const Variable vm[] = {
	{ "max_map_count", "sysctl_max_map_count", INT },
	{ "min_free_kbytes", "min_free_kbytes", INT },
	{ "overcommit_kbytes", "sysctl_overcommit_kbytes", LONG },
	{ "overcommit_memory", "sysctl_overcommit_memory", INT },
	{ "overcommit_ratio", "sysctl_overcommit_ratio", INT },
	{ "page-cluster", "page_cluster", INT },
	{ "panic_on_oom", "sysctl_panic_on_oom", INT },
	{ "swappiness", "vm_swappiness", INT },
	{ "dirty_ratio", "vm_dirty_ratio", INT },
	{ "dirty_background_ratio", "dirty_background_ratio", INT },
};

static const Variable fs[] = {
	{ "nr_open", "sysctl_nr_open", UINT },
	{ "pipe-max-size", "pipe_max_size", UINT },
	{ "protected_hardlinks", "sysctl_protected_hardlinks", INT },
	{ "protected_symlinks", "sysctl_protected_symlinks", INT },
	{ "suid_dumpable", "suid_dumpable", INT },
};

static gboolean
append_uuid(const Linux *os, guint64 address, GString *out, GError **error)
{
	guint8 bytes[UUID_LEN];

	if (!vmifs_aspace_read(os->aspace, address, bytes, sizeof bytes, error))
		return FALSE;
	for (gsize i = 0; i < sizeof bytes; i++)
		g_string_append_printf(out, "%s%02x",
				       i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", bytes[i]);
	return TRUE;
}

static gboolean
render(const Linux *os, const Variable *variable, GString *out, GError **error)
{
	guint64 address, value;

	if (!linux_symbol(os, variable->symbol, &address, error))
		return FALSE;
	if (variable->kind == UUID) {
		if (!append_uuid(os, address, out, error))
			return FALSE;
	} else if (!linux_load(os, address, variable->kind == LONG ? linux_word(os) : 4, &value,
			       error)) {
		return FALSE;
	} else if (variable->kind == INT) {
		g_string_append_printf(out, "%d", (gint32) value);
	} else {
		g_string_append_printf(out, "%" G_GUINT64_FORMAT, value);
	}
	g_string_append_c(out, '\n');
	return TRUE;
}

static gboolean
render_in(const Linux *os, const Variable *table, gsize n, const char *name, GString *out,
	  GError **error)
{
	for (gsize i = 0; i < n; i++)
		if (g_str_equal(table[i].name, name))
			return render(os, &table[i], out, error);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND, "no such file");
	return FALSE;
}

static gboolean
list_in(const Linux *os, const Variable *table, gsize n, GPtrArray *names)
{
	guint64 address;

	for (gsize i = 0; i < n; i++)
		if (linux_symbol(os, table[i].symbol, &address, NULL))
			g_ptr_array_add(names, g_strdup(table[i].name));
	return TRUE;
}

#define FOLDER(table)                                                                              \
	LINUX_VIEW(linux_render_sys_##table)                                                       \
	{                                                                                          \
		return render_in(os, table, G_N_ELEMENTS(table), entry, out, error);               \
	}                                                                                          \
	LINUX_LIST(linux_list_sys_##table)                                                         \
	{                                                                                          \
		return list_in(os, table, G_N_ELEMENTS(table), names);                             \
	}

FOLDER(kernel_random)
FOLDER(vm)
FOLDER(fs)

#define FILE(function, symbol)                                                                     \
	LINUX_VIEW(function)                                                                       \
	{                                                                                          \
		static const Variable variable = { "", symbol, INT };                              \
		return render(os, &variable, out, error);                                          \
	}

FILE(linux_render_threads_max, "max_threads")
FILE(linux_render_cap_last_cap, "cap_last_cap")
FILE(linux_render_ngroups_max, "ngroups_max")
