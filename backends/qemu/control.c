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

/* While another one is carried out. */
#define PAUSE_US 5000

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

void
qemu_stop_init(QemuStop *stop, QemuMonitor *monitor)
{
	*stop = (QemuStop){ .monitor = monitor, .guard = -1 };
	g_mutex_init(&stop->lock);
}

void
qemu_stop_clear(QemuStop *stop)
{
	g_mutex_clear(&stop->lock);
}

gboolean
qemu_stop_enter(QemuStop *stop, const VmifsCall *call, GError **error)
{
	while (!g_mutex_trylock(&stop->lock)) {
		if (!vmifs_call_check(call, error))
			return FALSE;
		g_usleep(PAUSE_US);
	}
	return TRUE;
}

void
qemu_stop_leave(QemuStop *stop)
{
	g_mutex_unlock(&stop->lock);
}

static gboolean
begin_locked(QemuStop *stop, const VmifsCall *call, GError **error)
{
	json_auto_t *words = json_pack("[{s:s}]", "execute", "cont");
	const QemuDuty duty = { .stream = -1, .words = words };
	VmifsState state;

	stop->stood = 0;
	stop->was_let_run = FALSE;
	if (!qemu_status_ask(stop->monitor, &state, NULL, call, error))
		return FALSE;
	if (state != VMIFS_STATE_RUNNING)
		return TRUE;
	int guard = qemu_guard_arm(stop->monitor, &duty, error);
	if (guard < 0)
		return FALSE;
	stop->since = g_get_monotonic_time();
	if (command(stop->monitor, "stop", call, error)) {
		stop->guard = guard;
		return TRUE;
	}
	/* It may have been heard. */
	qemu_guard_leave(stop->monitor, guard);
	return FALSE;
}

gboolean
qemu_stop_begin(QemuStop *stop, const VmifsCall *call, GError **error)
{
	if (!qemu_stop_enter(stop, call, error))
		return FALSE;
	gboolean good = begin_locked(stop, call, error);
	qemu_stop_leave(stop);
	return good;
}

static gboolean
end_locked(QemuStop *stop, gint64 *ret_us, const VmifsCall *call, GError **error)
{
	int guard = stop->guard;

	stop->guard = -1;
	if (guard >= 0) {
		gboolean good = command(stop->monitor, "cont", call, error);
		stop->stood = g_get_monotonic_time() - stop->since;
		if (good)
			good = qemu_guard_disarm(guard, error);
		else
			qemu_guard_leave(stop->monitor, guard);
		if (!good)
			return FALSE;
	}
	if (ret_us)
		*ret_us = stop->stood;
	return TRUE;
}

gboolean
qemu_stop_end(QemuStop *stop, gint64 *ret_us, const VmifsCall *call, GError **error)
{
	/* Whoever gives up. */
	g_mutex_lock(&stop->lock);
	gboolean good = end_locked(stop, ret_us, call, error);
	qemu_stop_leave(stop);
	return good;
}

gboolean
qemu_stop_was_let_run(QemuStop *stop)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&stop->lock);

	return stop->was_let_run;
}

gboolean
qemu_stop_set_state(QemuStop *stop, VmifsState wanted, const VmifsCall *call, GError **error)
{
	if (!qemu_stop_enter(stop, call, error))
		return FALSE;
	/* If it fails, it may have been heard. */
	stop->was_let_run |= wanted == VMIFS_STATE_RUNNING;
	gboolean good = qemu_status_set(stop->monitor, wanted, call, error);
	/* Before anybody is told that it is done: vmifs may be killed then. */
	if (good && stop->guard >= 0) {
		stop->stood = g_get_monotonic_time() - stop->since;
		good = qemu_guard_disarm(stop->guard, error);
		stop->guard = -1;
	}
	qemu_stop_leave(stop);
	return good;
}
