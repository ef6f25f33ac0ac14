/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* eager: the look is a poll(2) without a timeout, again and again: no request is taken by it, so
 * another thread may well be the one that reads what it saw. */
#include "eager.h"

#include <linux/fuse.h>
#include <poll.h>
#include <time.h>

/* Longer than the answer to a request takes to reach a reader that sleeps, be woken, and ask for
 * the next thing; measured: 5 us are too few, and 80 us gain nothing over 40. */
#define LOOK_NS (40 * 1000)

/* A look in vain costs what is saved by so many that saw something. */
#define FAILURE 3
/* With so much to make up for, only every so many times a look is tried. */
#define MOST_DEBT 12
#define SKIPS 64

static guint64
now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (guint64) time.tv_sec * 1000000000 + (guint64) time.tv_nsec;
}

/* TRUE when there is a request. */
static gboolean
look(int fd)
{
	guint64 end = now_ns() + LOOK_NS;
	struct pollfd device = { .fd = fd, .events = POLLIN };
	while (poll(&device, 1, 0) == 0)
		if (now_ns() >= end)
			return FALSE;
	return TRUE;
}

static void
look_if_it_pays(VmifsEager *eager, int fd)
{
	if (eager->debt >= MOST_DEBT && ++eager->skipped < SKIPS)
		return;
	if (look(fd))
		eager->debt = MAX(eager->debt - 1, 0);
	else
		eager->debt = MIN(eager->debt + FAILURE, MOST_DEBT);
	eager->skipped = 0;
}

void
vmifs_eager_look(VmifsEager *eager, int fd)
{
	if (g_atomic_int_get(&eager->reads))
		return;
	if (g_atomic_int_add(&eager->looking, 1) == 0)
		look_if_it_pays(eager, fd);
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
