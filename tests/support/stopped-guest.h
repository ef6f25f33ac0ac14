/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stopped-guest: a guest that vmifs stops for itself, behind a monitor that is not QEMU's; what
 * that is told shows whether the guest runs in the end.
 */
#pragma once

#include <unit.h>

#include <backends/qemu/control.h>
#include <backends/qemu/qmp.h>
#include <fake-qemu.h>

#define OBEYS "qmp stop\n\t{}\nqmp cont\n\t{}\n"
#define STANDS RUNS RESTS OBEYS
#define STOPPED "query-status stop "

typedef struct {
	FakeServer *server;
	QemuMonitor *monitor;
	QemuStop stop;
} Guest;

static inline void
setup(Guest *guest, const FakeQemu *how, gboolean hold)
{
	guest->server = fake_qemu_start(how);
	guest->monitor = qemu_qmp_new(fake_qemu_address(guest->server), hold, NULL);
	ck_assert_ptr_nonnull(guest->monitor);
	qemu_stop_init(&guest->stop, guest->monitor);
}

static inline void
teardown(Guest *guest)
{
	qemu_stop_clear(&guest->stop);
	qemu_monitor_free(guest->monitor);
	fake_qemu_stop(guest->server);
}

/* It has heard nothing but that a while later. */
static inline void
hears_no_more(const Guest *guest, const char *wanted)
{
	g_usleep(300 * 1000);
	fake_qemu_has_heard(guest->server, wanted);
}
