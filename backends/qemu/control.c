/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control: the order is what makes it safe: the guardian is armed before anything is changed, and
 * disarmed after QEMU has said that it is undone.
 */
#include "control.h"

#include "status.h"

#include <unistd.h>

/* While another one is carried out. */
#define PAUSE_US 5000

void
qemu_stop_init(QemuStop *stop, QemuMonitor *monitor)
{
	*stop = (QemuStop){ .monitor = monitor, .guard = -1, .left = -1 };
	g_mutex_init(&stop->lock);
}

void
qemu_stop_clear(QemuStop *stop)
{
	if (stop->left >= 0)
		close(stop->left);
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

void
qemu_stop_leave_to(QemuStop *stop, int guard)
{
	qemu_guard_act(stop->monitor, guard);
	if (stop->left >= 0)
		close(stop->left);
	stop->left = guard;
}

void
qemu_stop_call_off(QemuStop *stop)
{
	if (stop->left >= 0)
		qemu_guard_call_off(stop->left);
	stop->left = -1;
}

static gboolean
begin_locked(QemuStop *stop, const VmifsCall *call, GError **error)
{
	const QemuDuty duty = { .stream = -1, .lets_run = TRUE };
	VmifsState state;

	stop->stood = 0;
	stop->was_let_run = FALSE;
	if (!qemu_status_ask(stop->monitor, &state, NULL, call, error))
		return FALSE;
	if (state != VMIFS_STATE_RUNNING)
		return TRUE;
	qemu_stop_call_off(stop);
	int guard = qemu_guard_arm(stop->monitor, &duty, error);
	if (guard < 0)
		return FALSE;
	stop->since = g_get_monotonic_time();
	json_auto_t *answer = qemu_monitor_qmp(stop->monitor, "stop", NULL, call, error);
	if (answer) {
		stop->guard = guard;
		return TRUE;
	}
	/* It may have been heard. */
	qemu_stop_leave_to(stop, guard);
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
		gboolean good = qemu_status_let_run(stop->monitor, call, error);
		stop->stood = g_get_monotonic_time() - stop->since;
		if (good)
			good = qemu_guard_disarm(guard, error);
		else
			qemu_stop_leave_to(stop, guard);
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

void
qemu_stop_watch(QemuStop *stop)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&stop->lock);

	stop->was_paused = FALSE;
}

void
qemu_stop_renew(QemuStop *stop)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&stop->lock);

	if (stop->was_paused)
		qemu_status_set(stop->monitor, VMIFS_STATE_PAUSED, NULL, NULL);
}

void
qemu_stop_make_up(QemuStop *stop)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&stop->lock);

	if (!stop->was_paused)
		qemu_status_let_run(stop->monitor, NULL, NULL);
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
	stop->was_paused = wanted == VMIFS_STATE_PAUSED;
	if (wanted == VMIFS_STATE_PAUSED)
		qemu_stop_call_off(stop);
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
