/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-qemu: a monitor without a QEMU: what a real one once said, said again, over a socket that
 * serves one client at a time as QEMU's does, and as badly as a test wants.
 */
#pragma once

#include "fake-session.h"

/* What is heard when a guest that was stopped is let run. */
#define LET_RUN "query-status cont "

typedef struct {
	const char *session;  /* its text */
	gboolean silent;      /* never greets */
	guint greet_ms;       /* the first client is greeted only after so long */
	guint answer_ms;      /* before each answer */
	guint events;         /* so many before each answer */
	gboolean chatter;     /* and others all the time */
	const char *greeting; /* instead of QEMU's */
	GBytes *raw;          /* instead of any answer but that to qmp_capabilities */
	guint hang_up;        /* after so many answers, in the middle of the next; 0 = never */
	GBytes *stream;       /* what migrate writes to the descriptor that came last */
	guint stream_ms;      /* so much later */
	gboolean stream_open; /* which is then not closed, but by closefd */
} FakeQemu;

typedef struct FakeServer FakeServer;

/* how: (borrowed) for as long as it runs. */
FakeServer *
fake_qemu_start(const FakeQemu *how);
void
fake_qemu_stop(FakeServer *server);
const char *
fake_qemu_address(const FakeServer *server);
/* Of all visits so far: how many were greeted, the most questions in one, and all questions. */
guint
fake_qemu_visits(FakeServer *server);
guint
fake_qemu_most(FakeServer *server);
guint
fake_qemu_questions(FakeServer *server);
/* Their commands, with a space after each; capabilities with theirs: "migrate-set-capabilities(
 * multifd-)". (full) */
char *
fake_qemu_heard(FakeServer *server);
/* That is what it has heard. */
void
fake_qemu_has_heard(FakeServer *server, const char *wanted);
/* It comes to that, within some seconds. */
void
fake_qemu_hears(FakeServer *server, const char *wanted);
/* ... among other things. */
void
fake_qemu_hears_of(FakeServer *server, const char *wanted);
/* How many bytes of the stream were written; -1: not all of it can be. */
gssize
fake_qemu_written(FakeServer *server);
/* Whoever is there hears of that event. */
void
fake_qemu_tell(FakeServer *server, const char *event);
/* The descriptor that came last; -1 = none. */
int
fake_qemu_fd(FakeServer *server);
