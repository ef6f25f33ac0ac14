/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run: the parts of vmifs-run. Two processes stand between its caller and COMMAND: the caller's
 * child, outside, which passes on signals and the end; and its child, pid 1 of the namespaces.
 */
#pragma once

#include <glib.h>
#include <signal.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* As env(1) has them. */
typedef enum {
	RUN_EXIT_FAILED = 125,     /* vmifs-run itself */
	RUN_EXIT_CANNOT_RUN = 126, /* COMMAND was found */
	RUN_EXIT_NOT_FOUND = 127,
} RunExit;

/* Says it on stderr, with what errno says behind it where that is not 0. Returns RUN_EXIT_FAILED.
 */
int
run_complain(int error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* ---- guest.c: what the user gave as DIR ---- */

/* Numbers (guint32), in any order, that the guest uses, and the one that it gave out last. NULL:
 * complained. */
GArray *
run_guest_pids(const char *dir);

/* ---- namespaces.c ---- */

/* This process has a network of its own from now on, its children pids, too; an ordinary user
 * becomes the owner of a user namespace for that. FALSE: complained. */
gboolean
run_namespaces_enter(void);
/* Lays the guest's procs over /proc, and nothing over what would tell of this host. In the child.
 */
gboolean
run_namespaces_cover(const char *dir);

/* ---- pids.c: numbers that the guest does not use ---- */

typedef struct {
	guint32 first, last; /* of the gap */
	int last_pid;        /* (full) file: the number that was given out last; -1 = not open */
} RunPids;

/* The longest gap between pids, sorted here, below pid_max. FALSE: there is none. */
gboolean
run_pids_choose(GArray *pids, guint32 pid_max, RunPids *ret);
/* The same for the namespace of the caller, which is its pid 1. FALSE: complained. */
gboolean
run_pids_open(GArray *pids, RunPids *ret);
/* The next process will get the first number of the gap. FALSE: complained. */
gboolean
run_pids_rewind(const RunPids *pids);
/* Keeps new processes within the gap; to be called again after that many milliseconds. */
int
run_pids_keep(const RunPids *pids);

/* ---- supervise.c ---- */

/* As pid 1: starts COMMAND, and writes each change of its wait status to the pipe. Returns when it
 * has ended. mask: the signals that COMMAND shall have blocked. */
int
run_supervise_inside(char **command, const RunPids *pids, int pipe, const sigset_t *mask);
/* Outside: waits for those, and ends as COMMAND did. */
int
run_supervise_outside(pid_t inside, int pipe);

G_END_DECLS
