/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* eager: the look is a poll(2) without a timeout, again and again: no request is taken by it, so
 * another thread may well be the one that reads what it saw. */
#include "eager.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Longer than the answer to a request takes to reach a reader that sleeps, be woken, and ask for
 * the next thing; measured: 5 us are too few, and 80 us gain nothing over 40. */
#define LOOK_NS (40 * 1000)
/* For how long the processors count as wanted by others, once one was. */
#define CROWDED_NS (100 * 1000 * 1000)

/* How often that is asked, at most. */
#define CHECK_NS (10 * 1000 * 1000)

static guint64
now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (guint64) time.tv_sec * 1000000000 + (guint64) time.tv_nsec;
}

/* More threads want to run than there are processors. */
static gboolean
is_crowded(void)
{
	char text[128];
	guint running;
	int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	gssize len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	text[MAX(len, 0)] = '\0';
	return sscanf(text, "%*f %*f %*f %u/", &running) == 1 && running > g_get_num_processors();
}

/* Whoever waits for this processor gets it first; if he keeps it, there was no time to waste. */
static void
look(VmifsEager *eager, int fd, guint64 start)
{
	struct pollfd device = { .fd = fd, .events = POLLIN };
	if (poll(&device, 1, 0) != 0)
		return;
	sched_yield();
	guint64 now = now_ns();
	if (now - start >= LOOK_NS)
		__atomic_store_n(&eager->crowded_until, now + CROWDED_NS, __ATOMIC_RELAXED);
	while (now - start < LOOK_NS && poll(&device, 1, 0) == 0)
		now = now_ns();
}

void
vmifs_eager_look(VmifsEager *eager, int fd)
{
	if (g_atomic_int_get(&eager->reads))
		return;
	guint64 now = now_ns();
	if (now < __atomic_load_n(&eager->crowded_until, __ATOMIC_RELAXED))
		return;
	if (g_atomic_int_add(&eager->looking, 1) == 0) {
		gboolean crowded = now >= eager->next_check && is_crowded();
		if (now >= eager->next_check)
			eager->next_check = now + CHECK_NS;
		if (crowded)
			__atomic_store_n(&eager->crowded_until, now + CROWDED_NS, __ATOMIC_RELAXED);
		else
			look(eager, fd, now);
	}
	g_atomic_int_add(&eager->looking, -1);
}

void
vmifs_eager_note(VmifsEager *eager, const void *request, gssize len)
{
	const struct fuse_in_header *header = request;
	if (len < (gssize) sizeof *header)
		return;
	gint reads = header->opcode == FUSE_READ;
	if (g_atomic_int_get(&eager->reads) != reads)
		g_atomic_int_set(&eager->reads, reads);
}
