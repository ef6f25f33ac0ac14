/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events (private): how events come to be. event.c makes a line of one, events.c keeps the lines
 * and tells readers; who sees things happen (sources) pushes, from any thread, and never waits.
 */
#pragma once

#include <vmifs/events.h>

typedef struct VmifsEvents VmifsEvents;

/* ---- one event ---- */

/* Of one text of an event; what is longer is cut, and the line says so. */
#define VMIFS_EVENT_TEXT_LEN 4096
/* Of a line; one that would be longer loses its own members. */
#define VMIFS_EVENT_LINE_LEN (64 * 1024)

typedef struct {
	const char *type; /* "task": (borrowed, static) */
	gint64 time_ns;   /* since 1970, UTC; 0 = when it is pushed */
	gint vcpu;        /* -1 = of none */
	gboolean has_pc;
	guint64 pc;
	gint64 pid;     /* -1 = not known */
	char *comm;     /* (full) (nullable) raw bytes */
	GString *more;  /* (full) (nullable) further members, by the functions below */
	gboolean raw;   /* a text of more is not UTF-8 */
	gboolean cut;   /* a text of it was too long */
	gsize grows[2]; /* more becomes so much longer in a line: [FALSE], [TRUE] = that is raw */
} VmifsEvent;

#define VMIFS_EVENT_INIT(type_) ((VmifsEvent){ .type = (type_), .vcpu = -1, .pid = -1 })

void
vmifs_event_clear(VmifsEvent *event);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VmifsEvent, vmifs_event_clear)

/* Members of its own, in the order of the calls. key: letters, digits and '_'. */

/* bytes: whatever a guest holds; len -1 = up to NUL. FALSE: the line has no room for it. */
gboolean
vmifs_event_add_text(VmifsEvent *event, const char *key, const char *bytes, gssize len);
/* As a number; what may pass 2^53 is better shown as an address. */
void
vmifs_event_add_number(VmifsEvent *event, const char *key, guint64 value);
/* As "0x..." */
void
vmifs_event_add_hex(VmifsEvent *event, const char *key, guint64 value);
void
vmifs_event_add_flag(VmifsEvent *event, const char *key, gboolean value);
/* An array: each further value is added to it, with key NULL, until the end. */
void
vmifs_event_begin_list(VmifsEvent *event, const char *key);
void
vmifs_event_end_list(VmifsEvent *event);

/* The line but for its beginning, `{"seq":N`. now_ns: for an event without a time. */
void
vmifs_event_to_json(const VmifsEvent *event, gint64 now_ns, GString *out);
/* ,"time":"..." in RFC 3339, UTC. */
void
vmifs_event_append_time(GString *out, gint64 time_ns);

/* ---- all of a guest ---- */

/* Of a guest, as long as that lives. (borrowed) */
VmifsEvents *
vmifs_guest_events(VmifsGuest *guest);

VmifsEvents *
vmifs_events_new(void);
VmifsEvents *
vmifs_events_ref(VmifsEvents *events);
void
vmifs_events_unref(VmifsEvents *events);

/* Gives it the next number and tells whoever reads. From any thread; never waits for a reader. */
void
vmifs_events_push(VmifsEvents *events, const VmifsEvent *event);
/* Nothing will happen any more: readers get what is left, and then the end. */
void
vmifs_events_end(VmifsEvents *events);

/* Is there a reader? */
gboolean
vmifs_events_wanted(VmifsEvents *events);
/* Called when that has changed, and at once if there is a reader; one call at a time, in their
 * order. From the thread that opens or closes: it must return soon, may push, and must not make or
 * free readers. */
typedef void (*VmifsEventsWanted)(gpointer user, gboolean wanted);
void
vmifs_events_listen(VmifsEvents *events, VmifsEventsWanted changed, gpointer user);
/* No call of it runs when this returns. */
void
vmifs_events_unlisten(VmifsEvents *events, VmifsEventsWanted changed, gpointer user);

/* As vmifs_guest_read_events() and vmifs_guest_event_log_size(). */
VmifsEventReader *
vmifs_events_read(VmifsEvents *events, void (*readable)(gpointer user), gpointer user);
guint64
vmifs_events_log_size(VmifsEvents *events);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsEvents, vmifs_events_unref)
