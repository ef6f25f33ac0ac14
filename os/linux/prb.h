/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * prb: the printk ring buffer (since 5.10), formatted as dmesg(1) does. Three arrays make it up;
 * a record is named by an id that counts up for ever:
 *
 *   descs[id & mask]: state + id, text at [begin, next)      infos[id & mask]: time, length
 *   text: blocks of {id, bytes}, positions count up for ever; a block that would run over the end
 *         starts at 0 instead
 *
 * The parser knows nothing of guests: where things are and how bytes are read is handed in.
 */
#pragma once

#include <vmifs/call.h>

G_BEGIN_DECLS

typedef struct {
	/* len bytes at addr, or FALSE. */
	gboolean (*read)(gpointer user, guint64 addr, gpointer buf, gsize len);
	gpointer user;
	guint64 descs, infos, text; /* addresses of the arrays */
	guint32 desc_bits;          /* log2 of the number of records */
	guint32 text_bits;          /* log2 of the bytes of text */
	guint64 tail_id, head_id;   /* first and last record */
	/* The structures' sizes, and offsets of their members. */
	guint32 desc_size, desc_state, desc_begin, desc_next;
	guint32 info_size, info_time, info_text_len;
	guint32 word; /* bytes of a long: of states, ids and positions */
} LinuxPrb;

/* CORRUPT when the ring's numbers make no sense. Records that cannot be read, or were reused while
 * their ring was read, are left out. *ret_skipped: how many. */
gboolean
linux_prb_format(const LinuxPrb *prb, GString *out, guint64 *ret_skipped, const VmifsCall *call,
		 GError **error);

/* One record: "[    0.000000] text", the time before each of its lines as syslog(2) has it, what a
 * terminal may not see as \xNN. */
void
linux_prb_format_record(GString *out, guint64 time_ns, const char *text, gsize len);

G_END_DECLS
