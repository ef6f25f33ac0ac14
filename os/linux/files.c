/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files: what a task has open and where it stands: fd/, exe, cwd, root.
 */
#include "fdinfo.h"

/* The kernel's own limit of fs.nr_open is higher, but every slot costs the guest 8 bytes. */
#define MAX_FDS (16 * 1024 * 1024)
/* Listed: a guest can map one page as a whole table, here each name costs a hundred bytes. */
#define MAX_LISTED (1024 * 1024)
#define CHUNK 512

typedef struct {
	guint64 files, fdt;
	guint64 slots; /* address of the array of struct file * */
	guint32 n;
} Table;

static gboolean
no_such_entry(GError **error)
{
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND, "no such file");
	return FALSE;
}

/* n is 0 for a task that has given up its files. */
static gboolean
read_table(const Linux *os, const VmifsTask *task, Table *ret, GError **error)
{
	guint64 files, fdt, n, slots;

	if (!linux_get(os, task->object, LINUX_FIELD_TASK_FILES, &files, error))
		return FALSE;
	if (!files) {
		*ret = (Table){ 0 };
		return TRUE;
	}
	if (!linux_get(os, files, LINUX_FIELD_FILES_FDT, &fdt, error) ||
	    !linux_get(os, fdt, LINUX_FIELD_FDTABLE_MAX_FDS, &n, error) ||
	    !linux_get(os, fdt, LINUX_FIELD_FDTABLE_FD, &slots, error))
		return FALSE;
	if (n > MAX_FDS) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "files of task %u: a table of %" G_GUINT64_FORMAT " slots", task->pid,
			    n);
		return FALSE;
	}
	*ret = (Table){ files, fdt, slots, (guint32) n };
	return TRUE;
}

/* Aligned, and in the kernel's half, as the table is: where memory is taken for a table that is
 * none, a million names are not made of it. 32-bit kernels have what they like of all addresses. */
static gboolean
may_be_file(const Linux *os, const Table *table, guint64 file)
{
	return file % linux_word(os) == 0 && (file ^ table->slots) >> 63 == 0;
}

LINUX_LIST(linux_list_fd)
{
	const Linux *self = os;
	guint64 word = linux_word(self);
	g_autofree guint8 *chunk = g_malloc(CHUNK * word);
	Table table;

	if (!read_table(self, task, &table, error))
		return FALSE;
	for (guint32 at = 0; at < table.n && names->len < MAX_LISTED; at += CHUNK) {
		guint32 n = MIN(CHUNK, table.n - at);
		if (!vmifs_call_check(call, error) ||
		    !vmifs_aspace_read(self->aspace, table.slots + at * word, chunk, n * word,
				       error)) {
			g_prefix_error(error, "files of task %u: ", task->pid);
			return FALSE;
		}
		for (guint32 i = 0; i < n; i++) {
			guint64 file = linux_word_at(self, chunk, i);
			if (!file)
				continue;
			if (!may_be_file(self, &table, file)) {
				g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
					    "files of task %u: %#" G_GINT64_MODIFIER
					    "x in slot %u is no file",
					    task->pid, file, at + i);
				return FALSE;
			}
			g_ptr_array_add(names, g_strdup_printf("%u", at + i));
		}
	}
	if (names->len >= MAX_LISTED)
		vmifs_guest_log(self->guest, "files of task %u: only the first %u are listed",
				task->pid, names->len);
	return TRUE;
}

static gboolean
render_path(const Linux *os, const LinuxPath *path, GString *out, GError **error)
{
	LinuxPath root;

	return linux_path_root(os, &root, error) && linux_path_append(os, path, &root, out, error);
}

/* Decimal without sign or leading zeros, as the kernel names them. */
static gboolean
parse_fd(const char *name, guint32 *ret)
{
	guint64 n;

	if (!name || (name[0] == '0' && name[1]) ||
	    !g_ascii_string_to_unsigned(name, 10, 0, G_MAXUINT32, &n, NULL))
		return FALSE;
	*ret = (guint32) n;
	return TRUE;
}

gboolean
linux_open_file(const Linux *os, const VmifsTask *task, const char *name, LinuxOpenFile *ret,
		GError **error)
{
	Table table;
	guint32 fd;
	guint64 file, bits, word;

	if (!parse_fd(name, &fd))
		return no_such_entry(error);
	if (!read_table(os, task, &table, error))
		return FALSE;
	if (fd >= table.n)
		return no_such_entry(error);
	if (!linux_load_word(os, table.slots + (guint64) fd * linux_word(os), &file, error))
		return FALSE;
	if (!file)
		return no_such_entry(error);
	*ret = (LinuxOpenFile){ .files = table.files, .file = file };
	if (linux_get(os, table.fdt, LINUX_FIELD_FDTABLE_CLOSE_ON_EXEC, &bits, NULL) &&
	    vmifs_aspace_read_u64(os->aspace, bits + fd / 64 * 8, &word, NULL))
		ret->close_on_exec = word >> fd % 64 & 1;
	return TRUE;
}

LINUX_VIEW(linux_render_fd)
{
	const Linux *self = os;
	LinuxOpenFile open;
	LinuxPath path;
	guint64 at;

	return linux_open_file(self, task, entry, &open, error) &&
	       linux_offset(self, LINUX_FIELD_FILE_PATH, &at, error) &&
	       linux_path_read(self, open.file + at, &path, error) &&
	       render_path(self, &path, out, error);
}

LINUX_VIEW(linux_render_exe)
{
	const Linux *self = os;
	guint64 file, at;
	LinuxPath path;

	if (!task->mm)
		return no_such_entry(error);
	if (!linux_get(self, task->mm, LINUX_FIELD_MM_EXE_FILE, &file, error))
		return FALSE;
	if (!file)
		return no_such_entry(error);
	return linux_offset(self, LINUX_FIELD_FILE_PATH, &at, error) &&
	       linux_path_read(self, file + at, &path, error) &&
	       render_path(self, &path, out, error);
}

static gboolean
render_fs_path(const Linux *os, const VmifsTask *task, LinuxField field, GString *out,
	       GError **error)
{
	guint64 fs, at;
	LinuxPath path;

	if (!linux_get(os, task->object, LINUX_FIELD_TASK_FS, &fs, error))
		return FALSE;
	if (!fs)
		return no_such_entry(error);
	return linux_offset(os, field, &at, error) && linux_path_read(os, fs + at, &path, error) &&
	       render_path(os, &path, out, error);
}

LINUX_VIEW(linux_render_cwd)
{
	return render_fs_path(os, task, LINUX_FIELD_FS_PWD, out, error);
}

LINUX_VIEW(linux_render_root)
{
	return render_fs_path(os, task, LINUX_FIELD_FS_ROOT, out, error);
}
