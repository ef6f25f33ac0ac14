/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fdinfo: what is said of an open file, of its locks, and by each kind. */
#include <unit.h>

#include <linux-guest.h>

#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct path 16 mnt@0:8 dentry@8:8\n"                                                      \
	"struct vfsmount 16 mnt_root@0:8\n"                                                        \
	"struct mount 64 mnt@32=vfsmount mnt_id@48:4\n"                                            \
	"struct file_operations 16 show_fdinfo@8:8\n"                                              \
	"struct file 128 f_path@16=path f_inode@32:8 f_op@40:8 f_flags@48:4 f_pos@56:8 "           \
	"private_data@64:8\n"                                                                      \
	"struct export_operations 8 encode_fh@0:8\n"                                               \
	"struct super_block 32 s_dev@0:4 s_export_op@8:8\n"                                        \
	"struct inode 64 i_ino@0:8 i_sb@8:8 i_flctx@16:8 i_generation@24:4 "                       \
	"i_fsnotify_marks@32:8 i_private@40:8\n"                                                   \
	"struct kernfs_node 16 id@8:8\n"                                                           \
	"struct fdtable 32 max_fds@0:4 fd@8:8 close_on_exec@16:8\n"                                \
	"struct files_struct 16 fdt@8:8\n"                                                         \
	"struct task_struct 32 files@0:8\n"                                                        \
	"struct file_lock_context 64 flc_flock@8=list_head flc_posix@24=list_head "                \
	"flc_lease@40=list_head\n"                                                                 \
	"struct file_lock_core 64 flc_list@8=list_head flc_owner@24:8 flc_flags@32:4 "             \
	"flc_type@36:1 flc_pid@40:4 flc_file@48:8\n"                                               \
	"struct file_lock 96 c@0=file_lock_core fl_start@64:8 fl_end@72:8\n"                       \
	"struct eventfd_ctx 32 count@8:8 flags@16:4 id@20:4\n"                                     \
	"struct rb_node 24 __rb_parent_color@0:8 rb_right@8:8 rb_left@16:8\n"                      \
	"struct rb_root 8 rb_node@0:8\n"                                                           \
	"struct rb_root_cached 16 rb_root@0=rb_root\n"                                             \
	"struct eventpoll 32 rbr@8=rb_root_cached\n"                                               \
	"struct epoll_filefd 12 file@0:8 fd@8:4\n"                                                 \
	"struct epoll_event 12 events@0:4 data@4:8\n"                                              \
	"struct epitem 64 rbn@0=rb_node ffd@24=epoll_filefd event@40=epoll_event\n"                \
	"struct signalfd_ctx 8 sigmask@0:8\n"                                                      \
	"struct timerqueue_node 16 expires@8:8\n"                                                  \
	"struct hrtimer_clock_base 8 clockid@0:4\n"                                                \
	"struct hrtimer 32 node@0=timerqueue_node base@16:8\n"                                     \
	"struct alarm 32 node@0=timerqueue_node\n"                                                 \
	"struct timers 32 tmr@0=hrtimer alarm@0=alarm\n"                                           \
	"struct timerfd_ctx 64 t@0=timers tintv@32:8 ticks@40:8 clockid@48:4 "                     \
	"settime_flags@52:2\n"                                                                     \
	"struct tk_read_base 16 xtime_nsec@0:8 shift@8:4\n"                                        \
	"struct timespec64 16 tv_sec@0:8 tv_nsec@8:8\n"                                            \
	"struct timekeeper 64 xtime_sec@0:8 offs_real@8:8 offs_boot@16:8 "                         \
	"tkr_mono@24=tk_read_base wall_to_monotonic@40=timespec64\n"                               \
	"struct tk_data 72 timekeeper@8=timekeeper\n"                                              \
	"struct fsnotify_group 32 marks_list@8=list_head\n"                                        \
	"struct fsnotify_mark 64 mask@0:4 g_list@8=list_head connector@24:8 flags@32:4\n"          \
	"struct inotify_inode_mark 72 fsn_mark@0=fsnotify_mark wd@64:4\n"                          \
	"struct fsnotify_mark_connector 16 obj@8:8\n"                                              \
	"struct upid 16 nr@0:4 ns@8:8\n"                                                           \
	"struct pid 64 level@0:4 tasks@8:8x2 numbers@24=upidx0\n"                                  \
	"struct tty_operations 8 show_fdinfo@0:8\n"                                                \
	"struct tty_struct 16 ops@0:8 index@8:4\n"                                                 \
	"struct tty_file_private 8 tty@0:8\n"                                                      \
	"struct proto_ops 8 show_fdinfo@0:8\n"                                                     \
	"struct socket 16 ops@0:8 sk@8:8\n"                                                        \
	"struct scm_stat 4 nr_fds@0:4\n"                                                           \
	"struct unix_sock 16 scm_stat@8=scm_stat\n"

#define HEAD "pos:\t-1\nflags:\t02100002\nmnt_id:\t33\n"

typedef struct {
	LinuxGuest g;
	guint64 files, file, inode, sb, code; /* code: where functions lie */
	VmifsTask task;
	GError *error;
} Fixture;

static void
setup(Fixture *f)
{
	LinuxGuest *g = &f->g;

	*f = (Fixture){ 0 };
	linux_guest_init(g, TYPES);
	f->code = linux_guest_alloc(g, 256);
	f->task.object = linux_guest_new(g, LINUX_STRUCT_TASK);
	f->files = linux_guest_new(g, LINUX_STRUCT_FILES);
	guint64 fdt = linux_guest_new(g, LINUX_STRUCT_FDTABLE);
	guint64 slots = linux_guest_alloc(g, 8 * 128), bits = linux_guest_alloc(g, 16);
	linux_guest_put(g, f->task.object, LINUX_FIELD_TASK_FILES, f->files);
	linux_guest_put(g, f->files, LINUX_FIELD_FILES_FDT, fdt);
	linux_guest_put(g, fdt, LINUX_FIELD_FDTABLE_MAX_FDS, 128);
	linux_guest_put(g, fdt, LINUX_FIELD_FDTABLE_FD, slots);
	linux_guest_put(g, fdt, LINUX_FIELD_FDTABLE_CLOSE_ON_EXEC, bits);
	f->file = linux_guest_new(g, LINUX_STRUCT_FILE);
	linux_guest_u64(g, slots + 70 * 8, f->file);
	linux_guest_u64(g, slots + 71 * 8, f->file);
	linux_guest_u64(g, bits + 8, 1 << 6);
	f->sb = linux_guest_new(g, LINUX_STRUCT_SUPER_BLOCK);
	linux_guest_put(g, f->sb, LINUX_FIELD_SUPER_BLOCK_DEV, 8 << 20 | 17);
	f->inode = linux_guest_new(g, LINUX_STRUCT_INODE);
	linux_guest_put(g, f->inode, LINUX_FIELD_INODE_INO, 0x134);
	linux_guest_put(g, f->inode, LINUX_FIELD_INODE_SB, f->sb);
	guint64 mount = linux_guest_new(g, LINUX_STRUCT_MOUNT);
	linux_guest_put(g, mount, LINUX_FIELD_MOUNT_ID, 33);
	linux_guest_put(g, linux_guest_at(g, f->file, LINUX_FIELD_FILE_PATH), LINUX_FIELD_PATH_MNT,
			linux_guest_at(g, mount, LINUX_FIELD_MOUNT_MNT));
	linux_guest_put(g, f->file, LINUX_FIELD_FILE_INODE, f->inode);
	linux_guest_put(g, f->file, LINUX_FIELD_FILE_FLAGS, 0100002);
	linux_guest_put(g, f->file, LINUX_FIELD_FILE_POS, G_MAXUINT64);
	guint64 op = linux_guest_new(g, LINUX_STRUCT_FILE_OPERATIONS);
	linux_guest_put(g, f->file, LINUX_FIELD_FILE_OP, op);
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_clear_error(&f->error);
}

/* The file is of the kind that this function shows, with that data. */
static void
put_kind(Fixture *f, const char *function, guint64 data)
{
	guint64 op = linux_guest_new(&f->g, LINUX_STRUCT_FILE_OPERATIONS);

	linux_guest_put(&f->g, op, LINUX_FIELD_FILE_OPERATIONS_FDINFO, f->code);
	linux_guest_symbol(&f->g, function, f->code);
	linux_guest_put(&f->g, f->file, LINUX_FIELD_FILE_OP, op);
	linux_guest_put(&f->g, f->file, LINUX_FIELD_FILE_PRIVATE, data);
}

static void
expect(Fixture *f, const char *rest)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_autofree char *text = g_strconcat(HEAD, rest, NULL);
	gboolean ok =
		linux_render_fdinfo(linux_guest_start(&f->g), &f->task, "70", out, NULL, &f->error);
	ck_assert_msg(ok, "%s", f->error ? f->error->message : "");
	ck_assert_str_eq(out->str, text);
	teardown(f);
}

START_TEST(every_file_has_its_place)
{
	Fixture f;
	setup(&f);
	expect(&f, "");
}
END_TEST

START_TEST(close_on_exec_is_of_the_descriptor)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	setup(&f);
	ck_assert(linux_render_fdinfo(linux_guest_start(&f.g), &f.task, "71", out, NULL, NULL));
	ck_assert_str_eq(out->str, "pos:\t-1\nflags:\t0100002\nmnt_id:\t33\n");
	teardown(&f);
}
END_TEST

START_TEST(descriptors_of_a_file_are_about_the_same_when_opened_alike)
{
	Fixture f;
	guint64 one[VMIFS_VIEW_WORDS] = { 0 }, other[VMIFS_VIEW_WORDS] = { 0 };
	VmifsTask *task = &f.task;
	setup(&f);
	Linux *os = linux_guest_start(&f.g);
	ck_assert(linux_about_open_file(os, task, "70", one));
	ck_assert(linux_about_open_file(os, task, "71", other));
	ck_assert_mem_ne(one, other, sizeof one);
	ck_assert(linux_about_open_file(os, task, "70", other));
	ck_assert_mem_eq(one, other, sizeof one);
	ck_assert(!linux_about_open_file(os, task, "72", other));
	teardown(&f);
}
END_TEST

START_TEST(closed_descriptor_is_not_found)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	setup(&f);
	ck_assert(!linux_render_fdinfo(linux_guest_start(&f.g), &f.task, "1", out, NULL, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	teardown(&f);
}
END_TEST

START_TEST(kind_that_is_not_known_adds_nothing)
{
	Fixture f;
	setup(&f);
	put_kind(&f, "other_show_fdinfo", 0x1000);
	expect(&f, "");
}
END_TEST

START_TEST(kind_whose_data_cannot_be_read_is_an_error)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	setup(&f);
	put_kind(&f, "eventfd_show_fdinfo", 0x1000);
	ck_assert(
		!linux_render_fdinfo(linux_guest_start(&f.g), &f.task, "70", out, NULL, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	ck_assert_uint_eq(out->len, 0);
	teardown(&f);
}
END_TEST

/* ---- locks ---- */

static guint64
add_lock(Fixture *f, guint64 owner, guint flags, guint type, guint64 end)
{
	guint64 lock = linux_guest_new(&f->g, LINUX_STRUCT_LOCK);

	linux_guest_put(&f->g, lock, LINUX_FIELD_LOCK_FILE, f->file);
	linux_guest_put(&f->g, lock, LINUX_FIELD_LOCK_OWNER, owner);
	linux_guest_put(&f->g, lock, LINUX_FIELD_LOCK_FLAGS, flags);
	linux_guest_put(&f->g, lock, LINUX_FIELD_LOCK_TYPE, type);
	linux_guest_put(&f->g, lock, LINUX_FIELD_LOCK_PID, 7);
	linux_guest_put(&f->g, lock, LINUX_FIELD_LOCK_START, 5);
	linux_guest_put(&f->g, lock, LINUX_FIELD_LOCK_END, end);
	return linux_guest_at(&f->g, lock, LINUX_FIELD_LOCK_LIST);
}

START_TEST(locks_held_by_the_descriptor_are_told)
{
	Fixture f;
	setup(&f);
	LinuxGuest *g = &f.g;
	guint64 locks = linux_guest_new(g, LINUX_STRUCT_LOCKS);
	linux_guest_put(g, f.inode, LINUX_FIELD_INODE_LOCKS, locks);
	linux_guest_ring(g,
			 (guint64[]){ linux_guest_at(g, locks, LINUX_FIELD_LOCKS_FLOCK),
				      add_lock(&f, f.file, 2, 1, G_MAXINT64) },
			 2);
	linux_guest_ring(g,
			 (guint64[]){ linux_guest_at(g, locks, LINUX_FIELD_LOCKS_POSIX),
				      add_lock(&f, 0x1000, 1, 1, 9), add_lock(&f, f.files, 1, 0, 9),
				      add_lock(&f, f.file, 1 | 1024, 1, G_MAXINT64) },
			 4);
	linux_guest_ring(g,
			 (guint64[]){ linux_guest_at(g, locks, LINUX_FIELD_LOCKS_LEASE),
				      add_lock(&f, f.file, 32, 0, 0),
				      add_lock(&f, f.file, 32 | 128, 1, 0) },
			 3);
	expect(&f, "lock:\t1: FLOCK  ADVISORY  WRITE 7 08:11:308 0 EOF\n"
		   "lock:\t2: POSIX  ADVISORY  READ 7 08:11:308 5 9\n"
		   "lock:\t3: OFDLCK ADVISORY  WRITE -1 08:11:308 5 EOF\n"
		   "lock:\t4: LEASE  ACTIVE    READ 7 08:11:308 0 EOF\n"
		   "lock:\t5: LEASE  BREAKING  UNLCK 7 08:11:308 0 EOF\n");
}
END_TEST

START_TEST(locks_in_a_circle_end)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	setup(&f);
	guint64 locks = linux_guest_new(&f.g, LINUX_STRUCT_LOCKS);
	guint64 lock = add_lock(&f, f.file, 2, 1, 0);
	linux_guest_put(&f.g, f.inode, LINUX_FIELD_INODE_LOCKS, locks);
	linux_guest_u64(&f.g, linux_guest_at(&f.g, locks, LINUX_FIELD_LOCKS_FLOCK), lock);
	linux_guest_u64(&f.g, lock, lock);
	ck_assert(
		!linux_render_fdinfo(linux_guest_start(&f.g), &f.task, "70", out, NULL, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	teardown(&f);
}
END_TEST

/* ---- kinds ---- */

START_TEST(eventfd_has_its_count)
{
	Fixture f;
	setup(&f);
	guint64 event = linux_guest_new(&f.g, LINUX_STRUCT_EVENTFD);
	linux_guest_put(&f.g, event, LINUX_FIELD_EVENTFD_COUNT, 0xabc);
	linux_guest_put(&f.g, event, LINUX_FIELD_EVENTFD_ID, 4);
	put_kind(&f, "eventfd_show_fdinfo", event);
	expect(&f, "eventfd-count:              abc\neventfd-id: 4\n");
}
END_TEST

START_TEST(epoll_lists_what_it_watches)
{
	Fixture f;
	setup(&f);
	guint64 poll = linux_guest_new(&f.g, LINUX_STRUCT_EVENTPOLL);
	guint64 a = linux_guest_new(&f.g, LINUX_STRUCT_EPITEM);
	guint64 b = linux_guest_new(&f.g, LINUX_STRUCT_EPITEM);
	linux_guest_put(&f.g, poll, LINUX_FIELD_EVENTPOLL_TREE, a);
	linux_guest_put(&f.g, a, LINUX_FIELD_RB_NODE_RIGHT, b);
	linux_guest_put(&f.g, a, LINUX_FIELD_EPITEM_FILE, f.file);
	linux_guest_put(&f.g, b, LINUX_FIELD_EPITEM_FILE, f.file);
	linux_guest_put(&f.g, a, LINUX_FIELD_EPITEM_FD, 18);
	linux_guest_put(&f.g, a, LINUX_FIELD_EPITEM_EVENTS, 0x80000019);
	linux_guest_put(&f.g, a, LINUX_FIELD_EPITEM_DATA, G_MAXUINT64);
	put_kind(&f, "ep_show_fdinfo", poll);
	expect(&f, "tfd:       18 events: 80000019 data: ffffffffffffffff  pos:-1 ino:134 "
		   "sdev:800011\n"
		   "tfd:        0 events:        0 data:                0  pos:-1 ino:134 "
		   "sdev:800011\n");
}
END_TEST

START_TEST(signalfd_has_its_mask)
{
	Fixture f;
	setup(&f);
	guint64 mask = linux_guest_new(&f.g, LINUX_STRUCT_SIGNALFD);
	linux_guest_u64(&f.g, mask, ~0x800ULL);
	put_kind(&f, "signalfd_show_fdinfo", mask);
	expect(&f, "sigmask:\t0000000000000800\n");
}
END_TEST

/* Ten seconds since it was booted, of which it slept two, at 100 s of the epoch. */
static void
put_clock(Fixture *f)
{
	guint64 data = linux_guest_alloc(&f->g, 72), tk = data + 8;

	linux_guest_symbol(&f->g, "timekeeper_data", data);
	linux_guest_put(&f->g, tk, LINUX_FIELD_TIMEKEEPER_XTIME_SEC, 100);
	linux_guest_put(&f->g, tk, LINUX_FIELD_TIMEKEEPER_WALL_TO_MONO_SEC, (guint64) -92);
	linux_guest_put(&f->g, tk, LINUX_FIELD_TIMEKEEPER_OFFS_BOOT, 2000000000);
	linux_guest_put(&f->g, tk, LINUX_FIELD_TIMEKEEPER_OFFS_REAL, 92000000000);
}

static const struct {
	guint clock, queued_at; /* kinds of clock */
	guint64 expires;
	const char *left;
} timers[] = {
	{ 1, 1, 9000000005, "1, 5" },          { 1, 1, 7000000000, "0, 0" },
	{ 0, 0, 103000000000, "3, 0" },        { 0, 1, 9000000000, "1, 0" },
	{ 7, 7, 10500000000, "0, 500000000" }, { 8, 1, 104000000000, "4, 0" },
	{ 9, 1, 15000000000, "5, 0" },
};

START_TEST(timerfd_has_the_time_that_is_left)
{
	Fixture f;
	setup(&f);
	put_clock(&f);
	guint64 timer = linux_guest_new(&f.g, LINUX_STRUCT_TIMERFD);
	guint64 base = linux_guest_new(&f.g, LINUX_STRUCT_HRTIMER_BASE);
	linux_guest_put(&f.g, base, LINUX_FIELD_HRTIMER_BASE_CLOCK, timers[_i].queued_at);
	linux_guest_put(&f.g, timer, LINUX_FIELD_TIMERFD_BASE, base);
	linux_guest_put(&f.g, timer, LINUX_FIELD_TIMERFD_EXPIRES, timers[_i].expires);
	linux_guest_put(&f.g, timer, LINUX_FIELD_TIMERFD_CLOCK, timers[_i].clock);
	linux_guest_put(&f.g, timer, LINUX_FIELD_TIMERFD_TICKS, 3);
	linux_guest_put(&f.g, timer, LINUX_FIELD_TIMERFD_SETTIME_FLAGS, 1);
	linux_guest_put(&f.g, timer, LINUX_FIELD_TIMERFD_INTERVAL, 60000000001);
	put_kind(&f, "timerfd_show", timer);
	g_autofree char *text = g_strdup_printf("clockid: %u\nticks: 3\nsettime flags: 01\n"
						"it_value: (%s)\nit_interval: (60, 1)\n",
						timers[_i].clock, timers[_i].left);
	expect(&f, text);
}
END_TEST

static guint64
add_connector(Fixture *f, gboolean modern)
{
	guint64 connector = linux_guest_new(&f->g, LINUX_STRUCT_CONNECTOR);
	guint64 marks = linux_guest_at(&f->g, f->inode, LINUX_FIELD_INODE_MARKS);

	linux_guest_put(&f->g, connector, LINUX_FIELD_CONNECTOR_OBJECT, modern ? f->inode : marks);
	linux_guest_u64(&f->g, marks, connector);
	return connector;
}

static void
put_inotify(Fixture *f, gboolean modern, const char *encode)
{
	LinuxGuest *g = &f->g;
	guint64 group = linux_guest_new(g, LINUX_STRUCT_NOTIFY_GROUP);
	guint64 mark = linux_guest_new(g, LINUX_STRUCT_INOTIFY_MARK);

	linux_guest_ring(g,
			 (guint64[]){ linux_guest_at(g, group, LINUX_FIELD_NOTIFY_GROUP_MARKS),
				      linux_guest_at(g, mark, LINUX_FIELD_MARK_LIST) },
			 2);
	linux_guest_put(g, mark, LINUX_FIELD_MARK_MASK, 0x8000100);
	linux_guest_put(g, mark, LINUX_FIELD_MARK_FLAGS, 0x20);
	linux_guest_put(g, mark, LINUX_FIELD_INOTIFY_MARK_WD, 17);
	linux_guest_put(g, mark, LINUX_FIELD_MARK_CONNECTOR, add_connector(f, modern));
	linux_guest_put(g, f->inode, LINUX_FIELD_INODE_GENERATION, 0xa1b2c3d4);
	guint64 node = linux_guest_new(g, LINUX_STRUCT_KERNFS_NODE);
	linux_guest_put(g, node, LINUX_FIELD_KERNFS_NODE_ID, 0x1234);
	linux_guest_put(g, f->inode, LINUX_FIELD_INODE_PRIVATE, node);
	if (encode) {
		guint64 ops = linux_guest_new(g, LINUX_STRUCT_EXPORT_OPERATIONS);
		linux_guest_put(g, ops, LINUX_FIELD_EXPORT_OPERATIONS_ENCODE, f->code + 1);
		linux_guest_symbol(g, encode, f->code + 1);
		linux_guest_put(g, f->sb, LINUX_FIELD_SUPER_BLOCK_EXPORT_OP, ops);
	}
	if (modern && g_strcmp0(encode, "generic_encode_ino32_fh"))
		linux_guest_symbol(g, "generic_encode_ino32_fh", f->code + 2);
	put_kind(f, "inotify_show_fdinfo", group);
}

static const struct {
	gboolean modern;
	const char *encode, *handle;
} handles[] = {
	{ FALSE, "shmem_encode_fh",
	  "fhandle-bytes:c fhandle-type:1 f_handle:d4c3b2a13401000000000000" },
	{ FALSE, NULL, "fhandle-bytes:8 fhandle-type:1 f_handle:34010000d4c3b2a1" },
	{ TRUE, "generic_encode_ino32_fh",
	  "fhandle-bytes:8 fhandle-type:1 f_handle:34010000d4c3b2a1" },
	{ TRUE, NULL, "fhandle-bytes:c fhandle-type:81 f_handle:3401000000000000d4c3b2a1" },
	{ TRUE, "kernfs_encode_fh", "fhandle-bytes:8 fhandle-type:fe f_handle:3412000000000000" },
	{ TRUE, "other_encode_fh", "" },
};

START_TEST(inotify_lists_what_it_marks)
{
	Fixture f;
	setup(&f);
	put_inotify(&f, handles[_i].modern, handles[_i].encode);
	g_autofree char *line = g_strdup_printf(
		"inotify wd:11 ino:134 sdev:800011 mask:80000100 ignored_mask:0 %s\n",
		handles[_i].handle);
	expect(&f, line);
}
END_TEST

START_TEST(mark_of_what_is_gone_is_left_out)
{
	Fixture f;
	setup(&f);
	put_inotify(&f, TRUE, NULL);
	linux_guest_put(&f.g, f.inode, LINUX_FIELD_INODE_MARKS, 0);
	expect(&f, "");
}
END_TEST

static guint64
add_pid(Fixture *f, gboolean lives)
{
	guint64 pid = linux_guest_new(&f->g, LINUX_STRUCT_PID);
	guint64 numbers = linux_guest_at(&f->g, pid, LINUX_FIELD_PID_NUMBERS);

	linux_guest_put(&f->g, pid, LINUX_FIELD_PID_LEVEL, 1);
	linux_guest_put(&f->g, pid, LINUX_FIELD_PID_TASKS, lives);
	linux_guest_put(&f->g, numbers, LINUX_FIELD_UPID_NR, 90);
	linux_guest_put(&f->g, numbers + 16, LINUX_FIELD_UPID_NR, 2);
	linux_guest_symbol(&f->g, "copy_pid_ns", f->code + 3);
	return pid;
}

START_TEST(pidfd_has_its_pids)
{
	Fixture f;
	setup(&f);
	guint64 pid = add_pid(&f, TRUE);
	put_kind(&f, "pidfd_show_fdinfo", _i ? 0 : pid);
	if (_i)
		linux_guest_put(&f.g, f.inode, LINUX_FIELD_INODE_PRIVATE, pid);
	expect(&f, "Pid:\t90\nNSpid:\t90\t2\n");
}
END_TEST

START_TEST(pidfd_of_a_dead_process_has_none)
{
	Fixture f;
	setup(&f);
	put_kind(&f, "pidfd_show_fdinfo", add_pid(&f, FALSE));
	expect(&f, "Pid:\t-1\nNSpid:\t-1\n");
}
END_TEST

START_TEST(master_of_a_terminal_has_its_number)
{
	Fixture f;
	setup(&f);
	guint64 private = linux_guest_new(&f.g, LINUX_STRUCT_TTY_FILE);
	guint64 tty = linux_guest_new(&f.g, LINUX_STRUCT_TTY);
	guint64 ops = linux_guest_new(&f.g, LINUX_STRUCT_TTY_OPERATIONS);
	linux_guest_put(&f.g, private, LINUX_FIELD_TTY_FILE_TTY, tty);
	linux_guest_put(&f.g, tty, LINUX_FIELD_TTY_OPS, ops);
	linux_guest_put(&f.g, tty, LINUX_FIELD_TTY_INDEX, 3);
	linux_guest_put(&f.g, ops, LINUX_FIELD_TTY_OPERATIONS_FDINFO, f.code + 4);
	linux_guest_symbol(&f.g, _i ? "pty_show_fdinfo" : "other", f.code + 4);
	put_kind(&f, "tty_show_fdinfo", private);
	expect(&f, _i ? "tty-index:\t3\n" : "");
}
END_TEST

START_TEST(unix_socket_counts_files_on_their_way)
{
	Fixture f;
	setup(&f);
	guint64 socket = linux_guest_new(&f.g, LINUX_STRUCT_SOCKET);
	guint64 ops = linux_guest_new(&f.g, LINUX_STRUCT_PROTO_OPS);
	guint64 sk = linux_guest_new(&f.g, LINUX_STRUCT_UNIX_SOCK);
	linux_guest_put(&f.g, socket, LINUX_FIELD_SOCKET_OPS, ops);
	linux_guest_put(&f.g, socket, LINUX_FIELD_SOCKET_SK, sk);
	linux_guest_put(&f.g, sk, LINUX_FIELD_UNIX_SOCK_NR_FDS, 6);
	linux_guest_put(&f.g, ops, LINUX_FIELD_PROTO_OPS_FDINFO, f.code + 4);
	linux_guest_symbol(&f.g, "unix_show_fdinfo", f.code + 4);
	put_kind(&f, "sock_show_fdinfo", socket);
	expect(&f, "scm_fds: 6\n");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("fdinfo");
	TCase *t = tcase_create("fdinfo");

	tcase_add_test(t, every_file_has_its_place);
	tcase_add_test(t, close_on_exec_is_of_the_descriptor);
	tcase_add_test(t, descriptors_of_a_file_are_about_the_same_when_opened_alike);
	tcase_add_test(t, closed_descriptor_is_not_found);
	tcase_add_test(t, kind_that_is_not_known_adds_nothing);
	tcase_add_test(t, kind_whose_data_cannot_be_read_is_an_error);
	tcase_add_test(t, locks_held_by_the_descriptor_are_told);
	tcase_add_test(t, locks_in_a_circle_end);
	tcase_add_test(t, eventfd_has_its_count);
	tcase_add_test(t, epoll_lists_what_it_watches);
	tcase_add_test(t, signalfd_has_its_mask);
	tcase_add_loop_test(t, timerfd_has_the_time_that_is_left, 0, G_N_ELEMENTS(timers));
	tcase_add_loop_test(t, inotify_lists_what_it_marks, 0, G_N_ELEMENTS(handles));
	tcase_add_test(t, mark_of_what_is_gone_is_left_out);
	tcase_add_loop_test(t, pidfd_has_its_pids, 0, 2);
	tcase_add_test(t, pidfd_of_a_dead_process_has_none);
	tcase_add_loop_test(t, master_of_a_terminal_has_its_number, 0, 2);
	tcase_add_test(t, unix_socket_counts_files_on_their_way);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
