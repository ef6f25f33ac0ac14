/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fdinfo: where a descriptor stands in its file, how it was opened, the locks it holds, then what
 * its kind adds.
 */
#include "fdinfo.h"

#include "list.h"

#define O_CLOEXEC_BIT 02000000
#define MAX_LOCKS 65536
#define MINOR_BITS 20
#define OFFSET_MAX G_MAXINT64

#define FL_POSIX 1
#define FL_FLOCK 2
#define FL_DELEG 4
#define FL_ACCESS 8
#define FL_LEASE 32
#define FL_UNLOCK_PENDING 128
#define FL_DOWNGRADE_PENDING 256
#define FL_OFDLCK 1024
#define TYPE_READ 0
#define TYPE_WRITE 1
#define TYPE_NONE 2
#define TYPE_MANDATORY 32

/* ---- locks ---- */

typedef struct {
	LinuxCursor *c;
	const LinuxOpenFile *open;
	GString *out;
	guint64 inode, link_at;
	guint n;
} Locks;

static const char *
lock_kind(guint64 flags, guint64 type)
{
	if (flags & FL_POSIX)
		return flags & FL_ACCESS   ? "ACCESS ADVISORY  "
		       : flags & FL_OFDLCK ? "OFDLCK ADVISORY  "
					   : "POSIX  ADVISORY  ";
	if (flags & FL_FLOCK)
		return type & TYPE_MANDATORY ? "FLOCK  MSNFS     " : "FLOCK  ADVISORY  ";
	if (flags & (FL_LEASE | FL_DELEG))
		return flags & FL_DELEG ? "DELEG  " : "LEASE  ";
	return "UNKNOWN UNKNOWN  ";
}

static void
append_lock(Locks *l, guint64 lock)
{
	LinuxCursor *c = l->c;
	guint64 flags = linux_take(c, lock, LINUX_FIELD_LOCK_FLAGS);
	guint64 type = linux_take(c, lock, LINUX_FIELD_LOCK_TYPE);
	guint64 pid = linux_take(c, lock, LINUX_FIELD_LOCK_PID);
	guint64 start = linux_take(c, lock, LINUX_FIELD_LOCK_START);
	guint64 end = linux_take(c, lock, LINUX_FIELD_LOCK_END);
	guint64 sb = linux_take(c, l->inode, LINUX_FIELD_INODE_SB);
	guint32 dev = (guint32) linux_take(c, sb, LINUX_FIELD_SUPER_BLOCK_DEV);
	gboolean lease = !(flags & (FL_POSIX | FL_FLOCK)) && flags & (FL_LEASE | FL_DELEG);

	g_string_append_printf(l->out, "lock:\t%u: %s", ++l->n, lock_kind(flags, type));
	if (lease) {
		gboolean breaking = (flags & (FL_UNLOCK_PENDING | FL_DOWNGRADE_PENDING)) != 0;
		g_string_append(l->out, breaking ? "BREAKING  " : "ACTIVE    ");
		if (breaking)
			type = flags & FL_UNLOCK_PENDING ? TYPE_NONE : TYPE_READ;
	}
	g_string_append_printf(l->out, "%s %d %02x:%02x:%" G_GUINT64_FORMAT " ",
			       type == TYPE_WRITE  ? "WRITE"
			       : type == TYPE_READ ? "READ"
						   : "UNLCK",
			       flags & FL_OFDLCK ? -1 : (gint32) pid, dev >> MINOR_BITS,
			       dev & ((1U << MINOR_BITS) - 1),
			       linux_take(c, l->inode, LINUX_FIELD_INODE_INO));
	if (!(flags & FL_POSIX))
		g_string_append(l->out, "0 EOF\n");
	else if (end == OFFSET_MAX)
		g_string_append_printf(l->out, "%" G_GINT64_FORMAT " EOF\n", (gint64) start);
	else
		g_string_append_printf(l->out, "%" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n",
				       (gint64) start, (gint64) end);
}

static gboolean
visit_lock(guint64 node, gpointer user)
{
	Locks *l = user;
	guint64 lock = node - l->link_at;
	guint64 owner = linux_take(l->c, lock, LINUX_FIELD_LOCK_OWNER);

	if (linux_take(l->c, lock, LINUX_FIELD_LOCK_FILE) == l->open->file &&
	    (owner == l->open->files || owner == l->open->file) && !l->c->error)
		append_lock(l, lock);
	return !l->c->error;
}

static void
append_locks(LinuxCursor *c, const LinuxOpenFile *open, guint64 inode, GString *out,
	     const VmifsCall *call)
{
	static const LinuxField lists[] = { LINUX_FIELD_LOCKS_FLOCK, LINUX_FIELD_LOCKS_POSIX,
					    LINUX_FIELD_LOCKS_LEASE };
	Locks l = { .c = c, .open = open, .out = out, .inode = inode };
	guint64 locks = linux_take(c, inode, LINUX_FIELD_INODE_LOCKS), at;

	if (!locks || c->error ||
	    !linux_offset(c->os, LINUX_FIELD_LOCK_LIST, &l.link_at, &c->error))
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(lists) && !c->error; i++) {
		GError *broken = NULL;

		if (linux_offset(c->os, lists[i], &at, &c->error))
			linux_list_each(c->os->aspace, locks + at, MAX_LOCKS, visit_lock, &l, call,
					&broken);
		linux_cursor_fail(c, broken);
	}
}

/* ---- the file ---- */

LINUX_VIEW(linux_render_fdinfo)
{
	const Linux *self = os;
	LinuxCursor c = { .os = self };
	g_autoptr(GString) text = g_string_new(NULL);
	LinuxOpenFile open;
	LinuxPath path;
	guint64 path_at, vfs_at;

	if (!linux_open_file(self, task, entry, &open, error) ||
	    !linux_offset(self, LINUX_FIELD_FILE_PATH, &path_at, error) ||
	    !linux_path_read(self, open.file + path_at, &path, error) ||
	    !linux_offset(self, LINUX_FIELD_MOUNT_MNT, &vfs_at, error))
		return FALSE;
	guint64 inode = linux_take(&c, open.file, LINUX_FIELD_FILE_INODE);
	guint64 flags = linux_take(&c, open.file, LINUX_FIELD_FILE_FLAGS);
	g_string_append_printf(text, "pos:\t%" G_GINT64_FORMAT "\nflags:\t0%o\nmnt_id:\t%d\n",
			       (gint64) linux_take(&c, open.file, LINUX_FIELD_FILE_POS),
			       (guint) flags | (open.close_on_exec ? O_CLOEXEC_BIT : 0),
			       (gint32) linux_take(&c, path.mnt - vfs_at, LINUX_FIELD_MOUNT_ID));
	if (linux_has_text(self, LINUX_TEXT_FDINFO_INO) ||
	    linux_has_text(self, LINUX_TEXT_FDINFO_LONG_INO))
		g_string_append_printf(text, "ino:\t%" G_GUINT64_FORMAT "\n",
				       linux_take(&c, inode, LINUX_FIELD_INODE_INO));
	append_locks(&c, &open, inode, text, call);
	linux_fdinfo_kind(&c, &open, text, call);
	if (!linux_cursor_end(&c, error))
		return FALSE;
	g_string_append_len(out, text->str, (gssize) text->len);
	return TRUE;
}
