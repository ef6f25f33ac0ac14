/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reach: the way to the monitor of a QEMU process that was found: a socket that its arguments name,
 * in its own file system, on which it listens itself.
 */
#include "qmp.h"
#include "target.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void
add_reason(GString *reasons, const char *why)
{
	g_string_append_printf(reasons, "%s%s", reasons->len ? "; " : "", why);
}

/* The one at that path, if it is that process itself that listens there: others may name in their
 * arguments what they like. One that is busy is not waited for, as other guests would have to wait,
 * too; it is told who listens there when it is used. */
static QemuMonitor *
open_monitor(const QemuTarget *target, const char *path, gboolean hold, GString *reasons)
{
	g_autoptr(GError) error = NULL;
	int fd = qemu_target_open_path(target, path, O_PATH, &error);
	g_autoptr(QemuMonitor) monitor =
		fd >= 0 ? qemu_qmp_new_at(fd, target->pid, path, hold, &error) : NULL;

	if (!monitor) {
		add_reason(reasons, error->message);
		return NULL;
	}
	pid_t peer = qemu_qmp_peer(monitor, 0);
	if (peer == 0 || peer == target->pid)
		return g_steal_pointer(&monitor);
	g_autofree char *why = g_strdup_printf("%s: process %d listens there", path, (int) peer);
	add_reason(reasons, why);
	return NULL;
}

void
qemu_target_find_monitor(QemuTarget *target, gboolean hold)
{
	const QemuArgs *args = target->args;
	g_autoptr(GString) reasons = g_string_new(NULL);

	if (args->libvirt) {
		target->no_monitor =
			g_strdup("libvirt keeps it, which this build of vmifs cannot ask");
		return;
	}
	for (guint i = 0; i < args->monitors->len && !target->monitor; i++)
		target->monitor =
			open_monitor(target, g_ptr_array_index(args->monitors, i), hold, reasons);
	if (target->monitor)
		return;
	if (args->unusable->len) {
		g_autofree char *unusable = g_strdelimit(g_strdup(args->unusable->str), "\n", ' ');
		add_reason(reasons, g_strchomp(unusable));
	}
	target->no_monitor =
		g_strdup(reasons->len ? reasons->str : "it was started without one (-qmp)");
}

gboolean
qemu_target_names(const QemuTarget *target, const struct stat *socket)
{
	const GPtrArray *paths = target->args->monitors;

	for (guint i = 0; i < paths->len; i++) {
		int fd = qemu_target_open_path(target, g_ptr_array_index(paths, i), O_PATH, NULL);
		struct stat st;
		gboolean same = fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == socket->st_dev &&
				st.st_ino == socket->st_ino;
		if (fd >= 0)
			close(fd);
		if (same)
			return TRUE;
	}
	return FALSE;
}
