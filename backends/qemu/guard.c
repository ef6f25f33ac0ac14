/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guard: a child of a child, so that nobody has to wait for it, with every signal blocked and
 * nothing of vmifs's but one end of a pipe and the monitor's socket. As a copy of a process with
 * threads it may call nothing that takes a lock: system calls only.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vmifs/error.h>

/* Its descriptors. */
#define PIPE 0
#define PIN 1
/* For each thing that the monitor is to say; it may have another client. */
#define PATIENCE_MS 30000

static const char hello[] = "{\"execute\": \"qmp_capabilities\"}\r\n"
			    "{\"execute\": \"cont\", \"id\": \"vmifs-guard\"}\r\n";

/* Until what the monitor says holds that word. */
static gboolean
hear(int fd, const char *word)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	gsize matched = 0;
	char c;

	while (word[matched]) {
		if (poll(&poller, 1, PATIENCE_MS) != 1 || recv(fd, &c, 1, 0) != 1)
			return FALSE;
		/* No word here begins again within itself but by its first character. */
		matched = c == word[matched] ? matched + 1 : c == word[0];
	}
	return TRUE;
}

/* FALSE: another try may help. */
static gboolean
let_run(const QemuAddress *address)
{
	int fd = socket(address->name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	gboolean good;

	if (fd < 0)
		return FALSE;
	if (connect(fd, (const struct sockaddr *) &address->name, address->len))
		good = errno == ECONNREFUSED; /* QEMU has ended */
	else
		good = hear(fd, "\"QMP\"") &&
		       send(fd, hello, sizeof hello - 1, MSG_NOSIGNAL) == sizeof hello - 1 &&
		       hear(fd, "\"vmifs-guard\"");
	close(fd);
	return good;
}

static void
watch(const QemuAddress *address)
{
	char last = QEMU_GUARD_DISARM, c;
	gssize n;

	while ((n = read(PIPE, &c, 1)) != 0) {
		if (n == 1)
			last = c;
		else if (errno != EINTR)
			break;
	}
	for (int i = 0; last == QEMU_GUARD_ARM && i < 10 && !let_run(address); i++)
		poll(NULL, 0, 50 << i);
}

/* Never returns. */
static void
become_guardian(const QemuAddress *address, int pipe_end, int pin)
{
	/* Away from where they are to go, and from each other. */
	int high_pipe = fcntl(pipe_end, F_DUPFD, 10), high_pin = fcntl(pin, F_DUPFD, 10);

	if (high_pipe < 0 || dup2(high_pipe, PIPE) < 0)
		_exit(1);
	if (high_pin >= 0 && dup2(high_pin, PIN) < 0)
		_exit(1);
	close_range(high_pin < 0 ? PIN : PIN + 1, ~0U, 0);
	setsid();
	if (chdir("/") || fork())
		_exit(0);
	watch(address);
	_exit(0);
}

static QemuAddress
address_for_guardian(const QemuAddress *address, int pin)
{
	QemuAddress copy = *address;

	if (pin >= 0)
		g_snprintf(((struct sockaddr_un *) &copy.name)->sun_path,
			   sizeof((struct sockaddr_un *) 0)->sun_path, "/proc/self/fd/%d", PIN);
	return copy;
}

int
qemu_guard_start(const QemuAddress *address, int pin, GError **error)
{
	QemuAddress copy = address_for_guardian(address, pin);
	sigset_t all, before;
	int ends[2], status, problem;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "pipe: %s", g_strerror(errno));
		return -1;
	}
	/* It must not be ended by what ends vmifs. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	child = fork();
	problem = errno;
	if (!child)
		become_guardian(&copy, ends[0], pin);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(ends[0]);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (child > 0)
		return ends[1];
	close(ends[1]);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "fork: %s", g_strerror(problem));
	return -1;
}
