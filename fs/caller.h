/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* caller: who made the system call that is being answered, as he counts processes himself. */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* Is pid what the caller, a thread by its id here, would call itself or its process? Inside a pid
 * namespace those numbers are others than here. proc: as vmifs_hostproc_open() gives it. */
gboolean
vmifs_caller_is(int proc, pid_t caller, guint32 pid);
/* The same told from the text of /proc/<caller>/status. */
gboolean
vmifs_caller_status_has(const char *status, guint32 pid);

G_END_DECLS
