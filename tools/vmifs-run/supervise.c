/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * supervise: COMMAND's end is our end. Signals are all blocked and taken one by one, so nothing
 * interrupts anything. One that a process sent is passed on; one from the terminal has reached
 * COMMAND itself, which is in the same group. Stops are reported outwards, since pid 1 of a
 * namespace cannot be stopped, and the caller's shell must see its job stop.
 *
 *   caller ── signals ──► outside ── signals ──► inside (pid 1) ── signals ──► COMMAND
 *          ◄── status ───         ◄── the pipe ─                ◄── wait ─────
 */
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- inside ---- */

static G_GNUC_NORETURN void
become_command(char **command, const sigset_t *mask)
{
	setenv("PROC_ROOT", "/proc", 1); /* ss reads files then */
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(command[0], command);
	int error = errno;
	fprintf(stderr, "vmifs-run: %s: %s\n", command[0], g_strerror(error));
	_exit(error == ENOENT ? RUN_EXIT_NOT_FOUND : RUN_EXIT_CANNOT_RUN);
}

/* Reaps what has ended. TRUE when COMMAND has; its stops are told as they happen. */
static gboolean
reap(pid_t command, int pipe)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != command)
			continue;
		if (write(pipe, &status, sizeof status) < 0 || !WIFSTOPPED(status))
			return TRUE;
	}
	return FALSE;
}

int
run_supervise_inside(char **command, const RunPids *pids, int pipe, const sigset_t *mask)
{
	sigset_t all;
	sigfillset(&all);
	if (!run_pids_rewind(pids))
		return RUN_EXIT_FAILED;
	pid_t pid = fork();
	if (pid < 0)
		return run_complain(errno, "fork");
	if (pid == 0)
		become_command(command, mask);
	for (;;) {
		siginfo_t info;
		int wait = run_pids_keep(pids);
		struct timespec timeout = { wait / 1000, wait % 1000 * 1000000L };
		int taken = sigtimedwait(&all, &info, &timeout);
		if (taken == SIGCHLD && reap(pid, pipe))
			return 0;
		if (taken > 0 && taken != SIGCHLD && info.si_code <= 0)
			kill(pid, taken);
	}
}

/* ---- outside ---- */

/* Ends this process in the way that status says. */
static int
end_as(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	/* One core file is enough. */
	struct rlimit none = { 0, 0 };
	sigset_t one;
	int sig = WTERMSIG(status);
	setrlimit(RLIMIT_CORE, &none);
	signal(sig, SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	return 128 + sig;
}

/* Waits for pid 1 of the namespaces, and with it for everything in them. */
static int
wait_for(pid_t inside)
{
	int status = 0;
	while (waitpid(inside, &status, 0) < 0)
		if (errno != EINTR)
			return run_complain(errno, "waitpid");
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return run_complain(0, "killed by signal %d", WTERMSIG(status));
}

int
run_supervise_outside(pid_t inside, int pipe)
{
	sigset_t all;
	sigfillset(&all);
	int signals = signalfd(-1, &all, SFD_CLOEXEC);
	if (signals < 0) {
		run_complain(errno, "signalfd");
		kill(inside, SIGKILL);
		return RUN_EXIT_FAILED;
	}
	struct pollfd fds[] = { { .fd = pipe, .events = POLLIN },
				{ .fd = signals, .events = POLLIN } };
	for (;;) {
		struct signalfd_siginfo info;
		int status;
		if (poll(fds, G_N_ELEMENTS(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			return run_complain(errno, "poll");
		}
		if (fds[0].revents) {
			if (read(pipe, &status, sizeof status) != sizeof status)
				return wait_for(inside);
			if (!WIFSTOPPED(status)) {
				wait_for(inside);
				return end_as(status);
			}
			raise(SIGSTOP);
		}
		if (fds[1].revents && read(signals, &info, sizeof info) == sizeof info &&
		    info.ssi_signo != SIGCHLD && info.ssi_code <= 0)
			kill(inside, (int) info.ssi_signo);
	}
}
