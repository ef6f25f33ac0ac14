/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest: is what the user gave a guest's directory? Most of this file says what it is instead, and
 * what to give.
 */
#include "run.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* The kernel's own limit. */
#define MAX_PID 4194304

static gboolean
has(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	struct stat st;
	return stat(path, &st) == 0;
}

/* Why there is nothing to see at path. */
static void
complain_of(const char *path, int error)
{
	switch (error) {
	case EACCES:
		run_complain(
			error,
			"%s: only who mounted it gets in, not even root: run this as that user, "
			"or mount with -o allow_other and uid= or umask= that let you read",
			path);
		break;
	case ENOTCONN:
	case ECONNABORTED:
		run_complain(error,
			     "%s: the server of that mount has died: unmount (umount, or "
			     "fusermount3 -u), and mount again",
			     path);
		break;
	case ESTALE:
		run_complain(error, "%s: that guest has gone", path);
		break;
	default:
		run_complain(error, "%s", path);
	}
}

/* The names in a mount point. */
static char *
guests_of(const char *mount)
{
	GString *names = g_string_new(NULL);
	DIR *dir = opendir(mount);
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			g_string_append_printf(names, "%s%s/%s", names->len ? ", " : "", mount,
					       entry->d_name);
	if (dir)
		closedir(dir);
	return g_string_free(names, FALSE);
}

/* There is something at dir, but nothing like a guest's processes. */
static void
complain_of_kind(const char *dir)
{
	g_autofree char *guests = NULL;
	struct stat st;
	if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
		run_complain(
			0,
			"%s is not a directory: mount the image first (vmifs %s MOUNTPOINT), and "
			"give the guest's directory there",
			dir, dir);
	else if (has(dir, ".vmifs/sources") && *(guests = guests_of(dir)))
		run_complain(0, "%s is a mount of vmifs; give one guest of it: %s", dir, guests);
	else if (has(dir, "self") && has(dir, "../procs"))
		run_complain(0, "%s: give the guest's directory itself, %s/..", dir, dir);
	else if (has(dir, "info") && has(dir, "pmem"))
		run_complain(
			0,
			"%s has no procs: no operating system that vmifs knows was found in that "
			"guest; %s/info says what was tried",
			dir, dir);
	else
		run_complain(0,
			     "%s is not a guest: give the directory of one in a mount of vmifs, as "
			     "MOUNTPOINT/guest",
			     dir);
}

/* The number that the guest gave out last: below it, threads may have any. */
static void
append_last(const char *procs, GArray *pids)
{
	g_autofree char *path = g_build_filename(procs, "loadavg", NULL);
	g_autofree char *text = NULL;
	guint32 last = 0;
	if (g_file_get_contents(path, &text, NULL, NULL) &&
	    sscanf(text, "%*s %*s %*s %*s %" G_GUINT32_FORMAT, &last) == 1 && last <= MAX_PID)
		g_array_append_val(pids, last);
}

GArray *
run_guest_pids(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "procs", NULL);
	struct stat st;
	if (stat(dir, &st) < 0) {
		complain_of(dir, errno);
		return NULL;
	}
	DIR *procs = opendir(path);
	if (!procs) {
		if (errno == ENOENT || errno == ENOTDIR || errno == EOPNOTSUPP)
			complain_of_kind(dir);
		else
			complain_of(path, errno);
		return NULL;
	}
	g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(guint32));
	struct dirent *entry;
	while (errno = 0, (entry = readdir(procs))) {
		guint64 pid;
		if (g_ascii_string_to_unsigned(entry->d_name, 10, 1, MAX_PID, &pid, NULL)) {
			guint32 number = (guint32) pid;
			g_array_append_val(pids, number);
		}
	}
	int error = errno;
	closedir(procs);
	append_last(path, pids);
	if (error)
		complain_of(path, error);
	else if (!pids->len)
		run_complain(0, "%s: there is no process; %s/log may say why", path, dir);
	return error || !pids->len ? NULL : g_steal_pointer(&pids);
}
