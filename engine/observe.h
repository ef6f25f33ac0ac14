/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * observe (private): events of a running guest that nothing tells, found by looking again and
 * again, without stopping it: its state, its processes, its modules. Nobody looks while nobody
 * reads events.
 */
#pragma once

#include <vmifs/guest.h>

typedef struct VmifsObserver VmifsObserver;

/* guest: (borrowed) not a frozen one. Nothing is looked at, and no thread made, before its events
 * are wanted. */
VmifsObserver *
vmifs_observer_new(VmifsGuest *guest);
/* Waits for looks that are under way, which guest->cancelled ends soon. */
void
vmifs_observer_free(VmifsObserver *observer);
/* Its state may have changed, or another kernel runs. */
void
vmifs_observer_wake(VmifsObserver *observer);
/* The guest has gone: tells that. */
void
vmifs_observer_end(VmifsObserver *observer);
