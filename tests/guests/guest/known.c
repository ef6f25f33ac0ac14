/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a running guest does a known number of times, to be counted from outside.  `known N WHAT...`
 * tells in /run/known of its "pid page name area divide", waits for SIGUSR1, and then N times, for
 * i = 1 .. N, does each WHAT in the order given; then it writes a line into the pipe
 * /run/known.done, from which who waits need not do anything until then.
 *
 * write   writes i into the third word of the page, which stays in memory
 * read    reads the fourth word, which is 0x600d
 * call    asks for sched_get_priority_max(2), which nobody else does
 * open    opens the file whose name lies at that address
 * fork    has a child that exits
 * exec    has a child that executes `/usr/bin/known child "with words" i`, which exits
 * module  loads /lib/modules/dummy.ko, and unloads it
 * fault   touches the page i-1 of an area of 65536 that nobody has touched yet
 * divide  divides by zero, by the instruction at that address; on x86-64 alone
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define SELF "/usr/bin/known"
#define MODULE "/lib/modules/dummy.ko"

#define MOST_PAGES 65536
static volatile uint64_t *page;
static volatile char *area;
static char name[] = "/run/known.file";

static void
do_write(uint64_t i)
{
	page[2] = i;
}

static void
do_read(uint64_t i)
{
	(void) i;
	(void) page[3];
}

static void
do_call(uint64_t i)
{
	(void) i;
	sched_get_priority_max(SCHED_OTHER);
}

static void
do_open(uint64_t i)
{
	(void) i;
	close(open(name, O_RDONLY));
}

static void
finish(pid_t child)
{
	if (child > 0)
		waitpid(child, NULL, 0);
}

static void
do_fork(uint64_t i)
{
	pid_t child = fork();

	(void) i;
	if (child == 0)
		_exit(0);
	finish(child);
}

static void
do_exec(uint64_t i)
{
	char number[32];
	pid_t child;

	snprintf(number, sizeof number, "%lu", (unsigned long) i);
	child = fork();
	if (child == 0) {
		execl(SELF, SELF, "child", "with words", number, NULL);
		_exit(127);
	}
	finish(child);
}

static void
do_module(uint64_t i)
{
	int fd = open(MODULE, O_RDONLY);

	(void) i;
	if (syscall(SYS_finit_module, fd, "numdummies=0", 0) != 0)
		perror(MODULE);
	close(fd);
	if (syscall(SYS_delete_module, "dummy", O_NONBLOCK) != 0)
		perror("dummy");
}

static void
do_fault(uint64_t i)
{
	area[(i - 1) % MOST_PAGES * PAGE] = 1;
}

#ifdef __x86_64__
/* Bytes of the instruction at division: div %ecx. */
#define DIVIDE_LEN 2

extern const char division[];

__attribute__((noinline)) static void
do_divide(uint64_t i)
{
	uint32_t low = (uint32_t) i, high = 0;

	__asm__ volatile(".globl division\ndivision: div %2"
			 : "+a"(low), "+d"(high)
			 : "c"(0)
			 : "cc");
}

static void
skip(int number, siginfo_t *info, void *context)
{
	ucontext_t *at = context;

	(void) number;
	(void) info;
	at->uc_mcontext.gregs[REG_RIP] += DIVIDE_LEN;
}

#else
/* There a division by zero is nothing special. */
static const char division[1];

static void
do_divide(uint64_t i)
{
	(void) i;
}

static void
skip(int number, siginfo_t *info, void *context)
{
	(void) number;
	(void) info;
	(void) context;
}
#endif

static const struct {
	const char *word;
	void (*act)(uint64_t i);
} kinds[] = {
	{ "write", do_write },   { "read", do_read },   { "call", do_call },
	{ "open", do_open },     { "fork", do_fork },   { "exec", do_exec },
	{ "module", do_module }, { "fault", do_fault }, { "divide", do_divide },
};

static int
act(const char *word, uint64_t i)
{
	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		if (!strcmp(kinds[k].word, word)) {
			kinds[k].act(i);
			return 1;
		}
	}
	return 0;
}

static int
tell(void)
{
	FILE *told = fopen("/run/known.new", "w");

	if (!told)
		return 1;
	fprintf(told, "%d %#" PRIxPTR " %#" PRIxPTR " %#" PRIxPTR " %#" PRIxPTR "\n", getpid(),
		(uintptr_t) page, (uintptr_t) name, (uintptr_t) area, (uintptr_t) division);
	fclose(told);
	return rename("/run/known.new", "/run/known");
}

static int
tell_done(void)
{
	int fd = open("/run/known.done", O_WRONLY);

	return write(fd, "done\n", 5) != 5;
}

static volatile void *
make(size_t len, int flags)
{
	void *made =
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (made == MAP_FAILED)
		exit(1);
	madvise(made, len, MADV_NOHUGEPAGE);
	return made;
}

int
main(int argc, char **argv)
{
	struct sigaction on_divide = { .sa_sigaction = skip, .sa_flags = SA_SIGINFO };
	uint64_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	sigset_t go;
	int which;

	if (argc > 1 && !strcmp(argv[1], "child"))
		return 0;
	if (!n)
		return 2;
	page = make(PAGE, MAP_LOCKED);
	page[3] = 0x600d;
	area = make((n < MOST_PAGES ? n : MOST_PAGES) * PAGE, MAP_NORESERVE);
	sigaction(SIGFPE, &on_divide, NULL);
	sigemptyset(&go);
	sigaddset(&go, SIGUSR1);
	sigprocmask(SIG_BLOCK, &go, NULL);
	if (tell())
		return 1;
	sigwait(&go, &which);
	for (uint64_t i = 1; i <= n; i++)
		for (int word = 2; word < argc; word++)
			if (!act(argv[word], i))
				return 2;
	return tell_done();
}
