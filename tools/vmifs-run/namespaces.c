/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * namespaces: where COMMAND runs. Pids of its own: no signal finds a process of the host. A network
 * of its own, so that what asks the kernel instead of reading files is told of no host's sockets.
 * Mounts of its own: the guest's procs lies over /proc, and what tools mix with it, /sys, who is
 * logged in here and the log of this kernel, is covered with nothing.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#define KINDS (CLONE_NEWPID | CLONE_NEWNET)
#define TMPFS_FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static gboolean
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return FALSE;
	gboolean written = write(fd, text, strlen(text)) == (ssize_t) strlen(text);
	int error = errno;
	close(fd);
	errno = error;
	return written;
}

/* The user stays who he is: the mount lets nobody else in. */
static gboolean
map_user(uid_t uid, gid_t gid)
{
	g_autofree char *users = g_strdup_printf("%u %u 1\n", uid, uid);
	g_autofree char *groups = g_strdup_printf("%u %u 1\n", gid, gid);
	return write_file("/proc/self/setgroups", "deny") &&
	       write_file("/proc/self/uid_map", users) && write_file("/proc/self/gid_map", groups);
}

static gboolean
enter(void)
{
	if (unshare(KINDS) == 0)
		return TRUE;
	if (errno != EPERM)
		return FALSE;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	return unshare(CLONE_NEWUSER | KINDS) == 0 && map_user(uid, gid);
}

static void
complain_of_namespaces(void)
{
	switch (errno) {
	case EPERM:
	case EACCES:
		run_complain(
			errno,
			"private namespaces: this host does not let ordinary users make them "
			"(sysctl kernel.unprivileged_userns_clone, "
			"kernel.apparmor_restrict_unprivileged_userns; in a container, what it "
			"was started with): run as root");
		break;
	case ENOSPC:
	case EUSERS:
		run_complain(
			errno,
			"private namespaces: no more of them may be made here (sysctl "
			"user.max_user_namespaces, user.max_pid_namespaces ...): run as root, or "
			"raise the limit");
		break;
	case EINVAL:
		run_complain(errno, "private namespaces: this kernel lacks them (CONFIG_USER_NS, "
				    "CONFIG_PID_NS, CONFIG_NET_NS)");
		break;
	default:
		run_complain(errno, "private namespaces");
	}
}

gboolean
run_namespaces_enter(void)
{
	if (enter())
		return TRUE;
	complain_of_namespaces();
	return FALSE;
}

/* Mounts that come and go on the host do so here; none of ours is seen there. */
static gboolean
enter_mounts(void)
{
	if (unshare(CLONE_NEWNS) < 0) {
		complain_of_namespaces();
		return FALSE;
	}
	if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) == 0)
		return TRUE;
	if (errno == EINVAL)
		run_complain(errno,
			     "/ is no mount point, as in a chroot: mounts cannot be kept from "
			     "the host; make it one (mount --bind DIR DIR before chroot DIR)");
	else
		run_complain(errno, "mounts cannot be kept from the host");
	return FALSE;
}

/* A folder where there was one; nothing to do where there was none. */
static gboolean
empty_folder(const char *path)
{
	if (mount("none", path, "tmpfs", MS_RDONLY | TMPFS_FLAGS, "size=4k") == 0 ||
	    errno == ENOENT)
		return TRUE;
	run_complain(errno, "%s cannot be covered", path);
	return FALSE;
}

static gboolean
empty_file(const char *path)
{
	if (mount("/dev/null", path, NULL, MS_BIND, NULL) == 0 || errno == ENOENT)
		return TRUE;
	run_complain(errno, "%s cannot be covered", path);
	return FALSE;
}

/* What was open before the mounts changed still leads to the host's. */
static void
leave_covered_folder(void)
{
	struct statfs fs;
	if (statfs(".", &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC)
		if (chdir("/") < 0)
			run_complain(errno, "/");
}

gboolean
run_namespaces_cover(const char *dir)
{
	g_autofree char *procs = g_build_filename(dir, "procs", NULL);
	if (!enter_mounts())
		return FALSE;
	if (mount(procs, "/proc", NULL, MS_BIND, NULL) < 0) {
		run_complain(errno, "%s cannot be mounted on /proc", procs);
		return FALSE;
	}
	leave_covered_folder();
	return empty_file("/run/utmp") && empty_file("/dev/kmsg") && empty_folder("/sys") &&
	       empty_folder("/run/systemd");
}
