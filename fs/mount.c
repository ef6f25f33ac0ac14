/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount: everything here happens before the first request or after the last. What can be found out
 * without asking a FUSE server is looked up in /proc/self/mountinfo: our own cannot answer yet, and
 * a dead one never will.
 */
#include "mount.h"

#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

#define DEVICE "/dev/fuse"
#define FS_TYPE "fuse.vmifs"
#define READ_AHEAD_KB "1024"
/* What is told as the mount's source: of many the first ones; mount(2) takes less than a page. */
#define SOURCES_LEN 1000
#define SOURCE_LEN 4000
/* A mount that has not answered by then has a server that was stopped, or is very busy. */
#define ANSWER_MS 2000

static gboolean
fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean
fail(GError **error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (error)
		*error = g_error_new_valist(VMIFS_ERROR, VMIFS_ERROR_IO, format, args);
	va_end(args);
	return FALSE;
}

/* ---- what is mounted ---- */

typedef struct {
	char *device;  /* "0:52" */
	char *type;    /* "fuse.vmifs" */
	char *options; /* "rw,nosuid,..." */
} Mounted;

static void
mounted_clear(Mounted *mounted)
{
	g_clear_pointer(&mounted->device, g_free);
	g_clear_pointer(&mounted->type, g_free);
	g_clear_pointer(&mounted->options, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Mounted, mounted_clear)

/* The topmost mount at that path. FALSE: there is none. */
static gboolean
find_mount(const char *point, Mounted *ret)
{
	g_autofree char *table = NULL;
	if (!g_file_get_contents("/proc/self/mountinfo", &table, NULL, NULL))
		return FALSE;
	g_auto(GStrv) lines = g_strsplit(table, "\n", -1);
	gboolean found = FALSE;
	for (guint i = 0; lines[i]; i++) {
		/* id parent DEVICE root POINT OPTIONS [tags] - TYPE source options */
		g_auto(GStrv) fields = g_strsplit(lines[i], " ", -1);
		const char *dash = strstr(lines[i], " - ");
		if (g_strv_length(fields) < 9 || !dash)
			continue;
		g_autofree char *path = g_strcompress(fields[4]);
		if (!g_str_equal(path, point))
			continue;
		mounted_clear(ret);
		ret->device = g_strdup(fields[2]);
		ret->type = g_strndup(dash + 3, strcspn(dash + 3, " "));
		ret->options = g_strdup(fields[5]);
		found = TRUE;
	}
	return found;
}

static gboolean
follows_links(const Mounted *mounted)
{
	if (!mounted->options)
		return TRUE;
	g_auto(GStrv) words = g_strsplit(mounted->options, ",", -1);
	return !g_strv_contains((const char *const *) words, "nosymfollow");
}

/* ---- before ---- */

static gboolean
check_device(GError **error)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		return TRUE;
	}
	switch (errno) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return fail(error,
			    DEVICE
			    ": %s: this kernel has no FUSE; load it (modprobe fuse), or give "
			    "the container that device",
			    g_strerror(errno));
	case EACCES:
	case EPERM:
		return fail(error,
			    DEVICE
			    ": %s: mounting needs that device; run as root, or let this user "
			    "open it",
			    g_strerror(errno));
	default:
		return fail(error, DEVICE ": cannot be opened: %s", g_strerror(errno));
	}
}

/* The path that mountinfo has, without asking whatever is mounted there. (full) */
static char *
path_of_mount(const char *point)
{
	g_autofree char *absolute = g_canonicalize_filename(point, NULL);
	g_autofree char *parent = g_path_get_dirname(absolute);
	g_autofree char *name = g_path_get_basename(absolute);
	char resolved[PATH_MAX];
	return realpath(parent, resolved) ? g_build_filename(resolved, name, NULL) : NULL;
}

/* Whether its server was killed: names and attributes may be remembered, but not this. One that was
 * stopped would never answer, nor would we hear of Ctrl-C then: so a child asks, for a while. */
static gboolean
is_dead(const char *path)
{
	int pipe_fds[2];
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return FALSE;
	pid_t child = fork();
	if (child == 0) {
		struct statfs fs;
		char dead = statfs(path, &fs) < 0 && (errno == ENOTCONN || errno == ECONNABORTED);
		_exit(write(pipe_fds[1], &dead, 1) != 1);
	}
	close(pipe_fds[1]);
	struct pollfd answer = { .fd = pipe_fds[0], .events = POLLIN };
	char dead = FALSE;
	gboolean answered =
		child > 0 && poll(&answer, 1, ANSWER_MS) == 1 && read(pipe_fds[0], &dead, 1) == 1;
	close(pipe_fds[0]);
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, answered ? 0 : WNOHANG);
	}
	return answered && dead;
}

static gboolean
detach_dead(const char *path)
{
	if (umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH) == 0)
		return TRUE;
	const char *const command[] = { "fusermount3", "-u", "-z", "-q", "--", path, NULL };
	int status;
	return g_spawn_sync(NULL, (char **) command, NULL,
			    G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
				    G_SPAWN_STDERR_TO_DEV_NULL,
			    NULL, NULL, NULL, NULL, &status, NULL) &&
	       g_spawn_check_wait_status(status, NULL);
}

/* A mount of ours that serves nobody any more makes way; one that lives does not. */
static gboolean
check_vacant(const char *point, GError **error)
{
	g_autofree char *path = path_of_mount(point);
	g_auto(Mounted) mounted = { 0 };
	if (!path || !find_mount(path, &mounted) || !g_str_equal(mounted.type, FS_TYPE))
		return TRUE;
	if (!is_dead(path))
		return fail(
			error,
			"mount point %s: busy: vmifs is mounted there already; unmount it first "
			"(umount %s), or mount elsewhere",
			point, point);
	return detach_dead(path) ||
	       fail(error,
		    "mount point %s: a mount whose server has died is there; remove it first: "
		    "fusermount3 -u %s, or umount %s",
		    point, point, point);
}

gboolean
vmifs_mount_check(const char *point, char **ret_point, GError **error)
{
	struct stat st;
	if (!check_vacant(point, error))
		return FALSE;
	if (stat(point, &st) < 0) {
		switch (errno) {
		case ENOENT:
			return fail(error, "mount point %s: %s: create it (mkdir %s)", point,
				    g_strerror(errno), point);
		default:
			return fail(error, "mount point %s: %s", point, g_strerror(errno));
		}
	}
	if (!S_ISDIR(st.st_mode))
		return fail(error, "mount point %s: not a directory; give an empty directory",
			    point);
	char resolved[PATH_MAX];
	if (!realpath(point, resolved))
		return fail(error, "mount point %s: %s", point, g_strerror(errno));
	/* Nothing could unmount it: umount(8) of / means what lies below. */
	if (g_str_equal(resolved, "/"))
		return fail(error, "mount point %s: is the root directory; give an empty directory",
			    point);
	if (!check_device(error))
		return FALSE;
	*ret_point = g_strdup(resolved);
	return TRUE;
}

/* ---- mounting ---- */

/* (full) */
static char *
source_name(const VmifsFsOptions *options)
{
	if (options->fsname)
		return g_strdup(options->fsname);
	g_autoptr(GString) name = g_string_new(NULL);
	for (guint i = 0; i < options->sources->len; i++) {
		const char *source = g_ptr_array_index(options->sources, i);
		gboolean fits = !i || name->len + strlen(source) < SOURCES_LEN;
		g_string_append_printf(name, "%s%s", i ? "," : "", fits ? source : "...");
		if (!fits)
			break;
	}
	g_string_truncate(name, MIN(name->len, SOURCE_LEN));
	return g_string_free(g_steal_pointer(&name), FALSE);
}

/* mount(2) by ourselves. Returns: the device, or a negative errno. */
static int
mount_own(const VmifsFsOptions *options, const char *point)
{
	int device = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (device < 0)
		return -errno;
	unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOSYMFOLLOW;
	if (options->read_only)
		flags |= MS_RDONLY;
	g_autoptr(GString) data = g_string_new(NULL);
	g_string_printf(data, "fd=%d,rootmode=40000,user_id=%u,group_id=%u", device, getuid(),
			getgid());
	if (options->allow_other)
		g_string_append(data, ",allow_other,default_permissions");
	if (options->max_read)
		g_string_append_printf(data, ",max_read=%u", options->max_read);
	g_autofree char *source = source_name(options);
	if (mount(source, point, FS_TYPE, flags, data->str) == 0)
		return device;
	int saved = errno;
	close(device);
	return -saved;
}

/* libfuse's own options; those of the mount only where fusermount3 makes it. */
static struct fuse_session *
make_session(VmifsFs *fs, gboolean own)
{
	const VmifsFsOptions *options = fs->options;
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	fuse_opt_add_arg(&args, "vmifs");
	if (options->debug)
		fuse_opt_add_arg(&args, "-d");
	char *words = NULL;
	if (options->max_read) {
		g_autofree char *word = g_strdup_printf("max_read=%u", options->max_read);
		fuse_opt_add_opt(&words, word);
	}
	if (!own) {
		g_autofree char *source = source_name(options);
		g_autofree char *fsname = g_strdup_printf("fsname=%s", source);
		fuse_opt_add_opt_escaped(&words, fsname);
		fuse_opt_add_opt(&words, "subtype=vmifs,nosuid,nodev,noexec");
		if (options->read_only)
			fuse_opt_add_opt(&words, "ro");
		if (options->allow_other)
			fuse_opt_add_opt(&words, "allow_other,default_permissions");
		/* libfuse tells the kernel to let all in, and turns away who is not root. */
		if (options->allow_root)
			fuse_opt_add_opt(&words, "allow_root,default_permissions");
	}
	if (words) {
		fuse_opt_add_arg(&args, "-o");
		fuse_opt_add_arg(&args, words);
		free(words);
	}
	struct fuse_session *session = vmifs_session_new(fs, &args);
	fuse_opt_free_args(&args);
	return session;
}

static gboolean
attach(VmifsFs *fs, VmifsMount *mount, GError **error)
{
	if (mount->device >= 0)
		return vmifs_passthrough_attach(fs->passthrough, mount->session, mount->device,
						error);
	if (fuse_session_mount(mount->session, mount->point) == 0)
		return TRUE;
	return fail(error,
		    "mount point %s: fusermount3 did not mount there (its message is above); it "
		    "wants a directory that you own, and user_allow_other in /etc/fuse.conf for "
		    "-o allow_other or allow_root",
		    mount->point);
}

gboolean
vmifs_mount_open(VmifsFs *fs, const char *point, VmifsMount *ret, GError **error)
{
	int device = geteuid() == 0 ? mount_own(fs->options, point) : -EPERM;
	if (device < 0 && device != -EPERM)
		return fail(error, "mount point %s: mount(2): %s", point, g_strerror(-device));
	VmifsMount mount = { .point = g_strdup(point), .device = MAX(device, -1) };
	mount.session = make_session(fs, mount.device >= 0);
	if (!mount.session || !attach(fs, &mount, error)) {
		if (!mount.session)
			fail(error, "libfuse refused to make a session (its message is above)");
		if (mount.device >= 0) {
			umount2(point, MNT_DETACH);
			close(mount.device);
		}
		vmifs_mount_close(&mount);
		return FALSE;
	}
	g_auto(Mounted) mounted = { 0 };
	find_mount(point, &mounted);
	mount.number = g_steal_pointer(&mounted.device);
	fs->links_prefixed = follows_links(&mounted);
	g_atomic_pointer_set(&fs->session, mount.session);
	*ret = mount;
	return TRUE;
}

/* The limit holds from the answer to INIT on, and only root may raise it: a third less time for a
 * first pass over a cached file. Without it all is well but slower. */
void
vmifs_mount_settle(const char *point)
{
	struct stat st;
	g_auto(Mounted) mounted = { 0 };
	if (stat(point, &st) < 0 || !find_mount(point, &mounted))
		return;
	g_autofree char *path = g_strdup_printf("/sys/class/bdi/%s/read_ahead_kb", mounted.device);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, READ_AHEAD_KB, strlen(READ_AHEAD_KB)) < 0)
		g_debug("%s: %s", path, g_strerror(errno));
	close(fd);
}

/* ---- after ---- */

/* And nobody has mounted something else over it. */
static gboolean
is_there(const VmifsMount *mount)
{
	g_auto(Mounted) mounted = { 0 };
	return find_mount(mount->point, &mounted) && g_strcmp0(mounted.device, mount->number) == 0;
}

void
vmifs_mount_detach(VmifsMount *mount)
{
	if (mount->device < 0) {
		fuse_session_unmount(mount->session);
		return;
	}
	/* The kernel's end is closed when somebody else has unmounted: then what is at that path
	 * now is not ours. */
	struct pollfd device = { .fd = mount->device };
	if ((poll(&device, 1, 0) == 1 && device.revents & POLLERR) || !is_there(mount))
		return;
	if (umount2(mount->point, UMOUNT_NOFOLLOW) < 0)
		umount2(mount->point, UMOUNT_NOFOLLOW | MNT_DETACH);
}

void
vmifs_mount_close(VmifsMount *mount)
{
	if (mount->session)
		fuse_session_destroy(mount->session);
	g_free(mount->point);
	g_free(mount->number);
	*mount = (VmifsMount){ .device = -1 };
}
