/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cache: everything is done by descriptors below the folder's, which is looked at once. */
#include "cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vmifs/error.h>

#define MAGIC G_GUINT64_CONSTANT(0x3145484341434d56) /* "VMCACHE1", and so the order of bytes */
/* What else lies in a folder that the user named is none of ours. */
#define OURS ".vmifs"
/* What is being written, until it is renamed; who was killed meanwhile leaves one. */
#define NEW "new-"
#define STALE_SECONDS 3600
#define PIECE (64u << 10)

typedef struct {
	guint64 magic, len, sum;
} Head;

typedef struct {
	guint64 lanes[4]; /* so that no multiplication waits for the one before */
} Sum;

static void
sum_words(Sum *sum, const guint8 *bytes)
{
	guint64 words[4];

	memcpy(words, bytes, sizeof words);
	for (guint i = 0; i < 4; i++) {
		sum->lanes[i] =
			(sum->lanes[i] ^ words[i] ^ i) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
		sum->lanes[i] ^= sum->lanes[i] >> 32;
	}
}

/* len: a multiple of 32, but at the end. */
static void
sum_add(Sum *sum, const guint8 *bytes, gsize len)
{
	guint8 last[32] = { 0 };
	gsize rest = len % sizeof last;

	for (gsize at = 0; at < len - rest; at += sizeof last)
		sum_words(sum, bytes + at);
	if (rest) {
		memcpy(last, bytes + len - rest, rest);
		sum_words(sum, last);
	}
}

static guint64
sum_end(const Sum *sum)
{
	return sum->lanes[0] ^ sum->lanes[1] * 3 ^ sum->lanes[2] * 5 ^ sum->lanes[3] * 7;
}

/* ---- the folder ---- */

static char *
choose_folder(const char *word, const char **ret_base)
{
	const char *cache = g_getenv("XDG_CACHE_HOME"), *home = g_getenv("HOME");

	if (!word)
		word = g_getenv("VMIFS_CACHE_DIR");
	if (word && *word)
		return g_strdup(word);
	if (cache && g_path_is_absolute(cache)) {
		*ret_base = cache;
		return g_build_filename(cache, "vmifs", NULL);
	}
	if (!home || !g_path_is_absolute(home))
		return g_strdup("none");
	*ret_base = home;
	return g_build_filename(home, ".cache", "vmifs", NULL);
}

/* Of this user, and written to by nobody else? */
static gboolean
is_private(const struct stat *st)
{
	return st->st_uid == geteuid() && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* (static) What speaks against the folder; NULL = nothing. base: (nullable) what it was chosen by,
 * if not by name: sudo may have left that of somebody else. */
static const char *
open_folder(VmifsFsCache *cache, const char *path, const char *base)
{
	struct stat st;

	if (base && stat(base, &st) == 0 && st.st_uid != geteuid())
		return "what it is in is another user's (cache= may name one)";
	if (g_mkdir_with_parents(path, 0700) < 0)
		return g_strerror(errno);
	cache->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (cache->dir < 0 || fstat(cache->dir, &st) < 0)
		return g_strerror(errno);
	return is_private(&st) ? NULL : "another user owns it or may write to it";
}

/* ---- reading ---- */

static gboolean
read_all(int fd, gpointer buf, gsize len)
{
	for (gsize at = 0; at < len;) {
		ssize_t n = read(fd, (char *) buf + at, len - at);

		if (n == 0 || (n < 0 && errno != EINTR))
			return FALSE;
		at += MAX(n, 0);
	}
	return TRUE;
}

/* (full) NULL: it is not whole, or not ours. */
static GBytes *
read_file(int fd)
{
	g_autofree guint8 *bytes = NULL;
	Sum sum = { 0 };
	struct stat st;
	Head head;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !is_private(&st) ||
	    st.st_size > VMIFS_CACHE_MOST_BYTES_OF_ONE || !read_all(fd, &head, sizeof head) ||
	    head.magic != MAGIC || head.len != (guint64) st.st_size - sizeof head)
		return NULL;
	bytes = g_malloc(head.len);
	if (!read_all(fd, bytes, head.len))
		return NULL;
	sum_add(&sum, bytes, head.len);
	if (sum_end(&sum) != head.sum)
		return NULL;
	return g_bytes_new_take(g_steal_pointer(&bytes), head.len);
}

static GBytes *
load(gpointer user, const char *name)
{
	VmifsFsCache *cache = user;
	g_autofree char *file = g_strconcat(name, OURS, NULL);
	GBytes *bytes;
	int fd;

	fd = openat(cache->dir, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		if (errno != ENOENT)
			vmifs_host_log(cache->host, "cache: %s: %s", name, g_strerror(errno));
		return NULL;
	}
	bytes = read_file(fd);
	/* Those not read for longest go first. */
	if (bytes && futimens(fd, NULL) < 0)
		g_debug("cache: %s: %s", name, g_strerror(errno));
	close(fd);
	if (!bytes)
		vmifs_host_log(cache->host, "cache: %s: damaged: not used", name);
	return bytes;
}

/* ---- writing ---- */

typedef struct {
	char *name;
	gint64 time;
	guint64 len;
} File;

static void
clear_file(gpointer file)
{
	g_free(((File *) file)->name);
}

/* The latest first. */
static gint
compare_files(gconstpointer a, gconstpointer b)
{
	const File *x = a, *y = b;

	return (x->time < y->time) - (x->time > y->time);
}

static GArray *
list_files(int folder)
{
	GArray *files = g_array_new(FALSE, FALSE, sizeof(File));
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	struct stat st;

	g_array_set_clear_func(files, clear_file);
	if (!dir && fd >= 0)
		close(fd);
	while (dir && (entry = readdir(dir))) {
		if (!g_str_has_suffix(entry->d_name, OURS) ||
		    fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		File file = { g_strdup(entry->d_name), st.st_mtime, (guint64) st.st_size };
		g_array_append_val(files, file);
	}
	if (dir)
		closedir(dir);
	g_array_sort(files, compare_files);
	return files;
}

/* Of what was removed meanwhile by another mount nothing more is to be done. */
static void
trim(int folder)
{
	g_autoptr(GArray) files = list_files(folder);
	gint64 now = g_get_real_time() / G_USEC_PER_SEC;
	guint64 len = 0;
	guint n = 0;

	for (guint i = 0; i < files->len; i++) {
		const File *file = &g_array_index(files, File, i);

		if (g_str_has_prefix(file->name, NEW) && now - file->time < STALE_SECONDS)
			continue;
		len += file->len;
		n++;
		if (g_str_has_prefix(file->name, NEW) || n > VMIFS_CACHE_MOST_FILES ||
		    len > VMIFS_CACHE_MOST_BYTES)
			unlinkat(folder, file->name, 0);
	}
}

static gboolean
write_all(int fd, gconstpointer buf, gsize len)
{
	for (gsize at = 0; at < len;) {
		ssize_t n = write(fd, (const char *) buf + at, len - at);

		if (n < 0 && errno != EINTR)
			return FALSE;
		at += MAX(n, 0);
	}
	return TRUE;
}

/* In pieces, each of which is summed while it is at hand; the head comes last. */
static gboolean
write_parts(int fd, const GPtrArray *parts, guint64 len)
{
	g_autofree guint8 *piece = g_malloc(PIECE);
	Head head = { MAGIC, len, 0 };
	Sum sum = { 0 };
	gsize n = 0;

	if (lseek(fd, sizeof head, SEEK_SET) < 0)
		return FALSE;
	for (guint i = 0; i < parts->len; i++) {
		gsize left;
		const guint8 *from = g_bytes_get_data(g_ptr_array_index(parts, i), &left);

		while (left) {
			gsize more = MIN(left, PIECE - n);

			memcpy(piece + n, from, more);
			n += more;
			from += more;
			left -= more;
			if (n < PIECE)
				break;
			sum_add(&sum, piece, n);
			if (!write_all(fd, piece, n))
				return FALSE;
			n = 0;
		}
	}
	sum_add(&sum, piece, n);
	head.sum = sum_end(&sum);
	return write_all(fd, piece, n) && lseek(fd, 0, SEEK_SET) == 0 &&
	       write_all(fd, &head, sizeof head);
}

/* errno says why not. */
static gboolean
write_file(int folder, const char *name, const char *temporary, const GPtrArray *parts, guint64 len)
{
	int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);

	if (fd < 0)
		return FALSE;
	gboolean good = write_parts(fd, parts, len);
	good = close(fd) == 0 && good;
	/* To rename over a file may wait for the disk, and who attaches a guest for us. */
	if (good)
		unlinkat(folder, name, 0);
	if (good && renameat(folder, temporary, folder, name) == 0)
		return TRUE;
	int why = errno;
	unlinkat(folder, temporary, 0);
	errno = why;
	return FALSE;
}

static void
save(gpointer user, const char *name, const GPtrArray *parts)
{
	VmifsFsCache *cache = user;
	g_autofree char *temporary =
		g_strdup_printf(NEW "%d-%08x" OURS, (int) getpid(), g_random_int());
	g_autofree char *file = g_strconcat(name, OURS, NULL);
	guint64 len = 0;

	for (guint i = 0; i < parts->len; i++)
		len += g_bytes_get_size(g_ptr_array_index(parts, i));
	if (len > VMIFS_CACHE_MOST_BYTES_OF_ONE - sizeof(Head))
		return;
	if (!write_file(cache->dir, file, temporary, parts, len)) {
		vmifs_host_log(cache->host, "cache: %s: %s: not kept", name, g_strerror(errno));
		return;
	}
	trim(cache->dir);
}

/* ---- life ---- */

const VmifsCache *
vmifs_fs_cache_open(VmifsFsCache *cache, const char *word)
{
	const char *base = NULL, *fault;
	g_autofree char *path = choose_folder(word, &base);

	*cache = (VmifsFsCache){ .engine = { load, save, cache }, .dir = -1 };
	if (g_str_equal(path, "none"))
		return NULL;
	fault = open_folder(cache, path, base);
	if (!fault)
		return &cache->engine;
	cache->fault = g_strdup_printf("%s: %s", path, fault);
	return NULL;
}

void
vmifs_fs_cache_tell(VmifsFsCache *cache, VmifsHost *host)
{
	cache->host = host;
	if (cache->fault)
		vmifs_host_log(host, "cache: %s: nothing is kept", cache->fault);
}

void
vmifs_fs_cache_clear(VmifsFsCache *cache)
{
	if (cache->engine.load && cache->dir >= 0)
		close(cache->dir);
	g_free(cache->fault);
	*cache = (VmifsFsCache){ 0 };
}
