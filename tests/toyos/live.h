/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * live: guests that run, as a test makes them: memory is a memfd that the test writes to, mapped or
 * not; a finder with the word "live:" tells of those that the test starts and ends, and with
 * "live:two" a second one does so, too; where the word goes on, or ends with "nothing", the second,
 * or both, cannot be opened; with "slowN" it takes N ms to say anything. One test runs at a time,
 * each in a process of its own: the list of guests is a static.
 */
#pragma once

#include <spi/finder.h>

#define LIVE_LEN ((gsize) 0x40000)

typedef struct {
	char *key, *name;
	gint64 started;
	int fd;      /* memory, LIVE_LEN bytes of it at address 0 */
	guint8 *ram; /* the test's own view of it */
	gboolean unmapped;
	guint slow_ms;       /* that a read takes */
	guint more;          /* atomic; pages of a second block at 1 MiB */
	gint state;          /* atomic; VmifsState */
	gint n_open, n_read; /* atomic; instances that are open, elements that were read */
	guint n_vcpus;
	gint n_asked; /* atomic; so often registers were asked for */
	gboolean is_silent, is_encrypted;
	gint fails;             /* atomic; so many times it cannot be opened */
	gint holds;             /* atomic; a snapshot of it is not finished while this is set */
	gint n_taking, n_taken; /* atomic; snapshots that are being taken; that were begun */
	gboolean knows_rdi;     /* registers tell that, and where a vCPU stands */
	guint64 gates;          /* address of its interrupt gates; 0 = registers tell none */
	guint64 gates_apart;    /* between those of one vCPU and those of the next */
	guint64 gates_limit;
	guint64 cr4;
	VmifsStopCaps caps; /* set before it is started */
	GMutex stops;       /* guards what follows */
	GCond told;
	GArray *armed;                 /* of LivePoint */
	guint64 telling;               /* the id that a stop is being told of */
	guint n_told;                  /* stops: that every other one comes is said before */
	guint n_armed;                 /* so many points were armed */
	guint n_orders;                /* so often any were armed or disarmed */
	guint n_stops;                 /* that the guest makes for each that is told; 0 = 1 */
	const char *fault;             /* static; why nothing can be armed ... */
	guint64 fault_at;              /* ... there; 0 = anywhere */
	gboolean is_late;              /* (fault) it did not answer in time */
	void (*arming)(gpointer user); /* (nullable) happens once, before points are armed */
	gpointer arming_user;
	void (*asking)(gpointer user); /* (nullable) happens once, before caps are told */
	gpointer asking_user;
	/* Of the last instance: */
	void (*changed)(gpointer engine, guint what);
	VmifsStopped stopped;
	VmifsUnarmed unarmed;
	gpointer engine;
} LiveGuest;

typedef struct {
	guint64 id;
	VmifsStopPoint point;
} LivePoint;

LiveGuest *
live_guest_new(const char *name, gint64 started);
void
live_guest_free(LiveGuest *guest);
/* Tells every finder that is open; a finder that is opened later finds it itself. */
void
live_start(LiveGuest *guest);
void
live_end(LiveGuest *guest);
/* What the backend tells. */
void
live_changed(LiveGuest *guest, guint what);
void
live_put(LiveGuest *guest, gsize at, guint64 value);

/* So many points are armed. */
guint
live_n_armed(LiveGuest *guest);
/* The guest does that on that vCPU, with those registers: every point armed for it is told. Returns
 * how many. */
guint
live_stop(LiveGuest *guest, VmifsStopKind kind, guint64 address, guint vcpu, const VmifsRegs *regs);
/* Nothing is armed any more, and why. */
void
live_unarm(LiveGuest *guest, const char *why);

/* After the host that shows it: to be declared before that. */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LiveGuest, live_guest_free)
