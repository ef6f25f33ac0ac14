/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pretend-qemu: see the header. */
#include "pretend-qemu.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char *folder;

char *
pretend_path(const char *name)
{
	return g_build_filename(folder, name, NULL);
}

void
pretend_enter(void)
{
	folder = g_dir_make_tmp("vmifs-test-XXXXXX", NULL);
	ck_assert_ptr_nonnull(folder);
}

void
pretend_leave(void)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", folder);

	ck_assert_int_eq(system(command), 0);
	g_free(folder);
}

pid_t
pretend_start(const char *name, const char *const *arguments, const char *root)
{
	g_autofree char *path = pretend_path(name);
	g_autofree char *program = NULL;
	gsize len;
	int waits[2];

	ck_assert(g_file_get_contents("/proc/self/exe", &program, &len, NULL));
	ck_assert(g_file_set_contents(path, program, (gssize) len, NULL));
	ck_assert_int_eq(chmod(path, 0755), 0);
	ck_assert_int_eq(pipe(waits), 0);
	pid_t pid = fork();
	if (pid == 0) {
		g_autofree char *wait = g_strdup_printf("PRETEND_FD=%d", waits[1]);
		g_autofree char *own_root = g_strdup_printf("PRETEND_ROOT=%s", root ? root : "");
		char *environment[] = { wait, own_root, NULL };
		if (chdir(folder) == 0)
			execve(path, (char *const *) arguments, environment);
		_exit(1);
	}
	close(waits[1]);
	/* Its end is closed when it waits, or is gone. */
	ck_assert_int_eq(read(waits[0], &len, 1), 0);
	close(waits[0]);
	return pid;
}

void
pretend_end(pid_t pid)
{
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* From the folder of its path, as an address holds few bytes. */
static void
listen_at(const char *argument)
{
	g_auto(GStrv) words = g_strsplit(argument + strlen("unix:"), ",", 2);
	g_autofree char *parent = g_path_get_dirname(words[0]);
	g_autofree char *base = g_path_get_basename(words[0]);
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int here = open(".", O_PATH);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	g_strlcpy(name.sun_path, base, sizeof name.sun_path);
	if (chdir(parent) < 0 || bind(fd, (struct sockaddr *) &name, sizeof name) < 0 ||
	    listen(fd, 1) < 0 || fchdir(here) < 0)
		_exit(1);
	close(here);
}

void
pretend_wait(char **arguments)
{
	const char *fd = getenv("PRETEND_FD"), *root = getenv("PRETEND_ROOT");

	if (!fd)
		return;
	if (*root && (chroot(root) < 0 || chdir("/") < 0))
		_exit(1);
	for (char **argument = arguments; *argument; argument++)
		if (g_str_has_prefix(*argument, "unix:") && strstr(*argument, ",server"))
			listen_at(*argument);
	close(atoi(fd));
	for (;;)
		pause();
}
