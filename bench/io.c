/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io: what a reader does, and nothing else: an interpreter's own microsecond for each call would
 * make every file look alike. One run does one thing, from one or more readers that start together,
 * and prints what it cost: wall and processor nanoseconds of all of them, calls, bytes. Random
 * reads are timed one by one, and wall is what all would have taken had each been as long as the
 * one in the middle: a single one is so short that whatever else the machine does would drown it.
 *
 *	io seq|random|map [-s BLOCK] [-o START] [-l LENGTH] [-n CALLS] [-r READERS] [-d] FILE
 *	io texts|list [-n PASSES] [-r READERS] FILE...
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct {
	const char *mode;
	char **files;
	int n_files;
	size_t block;
	uint64_t start, length;
	uint64_t count;
	int n_readers;
	int flags;
	uint64_t seed;
} Work;

typedef struct {
	uint64_t calls, bytes;
	uint64_t wall; /* 0 = as long as it took */
} Done;

static void __attribute__((noreturn)) fail(const char *what)
{
	fprintf(stderr, "io: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t) time.tv_sec * 1000000000 + (uint64_t) time.tv_nsec;
}

static uint64_t
cpu_of(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (uint64_t) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
	       (uint64_t) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void
read_block(int fd, char *buf, size_t block, uint64_t offset, Done *done)
{
	size_t have = 0;

	while (have < block) {
		ssize_t got = pread(fd, buf + have, block - have, (off_t) (offset + have));
		if (got <= 0)
			fail("pread");
		have += (size_t) got;
		done->calls++;
	}
	done->bytes += have;
}

static int
compare_times(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
	return x < y ? -1 : x > y;
}

static void
read_blocks(const Work *work, Done *done)
{
	int fd = open(work->files[0], O_RDONLY | O_CLOEXEC | work->flags);
	uint64_t state = work->seed, n_blocks = work->length / work->block;
	char *buf = aligned_alloc(4096, work->block);
	uint64_t *times = *work->mode == 'r' ? calloc(work->count, sizeof *times) : NULL;

	if (fd < 0 || !buf || (!times && *work->mode == 'r'))
		fail(work->files[0]);
	memset(buf, 1, work->block); /* its pages are not to be paid for by the first read */
	for (uint64_t i = 0; i < work->count; i++) {
		uint64_t at = times ? next_random(&state) % n_blocks : i % n_blocks;
		uint64_t begin = times ? now() : 0;
		read_block(fd, buf, work->block, work->start + at * work->block, done);
		if (times)
			times[i] = now() - begin;
	}
	if (times) {
		qsort(times, work->count, sizeof *times, compare_times);
		done->wall = times[work->count / 2] * work->count;
	}
	free(times);
	close(fd);
	free(buf);
}

static void
read_mapping(const Work *work, Done *done)
{
	int fd = open(work->files[0], O_RDONLY | O_CLOEXEC);
	char *buf = malloc(work->block), *area;

	if (fd < 0 || !buf)
		fail(work->files[0]);
	area = mmap(NULL, work->length, PROT_READ, MAP_SHARED, fd, (off_t) work->start);
	if (area == MAP_FAILED)
		fail("mmap");
	for (uint64_t i = 0; i < work->length / work->block; i++) {
		memcpy(buf, area + i * work->block, work->block);
		__asm__ volatile("" : : "r"(buf) : "memory");
		done->calls++;
		done->bytes += work->block;
	}
	munmap(area, work->length);
	close(fd);
	free(buf);
}

/* As cat does it: open, read up to the end, close. */
static void
read_texts(const Work *work, Done *done)
{
	static char buf[1 << 16];

	for (int i = 0; i < work->n_files; i++) {
		int fd = open(work->files[i], O_RDONLY | O_CLOEXEC);
		ssize_t got;
		if (fd < 0)
			fail(work->files[i]);
		while ((got = read(fd, buf, sizeof buf)) > 0)
			done->bytes += (uint64_t) got;
		if (got < 0)
			fail(work->files[i]);
		close(fd);
		done->calls++;
	}
}

/* As ls -l does it: every entry that is a number, and what stat says of it. */
static void
list(const Work *work, Done *done)
{
	DIR *dir = opendir(work->files[0]);
	struct dirent *entry;
	struct stat st;

	if (!dir)
		fail(work->files[0]);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			fail(entry->d_name);
		done->calls++;
	}
	closedir(dir);
}

static void
work_on(const Work *work, Done *done)
{
	switch (*work->mode) {
	case 's':
	case 'r':
		read_blocks(work, done);
		break;
	case 'm':
		read_mapping(work, done);
		break;
	default:
		for (uint64_t i = 0; i < work->count; i++)
			(*work->mode == 't' ? read_texts : list)(work, done);
	}
}

/* A reader is a process: it waits for the end of `gate`, works, and tells `out`. */
static void
be_reader(const Work *work, int gate, int out)
{
	Done done = { 0 };
	char byte;

	if (read(gate, &byte, 1) < 0)
		fail("gate");
	work_on(work, &done);
	if (write(out, &done, sizeof done) != sizeof done)
		fail("result");
	_exit(0);
}

static void
run_readers(Work *work)
{
	int gate[2], result[2], failed = 0, status;
	Done sum = { 0 }, done;

	if (pipe(gate) || pipe(result))
		fail("pipe");
	for (int i = 0; i < work->n_readers; i++) {
		pid_t pid = fork();
		if (pid < 0)
			fail("fork");
		work->seed += 0x9e3779b97f4a7c15;
		if (pid)
			continue;
		close(gate[1]);
		be_reader(work, gate[0], result[1]);
	}
	close(gate[0]);
	close(result[1]);
	usleep(2000);
	uint64_t start = now();
	close(gate[1]);
	while (read(result[0], &done, sizeof done) == sizeof done) {
		sum.calls += done.calls;
		sum.bytes += done.bytes;
		sum.wall = done.wall > sum.wall ? done.wall : sum.wall;
	}
	uint64_t wall = sum.wall ? sum.wall : now() - start;
	while (wait(&status) > 0)
		failed |= status;
	if (failed)
		exit(1);
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", wall, cpu_of(RUSAGE_CHILDREN),
	       sum.calls, sum.bytes);
}

static uint64_t
number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (end == text || *end)
		fail(text);
	return value;
}

int
main(int argc, char **argv)
{
	Work work = { .block = 4096, .n_readers = 1, .seed = 1 };
	int option;

	while ((option = getopt(argc, argv, "s:o:l:n:r:d")) >= 0) {
		switch (option) {
		case 's':
			work.block = number(optarg);
			break;
		case 'o':
			work.start = number(optarg);
			break;
		case 'l':
			work.length = number(optarg);
			break;
		case 'n':
			work.count = number(optarg);
			break;
		case 'r':
			work.n_readers = (int) number(optarg);
			break;
		case 'd':
			work.flags = O_DIRECT;
			break;
		default:
			return 2;
		}
	}
	if (argc - optind < 2 || !work.block) {
		fprintf(stderr, "usage: io seq|random|map|texts|list [OPTIONS] FILE...\n");
		return 2;
	}
	work.mode = argv[optind];
	work.files = argv + optind + 1;
	work.n_files = argc - optind - 1;
	if (!strchr("srmtl", *work.mode) ||
	    (strchr("srm", *work.mode) && work.length < work.block)) {
		fprintf(stderr, "io: no such mode, or less than one block\n");
		return 2;
	}
	if (!work.count)
		work.count = strchr("sr", *work.mode) ? work.length / work.block : 1;
	run_readers(&work);
	return 0;
}
