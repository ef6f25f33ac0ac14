/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-dmesg: a printk ring whose numbers, records and text are the input: one byte each for the
 * two sizes, eight for each of the two ids, then what lies behind every address.
 */
#include "fuzz.h"

#include <os/linux/prb.h>
#include <spi/bytes.h>

typedef struct {
	const guint8 *data;
	gsize len;
} Memory;

static gboolean
read_memory(gpointer user, guint64 addr, gpointer buf, gsize len)
{
	const Memory *m = user;

	if (!vmifs_in_bounds(addr, len, m->len))
		return FALSE;
	memcpy(buf, m->data + addr, len);
	return TRUE;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VmifsBytes b = vmifs_bytes(data, len);
	LinuxPrb prb = {
		.read = read_memory,
		.desc_bits = vmifs_bytes_u8(&b),
		.text_bits = vmifs_bytes_u8(&b),
		.tail_id = vmifs_bytes_u64(&b),
		.head_id = vmifs_bytes_u64(&b),
		.desc_size = 24,
		.desc_begin = 8,
		.desc_next = 16,
		.info_size = 24,
		.info_time = 8,
		.info_text_len = 16,
		.word = 8,
	};
	g_autoptr(GString) out = g_string_new(NULL);
	guint64 skipped;

	if (b.failed || prb.desc_bits > 12)
		return 0;
	Memory m = { data + b.at, len - b.at };
	prb.user = &m;
	prb.infos = prb.descs + (24ULL << prb.desc_bits);
	prb.text = prb.infos + (24ULL << prb.desc_bits);
	linux_prb_format(&prb, out, &skipped, NULL, NULL);
	return 0;
}
