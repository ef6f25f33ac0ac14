/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What never stands still in a running guest.  `restless storm N`: N processes a second that begin
 * and end.  `restless tick`: a word in memory that counts milliseconds; where it is stands in
 * /run/tick as "pid virtual physical", and before the word stand 16 bytes that are nowhere else.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static int
tick(void)
{
	volatile uint64_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	struct timespec when;
	uint64_t entry = 0;
	int pagemap;
	FILE *told;

	if (page == MAP_FAILED)
		return 1;
	/* put together here, so that the program's file does not hold it */
	page[0] = 0x746b636974ULL << 24 | 0x234567;
	page[1] = ~page[0];
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pread(pagemap, &entry, 8, (uintptr_t) page / PAGE * 8) != 8)
		return 1;
	told = fopen("/run/tick.new", "w");
	if (!told)
		return 1;
	fprintf(told, "%d %#lx %#lx\n", getpid(), (uintptr_t) page,
		(entry & ((1UL << 55) - 1)) * PAGE);
	fclose(told);
	rename("/run/tick.new", "/run/tick");
	clock_gettime(CLOCK_MONOTONIC, &when);
	for (;;) {
		until(&when, 1000000);
		page[2]++;
	}
}

int
main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "storm") && atol(argv[2]) > 0)
		return storm(atol(argv[2]));
	if (argc == 2 && !strcmp(argv[1], "tick"))
		return tick();
	return 2;
}
