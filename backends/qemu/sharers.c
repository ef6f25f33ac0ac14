/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sharers: QEMU's monitor tells of device models in other processes, wherever those run. Beyond
 * that every process of this host is looked at: has it a file of the guest mapped, or open, for
 * writing? Who only reads it does no harm; vmifs itself is one of them. What cannot be looked at
 * might be one that writes.
 */
#include "sharers.h"

#include "below.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <vmifs/error.h>

/* Of the namespace in which every process has a number. */
#define WHOLE_HOST 0xeffffffc
/* Who has asked for a snapshot waits. */
#define MOST_US (3 * G_TIME_SPAN_SECOND)
#define MAX_FILES 16

typedef struct {
	const QemuRam *ram;
	const QemuBlock *blocks[MAX_FILES]; /* those that are shared files */
	struct stat files[MAX_FILES];
	guint n;
	struct stat own; /* of QEMU's /proc/PID */
	const VmifsCall *call;
	gint64 end;
} Search;

static gboolean
say(GError **error, const char *what)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "its memory lies in files, %s",
		    what);
	return FALSE;
}

/* ---- device models ---- */

static gboolean
ask_devices(QemuMonitor *monitor, const VmifsCall *call, GError **error)
{
	static const char *const lines[] = { "info qtree", "info network", NULL };
	static const char *const words[] = { "vhost-user", "vfio-user", "x-pci-proxy-dev",
					     "ivshmem" };
	GError *failure = NULL;
	g_auto(GStrv) told = qemu_monitor_hmp_all(monitor, lines, call, &failure);

	/* One without these words has other ways. */
	if (g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_IO))
		failure->code = VMIFS_ERROR_UNSUPPORTED;
	if (!told) {
		g_propagate_error(error, failure);
		return FALSE;
	}
	for (gsize i = 0; told[i]; i++) {
		for (gsize k = 0; k < G_N_ELEMENTS(words); k++) {
			g_autofree char *what = g_strdup_printf("and it has %s", words[k]);
			if (strstr(told[i], words[k]))
				return say(error, what);
		}
	}
	return TRUE;
}

/* ---- processes ---- */

/* Of a process that has ended meanwhile nothing is left. */
static gboolean
has_ended(int failure)
{
	return failure == ENOENT || failure == ESRCH;
}

static gboolean
say_who(int dir, const char *what, GError **error)
{
	char name[64];
	gboolean is_told = qemu_below_text(dir, "comm", name, sizeof name) > 0;
	g_autofree char *escaped = g_strescape(is_told ? g_strchomp(name) : "?", NULL);
	g_autofree char *text = g_strdup_printf("and %s %s", escaped, what);
	return say(error, text);
}

/* QEMU's own, where the block is, is what it watches itself. */
static gboolean
is_sharing(const Search *search, const QemuMapping *mapping, gboolean is_qemu)
{
	for (guint i = 0; mapping->is_writable && mapping->is_shared && i < search->n; i++) {
		const QemuBlock *block = search->blocks[i];
		guint64 first = qemu_block_address(block);
		gboolean is_block =
			is_qemu && mapping->start - first < qemu_block_len(block) &&
			mapping->len <= qemu_block_len(block) - (mapping->start - first);
		if (!is_block && qemu_block_has_mapping(block, mapping))
			return TRUE;
	}
	return FALSE;
}

static gboolean
look_at_maps(const Search *search, int dir, gboolean is_qemu, GError **error)
{
	int fd = openat(dir, "maps", O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	gboolean good = TRUE;
	char *line = NULL;
	size_t size = 0;
	gssize n;

	if (!file) {
		if (fd >= 0)
			close(fd);
		return has_ended(errno) || say_who(dir, "cannot be looked at", error);
	}
	while (good && (n = getline(&line, &size, file)) > 0) {
		QemuMapping mapping;
		if (qemu_maps_parse_line(line, (gsize) n, &mapping) &&
		    is_sharing(search, &mapping, is_qemu))
			good = say_who(dir, "has it mapped", error);
	}
	free(line);
	fclose(file);
	return good;
}

/* May it be written to by that one? The file is not asked itself: it may be one of a server that
 * does not answer. */
static gboolean
is_writable_file(const Search *search, int fds, const char *name)
{
	struct stat st;
	struct statx stx;

	if (fstatat(fds, name, &st, AT_SYMLINK_NOFOLLOW) || !(st.st_mode & S_IWUSR) ||
	    statx(fds, name, AT_STATX_DONT_SYNC, STATX_INO, &stx))
		return FALSE;
	for (guint i = 0; i < search->n; i++) {
		const struct stat *own = &search->files[i];
		if (own->st_ino == stx.stx_ino &&
		    own->st_dev == makedev(stx.stx_dev_major, stx.stx_dev_minor))
			return TRUE;
	}
	return FALSE;
}

static gboolean
look_at_files(const Search *search, int dir, GError **error)
{
	DIR *fds = qemu_below_folder(dir, "fd");
	const struct dirent *entry;
	gboolean good = TRUE;

	if (!fds)
		return has_ended(errno) || say_who(dir, "cannot be looked at", error);
	while (good && (entry = readdir(fds)))
		if (entry->d_name[0] != '.' && is_writable_file(search, dirfd(fds), entry->d_name))
			good = say_who(dir, "has them open", error);
	closedir(fds);
	return good;
}

static gboolean
look_at(const Search *search, int proc, const char *name, GError **error)
{
	int dir = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (dir < 0)
		return has_ended(errno) || say(error, "and not all processes can be looked at");
	gboolean is_qemu = !fstat(dir, &st) && st.st_ino == search->own.st_ino &&
			   st.st_dev == search->own.st_dev;
	gboolean good = look_at_maps(search, dir, is_qemu, error) &&
			(is_qemu || look_at_files(search, dir, error));
	close(dir);
	return good;
}

static gboolean
is_whole_host(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == WHOLE_HOST;
}

static gboolean
look_at_all(const Search *search, GError **error)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	gboolean good = TRUE, has_first = FALSE, is_whole = is_whole_host();

	while (proc && good && (entry = readdir(proc))) {
		if (!g_ascii_isdigit(entry->d_name[0]))
			continue;
		gboolean is_first = g_str_equal(entry->d_name, "1");
		has_first |= is_first;
		/* A host's runs no devices, and is guarded on some, from root too. */
		if (is_first && is_whole)
			continue;
		good = vmifs_call_check(search->call, error) &&
		       look_at(search, dirfd(proc), entry->d_name, error);
		if (good && g_get_monotonic_time() > search->end)
			good = say(error, "and there are too many processes to look at");
	}
	if (proc)
		closedir(proc);
	return good && (has_first || say(error, "and not all processes are in sight"));
}

/* ---- all of it ---- */

static gboolean
add_files(Search *search, GError **error)
{
	for (guint i = 0; i < qemu_ram_n_blocks(search->ram); i++) {
		const QemuBlock *block = qemu_ram_block(search->ram, i);
		if (qemu_block_is_retired(block) || !qemu_block_is_shared_file(block))
			continue;
		if (search->n == MAX_FILES)
			return say(error, "and those are many");
		struct stat *st = &search->files[search->n];
		if (fstat(qemu_block_shared_fd(block), st))
			return say(error, "which cannot be looked at");
		if (st->st_nlink && !is_whole_host())
			return say(error, "and not all processes are in sight");
		search->blocks[search->n++] = block;
	}
	return TRUE;
}

gboolean
qemu_sharers_none(const QemuRam *ram, QemuProcess *process, QemuMonitor *monitor,
		  const VmifsCall *call, GError **error)
{
	Search search = { .ram = ram, .call = call, .end = g_get_monotonic_time() + MOST_US };

	if (fstat(qemu_process_dir(process), &search.own))
		return say(error, "and its QEMU has ended");
	return add_files(&search, error) && ask_devices(monitor, call, error) &&
	       look_at_all(&search, error);
}
