/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * maps (private): the mappings of a process, and what stands behind a range of its addresses: RAM
 * of a guest is a shared file (then the file itself is read, and the process is not concerned), a
 * private one (then the file tells what the process has not changed), or nothing but the process.
 */
#pragma once

#include "process.h"

G_BEGIN_DECLS

typedef struct {
	guint64 start, len;
	guint64 offset; /* of its first byte in the file */
	guint64 inode;  /* 0 = no file */
	guint dev_major, dev_minor;
	gboolean is_readable, is_writable, is_shared;
} QemuMapping;

typedef enum {
	QEMU_BACKING_ANONYMOUS, /* the process alone */
	QEMU_BACKING_SHARED,    /* the file's bytes */
	QEMU_BACKING_PRIVATE,   /* the file's bytes where the process has not written */
} QemuBackingKind;

typedef struct {
	QemuBackingKind kind;
	guint64 offset;    /* of the range's first byte in the file */
	QemuMapping first; /* the mapping that holds the range's first byte */
} QemuBacking;

/* One line of such a text, of len bytes. FALSE: it is none. */
gboolean
qemu_maps_parse_line(const char *line, gsize len, QemuMapping *ret);
/* The mappings that a text of /proc/PID/maps tells of, in its order, which is that of addresses;
 * lines that are none are passed over. Returns: (full) of QemuMapping. */
GArray *
qemu_maps_parse(const char *text);
/* (nullable) The mapping that holds that address. */
const QemuMapping *
qemu_maps_find(const GArray *maps, guint64 address);
/* What stands behind that range, which may go over several mappings. FALSE: not all of it can be
 * read, or it is of several sorts. */
gboolean
qemu_maps_backing(const GArray *maps, guint64 address, guint64 len, QemuBacking *ret);
/* A hash over what may be RAM: whole mappings of at least min_len bytes that can be read. It stays
 * the same while they do, whatever else comes and goes in the process. */
guint64
qemu_maps_signature(const GArray *maps, guint64 min_len);

/* The file behind it, read-only. Returns: (full) a descriptor; -1 when it cannot be had. */
int
qemu_backing_open(const QemuBacking *backing, const QemuProcess *process);

G_END_DECLS
