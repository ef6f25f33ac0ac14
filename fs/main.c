/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main: from the command line to a mount that answers. The server is a child from the start, since
 * discovery has threads and threads do not survive a fork; the parent waits until the kernel has
 * spoken to the child, and exits with what became of it.
 *
 *   parent:  parse, look at the mount point, fork, wait ............ exit status
 *   child:                                   sources, mount, serve, (first request) -> detach
 */
#include "main.h"

#include "cache.h"
#include "check.h"
#include "mount.h"
#include "options.h"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Calls that still run are cancelled at the end; one that does not hear it shall not keep us. */
#define SHUTDOWN_SECONDS 5
#define MAX_FILES ((rlim_t) 1 << 20)

int
vmifs_complain(VmifsExit status, const GError *error)
{
	g_autoptr(GString) safe = g_string_new(NULL);
	vmifs_text_append_octal(safe, error->message, -1, NULL);
	fprintf(stderr, "vmifs: %s\n", safe->str);
	return status;
}

void
vmifs_complain_of_none(VmifsHost *host, const char *so)
{
	g_autoptr(GString) sources = g_string_new(NULL);
	vmifs_host_sources(host, sources);
	fprintf(stderr, "vmifs: no guest can be shown now: %s:\n%s", so, sources->str);
}

int
vmifs_source_status(const GError *error)
{
	return g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_INVALID) ? VMIFS_EXIT_USAGE
									: VMIFS_EXIT_SOURCE;
}

/* ---- sources ---- */

/* Every file must open; of words for running guests it is enough that one does. */
static int
judge_sources(const GPtrArray *sources, GError *const *errors)
{
	gboolean any = FALSE;

	for (guint i = 0; i < sources->len; i++) {
		if (!errors[i]) {
			any = TRUE;
			continue;
		}
		vmifs_complain(VMIFS_EXIT_SOURCE, errors[i]);
		int status = vmifs_source_status(errors[i]);
		if (status == VMIFS_EXIT_USAGE ||
		    !vmifs_host_is_word(g_ptr_array_index(sources, i)))
			return status;
	}
	return any ? VMIFS_EXIT_OK : VMIFS_EXIT_SOURCE;
}

static int
add_sources(VmifsHost *host, const GPtrArray *sources)
{
	g_autofree GError **errors = g_new0(GError *, sources->len);

	vmifs_host_add_all(host, (const char *const *) sources->pdata, sources->len, errors);
	int status = judge_sources(sources, errors);
	for (guint i = 0; i < sources->len; i++)
		g_clear_error(&errors[i]);
	g_autoptr(GPtrArray) guests = vmifs_host_guests(host);
	if (status == VMIFS_EXIT_OK && !guests->len)
		vmifs_complain_of_none(
			host, "the mount is empty until there is one; .vmifs/sources there says");
	return status;
}

/* ---- the server ---- */

/* How the command that started the server gets rid of it. */
typedef struct {
	int pipe; /* tells it that the mount answers; -1 = stay in the foreground */
	int null; /* what the standard streams become; opened while there surely is room for it */
} Parting;

/* The kernel has spoken to us: the command has done its work, the server lives on by itself. Called
 * from the session, on one of its threads. */
static void
detach(gpointer user)
{
	Parting *parting = user;
	if (parting->pipe < 0)
		return;
	setsid();
	if (chdir("/") < 0)
		g_debug("detach: %s", g_strerror(errno));
	/* Who waits for the end of our output must get it. */
	for (int fd = 0; fd <= 2; fd++)
		dup2(parting->null, fd);
	close(parting->null);
	char done = 0;
	if (write(parting->pipe, &done, 1) < 0)
		g_debug("detach: the parent has gone: %s", g_strerror(errno));
	close(parting->pipe);
	parting->pipe = -1;
}

/* Signals that end the server must reach the thread that waits for them: every thread made before
 * the session runs inherits a mask without them. */
static void
block_signals(int how)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(how, &set, NULL);
}

static gboolean
run(VmifsFs *fs, VmifsMount *mount, GError **error)
{
	if (fuse_set_signal_handlers(mount->session) < 0) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "signal handlers: %s",
			    g_strerror(errno));
		return FALSE;
	}
	block_signals(SIG_UNBLOCK);
	gboolean served = vmifs_session_run(fs, error);
	fuse_remove_signal_handlers(mount->session);
	fuse_session_exit(mount->session); /* late answers need not be complained about */
	return served;
}

static int
serve(const VmifsFsOptions *options, const char *point, Parting parting)
{
	g_autoptr(GError) error = NULL;
	block_signals(SIG_BLOCK);
	g_auto(VmifsFsCache) cache = { 0 };
	VmifsOptions engine = options->engine;
	engine.cache = vmifs_fs_cache_open(&cache, options->cache);
	g_autoptr(VmifsHost) host = vmifs_host_new(&engine, &error);
	if (!host)
		return vmifs_complain(VMIFS_EXIT_USAGE, error);
	vmifs_fs_cache_tell(&cache, host);
	int status = add_sources(host, options->sources);
	if (status != VMIFS_EXIT_OK)
		return status;
	VmifsFs *fs = vmifs_fs_new(g_steal_pointer(&host), options, &error);
	if (!fs)
		return vmifs_complain(VMIFS_EXIT_MOUNT, error);
	fs->ready = detach;
	fs->ready_user = &parting;
	VmifsMount mount;
	if (!vmifs_mount_open(fs, point, &mount, &error)) {
		vmifs_fs_free(fs);
		return vmifs_complain(VMIFS_EXIT_MOUNT, error);
	}
	gboolean served = run(fs, &mount, &error);
	vmifs_fs_quiet(fs);
	vmifs_mount_detach(&mount);
	alarm(SHUTDOWN_SECONDS);
	vmifs_fs_free(fs);
	vmifs_mount_close(&mount);
	return served ? VMIFS_EXIT_OK : vmifs_complain(VMIFS_EXIT_MOUNT, error);
}

/* ---- the command ---- */

/* Waits for the child's word, or for its end. */
static int
wait_until_mounted(int report, pid_t child, const char *point)
{
	char done;
	ssize_t got;
	do
		got = read(report, &done, 1);
	while (got < 0 && errno == EINTR);
	if (got == 1) {
		vmifs_mount_settle(point);
		return VMIFS_EXIT_OK;
	}
	int status;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return VMIFS_EXIT_MOUNT;
	if (WIFEXITED(status) && WEXITSTATUS(status) != VMIFS_EXIT_OK)
		return WEXITSTATUS(status);
	fprintf(stderr, "vmifs: the server ended before the mount answered\n");
	return VMIFS_EXIT_MOUNT;
}

static int
mount_and_serve(const VmifsFsOptions *options)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *point = NULL;
	if (!vmifs_mount_check(options->mountpoint, &point, &error))
		return vmifs_complain(VMIFS_EXIT_MOUNT, error);
	if (options->foreground)
		return serve(options, point, (Parting){ -1, -1 });
	int pipe_fds[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0) {
		perror("vmifs: /dev/null");
		return VMIFS_EXIT_MOUNT;
	}
	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		perror("vmifs: pipe");
		return VMIFS_EXIT_MOUNT;
	}
	pid_t child = fork();
	if (child < 0) {
		perror("vmifs: fork");
		return VMIFS_EXIT_MOUNT;
	}
	close(pipe_fds[child > 0]);
	return child > 0 ? wait_until_mounted(pipe_fds[0], child, point)
			 : serve(options, point, (Parting){ pipe_fds[1], null });
}

/* Files opened later must not become a closed standard stream: messages would go into them. */
static void
open_standard_streams(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* A running guest takes a dozen descriptors, and more for each block of its memory: what a session
 * commonly allows is enough for fifty. */
static void
allow_many_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = MAX(limit.rlim_cur, MIN(limit.rlim_max, MAX_FILES));
	setrlimit(RLIMIT_NOFILE, &limit);
}

int
main(int argc, char **argv)
{
	open_standard_streams();
	allow_many_files();
	g_autoptr(GError) error = NULL;
	g_auto(VmifsFsOptions) options = { 0 };
	if (!vmifs_fs_options_parse(argc, argv, &options, &error))
		return vmifs_complain(VMIFS_EXIT_USAGE, error);
	g_autofree char *help = NULL;
	switch (options.action) {
	case VMIFS_ACTION_HELP:
		help = vmifs_fs_options_help();
		return fputs(help, stdout) < 0 || fflush(stdout) ? VMIFS_EXIT_USAGE : VMIFS_EXIT_OK;
	case VMIFS_ACTION_VERSION:
		printf("vmifs " VMIFS_VERSION "\n");
		return fflush(stdout) ? VMIFS_EXIT_USAGE : VMIFS_EXIT_OK;
	case VMIFS_ACTION_CHECK:
		return vmifs_check(&options);
	case VMIFS_ACTION_MOUNT:
		return mount_and_serve(&options);
	}
	g_assert_not_reached();
}
