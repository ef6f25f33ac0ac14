/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events: a ring of finished lines, indexed by their numbers. Lines are counted references, so that
 * a reader copies them without any lock while they are pushed out of the ring.
 *
 *   seq    ... gone ... | first ........ log_first ........ | next
 *                         a reader's next is anywhere here,
 *                         or has gone: then it gets `lost`
 *
 * The log is the lines from log_first on: when a line more would not fit in the ring with them, it
 * begins anew with that line.
 */
#include "events.h"

#include "guest.h"

#include <string.h>

/* What the ring holds; a power of two. */
#define RING_LINES 16384
#define RING_LEN (G_GUINT64_CONSTANT(4) << 20)
/* Of one answer. */
#define ANSWER_LINES 8192

typedef struct {
	gatomicrefcount refs;
	guint64 off; /* of its first byte, of all lines ever */
	gint64 time_ns;
	gsize len;
	char text[];
} Line;

struct VmifsEvents {
	gatomicrefcount refs;

	GMutex wanting; /* guards listeners, is held while they are told; before lock */
	GArray *listeners;

	GMutex lock;         /* guards what follows */
	Line **ring;         /* (full) by seq; NULL before the first line */
	guint64 first, next; /* those that are there; the first ever is 1 */
	guint64 len;         /* of all lines ever */
	guint64 log_first;   /* where the log begins */
	gint64 lost_ns;      /* time of the line before the first */
	gboolean ended;
	GPtrArray *readers; /* (borrowed) */
};

typedef struct {
	VmifsEventsWanted changed;
	gpointer user;
} Listener;

struct VmifsEventReader {
	VmifsEvents *events; /* (full) */
	void (*readable)(gpointer user);
	gpointer user;

	GMutex lock;    /* guards what follows; before that of events */
	Line *line;     /* (full) (nullable) partly read */
	gsize line_pos; /* what of it was */

	/* guarded by the lock of events */
	guint64 next;
	gboolean waits; /* to be told */
};

/* ---- lines ---- */

static Line *
line_new(guint64 seq, gint64 time_ns, const char *rest, gsize rest_len)
{
	char head[32];
	gsize head_len = (gsize) g_snprintf(head, sizeof head, "{\"seq\":%" G_GUINT64_FORMAT, seq);
	Line *line = g_malloc(sizeof *line + head_len + rest_len);

	g_atomic_ref_count_init(&line->refs);
	line->off = 0;
	line->time_ns = time_ns;
	line->len = head_len + rest_len;
	memcpy(line->text, head, head_len);
	memcpy(line->text + head_len, rest, rest_len);
	return line;
}

static Line *
line_ref(Line *line)
{
	g_atomic_ref_count_inc(&line->refs);
	return line;
}

static void
line_unref(gpointer data)
{
	Line *line = data;
	if (line && g_atomic_ref_count_dec(&line->refs))
		g_free(line);
}

/* What a reader gets instead of those from seq on that have gone. */
static Line *
lost_line_locked(const VmifsEvents *events, guint64 seq)
{
	g_autoptr(GString) rest = g_string_new(NULL);

	vmifs_event_append_time(rest, events->lost_ns);
	g_string_append_printf(rest, ",\"type\":\"lost\",\"count\":%" G_GUINT64_FORMAT "}\n",
			       events->first - seq);
	return line_new(events->first - 1, events->lost_ns, rest->str, rest->len);
}

/* ---- life ---- */

VmifsEvents *
vmifs_events_new(void)
{
	VmifsEvents *events = g_new0(VmifsEvents, 1);

	g_atomic_ref_count_init(&events->refs);
	g_mutex_init(&events->wanting);
	g_mutex_init(&events->lock);
	events->listeners = g_array_new(FALSE, FALSE, sizeof(Listener));
	events->readers = g_ptr_array_new();
	events->first = events->next = events->log_first = 1;
	return events;
}

VmifsEvents *
vmifs_events_ref(VmifsEvents *events)
{
	g_atomic_ref_count_inc(&events->refs);
	return events;
}

static Line **
slot(const VmifsEvents *events, guint64 seq)
{
	return &events->ring[seq % RING_LINES];
}

static void
drop_first_locked(VmifsEvents *events)
{
	Line *line = g_steal_pointer(slot(events, events->first));

	events->lost_ns = line->time_ns;
	events->first++;
	line_unref(line);
}

void
vmifs_events_unref(VmifsEvents *events)
{
	if (!events || !g_atomic_ref_count_dec(&events->refs))
		return;
	while (events->first < events->next)
		drop_first_locked(events);
	g_free(events->ring);
	g_array_unref(events->listeners);
	g_ptr_array_unref(events->readers);
	g_mutex_clear(&events->wanting);
	g_mutex_clear(&events->lock);
	g_free(events);
}

/* ---- what happens ---- */

/* Each only once: many lines may come until it looks. */
static void
tell_readers_locked(VmifsEvents *events)
{
	for (guint i = 0; i < events->readers->len; i++) {
		VmifsEventReader *reader = g_ptr_array_index(events->readers, i);
		if (reader->waits && reader->readable)
			reader->readable(reader->user);
		reader->waits = FALSE;
	}
}

static guint64
off_of_locked(const VmifsEvents *events, guint64 seq)
{
	return seq < events->next ? (*slot(events, seq))->off : events->len;
}

static void
make_room_locked(VmifsEvents *events, gsize len)
{
	guint64 log_len = events->len - off_of_locked(events, events->log_first);

	if (log_len + len > RING_LEN || events->next - events->log_first == RING_LINES)
		events->log_first = events->next;
	while (events->first < events->next &&
	       (events->next - events->first == RING_LINES ||
		events->len - off_of_locked(events, events->first) + len > RING_LEN))
		drop_first_locked(events);
}

void
vmifs_events_push(VmifsEvents *events, const VmifsEvent *event)
{
	g_autoptr(GString) rest = g_string_sized_new(256);
	gint64 now_ns = g_get_real_time() * 1000;

	vmifs_event_to_json(event, now_ns, rest);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&events->lock);
	if (events->ended)
		return;
	if (!events->ring)
		events->ring = g_new0(Line *, RING_LINES);
	Line *line = line_new(events->next, event->time_ns ? event->time_ns : now_ns, rest->str,
			      rest->len);
	make_room_locked(events, line->len);
	line->off = events->len;
	events->len += line->len;
	*slot(events, events->next++) = line;
	tell_readers_locked(events);
}

void
vmifs_events_end(VmifsEvents *events)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&events->lock);

	events->ended = TRUE;
	tell_readers_locked(events);
}

/* ---- is it wanted ---- */

gboolean
vmifs_events_wanted(VmifsEvents *events)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&events->lock);

	return events->readers->len > 0;
}

static void
tell_wanted(VmifsEvents *events, gboolean wanted)
{
	for (guint i = 0; i < events->listeners->len; i++) {
		const Listener *listener = &g_array_index(events->listeners, Listener, i);
		listener->changed(listener->user, wanted);
	}
}

void
vmifs_events_listen(VmifsEvents *events, VmifsEventsWanted changed, gpointer user)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&events->wanting);

	g_array_append_val(events->listeners, ((Listener){ changed, user }));
	if (vmifs_events_wanted(events))
		changed(user, TRUE);
}

void
vmifs_events_unlisten(VmifsEvents *events, VmifsEventsWanted changed, gpointer user)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&events->wanting);

	for (guint i = events->listeners->len; i-- > 0;) {
		const Listener *listener = &g_array_index(events->listeners, Listener, i);
		if (listener->changed == changed && listener->user == user)
			g_array_remove_index(events->listeners, i);
	}
}

/* ---- readers ---- */

VmifsEventReader *
vmifs_events_read(VmifsEvents *events, void (*readable)(gpointer user), gpointer user)
{
	VmifsEventReader *reader = g_new0(VmifsEventReader, 1);
	g_autoptr(GMutexLocker) wanting = g_mutex_locker_new(&events->wanting);

	g_mutex_init(&reader->lock);
	reader->events = vmifs_events_ref(events);
	reader->readable = readable;
	reader->user = user;
	g_mutex_lock(&events->lock);
	reader->next = events->next;
	g_ptr_array_add(events->readers, reader);
	gboolean is_first = events->readers->len == 1;
	g_mutex_unlock(&events->lock);
	if (is_first)
		tell_wanted(events, TRUE);
	return reader;
}

void
vmifs_event_reader_free(VmifsEventReader *reader)
{
	if (!reader)
		return;
	VmifsEvents *events = reader->events;
	g_mutex_lock(&events->wanting);
	g_mutex_lock(&events->lock);
	g_ptr_array_remove_fast(events->readers, reader);
	gboolean was_last = events->readers->len == 0;
	g_mutex_unlock(&events->lock);
	if (was_last)
		tell_wanted(events, FALSE);
	g_mutex_unlock(&events->wanting);
	line_unref(reader->line);
	g_mutex_clear(&reader->lock);
	vmifs_events_unref(events);
	g_free(reader);
}

VmifsEventsReady
vmifs_event_reader_ready(VmifsEventReader *reader)
{
	VmifsEvents *events = reader->events;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reader->lock);
	g_autoptr(GMutexLocker) inner = g_mutex_locker_new(&events->lock);

	if (reader->line || reader->next < events->next)
		return VMIFS_EVENTS_SOME;
	if (events->ended)
		return VMIFS_EVENTS_END;
	reader->waits = TRUE;
	return VMIFS_EVENTS_NONE;
}

/* Lines up to len bytes; must: at least one if there is one. (full) */
static GPtrArray *
take_lines(VmifsEventReader *reader, gsize len, gboolean must)
{
	GPtrArray *lines = g_ptr_array_new_with_free_func(line_unref);
	VmifsEvents *events = reader->events;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&events->lock);
	gsize total = 0;

	/* Who waits for edges (epoll(7)) may not look before the next one. */
	reader->waits = TRUE;
	if (reader->next < events->first) {
		Line *lost = lost_line_locked(events, reader->next);
		if (!must && lost->len > len) {
			line_unref(lost);
			return lines;
		}
		reader->next = events->first;
		total = lost->len;
		g_ptr_array_add(lines, lost);
	}
	while (reader->next < events->next && lines->len < ANSWER_LINES) {
		Line *line = *slot(events, reader->next);
		if (total + line->len > len && (lines->len || !must))
			break;
		reader->next++;
		total += line->len;
		g_ptr_array_add(lines, line_ref(line));
	}
	return lines;
}

gsize
vmifs_event_reader_read(VmifsEventReader *reader, char *buf, gsize len)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reader->lock);
	gsize done = 0;

	if (reader->line) {
		done = MIN(len, reader->line->len - reader->line_pos);
		memcpy(buf, reader->line->text + reader->line_pos, done);
		reader->line_pos += done;
		if (reader->line_pos < reader->line->len)
			return done;
		g_clear_pointer(&reader->line, line_unref);
		reader->line_pos = 0;
	}
	g_autoptr(GPtrArray) lines = take_lines(reader, len - done, done == 0);
	for (guint i = 0; i < lines->len; i++) {
		Line *line = g_ptr_array_index(lines, i);
		gsize n = MIN(len - done, line->len);
		memcpy(buf + done, line->text, n);
		done += n;
		if (n < line->len) {
			reader->line = line_ref(line);
			reader->line_pos = n;
		}
	}
	return done;
}

/* ---- the log ---- */

/* The line in which that byte lies, of all lines ever. */
static guint64
find_locked(const VmifsEvents *events, guint64 off)
{
	guint64 low = events->log_first, high = events->next;

	while (high - low > 1) {
		guint64 middle = low + (high - low) / 2;
		if (off_of_locked(events, middle) <= off)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static guint64
log_size_locked(const VmifsEvents *events)
{
	return events->len - off_of_locked(events, events->log_first);
}

guint64
vmifs_events_log_size(VmifsEvents *events)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&events->lock);

	return log_size_locked(events);
}

/* Those that hold len bytes of the log from there; (full). *ret_skip: of the first one. */
static GPtrArray *
find_lines(VmifsEvents *events, guint64 off, gsize len, gsize *ret_skip)
{
	GPtrArray *lines = g_ptr_array_new_with_free_func(line_unref);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&events->lock);

	*ret_skip = 0;
	if (off >= log_size_locked(events))
		return lines;
	guint64 start = off_of_locked(events, events->log_first) + off;
	guint64 seq = find_locked(events, start);
	*ret_skip = (gsize) (start - off_of_locked(events, seq));
	do {
		g_ptr_array_add(lines, line_ref(*slot(events, seq++)));
	} while (seq < events->next && off_of_locked(events, seq) - start < len);
	return lines;
}

gsize
vmifs_event_reader_read_log(VmifsEventReader *reader, guint64 off, char *buf, gsize len)
{
	gsize skip, done = 0;
	g_autoptr(GPtrArray) lines = find_lines(reader->events, off, len, &skip);

	for (guint i = 0; i < lines->len && done < len; i++) {
		const Line *line = g_ptr_array_index(lines, i);
		gsize n = MIN(len - done, line->len - skip);
		memcpy(buf + done, line->text + skip, n);
		done += n;
		skip = 0;
	}
	return done;
}

/* ---- of a guest ---- */

VmifsEventReader *
vmifs_guest_read_events(VmifsGuest *guest, void (*readable)(gpointer user), gpointer user)
{
	return vmifs_events_read(guest->events, readable, user);
}

guint64
vmifs_guest_event_log_size(VmifsGuest *guest)
{
	return vmifs_events_log_size(guest->events);
}

VmifsEvents *
vmifs_guest_events(VmifsGuest *guest)
{
	return guest->events;
}
