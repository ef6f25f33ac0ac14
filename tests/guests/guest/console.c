/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * console PORT: a running test guest's end of that serial port: takes "LENGTH\n" and as many bytes
 * of a shell script, runs it, and answers "\n=STATUS LENGTH\n" and what the script wrote.  A
 * program of its own and not a script, so that while nothing is asked no process and no page is
 * other than before; what scripts leave behind becomes its child, and pid 1 never notices.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define ANSWER "/tmp/answer"
#define COMMAND "/tmp/command"
#define MAX_SCRIPT (1 << 20)

static int port;

static void
die(const char *what)
{
	dprintf(port, "\nvmifs-guest: failed: console: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
take(char *data, size_t len)
{
	while (len) {
		ssize_t n = read(port, data, len);

		if (n <= 0)
			die("read");
		data += n;
		len -= n;
	}
}

static void
give(int fd)
{
	char data[4096];
	ssize_t n;

	while ((n = read(fd, data, sizeof data)) > 0)
		for (ssize_t done = 0, m; done < n; done += m) {
			m = write(port, data + done, n - done);
			if (m < 0)
				die("write");
		}
}

/* The script, in a file: a command line has a limit. */
static void
store(size_t len)
{
	static char script[MAX_SCRIPT];
	int fd = open(COMMAND, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	take(script, len);
	if (write(fd, script, len) != (ssize_t) len)
		die(COMMAND);
	close(fd);
}

static void
execute(void)
{
	int answer, status = 0;
	struct stat st;
	pid_t child;

	unlink(ANSWER); /* what another left behind may still write there */
	answer = open(ANSWER, O_RDWR | O_CREAT, 0600);
	child = fork();
	if (child == 0) {
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(answer, 1);
		dup2(answer, 2);
		execl("/bin/sh", "sh", COMMAND, NULL);
		_exit(127);
	}
	waitpid(child, &status, 0);
	if (fstat(answer, &st) != 0)
		die(ANSWER);
	dprintf(port, "\n=%d %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128,
		(long) st.st_size);
	lseek(answer, 0, SEEK_SET);
	give(answer);
	close(answer);
}

static size_t
script_len(void)
{
	char line[32] = "";

	for (size_t i = 0; i < sizeof line - 1; i++) {
		take(line + i, 1);
		if (line[i] == '\n')
			break;
	}
	return strtoul(line, NULL, 10);
}

int
main(int argc, char **argv)
{
	struct termios raw;

	port = argc == 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
	if (port < 0 || tcgetattr(port, &raw))
		return 1;
	cfmakeraw(&raw);
	tcsetattr(port, TCSANOW, &raw);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	dprintf(port, "\nvmifs-guest: console\n");
	for (;;) {
		size_t len = script_len();

		if (!len || len > MAX_SCRIPT)
			continue;
		while (waitpid(-1, NULL, WNOHANG) > 0) /* what has ended since */
			;
		store(len);
		execute();
	}
}
