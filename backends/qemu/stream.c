/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream: one buffer, filled ahead; every record is asked for by its length, and given as a pointer
 * into it, so that a page is copied once more only by whoever keeps it. Numbers are big-endian.
 */
#include "stream.h"

#include <string.h>
#include <vmifs/error.h>

#define BUFFER_LEN (1024 * 1024)
#define MAX_CONFIGURATION 4096

/* What a section begins with. */
enum {
	SECTION_EOF = 0,
	SECTION_START = 1,
	SECTION_PART = 2,
	SECTION_END = 3,
	SECTION_FULL = 4,
	SECTION_SUBSECTION = 5,
	SECTION_CONFIGURATION = 7,
	SECTION_COMMAND = 8,
	SECTION_FOOTER = 0x7e,
};

/* Low bits of the number that each record of RAM begins with; the others are its offset. */
enum {
	RAM_ZERO = 0x02,
	RAM_SIZES = 0x04,
	RAM_PAGE = 0x08,
	RAM_END = 0x10,
	RAM_SAME_BLOCK = 0x20,
	RAM_FLUSH = 0x200, /* of channels that there are none of */
};
#define RAM_FLAGS ((guint64) QEMU_STREAM_PAGE - 1)
#define RAM_VERSION 4

typedef struct {
	char *name;
	guint64 len;
} Block;

typedef struct {
	QemuStreamRead read;
	gpointer source;
	const QemuStreamSink *sink;
	gpointer user;
	const VmifsCall *call;
	guint8 *buffer;
	gsize start, end;   /* of what was read ahead */
	guint64 at;         /* of `start` in the stream, for messages */
	GArray *blocks;     /* of Block */
	guint64 n_pages;    /* told so far */
	guint64 most_pages; /* that all blocks have */
	gint current;       /* block of the last page; -1 = none */
	gint64 ram_section; /* its number; -1 = not begun */
	gboolean ended;     /* RAM is complete */
} Stream;

static gboolean
corrupt(const Stream *stream, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

static gboolean
corrupt(const Stream *stream, GError **error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *what = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
		    "QEMU's migration stream at %" G_GUINT64_FORMAT ": %s", stream->at, what);
	return FALSE;
}

static gboolean
unsupported(const Stream *stream, GError **error, const char *what)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
		    "QEMU's migration stream has %s, which cannot be read", what);
	return FALSE;
}

/* ---- bytes ---- */

static void
block_clear(gpointer data)
{
	g_free(((Block *) data)->name);
}

/* One read more. FALSE with an error, or without one at the end. */
static gboolean
fill(Stream *stream, GError **error)
{
	if (!vmifs_call_check(stream->call, error))
		return FALSE;
	memmove(stream->buffer, stream->buffer + stream->start, stream->end - stream->start);
	stream->end -= stream->start;
	stream->start = 0;
	gssize got = stream->read(stream->source, stream->buffer + stream->end,
				  BUFFER_LEN - stream->end);
	if (got < 0) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO,
			    "reading QEMU's migration stream: %s", g_strerror((int) -got));
		return FALSE;
	}
	stream->end += (gsize) got;
	return got > 0;
}

/* The next len (<= BUFFER_LEN) bytes; NULL with an error when they do not come. They stay until the
 * next call. */
static const guint8 *
take(Stream *stream, gsize len, GError **error)
{
	while (stream->end - stream->start < len) {
		GError *failure = NULL;
		if (fill(stream, &failure))
			continue;
		if (failure)
			g_propagate_error(error, failure);
		else
			corrupt(stream, error, "it ends too early");
		return NULL;
	}
	const guint8 *bytes = stream->buffer + stream->start;
	stream->start += len;
	stream->at += len;
	return bytes;
}

static guint64
number(const guint8 *bytes, gsize len)
{
	guint64 value = 0;
	for (gsize i = 0; i < len; i++)
		value = value << 8 | bytes[i];
	return value;
}

static gboolean
take_number(Stream *stream, gsize len, guint64 *ret, GError **error)
{
	const guint8 *bytes = take(stream, len, error);
	if (!bytes)
		return FALSE;
	*ret = number(bytes, len);
	return TRUE;
}

/* A length in one byte, and so many characters. (full) */
static char *
take_name(Stream *stream, GError **error)
{
	guint64 len;
	if (!take_number(stream, 1, &len, error))
		return NULL;
	const guint8 *bytes = take(stream, len, error);
	if (!bytes)
		return NULL;
	if (!len || memchr(bytes, '\0', len)) {
		corrupt(stream, error, "a name that is none");
		return NULL;
	}
	return g_strndup((const char *) bytes, len);
}

static gboolean
skip(Stream *stream, guint64 len, GError **error)
{
	if (len > MAX_CONFIGURATION)
		return corrupt(stream, error, "%" G_GUINT64_FORMAT " bytes of configuration", len);
	return take(stream, len, error) != NULL;
}

/* ---- configuration ---- */

/* What of the configuration is written only where it is not as usual. */
static gboolean
skip_subsection(Stream *stream, GError **error)
{
	guint64 n = 0;
	g_autofree char *name = take_name(stream, error);
	if (!name || !take(stream, 4, error)) /* and its version */
		return FALSE;
	if (g_str_equal(name, "configuration/target-page-bits"))
		return skip(stream, 4, error);
	if (g_str_equal(name, "configuration/uuid"))
		return skip(stream, 16, error);
	if (!g_str_equal(name, "configuration/capabilities"))
		return unsupported(stream, error, "a configuration of a new kind");
	if (!take_number(stream, 4, &n, error))
		return FALSE;
	if (n > 256)
		return corrupt(stream, error, "%" G_GUINT64_FORMAT " capabilities", n);
	while (n--) {
		g_autofree char *capability = take_name(stream, error);
		if (!capability)
			return FALSE;
	}
	return TRUE;
}

static gboolean
skip_configuration(Stream *stream, GError **error)
{
	guint64 len;
	return take_number(stream, 4, &len, error) && skip(stream, len, error);
}

/* ---- RAM ---- */

static gboolean
add_block(Stream *stream, char *name, guint64 len, GError **error)
{
	Block block = { .name = name, .len = len };
	g_array_append_val(stream->blocks, block);
	for (guint i = 0; i + 1 < stream->blocks->len; i++)
		if (g_str_equal(g_array_index(stream->blocks, Block, i).name, name))
			return corrupt(stream, error, "two blocks of one name");
	if (stream->blocks->len > QEMU_STREAM_MAX_BLOCKS)
		return corrupt(stream, error, "more than %d blocks", QEMU_STREAM_MAX_BLOCKS);
	stream->most_pages += len / QEMU_STREAM_PAGE;
	return stream->sink->block(stream->user, name, len, error);
}

static gboolean
read_sizes(Stream *stream, guint64 total, GError **error)
{
	if (stream->blocks->len)
		return corrupt(stream, error, "the blocks of RAM a second time");
	while (total) {
		guint64 len;
		g_autofree char *name = take_name(stream, error);
		if (!name || !take_number(stream, 8, &len, error))
			return FALSE;
		if (!len || len > total || len % QEMU_STREAM_PAGE)
			return corrupt(stream, error,
				       "a block of %" G_GUINT64_FORMAT
				       " bytes, where %" G_GUINT64_FORMAT " are left",
				       len, total);
		total -= len;
		if (!add_block(stream, g_steal_pointer(&name), len, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
find_block(Stream *stream, GError **error)
{
	g_autofree char *name = take_name(stream, error);
	if (!name)
		return FALSE;
	for (guint i = 0; i < stream->blocks->len; i++) {
		if (g_str_equal(g_array_index(stream->blocks, Block, i).name, name)) {
			stream->current = (gint) i;
			return TRUE;
		}
	}
	return corrupt(stream, error, "a page of a block that it has not told");
}

static gboolean
read_page(Stream *stream, guint64 offset, guint64 flags, GError **error)
{
	if (!(flags & RAM_SAME_BLOCK) && !find_block(stream, error))
		return FALSE;
	if (stream->current < 0)
		return corrupt(stream, error, "a page of no block");
	if (offset >= g_array_index(stream->blocks, Block, stream->current).len)
		return corrupt(stream, error, "a page outside its block");
	/* A snapshot has each page once; without a bound it could go on for ever. */
	if (stream->n_pages++ >= stream->most_pages)
		return corrupt(stream, error, "more pages than there are");

	const guint8 *bytes = take(stream, flags & RAM_PAGE ? QEMU_STREAM_PAGE : 1, error);
	if (!bytes)
		return FALSE;
	guint8 filled[QEMU_STREAM_PAGE];
	if (flags & RAM_ZERO) {
		guint8 byte = *bytes;
		memset(filled, byte, sizeof filled);
		bytes = byte ? filled : NULL;
	}
	return stream->sink->page(stream->user, (guint) stream->current, offset, bytes, error);
}

/* Records up to the one that ends a section. */
static gboolean
read_ram(Stream *stream, GError **error)
{
	for (;;) {
		guint64 record;
		if (!take_number(stream, 8, &record, error))
			return FALSE;
		guint64 offset = record & ~RAM_FLAGS, flags = record & RAM_FLAGS;
		switch (flags & ~(guint64) RAM_SAME_BLOCK) {
		case RAM_END:
			return TRUE;
		case RAM_FLUSH:
			break;
		case RAM_SIZES:
			if (!read_sizes(stream, offset, error))
				return FALSE;
			break;
		case RAM_ZERO:
		case RAM_PAGE:
			if (!read_page(stream, offset, flags, error))
				return FALSE;
			break;
		default:
			return unsupported(stream, error, "pages in a form that was not asked for");
		}
	}
}

/* ---- sections ---- */

static gboolean
end_section(Stream *stream, guint64 id, GError **error)
{
	const guint8 *footer = take(stream, 5, error);
	if (!footer)
		return FALSE;
	if (footer[0] != SECTION_FOOTER || number(footer + 1, 4) != id)
		return corrupt(stream, error, "a section that does not end where it should");
	return TRUE;
}

static gboolean
start_ram(Stream *stream, GError **error)
{
	guint64 id;
	if (!take_number(stream, 4, &id, error))
		return FALSE;
	g_autofree char *name = take_name(stream, error);
	const guint8 *rest = name ? take(stream, 8, error) : NULL;
	if (!rest)
		return FALSE;
	guint64 version = number(rest + 4, 4);
	if (!g_str_equal(name, "ram") || version != RAM_VERSION || stream->ram_section >= 0) {
		g_autofree char *what = g_strdup_printf(
			"the part \"%s\", version %" G_GUINT64_FORMAT, name, version);
		g_autofree char *safe = g_strescape(what, "\"");
		return unsupported(stream, error, safe);
	}
	stream->ram_section = (gint64) id;
	return read_ram(stream, error) && end_section(stream, id, error);
}

static gboolean
go_on_ram(Stream *stream, gboolean last, GError **error)
{
	guint64 id;
	if (!take_number(stream, 4, &id, error))
		return FALSE;
	if ((gint64) id != stream->ram_section || stream->ended)
		return corrupt(stream, error, "more of a section that was not begun");
	stream->ended = last;
	return read_ram(stream, error) && end_section(stream, id, error);
}

static gboolean
skip_command(Stream *stream, GError **error)
{
	const guint8 *head = take(stream, 4, error);
	return head && skip(stream, number(head + 2, 2), error);
}

/* Up to the first state of a device. */
static gboolean
read_sections(Stream *stream, GError **error)
{
	for (;;) {
		const guint8 *type = take(stream, 1, error);
		gboolean good = FALSE;
		if (!type)
			return FALSE;
		switch (*type) {
		case SECTION_CONFIGURATION:
			good = skip_configuration(stream, error);
			break;
		case SECTION_SUBSECTION:
			good = skip_subsection(stream, error);
			break;
		case SECTION_COMMAND:
			good = skip_command(stream, error);
			break;
		case SECTION_START:
			good = start_ram(stream, error);
			break;
		case SECTION_PART:
		case SECTION_END:
			good = go_on_ram(stream, *type == SECTION_END, error);
			break;
		case SECTION_FULL:
		case SECTION_EOF:
			stream->start--; /* it belongs to the devices */
			stream->at--;
			/* A background snapshot goes on to them without a last section of RAM. */
			return stream->blocks->len || corrupt(stream, error, "there is no RAM");
		default:
			return corrupt(stream, error, "a section of type %u", *type);
		}
		if (!good)
			return FALSE;
	}
}

static GBytes *
read_devices(Stream *stream, GError **error)
{
	g_autoptr(GByteArray) devices = g_byte_array_new();
	GError *failure = NULL;
	do {
		gsize n = stream->end - stream->start;
		g_byte_array_append(devices, stream->buffer + stream->start, (guint) n);
		stream->start += n;
		stream->at += n;
		if (devices->len > QEMU_STREAM_MAX_DEVICES) {
			corrupt(stream, error, "endless device states");
			return NULL;
		}
	} while (fill(stream, &failure));
	if (failure) {
		g_propagate_error(error, failure);
		return NULL;
	}
	return g_byte_array_free_to_bytes(g_steal_pointer(&devices));
}

gboolean
qemu_stream_read(QemuStreamRead source_read, gpointer source, const QemuStreamSink *sink,
		 gpointer user, GBytes **ret_devices, const VmifsCall *call, GError **error)
{
	g_autofree guint8 *buffer = g_malloc(BUFFER_LEN);
	g_autoptr(GArray) blocks = g_array_new(FALSE, FALSE, sizeof(Block));
	Stream stream = {
		.read = source_read,
		.source = source,
		.sink = sink,
		.user = user,
		.call = call,
		.buffer = buffer,
		.blocks = blocks,
		.current = -1,
		.ram_section = -1,
	};
	g_array_set_clear_func(blocks, block_clear);

	const guint8 *head = take(&stream, 8, error);
	if (!head)
		return FALSE;
	if (memcmp(head, "QEVM", 4) != 0 || number(head + 4, 4) != 3)
		return corrupt(&stream, error, "it does not begin as one");
	if (!read_sections(&stream, error))
		return FALSE;
	GBytes *devices = read_devices(&stream, error);
	if (!devices)
		return FALSE;
	*ret_devices = devices;
	return TRUE;
}
