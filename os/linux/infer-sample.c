/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* infer-sample: copies of objects, read once: every question to them is a load out of these. */
#include "infer.h"

#include <spi/bytes.h>

#include <string.h>

void
linux_sample_init(LinuxSample *s, guint ptr, gsize len)
{
	*s = (LinuxSample){
		.ptr = ptr,
		.len = len,
		.at = g_array_new(FALSE, FALSE, sizeof(guint64)),
		.index = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL),
		.bytes = g_byte_array_new(),
	};
}

void
linux_sample_clear(LinuxSample *s)
{
	g_clear_pointer(&s->at, g_array_unref);
	g_clear_pointer(&s->index, g_hash_table_unref);
	g_clear_pointer(&s->bytes, g_byte_array_unref);
}

gboolean
linux_sample_add_part(LinuxSample *s, VmifsAspace *aspace, guint64 va, gsize least)
{
	gsize old = s->bytes->len;

	if (linux_sample_has(s, va, NULL))
		return TRUE;
	if (s->at->len >= LINUX_SAMPLE_MOST)
		return FALSE;
	g_byte_array_set_size(s->bytes, (guint) (old + s->len));
	gsize got = vmifs_aspace_read_some(aspace, va, s->bytes->data + old, s->len, NULL);
	if (got < least) {
		g_byte_array_set_size(s->bytes, (guint) old);
		return FALSE;
	}
	memset(s->bytes->data + old + got, 0, s->len - got);
	g_array_append_val(s->at, va);
	g_hash_table_insert(s->index, g_memdup2(&va, sizeof va), GUINT_TO_POINTER(s->at->len));
	return TRUE;
}

gboolean
linux_sample_add(LinuxSample *s, VmifsAspace *aspace, guint64 va)
{
	return linux_sample_add_part(s, aspace, va, s->len);
}

gboolean
linux_sample_has(const LinuxSample *s, guint64 va, guint *ret_i)
{
	guint i = GPOINTER_TO_UINT(g_hash_table_lookup(s->index, &va));

	if (i && ret_i)
		*ret_i = i - 1;
	return i != 0;
}

const guint8 *
linux_sample_bytes(const LinuxSample *s, guint i, gsize off)
{
	g_assert(off <= s->len);
	return s->bytes->data + i * s->len + off;
}

guint32
linux_sample_u32(const LinuxSample *s, guint i, gsize off)
{
	return vmifs_in_bounds(off, 4, s->len) ? vmifs_load_u32(linux_sample_bytes(s, i, off)) : 0;
}

guint64
linux_sample_u64(const LinuxSample *s, guint i, gsize off)
{
	return vmifs_in_bounds(off, 8, s->len) ? vmifs_load_u64(linux_sample_bytes(s, i, off)) : 0;
}

guint64
linux_sample_ptr(const LinuxSample *s, guint i, gsize off)
{
	return s->ptr == 8 ? linux_sample_u64(s, i, off) : linux_sample_u32(s, i, off);
}
