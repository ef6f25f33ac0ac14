/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exports: from the name of one symbol that every kernel exports, to what refers to that name, to
 * the table around it: as far as its neighbours have names. There are one or two tables, one behind
 * the other, then other numbers.
 */
#include "exports.h"

#include <spi/bytes.h>

#include <string.h>

#define ANCHOR "init_task"
#define STEP (1u << 20)
#define ENTRY_LEN 12
#define NAME_AT 4 /* in an entry */
#define SPACE_AT 8
/* KSYM_NAME_LEN is 512 */
#define MAX_NAME 512
#define MAX_ENTRIES (1u << 17)
/* Places that are looked at: of the name, and of what could refer to one of those. */
#define MAX_ANCHORS 8
#define MAX_TRIES 64
/* Bytes of entries and of their names, of all tries together: those of a kernel are half a MiB. */
#define MAX_LOOKED (32u << 20)
/* ARM's memory begins at a multiple of 2 MiB, and so do the addresses that it is mapped at. */
#define DELTA_MASK 0x1fffff
/* Functions that both tables list, at least; of all of them, one in SLACK may be elsewhere:
 * several of one name. */
#define MIN_KNOWN 32
#define SLACK 50

typedef struct {
	guint8 *bytes; /* memory from pa on */
	gsize len;
	guint64 pa;
	const VmifsSymbols *symbols;
	gboolean is_absolute; /* entries are addresses ... */
	guint64 delta;        /* ... so far from physical ones */
	gsize anchors[MAX_ANCHORS];
	guint n_anchors;
	gsize looked;
} Search;

/* What the number at `at` refers to, as an index into bytes; not necessarily one of them. */
static guint64
target(const Search *s, gsize at)
{
	guint32 number = vmifs_load_u32(s->bytes + at);

	return s->is_absolute ? number - s->delta - s->pa : at + (guint64) (gint64) (gint32) number;
}

/* NULL: no name of a symbol stands there. */
static const char *
name_at(const Search *s, guint64 at)
{
	const char *name;
	gsize len = 0, most;

	if (at >= s->len)
		return NULL;
	name = (const char *) s->bytes + at;
	most = MIN(s->len - at, MAX_NAME);
	while (len < most && (g_ascii_isalnum(name[len]) || name[len] == '_' || name[len] == '.'))
		len++;
	return len && len < most && !name[len] ? name : NULL;
}

static const char *
entry_name(const Search *s, gsize at)
{
	if (!vmifs_in_bounds(at, ENTRY_LEN, s->len) || target(s, at + SPACE_AT) >= s->len)
		return NULL;
	return name_at(s, target(s, at + NAME_AT));
}

/* Before the distance is known: a physical address. */
static guint64
entry_value(const Search *s, gsize at)
{
	return s->pa + target(s, at);
}

static gboolean
is_entry(Search *s, gsize at)
{
	const char *name = s->looked < MAX_LOOKED ? entry_name(s, at) : NULL;

	if (name)
		s->looked += ENTRY_LEN + strlen(name);
	return name != NULL;
}

/* The range of entries around one. */
static void
extend(Search *s, gsize at, gsize *ret_from, gsize *ret_end)
{
	gsize from = at, end = at;

	while (from >= ENTRY_LEN && (at - from) / ENTRY_LEN < MAX_ENTRIES &&
	       is_entry(s, from - ENTRY_LEN))
		from -= ENTRY_LEN;
	while ((end - at) / ENTRY_LEN < MAX_ENTRIES && is_entry(s, end))
		end += ENTRY_LEN;
	*ret_from = from;
	*ret_end = end;
}

static gboolean
entry_delta(const Search *s, gsize at, guint64 *ret)
{
	guint64 address;

	if (!vmifs_symbols_lookup(s->symbols, entry_name(s, at), &address))
		return FALSE;
	*ret = address - entry_value(s, at);
	return TRUE;
}

/* How far kallsyms says that they are from where the entries do: by most of them, if by any; then
 * whether those are nearly all. */
static gboolean
agree(const Search *s, gsize from, gsize end, guint64 *ret)
{
	guint64 delta, best = 0;
	guint votes = 0, known = 0, hits = 0;

	for (gsize at = from; at < end; at += ENTRY_LEN) {
		if (!entry_delta(s, at, &delta))
			continue;
		if (!votes)
			best = delta;
		if (delta == best)
			votes++;
		else
			votes--;
	}
	for (gsize at = from; at < end; at += ENTRY_LEN) {
		if (!entry_delta(s, at, &delta))
			continue;
		known++;
		hits += delta == best;
	}
	*ret = best;
	return known >= MIN_KNOWN && hits >= known - known / SLACK;
}

static VmifsSymbols *
collect(const Search *s, gsize from, gsize end, guint64 delta)
{
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();

	for (gsize at = from; at < end; at += ENTRY_LEN) {
		const char *name = entry_name(s, at);
		guint64 known;

		if (!vmifs_symbols_lookup(s->symbols, name, &known))
			vmifs_symbols_builder_add(builder, entry_value(s, at) + delta, '?', name,
						  strlen(name));
	}
	return vmifs_symbols_builder_end(builder);
}

static void
read_all(const LinuxPhys *phys, gsize len, Search *s)
{
	while (s->len < len) {
		gsize n = MIN(STEP, len - s->len);
		if (!phys->read(phys->user, s->pa + s->len, s->bytes + s->len, n))
			return;
		s->len += n;
	}
}

/* A name may be the end of a longer one: they share bytes. */
static void
find_anchors(Search *s)
{
	const guint8 *at = s->bytes;

	while (s->n_anchors < MAX_ANCHORS &&
	       (at = memmem(at, s->bytes + s->len - at, ANCHOR, sizeof ANCHOR))) {
		s->anchors[s->n_anchors++] = at - s->bytes;
		at++;
	}
}

/* Does the number there refer to a name that is looked for? An address does when it is as far from
 * it as a 32-bit kernel may lie from physical addresses. */
static gboolean
is_reference(Search *s, gsize at)
{
	for (guint i = 0; i < s->n_anchors; i++) {
		if (s->is_absolute)
			s->delta = vmifs_load_u32(s->bytes + at) - s->anchors[i] - s->pa;
		if (s->is_absolute ? !(s->delta & DELTA_MASK) : target(s, at) == s->anchors[i])
			return TRUE;
	}
	return FALSE;
}

/* By its functions. */
static gboolean
is_narrow(const VmifsSymbols *symbols)
{
	guint64 address;

	return vmifs_symbols_lookup(symbols, "_etext", &address) && address <= G_MAXUINT32;
}

static gboolean
find_table(Search *s, LinuxExports *ret)
{
	guint tries = 0;

	for (gsize at = NAME_AT; at + 4 <= s->len && tries < MAX_TRIES; at += 4) {
		gsize from, end;
		guint64 delta;

		if (!is_reference(s, at))
			continue;
		tries++;
		extend(s, at - NAME_AT, &from, &end);
		if (!agree(s, from, end, &delta))
			continue;
		*ret = (LinuxExports){ s->pa + from, (guint32) ((end - from) / ENTRY_LEN), delta,
				       collect(s, from, end, delta) };
		return TRUE;
	}
	return FALSE;
}

gboolean
linux_exports_find(const LinuxPhys *phys, guint64 pa, gsize len, const VmifsSymbols *symbols,
		   LinuxExports *ret)
{
	g_autofree guint8 *bytes = g_malloc(len + 1);
	Search s = { .bytes = bytes, .pa = pa, .symbols = symbols };

	read_all(phys, len, &s);
	find_anchors(&s);
	if (s.n_anchors && find_table(&s, ret))
		return TRUE;
	s.is_absolute = TRUE;
	return s.n_anchors && is_narrow(symbols) && find_table(&s, ret);
}
