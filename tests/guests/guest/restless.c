/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What never stands still in a running guest.  `restless storm N`: N processes a second that begin
 * and end.  `restless maps N`: N times a second it maps a page or unmaps one, between others that
 * stay.  `restless tick`: a word in memory that counts milliseconds; where it is stands in
 * /run/tick as "pid virtual physical", and before the word stand 16 bytes that are nowhere else.
 * `restless twins`: two words, 64 MB apart, that count as fast as they can, first the one, then the
 * other: at any moment they are equal, or the first is one ahead.  /run/twins has the same of both.
 * `restless polls`: asks one eventfd, 1,000 times in each call, whether it is ready: hardly
 * anything lies between two calls of eventfd_poll() in the kernel.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static void
until(struct timespec *when, long step_ns)
{
	when->tv_nsec += step_ns;
	if (when->tv_nsec >= 1000000000) {
		when->tv_nsec -= 1000000000;
		when->tv_sec++;
	}
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, when, NULL);
}

static int
storm(long rate)
{
	struct timespec when;

	clock_gettime(CLOCK_MONOTONIC, &when);
	for (;;) {
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		if (child > 0)
			waitpid(child, NULL, 0);
		until(&when, 1000000000 / rate);
	}
}

/* Every other page of the place comes and goes; no two of them become one mapping. */
static int
maps(long rate)
{
	enum { SLOTS = 200 };
	int there[SLOTS] = { 0 };
	struct timespec when;
	char *place = mmap(NULL, 2 * SLOTS * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (place == MAP_FAILED)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &when);
	for (int i = 0;; i = (i + 7) % SLOTS) {
		char *slot = place + 2 * (size_t) i * PAGE;

		if (there[i])
			munmap(slot, PAGE);
		else
			mmap(slot, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		there[i] = !there[i];
		until(&when, 1000000000 / rate);
	}
}

/* 0 = not known */
static uint64_t
physical(const volatile void *page)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = 0;

	if (pread(pagemap, &entry, 8, (uintptr_t) page / PAGE * 8) != 8)
		entry = 0;
	close(pagemap);
	return (entry & ((1ULL << 55) - 1)) * PAGE;
}

/* They are there, and stay. */
static volatile uint64_t *
make_pages(size_t len)
{
	volatile uint64_t *pages = mmap(NULL, len, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);

	return pages == MAP_FAILED ? NULL : pages;
}

static int
tell(const char *path, const volatile void *const *pages, int n)
{
	char made[64];
	FILE *told;

	snprintf(made, sizeof made, "%s.new", path);
	told = fopen(made, "w");
	if (!told)
		return 1;
	fprintf(told, "%d", getpid());
	for (int i = 0; i < n; i++)
		fprintf(told, " %#" PRIxPTR " %#" PRIx64, (uintptr_t) pages[i], physical(pages[i]));
	fprintf(told, "\n");
	fclose(told);
	return rename(made, path);
}

static int
tick(void)
{
	volatile uint64_t *page = make_pages(PAGE);
	struct timespec when;

	if (!page)
		return 1;
	/* put together here, so that the program's file does not hold it */
	page[0] = 0x746b636974ULL << 24 | 0x234567;
	page[1] = ~page[0];
	if (tell("/run/tick", (const volatile void *[]){ page }, 1))
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &when);
	for (;;) {
		until(&when, 1000000);
		page[2]++;
	}
}

static int
twins(void)
{
	const size_t apart = 64 << 20;
	volatile uint64_t *first = make_pages(apart + PAGE);
	volatile uint64_t *second = first + apart / sizeof *first;

	if (!first || tell("/run/twins", (const volatile void *[]){ first, second }, 2))
		return 1;
	for (;;) {
		(*first)++;
		(*second)++;
	}
}

static int
polls(void)
{
	static struct pollfd asked[1000];
	int fd = eventfd(0, 0);

	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
		asked[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
	while (poll(asked, sizeof asked / sizeof *asked, 0) == 0)
		;
	return 1;
}

int
main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "storm") && atol(argv[2]) > 0)
		return storm(atol(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "maps") && atol(argv[2]) > 0)
		return maps(atol(argv[2]));
	if (argc == 2 && !strcmp(argv[1], "tick"))
		return tick();
	if (argc == 2 && !strcmp(argv[1], "twins"))
		return twins();
	if (argc == 2 && !strcmp(argv[1], "polls"))
		return polls();
	return 2;
}
