/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arguments: cmdline and environ: bytes of the process's own stack, found through its memory map.
 * What is not in RAM is an error: an empty text would say "kernel thread".
 */
#include "linux.h"

#include <string.h>

/* Six megabytes is what execve() takes at most; prctl() may point anywhere. */
#define MAX_LEN (16 * 1024 * 1024)

typedef struct {
	guint64 arg_start, arg_end, env_start, env_end;
} Area;

static gboolean
read_area(const Linux *os, const VmifsTask *task, Area *ret, GError **error)
{
	Area a;

	if (!linux_get(os, task->mm, LINUX_FIELD_MM_ARG_START, &a.arg_start, error) ||
	    !linux_get(os, task->mm, LINUX_FIELD_MM_ARG_END, &a.arg_end, error) ||
	    !linux_get(os, task->mm, LINUX_FIELD_MM_ENV_START, &a.env_start, error) ||
	    !linux_get(os, task->mm, LINUX_FIELD_MM_ENV_END, &a.env_end, error))
		return FALSE;
	*ret = a;
	return TRUE;
}

static gboolean
append_user(VmifsAspace *user, guint64 start, guint64 len, GString *out, GError **error)
{
	if (len > MAX_LEN) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "%" G_GUINT64_FORMAT " bytes at %#" G_GINT64_MODIFIER "x make no sense",
			    len, start);
		return FALSE;
	}
	g_autofree char *bytes = g_malloc(len + 1);
	if (!vmifs_aspace_read(user, start, bytes, len, error))
		return FALSE;
	g_string_append_len(out, bytes, (gssize) len);
	return TRUE;
}

/* A program that has written over its arguments (setproctitle(3)): one string, which may run on
 * into where the environment was. The kernel takes it from the first page only. */
static gboolean
append_title(const Linux *os, VmifsAspace *user, guint64 start, guint64 len, GString *out,
	     GError **error)
{
	gsize most = linux_page_size(os);
	g_autofree char *page = g_malloc(most);
	gsize got = vmifs_aspace_read_some(user, start, page, most, error);

	if (got == 0)
		return FALSE;
	gsize n = strnlen(page, got);
	if (n < got)
		n++;
	g_string_append_len(out, page, (gssize) MIN(n, len));
	return TRUE;
}

gboolean
linux_append_arguments(Linux *os, const VmifsTask *task, guint64 most, GString *out, GError **error)
{
	Area a;
	guint8 last;

	if (!task->mm)
		return TRUE;
	if (!read_area(os, task, &a, error))
		return FALSE;
	if (!a.env_end || a.arg_start >= a.arg_end)
		return TRUE;
	g_autoptr(VmifsAspace) user = linux_task_aspace(os, task, error);
	if (!user || !vmifs_aspace_read_u8(user, a.arg_end - 1, &last, error))
		return FALSE;
	if (!last)
		return append_user(user, a.arg_start, MIN(a.arg_end - a.arg_start, most), out,
				   error);
	gboolean runs_on = a.env_start == a.arg_end && a.env_end >= a.env_start;
	return append_title(os, user, a.arg_start, (runs_on ? a.env_end : a.arg_end) - a.arg_start,
			    out, error);
}

LINUX_VIEW(linux_render_cmdline)
{
	return linux_append_arguments(os, task, G_MAXUINT64, out, error);
}

LINUX_VIEW(linux_render_environ)
{
	Area a;

	/* procfs refuses to open it for kernel threads; for a process that is ending it is empty.
	 */
	if (!task->mm)
		return TRUE;
	if (!read_area(os, task, &a, error))
		return FALSE;
	if (!a.env_end || a.env_start >= a.env_end)
		return TRUE;
	g_autoptr(VmifsAspace) user = linux_task_aspace(os, task, error);
	return user && append_user(user, a.env_start, a.env_end - a.env_start, out, error);
}
