/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * other-process: a fork of the test that takes orders through a socket. The parent keeps a
 * descriptor of the file behind the memory, if there is one, to look at how much of it is there:
 * one that it cannot write by, lest it have a part in it.
 */
#include "other-process.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define HUGE ((gsize) 2 << 20)

struct OtherProcess {
	pid_t pid;
	int socket, fd;
	guint64 address;
};

typedef struct {
	enum { FILL, BYTE, ADVISE, PLUG } what;
	gsize offset, len;
	int value;
} Order;

/* ---- in the other process ---- */

/* With a guard page behind it, and, as huge pages want it, at a round address. */
static guint8 *
map_memory(OtherKind kind, int fd, gsize len)
{
	gboolean is_shared =
		kind != OTHER_ANONYMOUS && kind != OTHER_FILE_PRIVATE && kind != OTHER_HUGE_PRIVATE;
	guint8 *place = mmap(NULL, len + 2 * HUGE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (place == MAP_FAILED)
		return MAP_FAILED;
	place += HUGE - (guintptr) place % HUGE;
	return mmap(place, len, PROT_READ | PROT_WRITE,
		    MAP_FIXED | (is_shared ? MAP_SHARED : MAP_PRIVATE) |
			    (fd < 0 ? MAP_ANONYMOUS : 0),
		    fd, 0);
}

static guint64
obey(guint8 *memory, const Order *order)
{
	switch (order->what) {
	case FILL:
		memset(memory + order->offset, order->value, order->len);
		return 0;
	case BYTE:
		return ((volatile guint8 *) memory)[order->offset];
	case ADVISE:
		return madvise(memory + order->offset, order->len, order->value) != 0;
	case PLUG:
		return (guintptr) map_memory(OTHER_ANONYMOUS, -1, order->len);
	}
	return 1;
}

static void G_GNUC_NORETURN
live(int socket, guint8 *memory)
{
	Order order;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(socket, &order, sizeof order) == sizeof order) {
		guint64 answer = obey(memory, &order);
		if (write(socket, &answer, sizeof answer) != sizeof answer)
			break;
	}
	_exit(0);
}

/* ---- in the test ---- */

static int
make_file(OtherKind kind, gsize len)
{
	gboolean is_huge = kind == OTHER_HUGE_SHARED || kind == OTHER_HUGE_PRIVATE;
	guint8 page[PAGE];
	int fd = memfd_create("memory-backend-memfd", MFD_CLOEXEC | (is_huge ? MFD_HUGETLB : 0));

	if (is_huge && fd < 0)
		return -1;
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t) len), 0);
	memset(page, 0xf0, sizeof page);
	for (gsize at = 0; kind == OTHER_FILE_PRIVATE && at < len; at += 2 * PAGE)
		ck_assert_int_eq(pwrite(fd, page, PAGE, (off_t) at), PAGE);
	return fd;
}

/* fd: (taken) */
static int
read_only(int fd)
{
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	int own = fd < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	ck_assert(fd < 0 || own >= 0);
	if (fd >= 0)
		close(fd);
	return own;
}

OtherProcess *
other_process_new(OtherKind kind, gsize len)
{
	gboolean has_file = kind != OTHER_ANONYMOUS && kind != OTHER_SHARED_ANON;
	int fd = has_file ? make_file(kind, len) : -1, sockets[2];

	if (has_file && fd < 0)
		return NULL;
	guint8 *memory = map_memory(kind, fd, len);
	if (memory == MAP_FAILED) {
		ck_assert(kind == OTHER_HUGE_SHARED || kind == OTHER_HUGE_PRIVATE);
		close(fd);
		return NULL;
	}
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		live(sockets[1], memory);
	close(sockets[1]);
	/* Only the other one has it mapped. */
	munmap(memory, len);
	fd = read_only(fd);

	OtherProcess *other = g_new0(OtherProcess, 1);
	*other = (OtherProcess){
		.pid = pid, .socket = sockets[0], .fd = fd, .address = (guintptr) memory
	};
	return other;
}

void
other_process_free(OtherProcess *other)
{
	if (!other)
		return;
	close(other->socket);
	kill(other->pid, SIGKILL);
	waitpid(other->pid, NULL, 0);
	if (other->fd >= 0)
		close(other->fd);
	g_free(other);
}

pid_t
other_process_pid(const OtherProcess *other)
{
	return other->pid;
}

guint64
other_process_address(const OtherProcess *other)
{
	return other->address;
}

static guint64
tell(OtherProcess *other, Order order)
{
	guint64 answer;

	ck_assert_int_eq(write(other->socket, &order, sizeof order), sizeof order);
	ck_assert_int_eq(read(other->socket, &answer, sizeof answer), sizeof answer);
	return answer;
}

void
other_process_fill(OtherProcess *other, gsize offset, gsize len, guint8 value)
{
	tell(other, (Order){ FILL, offset, len, value });
}

guint8
other_process_byte(OtherProcess *other, gsize offset)
{
	return (guint8) tell(other, (Order){ .what = BYTE, .offset = offset });
}

void
other_process_advise(OtherProcess *other, gsize offset, gsize len, int advice)
{
	tell(other, (Order){ ADVISE, offset, len, advice });
}

void
other_process_discard(OtherProcess *other, gsize offset, gsize len)
{
	int advice = other->fd >= 0 ? MADV_REMOVE : MADV_DONTNEED;

	ck_assert_uint_eq(tell(other, (Order){ ADVISE, offset, len, advice }), 0);
}

guint64
other_process_plug(OtherProcess *other, gsize len)
{
	return tell(other, (Order){ .what = PLUG, .len = len });
}

guint64
other_process_status(const OtherProcess *other, const char *key)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/status", (int) other->pid);
	g_autofree char *text = NULL, *line = g_strdup_printf("\n%s:", key);

	ck_assert(g_file_get_contents(path, &text, NULL, NULL));
	const char *found = strstr(text, line);
	ck_assert_ptr_nonnull(found);
	return strtoull(found + strlen(line), NULL, 10);
}

guint64
other_process_blocks(const OtherProcess *other)
{
	struct stat st;

	if (other->fd < 0)
		return 0;
	ck_assert_int_eq(fstat(other->fd, &st), 0);
	return (guint64) st.st_blocks;
}
