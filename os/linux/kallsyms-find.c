/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kallsyms-find: from the digits in a token table to all the tables around it. Each step tries
 * what its content allows and is proved by the next: 256 string starts equal the token index;
 * walking n names lands on every marker and ends at the markers; n addresses ascend. Layouts are
 * never chosen by version: distributions backport.
 *
 * Memory is hostile: every find works within a budget of bytes read and names walked.
 */
#include "kallsyms-find.h"

#include <spi/bytes.h>
#include <vmifs/error.h>

#include <string.h>

#define MAX_TOKENS (4u << 10) /* bytes of all token strings; real: 1 KiB */
#define INDEX_LEN 512
#define INDEX_GAP 16   /* bytes between the last token and the index, at most */
#define USUAL_LEN 2048 /* from the digits to the end of the index */
#define MAX_SYMBOLS (1u << 20)
#define MAX_SEQUENCE (6u << 20) /* kallsyms_seqs_of_names between markers and tokens */
#define GROUP 256               /* names from one marker to the next */
#define MIN_GROUP (2 * GROUP)   /* bytes: each name is a length and a token at least */
#define MAX_GROUP (200 * GROUP)
#define MIN_MARKERS 4
#define BUDGET (64u << 20)

/* A run of markers. */
typedef struct {
	guint64 pa;
	const guint8 *bytes;
	guint width; /* 4; 8 on 64-bit kernels before 4.20 */
	gsize count;
} Markers;

static gboolean
spend(LinuxKallsymsFinder *finder, gsize work)
{
	finder->budget -= (gint64) work;
	return finder->budget >= 0;
}

gboolean
linux_kallsyms_read(LinuxKallsymsFinder *finder, guint64 pa, gpointer buf, gsize len)
{
	return spend(finder, len) && finder->phys->read(finder->phys->user, pa, buf, len);
}

/* ---- token table and index ---- */

/* Fills token_at and token_len from the copied strings; FALSE unless len bytes hold 256 strings
 * whose starts are those of the index. */
static gboolean
take_tokens(LinuxKallsyms *tables, gsize len, const guint8 *index)
{
	gsize at = 0;

	for (guint i = 0; i < 256; i++) {
		const char *end = at < len ? memchr(tables->tokens + at, '\0', len - at) : NULL;
		if (!end || vmifs_load_u16(index + 2 * i) != at)
			return FALSE;
		tables->token_at[i] = at;
		tables->token_len[i] = end - tables->tokens - at;
		at += tables->token_len[i] + 1;
	}
	return TRUE;
}

/* Reads up to len bytes from the digits on; RAM may end before. FALSE unless the strings from the
 * digits on, and all that the index needs, are among them. */
static gboolean
read_window(LinuxKallsymsFinder *finder, guint64 digits, guint8 *window, gsize len, gsize *ret_len,
	    gsize *ret_end)
{
	guint missing = 256 - '0';
	gsize end = 0;

	while (!linux_kallsyms_read(finder, digits, window, len)) {
		len /= 2;
		if (len < INDEX_LEN)
			return FALSE;
	}
	while (missing && end < len)
		missing -= !window[end++];
	*ret_len = len;
	*ret_end = end;
	return !missing && vmifs_in_bounds(end, INDEX_LEN, len);
}

/* The strings before the digits have no safe start of their own: data may run into the first one.
 * The index behind the last string tells it. */
static gboolean
find_tokens(LinuxKallsymsFinder *finder, guint64 digits)
{
	LinuxKallsyms *tables = finder->tables;
	guint8 window[MAX_TOKENS];
	gsize len, end;

	/* Most digits have no table around them: that shows in few bytes. */
	if ((!read_window(finder, digits, window, USUAL_LEN, &len, &end) ||
	     len - end < INDEX_GAP + INDEX_LEN) &&
	    !read_window(finder, digits, window, sizeof window, &len, &end))
		return FALSE;
	for (gsize at = end; at < end + INDEX_GAP && vmifs_in_bounds(at, INDEX_LEN, len); at++) {
		gsize before = vmifs_load_u16(window + at + 2 * '0');

		/* Two more numbers reject nearly every wrong place before anything is read. */
		if (before > MAX_TOKENS || before > digits || vmifs_load_u16(window + at) != 0 ||
		    vmifs_load_u16(window + at + 2 * '1') != before + 2)
			continue;
		g_free(tables->tokens);
		tables->tokens = g_malloc0(before + end + LINUX_KALLSYMS_SLACK);
		if (!linux_kallsyms_read(finder, digits - before, tables->tokens, before + end) ||
		    !take_tokens(tables, before + end, window + at))
			continue;
		tables->tokens_pa = digits - before;
		tables->token_index_pa = digits + at;
		return TRUE;
	}
	return FALSE;
}

/* ---- markers and names ---- */

static guint64
marker(const Markers *markers, gsize i)
{
	return markers->width == 8 ? vmifs_load_u64(markers->bytes + 8 * i)
				   : vmifs_load_u32(markers->bytes + 4 * i);
}

/* Do n names from the start of names meet every marker and end with them, but for padding? */
static gboolean
names_fit(LinuxKallsymsFinder *finder, const Markers *markers, guint32 n, const guint8 *names,
	  gsize len)
{
	gsize at = 0;

	for (guint32 i = 0; i < n; i++) {
		gsize entry;

		if (i % GROUP == 0 &&
		    (marker(markers, i / GROUP) != at || !spend(finder, 16 * GROUP)))
			return FALSE;
		entry = linux_kallsyms_entry(names, len, &at);
		if (!entry)
			return FALSE;
		at += entry;
	}
	return len - at < 16;
}

/* Copies the names that begin at pa and proves them. */
static gboolean
try_names(LinuxKallsymsFinder *finder, const Markers *markers, guint64 pa, guint64 n_pa, guint32 n)
{
	LinuxKallsyms *tables = finder->tables;
	gsize len = markers->pa - pa;
	g_autofree guint8 *names = NULL;

	if (!spend(finder, len))
		return FALSE;
	names = g_malloc(len);
	if (!linux_kallsyms_read(finder, pa, names, len) ||
	    !names_fit(finder, markers, n, names, len))
		return FALSE;
	finder->n_pa = n_pa;
	tables->n = n;
	tables->names_pa = pa;
	tables->names_len = len;
	tables->names = g_steal_pointer(&names);
	tables->markers_pa = markers->pa;
	return TRUE;
}

/* The names end where the markers begin; how long the group behind the last marker is we do not
 * know. Their number stands 4 or 8 bytes before them and must need that many markers. */
static gboolean
find_names(LinuxKallsymsFinder *finder, const Markers *markers)
{
	guint64 last = marker(markers, markers->count - 1);
	g_autofree guint8 *window = NULL;
	gsize len = MAX_GROUP + 8;

	if (last > markers->pa || markers->pa - last < len)
		return FALSE;
	window = g_malloc(len);
	if (!linux_kallsyms_read(finder, markers->pa - last - len, window, len))
		return FALSE;
	for (gsize start = len - (markers->pa - last) % 4; start >= 8; start -= 4) {
		guint64 pa = markers->pa - last - len + start;

		for (guint back = 4; back <= 8; back += 4) {
			guint32 n = vmifs_load_u32(window + start - back);

			if (n && n <= MAX_SYMBOLS && (n - 1) / GROUP + 1 == markers->count &&
			    try_names(finder, markers, pa, pa - back, n))
				return TRUE;
		}
	}
	return FALSE;
}

/* Nearest first: runs that begin with 0 and go up by one group's bytes at a time, and begin below
 * `limit` bytes into the window. */
static gboolean
scan_markers(LinuxKallsymsFinder *finder, const guint8 *window, guint64 pa, gsize len, gsize limit,
	     guint width)
{
	Markers view = { .bytes = window, .width = width };
	gsize end = len / width;

	while (end > 0 && finder->budget >= 0) {
		gsize start = end - 1;
		Markers run;

		while (start > 0 && marker(&view, start) - marker(&view, start - 1) - MIN_GROUP <=
					    MAX_GROUP - MIN_GROUP)
			start--;
		run = (Markers){ .pa = pa + start * width,
				 .bytes = window + start * width,
				 .width = width,
				 .count = end - start };
		end = start;
		if (run.count < MIN_MARKERS || marker(&run, 0) != 0 || start * width >= limit)
			continue;
		if (find_names(finder, &run))
			return TRUE;
		/* What follows the markers may look like one more. */
		run.count--;
		if (run.count >= MIN_MARKERS && find_names(finder, &run))
			return TRUE;
	}
	return FALSE;
}

/* Directly before the token table, or with the sequence numbers between. */
static gboolean
find_markers(LinuxKallsymsFinder *finder)
{
	static const gsize sizes[] = { 64 << 10, 512 << 10, MAX_SEQUENCE };
	guint64 end = finder->tables->tokens_pa & ~(guint64) 3;
	gsize done = 0;

	for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
		gsize len = MIN(sizes[i], end);
		g_autofree guint8 *window = g_malloc(len);

		if (len == done || !linux_kallsyms_read(finder, end - len, window, len))
			return FALSE;
		for (guint width = 4; width <= 8; width += 4) {
			gsize skip = (0 - (end - len)) % width;

			if (scan_markers(finder, window + skip, end - len + skip, len - skip,
					 len - skip - done, width))
				return TRUE;
		}
		done = len;
	}
	return FALSE;
}

gboolean
linux_kallsyms_has_tokens(const LinuxPhys *phys, guint64 digits_pa)
{
	g_autoptr(LinuxKallsyms) tables = g_new0(LinuxKallsyms, 1);
	LinuxKallsymsFinder finder = { .phys = phys, .tables = tables, .budget = BUDGET };

	return find_tokens(&finder, digits_pa);
}

LinuxKallsyms *
linux_kallsyms_find(const LinuxPhys *phys, guint64 digits_pa, GError **error)
{
	g_autoptr(LinuxKallsyms) tables = g_new0(LinuxKallsyms, 1);
	LinuxKallsymsFinder finder = { .phys = phys, .tables = tables, .budget = BUDGET };
	const char *missing = NULL;

	if (!find_tokens(&finder, digits_pa))
		missing = "no token table";
	else if (!find_markers(&finder))
		missing = "a token table without names";
	else if (!linux_kallsyms_find_offsets(&finder))
		missing = "names without addresses";
	if (!missing)
		return g_steal_pointer(&tables);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
		    "kallsyms around 0x%" G_GINT64_MODIFIER "x: %s", digits_pa, missing);
	return NULL;
}
