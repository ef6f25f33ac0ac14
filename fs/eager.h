/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * eager: a moment of looking at the FUSE device before sleeping in read(2).
 *
 * Programs that read many small files (`ps`) send requests that come some 10 us after the last
 * answer: sooner than a sleeping thread is up again on another processor, above all in a virtual
 * machine, where waking a halted processor takes tens of us. One thread at a time looks for that
 * long before it sleeps, so the cost of the last request of all is the length of one look.
 *
 * Where others have work for the processors, the reader has to wait for one, his next request comes
 * too late, and the look only took the time of others, or his own. Whether that is so nobody tells
 * us; but it shows in the looks themselves: if most of them are in vain, nearly none is made.
 *
 * Not after READ: who reads a large file in small pieces waits for each, and is best served on the
 * processor where it sleeps; a thread that is awake elsewhere would have it woken from there.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
	gint looking; /* atomic; threads that want to look */
	gint reads;   /* atomic; the last request was a READ */
	/* Of the one who looks: */
	gint debt;    /* grows with looks in vain */
	gint skipped; /* looks that were not made because of it */
} VmifsEager;

/* Returns when fd (of the FUSE device) has a request, or a moment has passed. */
void
vmifs_eager_look(VmifsEager *eager, int fd);
/* request: as it was read from the device, len bytes; len <= 0 = none. */
void
vmifs_eager_note(VmifsEager *eager, const void *request, gssize len);

G_END_DECLS
