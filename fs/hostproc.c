/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostproc: reading below a descriptor: what is mounted over its path since is not passed. */
#include "hostproc.h"

#include <fcntl.h>
#include <unistd.h>

/* Of a process in as many groups as there may be, three quarters of a megabyte. */
#define MAX_STATUS (1024 * 1024)
#define PIECE 4096

int
vmifs_hostproc_open(void)
{
	return open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

char *
vmifs_hostproc_status(int proc, pid_t pid)
{
	g_autofree char *path = pid ? g_strdup_printf("%d/status", pid) : g_strdup("self/status");
	g_autoptr(GString) text = g_string_new(NULL);
	ssize_t got;
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	do {
		char piece[PIECE];
		got = read(fd, piece, sizeof piece);
		g_string_append_len(text, piece, MAX(got, 0));
	} while (got > 0 && text->len < MAX_STATUS);
	close(fd);
	return got == 0 ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}
