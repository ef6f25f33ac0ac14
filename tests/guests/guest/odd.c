/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The odder processes of a test guest: containers, names that no one would choose, limits and
 * schedulers that few use, memory that is swapped out or in 20,000 pieces. As actor.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "actor.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static int
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), done;

	done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t) strlen(text);
	if (fd >= 0)
		close(fd);
	return done;
}

/* Maps are written from outside: who has just entered a user namespace may write but one line. */
static void
enter_user_namespace(void)
{
	int go[2], done[2];
	char path[64], byte;
	pid_t self = getpid(), pid;

	must(!pipe(go) && !pipe(done), "pipe");
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		must(read(go[0], &byte, 1) == 1, "read");
		snprintf(path, sizeof path, "/proc/%d/uid_map", self);
		must(put(path, "0 100000 1000\n5000 0 1\n1000 200000 100\n"), "uid_map");
		snprintf(path, sizeof path, "/proc/%d/gid_map", self);
		must(put(path, "0 100000 65536\n"), "gid_map");
		must(write(done[1], "", 1) == 1, "write");
		_exit(0);
	}
	must(!unshare(CLONE_NEWUSER), "CLONE_NEWUSER");
	must(write(go[1], "", 1) == 1 && read(done[0], &byte, 1) == 1, "maps");
	must(waitpid(pid, NULL, 0) == pid, "waitpid");
	close(go[0]), close(go[1]), close(done[0]), close(done[1]);
	must(!setgid(0) && !setuid(0) && !prctl(PR_SET_DUMPABLE, 1), "ids");
}

/* A root of its own, with the old one gone, as container engines make it. */
static void
change_root(const char *name)
{
	char root[64], path[128];
	int fd;

	must(!mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	snprintf(root, sizeof root, "/tmp/%s", name);
	must(!mkdir(root, 0755), root);
	must(!mount(name, root, "tmpfs", MS_NODEV | MS_NOATIME, "mode=755"), "tmpfs");
	must(!chdir(root) && !mkdir("bin", 0755) && !mkdir("old", 0755) && !mkdir("proc", 0755) &&
		     !mkdir("srv", 0755),
	     "folders");
	fd = open("bin/busybox", O_CREAT | O_CLOEXEC, 0755);
	must(fd >= 0, "bin/busybox");
	close(fd);
	must(!mount("/bin/busybox", "bin/busybox", NULL, MS_BIND, NULL), "bind a file");
	must(!mount("/srv/data", "srv", NULL, MS_BIND, NULL), "bind a folder");
	snprintf(path, sizeof path, "%s/proc", root);
	must(!mount("proc", path, "proc", MS_NOSUID | MS_NOEXEC, NULL), "proc");
	if (!syscall(SYS_pivot_root, ".", "old"))
		must(!chdir("/") && !umount2("/old", MNT_DETACH), "umount");
	else /* a guest that stayed in its initial root file system cannot leave it */
		must(errno == EINVAL && !chroot(".") && !chdir("/"), "chroot");
}

static void
inside(const char *name)
{
	change_root(name);
	must(!sethostname(name, strlen(name)) && !setdomainname("inside", 6), "names");
	must(open("/srv", O_RDONLY | O_DIRECTORY) >= 0 &&
		     open("/own", O_CREAT | O_RDWR, 0600) >= 0 &&
		     open("/proc/1/maps", O_RDONLY) >= 0,
	     "files");
	prctl(PR_SET_NAME, "init inside");
	if (!fork()) {
		if (!fork())
			execl("/bin/busybox", "sleep", "1000000", NULL);
		setsid();
		execl("/bin/busybox", "sh", "-c", "sleep 1000000; :", NULL);
		_exit(1);
	}
}

/* `container NAME CGROUP [user]` */
static void
container(int argc, char **argv)
{
	/* pivot_root(2) moves the root of everyone in the namespace. */
	int done[2], user = argc > 2, stand = open("/run/ready", O_RDONLY | O_DIRECTORY);
	char path[256], byte;

	must(argc >= 2 && !pipe(done), "pipe");
	snprintf(path, sizeof path, "%s/cgroup.procs", argv[1]);
	must(put(path, "0"), path);
	if (user)
		enter_user_namespace();
	must(!unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
		      CLONE_NEWCGROUP),
	     "unshare");
	if (!unshare(CLONE_NEWTIME)) /* kernels may lack it */
		must(put("/proc/self/timens_offsets", "monotonic 86400 5\nboottime 7 0\n"),
		     "timens_offsets");
	if (!fork()) {
		inside(argv[0]);
		usleep(300000); /* what it starts has its name and program by then */
		must(write(done[1], "", 1) == 1, "write");
		stay();
	}
	must(read(done[0], &byte, 1) == 1, "the inner init");
	must(openat(stand, argv[0], O_CREAT | O_CLOEXEC, 0644) >= 0, argv[0]);
}

static void *
thread(void *name)
{
	prctl(PR_SET_NAME, name);
	stay();
}

/* Names that end a line, a field, a terminal's patience. */
static void
names(int argc, char **argv)
{
	static const char *const odd[] = { "",
					   "\n",
					   "\x1b[31mred",
					   "a) R 1 2 3",
					   "   ",
					   "\xc3\xa9\xe2\x82\xac",
					   "\xff\xfe\x80",
					   "\r\b\a\x7f",
					   "\\n\\040",
					   "a\nPid:\t1\nx" };
	pthread_t id;

	(void) argc, (void) argv;
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
		must(!pthread_create(&id, NULL, thread, (void *) odd[i]), "pthread_create");
	prctl(PR_SET_NAME, ") Z 0\n(\x1b");
	usleep(200000);
	ready();
}

/* `tiny_threads N` */
static void
tiny_threads(int argc, char **argv)
{
	static char title[16] = "one of many";
	pthread_attr_t attr;
	pthread_t id;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16 << 10);
	for (int i = argc > 0 ? atoi(argv[0]) : 0; i > 0; i--)
		must(!pthread_create(&id, &attr, thread, title), "pthread_create");
	sleep(1);
	ready();
}

static void
open_in(int dir, const char *name)
{
	must(openat(dir, name, O_CREAT | O_RDWR, 0600) >= 0, name);
}

/* Files whose names are long, odd, deep, hidden or gone. */
static void
paths(int argc, char **argv)
{
	char longest[256];
	int dir, fd;

	(void) argc, (void) argv;
	must(!mkdir("/tmp/odd", 0700), "mkdir");
	dir = open("/tmp/odd", O_RDONLY | O_DIRECTORY);
	memset(longest, 'l', 255);
	longest[255] = 0;
	open_in(dir, longest);
	open_in(dir, "back\\slash\\012");
	open_in(dir, "tab\t, ret\r, esc\x1b[2J and \xff\x80");
	open_in(dir, " (deleted)");
	open_in(dir, "\n");
	open_in(dir, "made anew");
	must(!unlinkat(dir, "made anew", 0), "unlink");
	open_in(dir, "made anew");
	open_in(dir, "old name");
	must(!renameat(dir, "old name", dir, "new name"), "rename");
	must(!mkdirat(dir, "gone", 0700), "mkdir");
	fd = openat(dir, "gone", O_RDONLY | O_DIRECTORY);
	open_in(fd, "below");
	must(!unlinkat(fd, "below", 0) && !unlinkat(dir, "gone", AT_REMOVEDIR), "rmdir");
	must(memfd_create("a\n\\ \x1b(deleted)", 0) >= 0, "memfd");
	must(openat(dir, ".", O_TMPFILE | O_RDWR, 0600) >= 0, "O_TMPFILE");
	/* Hidden by a mount on top; in a mount that nobody can reach any more. */
	must(!mkdir("/mnt/over", 0700), "mkdir");
	must(open("/mnt/over/hidden", O_CREAT | O_RDWR, 0600) >= 0, "hidden");
	must(!mount("over", "/mnt/over", "tmpfs", 0, NULL), "tmpfs");
	must(!mkdir("/mnt/lazy", 0700) && !mount("lazy", "/mnt/lazy", "tmpfs", 0, NULL), "tmpfs");
	fd = open("/mnt/lazy/unreachable", O_CREAT | O_RDWR, 0600);
	must(fd >= 0 && !ftruncate(fd, PAGE), "unreachable");
	must(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED, "mmap");
	must(!umount2("/mnt/lazy", MNT_DETACH), "umount");
	fd = open("/mnt/odd \\ na\tme\n", O_RDONLY);
	must(fd >= 0 || errno == ENOENT, "open");
	must(!mkdir("/mnt/odd \\ na\tme\n#", 0700) &&
		     !mount("dev ice\n", "/mnt/odd \\ na\tme\n#", "tmpfs", MS_NOEXEC, "size=64k"),
	     "mount with an odd name");
	/* Deeper than any path may be long. */
	fd = dir;
	longest[0] = 'd';
	for (int i = 0; i < 20; i++) {
		must(!mkdirat(fd, longest, 0700), "mkdir");
		fd = openat(fd, longest, O_RDONLY | O_DIRECTORY);
		must(fd >= 0 && !fchdir(fd), "deep");
	}
	open_in(fd, "at the bottom");
	ready();
}

static void
attributes(int argc, char **argv)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 1 << CAP_NET_RAW | 1 << CAP_SETPCAP,
						    1 << CAP_NET_RAW | 1 << CAP_SETPCAP,
						    1 << CAP_NET_RAW } };
	struct rlimit limit = { 1 << 20, RLIM_INFINITY };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2 };
	struct itimerspec when = { { 0, 0 }, { 1000000, 0 } };
	timer_t timer;
	cpu_set_t cpus;

	(void) argc, (void) argv;
	setsid();
	must(put("/proc/self/oom_score_adj", "-500"), "oom_score_adj");
	must(put("/proc/self/coredump_filter", "0x7f"), "coredump_filter");
	put("/proc/self/loginuid", "1000"); /* kernels may lack these two */
	put("/proc/self/autogroup", "7");
	must(personality(ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC) >= 0, "personality");
	must(!prctl(PR_SET_TIMERSLACK, 123456), "timerslack");
	must(!prctl(PR_SET_CHILD_SUBREAPER, 1), "subreaper");
	must(!prctl(PR_SET_PDEATHSIG, SIGHUP), "pdeathsig");
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	must(!setrlimit(RLIMIT_CORE, &limit) && !setrlimit(RLIMIT_STACK, &limit) &&
		     !setrlimit(RLIMIT_MEMLOCK, &limit),
	     "limits");
	must(!timer_create(CLOCK_MONOTONIC, &event, &timer) &&
		     !timer_settime(timer, 0, &when, NULL) &&
		     !timer_create(CLOCK_REALTIME, NULL, &timer),
	     "timers");
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	must(!sched_setaffinity(0, sizeof cpus, &cpus), "affinity");
	must(!setpriority(PRIO_PROCESS, 0, -5), "nice");
	map(NULL, 16 * PAGE, MAP_LOCKED);
	ready(); /* while it still may */
	must(!prctl(PR_CAPBSET_DROP, CAP_SYS_MODULE), "bounding set");
	must(!prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_KEEP_CAPS), "securebits");
	must(!syscall(SYS_capset, &head, data), "capset");
	must(!prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0), "ambient");
	must(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	must(!prctl(PR_SET_DUMPABLE, 0), "dumpable");
}

static void
schedulers(int argc, char **argv)
{
	static const struct {
		const char *name;
		struct {
			uint32_t size, policy;
			uint64_t flags;
			int32_t nice;
			uint32_t priority;
			uint64_t runtime, deadline, period;
		} attr;
	} of[] = {
		{ "sched rr", { 48, SCHED_RR, 0, 0, 7, 0, 0, 0 } },
		{ "sched batch", { 48, SCHED_BATCH, 0, 11, 0, 0, 0, 0 } },
		{ "sched idle", { 48, SCHED_IDLE, 0, 0, 0, 0, 0, 0 } },
		{ "sched deadline", { 48, SCHED_DEADLINE, 1, 0, 0, 10000000, 30000000, 40000000 } },
		{ "sched reset", { 48, SCHED_FIFO, 1, 0, 99, 0, 0, 0 } },
	};

	(void) argc, (void) argv;
	for (size_t i = 0; i < sizeof of / sizeof of[0]; i++)
		if (!fork()) {
			prctl(PR_SET_NAME, of[i].name);
			must(!syscall(SYS_sched_setattr, 0, &of[i].attr, 0), of[i].name);
			stay();
		}
	usleep(200000);
	ready();
}

static void
traced(int argc, char **argv)
{
	pid_t pid = fork();

	(void) argc, (void) argv;
	must(pid >= 0, "fork");
	if (!pid) {
		prctl(PR_SET_NAME, "is traced");
		stay();
	}
	usleep(100000);
	must(!ptrace(PTRACE_SEIZE, pid, 0, 0) && !ptrace(PTRACE_INTERRUPT, pid, 0, 0), "ptrace");
	must(waitpid(pid, NULL, WNOWAIT) == pid || errno == EINVAL, "wait");
	usleep(100000);
	ready();
}

/* `pieces N`: a mapping that falls to N pieces, of which every other has a page. */
static void
pieces(int argc, char **argv)
{
	size_t n = argc > 0 ? strtoul(argv[0], NULL, 10) : 0;
	char *p = map((void *) 0x160000000000, n * PAGE, MAP_FIXED_NOREPLACE | MAP_NORESERVE);

	for (size_t i = 0; i < n; i += 2) {
		if (i % 16 == 0)
			fill(p + i * PAGE, PAGE);
		must(!mprotect(p + i * PAGE, PAGE, PROT_READ), "mprotect");
	}
	ready();
}

/*
 * Memory of its own and shared memory go out to the swap; some is touched again, which brings its
 * neighbours into the swap cache: in RAM, but no table says where.
 */
static void
swapped(int argc, char **argv)
{
	size_t len = 8 << 20;
	char *p = map((void *) 0x150000000000, len, MAP_FIXED_NOREPLACE), *shared;
	volatile char sum = 0;

	(void) argc, (void) argv;
	madvise(p, len, MADV_NOHUGEPAGE);
	fill(p, len);
	must(!madvise(p, len, MADV_PAGEOUT), "MADV_PAGEOUT");
	for (size_t i = len / 2; i < len; i += 64 * PAGE)
		sum += p[i];
	shared = mmap((void *) 0x151000000000, 64 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	must(shared != MAP_FAILED, "mmap");
	fill(shared, 64 * PAGE);
	must(!madvise(shared, 64 * PAGE, MADV_PAGEOUT), "MADV_PAGEOUT");
	ready();
}

static const struct role roles[] = {
	{ "container", container }, { "names", names },           { "tiny_threads", tiny_threads },
	{ "paths", paths },         { "attributes", attributes }, { "schedulers", schedulers },
	{ "traced", traced },       { "pieces", pieces },         { "swapped", swapped },
};

int
main(int argc, char **argv)
{
	return play(roles, sizeof roles / sizeof roles[0], argc, argv);
}
