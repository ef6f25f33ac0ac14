/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt-connection (private): what libvirt.c lends to libvirt-monitor.c. */
#pragma once

#include "libvirt-library.h"
#include "libvirt.h"

QemuLibvirt *
qemu_libvirt_ref(QemuLibvirt *libvirt);
void
qemu_libvirt_unref(QemuLibvirt *libvirt);
/* (borrowed) */
const char *
qemu_libvirt_uri(const QemuLibvirt *libvirt);

/* For each thread that calls libvirt, which may write to a daemon that has hung up: without this
 * the signal would end us, where the program does not ignore it. */
void
qemu_libvirt_block_sigpipe(void);

/* The connection as it is now, waited for until then. (full) virConnectClose(). NULL with TIMEOUT,
 * or with IO: it refuses, or is not there. */
virConnectPtr
qemu_libvirt_connection(QemuLibvirt *libvirt, gint64 until, const VmifsCall *call, GError **error);
