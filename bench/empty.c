/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * empty: the least that a FUSE server can be: one file, `pmem`, whose bytes lie in memory before
 * anybody asks. What a read of it costs is what FUSE costs; the neighbour of small reads.
 *
 *	bench-empty IMAGE MOUNTPOINT	in the foreground, until it is unmounted
 */
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_INO 2
#define LONG 3600.0

static char *bytes;
static size_t n_bytes;

static struct stat
attr_of(fuse_ino_t ino)
{
	struct stat attr = { .st_ino = ino, .st_nlink = 1 };

	attr.st_mode = ino == FILE_INO ? S_IFREG | 0444 : S_IFDIR | 0555;
	attr.st_size = ino == FILE_INO ? (off_t) n_bytes : 0;
	return attr;
}

static void
op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { .ino = FILE_INO, .attr = attr_of(FILE_INO) };

	(void) parent;
	entry.attr_timeout = entry.entry_timeout = LONG;
	if (strcmp(name, "pmem") == 0)
		fuse_reply_entry(req, &entry);
	else
		fuse_reply_err(req, ENOENT);
}

static void
op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct stat attr = attr_of(ino);

	(void) info;
	fuse_reply_attr(req, &attr, LONG);
}

static void
op_read(fuse_req_t req, fuse_ino_t ino, size_t len, off_t offset, struct fuse_file_info *info)
{
	size_t start = (size_t) offset < n_bytes ? (size_t) offset : n_bytes;
	struct iovec piece = { bytes + start, len < n_bytes - start ? len : n_bytes - start };

	(void) ino;
	(void) info;
	fuse_reply_iov(req, &piece, 1);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = op_lookup,
	.getattr = op_getattr,
	.read = op_read,
};

static void
map_image(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(path);
		exit(1);
	}
	n_bytes = (size_t) st.st_size;
	bytes = mmap(NULL, n_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (bytes == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	close(fd);
}

int
main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	struct fuse_session *session;

	if (argc != 3) {
		fputs("usage: bench-empty IMAGE MOUNTPOINT\n", stderr);
		return 1;
	}
	map_image(argv[1]);
	session = fuse_session_new(&args, &ops, sizeof ops, NULL);
	if (!session || fuse_session_mount(session, argv[2]) < 0)
		return 1;
	/* As many threads as vmifs has. */
	fuse_loop_cfg_set_max_threads(config, (unsigned) sysconf(_SC_NPROCESSORS_ONLN));
	fuse_loop_cfg_set_idle_threads(config, (unsigned) sysconf(_SC_NPROCESSORS_ONLN));
	fuse_session_loop_mt(session, config);
	fuse_session_unmount(session);
	fuse_loop_cfg_destroy(config);
	fuse_session_destroy(session);
	return 0;
}
