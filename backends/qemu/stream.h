/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream: QEMU's migration stream, of which a background snapshot is one kind: RAM page by page, as
 * it was at one moment, then the state of the devices. It is read once, forward, as it comes.
 *
 *   "QEVM" 3 | configuration | RAM: its blocks | RAM: pages ... | device states | description
 *
 * Whoever writes it may be malicious: no page comes more often than the format has a reason for,
 * none lies outside its block, and what is kept is bounded.
 *
 * Source: QEMU, docs/devel/migration.rst; migration/savevm.c and migration/ram.c of 7.2.
 */
#pragma once

#include <vmifs/call.h>

#define QEMU_STREAM_PAGE 4096
#define QEMU_STREAM_MAX_BLOCKS 1024
/* Of all that comes behind RAM. */
#define QEMU_STREAM_MAX_DEVICES ((gsize) 64 << 20)

typedef struct {
	/* Of each block, in the stream's order, before its first page. name: a valid C string */
	gboolean (*block)(gpointer user, const char *name, guint64 len, GError **error);
	/* QEMU_STREAM_PAGE bytes at offset of that block; bytes NULL = zeros. A page that is not
	 * told was all zero, or had nothing allocated. */
	gboolean (*page)(gpointer user, guint block, guint64 offset, const guint8 *bytes,
			 GError **error);
} QemuStreamSink;

/* As read(2), interrupted calls aside: up to len bytes, 0 at the end, a negative errno value. */
typedef gssize (*QemuStreamRead)(gpointer source, gpointer buf, gsize len);

/* Reads all of it. ret_devices: (full) what follows RAM, for qemu_devices_regs(). FALSE with
 * CORRUPT (it breaks its format, or ends too early), UNSUPPORTED (a part that is not known), IO, or
 * what the sink or the call said. */
gboolean
qemu_stream_read(QemuStreamRead source_read, gpointer source, const QemuStreamSink *sink,
		 gpointer user, GBytes **ret_devices, const VmifsCall *call, GError **error);
