/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bytes: the only way to load numbers from guest bytes: unaligned, little-endian (every guest we
 * know is), and checked against the end of the buffer. A cursor that ran over its end stays in
 * the failed state, so that a parser checks once per record instead of once per field.
 */
#pragma once

#include <glib.h>
#include <string.h>

static inline guint16
vmifs_load_u16(gconstpointer p)
{
	guint16 v;
	memcpy(&v, p, sizeof v);
	return GUINT16_FROM_LE(v);
}

static inline guint32
vmifs_load_u32(gconstpointer p)
{
	guint32 v;
	memcpy(&v, p, sizeof v);
	return GUINT32_FROM_LE(v);
}

static inline guint64
vmifs_load_u64(gconstpointer p)
{
	guint64 v;
	memcpy(&v, p, sizeof v);
	return GUINT64_FROM_LE(v);
}

/* Is [at, at + n) within len bytes? Never wraps. */
static inline gboolean
vmifs_in_bounds(guint64 at, guint64 n, guint64 len)
{
	return at <= len && n <= len - at;
}

typedef struct {
	const guint8 *data;
	gsize len;
	gsize at;
	gboolean failed; /* a load went over the end; it and all later ones gave 0 */
} VmifsBytes;

static inline VmifsBytes
vmifs_bytes(gconstpointer data, gsize len)
{
	return (VmifsBytes){ .data = data, .len = len };
}

/* n bytes at the cursor, which moves on; NULL over the end. */
static inline const guint8 *
vmifs_bytes_take(VmifsBytes *b, gsize n)
{
	if (b->failed || !vmifs_in_bounds(b->at, n, b->len)) {
		b->failed = TRUE;
		return NULL;
	}
	b->at += n;
	return b->data + b->at - n;
}

static inline guint8
vmifs_bytes_u8(VmifsBytes *b)
{
	const guint8 *p = vmifs_bytes_take(b, 1);
	return p ? *p : 0;
}

static inline guint16
vmifs_bytes_u16(VmifsBytes *b)
{
	const guint8 *p = vmifs_bytes_take(b, 2);
	return p ? vmifs_load_u16(p) : 0;
}

static inline guint32
vmifs_bytes_u32(VmifsBytes *b)
{
	const guint8 *p = vmifs_bytes_take(b, 4);
	return p ? vmifs_load_u32(p) : 0;
}

static inline guint64
vmifs_bytes_u64(VmifsBytes *b)
{
	const guint8 *p = vmifs_bytes_take(b, 8);
	return p ? vmifs_load_u64(p) : 0;
}
