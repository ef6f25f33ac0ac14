/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * segments: the list itself. The arrays for owned buffers and pins are made when first needed: most
 * replies are one run of mapped memory held by one pin.
 */
#include <vmifs/segments.h>

#include "areas.h"

#include <string.h>

/* From here on a buffer is better an area. */
#define LARGE ((gsize) 256 << 10)

typedef struct {
	gpointer object;
	GDestroyNotify release;
} Pin;

static void
pin_clear(gpointer data)
{
	Pin *pin = data;
	pin->release(pin->object);
}

void
vmifs_segments_init(VmifsSegments *segments)
{
	*segments = (VmifsSegments){ .iov = g_array_new(FALSE, FALSE, sizeof(struct iovec)) };
}

void
vmifs_segments_clear(VmifsSegments *segments)
{
	g_clear_pointer(&segments->iov, g_array_unref);
	g_clear_pointer(&segments->owned, g_ptr_array_unref);
	g_clear_pointer(&segments->pins, g_array_unref);
	segments->len = 0;
}

static void
append(VmifsSegments *segments, gconstpointer data, gsize len)
{
	if (!len)
		return;
	segments->len += len;
	if (segments->iov->len) {
		struct iovec *last =
			&g_array_index(segments->iov, struct iovec, segments->iov->len - 1);
		const guint8 *follows =
			last->iov_base ? (const guint8 *) last->iov_base + last->iov_len : NULL;
		if (follows == data) {
			last->iov_len += len;
			return;
		}
	}
	g_array_append_vals(segments->iov,
			    &(struct iovec){ .iov_base = (gpointer) data, .iov_len = len }, 1);
}

void
vmifs_segments_add_memory(VmifsSegments *segments, gconstpointer data, gsize len)
{
	g_assert(data || !len);
	append(segments, data, len);
}

void
vmifs_segments_add_zeros(VmifsSegments *segments, gsize len)
{
	append(segments, NULL, len);
}

gpointer
vmifs_segments_add_owned(VmifsSegments *segments, gsize len)
{
	gboolean is_large = len >= LARGE && len <= VMIFS_AREA_LEN;
	gpointer buf = is_large ? vmifs_area_take() : NULL;

	if (buf) {
		vmifs_segments_pin(segments, buf, vmifs_area_give_back);
		append(segments, buf, len);
		return buf;
	}
	buf = g_malloc(MAX(len, 1));
	if (!segments->owned)
		segments->owned = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(segments->owned, buf);
	append(segments, buf, len);
	return buf;
}

void
vmifs_segments_truncate(VmifsSegments *segments, gsize len)
{
	while (segments->len > len) {
		struct iovec *last =
			&g_array_index(segments->iov, struct iovec, segments->iov->len - 1);
		gsize drop = MIN(segments->len - len, last->iov_len);
		last->iov_len -= drop;
		segments->len -= drop;
		if (!last->iov_len)
			g_array_set_size(segments->iov, segments->iov->len - 1);
	}
}

void
vmifs_segments_pin(VmifsSegments *segments, gpointer object, GDestroyNotify release)
{
	Pin pin = { object, release };

	if (!segments->pins) {
		segments->pins = g_array_new(FALSE, FALSE, sizeof(Pin));
		g_array_set_clear_func(segments->pins, pin_clear);
	}
	/* A reply gathered in many runs pins the same object for each of them. */
	if (segments->pins->len) {
		const Pin *last = &g_array_index(segments->pins, Pin, segments->pins->len - 1);
		if (last->object == object && last->release == release) {
			release(object);
			return;
		}
	}
	g_array_append_val(segments->pins, pin);
}

void
vmifs_segments_copy(const VmifsSegments *segments, gpointer buf)
{
	guint8 *to = buf;

	for (guint i = 0; i < segments->iov->len; i++) {
		const struct iovec *v = &g_array_index(segments->iov, struct iovec, i);
		if (v->iov_base)
			memcpy(to, v->iov_base, v->iov_len);
		else
			memset(to, 0, v->iov_len);
		to += v->iov_len;
	}
}
