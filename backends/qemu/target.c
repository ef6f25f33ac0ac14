/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * target: see the header. Everything is read through one descriptor of /proc/PID, which answers
 * nothing once that process has ended, whoever has its number then.
 */
#include "target.h"

#include "below.h"
#include "monitor.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of arguments; Linux takes up to 6 MiB, libvirt gives some 10 KiB. */
#define MAX_ARGUMENTS (1 << 20)
/* Of a program: what it says is in front of what only debuggers want. */
#define MAX_PROGRAM ((gsize) 128 << 20)
#define PIECE ((gsize) 32 << 10)

/* ---- /proc/PID ---- */

/* (full) NULL with errno. */
static char *
read_link(int proc, const char *name)
{
	char buf[4096];
	gssize n = readlinkat(proc, name, buf, sizeof buf - 1);

	return n < 0 ? NULL : g_strndup(buf, (gsize) n);
}

/* Does the program say of itself, to those who ask for its version, that it is QEMU? Read, not
 * mapped: whoever owns it may make it shorter once it does not run. */
static gboolean
program_is_qemu(int proc)
{
	static const char words[] = "QEMU emulator version ";
	const gsize keep = sizeof words - 2; /* of one piece for the next */
	int fd = openat(proc, "exe", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char piece[sizeof words + PIECE];
	gsize kept = 0, total = 0;
	gboolean is = FALSE;
	gssize n;

	if (fd < 0)
		return FALSE;
	while (!is && total < MAX_PROGRAM && (n = read(fd, piece + kept, PIECE)) > 0) {
		gsize len = kept + (gsize) n;
		is = memmem(piece, len, words, strlen(words)) != NULL;
		kept = MIN(len, keep);
		memmove(piece, piece + len - kept, kept);
		total += (gsize) n;
	}
	close(fd);
	return is;
}

/* ---- the target ---- */

static gboolean
fail(GError **error, pid_t pid, VmifsError code, const char *why)
{
	g_set_error(error, VMIFS_ERROR, code, "process %d: %s", (int) pid, why);
	return FALSE;
}

static gboolean
fail_errno(GError **error, pid_t pid, const char *what)
{
	int problem = errno;

	if (problem == ENOENT || problem == ESRCH)
		return fail(error, pid, VMIFS_ERROR_NOT_FOUND, "there is none of that number");
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "process %d: %s: %s%s", (int) pid, what,
		    g_strerror(problem),
		    problem == EACCES || problem == EPERM
			    ? "; run as root, or as the user it runs as"
			    : "");
	return FALSE;
}

/* Arguments and program; FALSE with NOT_FOUND when they are none of a QEMU. */
static gboolean
take_arguments(QemuTarget *target, GError **error)
{
	gsize len;
	g_autofree char *arguments = qemu_below_all(target->proc, "cmdline", MAX_ARGUMENTS, &len);

	if (!arguments)
		return fail_errno(error, target->pid, "its arguments cannot be read");
	target->exe = read_link(target->proc, "exe");
	QemuLikely likely = qemu_argv_likely(target->exe, arguments, len);
	if (likely == QEMU_LIKELY_NOT ||
	    (likely == QEMU_LIKELY_MAYBE && !program_is_qemu(target->proc))) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND,
			    "process %d is %s, which is no QEMU", (int) target->pid,
			    target->exe  ? target->exe
			    : *arguments ? arguments
					 : "a kernel thread");
		return FALSE;
	}
	target->args = qemu_args_parse(arguments, len);
	return TRUE;
}

static gboolean
take_start(QemuTarget *target, GError **error)
{
	char state;

	if (!qemu_process_stat(target->proc, &state, &target->start_time))
		return fail_errno(error, target->pid, "its start cannot be read");
	if (state == 'Z' || state == 'X')
		return fail(error, target->pid, VMIFS_ERROR_NOT_FOUND, "it has ended");
	guint64 per_second = (guint64) sysconf(_SC_CLK_TCK);
	target->started = (gint64) (target->start_time / per_second * G_USEC_PER_SEC +
				    target->start_time % per_second * G_USEC_PER_SEC / per_second);
	return TRUE;
}

static gboolean
take(QemuTarget *target, GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d", (int) target->pid);

	/* The number of a thread has a folder too, and no pidfd. */
	target->pidfd = pidfd_open(target->pid, 0);
	if (target->pidfd < 0 && errno == EINVAL)
		errno = ESRCH;
	if (target->pidfd < 0)
		return fail_errno(error, target->pid, "it cannot be followed");
	target->proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target->proc < 0)
		return fail_errno(error, target->pid, path);
	if (!take_arguments(target, error) || !take_start(target, error))
		return FALSE;
	target->root = openat(target->proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* Both descriptors are of one process if the first one's has not ended by now. */
	if (!qemu_target_is_alive(target))
		return fail(error, target->pid, VMIFS_ERROR_NOT_FOUND, "it has ended");
	return TRUE;
}

QemuTarget *
qemu_target_new(pid_t pid, GError **error)
{
	g_autoptr(QemuTarget) target = g_new0(QemuTarget, 1);

	target->pid = pid;
	target->pidfd = target->proc = target->root = -1;
	if (pid <= 0) {
		fail(error, pid, VMIFS_ERROR_NOT_FOUND, "no such number");
		return NULL;
	}
	if (!take(target, error))
		return NULL;
	target->name = target->args->name && *target->args->name
			       ? g_strdup(target->args->name)
			       : g_strdup_printf("qemu-%d", (int) pid);
	target->source = g_strdup_printf("pid:%d", (int) pid);
	return g_steal_pointer(&target);
}

QemuTarget *
qemu_target_new_elsewhere(const char *life, const char *name, QemuMonitor *monitor)
{
	QemuTarget *target = g_new0(QemuTarget, 1);

	target->pidfd = target->proc = target->root = -1;
	target->args = qemu_args_parse("", 0);
	target->life = g_strdup(life);
	target->name = g_strdup(name);
	target->monitor = monitor;
	return target;
}

void
qemu_target_free(QemuTarget *target)
{
	if (!target)
		return;
	if (target->monitor)
		qemu_monitor_free(target->monitor);
	if (target->pidfd >= 0)
		close(target->pidfd);
	if (target->proc >= 0)
		close(target->proc);
	if (target->root >= 0)
		close(target->root);
	qemu_args_free(target->args);
	g_free(target->exe);
	g_free(target->name);
	g_free(target->source);
	g_free(target->no_monitor);
	g_free(target->life);
	g_free(target);
}

QemuLikely
qemu_target_likely(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d", (int) pid);
	int proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	gsize len = 0;

	if (proc < 0)
		return QEMU_LIKELY_NOT;
	g_autofree char *exe = read_link(proc, "exe");
	g_autofree char *arguments = qemu_below_all(proc, "cmdline", MAX_ARGUMENTS, &len);
	close(proc);
	return arguments ? qemu_argv_likely(exe, arguments, len) : QEMU_LIKELY_NOT;
}

char *
qemu_target_key(const QemuTarget *target)
{
	if (target->life)
		return g_strdup(target->life);
	return g_strdup_printf("%d:%" G_GUINT64_FORMAT, (int) target->pid, target->start_time);
}

gboolean
qemu_target_is_readable(const QemuTarget *target)
{
	int fd = target->pid ? openat(target->proc, "mem", O_RDONLY | O_CLOEXEC) : -1;

	if (!target->pid)
		return FALSE;
	if (fd >= 0)
		close(fd);
	return fd >= 0 || (errno != EACCES && errno != EPERM);
}

gboolean
qemu_target_is_alive(const QemuTarget *target)
{
	struct pollfd end = { .fd = target->pidfd, .events = POLLIN };

	return poll(&end, 1, 0) == 0;
}

/* ---- its paths ---- */

/* As seen from its root, which for a process in a chroot is not that of its namespace. (full) */
static char *
absolute_path(const QemuTarget *target, const char *path)
{
	if (g_path_is_absolute(path))
		return g_strdup(path);
	g_autofree char *cwd = read_link(target->proc, "cwd");
	g_autofree char *root = read_link(target->proc, "root");
	if (!cwd || !root)
		return g_strdup(path);
	gsize n = g_str_equal(root, "/") ? 0 : strlen(root);
	return g_build_filename(g_str_has_prefix(cwd, root) ? cwd + n : cwd, path, NULL);
}

int
qemu_target_open_path(const QemuTarget *target, const char *path, int flags, GError **error)
{
	g_autofree char *absolute = absolute_path(target, path);
	struct open_how how = {
		.flags = (guint64) (flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	if (target->root < 0) {
		g_set_error(
			error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			"%s of process %d: its files may not be looked at; run as root, or as the "
			"user it runs as",
			path, (int) target->pid);
		return -1;
	}
	int fd = (int) syscall(SYS_openat2, target->root, absolute, &how, sizeof how);
	if (fd < 0)
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "%s of process %d: %s", path,
			    (int) target->pid, g_strerror(errno));
	return fd;
}
