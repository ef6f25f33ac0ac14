/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt: the monitors of those guests that a libvirt daemon keeps for itself, and which guests
 * these are. The guests are processes of this host all the same, and are found as such: a daemon
 * that hangs, or is started anew, hides none of them. Nothing here waits for a daemon for longer
 * than it is told to: each call to it is made by a thread that may be left behind.
 */
#pragma once

#include "monitor.h"

G_BEGIN_DECLS

typedef struct QemuLibvirt QemuLibvirt;

typedef enum {
	QEMU_LIBVIRT_WAITING, /* it has not answered yet, or not for a while */
	QEMU_LIBVIRT_READY,
	QEMU_LIBVIRT_FAILED, /* it refuses, or is not there; tried again from time to time */
} QemuLibvirtState;

/* Begins to connect and returns. changed: called from any thread when its state is another or
 * domains came or went, until qemu_libvirt_close() has returned. NULL with SOURCE where that URI
 * can have no guests here. */
QemuLibvirt *
qemu_libvirt_open(const char *uri, void (*changed)(gpointer user), gpointer user, GError **error);
/* Its monitors may live on, and fail. */
void
qemu_libvirt_close(QemuLibvirt *libvirt);

/* Waits until it is ready or has failed, but not beyond until (monotonic). ret_why: (full) (out)
 * what is the matter and what to do; NULL when ready, and while it is too early to complain. */
QemuLibvirtState
qemu_libvirt_wait(QemuLibvirt *libvirt, gint64 until, char **ret_why);
/* Does a domain of that UUID run? As far as was told: before it answered for the first time, any
 * may. */
gboolean
qemu_libvirt_may_have(QemuLibvirt *libvirt, const char *uuid);

/* Does it keep guests of another host, by its URI? */
gboolean
qemu_libvirt_is_elsewhere(const QemuLibvirt *libvirt);
/* A domain that runs. id: another one in each of its lives. */
typedef struct {
	char *uuid, *name;
	int id;
} QemuLibvirtDomain;
/* As far as was told. (full) of QemuLibvirtDomain */
GPtrArray *
qemu_libvirt_domains(QemuLibvirt *libvirt);

/* The monitor of that domain, whether the daemon answers now or not. */
QemuMonitor *
qemu_libvirt_monitor(QemuLibvirt *libvirt, const char *uuid);

G_END_DECLS
