/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * growth (private): how much more memory may be used, here or by another process, without anybody
 * missing it.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Bytes that this host could give without taking them from anybody; 0: it does not tell. */
guint64
qemu_growth_available(void);
/* Bytes that the process whose /proc/PID is dir may get beyond what it has before a limit of its
 * cgroups is reached, by which it would be killed. G_MAXUINT64: there is none. 0: it cannot be
 * told. root: where cgroups are mounted. */
guint64
qemu_growth_of_cgroup(int dir, const char *root);
/* 0: the process whose /proc/PID is dir may have memory of some nodes of this host alone, and there
 * may be none left there. G_MAXUINT64: it may not. nodes: their folder in /sys. */
guint64
qemu_growth_of_nodes(int dir, const char *nodes);
/* Bytes that may still be put into the file system of that file, where a fault finds no room only
 * as SIGBUS. G_MAXUINT64: it sets no limit. */
guint64
qemu_growth_of_file(int fd);

G_END_DECLS
