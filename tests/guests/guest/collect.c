/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest's own word about itself: /proc and what else a mounted image is compared with, written
 * as a plain tar archive straight onto a virtio disk, which is a hundred times faster than a serial
 * line. Everything is taken twice, as a/ and as b/, so that the comparer can leave out what the
 * guest itself gave differently.  Links are stored as files that hold their target: nothing in an
 * archive can point anywhere on the host.  Afterwards this process sleeps for ever, so that the
 * dump still has it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 512
#define CHUNK                                                                                      \
	(1 << 20) /* the disk is written in these: O_DIRECT keeps our output out of the dump */
#define PAGE ((size_t) getpagesize())
#define PAGE_MOST 65536
#define MAX_PATH 512
#define MAX_FILE (64 << 20)

struct tar_header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
	char magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};

static int disk = -1;
static char *chunk;
static size_t chunk_len;

static char *text; /* one file's content, grown as needed and used again */
static size_t text_len, text_size;

static const char *pass; /* "a" or "b" */

static void
die(const char *what)
{
	fprintf(stderr, "vmifs-guest: collect: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
flush_chunk(void)
{
	size_t len = (chunk_len + BLOCK - 1) / BLOCK * BLOCK;

	memset(chunk + chunk_len, 0, len - chunk_len);
	if (len && write(disk, chunk, len) != (ssize_t) len)
		die("writing the disk");
	chunk_len = 0;
}

static void
put(const char *data, size_t len)
{
	while (len) {
		size_t n = len < CHUNK - chunk_len ? len : CHUNK - chunk_len;

		memcpy(chunk + chunk_len, data, n);
		chunk_len += n;
		data += n;
		len -= n;
		if (chunk_len == CHUNK)
			flush_chunk();
	}
}

static void
reserve(size_t more)
{
	if (text_len + more <= text_size)
		return;
	while (text_size < text_len + more)
		text_size = text_size ? text_size * 2 : 1 << 20;
	text = realloc(text, text_size);
	if (!text)
		die("memory");
}

static void __attribute__((format(printf, 1, 2))) add(const char *format, ...)
{
	va_list args;

	reserve(MAX_PATH * 2);
	va_start(args, format);
	text_len += vsnprintf(text + text_len, MAX_PATH * 2, format, args);
	va_end(args);
}

/* A long name is split at a slash, as the archive's format has it. */
static int
put_name(struct tar_header *head, const char *name)
{
	char full[MAX_PATH];
	const char *cut = full;
	int len = snprintf(full, sizeof full, "%s/%s", pass, name);

	if (len >= MAX_PATH)
		return 0;
	if (len > (int) sizeof head->name) {
		cut = strchr(full + len - sizeof head->name - 1, '/');
		if (!cut || cut - full > (int) sizeof head->prefix)
			return 0;
		memcpy(head->prefix, full, cut - full);
		cut++;
	}
	memcpy(head->name, cut, strlen(cut));
	return 1;
}

/* Writes the text gathered so far as a file of the archive, or an empty folder. */
static void
put_entry(const char *name, char type)
{
	static const char zeros[BLOCK];
	struct tar_header head;
	unsigned sum = 0;

	memset(&head, 0, sizeof head);
	if (!put_name(&head, name))
		return; /* longer than any that a reader of /proc looks at */
	strcpy(head.mode, "0000644");
	strcpy(head.uid, "0000000");
	strcpy(head.gid, "0000000");
	snprintf(head.size, sizeof head.size, "%011zo", text_len);
	strcpy(head.mtime, "00000000000");
	memset(head.sum, ' ', sizeof head.sum);
	head.type = type;
	memcpy(head.magic, "ustar", 6);
	memcpy(head.version, "00", 2);
	for (size_t i = 0; i < sizeof head; i++)
		sum += ((unsigned char *) &head)[i];
	snprintf(head.sum, sizeof head.sum, "%06o", sum);
	put((char *) &head, sizeof head);
	put(text, text_len);
	put(zeros, -text_len % BLOCK);
	text_len = 0;
}

static void
put_text(const char *name)
{
	put_entry(name, '0');
}

static int
read_text(int fd)
{
	ssize_t n;

	text_len = 0;
	do {
		reserve(1 << 16);
		/* /proc/sys allocates what is asked for, and refuses megabytes */
		n = read(fd, text + text_len, 1 << 16);
		if (n > 0)
			text_len += n;
	} while (n > 0 && text_len < MAX_FILE);
	return n < 0 ? -1 : 0;
}

/* What the guest refuses is truth too: NAME.error holds the number. */
static void
put_error(const char *name)
{
	char other[MAX_PATH + 8];

	text_len = 0;
	add("%d\n", errno);
	snprintf(other, sizeof other, "%s.error", name);
	put_text(other);
}

static void
take_file(const char *path, const char *name)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && read_text(fd) == 0)
		put_text(name);
	else
		put_error(name);
	if (fd >= 0)
		close(fd);
}

static void
take_link(const char *path, const char *name)
{
	ssize_t n;

	text_len = 0;
	reserve(PAGE + 1);
	n = readlink(path, text, PAGE);
	if (n < 0) {
		put_error(name);
		return;
	}
	text_len = n;
	put_text(name);
}

static int
is_in(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(name, *list))
			return 1;
	return 0;
}

static void
take_dir(const char *path, const char *name, int depth, const char *const *only,
	 const char *const *skip);

/* Links as links, files as files, folders only where `depth` allows. */
static void
take_entry(DIR *dir, const char *path, const char *name, const char *entry, int depth,
	   const char *const *skip)
{
	char from[MAX_PATH], to[MAX_PATH];
	struct stat st;

	if (!strcmp(entry, ".") || !strcmp(entry, "..") || (skip && is_in(entry, skip)) ||
	    !strcmp(entry, "stat_refresh")) /* reading this one changes others */
		return;
	if (snprintf(from, sizeof from, "%s/%s", path, entry) >= MAX_PATH ||
	    snprintf(to, sizeof to, "%s/%s", name, entry) >= MAX_PATH)
		return;
	if (fstatat(dirfd(dir), entry, &st, AT_SYMLINK_NOFOLLOW))
		return;
	if (S_ISLNK(st.st_mode))
		take_link(from, to);
	else if (S_ISREG(st.st_mode) && (st.st_mode & 0444))
		take_file(from, to);
	else if (S_ISDIR(st.st_mode) && depth > 0)
		take_dir(from, to, depth - 1, NULL, NULL);
}

static void
take_dir(const char *path, const char *name, int depth, const char *const *only,
	 const char *const *skip)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return;
	text_len = 0;
	put_entry(name, '5');
	while (errno = 0, (entry = readdir(dir)))
		if (!only || is_in(entry->d_name, only))
			take_entry(dir, path, name, entry->d_name, depth, skip);
	if (errno)
		put_error(name);
	closedir(dir);
}

/* tables[n]: what a byte comes to with n zeros behind it. */
static uint32_t tables[8][256];

static void
make_tables(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		tables[0][i] = i;
		for (int bit = 0; bit < 8; bit++)
			tables[0][i] = tables[0][i] >> 1 ^ (tables[0][i] & 1 ? 0xedb88320 : 0);
	}
	for (int n = 1; n < 8; n++)
		for (int i = 0; i < 256; i++)
			tables[n][i] = tables[n - 1][i] >> 8 ^ tables[0][tables[n - 1][i] & 255];
}

/* Of a page; eight bytes at a time. All guests are little endian. */
static uint32_t
crc32(const unsigned char *page)
{
	uint32_t crc = ~0U, word[2];

	for (size_t at = 0; at < PAGE; at += sizeof word) {
		memcpy(word, page + at, sizeof word);
		word[0] ^= crc;
		crc = 0;
		for (int i = 0; i < 4; i++)
			crc ^= tables[7 - i][word[0] >> 8 * i & 255] ^
			       tables[3 - i][word[1] >> 8 * i & 255];
	}
	return ~crc;
}

static void
take_page(int mem, uint64_t va, uint64_t entry)
{
	static unsigned char page[PAGE_MOST];

	if (entry >> 62 & 1)
		add("%" PRIx64 " swap\n", va);
	else if (entry >> 63 && pread(mem, page, PAGE, va) == (ssize_t) PAGE)
		add("%" PRIx64 " %" PRIx64 " %08x\n", va, entry & (UINT64_MAX >> 9), crc32(page));
}

/* Entries of many pages at once: one by one they took longer than the pages. */
static void
take_mapping(int mem, int pagemap, uint64_t start, uint64_t end)
{
	static uint64_t entries[512];
	uint64_t step = (end - start) / PAGE > 4096 ? 16 : 1;

	while (start < end) {
		uint64_t left = (end - start) / PAGE;
		ssize_t got =
			pread(pagemap, entries, (left < 512 ? left : 512) * 8, start / PAGE * 8);

		if (got < 8)
			break;
		for (uint64_t i = 0; i < (uint64_t) got / 8; i += step)
			take_page(mem, start + i * PAGE, entries[i]);
		start += got / 8 * PAGE;
	}
}

/*
 * The bytes behind the addresses: "VA PFN CRC32" of every page that is in RAM, and "VA swap" of
 * what was swapped out.  Of large mappings every 16th page: all of them would take longer than the
 * boot.
 */
static void
take_pages(const char *proc, const char *name)
{
	char path[MAX_PATH], line[4096];
	FILE *maps;
	int mem, pagemap;

	text_len = 0;
	snprintf(path, sizeof path, "%s/maps", proc);
	maps = fopen(path, "re");
	snprintf(path, sizeof path, "%s/mem", proc);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof path, "%s/pagemap", proc);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	while (maps && mem >= 0 && pagemap >= 0 && fgets(line, sizeof line, maps)) {
		uint64_t start, end;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2 &&
		    !strstr(line, "[v"))
			take_mapping(mem, pagemap, start, end);
	}
	if (maps)
		fclose(maps);
	close(mem);
	close(pagemap);
	put_text(name);
}

/* A namespace's link, or "" */
static const char *
net_namespace(const char *proc)
{
	static char target[64];
	char path[MAX_PATH];
	ssize_t n;

	snprintf(path, sizeof path, "%s/ns/net", proc);
	n = readlink(path, target, sizeof target - 1);
	target[n > 0 ? n : 0] = 0;
	return target;
}

/* Of one that is like many others; `name` is its folder in the archive. */
static void
take_brief(const char *path, const char *name, const char *const *files)
{
	char to[MAX_PATH];

	take_dir(path, name, 0, files, NULL);
	snprintf(to, sizeof to, "%s/brief", name);
	text_len = 0;
	put_text(to);
}

/* Of twenty idle processes nineteen are like the one, and told in brief. */
static int
is_one_of_many(const char *proc)
{
	char path[MAX_PATH], name[16] = "";
	int fd, n;

	snprintf(path, sizeof path, "%s/comm", proc);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, name, sizeof name - 1) < 0)
		name[0] = 0;
	close(fd);
	return sscanf(name, "idle-%d", &n) == 1 && n % 20;
}

/* Of a crowd of threads, nine of ten are told in brief. */
static void
take_threads(const char *path, const char *name)
{
	/* the same for all threads of a process, and long or costly */
	static const char *const skip[] = { "mem",       "pagemap",      "clear_refs",
					    "net",       "smaps",        "numa_maps",
					    "map_files", "smaps_rollup", NULL };
	static const char *const in_brief[] = { "comm", "stat", "status", NULL };
	char from[MAX_PATH], to[MAX_PATH];
	struct dirent *entry;
	DIR *dir = opendir(path);

	for (int n = 0; dir && (entry = readdir(dir));) {
		if (entry->d_name[0] == '.' ||
		    snprintf(from, sizeof from, "%s/%s", path, entry->d_name) >= MAX_PATH ||
		    snprintf(to, sizeof to, "%s/%s", name, entry->d_name) >= MAX_PATH)
			continue;
		if (n++ >= 50 && n % 10)
			take_brief(from, to, in_brief);
		else
			take_dir(from, to, 2, NULL, skip);
	}
	if (dir)
		closedir(dir);
}

/* What all processes of one network namespace have in common is taken of pid 1 only, as /proc/net.
 */
static void
take_process(const char *pid)
{
	static const char *const skip[] = { "mem", "pagemap", "clear_refs", "net", "task", NULL };
	static const char *const in_brief[] = { "comm", "cmdline", "stat", "status", "statm",
						"exe",  "cwd",     "maps", NULL };
	char path[MAX_PATH / 2], name[MAX_PATH / 2], sub[MAX_PATH], to[MAX_PATH];
	char own[64];

	snprintf(path, sizeof path, "/proc/%s", pid);
	snprintf(name, sizeof name, "procs/%s", pid);
	if (is_one_of_many(path)) {
		take_brief(path, name, in_brief);
		return;
	}
	take_dir(path, name, 2, NULL, skip);
	snprintf(to, sizeof to, "%s/pages", name);
	take_pages(path, to);
	snprintf(own, sizeof own, "%s", net_namespace(path));
	if (strcmp(own, net_namespace("/proc/1"))) {
		snprintf(sub, sizeof sub, "%s/net", path);
		snprintf(to, sizeof to, "%s/net", name);
		take_dir(sub, to, 1, NULL, NULL);
	}
	snprintf(sub, sizeof sub, "%s/task", path);
	snprintf(to, sizeof to, "%s/task", name);
	take_threads(sub, to);
}

static void
take_dmesg(void)
{
	int size = klogctl(10 /* SYSLOG_ACTION_SIZE_BUFFER */, NULL, 0), fd, n;

	text_len = 0;
	if (size > 0) {
		reserve(size * 2);
		n = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, text, size * 2);
		text_len = n > 0 ? n : 0;
	}
	put_text("dmesg");
	fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	text_len = 0;
	for (;;) {
		ssize_t got;

		reserve(1 << 16);
		got = read(fd, text + text_len, 1 << 16);
		if (got > 0)
			text_len += got;
		else if (errno != EPIPE)
			break;
	}
	close(fd);
	put_text("kmsg");
}

static void
take_all(void)
{
	/* memory itself, what has an effect when read, and what is taken on its own */
	static const char *const skip[] = { "kmsg",       "kcore",       "kpagecount",
					    "kpageflags", "kpagecgroup", "sysrq-trigger",
					    "self",       "thread-self", "net",
					    "kallsyms",   "mounts",      NULL };
	static const char *const sys_kernel[] = { "vmcoreinfo", "notes", "uevent_seqnum", "fscaps",
						  NULL };
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	if (!dir)
		die("/proc");
	while ((entry = readdir(dir)))
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			take_process(entry->d_name);
	closedir(dir);
	dir = opendir("/proc");
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			take_entry(dir, "/proc", "proc", entry->d_name, 8, skip);
	closedir(dir);
	take_file("/proc/kallsyms", "proc/kallsyms");
	take_file("/proc/mounts", "proc/mounts"); /* a link */
	take_dir("/proc/1/net", "proc/net", 1, NULL, NULL);
	take_dir("/sys/kernel", "sys/kernel", 0, sys_kernel, NULL);
	take_dir("/sys/module", "sys/module", 2, NULL, NULL);
	if (!strcmp(pass, "a"))
		take_dir("/sys/kernel/btf", "sys/kernel/btf", 0, NULL, NULL);
	take_dmesg();
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	make_tables();
	disk = open(argv[1], O_WRONLY | O_DIRECT | O_CLOEXEC);
	if (disk < 0)
		die(argv[1]);
	chunk = aligned_alloc(PAGE, CHUNK);
	if (!chunk)
		die("memory");
	pass = "a";
	take_all();
	pass = "b";
	take_all();
	memset(chunk + chunk_len, 0, CHUNK - chunk_len); /* two zero blocks end an archive */
	chunk_len = chunk_len + 2 * BLOCK < CHUNK ? chunk_len + 2 * BLOCK : CHUNK;
	flush_chunk();
	fsync(disk);
	printf("vmifs-guest: ready\n");
	fflush(stdout);
	for (;;)
		pause();
}
