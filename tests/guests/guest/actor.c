/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The processes of a test guest: each role puts one process into a state that /proc shows in its
 * own way (odd names, deleted files, namespaces, mappings of every kind, huge pages …) and then
 * sleeps for ever. A role says that it stands by a file in /run/ready.  New role: one function, one
 * line in `roles`, and one line in `init`.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/nbd.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <grp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"

/* Where nothing else is: the n-th of some places far apart. */
#define PLACE(n)                                                                                   \
	((void *) (uintptr_t) (UINTPTR_MAX > UINT32_MAX ? 0x100000000000ull + ((n) << 40)          \
							: 0x60000000ull + ((n) << 27)))

/* `touch MB`: small pages only, at an address that a benchmark can know. */
static void
touch(int argc, char **argv)
{
	size_t len = (argc > 0 ? strtoul(argv[0], NULL, 10) : 16) << 20;
	char *p = map(PLACE(0ull), len, MAP_FIXED_NOREPLACE);

	/* EINVAL: a kernel without transparent huge pages, as -rt ones are. */
	must(!madvise(p, len, MADV_NOHUGEPAGE) || errno == EINVAL, "madvise");
	fill(p, len);
	ready();
}

static void
huge(int argc, char **argv)
{
	char *p;
	int fd;

	(void) argc, (void) argv;
	p = map(PLACE(1ull), 8 << 20, MAP_FIXED_NOREPLACE);
	madvise(p, 8 << 20, MADV_HUGEPAGE);
	fill(p, 8 << 20);
	p = mmap(PLACE(2ull), 4 << 20, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED_NOREPLACE, -1, 0);
	if (p == MAP_FAILED && errno == EINVAL) { /* ARM's short page tables know none */
		ready();
		return;
	}
	must(p != MAP_FAILED, "hugetlb");
	fill(p, 4 << 20);
	fd = memfd_create("huge", MFD_HUGETLB);
	if (ftruncate(fd, 4 << 20) &&
	    errno == EINVAL) { /* 32 MiB where small pages are of 16 KiB */
		ready();
		return;
	}
	must(fd >= 0, "huge memfd");
	p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(p != MAP_FAILED, "huge memfd");
	fill(p, 2 << 20);
	ready();
}

/* Pages that were written and then taken away: the PTE has no present bit but still holds the
 * frame. */
static void
protnone(int argc, char **argv)
{
	char *p = map(PLACE(3ull), 64 * PAGE, MAP_FIXED_NOREPLACE);

	(void) argc, (void) argv;
	fill(p, 64 * PAGE);
	must(!mprotect(p + 16 * PAGE, 32 * PAGE, PROT_NONE), "mprotect");
	p = map(PLACE(4ull), 4 << 20, MAP_FIXED_NOREPLACE);
	madvise(p, 4 << 20, MADV_HUGEPAGE);
	fill(p, 4 << 20);
	must(!mprotect(p, 2 << 20, PROT_NONE), "mprotect");
	ready();
}

static void *
thread(void *name)
{
	prctl(PR_SET_NAME, name);
	stay();
}

static void
threads(int argc, char **argv)
{
	static const char *const names[] = { "thr one", "thr)two (", "new\nline", "tab\tback\\sl",
					     "123456789012345" };
	pthread_t id;

	(void) argc, (void) argv;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		must(!pthread_create(&id, NULL, thread, (void *) names[i]), "pthread_create");
	prctl(PR_SET_NAME, "odd (n) \n x");
	usleep(200000); /* the threads name themselves */
	ready();
}

/* The leader has ended, a thread lives on: /proc shows a zombie whose task/ is alive. */
static void
leaderless(int argc, char **argv)
{
	pthread_t id;

	(void) argc, (void) argv;
	must(!pthread_create(&id, NULL, thread, (void *) "survivor"), "pthread_create");
	usleep(100000);
	ready();
	syscall(SYS_exit, 0); /* pthread_exit() would want libgcc_s */
}

static void
listen_unix(const char *path, size_t abstract)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(at.sun_path + abstract, path);
	must(!bind(fd, (struct sockaddr *) &at,
		   offsetof(struct sockaddr_un, sun_path) + abstract + strlen(path) + !abstract) &&
		     !listen(fd, 3),
	     "unix socket");
}

static void
files(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(4242) };
	struct epoll_event event = { .events = EPOLLIN };
	int pair[2], fd, epoll, tcp;
	sigset_t set;

	(void) argc, (void) argv;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = open("/tmp/deleted file", O_CREAT | O_RDWR, 0600);
	must(fd >= 0 && write(fd, "gone\n", 5) == 5 && !unlink("/tmp/deleted file"),
	     "deleted file");
	must(open("/mnt/bind/below a bind mount", O_CREAT | O_RDWR | O_APPEND, 0600) >= 0, "bind");
	must(open("/tmp/new\nline", O_CREAT | O_RDONLY | O_CLOEXEC, 0600) >= 0, "newline");
	must(open("/srv", O_RDONLY | O_DIRECTORY) >= 0, "directory");
	must(open("/srv", O_PATH) >= 0, "O_PATH");
	must(open("/proc/1/status", O_RDONLY) >= 0, "proc");
	must(open("/sys/kernel/vmcoreinfo", O_RDONLY) >= 0, "sysfs");
	must(open("/dev/zero", O_RDWR | O_NONBLOCK) >= 0, "zero");
	must(!pipe(pair), "pipe");
	must(!mkfifo("/tmp/fifo", 0600) && open("/tmp/fifo", O_RDWR) >= 0, "fifo");
	must(!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), "socketpair");
	listen_unix("/run/listening.sock", 0);
	listen_unix("abstract name", 1);
	tcp = socket(AF_INET, SOCK_STREAM, 0);
	must(!bind(tcp, (struct sockaddr *) &at, sizeof at) && !listen(tcp, 5), "tcp");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	must(!connect(fd, (struct sockaddr *) &at, sizeof at) && accept(tcp, NULL, NULL) >= 0,
	     "connect");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	must(!bind(fd, (struct sockaddr *) &at, sizeof at), "udp");
	must(socket(AF_NETLINK, SOCK_RAW, 0) >= 0, "netlink");
	must(eventfd(7, EFD_SEMAPHORE) >= 0, "eventfd");
	must(timerfd_create(CLOCK_MONOTONIC, 0) >= 0, "timerfd");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	must(signalfd(-1, &set, 0) >= 0, "signalfd");
	fd = inotify_init1(0);
	must(inotify_add_watch(fd, "/srv", IN_CREATE) >= 0, "inotify");
	epoll = epoll_create1(EPOLL_CLOEXEC);
	must(!epoll_ctl(epoll, EPOLL_CTL_ADD, tcp, &event), "epoll");
	must(memfd_create("mem fd", 0) >= 0, "memfd");
	must(dup2(tcp, 300) == 300, "dup2"); /* a descriptor table that has grown */
	ready();
}

/* A module that is in use, and an open device of its own driver. */
static void
tap(int argc, char **argv)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR);

	(void) argc, (void) argv;
	must(fd >= 0, "/dev/net/tun");
	strcpy(request.ifr_name, "tap0");
	must(!ioctl(fd, TUNSETIFF, &request), "TUNSETIFF");
	ready();
}

static char *
map_file(const char *path, int flags, int prot)
{
	int fd = open(path, O_CREAT | O_RDWR, 0600);
	char *p;

	must(fd >= 0 && !ftruncate(fd, 3 * PAGE), path);
	p = mmap(NULL, 3 * PAGE, prot, flags, fd, 0);
	must(p != MAP_FAILED, "mmap of a file");
	if (prot & PROT_WRITE)
		fill(p, 3 * PAGE);
	close(fd);
	return p;
}

static void
maps(int argc, char **argv)
{
	int both = PROT_READ | PROT_WRITE, fd, id;
	char *p;

	(void) argc, (void) argv;
	map_file("/tmp/new\nline mapped", MAP_SHARED, both);
	map_file("/tmp/with space\\and\tmore", MAP_PRIVATE, both);
	map_file("/mnt/bind/mapped", MAP_SHARED, PROT_READ);
	map_file("/tmp/mapped then deleted", MAP_SHARED, both);
	must(!unlink("/tmp/mapped then deleted"), "unlink");
	must(mmap(NULL, PAGE, both, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED, "shared");
	fd = memfd_create("a memfd", MFD_CLOEXEC);
	must(!ftruncate(fd, PAGE) && mmap(NULL, PAGE, both, MAP_SHARED, fd, 0) != MAP_FAILED,
	     "memfd");
	id = shmget(0x1234, 2 * PAGE, IPC_CREAT | 0600);
	must(id >= 0 && shmat(id, NULL, 0) != (void *) -1, "shm");
	p = map(NULL, 8 * PAGE, 0);
	fill(p, 8 * PAGE);
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, 8 * PAGE, "named area");
	must(!mlock(map(NULL, 2 * PAGE, 0), 2 * PAGE), "mlock");
	syscall(462, map(NULL, PAGE, 0), PAGE, 0); /* mseal(), since 6.10 and with 64 bits */
	p = map(NULL, 256 * PAGE, MAP_NORESERVE);
	for (int i = 0; i < 256;
	     i += 3) /* every third page is there, and the mapping falls to pieces */
		fill(p + i * PAGE, PAGE);
	for (int i = 0; i < 256; i += 16)
		must(!mprotect(p + i * PAGE, PAGE, PROT_READ), "mprotect");
	must(!munmap(p + 100 * PAGE, 4 * PAGE), "munmap");
	must(!madvise(p + 200 * PAGE, 8 * PAGE, MADV_DONTFORK), "madvise");
	map(NULL, 16 * PAGE, MAP_GROWSDOWN);
	memset(malloc(100 * PAGE), 1, 100 * PAGE); /* a heap that mmap made, one that brk made */
	memset(malloc(1 << 10), 1, 1 << 10);
	ready();
}

static void
ids(int argc, char **argv)
{
	static const gid_t groups[] = { 5, 1001, 70000 };
	struct rlimit limit = { 123, 456 };
	sigset_t set;

	(void) argc, (void) argv;
	ready(); /* while it still may */
	setpriority(PRIO_PROCESS, 0, 7);
	setrlimit(RLIMIT_NOFILE, &limit);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, (void (*)(int)) stay);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGTERM); /* pending for ever */
	prctl(PR_SET_KEEPCAPS, 1);
	must(!setgroups(3, groups) && !setresgid(1001, 1002, 1003) && !setresuid(2001, 2002, 2001),
	     "ids");
	umask(027);
}

/* Sleeps in a function of a module: serves a block device, whose other end says nothing. */
static void
module(int argc, char **argv)
{
	int pair[2], disk = open("/dev/nbd0", O_RDWR | O_CLOEXEC);

	(void) argc, (void) argv;
	must(disk >= 0 && !socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "nbd0");
	must(!ioctl(disk, NBD_SET_SOCK, pair[0]), "NBD_SET_SOCK");
	ready();
	ioctl(disk, NBD_DO_IT);
}

static void
realtime(int argc, char **argv)
{
	struct sched_param param = { .sched_priority = 42 };

	(void) argc, (void) argv;
	must(!sched_setscheduler(0, SCHED_FIFO, &param), "SCHED_FIFO");
	ready();
}

/* A seccomp filter, and an eBPF program: its compiled code is a line [bpf] of kallsyms. */
static void
filter(int argc, char **argv)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { 1, &code };
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uintptr_t) insns,
		.insn_cnt = 2,
		.license = (uintptr_t) "GPL",
		.prog_name = "test_program",
	};

	(void) argc, (void) argv;
	must(syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load) >= 0, "bpf");
	must(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "NO_NEW_PRIVS");
	must(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp");
	ready();
}

static void
deleted(int argc, char **argv)
{
	(void) argc, (void) argv;
	must(!mkdir("/tmp/old cwd", 0700) && !chdir("/tmp/old cwd") && !rmdir("/tmp/old cwd"),
	     "cwd");
	ready();
}

/* Runs from a file that is no more. */
static void
unlinked(int argc, char **argv)
{
	(void) argc;
	must(!unlink(argv[0]), argv[0]);
	ready();
}

/* Its files lie in mounts that pid 1 does not see. */
static void
mountns(int argc, char **argv)
{
	(void) argc, (void) argv;
	must(!unshare(CLONE_NEWNS), "unshare");
	must(!mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	must(!mount("inner", "/mnt/inner", "tmpfs", 0, NULL), "tmpfs");
	must(open("/mnt/inner/hidden", O_CREAT | O_RDWR, 0600) >= 0 && !chdir("/mnt/inner"),
	     "hidden");
	map_file("/mnt/inner/hidden map", MAP_SHARED, PROT_READ | PROT_WRITE);
	ready();
}

/* A tree of its own: a child that is pid 1 of another namespace, and its child. */
static void
pidns(int argc, char **argv)
{
	(void) argc, (void) argv;
	must(!unshare(CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET), "unshare");
	must(!sethostname("inner", 5), "hostname");
	if (!fork()) {
		prctl(PR_SET_NAME, "inner init");
		if (!fork())
			prctl(PR_SET_NAME, "inner child");
		stay();
	}
	usleep(200000);
	ready();
}

static void
zombie(int argc, char **argv)
{
	pid_t pid = fork();

	(void) argc, (void) argv;
	if (!pid) {
		prctl(PR_SET_NAME, "dead child");
		_exit(3);
	}
	must(!waitid(P_PID, pid, NULL, WEXITED | WNOWAIT), "waitid");
	ready();
}

static void
stopped(int argc, char **argv)
{
	(void) argc, (void) argv;
	ready();
	raise(SIGSTOP);
}

/* setproctitle(3) as sendmail does it: the title runs over the arguments into the environment. */
static void
title(int argc, char **argv)
{
	char *start = argv[-2], *end = argv[argc - 1] + strlen(argv[argc - 1]);

	memset(start, 't', end + 3 - start); /* argv[-2] is main's argv[0] */
	ready();
}

/* A child shares its parent's memory until it runs something else. */
static void
shared_mm(int argc, char **argv)
{
	(void) argc, (void) argv;
	ready();
	if (!syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0))
		stay();
}

/* Each has a name and arguments of its own. */
static void
one_of_crowd(int i, char *title, int fd)
{
	char name[16];

	snprintf(title, strlen(title) + 1, "%0*d", (int) strlen(title), i);
	snprintf(name, sizeof name, "idle-%d", i);
	prctl(PR_SET_NAME, name);
	must(write(fd, "", 1) == 1, "crowd");
}

/* `crowd N 000000`: families of ten, each in a session of its own. */
static void
crowd(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[0]) : 0, pair[2];
	char byte;

	must(!pipe(pair), "pipe");
	for (int i = 0; i < count; i += 10) {
		pid_t pid = fork();

		must(pid >= 0, "fork");
		if (pid)
			continue;
		setsid();
		for (int j = i + 1; j < i + 10 && j < count; j++)
			if (!fork()) {
				one_of_crowd(j, argv[1], pair[1]);
				stay();
			}
		one_of_crowd(i, argv[1], pair[1]);
		stay();
	}
	for (int i = 0; i < count; i++)
		must(read(pair[0], &byte, 1) == 1, "crowd");
	ready();
}

static const struct role roles[] = {
	{ "touch", touch },
	{ "huge", huge },
	{ "protnone", protnone },
	{ "threads", threads },
	{ "files", files },
	{ "tap", tap },
	{ "module", module },
	{ "maps", maps },
	{ "ids", ids },
	{ "realtime", realtime },
	{ "filter", filter },
	{ "deleted", deleted },
	{ "unlinked", unlinked },
	{ "mountns", mountns },
	{ "pidns", pidns },
	{ "zombie", zombie },
	{ "stopped", stopped },
	{ "title", title },
	{ "shared_mm", shared_mm },
	{ "leaderless", leaderless },
	{ "crowd", crowd },
	{ "plain", NULL },
};

int
main(int argc, char **argv)
{
	return play(roles, sizeof roles / sizeof roles[0], argc, argv);
}
