/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pids: tools leave themselves out of what they show, by number; were it a guest's, that process
 * would be missing. So the namespace gives out numbers from a gap between the guest's alone: its
 * counter is set to the beginning of the gap, and set back long before it can have left it.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The kernel starts there again when it has given out the highest number. */
#define LOWEST_PID 300
/* More processes a second than two fast processors start. */
#define MOST_A_SECOND 50000
#define LEAST_WAIT 10
#define MOST_WAIT (60 * 1000)

static int
compare_pids(gconstpointer a, gconstpointer b)
{
	guint32 left = *(const guint32 *) a, right = *(const guint32 *) b;
	return (left > right) - (left < right);
}

gboolean
run_pids_choose(GArray *pids, guint32 pid_max, RunPids *ret)
{
	guint32 from = LOWEST_PID, best = 0;

	g_array_sort(pids, compare_pids);
	for (guint i = 0; i <= pids->len; i++) {
		guint32 pid = i < pids->len ? g_array_index(pids, guint32, i) : pid_max;
		if (pid > pid_max)
			pid = pid_max;
		if (pid > from && pid - from > best) {
			best = pid - from;
			ret->first = from;
			ret->last = pid - 1;
		}
		if (pid >= from)
			from = pid + 1;
	}
	return best > 0;
}

/* A number in a file of the kernel. */
static gboolean
read_number(int fd, guint32 *ret)
{
	char text[32];
	ssize_t got = pread(fd, text, sizeof text - 1, 0);
	if (got <= 0)
		return FALSE;
	text[got] = '\0';
	*ret = (guint32) strtoul(text, NULL, 10);
	return TRUE;
}

gboolean
run_pids_open(GArray *pids, RunPids *ret)
{
	guint32 pid_max;
	int fd = open("/proc/sys/kernel/pid_max", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || !read_number(fd, &pid_max)) {
		run_complain(errno, "/proc/sys/kernel/pid_max");
		return FALSE;
	}
	close(fd);
	if (!run_pids_choose(pids, pid_max, ret)) {
		run_complain(0,
			     "every process number up to this host's limit, %u, is in use in the "
			     "guest; raise the limit (sysctl kernel.pid_max=4194304)",
			     pid_max - 1);
		return FALSE;
	}
	ret->last_pid = open("/proc/sys/kernel/ns_last_pid", O_RDWR | O_CLOEXEC);
	if (ret->last_pid < 0)
		run_complain(errno, "/proc/sys/kernel/ns_last_pid: it must be writable, and the "
				    "kernel built with CONFIG_CHECKPOINT_RESTORE");
	return ret->last_pid >= 0;
}

gboolean
run_pids_rewind(const RunPids *pids)
{
	char text[16];
	int len = g_snprintf(text, sizeof text, "%u", pids->first - 1);
	if (pwrite(pids->last_pid, text, (size_t) len, 0) == len)
		return TRUE;
	run_complain(errno, "/proc/sys/kernel/ns_last_pid cannot be set");
	return FALSE;
}

int
run_pids_keep(const RunPids *pids)
{
	guint32 last, size = pids->last - pids->first + 1;
	if (!read_number(pids->last_pid, &last))
		return MOST_WAIT;
	guint32 left = last - pids->first < size ? pids->last - last : 0;
	if (left < size / 2) {
		run_pids_rewind(pids);
		left = size;
	}
	guint64 wait = (guint64) left * 1000 / 2 / MOST_A_SECOND;
	return (int) CLAMP(wait, LEAST_WAIT, MOST_WAIT);
}
