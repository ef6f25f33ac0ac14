/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * caller: FUSE tells the caller's number as the namespace counts in which the mount was made. Tools
 * in a container look themselves up by their own, and that stands in /proc/<pid>/status: NStgid and
 * NSpid have one number for each namespace, the innermost last. The caller waits for us meanwhile,
 * so that its number is still its own.
 */
#include "caller.h"

#include "hostproc.h"

#include <string.h>

/* The last number of the line that begins with key. */
static gboolean
line_ends_with(const char *status, const char *key, guint32 pid)
{
	const char *line = strstr(status, key);
	if (!line)
		return FALSE;
	line += strlen(key);
	gsize len = strcspn(line, "\n");
	gsize start = len;
	while (start > 0 && g_ascii_isdigit(line[start - 1]))
		start--;
	g_autofree char *number = g_strndup(line + start, len - start);
	guint64 value;
	return g_ascii_string_to_unsigned(number, 10, 1, G_MAXUINT32, &value, NULL) && value == pid;
}

gboolean
vmifs_caller_status_has(const char *status, guint32 pid)
{
	return line_ends_with(status, "\nNStgid:", pid) || line_ends_with(status, "\nNSpid:", pid);
}

gboolean
vmifs_caller_is(int proc, pid_t caller, guint32 pid)
{
	if (caller <= 0)
		return FALSE;
	if ((guint32) caller == pid)
		return TRUE;
	g_autofree char *status = vmifs_hostproc_status(proc, caller);
	return status && vmifs_caller_status_has(status, pid);
}
