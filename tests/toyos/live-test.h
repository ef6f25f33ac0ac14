/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* live-test: what the tests of running guests share: a system that boots in one, a host, waiting.
 */
#pragma once

#include "live.h"

#include <unit.h>

#include <string.h>
#include <vmifs/vmifs.h>

#define TASKS G_GUINT64_CONSTANT(0xffff800000000000)
/* For what happens within a second or so. */
#define PATIENCE_US (15 * G_USEC_PER_SEC)

/* The kernel's tables map TASKS to the page of tasks, and the toy's header names both. */
static inline void
boot(LiveGuest *guest, gsize tasks_at, guint32 pid)
{
	static const struct {
		gsize at;
		guint64 value;
	} tables[] = { { 0x1800, 0x2003 },   { 0x2000, 0x3003 },   { 0x3000, 0x4003 },
		       { 0x10000, 0x11007 }, { 0x11000, 0x12007 }, { 0x12000, 0x13007 },
		       { 0x13008, 0x20007 } };
	for (gsize i = 0; i < G_N_ELEMENTS(tables); i++)
		live_put(guest, tables[i].at, tables[i].value);
	live_put(guest, 0x4000 + 8 * (tasks_at / 0x1000), tasks_at | 3);
	memset(guest->ram + tasks_at, 0, 0x1000);
	live_put(guest, tasks_at, pid);
	live_put(guest, tasks_at + 8, 0x10000);
	memcpy(guest->ram + tasks_at + 24, "toy", 4);
	memcpy(guest->ram + 0x20000, "its memory", 11);
	live_put(guest, 0x5008, 0x1000);
	live_put(guest, 0x5010, TASKS + tasks_at);
	live_put(guest, 0x5018, (guint64) 1 << 32 | 1); /* one task; alive */
	live_put(guest, 0x5020, 0);
	memcpy(guest->ram + 0x5000, "TOY-OS!", 8);
}

static inline void
halt(LiveGuest *guest)
{
	memset(guest->ram, 0, LIVE_LEN);
}

static inline VmifsHost *
make_host(VmifsOptions *options)
{
	VmifsOptions none = { .size = sizeof none };
	g_autoptr(GError) error = NULL;
	VmifsHost *host = vmifs_host_new(options ? options : &none, NULL);
	gboolean added = vmifs_host_add(host, "live:all", &error);
	ck_assert_msg(added, "%s", error ? error->message : "");
	return host;
}

/* Until the expression is true, which somebody else makes it, and may end. */
#define await(expression)                                                                          \
	do {                                                                                       \
		gint64 end_ = g_get_monotonic_time() + PATIENCE_US;                                \
		gboolean met_;                                                                     \
		while (!(met_ = !!(expression)) && g_get_monotonic_time() < end_)                  \
			g_usleep(2000);                                                            \
		ck_assert_msg(met_, "in vain: " #expression);                                      \
	} while (0)

static inline gboolean
is_listed(VmifsHost *host, const char *name)
{
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, name);
	return guest != NULL;
}

static inline guint32
first_pid(VmifsGuest *guest)
{
	g_autoptr(VmifsTaskList) list = vmifs_guest_tasks(guest, NULL, NULL);
	return list ? vmifs_task_list_get(list, 0)->pid : 0;
}

/* A guest by itself: prepared by its test, then run. */
typedef struct {
	LiveGuest *live;
	VmifsHost *host;
	VmifsGuest *guest; /* as the host has it */
} Running;

static inline Running
prepare(void)
{
	return (Running){ .live = live_guest_new("web", 1) };
}

/* options: (nullable) */
static inline void
run(Running *it, VmifsOptions *options)
{
	live_start(it->live);
	it->host = make_host(options);
	await(is_listed(it->host, "web"));
	it->guest = vmifs_host_find(it->host, "web");
}

static inline void
running_clear(Running *it)
{
	g_clear_pointer(&it->guest, vmifs_guest_unref);
	vmifs_host_free(it->host);
	live_guest_free(it->live);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Running, running_clear)
