/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * incoming: a stream's blocks are known by name alone, "mem" or "0000:00:02.0/vga.vram"; ours by
 * their place in the process, and by the name without that device. Each of ours has to be exactly
 * one of the stream's: two graphics cards are too many. Pages are gathered to runs.
 */
#include "incoming.h"

#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <vmifs/error.h>

#define SLICE_MS 20
/* Then QEMU is asked whether anything will come. Before the first byte it looks at all of the
 * guest's memory. */
#define SILENCE (2 * G_TIME_SPAN_SECOND)
#define MAX_SILENCE (300 * G_TIME_SPAN_SECOND)
#define RUN_LEN ((gsize) 256 << 10)
#define NONE G_MAXUINT32

/* A block of the stream. */
typedef struct {
	char *name;
	guint64 len;
	guint32 number; /* of ours; NONE: it is none of them */
} Theirs;

typedef struct {
	int fd;
	QemuMigration *migration;
	const VmifsCall *call;
	GError *why; /* (nullable) there is no more to read */
	const QemuRam *ram;
	VmifsPictureWriter *out;
	GArray *blocks; /* of Theirs */
	gboolean is_matched, has_pages;
	QemuIncoming *ret;
	/* A run that is not yet told. */
	guint32 number;
	guint64 offset;
	gsize len;
	guint8 *run;
} Incoming;

/* ---- bytes ---- */

/* FALSE: nothing will come, `why` tells. */
static gboolean
may_come(Incoming *in, gint64 since)
{
	struct pollfd poller = { .fd = in->fd, .events = POLLIN };

	if (g_get_monotonic_time() - since > MAX_SILENCE) {
		g_set_error_literal(&in->why, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT,
				    "QEMU's background snapshot does not go on");
		return FALSE;
	}
	if (qemu_migration_is_on(in->migration, in->call, &in->why))
		return TRUE;
	/* Its end may have come just now. */
	if (poll(&poller, 1, 0) <= 0)
		return FALSE;
	g_clear_error(&in->why);
	return TRUE;
}

static gssize
read_some(gpointer source, gpointer buf, gsize len)
{
	Incoming *in = source;
	gint64 since = g_get_monotonic_time(), next = since + SILENCE;

	for (;;) {
		struct pollfd poller = { .fd = in->fd, .events = POLLIN };
		if (!vmifs_call_check(in->call, &in->why))
			return -ECANCELED;
		if (poll(&poller, 1, SLICE_MS) > 0) {
			gssize n = read(in->fd, buf, len);
			in->ret->is_ended |= n == 0;
			if (n >= 0)
				return n;
			if (errno != EINTR && errno != EAGAIN)
				return -errno;
		} else if (g_get_monotonic_time() >= next) {
			if (!may_come(in, since))
				return -ENODATA;
			next = g_get_monotonic_time() + SILENCE;
		}
	}
}

/* ---- blocks ---- */

static void
theirs_clear(gpointer data)
{
	g_free(((Theirs *) data)->name);
}

static gboolean
take_block(gpointer user, const char *name, guint64 len, GError **error)
{
	Incoming *in = user;
	Theirs theirs = { .name = g_strdup(name), .len = len, .number = NONE };

	g_array_append_val(in->blocks, theirs);
	return TRUE;
}

static gboolean
is_named(const char *full, const char *name)
{
	gsize len = strlen(full), n = strlen(name);

	if (len < n || !g_str_equal(full + len - n, name))
		return FALSE;
	return len == n || full[len - n - 1] == '/';
}

static gboolean
match_block(Incoming *in, guint32 number, GError **error)
{
	const QemuBlock *block = qemu_ram_block(in->ram, number);
	const char *why = "is not in it";
	Theirs *found = NULL;

	for (guint i = 0; i < in->blocks->len; i++) {
		Theirs *theirs = &g_array_index(in->blocks, Theirs, i);
		if (!is_named(theirs->name, qemu_block_name(block)))
			continue;
		if (found || theirs->number != NONE || theirs->len < qemu_block_len(block)) {
			why = "may be several of it";
			found = NULL;
			break;
		}
		found = theirs;
	}
	if (found) {
		found->number = number;
		return TRUE;
	}
	g_autofree char *name = g_strescape(qemu_block_name(block), NULL);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
		    "QEMU's migration stream: block %s %s", name, why);
	return FALSE;
}

static gboolean
match_all(Incoming *in, GError **error)
{
	for (guint i = 0; i < qemu_ram_n_blocks(in->ram); i++) {
		if (!qemu_block_is_retired(qemu_ram_block(in->ram, i)) &&
		    !match_block(in, i, error))
			return FALSE;
	}
	in->is_matched = TRUE;
	return TRUE;
}

/* ---- pages ---- */

static gboolean
tell_run(Incoming *in, GError **error)
{
	gsize len = in->len;

	in->len = 0;
	if (!len)
		return TRUE;
	in->ret->is_begun = TRUE;
	return vmifs_picture_write(in->out, in->number, in->offset, in->run, len, error);
}

static gboolean
take_page(gpointer user, guint block, guint64 offset, const guint8 *bytes, GError **error)
{
	Incoming *in = user;

	if (!in->has_pages)
		qemu_migration_runs(in->migration);
	in->has_pages = TRUE;
	if (!in->is_matched && !match_all(in, error))
		return FALSE;
	guint32 number = g_array_index(in->blocks, Theirs, block).number;
	guint64 len = number == NONE ? 0 : qemu_block_len(qemu_ram_block(in->ram, number));
	/* Pages of zeros need not be told. */
	if (offset >= len || !bytes)
		return TRUE;
	gsize n = (gsize) MIN(QEMU_STREAM_PAGE, len - offset);
	if ((number != in->number || offset != in->offset + in->len || in->len + n > RUN_LEN) &&
	    !tell_run(in, error))
		return FALSE;
	if (!in->len) {
		in->number = number;
		in->offset = offset;
	}
	memcpy(in->run + in->len, bytes, n);
	in->len += n;
	return TRUE;
}

static const QemuStreamSink incoming_sink = { .block = take_block, .page = take_page };

gboolean
qemu_incoming_read(int fd, QemuMigration *migration, const QemuRam *ram, VmifsPictureWriter *out,
		   QemuIncoming *ret, const VmifsCall *call, GError **error)
{
	g_autoptr(GArray) blocks = g_array_new(FALSE, FALSE, sizeof(Theirs));
	g_autofree guint8 *run = g_malloc(RUN_LEN);
	Incoming in = { .fd = fd,
			.migration = migration,
			.call = call,
			.ram = ram,
			.out = out,
			.blocks = blocks,
			.ret = ret,
			.run = run };

	g_array_set_clear_func(blocks, theirs_clear);
	gboolean good =
		qemu_stream_read(read_some, &in, &incoming_sink, &in, &ret->devices, call, error) &&
		(in.is_matched || match_all(&in, error)) && tell_run(&in, error);
	if (!in.why)
		return good;
	g_clear_error(error);
	g_propagate_error(error, in.why);
	return FALSE;
}
