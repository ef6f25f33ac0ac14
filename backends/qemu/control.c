/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control: the order is what makes it safe: the guardian is armed before anything is changed, and
 * disarmed after QEMU has said that it is undone.
 */
#include "control.h"

#include "status.h"

#include <errno.h>
#include <unistd.h>
#include <vmifs/error.h>

struct QemuStop {
	QemuMonitor *monitor;
	int guard;    /* -1: it did not run */
	gint64 since; /* when it was told to stop */
};

/* ---- guardians ---- */

static gboolean
tell(int guard, char what, GError **error)
{
	gssize n;

	do {
		n = write(guard, &what, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "guardian: %s", g_strerror(errno));
	return FALSE;
}

int
qemu_guard_arm(QemuMonitor *monitor, const QemuDuty *duty, GError **error)
{
	int guard;

	if (!monitor->ops->guard) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "%s: nobody could let the guest run if vmifs ended",
			    monitor->ops->name);
		return -1;
	}
	guard = monitor->ops->guard(monitor, duty, error);
	if (guard < 0 || tell(guard, QEMU_GUARD_ARM, error))
		return guard;
	close(guard);
	return -1;
}

void
qemu_guard_tell(int guard, gboolean stands)
{
	/* One that cannot be told has ended: nothing is to be done about it here. */
	tell(guard, stands ? QEMU_GUARD_STANDS : QEMU_GUARD_ARM, NULL);
}

void
qemu_guard_tell_leaving(int guard, gboolean is_over)
{
	tell(guard, is_over ? QEMU_GUARD_LEFT : QEMU_GUARD_LEAVES, NULL);
}

gboolean
qemu_guard_disarm(int guard, GError **error)
{
	gboolean good = tell(guard, QEMU_GUARD_DISARM, error);

	close(guard);
	return good;
}

void
qemu_guard_leave(QemuMonitor *monitor, int guard)
{
	close(guard);
	if (monitor->ops->give_way)
		monitor->ops->give_way(monitor);
}

/* ---- a stop ---- */

static gboolean
command(QemuMonitor *monitor, const char *name, const VmifsCall *call, GError **error)
{
	json_auto_t *answer = qemu_monitor_qmp(monitor, name, NULL, call, error);

	return answer != NULL;
}

QemuStop *
qemu_stop_begin(QemuMonitor *monitor, const VmifsCall *call, GError **error)
{
	json_auto_t *words = json_pack("[{s:s}]", "execute", "cont");
	const QemuDuty duty = { .stream = -1, .words = words };
	QemuStop *stop;
	VmifsState state;
	int guard = -1;

	if (!qemu_status_ask(monitor, &state, NULL, call, error))
		return NULL;
	if (state == VMIFS_STATE_RUNNING) {
		guard = qemu_guard_arm(monitor, &duty, error);
		if (guard < 0)
			return NULL;
	}
	stop = g_new0(QemuStop, 1);
	stop->monitor = monitor;
	stop->guard = guard;
	stop->since = g_get_monotonic_time();
	if (guard < 0 || command(monitor, "stop", call, error))
		return stop;
	/* It may have been heard. */
	qemu_guard_leave(monitor, guard);
	g_free(stop);
	return NULL;
}

gboolean
qemu_stop_end(QemuStop *stop, gint64 *ret_us, const VmifsCall *call, GError **error)
{
	gint64 stood = 0;
	gboolean good = TRUE;

	if (stop->guard >= 0) {
		good = command(stop->monitor, "cont", call, error);
		stood = g_get_monotonic_time() - stop->since;
		if (good)
			good = qemu_guard_disarm(stop->guard, error);
		else
			qemu_guard_leave(stop->monitor, stop->guard);
	}
	g_free(stop);
	if (good && ret_us)
		*ret_us = stood;
	return good;
}
