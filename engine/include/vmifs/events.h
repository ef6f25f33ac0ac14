/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events: what happens in a running guest, as lines of JSON. A bounded ring holds them; each reader
 * has a place of its own in it, and one that is too slow gets a `lost` line for what has gone: what
 * happens never waits for a reader. The same lines are a log, which is a file that grows, and
 * begins anew when it is full. Lines are only made while there is a reader.
 */
#pragma once

#include <vmifs/guest.h>

G_BEGIN_DECLS

typedef struct VmifsEventReader VmifsEventReader;

typedef enum {
	VMIFS_EVENTS_NONE, /* not yet */
	VMIFS_EVENTS_SOME,
	VMIFS_EVENTS_END, /* the guest has gone; a frozen one has none */
} VmifsEventsReady;

/* Reads what happens from now on. Each time that vmifs_event_reader_ready() has answered NONE, or
 * something was read, readable (nullable) is called once when there is more: from any thread and
 * under a lock, so it must return at once and not call the reader. (full) */
VmifsEventReader *
vmifs_guest_read_events(VmifsGuest *guest, void (*readable)(gpointer user), gpointer user);
/* No call of readable runs when this returns. */
void
vmifs_event_reader_free(VmifsEventReader *reader);

/* Is all that happens without a watch seen from now on? Not while nobody reads, nor in the moment
 * after somebody has begun to. Never waits. */
gboolean
vmifs_guest_events_are_seen(VmifsGuest *guest);
/* Waits, after a reader was made, until it is; lists that cannot be had are not waited for. FALSE
 * with CANCELLED, TIMEOUT. */
gboolean
vmifs_guest_events_settle(VmifsGuest *guest, const VmifsCall *call, GError **error);

VmifsEventsReady
vmifs_event_reader_ready(VmifsEventReader *reader);
/* As many whole lines as fit in len bytes, or the part of a line that does; 0 unless SOME were
 * ready. Several threads get different lines. */
gsize
vmifs_event_reader_read(VmifsEventReader *reader, char *buf, gsize len);

/* The log: bytes from that offset on, 0 at its end. */
gsize
vmifs_event_reader_read_log(VmifsEventReader *reader, guint64 off, char *buf, gsize len);
guint64
vmifs_guest_event_log_size(VmifsGuest *guest);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsEventReader, vmifs_event_reader_free)

G_END_DECLS
