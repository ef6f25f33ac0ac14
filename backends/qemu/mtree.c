/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mtree: a text for people, read by its form:
 *
 *   FlatView #1
 *    AS "memory", root: system                              <- the view of that one
 *    AS "cpu-memory-0", root: system
 *    Root memory region: system
 *     0000000000000000-000000000009ffff (prio 0, ram): pc.ram
 *     00000000000c0000-00000000000cafff (prio 0, rom): pc.ram @00000000000c0000 KVM
 *                                           ram|rom|romd, nv-...; others are devices
 *
 * A name may hold spaces, and nothing tells where it ends; gpa2hva says it once more, in brackets.
 * Views for system management mode and for devices come before or after, much like it.
 */
#include "mtree.h"

#include <string.h>
#include <vmifs/error.h>

#define VIEW "FlatView #"
#define SYSTEM " AS \"memory\", root: system"
#define ACCELERATED " KVM"
#define OFFSET_LEN (sizeof " @0123456789abcdef" - 1)
/* No processor has more. */
#define MAX_PA ((guint64) 1 << 56)
#define TRIES 4

typedef struct {
	const char *text;
	gsize len;
} Line;

static gboolean
bad(GError **error, const char *why, const Line *line)
{
	g_autofree char *raw = g_strndup(line->text, MIN(line->len, 120));
	g_autofree char *shown = g_strescape(raw, NULL);

	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "info mtree: %s: \"%s\"", why, shown);
	return FALSE;
}

/* Cuts the first line off; FALSE at the end. */
static gboolean
next_line(const char **text, Line *ret)
{
	gsize len = strcspn(*text, "\n");

	if (!**text)
		return FALSE;
	*ret = (Line){ *text, len };
	*text += len + ((*text)[len] == '\n');
	if (ret->len && ret->text[ret->len - 1] == '\r')
		ret->len--;
	return TRUE;
}

static gboolean
begins(const Line *line, const char *with)
{
	gsize len = strlen(with);

	return line->len >= len && !memcmp(line->text, with, len);
}

static gboolean
is(const Line *line, const char *text)
{
	return line->len == strlen(text) && begins(line, text);
}

static gboolean
skip(Line *line, const char *text)
{
	if (!begins(line, text))
		return FALSE;
	line->text += strlen(text);
	line->len -= strlen(text);
	return TRUE;
}

/* 1 to 16 digits. */
static gboolean
skip_hex(Line *line, guint64 *ret)
{
	guint64 value = 0;
	gsize n = 0;

	for (; n < line->len && n < 16 && g_ascii_isxdigit(line->text[n]); n++)
		value = value << 4 | (guint64) g_ascii_xdigit_value(line->text[n]);
	line->text += n;
	line->len -= n;
	*ret = value;
	return n > 0;
}

/* ---- rows ---- */

/* NAME, NAME @OFFSET, each maybe with the accelerator's name once or more. */
static void
split_name(Line rest, QemuPiece *piece)
{
	gsize suffix = strlen(ACCELERATED);

	while (rest.len > suffix && !memcmp(rest.text + rest.len - suffix, ACCELERATED, suffix))
		rest.len -= suffix;
	if (rest.len > OFFSET_LEN) {
		Line tail = { rest.text + rest.len - OFFSET_LEN, OFFSET_LEN };
		guint64 offset;
		if (skip(&tail, " @") && skip_hex(&tail, &offset) && !tail.len) {
			piece->offset = offset;
			rest.len -= OFFSET_LEN;
		}
	}
	piece->block = g_strndup(rest.text, rest.len);
}

/* FALSE: it is no row of memory. */
static gboolean
is_memory(Line *line, VmifsRegionKind *ret_kind)
{
	const char *comma = memchr(line->text, ',', line->len);

	if (!skip(line, " (prio ") || !comma)
		return FALSE;
	line->len -= (gsize) (comma - line->text);
	line->text = comma;
	if (!skip(line, ", "))
		return FALSE;
	skip(line, "nv-");
	*ret_kind = begins(line, "ram)") ? VMIFS_REGION_RAM : VMIFS_REGION_ROM;
	return skip(line, "ram): ") || skip(line, "rom): ") || skip(line, "romd): ");
}

static gboolean
add_row(GArray *pieces, const Line *row, GError **error)
{
	Line rest = *row;
	guint64 first, last, end;
	QemuPiece piece = { 0 };

	if (!skip(&rest, "  ") || !skip_hex(&rest, &first) || !skip(&rest, "-") ||
	    !skip_hex(&rest, &last) || !is_memory(&rest, &piece.kind))
		return TRUE;
	if (last < first || last >= MAX_PA)
		return bad(error, "no range of addresses", row);
	if (pieces->len) {
		const QemuPiece *before = &g_array_index(pieces, QemuPiece, pieces->len - 1);
		if (first < before->pa || first - before->pa < before->len)
			return bad(error, "it begins before the one before it ends", row);
	}
	if (pieces->len >= QEMU_MAX_PIECES)
		return bad(error, "more rows than any machine has", row);
	split_name(rest, &piece);
	piece.pa = first;
	piece.len = last - first + 1;
	if (!g_uint64_checked_add(&end, piece.offset, piece.len) || !*piece.block) {
		g_free(piece.block);
		return bad(error, "no part of a block", row);
	}
	g_array_append_val(pieces, piece);
	return TRUE;
}

/* Where one continues the one before; either may know its address or not. */
static gboolean
continues(const QemuPiece *a, const QemuPiece *b)
{
	return b->pa - a->pa == a->len && b->offset - a->offset == a->len && a->kind == b->kind &&
	       (a->address ? b->address - a->address == a->len : !b->address) &&
	       g_str_equal(a->block, b->block);
}

static GArray *
merge(const GArray *pieces)
{
	GArray *merged = qemu_pieces_new();

	for (guint i = 0; i < pieces->len; i++) {
		QemuPiece piece = g_array_index(pieces, QemuPiece, i);
		QemuPiece *before =
			merged->len ? &g_array_index(merged, QemuPiece, merged->len - 1) : NULL;
		if (before && continues(before, &piece)) {
			before->len += piece.len;
			continue;
		}
		piece.block = g_strdup(piece.block);
		g_array_append_val(merged, piece);
	}
	return merged;
}

GArray *
qemu_mtree_parse(const char *text, GError **error)
{
	g_autoptr(GArray) pieces = qemu_pieces_new();
	gboolean inside = FALSE, found = FALSE;
	Line line;

	while (next_line(&text, &line)) {
		if (begins(&line, VIEW)) {
			if (found)
				break;
			inside = FALSE;
		} else if (is(&line, SYSTEM)) {
			inside = found = TRUE;
		} else if (inside && !add_row(pieces, &line, error)) {
			return NULL;
		}
	}
	if (!pieces->len) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    found ? "info mtree: the system's address space has no memory"
				  : "info mtree: no view of the system's address space");
		return NULL;
	}
	return merge(pieces);
}

/* ---- addresses ---- */

/* "Host virtual address for 0xc0000 (pc.ram) is 0x7f19bfec0000" */
static gboolean
parse_address(const char *text, guint64 pa, char **ret_block, guint64 *ret)
{
	Line line = { text, strcspn(text, "\r\n") };
	const char *bracket = g_strrstr_len(text, (gssize) line.len, ") is 0x");
	guint64 of, address;

	if (!bracket || !skip(&line, "Host virtual address for 0x") || !skip_hex(&line, &of) ||
	    of != pa || !skip(&line, " (") || bracket <= line.text)
		return FALSE;
	g_autofree char *block = g_strndup(line.text, (gsize) (bracket - line.text));
	line.len -= (gsize) (bracket - line.text);
	line.text = bracket;
	if (!skip(&line, ") is 0x") || !skip_hex(&line, &address) || line.len || !address)
		return FALSE;
	*ret_block = g_steal_pointer(&block);
	*ret = address;
	return TRUE;
}

/* Both ends agree with each other and with the row, whose name may have been cut too early. */
static gboolean
take_addresses(QemuPiece *piece, const char *first, const char *last)
{
	g_autofree char *block = NULL, *last_block = NULL;
	guint64 address, last_address, end;

	if (!parse_address(first, piece->pa, &block, &address) ||
	    !parse_address(last, piece->pa + piece->len - 1, &last_block, &last_address) ||
	    !g_str_equal(block, last_block) || !g_str_has_prefix(block, piece->block) ||
	    !g_uint64_checked_add(&end, address, piece->len) ||
	    last_address - address != piece->len - 1 || address < piece->offset)
		return FALSE;
	g_free(piece->block);
	piece->block = g_steal_pointer(&block);
	piece->address = address;
	return TRUE;
}

/* FALSE without error: they have changed since the rows were asked for. */
static gboolean
ask_addresses(QemuMonitor *monitor, GArray *pieces, const VmifsCall *call, GError **error)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
	gboolean good = TRUE;

	for (guint i = 0; i < pieces->len; i++) {
		const QemuPiece *piece = &g_array_index(pieces, QemuPiece, i);
		g_ptr_array_add(lines,
				g_strdup_printf("gpa2hva 0x%" G_GINT64_MODIFIER "x", piece->pa));
		g_ptr_array_add(lines, g_strdup_printf("gpa2hva 0x%" G_GINT64_MODIFIER "x",
						       piece->pa + piece->len - 1));
	}
	g_ptr_array_add(lines, NULL);
	g_auto(GStrv) texts =
		qemu_monitor_hmp_all(monitor, (const char *const *) lines->pdata, call, error);
	if (!texts)
		return FALSE;
	for (guint i = 0; i < pieces->len && good; i++)
		good = take_addresses(&g_array_index(pieces, QemuPiece, i), texts[2 * i],
				      texts[2 * i + 1]);
	return good;
}

GArray *
qemu_mtree_ask(QemuMonitor *monitor, const VmifsCall *call, GError **error)
{
	for (int i = 0; i < TRIES; i++) {
		g_autoptr(GError) problem = NULL;
		g_autofree char *text = qemu_monitor_hmp(monitor, "info mtree -f", call, error);
		g_autoptr(GArray) pieces = text ? qemu_mtree_parse(text, error) : NULL;
		if (!pieces)
			return NULL;
		if (ask_addresses(monitor, pieces, call, &problem))
			return merge(pieces);
		if (problem) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return NULL;
		}
	}
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "info mtree and gpa2hva tell of different memory each time");
	return NULL;
}
