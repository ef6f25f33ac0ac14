/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * follow: poll(2) on the process and on an eventfd by which the thread is told to stop. Who is told
 * of the end may well close everything at once, from within: then the thread frees itself.
 */
#include "follow.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <vmifs/error.h>

struct QemuFollow {
	QemuFollower follower;
	GThread *thread;
	GMutex starting; /* held until whoever started it can know of it */
	int pidfd, stop;
	gboolean is_freed; /* by the thread itself */
};

static void
clear(QemuFollow *follow)
{
	if (follow->stop >= 0)
		close(follow->stop);
	g_mutex_clear(&follow->starting);
	g_free(follow);
}

static gpointer
run(gpointer data)
{
	QemuFollow *follow = data;
	struct pollfd fds[] = { { .fd = follow->stop, .events = POLLIN },
				{ .fd = follow->pidfd, .events = POLLIN } };
	int timeout = (int) (follow->follower.interval_us / G_TIME_SPAN_MILLISECOND);

	g_mutex_lock(&follow->starting);
	g_mutex_unlock(&follow->starting);
	while (!follow->is_freed) {
		int n = poll(fds, 2, timeout);
		if (n > 0 && fds[0].revents)
			break;
		if (n > 0 && fds[1].revents) {
			follow->follower.ended(follow->follower.user);
			break;
		}
		if (n == 0)
			follow->follower.look(follow->follower.user);
	}
	if (follow->is_freed)
		clear(follow);
	return NULL;
}

gboolean
qemu_follow_start(int pidfd, const QemuFollower *follower, QemuFollow **ret, GError **error)
{
	QemuFollow *follow = g_new0(QemuFollow, 1);

	follow->follower = *follower;
	follow->pidfd = pidfd;
	g_mutex_init(&follow->starting);
	follow->stop = eventfd(0, EFD_CLOEXEC);
	g_mutex_lock(&follow->starting);
	if (follow->stop >= 0)
		follow->thread = g_thread_try_new("qemu-follow", run, follow, NULL);
	gboolean started = follow->thread != NULL;
	if (started)
		*ret = follow;
	g_mutex_unlock(&follow->starting);
	if (started)
		return TRUE;
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_IO, "no thread can be started");
	clear(follow);
	return FALSE;
}

void
qemu_follow_free(QemuFollow *follow)
{
	guint64 one = 1;

	if (!follow)
		return;
	if (follow->thread == g_thread_self()) {
		follow->is_freed = TRUE;
		g_thread_unref(follow->thread);
		return;
	}
	/* An eventfd takes a one always. */
	while (write(follow->stop, &one, sizeof one) < 0 && errno == EINTR)
		;
	g_thread_join(follow->thread);
	clear(follow);
}
