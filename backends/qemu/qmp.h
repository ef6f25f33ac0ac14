/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp: a monitor behind a socket of its own. It serves one client at a time, and its owner has
 * other clients: unless told to hold it, each visit connects, asks and leaves within 100 ms.
 */
#pragma once

#include "monitor.h"

#include <sys/types.h>

/* path: of a unix socket, of any length. hold: connect once and stay. Looks for the socket, and
 * pins it: another QEMU that later takes its name is not meant. Does not connect. NULL with SOURCE
 * when there is none. */
QemuMonitor *
qemu_qmp_new(const char *path, gboolean hold, GError **error);
/* The same for one that was found already. pin: (taken) of O_PATH. owner: the process
 * that must listen there, as far as that can be told. shown: for messages. */
QemuMonitor *
qemu_qmp_new_at(int pin, pid_t owner, const char *shown, gboolean hold, GError **error);
/* Who listens there, as the kernel tells: the process that opened it, which is
 * QEMU unless somebody opened it for QEMU. 0 = unknown, or not in our pid namespace. Connects for a
 * moment; one that is busy longer than patience (in µs) tells nothing. */
pid_t
qemu_qmp_peer(QemuMonitor *monitor, gint64 patience);
