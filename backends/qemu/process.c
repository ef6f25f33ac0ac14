/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process: descriptors of one life of a process, and transfers from and to its memory.
 *
 *   pidfd        has it ended?
 *   /proc/PID    its folder: opening below it never meets a later owner of the number
 *   mem          slow (a copy more, a page at a time), but bound to that memory
 *   readv        process_vm_readv(2): fast, many pieces in a call, but by number alone: so the
 *                pidfd is asked afterwards; who was alive then had the number all the time
 *
 * At a stop of the guest it waits for some ten small reads, one by one, each with both questions:
 * is the page there, and the process? So what was there is taken to be there for a moment more.
 */
#include "process.h"

#include "below.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <vmifs/error.h>

#define BATCH 256 /* elements of one call; the kernel takes 1024 */
#define MAX_MAPS ((gsize) 64 << 20)
#define MAX_THREADS 65536
#define PAGEMAP_SOMETHING ((guint64) 3 << 62) /* present, or swapped out */

/* In so long no number is given to another process: all others have been given first. */
#define ALIVE_US G_TIME_SPAN_MILLISECOND

/* ioctl(PAGEMAP_SCAN) of Linux 6.7; older headers lack it. See its admin-guide/mm/pagemap.rst. */
#define SCAN_PRESENT ((guint64) 1 << 3)
#define SCAN_SWAPPED ((guint64) 1 << 4)

typedef struct {
	guint64 size, flags, start, end, walk_end, vec, vec_len, max_pages;
	guint64 inverted, all_of, any_of, told;
} Scan;

typedef struct {
	guint64 start, end, categories;
} ScanRange;

#define SCAN _IOWR('f', 16, Scan)

struct QemuProcess {
	pid_t pid;
	guint64 start_time;
	int pidfd, dir, maps, pagemap, mem;
	gint is_slow; /* atomic; process_vm_readv() was refused: do not try again */
	gint64 alive; /* atomic; when it was seen last, in us */
};

/* ---- life ---- */

gboolean
qemu_process_stat(int dir, char *ret_state, guint64 *ret_start_time)
{
	char text[1024];
	unsigned long long start_time;
	char state;

	if (!qemu_below_text(dir, "stat", text, sizeof text))
		return FALSE;
	/* The name before it may hold anything, parentheses too. */
	const char *rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1,
			    " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			    "%*d %*d %llu",
			    &state, &start_time) != 2)
		return FALSE;
	*ret_state = state;
	*ret_start_time = start_time;
	return TRUE;
}

static gboolean
is_ptrace_scoped(void)
{
	g_autofree char *scope = NULL;

	return g_file_get_contents("/proc/sys/kernel/yama/ptrace_scope", &scope, NULL, NULL) &&
	       scope[0] != '0';
}

static void
set_refused(const QemuProcess *self, const char *what, int failure, GError **error)
{
	struct stat st = { 0 };
	g_autofree char *who = NULL;

	fstat(self->dir, &st);
	if (failure != EACCES && failure != EPERM)
		who = g_strdup("");
	else if (is_ptrace_scoped() || st.st_uid == geteuid() || !st.st_uid)
		who = g_strdup(": only root may (CAP_SYS_PTRACE): run vmifs as root");
	else
		who = g_strdup_printf(": run vmifs as root, or as its user, %u", st.st_uid);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "process %d: cannot open its %s: %s%s",
		    (int) self->pid, what, g_strerror(failure), who);
}

static gboolean
open_below(const QemuProcess *self, const char *name, int flags, int *ret, GError **error)
{
	*ret = openat(self->dir, name, flags | O_CLOEXEC);
	if (*ret >= 0)
		return TRUE;
	set_refused(self, name, errno, error);
	return FALSE;
}

static gboolean
open_process(QemuProcess *self, guint64 start_time, GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d", (int) self->pid);
	char state;

	self->pidfd = (int) syscall(SYS_pidfd_open, self->pid, 0);
	if (self->pidfd < 0) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "process %d: %s",
			    (int) self->pid,
			    errno == EINVAL ? "is a thread of another one" : g_strerror(errno));
		return FALSE;
	}
	self->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (self->dir < 0 || !qemu_process_stat(self->dir, &state, &self->start_time) ||
	    qemu_process_is_gone(self)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "process %d has ended",
			    (int) self->pid);
		return FALSE;
	}
	if (start_time && start_time != self->start_time) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			    "process %d has ended: its number is another one's now",
			    (int) self->pid);
		return FALSE;
	}
	return TRUE;
}

QemuProcess *
qemu_process_open(pid_t pid, guint64 start_time, gboolean writable, GError **error)
{
	g_autoptr(QemuProcess) self = g_new0(QemuProcess, 1);

	self->pid = pid;
	self->pidfd = self->dir = self->maps = self->pagemap = self->mem = -1;
	if (!open_process(self, start_time, error) ||
	    !open_below(self, "mem", writable ? O_RDWR : O_RDONLY, &self->mem, error) ||
	    !open_below(self, "maps", O_RDONLY, &self->maps, error) ||
	    !open_below(self, "pagemap", O_RDONLY, &self->pagemap, error))
		return NULL;
	return g_steal_pointer(&self);
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void
qemu_process_close(QemuProcess *self)
{
	if (!self)
		return;
	close_fd(self->pidfd);
	close_fd(self->dir);
	close_fd(self->maps);
	close_fd(self->pagemap);
	close_fd(self->mem);
	g_free(self);
}

int
qemu_process_pidfd(const QemuProcess *self)
{
	return self->pidfd;
}

int
qemu_process_dir(const QemuProcess *self)
{
	return self->dir;
}

gboolean
qemu_process_is_gone(const QemuProcess *self)
{
	struct pollfd fd = { .fd = self->pidfd, .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

gboolean
qemu_process_is_stopped(const QemuProcess *self)
{
	guint64 start_time;
	char state;

	return qemu_process_stat(self->dir, &state, &start_time) && (state == 'T' || state == 't');
}

/* Of a line of /proc/PID/status, in which a newline of the name is none. */
static gboolean
add_number(const char *status, const char *key, guint64 *sum)
{
	const char *line = strstr(status, key);

	*sum += line ? g_ascii_strtoull(line + strlen(key), NULL, 10) : 0;
	return line != NULL;
}

static gboolean
thread_rests(int tasks, const char *number, guint64 *switches)
{
	g_autofree char *path = g_strconcat(number, "/status", NULL);
	char text[8192];

	qemu_below_text(tasks, path, text, sizeof text);
	return strstr(text, "\nState:\t") && !strstr(text, "\nState:\tR") &&
	       add_number(text, "\nvoluntary_ctxt_switches:", switches) &&
	       add_number(text, "\nnonvoluntary_ctxt_switches:", switches);
}

gboolean
qemu_process_rests(const QemuProcess *self, guint64 *ret_switches)
{
	DIR *dir = qemu_below_folder(self->dir, "task");
	const struct dirent *entry;
	guint64 switches = 0;
	guint n = 0;
	gboolean rest = TRUE;

	if (!dir)
		return FALSE;
	while (rest && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			rest = ++n <= MAX_THREADS &&
			       thread_rests(dirfd(dir), entry->d_name, &switches);
	closedir(dir);
	if (rest)
		*ret_switches = switches;
	return rest && n;
}

/* ---- what lies where ---- */

char *
qemu_process_maps(const QemuProcess *self, GError **error)
{
	g_autoptr(GByteArray) text = g_byte_array_new();
	guint8 part[4096];

	while (text->len < MAX_MAPS) {
		gssize n = pread(self->maps, part, sizeof part, (off_t) text->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ESRCH) {
			g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO,
				    "process %d: its maps cannot be read: %s", (int) self->pid,
				    g_strerror(errno));
			return NULL;
		}
		if (n <= 0)
			break;
		g_byte_array_append(text, part, (guint) n);
	}
	if (!text->len) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_STALE, "process %d has ended",
			    (int) self->pid);
		return NULL;
	}
	g_byte_array_append(text, (const guint8 *) "", 1);
	return (char *) g_byte_array_free(g_steal_pointer(&text), FALSE);
}

static void
set_bits(guint64 *bits, guint64 first, guint64 end)
{
	for (guint64 n; first < end; first += n) {
		n = MIN(64 - first % 64, end - first);
		bits[first / 64] |= (n == 64 ? ~(guint64) 0 : ((guint64) 1 << n) - 1) << first % 64;
	}
}

/* Ten times as fast as to read entries. FALSE: this kernel knows no such thing. */
static gboolean
scan_pages(const QemuProcess *self, guint64 address, gsize n, guint64 page, guint64 *bits)
{
	ScanRange ranges[QEMU_PRESENCE_PAGES];
	Scan scan = { .size = sizeof scan,
		      .start = address,
		      .end = address + n * page,
		      .vec = (guintptr) ranges,
		      .vec_len = G_N_ELEMENTS(ranges),
		      .any_of = SCAN_PRESENT | SCAN_SWAPPED,
		      .told = SCAN_PRESENT };
	int n_ranges = ioctl(self->pagemap, SCAN, &scan);

	if (n_ranges < 0 || n_ranges > QEMU_PRESENCE_PAGES || scan.walk_end != scan.end)
		return FALSE;
	for (int i = 0; i < n_ranges; i++) {
		/* Huge pages are told whole. */
		guint64 start = MAX(ranges[i].start, address), end = MIN(ranges[i].end, scan.end);
		if (start < end)
			set_bits(bits, (start - address) / page, (end - address) / page);
	}
	return TRUE;
}

static gboolean
read_entries(const QemuProcess *self, guint64 address, gsize n, guint64 page, guint64 *bits)
{
	guint64 entries[QEMU_PRESENCE_PAGES];
	gssize got = pread(self->pagemap, entries, n * 8, (off_t) (address / page * 8));

	if (got < 0 || (gsize) got != n * 8)
		return FALSE;
	for (gsize i = 0; i < n; i++) {
		if (entries[i] & PAGEMAP_SOMETHING)
			bits[i / 64] |= (guint64) 1 << i % 64;
	}
	return TRUE;
}

gboolean
qemu_process_presence(const QemuProcess *self, guint64 address, gsize n, guint64 *ret_bits)
{
	guint64 bits[QEMU_PRESENCE_PAGES / 64] = { 0 };
	guint64 page = (guint64) sysconf(_SC_PAGESIZE);

	g_assert(n <= QEMU_PRESENCE_PAGES);
	if (!scan_pages(self, address, n, page, bits) &&
	    !read_entries(self, address, n, page, bits))
		return FALSE;
	/* Who has ended has no pages; those are no holes. */
	if (qemu_process_is_gone(self))
		return FALSE;
	memcpy(ret_bits, bits, (n + 63) / 64 * 8);
	return TRUE;
}

/* ---- bytes ---- */

/* What is left of one element, by /proc/PID/mem. Returns: its status. */
static int
transfer_slowly(const QemuProcess *self, const QemuTransfer *io, gsize done, gboolean write)
{
	while (done < io->len) {
		guint8 *buf = (guint8 *) io->buf + done;
		off_t at = (off_t) (io->address + done);
		gssize n = write ? pwrite(self->mem, buf, io->len - done, at)
				 : pread(self->mem, buf, io->len - done, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return ESRCH; /* its memory is no more */
		done += (gsize) n;
	}
	return 0;
}

/* Returns: how many bytes, from the first element's first one on. */
static gsize
read_vectored(QemuProcess *self, const QemuTransfer *io, gsize n)
{
	struct iovec ours[BATCH], theirs[BATCH];

	if (g_atomic_int_get(&self->is_slow))
		return 0;
	for (gsize i = 0; i < n; i++) {
		ours[i] = (struct iovec){ io[i].buf, io[i].len };
		theirs[i] = (struct iovec){ (gpointer) (guintptr) io[i].address, io[i].len };
	}
	gssize got = process_vm_readv(self->pid, ours, n, theirs, n, 0);
	if (got < 0 && (errno == EPERM || errno == ENOSYS))
		g_atomic_int_set(&self->is_slow, 1);
	return got < 0 ? 0 : (gsize) got;
}

/* Returns: how many elements, from the first one on, have got their status. */
static gsize
read_batch(QemuProcess *self, QemuTransfer *io, gsize n)
{
	gsize got = read_vectored(self, io, n);

	for (gsize i = 0; i < n; i++) {
		if (got < io[i].len) {
			/* It stopped in the midst of this one. */
			io[i].status = transfer_slowly(self, &io[i], got, FALSE);
			return i + 1;
		}
		got -= io[i].len;
		io[i].status = 0;
	}
	return n;
}

/* While the guest stands it waits for some ten small reads, one by one. */
static gboolean
was_there(QemuProcess *self)
{
	gint64 now = g_get_monotonic_time();

	if (now - __atomic_load_n(&self->alive, __ATOMIC_RELAXED) < ALIVE_US)
		return TRUE;
	if (qemu_process_is_gone(self))
		return FALSE;
	__atomic_store_n(&self->alive, now, __ATOMIC_RELAXED);
	return TRUE;
}

static gsize
count_good(QemuProcess *self, QemuTransfer *io, gsize n)
{
	gboolean is_gone = !was_there(self);
	gsize good = 0;

	for (gsize i = 0; i < n; i++) {
		if (is_gone)
			io[i].status = ESRCH;
		good += !io[i].status;
	}
	return good;
}

gsize
qemu_process_read(QemuProcess *self, QemuTransfer *io, gsize n)
{
	for (gsize at = 0; at < n;)
		at += read_batch(self, io + at, MIN(n - at, BATCH));
	return count_good(self, io, n);
}

/* Never by number: what another process has got by then would be destroyed. */
gsize
qemu_process_write(QemuProcess *self, QemuTransfer *io, gsize n)
{
	for (gsize i = 0; i < n; i++)
		io[i].status = transfer_slowly(self, &io[i], 0, TRUE);
	return count_good(self, io, n);
}
