/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt-none: what stands for libvirt.c in a build without it. */
#include "libvirt.h"

#include <vmifs/error.h>

QemuLibvirt *
qemu_libvirt_open(const char *uri, void (*changed)(gpointer user), gpointer user, GError **error)
{
	g_set_error(
		error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
		"%s: this vmifs was built without libvirt; pid:PID and auto find guests too, but "
		"without their registers",
		uri);
	return NULL;
}

void
qemu_libvirt_close(QemuLibvirt *libvirt)
{
}

QemuLibvirtState
qemu_libvirt_wait(QemuLibvirt *libvirt, gint64 until, char **ret_why)
{
	g_assert_not_reached();
}

gboolean
qemu_libvirt_may_have(QemuLibvirt *libvirt, const char *uuid)
{
	g_assert_not_reached();
}

QemuMonitor *
qemu_libvirt_monitor(QemuLibvirt *libvirt, const char *uuid)
{
	g_assert_not_reached();
}

gboolean
qemu_libvirt_is_elsewhere(const QemuLibvirt *libvirt)
{
	g_assert_not_reached();
}

GPtrArray *
qemu_libvirt_domains(QemuLibvirt *libvirt)
{
	g_assert_not_reached();
}
