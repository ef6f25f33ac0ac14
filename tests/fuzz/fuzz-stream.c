/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-stream: any bytes as QEMU's migration stream, and what follows its RAM as device states. */
#include "fuzz.h"

#include <backends/qemu/devices.h>
#include <backends/qemu/stream.h>

#include <string.h>

typedef struct {
	const guint8 *data;
	gsize len, at;
	guint n_blocks;
	guint64 most_pages, n_pages;
} Source;

/* A few bytes at a time: records that come in pieces are put together. */
static gssize
source_read(gpointer user, gpointer buf, gsize len)
{
	Source *source = user;
	gsize n = MIN(MIN(len, 1 + source->at % 777), source->len - source->at);

	memcpy(buf, source->data + source->at, n);
	source->at += n;
	return (gssize) n;
}

static gboolean
block(gpointer user, const char *name, guint64 len, GError **error)
{
	Source *source = user;

	g_assert(name[0] && strlen(name) < 256);
	source->n_blocks++;
	source->most_pages += len / QEMU_STREAM_PAGE;
	return TRUE;
}

static gboolean
page(gpointer user, guint index, guint64 offset, const guint8 *bytes, GError **error)
{
	Source *source = user;

	g_assert(index < source->n_blocks && offset % QEMU_STREAM_PAGE == 0);
	g_assert(source->n_pages++ < source->most_pages);
	return TRUE;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const QemuStreamSink sink = { block, page };
	Source source = { .data = data, .len = len };
	g_autoptr(GBytes) devices = NULL;
	g_autoptr(GError) error = NULL;

	if (!qemu_stream_read(source_read, &source, &sink, &source, &devices, NULL, &error)) {
		g_assert(error);
		return 0;
	}
	g_autoptr(GPtrArray) vcpus = qemu_devices_regs(devices, &error);
	g_assert((vcpus != NULL) == (error == NULL));
	return 0;
}
