/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main: exit statuses of vmifs and the form of its messages. */
#pragma once

#include <vmifs/host.h>

G_BEGIN_DECLS

typedef enum {
	VMIFS_EXIT_OK = 0,
	VMIFS_EXIT_USAGE = 1,
	VMIFS_EXIT_SOURCE = 2,
	VMIFS_EXIT_MOUNT = 3,
} VmifsExit;

/* Prints "vmifs: " and the message on stderr, without what a terminal would obey: names in it may
 * be whatever somebody has called a program. Returns: status. */
int
vmifs_complain(VmifsExit status, const GError *error);
/* That nothing is there to be shown, what comes of it, and what became of each source. */
void
vmifs_complain_of_none(VmifsHost *host, const char *so);
/* Of a source that was not added: INVALID is an option's fault, not the source's. */
int
vmifs_source_status(const GError *error);

G_END_DECLS
