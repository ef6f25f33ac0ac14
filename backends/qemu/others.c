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
	g_clear_pointer(&self->stood_as, g_free);
}

static gboolean
was_let_run(QemuOthers *self, QemuMonitor *monitor)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + PATIENCE };
	g_autofree char *word = NULL;
	VmifsState state;

	if (!qemu_status_ask(monitor, &state, &word, &call, NULL))
		return FALSE;
	if (state == VMIFS_STATE_RUNNING)
		return TRUE;
	if (!self->stood_as)
		self->stood_as = g_strdup(word);
	return g_str_equal(word, "debug") && !g_str_equal(self->stood_as, "debug");
}

gboolean
qemu_others_let_it_run(QemuOthers *self, QemuMonitor *monitor)
{
	gint64 now = g_get_monotonic_time(), after = QEMU_OTHERS_MS * G_TIME_SPAN_MILLISECOND;

	if (!self->next)
		self->next = now + after;
	if (now < self->next)
		return FALSE;
	self->next = now + after;
	return was_let_run(self, monitor);
}
