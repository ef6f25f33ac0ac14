/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control: the order is what makes it safe: the guardian is armed before the guest is stopped, and
 * disarmed after QEMU has said that it runs again.
 */
#include "control.h"

#include "status.h"

#include <errno.h>
#include <unistd.h>
#include <vmifs/error.h>

struct QemuStop {
	QemuMonitor *monitor;
	int guard; /* -1: it did not run */
};

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

static void
stop_free(QemuStop *stop)
{
	if (stop->guard >= 0)
		close(stop->guard);
	g_free(stop);
}

static gboolean
command(QemuMonitor *monitor, const char *name, const VmifsCall *call, GError **error)
{
	json_auto_t *answer = qemu_monitor_qmp(monitor, name, NULL, call, error);

	return answer != NULL;
}

QemuStop *
qemu_stop_begin(QemuMonitor *monitor, const VmifsCall *call, GError **error)
{
	QemuStop *stop;
	VmifsState state;

	if (!monitor->ops->guard) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "%s: nobody could let the guest run if vmifs ended",
			    monitor->ops->name);
		return NULL;
	}
	if (!qemu_status_ask(monitor, &state, NULL, call, error))
		return NULL;
	stop = g_new0(QemuStop, 1);
	stop->monitor = monitor;
	stop->guard = -1;
	if (state != VMIFS_STATE_RUNNING)
		return stop;
	stop->guard = monitor->ops->guard(monitor, error);
	if (stop->guard >= 0 && tell(stop->guard, QEMU_GUARD_ARM, error) &&
	    command(monitor, "stop", call, error))
		return stop;
	/* It may have been heard. */
	stop_free(stop);
	return NULL;
}

gboolean
qemu_stop_end(QemuStop *stop, const VmifsCall *call, GError **error)
{
	gboolean good = stop->guard < 0 || (command(stop->monitor, "cont", call, error) &&
					    tell(stop->guard, QEMU_GUARD_DISARM, error));

	stop_free(stop);
	return good;
}
