/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* turns: see the header. */
#include "turns.h"

#include <vmifs/error.h>

void
qemu_turns_init(QemuTurns *turns)
{
	g_mutex_init(&turns->lock);
	g_cond_init(&turns->over);
}

void
qemu_turns_clear(QemuTurns *turns)
{
	g_mutex_clear(&turns->lock);
	g_cond_clear(&turns->over);
}

/* (static) NULL: nothing. */
static const char *
what_is_in_the_way(const QemuTurns *turns, QemuTurn turn, QemuDebug *debug)
{
	gboolean is_watched = turns->n[QEMU_TURN_ARMING] || (debug && qemu_debug_is_on(debug));

	switch (turn) {
	case QEMU_TURN_ARMING:
		return turns->n[QEMU_TURN_SNAPSHOT] ? "a snapshot of the guest is being taken"
						    : NULL;
	case QEMU_TURN_REGISTERS:
		return is_watched
			       ? "QEMU's gdbstub is what the guest is watched with: no registers "
				 "are set by it, or read"
			       : NULL;
	default:
		return is_watched ? "the guest is being watched: clear `watch` first" : NULL;
	}
}

gboolean
qemu_turns_begin(QemuTurns *turns, QemuTurn turn, QemuDebug *debug, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&turns->lock);
	const char *why = what_is_in_the_way(turns, turn, debug);

	if (why) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, why);
		return FALSE;
	}
	turns->n[turn]++;
	while (turn == QEMU_TURN_ARMING && turns->n[QEMU_TURN_REGISTERS])
		g_cond_wait(&turns->over, &turns->lock);
	return TRUE;
}

void
qemu_turns_end(QemuTurns *turns, QemuTurn turn)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&turns->lock);

	turns->n[turn]--;
	g_cond_broadcast(&turns->over);
}
