/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main: from the command line to the two processes that stand around COMMAND. What can be wrong
 * with the guest is found out first, while everything is as the user knows it.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char help[] =
	"Usage: vmifs-run DIR COMMAND [ARGUMENT]...\n"
	"Run COMMAND with the processes of a mounted guest as its /proc.\n"
	"\n"
	"DIR is the guest's directory in a mount of vmifs. COMMAND runs in pid, mount and\n"
	"network namespaces of its own: no signal that it sends reaches a process of this host.\n"
	"\n"
	"Options:\n"
	"  -h, --help     this text\n"
	"  -V, --version  the version\n"
	"\n"
	"Examples:\n"
	"  vmifs guest.raw /mnt && vmifs-run /mnt/guest ps -ef\n"
	"  vmifs-run /mnt/guest bash\n"
	"\n"
	"Exit status: that of COMMAND; 127 it was not found, 126 it could not be run, 125 vmifs-run\n"
	"itself failed.\n";

int
run_complain(int error, const char *format, ...)
{
	va_list args;
	fputs("vmifs-run: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "%s%s\n", error ? ": " : "", error ? g_strerror(error) : "");
	return RUN_EXIT_FAILED;
}

/* Pid 1 of the namespaces. */
static int
inside(const char *dir, char **command, GArray *guest, int pipe, const sigset_t *mask)
{
	RunPids pids = { .last_pid = -1 };
	/* Who kills the outer process, kills all. Was that too early to be told of, nobody reads
	 * the pipe any more; the number of the parent would be 0 here in any case. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct pollfd outside = { .fd = pipe };
	if (poll(&outside, 1, 0) != 0)
		return RUN_EXIT_FAILED;
	if (!run_pids_open(guest, &pids) || !run_namespaces_cover(dir))
		return RUN_EXIT_FAILED;
	return run_supervise_inside(command, &pids, pipe, mask);
}

static int
run(const char *dir, char **command)
{
	g_autoptr(GArray) guest = run_guest_pids(dir);
	int pipe_fds[2];
	sigset_t all, mask;

	if (!guest || !run_namespaces_enter())
		return RUN_EXIT_FAILED;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return run_complain(errno, "pipe");
	signal(SIGCHLD, SIG_DFL); /* if ignored, there would be nothing to wait for */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	pid_t child = fork();
	if (child < 0)
		return run_complain(errno, "fork");
	close(pipe_fds[child == 0 ? 0 : 1]);
	if (child == 0)
		_exit(inside(dir, command, guest, pipe_fds[1], &mask));
	return run_supervise_outside(child, pipe_fds[0]);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' },
						 { "version", no_argument, NULL, 'V' },
						 { 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
		if (option == 'h')
			fputs(help, stdout);
		else if (option == 'V')
			puts("vmifs-run " VMIFS_VERSION);
		else
			return run_complain(0, "see vmifs-run --help");
		return fflush(stdout) ? RUN_EXIT_FAILED : 0;
	}
	if (argc - optind < 2)
		return run_complain(0,
				    "give a guest's directory and a command: vmifs-run DIR COMMAND "
				    "[ARGUMENT]...");
	return run(argv[optind], argv + optind + 1);
}
