/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hostproc: /proc of the machine that the server runs on, held from its start. A guest's procs may
 * be laid over /proc later: looked up by path, it would be asked of ourselves.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* A descriptor of /proc; -1 where there is none. */
int
vmifs_hostproc_open(void);
/* The text of <pid>/status, of a process or thread; 0 = of this process. NULL: there is none.
 * (full) */
char *
vmifs_hostproc_status(int proc, pid_t pid);

G_END_DECLS
