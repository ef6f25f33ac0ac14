/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * others: see the header. The monitor is asked, which calls a stop at a point "debug".
 */
#include "others.h"

#include "status.h"

#define PATIENCE (500 * G_TIME_SPAN_MILLISECOND)

void
qemu_others_forget(QemuOthers *self)
{
	self->next = 0;
}

gboolean
qemu_others_is_at_point(QemuMonitor *monitor)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + PATIENCE };
	g_autofree char *word = NULL;
	VmifsState state;

	return !qemu_status_ask(monitor, &state, &word, &call, NULL) || g_str_equal(word, "debug");
}

gboolean
qemu_others_let_it_run(QemuOthers *self, gboolean stood_at_point, QemuMonitor *monitor)
{
	gint64 now = g_get_monotonic_time(), after = QEMU_OTHERS_MS * G_TIME_SPAN_MILLISECOND;
	VmifsCall call = { .deadline = now + PATIENCE };
	g_autofree char *word = NULL;
	VmifsState state;

	if (!self->next)
		self->next = now + after;
	if (now < self->next)
		return FALSE;
	self->next = now + after;
	return qemu_status_ask(monitor, &state, &word, &call, NULL) &&
	       (state == VMIFS_STATE_RUNNING || (g_str_equal(word, "debug") && !stood_at_point));
}
