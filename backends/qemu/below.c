/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* below: see the header. */
#include "below.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define HOW (O_RDONLY | O_CLOEXEC | O_NOCTTY)

static void
close_quietly(int fd)
{
	int problem = errno;

	if (fd >= 0)
		close(fd);
	errno = problem;
}

gsize
qemu_below_text(int dir, const char *name, char *buf, gsize size)
{
	int fd = openat(dir, name, HOW);
	gssize n = fd < 0 ? -1 : read(fd, buf, size - 1);

	close_quietly(fd);
	buf[MAX(n, 0)] = '\0';
	return (gsize) MAX(n, 0);
}

char *
qemu_below_all(int dir, const char *name, gsize max, gsize *ret_len)
{
	int fd = openat(dir, name, HOW);
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	guint8 buf[4096];
	gssize n = 1;

	if (fd < 0)
		return NULL;
	while (bytes->len < max && (n = read(fd, buf, MIN(sizeof buf, max - bytes->len))) > 0)
		g_byte_array_append(bytes, buf, (guint) n);
	close_quietly(fd);
	if (n < 0)
		return NULL;
	*ret_len = bytes->len;
	g_byte_array_append(bytes, (const guint8 *) "", 1);
	return (char *) g_byte_array_free(g_steal_pointer(&bytes), FALSE);
}

DIR *
qemu_below_folder(int dir, const char *name)
{
	int fd = openat(dir, name, HOW | O_DIRECTORY);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	if (!folder)
		close_quietly(fd);
	return folder;
}
