/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * farewell: see the header. The stub may be in the middle of anything: a packet, its sum, an answer
 * that nobody took. What session.c says of steps holds here, too, and nobody knows whether there
 * were any.
 */
#include "farewell.h"

#include "gdb.h"

/* The answer to "qAttached", which nobody else asks, is known from all others. */
#define ASK_LAST "qAttached"
#define LAST_ANSWER "$1#31"

/* "?" has it forget the points of the vCPU that was chosen before. */
void
qemu_farewell_wrap_clear(GString *out, guint from, guint n)
{
	for (guint i = 0; i < n; i++) {
		g_autofree char *choose = g_strdup_printf("Hc%x", from + i + 1);
		qemu_gdb_wrap(out, choose);
		qemu_gdb_wrap(out, "?");
	}
}

/* Steps as QEMU makes them of itself: the last that is not refused masks as much as can be. */
static void
wrap_own_steps(GString *out)
{
	qemu_gdb_wrap(out, "Qqemu.sstep=1");
	qemu_gdb_wrap(out, "Qqemu.sstep=3");
	qemu_gdb_wrap(out, "Qqemu.sstep=7");
	qemu_gdb_wrap(out, ASK_LAST);
}

/* Whatever it was being told, it listens then. */
static char *
wake_up(const char *packet)
{
	GString *out = g_string_new("\x03+\x03#00#00+\x03+");

	qemu_gdb_wrap(out, packet);
	return g_string_free(out, FALSE);
}

/* A step of all that enables none; what comes with it stops the guest before any instruction. */
static char *
unstep(void)
{
	GString *out = g_string_new("+");

	qemu_gdb_wrap(out, "Qqemu.sstep=0");
	qemu_gdb_wrap(out, "vCont;s");
	g_string_append(out, "\x03+\x03+");
	wrap_own_steps(out);
	return g_string_free(out, FALSE);
}

static char *
clear(guint n_vcpus)
{
	GString *out = g_string_new("+");

	qemu_farewell_wrap_clear(out, 0, MAX(n_vcpus, 1));
	wrap_own_steps(out);
	return g_string_free(out, FALSE);
}

void
qemu_farewell_init(QemuFarewell *farewell, guint n_vcpus)
{
	*farewell = (QemuFarewell){
		.fd = -1,
		.attach = wake_up("vAttach;1"),
		.settle = wake_up(ASK_LAST),
		.settled = LAST_ANSWER,
		.unstep = unstep(),
		.unstepped = LAST_ANSWER,
		.release = g_strdup("+$D#44"),
		.released = "$OK#9a",
		.clear = clear(n_vcpus),
		.cleared = LAST_ANSWER,
	};
}

void
qemu_farewell_clear(QemuFarewell *farewell)
{
	g_clear_pointer(&farewell->attach, g_free);
	g_clear_pointer(&farewell->settle, g_free);
	g_clear_pointer(&farewell->unstep, g_free);
	g_clear_pointer(&farewell->release, g_free);
	g_clear_pointer(&farewell->clear, g_free);
}
