/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* layer: see layer.h. */
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <vmifs/error.h>

#define MIB(bytes) ((bytes) >> 20)

static void
set_failed(const char *what, const char *where, int number, GError **error)
{
	gboolean full = number == ENOSPC || number == EDQUOT || number == EFBIG;

	g_set_error(error, VMIFS_ERROR, full ? VMIFS_ERROR_NO_SPACE : VMIFS_ERROR_IO, "%s%s: %s",
		    what, where, g_strerror(number));
}

/* A file without a name. Where the file system makes none, its name is taken away at once. */
static int
open_file(const char *folder)
{
	int fd = open(folder, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	g_autofree char *path = g_build_filename(folder, ".vmifs-XXXXXX", NULL);
	fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		unlink(path);
	return fd;
}

/* Also of what would end us with a signal: to go beyond the limit for files. */
static gboolean
check_room(int fd, const char *folder, guint64 len, guint64 needed, GError **error)
{
	struct statvfs st;
	struct rlimit limit;
	guint64 free_bytes;

	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	    limit.rlim_cur < len) {
		set_failed("the limit for the size of files", "", EFBIG, error);
		return FALSE;
	}
	if (fstatvfs(fd, &st) < 0 ||
	    __builtin_mul_overflow((guint64) st.f_bavail, (guint64) st.f_frsize, &free_bytes) ||
	    free_bytes >= needed)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NO_SPACE,
		    "%" G_GUINT64_FORMAT " MiB are needed, and %s has %" G_GUINT64_FORMAT
		    " MiB left: another folder can be named with snapdir=",
		    MIB(needed), folder, MIB(free_bytes));
	return FALSE;
}

gboolean
vmifs_layer_check_folder(const char *folder, GError **error)
{
	int fd = open_file(folder);

	if (fd < 0) {
		set_failed("no file can be made in ", folder, errno, error);
		return FALSE;
	}
	close(fd);
	return TRUE;
}

VmifsLayer *
vmifs_layer_new(const char *folder, guint64 len, guint64 needed, GError **error)
{
	int fd = open_file(folder);

	if (fd < 0) {
		set_failed("no file can be made in ", folder, errno, error);
		return NULL;
	}
	g_autoptr(VmifsLayer) layer = g_new0(VmifsLayer, 1);
	g_atomic_ref_count_init(&layer->refs);
	layer->fd = fd;
	if (!check_room(fd, folder, len, needed, error))
		return NULL;
	if (ftruncate(fd, (off_t) len) < 0) {
		set_failed("a file for a snapshot in ", folder, errno, error);
		return NULL;
	}
	return g_steal_pointer(&layer);
}

VmifsLayer *
vmifs_layer_ref(VmifsLayer *layer)
{
	g_atomic_ref_count_inc(&layer->refs);
	return layer;
}

/* To give back many gigabytes takes the kernel seconds. */
static gpointer
close_file(gpointer fd)
{
	close(GPOINTER_TO_INT(fd));
	return NULL;
}

void
vmifs_layer_unref(VmifsLayer *layer)
{
	if (!layer || !g_atomic_ref_count_dec(&layer->refs))
		return;
	GThread *thread = g_thread_try_new("close", close_file, GINT_TO_POINTER(layer->fd), NULL);
	if (thread)
		g_thread_unref(thread);
	else
		close(layer->fd);
	g_free(layer);
}

gboolean
vmifs_layer_write(VmifsLayer *layer, guint64 at, gconstpointer bytes, gsize len, GError **error)
{
	const guint8 *from = bytes;

	while (len) {
		gssize done = pwrite(layer->fd, from, len, (off_t) at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			set_failed("storing it", "", done < 0 ? errno : ENOSPC, error);
			return FALSE;
		}
		from += done;
		at += (guint64) done;
		len -= (gsize) done;
	}
	return TRUE;
}

int
vmifs_layer_read(const VmifsLayer *layer, guint64 at, gpointer buf, gsize len)
{
	guint8 *to = buf;

	while (len) {
		gssize done = pread(layer->fd, to, len, (off_t) at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? errno : EIO;
		to += done;
		at += (guint64) done;
		len -= (gsize) done;
	}
	return 0;
}
