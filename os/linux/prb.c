/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * prb: see the header. Every number comes from the guest. Records are visited by id, at most as
 * many as the ring holds, and all text together is at most as long as the ring: a ring whose
 * records all claim the same text must not grow without bound.
 */
#include "prb.h"

#include <spi/bytes.h>
#include <vmifs/error.h>

/* printk's own limits: 2^31 bytes of text, one record for every 32 of them. */
#define MAX_TEXT_BITS 31
#define MAX_DESC_BITS 26
#define MAX_RECORD 128
/* Of all lines: beyond the largest log_buf_len in use. Pages may show one text in many places. */
#define MAX_OUTPUT (32u << 20)

enum {
	STATE_RESERVED = 0,  /* being written */
	STATE_COMMITTED = 1, /* complete, but a continuation may still be added */
	STATE_FINALIZED = 2,
	STATE_REUSABLE = 3, /* empty: never used, or given up by its reader */
};

static guint64
load_word(const LinuxPrb *prb, const guint8 *p)
{
	return prb->word == 8 ? vmifs_load_u64(p) : vmifs_load_u32(p);
}

static gboolean
is_sane(const LinuxPrb *prb)
{
	guint32 w = prb->word;
	return (w == 4 || w == 8) && prb->desc_bits >= 1 && prb->desc_bits <= MAX_DESC_BITS &&
	       prb->text_bits >= 4 && prb->text_bits <= MAX_TEXT_BITS &&
	       prb->desc_size <= MAX_RECORD && prb->info_size <= MAX_RECORD &&
	       vmifs_in_bounds(prb->desc_state, w, prb->desc_size) &&
	       vmifs_in_bounds(prb->desc_begin, w, prb->desc_size) &&
	       vmifs_in_bounds(prb->desc_next, w, prb->desc_size) &&
	       vmifs_in_bounds(prb->info_time, 8, prb->info_size) &&
	       vmifs_in_bounds(prb->info_text_len, 2, prb->info_size);
}

/* Where the text of the block [begin, next) lies in the ring, and how much there is at most. */
static gboolean
locate_text(const LinuxPrb *prb, guint64 begin, guint64 next, guint64 *ret_at, guint64 *ret_len)
{
	guint64 size = 1ULL << prb->text_bits;
	guint64 word_mask = prb->word == 8 ? G_MAXUINT64 : G_MAXUINT32;
	guint64 at, len;

	if (begin % prb->word || next % prb->word)
		return FALSE;
	/* A block may end with the ring since 6.18; before, one that would starts anew. */
	guint64 last = (next - 1) & word_mask;
	if (begin >> prb->text_bits == last >> prb->text_bits && begin <= last) {
		at = begin & (size - 1);
		len = last - begin + 1;
	} else if (((begin + size) & word_mask) >> prb->text_bits == last >> prb->text_bits) {
		at = 0;
		len = next & (size - 1);
	} else {
		return FALSE;
	}
	if (len < prb->word)
		return FALSE;
	*ret_at = at + prb->word;
	*ret_len = len - prb->word;
	return TRUE;
}

static gsize
append_hex(GString *out, const char *bytes, gsize len)
{
	static const char digits[] = "0123456789abcdef";

	for (gsize i = 0; i < len; i++) {
		guint8 c = (guint8) bytes[i];
		const char escape[] = { '\\', 'x', digits[c >> 4], digits[c & 15] };
		g_string_append_len(out, escape, sizeof escape);
	}
	return len;
}

/* Appends the character at text, escaped if need be; returns its length. */
static gsize
append_character(GString *out, const char *text, gsize len)
{
	if (g_ascii_isprint(*text) || (g_ascii_isspace(*text) && *text)) {
		g_string_append_c(out, *text);
		return 1;
	}
	gunichar c = g_utf8_get_char_validated(text, (gssize) len);
	if ((guint8) *text < 0x80 || c == (gunichar) -1 || c == (gunichar) -2)
		return append_hex(out, text, 1);
	gsize n = (gsize) g_unichar_to_utf8(c, NULL);
	if (!g_unichar_isprint(c))
		return append_hex(out, text, n);
	g_string_append_len(out, text, (gssize) n);
	return n;
}

void
linux_prb_format_record(GString *out, guint64 time_ns, const char *text, gsize len)
{
	guint64 us = time_ns / 1000;
	g_autofree char *prefix = g_strdup_printf("[%5" G_GUINT64_FORMAT ".%06u] ", us / 1000000,
						  (guint) (us % 1000000));

	g_string_append(out, prefix);
	for (gsize i = 0; i < len;) {
		gboolean new_line = text[i] == '\n';
		i += append_character(out, text + i, len - i);
		if (new_line)
			g_string_append(out, prefix);
	}
	g_string_append_c(out, '\n');
}

/* FALSE when it is lost; *budget: bytes of text that may still come. */
static gboolean
format_one(const LinuxPrb *prb, guint64 id, guint64 *budget, char *text, GString *out)
{
	guint64 word_mask = prb->word == 8 ? G_MAXUINT64 : G_MAXUINT32;
	guint64 id_mask = word_mask >> 2;
	guint64 slot = id & ((1ULL << prb->desc_bits) - 1);
	guint8 desc[MAX_RECORD], info[MAX_RECORD];

	if (!prb->read(prb->user, prb->descs + slot * prb->desc_size, desc, prb->desc_size) ||
	    !prb->read(prb->user, prb->infos + slot * prb->info_size, info, prb->info_size))
		return FALSE;
	guint64 state_var = load_word(prb, desc + prb->desc_state);
	guint state = (guint) (state_var >> (prb->word * 8 - 2));
	if ((state_var & id_mask) != id)
		return FALSE;
	if (state != STATE_COMMITTED && state != STATE_FINALIZED)
		return TRUE;

	guint64 begin = load_word(prb, desc + prb->desc_begin);
	guint64 next = load_word(prb, desc + prb->desc_next);
	guint64 len = vmifs_load_u16(info + prb->info_text_len);
	guint64 at, room;
	/* Odd positions mark a record without a block: an empty line, or lost text. */
	if (begin & 1 && next & 1) {
		len = 0;
	} else {
		if (!locate_text(prb, begin, next, &at, &room) || len > room || len > *budget ||
		    !prb->read(prb->user, prb->text + at, text, len))
			return FALSE;
	}
	*budget -= len;
	linux_prb_format_record(out, vmifs_load_u64(info + prb->info_time), text, len);
	return TRUE;
}

gboolean
linux_prb_format(const LinuxPrb *prb, GString *out, guint64 *ret_skipped, const VmifsCall *call,
		 GError **error)
{
	guint64 id_mask = (prb->word == 8 ? G_MAXUINT64 : G_MAXUINT32) >> 2;
	guint64 count = ((prb->head_id - prb->tail_id) & id_mask) + 1;

	if (!is_sane(prb) || count > 1ULL << prb->desc_bits) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "printk ring: 2^%u records, 2^%u bytes, ids %#" G_GINT64_MODIFIER
			    "x to %#" G_GINT64_MODIFIER "x make no sense",
			    prb->desc_bits, prb->text_bits, prb->tail_id, prb->head_id);
		return FALSE;
	}

	guint64 budget = 1ULL << prb->text_bits;
	guint64 skipped = 0;
	gsize before = out->len;
	g_autofree char *text = g_malloc(G_MAXUINT16);
	for (guint64 i = 0; i < count; i++) {
		if (i % 256 == 0 && !vmifs_call_check(call, error))
			return FALSE;
		if (out->len - before > MAX_OUTPUT) {
			skipped += count - i;
			break;
		}
		if (!format_one(prb, (prb->tail_id + i) & id_mask, &budget, text, out))
			skipped++;
	}
	*ret_skipped = skipped;
	return TRUE;
}
