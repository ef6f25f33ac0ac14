/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registered: what drivers have given their names to: file systems, device numbers, places to swap
 * to. Chains and rings of small records, each a line of a text.
 */
#include "list.h"
#include "linux.h"

#define MAX_NAME 256
#define MAX_LINES 65536
#define MAX_FILESYSTEMS 4096
#define FS_REQUIRES_DEV 1
#define MAJORS 512 /* that are shown */
#define BUCKETS 255
#define BUCKET_NAME 64
#define SWP_USED 1
#define MAX_SWAPS 64
#define SWAP_NAME_WIDTH 40
#define SWAP_COUNT_BITS G_GUINT64_CONSTANT(0x3fffffffffffffff) /* above: is it on a list? */
#define TAB_BELOW 10000000
#define S_IFMT 0170000
#define S_IFBLK 0060000

static void
append_escaped(GString *out, const char *text)
{
	vmifs_text_append_mangled(out, text, -1, LINUX_CONTROL_BYTES);
}

/* The text that a member points to; nothing where there is none. */
static void
append_pointed(const Linux *os, guint64 object, LinuxField field, GString *out)
{
	guint64 pointer;
	g_autofree char *name = NULL;

	if (linux_get(os, object, field, &pointer, NULL) && pointer)
		name = vmifs_aspace_read_string(os->aspace, pointer, MAX_NAME, NULL);
	append_escaped(out, name ? name : "");
}

/* ---- /proc/filesystems ---- */

LINUX_VIEW(linux_render_filesystems)
{
	LinuxCursor c = { .os = os };
	guint64 link, link_at = 0;

	if (!linux_word_variable(os, "file_systems", &link, error))
		return FALSE;
	linux_offset(os, LINUX_FIELD_FILESYSTEM_LIST, &link_at, NULL);
	for (guint n = 0; link && !c.error; n++) {
		if (n == MAX_FILESYSTEMS) {
			g_set_error_literal(&c.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
					    "file systems: their chain does not end");
			break;
		}
		guint64 at = link - link_at;
		guint64 flags = linux_take(&c, at, LINUX_FIELD_FILESYSTEM_FLAGS);
		g_string_append(out, flags & FS_REQUIRES_DEV ? "\t" : "nodev\t");
		append_pointed(os, at, LINUX_FIELD_FILESYSTEM_NAME, out);
		g_string_append_c(out, '\n');
		link = linux_take(&c, at, LINUX_FIELD_FILESYSTEM_NEXT);
	}
	return linux_cursor_end(&c, error);
}

/* ---- /proc/devices ---- */

typedef struct {
	const char *table; /* an array of heads of chains, by major number modulo BUCKETS */
	LinuxField next, major, name;
} Majors;

static const Majors char_devices = {
	"chrdevs",
	LINUX_FIELD_CHAR_DEVICE_NEXT,
	LINUX_FIELD_CHAR_DEVICE_MAJOR,
	LINUX_FIELD_CHAR_DEVICE_NAME,
};

static const Majors block_devices = {
	"major_names",
	LINUX_FIELD_BLOCK_MAJOR_NEXT,
	LINUX_FIELD_BLOCK_MAJOR_MAJOR,
	LINUX_FIELD_BLOCK_MAJOR_NAME,
};

/* Who has that number; a number may have several users of ranges of minor numbers. budget: of
 * records looked at, for all numbers together. */
static void
append_major(LinuxCursor *c, const Majors *majors, guint64 table, guint64 major, guint *budget,
	     GString *out)
{
	guint64 at;

	if (c->error ||
	    !linux_load_word(c->os, table + major % BUCKETS * linux_word(c->os), &at, &c->error))
		return;
	for (; at && !c->error; (*budget)--) {
		if (!*budget) {
			g_set_error(&c->error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "%s: a chain does not end", majors->table);
			return;
		}
		char name[BUCKET_NAME + 1] = { 0 };
		if (linux_take(c, at, majors->major) == major && !c->error &&
		    linux_get_bytes(c->os, at, majors->name, name, BUCKET_NAME, &c->error)) {
			g_string_append_printf(out, "%3u ", (guint) major);
			append_escaped(out, name);
			g_string_append_c(out, '\n');
		}
		at = linux_take(c, at, majors->next);
	}
}

static void
append_majors(LinuxCursor *c, const Majors *majors, GString *out, const VmifsCall *call)
{
	guint budget = MAX_LINES;
	guint64 table;

	if (c->error || !linux_symbol(c->os, majors->table, &table, &c->error))
		return;
	for (guint64 major = 0; major < MAJORS && !c->error; major++) {
		if (major % 64 == 0 && !vmifs_call_check(call, &c->error))
			return;
		append_major(c, majors, table, major, &budget, out);
	}
}

LINUX_VIEW(linux_render_devices)
{
	LinuxCursor c = { .os = os };

	g_string_append(out, "Character devices:\n");
	append_majors(&c, &char_devices, out, call);
	g_string_append(out, "\nBlock devices:\n");
	append_majors(&c, &block_devices, out, call);
	return linux_cursor_end(&c, error);
}

/* ---- /proc/misc ---- */

typedef struct {
	const Linux *os;
	guint64 link_at;
	GString *out;
} Misc;

static gboolean
visit_misc(guint64 link, gpointer user)
{
	Misc *m = user;
	guint64 minor, object = link - m->link_at;

	if (!linux_get(m->os, object, LINUX_FIELD_MISC_DEVICE_MINOR, &minor, NULL))
		return FALSE;
	g_string_append_printf(m->out, "%3d ", (gint32) minor);
	append_pointed(m->os, object, LINUX_FIELD_MISC_DEVICE_NAME, m->out);
	g_string_append_c(m->out, '\n');
	return TRUE;
}

LINUX_VIEW(linux_render_misc)
{
	const Linux *self = os;
	Misc m = { .os = os, .out = out };
	guint64 head;

	return linux_symbol(self, "misc_list", &head, error) &&
	       linux_offset(self, LINUX_FIELD_MISC_DEVICE_LIST, &m.link_at, error) &&
	       linux_list_each(self->aspace, head, MAX_LINES, visit_misc, &m, call, error);
}

/* ---- /proc/swaps ---- */

static void
append_swap(LinuxCursor *c, guint64 at, const LinuxPath *root, GString *out)
{
	guint64 file = linux_take(c, at, LINUX_FIELD_SWAP_FILE), inode, path_at, mode;
	guint64 size = linux_pages_kb(c->os, linux_take(c, at, LINUX_FIELD_SWAP_PAGES));
	guint64 used =
		linux_pages_kb(c->os, linux_take(c, at, LINUX_FIELD_SWAP_USED) & SWAP_COUNT_BITS);
	gint prio = (gint16) linux_take(c, at, LINUX_FIELD_SWAP_PRIO);
	g_autoptr(GString) name = g_string_new(NULL);
	LinuxPath path;

	inode = linux_take(c, file, LINUX_FIELD_FILE_INODE);
	mode = linux_take(c, inode, LINUX_FIELD_INODE_MODE);
	if (c->error || !linux_offset(c->os, LINUX_FIELD_FILE_PATH, &path_at, &c->error) ||
	    !linux_path_read(c->os, file + path_at, &path, &c->error) ||
	    !linux_path_append(c->os, &path, root, name, &c->error))
		return;
	gsize before = out->len;
	vmifs_text_append_mangled(out, name->str, -1, LINUX_CONTROL_BYTES " \\");
	gsize len = out->len - before;
	g_string_append_printf(out, "%*s%s\t%" G_GUINT64_FORMAT "\t%s%" G_GUINT64_FORMAT "\t%s%d\n",
			       len < SWAP_NAME_WIDTH ? (int) (SWAP_NAME_WIDTH - len) : 1, " ",
			       (mode & S_IFMT) == S_IFBLK ? "partition" : "file\t", size,
			       size < TAB_BELOW ? "\t" : "", used, used < TAB_BELOW ? "\t" : "",
			       prio);
}

LINUX_VIEW(linux_render_swaps)
{
	LinuxCursor c = { .os = os };
	guint64 table, n, at;
	LinuxPath root;

	if (!linux_symbol(os, "swap_info", &table, error) ||
	    !linux_variable(os, "nr_swapfiles", 4, &n, error))
		return FALSE;
	g_string_append(out, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	if (n && !linux_path_root(os, &root, &c.error))
		n = 0;
	for (guint64 i = 0; i < MIN(n, MAX_SWAPS) && !c.error; i++) {
		if (!linux_load_word(os, table + i * linux_word(os), &at, &c.error) || !at)
			continue;
		if (linux_take(&c, at, LINUX_FIELD_SWAP_FLAGS) & SWP_USED &&
		    linux_take(&c, at, LINUX_FIELD_SWAP_MAP))
			append_swap(&c, at, &root, out);
	}
	return linux_cursor_end(&c, error);
}
