/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keepers: the libvirt daemons that keep guests of this host: the one of a URI that was given, or
 * else those whose guests were found.
 */
#pragma once

#include "libvirt.h"
#include "target.h"

G_BEGIN_DECLS

typedef struct QemuKeepers QemuKeepers;

/* changed: as with qemu_libvirt_open(). */
QemuKeepers *
qemu_keepers_new(void (*changed)(gpointer user), gpointer user);
void
qemu_keepers_free(QemuKeepers *keepers);

/* No other daemon counts from now on. FALSE with SOURCE. */
gboolean
qemu_keepers_choose(QemuKeepers *keepers, const char *uri, GError **error);
/* Of that one: as qemu_libvirt_wait(). */
QemuLibvirtState
qemu_keepers_wait(QemuKeepers *keepers, gint64 until, char **ret_why);
/* (full) of QemuTarget: those that run, of one that keeps guests of another host; NULL when it does
 * not. */
GPtrArray *
qemu_keepers_targets(QemuKeepers *keepers);
/* Of that one: as qemu_libvirt_may_have(), and, where that can be told, is it that process which
 * the daemon started under that name? Who says so of itself may be anybody. */
gboolean
qemu_keepers_may_have(QemuKeepers *keepers, const char *uuid, const char *name, pid_t pid);

/* Fills in the monitor of a guest of libvirt, and its source, or why it has none. FALSE when this
 * build can ask no daemon. Before there is a guest none is asked: that would start one that nobody
 * needs. */
gboolean
qemu_keepers_reach(QemuKeepers *keepers, QemuTarget *target);
/* (full) What is the matter with one of them; NULL when all answer. */
char *
qemu_keepers_failure(QemuKeepers *keepers);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuKeepers, qemu_keepers_free)

G_END_DECLS
