/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fdinfo-kinds: the lines that eventfd, epoll, signalfd, timerfd, inotify, pidfd, terminals and
 * sockets add, one function for each of the kernel's.
 */
#include "fdinfo.h"
#include "list.h"
#include "rbtree.h"
#include "times.h"

/* What one epoll may watch, one inotify may mark; here each is a line of text. */
#define MAX_WATCHES (256 * 1024)
#define MAX_PID_LEVEL 32
#define NS_PER_S G_GUINT64_CONSTANT(1000000000)
#define IN_ALL_EVENTS 0xfff
#define IN_EXCL_UNLINK 0x04000000
#define IN_ONESHOT 0x80000000U
#define MARK_EXCL_UNLINK 0x10
#define MARK_IN_ONESHOT 0x20

typedef struct {
	LinuxCursor *c;
	const Linux *os;
	guint64 file, private;
	GString *out;
	const VmifsCall *call;
} Info;

static guint64
take(Info *i, guint64 object, LinuxField field)
{
	return linux_take(i->c, object, field);
}

static void
show_eventfd(Info *i)
{
	g_string_append_printf(i->out, "eventfd-count: %16" G_GINT64_MODIFIER "x\neventfd-id: %d\n",
			       take(i, i->private, LINUX_FIELD_EVENTFD_COUNT),
			       (gint32) take(i, i->private, LINUX_FIELD_EVENTFD_ID));
	if (linux_has_text(i->os, LINUX_TEXT_EVENTFD_SEMAPHORE))
		g_string_append_printf(i->out, "eventfd-semaphore: %d\n",
				       (gint) (take(i, i->private, LINUX_FIELD_EVENTFD_FLAGS) & 1));
}

/* ---- epoll ---- */

static gboolean
visit_epitem(guint64 item, gpointer user)
{
	Info *i = user;
	guint64 file = take(i, item, LINUX_FIELD_EPITEM_FILE);
	guint64 inode = take(i, file, LINUX_FIELD_FILE_INODE);
	guint64 sb = take(i, inode, LINUX_FIELD_INODE_SB);

	g_string_append_printf(i->out,
			       "tfd: %8d events: %8x data: %16" G_GINT64_MODIFIER
			       "x  pos:%" G_GINT64_FORMAT " ino:%" G_GINT64_MODIFIER "x sdev:%x\n",
			       (gint32) take(i, item, LINUX_FIELD_EPITEM_FD),
			       (guint32) take(i, item, LINUX_FIELD_EPITEM_EVENTS),
			       take(i, item, LINUX_FIELD_EPITEM_DATA),
			       (gint64) take(i, file, LINUX_FIELD_FILE_POS),
			       take(i, inode, LINUX_FIELD_INODE_INO),
			       (guint32) take(i, sb, LINUX_FIELD_SUPER_BLOCK_DEV));
	return !i->c->error;
}

static void
show_epoll(Info *i)
{
	guint64 root = take(i, i->private, LINUX_FIELD_EVENTPOLL_TREE);
	GError *broken = NULL;

	/* The link is an item's first member. */
	if (!i->c->error)
		linux_tree_each(i->os, root, MAX_WATCHES, visit_epitem, i, i->call, &broken);
	linux_cursor_fail(i->c, broken);
}

/* ---- signalfd, timerfd ---- */

static void
show_signalfd(Info *i)
{
	/* It is kept as those that it does not take. */
	g_string_append_printf(i->out, "sigmask:\t%016" G_GINT64_MODIFIER "x\n",
			       ~take(i, i->private, LINUX_FIELD_SIGNALFD_MASK));
}

static guint64
remaining(Info *i, guint64 clock_id)
{
	guint64 expires = take(i, i->private, LINUX_FIELD_TIMERFD_EXPIRES), now;
	guint64 base = 0;
	LinuxClock clock;

	if (i->c->error || !linux_clock(i->os, &clock, &i->c->error))
		return 0;
	/* Alarms are counted by their own clock; other timers by the one that they are queued at,
	 * which is not the one asked for where the time was relative. */
	gboolean alarm = clock_id == 8 || clock_id == 9;
	if (alarm)
		expires = take(i, i->private, LINUX_FIELD_TIMERFD_ALARM_EXPIRES);
	else
		base = take(i, i->private, LINUX_FIELD_TIMERFD_BASE);
	if (base)
		clock_id = take(i, base, LINUX_FIELD_HRTIMER_BASE_CLOCK);
	if (clock_id == 0 || clock_id == 8)
		now = clock.boot + clock.since_boot;
	else if (clock_id == 7 || clock_id == 9)
		now = clock.since_boot;
	else
		now = clock.monotonic;
	return (gint64) (expires - now) > 0 ? expires - now : 0;
}

static void
append_time(Info *i, const char *name, guint64 ns)
{
	g_string_append_printf(i->out, "%s: (%" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT ")\n", name,
			       ns / NS_PER_S, ns % NS_PER_S);
}

static void
show_timerfd(Info *i)
{
	guint64 clock_id = take(i, i->private, LINUX_FIELD_TIMERFD_CLOCK);

	g_string_append_printf(i->out,
			       "clockid: %d\nticks: %" G_GUINT64_FORMAT "\nsettime flags: 0%o\n",
			       (gint32) clock_id, take(i, i->private, LINUX_FIELD_TIMERFD_TICKS),
			       (guint) take(i, i->private, LINUX_FIELD_TIMERFD_SETTIME_FLAGS));
	append_time(i, "it_value", remaining(i, clock_id));
	append_time(i, "it_interval", take(i, i->private, LINUX_FIELD_TIMERFD_INTERVAL));
}

/* ---- inotify ---- */

/* The inode that a connector is for. It held the address of the inode's pointer to it, and
 * since 6.10 holds the inode: either way that pointer leads back. */
static guint64
connected_inode(Info *i, guint64 connector)
{
	guint64 object = take(i, connector, LINUX_FIELD_CONNECTOR_OBJECT), at, back;

	if (i->c->error || !object ||
	    !linux_offset(i->os, LINUX_FIELD_INODE_MARKS, &at, &i->c->error))
		return 0;
	if (vmifs_aspace_read_ptr(i->os->aspace, object, &back, NULL) && back == connector)
		return object - at;
	if (vmifs_aspace_read_ptr(i->os->aspace, object + at, &back, NULL) && back == connector)
		return object;
	return 0;
}

static void
append_handle(Info *i, guint type, const guint8 *bytes, guint n)
{
	g_string_append_printf(i->out, "fhandle-bytes:%x fhandle-type:%x f_handle:", n, type);
	for (guint b = 0; b < n; b++)
		g_string_append_printf(i->out, "%02x", bytes[b]);
}

/* The file's handle as its file system would make it, for those that make it in a known way. */
static void
append_inode_handle(Info *i, guint64 inode, guint64 ino, guint64 sb)
{
	guint64 ops = take(i, sb, LINUX_FIELD_SUPER_BLOCK_EXPORT_OP), fn = 0, modern;
	guint32 generation = (guint32) take(i, inode, LINUX_FIELD_INODE_GENERATION);
	guint32 words[3] = { 0 };

	if (ops)
		fn = take(i, ops, LINUX_FIELD_EXPORT_OPERATIONS_ENCODE);
	/* Since 6.7 there is no common way any more for those that name none. */
	gboolean has_modern = linux_symbol(i->os, "generic_encode_ino32_fh", &modern, NULL);
	if (fn && linux_is_symbol(i->os, fn, "shmem_encode_fh")) {
		words[0] = GUINT32_TO_LE(generation);
		words[1] = GUINT32_TO_LE((guint32) ino);
		words[2] = GUINT32_TO_LE((guint32) (ino >> 32));
		append_handle(i, 1, (const guint8 *) words, 12);
	} else if ((!fn && !has_modern) || (has_modern && fn == modern)) {
		words[0] = GUINT32_TO_LE((guint32) ino);
		words[1] = GUINT32_TO_LE(generation);
		append_handle(i, 1, (const guint8 *) words, 8);
	} else if (!fn) {
		words[0] = GUINT32_TO_LE((guint32) ino);
		words[1] = GUINT32_TO_LE((guint32) (ino >> 32));
		words[2] = GUINT32_TO_LE(generation);
		append_handle(i, 0x81, (const guint8 *) words, 12);
	} else if (linux_is_symbol(i->os, fn, "kernfs_encode_fh")) {
		guint64 node = take(i, inode, LINUX_FIELD_INODE_PRIVATE);
		guint64 id = GUINT64_TO_LE(take(i, node, LINUX_FIELD_KERNFS_NODE_ID));
		append_handle(i, 0xfe, (const guint8 *) &id, 8);
	}
}

typedef struct {
	Info *i;
	guint64 link_at;
} Marks;

static gboolean
visit_mark(guint64 node, gpointer user)
{
	Marks *m = user;
	Info *i = m->i;
	guint64 mark = node - m->link_at; /* the first member of an inotify_inode_mark */
	guint64 inode = connected_inode(i, take(i, mark, LINUX_FIELD_MARK_CONNECTOR));
	guint64 mask = take(i, mark, LINUX_FIELD_MARK_MASK) & IN_ALL_EVENTS;
	guint64 flags = take(i, mark, LINUX_FIELD_MARK_FLAGS);

	if (!inode || i->c->error)
		return !i->c->error;
	mask |= flags & MARK_EXCL_UNLINK ? IN_EXCL_UNLINK : 0;
	mask |= flags & MARK_IN_ONESHOT ? IN_ONESHOT : 0;
	guint64 ino = take(i, inode, LINUX_FIELD_INODE_INO);
	guint64 sb = take(i, inode, LINUX_FIELD_INODE_SB);
	g_string_append_printf(
		i->out, "inotify wd:%x ino:%" G_GINT64_MODIFIER "x sdev:%x mask:%x ignored_mask:0 ",
		(guint32) take(i, mark, LINUX_FIELD_INOTIFY_MARK_WD), ino,
		(guint32) take(i, sb, LINUX_FIELD_SUPER_BLOCK_DEV), (guint32) mask);
	append_inode_handle(i, inode, ino, sb);
	g_string_append_c(i->out, '\n');
	return !i->c->error;
}

static void
show_inotify(Info *i)
{
	Marks m = { .i = i };
	GError *broken = NULL;
	guint64 at;

	if (!i->c->error && linux_offset(i->os, LINUX_FIELD_MARK_LIST, &m.link_at, &i->c->error) &&
	    linux_offset(i->os, LINUX_FIELD_NOTIFY_GROUP_MARKS, &at, &i->c->error))
		linux_list_each(i->os->aspace, i->private + at, MAX_WATCHES, visit_mark, &m,
				i->call, &broken);
	linux_cursor_fail(i->c, broken);
}

/* ---- pidfd ---- */

static void
show_pidfd(Info *i)
{
	const LinuxLayout *layout = i->os->layout;
	guint64 pid = i->private, address;

	/* Since 6.9 it belongs to the inode, for all descriptors of one process have the same. */
	if (!pid)
		pid = take(i, take(i, i->file, LINUX_FIELD_FILE_INODE), LINUX_FIELD_INODE_PRIVATE);
	guint64 level = take(i, pid, LINUX_FIELD_PID_LEVEL);
	gboolean lives = take(i, pid, LINUX_FIELD_PID_TASKS) != 0;
	for (guint64 n = 0; n <= MIN(level, MAX_PID_LEVEL) && !i->c->error; n++) {
		guint64 upid = linux_layout_element(layout, LINUX_FIELD_PID_NUMBERS, pid, n);
		gint32 number = lives ? (gint32) take(i, upid, LINUX_FIELD_UPID_NR) : -1;

		if (n == 0) {
			g_string_append_printf(i->out, "Pid:\t%d\n", number);
			if (!linux_symbol(i->os, "copy_pid_ns", &address, NULL))
				return;
			g_string_append(i->out, "NSpid:");
		}
		g_string_append_printf(i->out, "\t%d", number);
		if (!lives)
			break;
	}
	g_string_append_c(i->out, '\n');
}

/* ---- terminals, sockets ---- */

static void
show_tty(Info *i)
{
	guint64 tty = take(i, i->private, LINUX_FIELD_TTY_FILE_TTY);
	guint64 ops = tty ? take(i, tty, LINUX_FIELD_TTY_OPS) : 0;
	guint64 fn = ops ? take(i, ops, LINUX_FIELD_TTY_OPERATIONS_FDINFO) : 0;

	if (fn && linux_is_symbol(i->os, fn, "pty_show_fdinfo"))
		g_string_append_printf(i->out, "tty-index:\t%d\n",
				       (gint32) take(i, tty, LINUX_FIELD_TTY_INDEX));
}

/* Files on their way through a socket of the Unix domain. */
static void
show_socket(Info *i)
{
	guint64 ops = take(i, i->private, LINUX_FIELD_SOCKET_OPS);
	guint64 fn = ops ? take(i, ops, LINUX_FIELD_PROTO_OPS_FDINFO) : 0;
	guint64 sk = take(i, i->private, LINUX_FIELD_SOCKET_SK);

	if (fn && sk && linux_is_symbol(i->os, fn, "unix_show_fdinfo"))
		g_string_append_printf(i->out, "scm_fds: %u\n",
				       (guint32) take(i, sk, LINUX_FIELD_UNIX_SOCK_NR_FDS));
}

static const struct {
	const char *symbol;
	void (*show)(Info *i);
} kinds[] = {
	{ "eventfd_show_fdinfo", show_eventfd },   { "ep_show_fdinfo", show_epoll },
	{ "signalfd_show_fdinfo", show_signalfd }, { "timerfd_show", show_timerfd },
	{ "inotify_show_fdinfo", show_inotify },   { "pidfd_show_fdinfo", show_pidfd },
	{ "tty_show_fdinfo", show_tty },           { "sock_show_fdinfo", show_socket },
};

void
linux_fdinfo_kind(LinuxCursor *c, const LinuxOpenFile *open, GString *out, const VmifsCall *call)
{
	guint64 ops = linux_take(c, open->file, LINUX_FIELD_FILE_OP);
	guint64 fn = ops ? linux_take(c, ops, LINUX_FIELD_FILE_OPERATIONS_FDINFO) : 0;
	Info i = { .c = c, .os = c->os, .file = open->file, .out = out, .call = call };

	if (!fn)
		return;
	i.private = linux_take(c, open->file, LINUX_FIELD_FILE_PRIVATE);
	for (gsize k = 0; k < G_N_ELEMENTS(kinds); k++) {
		if (linux_is_symbol(c->os, fn, kinds[k].symbol))
			return kinds[k].show(&i);
	}
}
