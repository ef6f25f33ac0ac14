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

#define RUNS "qmp query-status\n\t{\"status\": \"running\", \"running\": true}\n"
#define RESTS "qmp query-status\n\t{\"status\": \"paused\", \"running\": false}\n"
#define OBEYS "qmp stop\n\t{}\nqmp cont\n\t{}\n"
#define STANDS RUNS RESTS OBEYS
#define STANDS_AS(word) "qmp query-status\n\t{\"status\": \"" word "\", \"running\": false}\n"
#define STOPPED "query-status stop "
#define LET_RUN "query-status cont "

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

/* It comes to have heard that, within some seconds. */
static inline void
hears(const Guest *guest, const char *wanted)
{
	g_autofree char *heard = NULL;
	for (int i = 0; i < 200 && g_strcmp0(heard, wanted) != 0; i++) {
		g_usleep(20 * 1000);
		g_free(heard);
		heard = fake_qemu_heard(guest->server);
	}
	ck_assert_str_eq(heard, wanted);
}

/* It has heard nothing more a while later. */
static inline void
has_heard(const Guest *guest, const char *wanted)
{
	g_usleep(300 * 1000);
	g_autofree char *heard = fake_qemu_heard(guest->server);
	ck_assert_str_eq(heard, wanted);
}
