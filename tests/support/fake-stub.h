/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-stub: a gdbstub without a guest, as particular as QEMU's is: any byte stops a guest that
 * runs, a vCPU that goes on where a breakpoint is set hits it again, KVM takes four points of 1, 2,
 * 4 or 8 aligned bytes. Its guest hits each point that is set in turn.
 */
#pragma once

#include <fake-qemu.h>

typedef struct {
	gboolean kvm;         /* with its limits */
	guint n_vcpus;        /* 0 = 1; of two the first idles: no step of it ever ends */
	guint hits;           /* so many stops at points, and then none */
	gboolean pauses;      /* then somebody stops the guest, once */
	gboolean blinks;      /* and lets it run on at once, as for a snapshot */
	gboolean hangs_up;    /* then it goes away */
	gboolean is_ended;    /* the same, but it comes again for who wants it */
	const char *says;     /* (nullable) then these bytes come, whatever they are */
	gboolean is_deaf;     /* then it says nothing any more */
	guint n_silent_steps; /* so many of the first steps do not end by themselves */
	guint n_vain_steps;   /* so many of the first steps end before the instruction */
	guint lag_ms;         /* before it says that it has taken a point away */
	gboolean keeps;       /* no point can be taken away one by one */
	gboolean floods;      /* before each answer with registers another stop is told of */
	gboolean is_nop;      /* all code is */
	gboolean is_new;      /* as 8.1: a stop is told of once for each wish to go on */
	gboolean is_left;     /* a debugger that is gone has left a point where the vCPU stands */
	gboolean is_foreign;  /* the same, and it cannot be taken away, but a step gets past it */
	gboolean is_arm;      /* it stops before an access that is watched */
	gboolean
		is_busy; /* an interrupt is pending, always: a step that does not mask it is none */
} FakeStub;

typedef struct FakeStubServer FakeStubServer;

/* Takes the descriptor that comes to that monitor. how: (borrowed) for as long as it runs. */
FakeStubServer *
fake_stub_start(FakeServer *qemu, const FakeStub *how);
void
fake_stub_stop(FakeStubServer *stub);
/* Now: points that are set; does the guest run; how often something was said to it that ran but to
 * stop it, or a vCPU went on where a breakpoint was, or it was let go of twice, which QEMU does not
 * survive. */
guint
fake_stub_points(FakeStubServer *stub);
gboolean
fake_stub_runs(FakeStubServer *stub);
guint
fake_stub_blunders(FakeStubServer *stub);
/* vCPUs that stop after their next instruction, and what is masked in steps, in QEMU's numbers. */
guint
fake_stub_steps(FakeStubServer *stub);
guint
fake_stub_mask(FakeStubServer *stub);
/* So often it has stopped, or is to once it does. */
guint
fake_stub_stops(FakeStubServer *stub);
/* The last packets of those that change something, with a space after each. (full) */
char *
fake_stub_heard(FakeStubServer *stub);
/* Somebody lets the guest run on, by the monitor. */
void
fake_stub_resume(FakeStubServer *stub);

#define FAKE_STUB_RIP_OF_DATA 0x5000
