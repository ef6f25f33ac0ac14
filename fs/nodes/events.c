/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events, events.log: what happens in a guest, as a stream and as a file that grows. Both make it
 * be looked at as long as they are open. In an image nothing happens: end of file at once.
 */
#include "../waiting.h"
#include "nodes.h"

/* A read of at least that much is never answered in full: the kernel makes several requests of a
 * large one, and would go on to the next, which waits. */
#define SHORT_LEN 4096
/* A read's answer, at most: more than the longest line, and no more than is soon made. */
#define MOST_LEN ((gsize) 128 << 10)

/* How long a reader waits until what happens is seen; then that begins after it has. */
#define SETTLE_US (1700 * G_TIME_SPAN_MILLISECOND)

/* It begins once the guest was looked at, and lines of `watch` are armed: who opens it and then has
 * the guest do something sees that. Later is better than never: a guest that hangs has events, too.
 */
static gpointer
open_reader(VmifsNode *self, void (*readable)(gpointer), gpointer user, VmifsNodeCall *call)
{
	VmifsGuest *guest = vmifs_node_guest(self);

	if (!vmifs_guest_is_watched(guest) && vmifs_guest_events_are_seen(guest))
		return vmifs_guest_read_events(guest, readable, user);
	if (!vmifs_node_needs_monitor(call))
		return NULL;
	VmifsCall sooner = call->call;
	gint64 end = g_get_monotonic_time() + SETTLE_US;
	if (!sooner.deadline || sooner.deadline > end)
		sooner.deadline = end;
	VmifsEventReader *reader = vmifs_guest_read_events(guest, readable, user);
	vmifs_guest_watch_settle(guest, &sooner, NULL);
	vmifs_guest_events_settle(guest, &sooner, NULL);
	return reader;
}

/* ---- the stream ---- */

static gpointer
open_stream(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	return open_reader(self, vmifs_waiting_wake, self->guest->waiting, call);
}

static void
close_reader(gpointer reader)
{
	vmifs_event_reader_free(reader);
}

static gboolean
ready(VmifsNode *self, gpointer reader)
{
	return vmifs_event_reader_ready(reader) != VMIFS_EVENTS_NONE;
}

static gsize
read_stream(VmifsNode *self, gpointer reader, guint64 off, gsize len, VmifsSegments *segments,
	    VmifsNodeCall *call, GError **error)
{
	gsize most = MIN(len < SHORT_LEN ? len : len - 1, MOST_LEN);
	char *buf = vmifs_segments_add_owned(segments, most);
	gsize got = vmifs_event_reader_read(reader, buf, most);
	vmifs_segments_truncate(segments, got);
	return got;
}

static gboolean
no_size(VmifsNode *self, VmifsNodeSize *ret, VmifsNodeCall *call, GError **error)
{
	*ret = (VmifsNodeSize){ 0 };
	return TRUE;
}

const VmifsNodeOps vmifs_node_events = {
	.type = S_IFREG,
	.size = no_size,
	.open = open_stream,
	.close = close_reader,
	.ready = ready,
	.read = read_stream,
};

/* ---- the file ---- */

static gboolean
log_size(VmifsNode *self, VmifsNodeSize *ret, VmifsNodeCall *call, GError **error)
{
	ret->size = ret->allocated = vmifs_guest_event_log_size(vmifs_node_guest(self));
	return TRUE;
}

static gpointer
open_log(VmifsNode *self, VmifsNodeCall *call, GError **error)
{
	return open_reader(self, NULL, NULL, call);
}

static gsize
read_log(VmifsNode *self, gpointer reader, guint64 off, gsize len, VmifsSegments *segments,
	 VmifsNodeCall *call, GError **error)
{
	char *buf = vmifs_segments_add_owned(segments, len);
	gsize got = vmifs_event_reader_read_log(reader, off, buf, len);
	vmifs_segments_truncate(segments, got);
	return got;
}

/* Data all over. */
static gboolean
seek_log(VmifsNode *self, gpointer reader, guint64 off, gboolean want_data, guint64 *ret_off,
	 gboolean *ret_found, VmifsNodeCall *call, GError **error)
{
	guint64 size = vmifs_guest_event_log_size(vmifs_node_guest(self));
	*ret_found = off < size;
	*ret_off = want_data ? off : size;
	return TRUE;
}

const VmifsNodeOps vmifs_node_events_log = {
	.type = S_IFREG,
	.flags = VMIFS_NODE_VARIES,
	.size = log_size,
	.open = open_log,
	.close = close_reader,
	.read = read_log,
	.seek = seek_log,
};

/* ---- of an image ---- */

static gboolean
render_nothing(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	return TRUE;
}

const VmifsNodeOps vmifs_node_no_events = {
	.type = S_IFREG,
	.render = render_nothing,
};
