/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the actors of a test guest have in common: a table of roles, one of which a process plays;
 * it says that it stands by a file in /run/ready, and sleeps for ever.
 */
#ifndef ACTOR_H
#define ACTOR_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define PAGE ((size_t) getpagesize())
#define MAGIC 0x4547415046494d56UL /* "VMIFPAGE" in memory */

static const char *role_name;

static inline void
must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "vmifs-guest: actor %s: %s: %s\n", role_name, what, strerror(errno));
	exit(1);
}

static inline void
ready(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "/run/ready/%s", role_name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	must(fd >= 0, path);
	close(fd);
}

static inline void __attribute__((noreturn)) stay(void)
{
	for (;;)
		pause();
}

/* Every page starts with MAGIC, its index, and its own address; the rest repeats the index. */
static inline void
fill(char *at, size_t len)
{
	for (size_t i = 0; i < len / PAGE; i++) {
		uint64_t *page = (uint64_t *) (at + i * PAGE);

		for (size_t j = 3; j < PAGE / 8; j++)
			page[j] = i;
		page[0] = MAGIC;
		page[1] = i;
		page[2] = (uintptr_t) page;
	}
}

static inline char *
map(void *at, size_t len, int flags)
{
	char *p = mmap(at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	must(p != MAP_FAILED, "mmap");
	return p;
}

struct role {
	const char *name;
	void (*run)(int argc, char **argv);
};

static inline int
play(const struct role *roles, size_t n_roles, int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < n_roles; i++)
		if (!strcmp(argv[1], roles[i].name)) {
			role_name = roles[i].name;
			if (roles[i].run)
				roles[i].run(argc - 2, argv + 2);
			else
				ready();
			stay();
		}
	fprintf(stderr, "vmifs-guest: actor: no such role\n");
	return 2;
}

#endif
